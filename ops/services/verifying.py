"""Holding the trail against its seals: what was edited, put in, moved or taken away, and where.

Knows what each kind of tampering leaves behind. Must change nothing but its own record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ops import audit
from ops.chain import FOLDER, NoSeal, Row, plain, row_of
from ops.models import (
    AuditEvent,
    AuditSeal,
    AuditVerification,
    SealedEvent,
)
from ops.services.guarding import what_is_amiss
from ops.services.kept_seals import Kept, Seal, kept_by_day, kept_on, kept_since, open_seal
from ops.services.sealing import newest_seal, seals_beyond, take_turn, unsealed_events
from ops.services.vouching import REVIEWED, Vouched, unvouched_reviews, vouched_archives
from ops.storage import UNREACHABLE

# An event is visible so long after its time at the latest; older, it was put in afterwards.
LATE = timedelta(minutes=15)
# A seal is made each hour, whatever there is.
_SILENT = timedelta(minutes=75)
_WORDS_KEPT = 100


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was sealed, and where."""

    words: str
    seal: int | None = None
    position: int | None = None
    event: int | None = None
    field: str = ""

    def __str__(self) -> str:
        where = [
            f"{name} {value}"
            for name, value in (
                ("seal", self.seal),
                ("position", self.position),
                ("event", self.event),
                ("field", self.field),
            )
            if value not in (None, "")
        ]
        return f"{', '.join(where)}: {self.words}" if where else self.words


@dataclass
class Report:
    """What was looked at and what was found."""

    scope: str
    seals: int = 0
    events: int = 0
    superseded: int = 0
    oldest: int | None = None
    said_superseded: set[str] = field(default_factory=set)
    archived_reviews: list[Row] = field(default_factory=list)
    newest: AuditSeal | None = None
    findings: list[Finding] = field(default_factory=list)

    def find(self, words: str, **where: int | str | None) -> None:
        """Note a finding."""
        self.findings.append(Finding(words, **where))  # type: ignore[arg-type]


def verify_trail(
    *, by: str, since: date | None = None, on_seal: Callable[[int], None] = lambda number: None
) -> Report:
    """Hold database and storage against each other, from a day on or as a whole; put it on record.

    The end of the chain is read while nobody seals; all before it does not change any more.
    """
    report = Report(f"since {since:%Y-%m-%d}" if since else "whole trail")
    with transaction.atomic():
        take_turn()
        last = report.newest = newest_seal()
        beyond = seals_beyond(last)
    _check_guards(report)
    archives = vouched_archives()
    for words in archives.refused:
        report.find(words)
    _check_chain(report, archives, since=since, on_seal=on_seal)
    _check_storage(report, beyond, since=since)
    is_part = since is not None and bool(archives.ranges)
    for words in unvouched_reviews(report.archived_reviews, spare_archived=is_part):
        report.find(words)
    _check_end(report)
    _check_unsealed(report)
    try:
        _put_on_record(report, by=by)
    except (audit.NotOnRecord, DatabaseError, TypeError) as error:
        # What swallows new rows must not swallow what was found; Django ends with a TypeError.
        report.find(f"this verification could not be put on record ({type(error).__name__})")
    return report


def verify_storage(*, on_seal: Callable[[int], None] = lambda number: None) -> Report:
    """Hold the seals in storage against each other alone: no database is asked."""
    report = Report("storage alone")
    by_number: dict[int, list[Kept]] = {}
    for kept in kept_since():
        by_number.setdefault(kept.number, []).append(kept)
    previous, superseded, expected, seen = "", set[str](), 1, _Seen()
    for number in sorted(by_number):
        if number != expected:
            report.find(f"seals {expected} to {number - 1} are missing in storage", seal=number)
            previous = ""
        expected = number + 1
        opened = [seal for one in by_number[number] if (seal := _open(report, one)) is not None]
        superseded |= {digest for seal in opened for digest in seal.header.supersedes}
        counting = [seal for seal in opened if seal.kept.hash not in superseded]
        fitting = [seal for seal in counting if previous in ("", seal.header.previous)]
        if counting and not fitting:
            report.find("it does not follow the seal before it", seal=number, field="previous")
        if len(counting) > 1:
            report.find("two seals of this number count", seal=number)
        last = (fitting or counting)[-1:]
        # After one that cannot be read, nothing can be said of the next one's place.
        previous = last[0].kept.hash if last else ""
        for place, row in ((place, row) for seal in last for place, row in enumerate(seal.rows)):
            report.events += 1
            if seen.was(int(row["id"])):
                report.find(_TWICE, seal=number, position=place, event=int(row["id"]))
        report.seals += 1
        on_seal(number)
    report.superseded = len(superseded)
    return report


