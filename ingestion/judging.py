"""One row judged: what it states of which records, or why it cannot be trusted (section 3).

Knows a layout's mapping, the file's source time and the hospital's zone; knows no other row, no
record and no database. A fault in a vital value rejects the row; a fault in any other value makes
that value missing and is a flaw.

What the contract leaves open is decided so that nobody disappears or looks fine:

- A fault in the release (a bad date, a bad time, before 1900, before the admission) makes the whole
  release missing: a `discharge_date` that cannot be read does not fall back on the status
  `Discharged`. The patient stays.
- A `discharge_date` that is missing while the status is missing or not listed states that there is
  no release. `Active` with a discharge date is released then.
- A `release_date` that holds a date-time counts as a date without a time. A bad `release_time` is a
  flaw also where the date is missing. Without the column `release_date`, `release_time` says
  nothing.
- A value has one flaw, the first in the table.
- A rejected combined row names its records only if both can be named: it is settled by both or by
  neither.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ingestion import values as reading
from ingestion.cells import CellReader, Cells, Drift, Flaw
from ingestion.choices import FlawReason, RecordKind, RejectReason
from ingestion.layouts import Attribute, Form, Making, Mapping, Record
from ingestion.synthetic import Realm

__all__ = [
    "Drift",
    "Flaw",
    "Judge",
    "Judged",
    "Rejection",
    "Release",
    "Statement",
    "Subject",
]

EXTRA = "x:"  # goes before an unknown column's name among the columns that a row states

# The contract's order: a row with several faults in vital values is rejected for the first.
_ORDER = (
    RejectReason.RESERVED,
    RejectReason.BAD_DATE,
    RejectReason.BAD_TIME,
    RejectReason.MISSING,
    RejectReason.TOO_LONG,
    RejectReason.FUTURE,
    RejectReason.IMPLAUSIBLE,
)

Says = frozenset[str]


class Release(NamedTuple):
    """The end of an admission; one that is not confirmed is a plan."""

    at: datetime
    confirmed: bool


@dataclass(slots=True)
class Statement:
    """What a row states of one record: `says` names columns, `values` the attributes they feed.

    Rows that state the same columns share one `says`. `extra` holds unknown columns as sent; among
    `says` they are in lower case, behind `x:`.
    """

    kind: RecordKind
    identity: tuple[str, ...]
    says: Says
    values: dict[str, object]
    extra: dict[str, str | None]


class Judged(NamedTuple):
    """A row that is applied."""

    statements: list[Statement]
    flaws: list[Flaw]
    drift: list[Drift]


class Subject(NamedTuple):
    """A record that a rejected row spoke of, and the columns of it that the row states."""

    kind: RecordKind
    identity: tuple[str, ...]
    says: Says


class Rejection(NamedTuple):
    """A row of which nothing is applied. Without subjects only an operator can settle it."""

    reason: RejectReason
    column: str | None
    subjects: list[Subject]


_Make = Callable[[Cells, dict[str, object]], None]  # puts what a row states among the values


@dataclass(slots=True)
class Plan:
    """How the rows of one file state one record."""

    record: Record
    identity: tuple[int, ...]
    direct: list[tuple[str, int]] = field(default_factory=list)  # an attribute, and its cell
    makers: list[_Make] = field(default_factory=list)
    always: Says = frozenset()
    at_times: list[tuple[str, int]] = field(default_factory=list)  # unless the cell is None
    known: dict[int, Says] = field(default_factory=dict)
    attributes: list[Attribute] = field(default_factory=list)  # those that the header states

    def identity_in(self, found: list[Any]) -> tuple[str, ...]:
        return tuple(map(found.__getitem__, self.identity))

    def says(self, found: list[Any]) -> Says:
        if not self.at_times:
            return self.always
        given = 0
        for bit, (_, cell) in enumerate(self.at_times):
            if found[cell] is not None:
                given |= 1 << bit
        if given not in self.known:
            names = {name for bit, (name, _) in enumerate(self.at_times) if given >> bit & 1}
            self.known[given] = self.always | names
        return self.known[given]


class Judge:
    """Judges the rows of one file, one by one."""

    def __init__(
        self,
        mapping: Mapping,
        *,
        source_time: datetime,
        zone: ZoneInfo | None,
        day_first: bool = False,
        realm: Realm = Realm.HOSPITAL,
    ) -> None:
        self.reader = CellReader(
            mapping, source_time=source_time, zone=zone, day_first=day_first, realm=realm
        )
        self.plans = [
            self._plan(record)
            for record in mapping.layout.records
            if record.only_with is None or record.only_with in mapping.columns
        ]

    def judge(self, fields: list[str]) -> Judged | Rejection:
        """What the row states, or why it is rejected.

        Raises TimeZoneNotSet at a time without offset if nobody has said where the hospital lives.
        """
        cells = self.reader.read(fields)
        if cells.vital_faults:
            return self._rejection(cells)
        statements = [_state(plan, cells) for plan in self.plans]
        return Judged(statements, cells.flaws, cells.drift)

    def _rejection(self, cells: Cells) -> Rejection:
        first = min(cells.vital_faults, key=lambda fault: _ORDER.index(fault.reason))
        subjects = [
            Subject(plan.record.kind, plan.identity_in(cells.values), plan.says(cells.values))
            for plan in self.plans
        ]
        if any(None in subject.identity for subject in subjects):
            subjects = []
        return Rejection(first.reason, first.column.name, subjects)

    def _plan(self, record: Record) -> Plan:
        reader = self.reader
        plan = Plan(record, tuple(reader.place[name] for name in record.identity))
        always = set(record.identity)
        for attribute in record.attributes:
            columns = [name for name in attribute.columns if name in reader.place]
            if not self._is_stated(attribute, columns):
                continue
            for name in columns:
                if self._may_say_nothing(attribute, name):
                    plan.at_times.append((name, reader.place[name]))
                else:
                    always.add(name)
            plan.attributes.append(attribute)
            self._add_attribute(plan, attribute, columns)
        if record.keeps_unknown:
            always.update(EXTRA + name.lower() for name, _ in reader.unknown)
        plan.always = frozenset(always)
        return plan

    def _is_stated(self, attribute: Attribute, columns: list[str]) -> bool:
        """Whether the header has what states the attribute: for a release more than a time."""
        if attribute.making is Making.RELEASE:
            return any(self.reader.columns[name].form is not Form.TIME for name in columns)
        return attribute.columns[0] in columns

    def _may_say_nothing(self, attribute: Attribute, column: str) -> bool:
        is_status = self.reader.columns[column].form is Form.STATUS
        return is_status or attribute.making is Making.IF_GIVEN

    def _add_attribute(self, plan: Plan, attribute: Attribute, columns: list[str]) -> None:
        place = self.reader.place[columns[0]]
        match attribute.making:
            case Making.VALUE:
                plan.direct.append((attribute.name, place))
            case Making.INSTANT:
                plan.direct.append((attribute.name, self.reader.instant_cell(columns)))
            case Making.IF_GIVEN:
                plan.makers.append(_given_maker(attribute, place))
            case Making.STATUS:
                words = self.reader.columns[columns[0]].words
                plan.makers.append(_status_maker(attribute, place, words))
            case Making.RESULT:
                plan.makers.append(_result_maker(attribute, place))
            case Making.UNIT:
                plan.makers.append(_unit_maker(attribute, place))
            case Making.RELEASE:
                plan.makers.append(_Releasing(self.reader, attribute).make)


class _Releasing:
    """Makes the release out of a date and perhaps a time, or a date-time and perhaps a status.

    Stands behind the admission's instant in its record.
    """

    def __init__(self, reader: CellReader, attribute: Attribute) -> None:
        self._reader = reader
        self._attribute = attribute
        self._when, self._other = (reader.columns[name] for name in attribute.columns)
        self._of_time = [
            column.name for column in (self._when, self._other) if column.form is not Form.STATUS
        ]
        self._when_cell = reader.place.get(self._when.name)
        self._other_cell = reader.place.get(self._other.name)

    def make(self, cells: Cells, values: dict[str, object]) -> None:
        when = None if self._when_cell is None else cells.values[self._when_cell]
        other = None if self._other_cell is None else cells.values[self._other_cell]
        if self._when_cell is None and other is None:
            return  # a status that says nothing is all there is
        values[self._attribute.name] = None
        if cells.flaws and cells.has_flaw_in(self._of_time):
            return
        if when is not None:
            column, at = self._when, self._at(when, other)
        elif isinstance(other, str) and self._other.words[other.lower()]:
            column, at = self._other, self._reader.source_time
        else:
            return
        text = cells.fields[self._reader.place[column.name]].strip()
        at = self._reader.hold_plausible(cells, column, at, text)
        if at is None:
            return
        if at < values["admitted_at"]:  # type: ignore[operator]
            cells.flaw(column.name, FlawReason.RELEASE_BEFORE_ADMISSION, text)
        else:
            values[self._attribute.name] = Release(at, confirmed=at <= self._reader.latest)

    def _at(self, when: date | datetime, clock: object) -> datetime | None:
        if isinstance(when, datetime):
            return self._reader.instant(when)
        if isinstance(clock, time):
            return self._reader.instant(datetime.combine(when, clock))
        return self._reader.end_of_day(when)


def _state(plan: Plan, cells: Cells) -> Statement:
    found = cells.values
    values: dict[str, object] = {attribute: found[cell] for attribute, cell in plan.direct}
    for make in plan.makers:
        make(cells, values)
    return Statement(
        plan.record.kind,
        plan.identity_in(found),
        plan.says(found),
        values,
        cells.extra if plan.record.keeps_unknown else {},
    )


def _given_maker(attribute: Attribute, cell: int) -> _Make:
    def make(cells: Cells, values: dict[str, object]) -> None:
        if cells.values[cell] is not None:
            values[attribute.name] = cells.values[cell]

    return make


def _status_maker(attribute: Attribute, cell: int, words: MappingOf[str, bool]) -> _Make:
    def make(cells: Cells, values: dict[str, object]) -> None:
        text = cells.values[cell]
        if text is not None:
            values[attribute.name] = text
            values[attribute.flag] = words[text.lower()]

    return make


def _result_maker(attribute: Attribute, cell: int) -> _Make:
    def make(cells: Cells, values: dict[str, object]) -> None:
        text = cells.values[cell]
        values[attribute.name] = text
        values["number"], values["comparator"] = reading.parse_number(text or "")

    return make


def _unit_maker(attribute: Attribute, cell: int) -> _Make:
    def make(cells: Cells, values: dict[str, object]) -> None:
        text = cells.values[cell]
        values[attribute.name] = text
        values[attribute.flag] = reading.is_ambiguous_unit(text or "")

    return make
