"""Sealing the trail: batches of events, chained by their hashes, kept outside the database.

Knows when a seal is due, what it takes in, and how a run that died half-way is made whole. Must not
judge the trail: that is `verifying`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ops import audit
from ops.chain import Header, NoSeal, Row, hash_of, place_of, row_of, written
from ops.errors import OpsError
from ops.models import AuditEvent, AuditSeal, SealedEvent
from ops.services.kept_seals import Kept, Seal, kept_since, open_seal
from ops.services.muting import require_acting
from ops.storage import seal_storage

log = logging.getLogger(__name__)

# One object holds so many events at most: it is written and read whole.
MOST = 5_000
# Between two looks at the whole trail, an event that became visible late is looked for among those
# of the last day.
_LATELY = timedelta(days=1)
_STOPPED = timedelta(minutes=2)
# Whoever seals, verifies or brings back does so alone.
_TURN = 0x5649_4749_4C02


class SealsAhead(OpsError):
    """Storage holds seals with events that the database does not have."""


@dataclass(frozen=True)
class Unsealed:
    """The window in which nothing proves the trail yet."""

    count: int
    oldest: datetime | None

    @property
    def is_too_long(self) -> bool:
        """Tell whether sealing has stopped: two minutes are four seals that were not made."""
        return self.oldest is not None and self.oldest < timezone.now() - _STOPPED


def take_turn() -> None:
    """Wait until nobody else seals, verifies the end of the chain or brings back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def seal_trail() -> list[AuditSeal]:
    """Seal every event that is visible and in no seal yet. Safe to run twice, or at once.

    Nothing new makes no seal, but for the first run of each hour: that the newest seals were
    removed shows by the hour. Raises PlaceMuted, SealsAhead and what storage raises; then nothing
    is recorded.
    """
    made: list[AuditSeal] = []
    while (seal := _seal_once()) is not None:
        made.append(seal)
        log.info(
            "trail sealed", extra={"number": seal.number, "hash": seal.hash, "count": seal.count}
        )
    return made


def supersede(*, by: str, why: str) -> AuditSeal:
    """Go on beside seals in storage whose events the database lacks: they count no longer.

    For when they cannot be brought back. They stay in storage, and the next seal names them.
    Raises PlaceMuted and SealsAhead.
    """
    with transaction.atomic():
        take_turn()
        require_acting()
        last = newest_seal()
        beyond = seals_beyond(last)
        if not beyond:
            raise SealsAhead("Storage holds no seal that the database does not know.")
        hashes = tuple(one.hash for one in beyond)
        audit.record(
            "seals.superseded",
            by=by,
            kind="audit seal",
            key=last.number if last else 0,
            why=why,
            details={"seals": [one.number for one in beyond]},
        )
        return _seal_events(last, list(unsealed_events()[:MOST]), supersedes=hashes)


def newest_seal() -> AuditSeal | None:
    """Give the end of the chain as it is on record."""
    return AuditSeal.objects.order_by("-number").first()


def unsealed_events(*, since: datetime | None = None) -> QuerySet[AuditEvent]:
    """Events in no seal, in the order in which they are sealed."""
    events = AuditEvent.objects.filter(sealed__isnull=True)
    if since is not None:
        events = events.filter(at__gte=since)
    return events.order_by("pk")


def unsealed_window() -> Unsealed:
    """Count what is not sealed yet, of the last day, and say since when."""
    last = newest_seal()
    events = unsealed_events(since=last.at - _LATELY if last else None)
    oldest = events.order_by("at").values_list("at", flat=True).first()
    return Unsealed(events.count(), oldest)


def seals_beyond(last: AuditSeal | None) -> list[Kept]:
    """Find the seals in storage that come after the newest on record."""
    found = kept_since(last.at.date() if last else None)
    return sorted(one for one in found if one.number > (last.number if last else 0))