def verify_seals(seals: QuerySet[AuditSeal]) -> Report:
    """Hold these seals, which follow one another, against storage and the events on record."""
    report = Report("some seals")
    first = seals.first()
    if first is None:
        return report
    shelf = _Shelf()
    before = AuditSeal.objects.filter(number=first.number - 1).first()
    passed = _Passed(_HighestKeys(), _Seen())
    for seal in seals.iterator(chunk_size=500):
        _check_links(report, seal, before)
        opened = _check_object(report, seal, shelf)
        if opened is not None:
            _check_rows(report, opened, before, passed)
        report.seals += 1
        before = seal
    return report


# --- The chain, seal by seal --------------------------------------------------------------


class _Shelf:
    """The names in storage, of one day at a time: seals are gone through day by day."""

    def __init__(self) -> None:
        self._day = ""
        self._kept: list[Kept] = []

    def find(self, seal: AuditSeal) -> tuple[Kept | None, bool]:
        """Give a seal's object, and whether it lies where the database says."""
        for day in (seal.place[len(FOLDER) + 1 :][:10], f"{seal.at.astimezone(UTC):%Y/%m/%d}"):
            if re.fullmatch(r"\d{4}/\d\d/\d\d", day) is None:
                continue
            self._fetch(day)
            for one in self._kept:
                if one.place == seal.place:
                    return one, True
        same = [one for one in self._kept if one.number == seal.number]
        return (same[0] if len(same) == 1 else None), False

    def _fetch(self, day: str) -> None:
        if day != self._day:
            self._day, self._kept = day, kept_on(day)


class _Seen:
    """Which events were in a seal so far, one bit for each: all of six years fit."""

    def __init__(self) -> None:
        self._bits: dict[int, bytearray] = {}

    def was(self, key: int) -> bool:
        """Note an event, and tell whether it was noted before."""
        page, place = key >> 16, key & 0xFFFF
        bits = self._bits.setdefault(page, bytearray(1 << 13))
        is_there = bool(bits[place >> 3] >> (place & 7) & 1)
        bits[place >> 3] |= 1 << (place & 7)
        return is_there


_TWICE = "the event is in two seals, of which this is the later one"


def _check_chain(
    report: Report, archives: Vouched, *, since: date | None, on_seal: Callable[[int], None]
) -> None:
    shelf, seen = _Shelf(), _Seen()
    seals = AuditSeal.objects.order_by("number")
    if since is not None:
        seals = seals.filter(at__date__gte=since)
    before: AuditSeal | None = None
    if since is not None and (first := seals.first()) is not None:
        before = AuditSeal.objects.filter(number=first.number - 1).first()
    highest = _HighestKeys()
    for seal in seals.iterator(chunk_size=500):
        _check_links(report, seal, before)
        is_archived = archives.holds(seal.number)
        opened = _check_object(report, seal, shelf)
        if opened is not None:
            _check_rows(report, opened, before, _Passed(highest, seen, is_archived))
        report.oldest = report.oldest or seal.number
        report.seals += 1
        before = seal
        on_seal(seal.number)


def _check_links(report: Report, seal: AuditSeal, before: AuditSeal | None) -> None:
    number, digest = (before.number, before.hash) if before else (0, "")
    if before is None and seal.number != 1:
        report.find(f"the seals before it are not on record, from 1 to {seal.number - 1}",
                    seal=seal.number)  # fmt: skip
        return
    if seal.number != number + 1:
        report.find(f"seals {number + 1} to {seal.number - 1} are not on record", seal=seal.number)
    elif seal.previous != digest:
        report.find("it does not follow the seal before it", seal=seal.number, field="previous")


