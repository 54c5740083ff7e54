"""Bringing the trail back from its seals, after an older database was restored.

Knows that storage holds what the database has lost. Must overwrite nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.files.storage import Storage
from django.db import connection, models, transaction

from ops import audit
from ops.chain import NoSeal, Row, row_of
from ops.choices import EventKind
from ops.databases import as_owner
from ops.errors import OpsError
from ops.models import AuditEvent, AuditSeal, SealedEvent
from ops.services.kept_seals import Kept, Seal, kept_since, open_seal
from ops.services.sealing import follows, keys_of, newest_seal, put_on_record, take_turn
from ops.services.unguarded import unguarded


class CannotBringBack(OpsError):
    """The trail in storage and that on record have gone different ways."""


@dataclass(frozen=True)
class BroughtBack:
    """What came back: acts whose effect on the database was lost with it.

    `twice` are events that a later seal holds again; they belong to the first.
    """

    seals: int
    events: int
    acts: int
    moved: int
    first: datetime | None
    last: datetime | None
    twice: int = 0


def bring_back_events(*, from_storage: Storage | None = None) -> BroughtBack:
    """Put on record the events and seals that storage has beyond the database, with their keys.

    All of them or none; an act of Vigil's own says so. Call it as the owner, best before anything
    else is recorded in a database that was set back. What was recorded meanwhile and has taken the
    keys of old events is given new keys: it was in no seal yet, and old ones name theirs for ever.
    Raises CannotBringBack and NotTheOwner. A second run brings back nothing.
    """
    events: list[AuditEvent] = []
    seals: list[Seal] = []
    with transaction.atomic():
        take_turn()
        last = newest_seal()
        found: dict[int, list[Kept]] = {}
        for kept in kept_since(last.at.date() if last else None, storage=from_storage):
            found.setdefault(kept.number, []).append(kept)
        moved = twice = 0
        while (seal := _next(found, last)) is not None:
            moved += _make_room(seal, found)
            events += _missing(seal)
            keys = keys_of(seal.rows)
            # Somebody took them out of an earlier seal, and so they were sealed anew.
            held = set(SealedEvent.objects.filter(event_id__in=keys).values_list("pk", flat=True))
            last = put_on_record(seal, keys, but=held)
            twice += len(held)
            seals.append(seal)
        _move_sequence_on()
        if seals:
            _say_so(seals, events=len(events), moved=moved, twice=twice)
    times = [event.at for event in events]
    first, latest = min(times, default=None), max(times, default=None)
    acts = sum(event.kind == EventKind.ACT for event in events)
    return BroughtBack(len(seals), len(events), acts, moved, first, latest, twice)


def follow_the_seals() -> str:
    """Bring the trail to where storage has it, after a restore; return a sentence of it."""
    with as_owner():
        back = bring_back_events()
    if not back.seals:
        return "its seals hold nothing that the database lacks"
    span = f", from {back.first:%H:%M:%S} to {back.last:%H:%M:%S} UTC" if back.events else ""
    twice = (
        f"; {back.twice} events are in two seals, and belong to the first: manage.py auditverify"
        " names them"
    )
    return (
        f"{back.events} events came back from {back.seals} seals{span}; {back.acts} of them are"
        f" acts whose effect was lost with the database{twice if back.twice else ''}"
    )


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


def _make_room(seal: Seal, found: dict[int, list[Kept]]) -> int:
    """Give new keys to what was recorded meanwhile under the keys of a seal's events."""
    rows = {int(row["id"]): row for row in seal.rows}
    there: dict[Any, AuditEvent] = AuditEvent.objects.in_bulk(list(rows))
    others = {key for key, event in there.items() if not _is_same(event, rows[key], seal)}
    # Of a seal before this one: what came first stays as it was sealed.
    others -= set(SealedEvent.objects.filter(event_id__in=others).values_list("pk", flat=True))
    if not others:
        return 0
    # Beyond every key in storage, not only those of this seal: the next one may need them too.
    _move_sequence_on(beyond=_highest_key(found))
    with unguarded("ops_auditevent"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ops_auditevent SET id = nextval(pg_get_serial_sequence('ops_auditevent', 'id'))"
            " WHERE id = ANY (%s)",
            [sorted(others)],
        )
    return len(others)


def _is_same(event: AuditEvent, row: Row, seal: Seal) -> bool:
    fields = [name for name in seal.header.fields if hasattr(event, name)]
    return row_of(event, fields) == {name: row[name] for name in fields}


def _highest_key(found: dict[int, list[Kept]]) -> int:
    opened = (_opened(kept) for each in found.values() for kept in each)
    return max((key for seal in opened if seal for key in keys_of(seal.rows)), default=0)


def _missing(seal: Seal) -> list[AuditEvent]:
    """Put in those events of a seal that the database lacks."""
    there: dict[Any, AuditEvent] = AuditEvent.objects.in_bulk(keys_of(seal.rows))
    rows = {int(row["id"]): row for row in seal.rows}
    missing = [_event_of(row) for key, row in rows.items() if key not in there]
    AuditEvent.objects.bulk_create(missing, batch_size=1_000)
    return missing


def _say_so(seals: list[Seal], **counts: int) -> None:
    first, last = seals[0].header.number, seals[-1].header.number
    details = {"first_seal": first, "last_seal": last, **counts}
    audit.record("trail.brought_back", by="vigil", kind="audit seal", key=last, details=details)


def _event_of(row: Row) -> AuditEvent:
    known = {field.attname: field for field in AuditEvent._meta.concrete_fields}
    values = {name: known[name].to_python(value) for name, value in row.items() if name in known}
    return AuditEvent(**values)


def _move_sequence_on(*, beyond: int = 0) -> None:
    """Whoever comes next must not be given a key that is taken."""
    taken = AuditEvent.objects.aggregate(highest=models.Max("pk"))["highest"] or 0
    highest = max(taken, beyond)
    if not highest:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence('ops_auditevent', 'id')")
        (sequence,) = cursor.fetchone()
        cursor.execute(f"SELECT last_value + is_called::int FROM {sequence}")
        (coming,) = cursor.fetchone()
        if coming <= highest:
            cursor.execute("SELECT setval(%s, %s)", [sequence, highest])