def put_on_record(
    seal: Seal | tuple[Header, Kept], keys: Sequence[int], *, but: Collection[int] = ()
) -> AuditSeal:
    """Put a seal that lies in storage on record, with what is in it `but` what another one has."""
    header, kept = (seal.header, seal.kept) if isinstance(seal, Seal) else seal
    made = AuditSeal.objects.create(
        number=header.number,
        hash=kept.hash,
        previous=header.previous,
        count=header.count,
        at=header.at,
        place=kept.place,
    )
    SealedEvent.objects.bulk_create(
        [
            SealedEvent(event_id=key, seal=made, position=place)
            for place, key in enumerate(keys)
            if key not in but
        ],
        batch_size=1_000,
    )
    return made


def event_fields() -> tuple[str, ...]:
    """Name all fields of an event, which are all sealed."""
    return tuple(sorted(field.attname for field in AuditEvent._meta.concrete_fields))


def follows(seal: Seal, last: AuditSeal | None) -> bool:
    """Tell whether a seal is the next of the chain."""
    number, digest = (last.number, last.hash) if last else (0, "")
    return seal.header.number == number + 1 and seal.header.previous == digest


def _seal_once() -> AuditSeal | None:
    with transaction.atomic():
        take_turn()
        # Of two copies of a hospital the muted one would seal over the other.
        require_acting()
        last = newest_seal()
        if (adopted := _adopt(last)) is not None:
            return adopted
        now = timezone.now()
        is_due = last is None or _hour(last.at) < _hour(now)
        since = None if last is None or is_due else last.at - _LATELY
        events = list(unsealed_events(since=since)[:MOST])
        if not events and not is_due:
            return None
        return _seal_events(last, events)


def _seal_events(
    last: AuditSeal | None, events: Sequence[AuditEvent], *, supersedes: tuple[str, ...] = ()
) -> AuditSeal:
    """Store first, then record: what is on record is never without its object."""
    now = timezone.now()
    header = Header(
        number=last.number + 1 if last else 1,
        previous=last.hash if last else "",
        count=len(events),
        # A clock that was set back must not put a seal into a day where nobody looks for it.
        at=max(now, last.at) if last else now,
        fields=event_fields(),
        supersedes=supersedes,
    )
    data = written(header, (row_of(event, header.fields) for event in events))
    kept = Kept(header.number, hash_of(data), place_of(header, hash_of(data)))
    seal_storage().save(kept.place, ContentFile(data))
    return put_on_record((header, kept), [event.pk for event in events])


def _adopt(last: AuditSeal | None) -> AuditSeal | None:
    """Record a seal that a run stored before it died. Raises SealsAhead.

    What is no seal, or none of this chain, is nothing to go on; verification tells of it.
    """
    after = last.number + 1 if last else 1
    is_ahead = False
    for kept in seals_beyond(last):
        seal = _opened(kept) if kept.number == after else None
        if seal is None or not follows(seal, last):
            continue
        if _are_unsealed_as_they_are(seal.rows, seal.header.fields):
            return put_on_record(seal, [row["id"] for row in seal.rows])
        is_ahead = True
    if is_ahead:
        raise SealsAhead(
            f"Storage holds seal {after} with events that the database lacks or has otherwise."
            " Either the database was set back: bring them back before anything else is sealed. Or"
            " another copy of this hospital seals into the same storage: stop that one, or mute it,"
            " before anything is brought back."
        )
    return None


def _opened(kept: Kept) -> Seal | None:
    try:
        return open_seal(kept)
    except NoSeal:
        return None


def _are_unsealed_as_they_are(rows: Sequence[Row], fields: Sequence[str]) -> bool:
    events: dict[Any, AuditEvent] = unsealed_events().in_bulk([row["id"] for row in rows])
    return len(events) == len(rows) and all(
        row_of(events[row["id"]], fields) == row for row in rows
    )


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def keys_of(rows: Iterable[Row]) -> list[int]:
    """Give the events' keys, in the order in which they were sealed."""
    return [int(row["id"]) for row in rows]
