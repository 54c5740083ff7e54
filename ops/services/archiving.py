"""Letting old events leave the table, once their seals alone prove and keep them.

Knows when that is allowed. Must remove nothing that storage does not hold, whole and unaltered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, QuerySet, Sum
from django.utils import timezone

from ops import audit
from ops.databases import as_owner
from ops.errors import OpsError
from ops.models import AuditArchive, AuditSeal, SealedEvent
from ops.services.holding import is_kind_held, wait_for_turn
from ops.services.sealing import seal_trail, take_turn
from ops.services.unguarded import unguarded
from ops.services.verifying import verify_seals
from ops.services.vouching import ARCHIVED
from ops.storage import UNREACHABLE

log = logging.getLogger(__name__)


class NotArchived(OpsError):
    """Nothing has left the table, and why."""


@dataclass(frozen=True)
class Archivable:
    """Which seals may leave, and how many events those are."""

    first: int = 0
    last: int = 0
    events: int = 0
    findings: list[str] = field(default_factory=list)


def archivable(*, older_than_days: int) -> Archivable:
    """Find whole seals that are old enough, and hold them against storage. Raises NotArchived."""
    if older_than_days < settings.AUDIT_KEEP_DAYS:
        raise NotArchived(
            f"The trail is kept for {settings.AUDIT_KEEP_DAYS} days (HOSPITAL_KEEP_AUDIT_DAYS):"
            f" {older_than_days} is less. Nothing was archived."
        )
    seals = _old_enough(older_than_days)
    numbers = list(seals.values_list("number", flat=True))
    if not numbers:
        return Archivable()
    report = verify_seals(seals)
    events = seals.aggregate(events=Sum("count"))["events"] or 0
    return Archivable(numbers[0], numbers[-1], events, [str(one) for one in report.findings])


def archive_trail(*, older_than_days: int, by: str, why: str) -> AuditArchive | None:
    """Take these events out of the table, as the owner and in one transaction; None if none is old.

    What is taken out is on record as an act, and the seals stay on record: the chain is held
    against storage alone from then on. Raises NotArchived where one seal is not as it was sealed.
    """
    if not by.strip() or not why.strip():
        raise NotArchived("Say who archives and why. Nothing was archived.")
    with as_owner(), transaction.atomic():
        wait_for_turn()
        if is_kind_held("ops.audit"):
            raise NotArchived(
                "A legal hold keeps the trail whole: see Legal holds. Nothing was archived."
            )
        take_turn()
        found = archivable(older_than_days=older_than_days)
        if found.findings:
            raise NotArchived(
                f"{len(found.findings)} findings in what would leave, the first:"
                f" {found.findings[0]}. Nothing was archived."
            )
        if not found.last:
            return None
        _take_out(found)
        made = AuditArchive.objects.create(
            first_seal=found.first,
            last_seal=found.last,
            events=found.events,
            at=timezone.now(),
            by=by,
            why=why.strip(),
        )
        audit.record(
            ARCHIVED,
            by=by,
            kind="audit archive",
            key=made.pk,
            why=why.strip(),
            details={"first_seal": found.first, "last_seal": found.last, "events": found.events},
        )
    _seal_the_act()
    return made


def _seal_the_act() -> None:
    """Until its act is sealed, a verification does not believe an archive."""
    try:
        seal_trail()
    except (OpsError, *UNREACHABLE) as error:
        log.warning("the archiving's act waits for a seal", extra={"error": type(error).__name__})


def _old_enough(days: int) -> QuerySet[AuditSeal]:
    """Whole seals, one after the other: of a seal that is half there nothing could be proved."""
    archived = AuditArchive.objects.aggregate(last=Max("last_seal"))["last"] or 0
    before = timezone.now() - timedelta(days=days)
    young = AuditSeal.objects.filter(number__gt=archived, at__gte=before).order_by("number").first()
    seals = AuditSeal.objects.filter(number__gt=archived).order_by("number")
    return seals.filter(number__lt=young.number) if young else seals


def _take_out(found: Archivable) -> None:
    sealed = SealedEvent.objects.filter(seal__number__range=(found.first, found.last))
    keys = list(sealed.values_list("event_id", flat=True))
    with unguarded("ops_sealedevent", "ops_auditevent"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ops_sealedevent WHERE event_id = ANY (%s)", [keys])
        cursor.execute("DELETE FROM ops_auditevent WHERE id = ANY (%s)", [keys])
