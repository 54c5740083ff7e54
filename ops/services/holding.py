"""Legal holds are placed and ended; each act names who and why, and is on the trail.

Placing one and removing a batch take turns: once a hold is placed, nothing of it is removed.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from ops import audit
from ops.choices import HoldScope
from ops.errors import HoldRefused
from ops.models import LegalHold
from ops.registry import is_patient_known, retention_kinds

_TURN = 0x5649_4749_4C30


def wait_for_turn() -> None:
    """Keep holds and removals apart until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def holds_in_force() -> list[LegalHold]:
    """List the holds that nobody has ended, the oldest first."""
    return list(LegalHold.objects.filter(ended_at__isnull=True).order_by("pk"))


def is_whole(hold: LegalHold, kind: str) -> bool:
    """Tell whether a hold keeps all of a kind."""
    return hold.scope == HoldScope.EVERYTHING or hold.kind == kind


def is_kind_held(kind: str) -> bool:
    """Tell whether nothing of a kind may go. What removes by itself waits for its turn first."""
    return any(is_whole(hold, kind) for hold in holds_in_force())


def place_hold(
    scope: HoldScope, *, by: str, why: str, patient: UUID | None = None, kind: str = ""
) -> LegalHold:
    """Place a hold. Raises HoldRefused where it would hold nothing, or says not who and why."""
    _require(by, why)
    if scope == HoldScope.PATIENT and (patient is None or not is_patient_known(patient)):
        raise HoldRefused(
            "No patient has this key. Copy it from the address of the patient's page."
        )
    if scope == HoldScope.KIND and kind not in {one.name for one in retention_kinds()}:
        raise HoldRefused(f"There is no kind of data named {kind!r}: see manage.py retention.")
    with transaction.atomic():
        wait_for_turn()
        hold = LegalHold.objects.create(
            scope=scope,
            patient=patient if scope == HoldScope.PATIENT else None,
            kind=kind if scope == HoldScope.KIND else "",
            why=why,
            placed_at=timezone.now(),
            placed_by=by,
        )
        audit.record(
            "hold.placed",
            by=by,
            kind="legal hold",
            key=hold.pk,
            why=why,
            details={"scope": str(scope), "on": hold.kind},
            patient=hold.patient,
        )
    return hold


def end_hold(hold: LegalHold, *, by: str, why: str) -> None:
    """End a hold. Raises HoldRefused where it has ended, or without who and why."""
    _require(by, why)
    with transaction.atomic():
        ended = LegalHold.objects.filter(pk=hold.pk, ended_at__isnull=True).update(
            ended_at=timezone.now(), ended_by=by, ended_why=why
        )
        if not ended:
            raise HoldRefused(f"Hold {hold.pk} has ended already. Nothing was changed.")
        audit.record(
            "hold.ended", by=by, kind="legal hold", key=hold.pk, why=why, patient=hold.patient
        )


def _require(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise HoldRefused("A hold needs who and why. Nothing was changed.")
