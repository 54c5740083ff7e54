"""Bringing the trail back from its seals, after an older database was restored.

Knows that storage holds what the database has lost. Must overwrite nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.files.storage import Storage
from django.db import connection, models, transaction

from ops.chain import NoSeal, Row, row_of
from ops.models import AuditEvent, AuditSeal
from ops.services.kept_seals import Kept, Seal, kept_since, open_seal
from ops.services.sealing import follows, keys_of, newest_seal, put_on_record, take_turn


class CannotBringBack(Exception):
    """The trail in storage and that on record have gone different ways."""


@dataclass(frozen=True)
class BroughtBack:
    """What came back: acts whose effect on the database was lost with it."""

    seals: int
    events: int
    first: datetime | None
    last: datetime | None


def bring_back_events(*, from_storage: Storage | None = None) -> BroughtBack:
    """Put on record the events and seals that storage has beyond the database, with their keys.

    All of them or none. Call it as the owner, before anything else is recorded in a database that
    was set back: the sequence of keys is moved on, so that nothing new takes the key of an old
    event. What is on record already must be the same. Raises CannotBringBack; a second run brings
    back nothing.
    """
    events: list[AuditEvent] = []
    count = 0
    with transaction.atomic():
        take_turn()
        last = newest_seal()
        found: dict[int, list[Kept]] = {}
        for kept in kept_since(last.at.date() if last else None, storage=from_storage):
            found.setdefault(kept.number, []).append(kept)
        while (seal := _next(found, last)) is not None:
            events += _missing(seal)
            last = put_on_record(seal, keys_of(seal.rows))
            count += 1
        _move_sequence_on()
    times = [event.at for event in events]
    return BroughtBack(count, len(events), min(times, default=None), max(times, default=None))


def _next(found: dict[int, list[Kept]], last: AuditSeal | None) -> Seal | None:
    """Give the seal that comes after one; of two, that which the other does not supersede."""
    opened = [_opened(kept) for kept in found.get((last.number if last else 0) + 1, ())]
    fitting = [seal for seal in opened if seal is not None and follows(seal, last)]
    superseded = {digest for seal in fitting for digest in seal.header.supersedes}
    counting = [seal for seal in fitting if seal.kept.hash not in superseded]
    if len(counting) > 1:
        raise CannotBringBack(
            f"Storage holds two seals {counting[0].header.number} that follow the same one, and"
            " neither says that the other does not count. Nothing was brought back."
        )
    return counting[0] if counting else None


def _opened(kept: Kept) -> Seal | None:
    try:
        return open_seal(kept)
    except NoSeal:
        return None


def _missing(seal: Seal) -> list[AuditEvent]:
    """Put in those events of a seal that the database lacks; those that it has must be the same."""
    there: dict[Any, AuditEvent] = AuditEvent.objects.in_bulk(keys_of(seal.rows))
    for key, event in there.items():
        row = next(row for row in seal.rows if row["id"] == key)
        if row_of(event, [name for name in seal.header.fields if hasattr(event, name)]) != row:
            raise CannotBringBack(
                f"Event {key} of seal {seal.header.number} is on record as another one: something"
                " was recorded after the database was set back and before this. Restore it anew"
                " and bring the trail back first, or go on beside it: manage.py sealaudit"
                " --supersede."
            )
    missing = [_event_of(row) for row in seal.rows if row["id"] not in there]
    AuditEvent.objects.bulk_create(missing, batch_size=1_000)
    return missing


def _event_of(row: Row) -> AuditEvent:
    known = {field.attname: field for field in AuditEvent._meta.concrete_fields}
    values = {name: known[name].to_python(value) for name, value in row.items() if name in known}
    return AuditEvent(**values)


def _move_sequence_on() -> None:
    """Whoever comes next must not be given a key that is taken."""
    highest = AuditEvent.objects.aggregate(highest=models.Max("pk"))["highest"]
    if highest is None:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence('ops_auditevent', 'id')")
        (sequence,) = cursor.fetchone()
        cursor.execute(f"SELECT last_value + is_called::int FROM {sequence}")
        (coming,) = cursor.fetchone()
        if coming <= highest:
            cursor.execute("SELECT setval(%s, %s)", [sequence, highest])