def _check_object(report: Report, seal: AuditSeal, shelf: _Shelf) -> Seal | None:
    """Open a seal's object and hold what is on record of it against what it says."""
    one, is_in_place = shelf.find(seal)
    if not is_in_place:
        report.find(f"its object {seal.place} is not in storage", seal=seal.number, field="place")
    if one is None:
        return None
    opened = _open(report, one)
    if opened is None:
        return None
    report.said_superseded |= set(opened.header.supersedes)
    said = {
        "number": opened.header.number,
        "hash": one.hash,
        "previous": opened.header.previous,
        "count": opened.header.count,
        "at": plain(opened.header.at),
    }
    for name, value in said.items():
        if plain(getattr(seal, name)) != value:
            report.find(
                "what is on record of the seal is not what the object says",
                seal=seal.number,
                field=name,
            )
    return opened


def _open(report: Report, one: Kept) -> Seal | None:
    try:
        return open_seal(one)
    except NoSeal as error:
        report.find(f"the object in storage was exchanged. {error}", seal=one.number)
    except UNREACHABLE as error:
        report.find(f"the object cannot be read ({type(error).__name__})", seal=one.number)
    return None


class _HighestKeys:
    """The highest key sealed so far, and that of what was sealed a while before a seal."""

    def __init__(self) -> None:
        self._recent: list[tuple[datetime, int]] = []
        self.settled = 0

    def until(self, at: datetime) -> int:
        """Give the highest key that was sealed so long before that all lower ones were visible."""
        while self._recent and self._recent[0][0] < at - LATE:
            self.settled = max(self.settled, self._recent.pop(0)[1])
        return self.settled

    def add(self, at: datetime, rows: Sequence[Row]) -> None:
        """Note what a seal holds."""
        if rows:
            self._recent.append((at, max(int(row["id"]) for row in rows)))


@dataclass(frozen=True)
class _Passed:
    """What the seals before one held, and whether the events of this one may have been archived."""

    highest: _HighestKeys
    seen: _Seen
    is_archived: bool = False


def _check_rows(report: Report, opened: Seal, before: AuditSeal | None, passed: _Passed) -> None:
    """Hold the events on record against those that were sealed, one by one."""
    fields, number = opened.header.fields, opened.header.number
    claimed = list(_claimed(number))
    places = {int(row["id"]): place for place, row in enumerate(opened.rows)}
    events = AuditEvent.objects.in_bulk([*places, *(key for _, key in claimed)])
    on_record = {key: place for place, key in claimed}
    settled = passed.highest.until(opened.header.at)
    for place, row in enumerate(opened.rows):
        where = {"seal": number, "position": place, "event": int(row["id"])}
        event = events.get(int(row["id"]))
        if event is not None:
            _check_fields(report, row_of(event, _known(fields)), row, where)
        elif not passed.is_archived:
            report.find("the event was removed", **where)
        elif row["act"] == REVIEWED:
            report.archived_reviews.append(row)
        _check_place(report, event, on_record, passed.seen.was(int(row["id"])), where)
        _check_lateness(report, row, before, settled, where)
    for place, key in claimed:
        if key not in places:
            report.find(
                "the event was put in: it was never sealed here",
                seal=number,
                position=place,
                event=key,
            )
    passed.highest.add(opened.header.at, opened.rows)
    report.events += len(opened.rows)


def _check_place(
    report: Report,
    event: AuditEvent | None,
    on_record: dict[int, int],
    was_seen: bool,
    where: dict[str, int],
) -> None:
    if was_seen:
        report.find(_TWICE, **where)
    elif where["event"] not in on_record:
        if event is not None:
            report.find("the event's place in the seal was removed", **where)
    elif on_record[where["event"]] != where["position"]:
        report.find(f"the event was moved to position {on_record[where['event']]}", **where)


def _claimed(number: int) -> Iterator[tuple[int, int]]:
    rows = SealedEvent.objects.filter(seal_id=number).order_by("position")
    return iter(rows.values_list("position", "event_id"))


def _known(fields: Sequence[str]) -> tuple[str, ...]:
    """A field that a later version gave up cannot be compared."""
    known = {field.attname for field in AuditEvent._meta.concrete_fields}
    return tuple(name for name in fields if name in known)


def _check_fields(report: Report, now: Row, sealed: Row, where: dict[str, int]) -> None:
    for name, value in now.items():
        if value != sealed.get(name):
            report.find("the field was edited", **where, field=name)


def _check_lateness(
    report: Report, row: Row, before: AuditSeal | None, settled: int, where: dict[str, int]
) -> None:
    at = datetime.fromisoformat(row["at"])
    if before is not None and at < before.at - LATE:
        report.find(
            f"the event was put in: it claims to be of {row['at']}, and was in no seal by then",
            **where,
        )
    elif int(row["id"]) <= settled:
        report.find("the event was put in: its key was passed long before", **where)


# --- What lies beside and behind the chain --------------------------------------------------


def _check_guards(report: Report) -> None:
    """Who tampers by hand must switch the guards off first, and may forget to switch them on."""
    for words in what_is_amiss():
        report.find(words)


def _check_storage(report: Report, beyond: Sequence[Kept], *, since: date | None) -> None:
    """Find objects that no seal on record is of: the database was cut, or somebody put them in."""
    for one in beyond:
        report.find(
            f"storage holds it and the database does not: {one.place}. The newest seals on record"
            " were removed, or the database was set back",
            seal=one.number,
        )
    newest = report.newest.number if report.newest else 0
    for kept in kept_by_day(since):
        hashes = AuditSeal.objects.filter(hash__in=[one.hash for one in kept])
        known = set(hashes.values_list("hash", flat=True))
        for one in kept:
            if one.hash in known or one.number > newest:
                continue
            if one.hash in report.said_superseded:
                report.superseded += 1
            else:
                report.find(
                    f"an object in storage is no seal on record: {one.place}", seal=one.number
                )


def _check_end(report: Report) -> None:
    """Find a chain that was cut at its end, in the database and in storage alike."""
    last, now = report.newest, timezone.now()
    for verified in AuditVerification.objects.filter(newest__isnull=False).order_by("-pk")[:100]:
        seal = AuditSeal.objects.filter(number=verified.newest or 0).first()
        if seal is None or seal.hash != verified.newest_hash:
            report.find(
                f"it was there when the trail was verified at {plain(verified.at)}, and is gone or"
                " another one",
                seal=verified.newest,
            )
            break
    if last is not None and last.at < now - _SILENT:
        report.find(
            f"the newest seal is of {plain(last.at)}, though one is made each hour: sealing stands"
            " still, or newer seals were removed",
            seal=last.number,
        )


def _check_unsealed(report: Report) -> None:
    """Find what is in no seal and should be: it was put in, or its seal was removed."""
    last = report.newest
    if last is None:
        return
    passed = SealedEvent.objects.filter(seal__at__lt=last.at - LATE).order_by("-event_id").first()
    for event in unsealed_events().iterator(chunk_size=1_000):
        if event.at < last.at - LATE:
            report.find(
                f"it claims to be of {plain(event.at)} and is in no seal: it was put in, or taken"
                " out of its seal",
                event=event.pk,
            )
        elif passed is not None and event.pk < passed.event_id:
            report.find("its key was passed long before, and it is in no seal", event=event.pk)


def _put_on_record(report: Report, *, by: str) -> None:
    last = report.newest
    with transaction.atomic():
        made = AuditVerification.objects.create(
            at=timezone.now(),
            by=by,
            scope=report.scope,
            seals=report.seals,
            events=report.events,
            findings=len(report.findings),
            words=[str(one) for one in report.findings[:_WORDS_KEPT]],
            oldest=report.oldest,
            newest=last.number if last else None,
            newest_hash=last.hash if last else "",
        )
        # In the trail too, so that the end of the chain is sealed with what comes after it.
        audit.record(
            "trail.verified",
            by=by,
            kind="audit verification",
            key=made.pk,
            details={
                "newest": made.newest,
                "newest_hash": made.newest_hash,
                "findings": made.findings,
            },
        )
