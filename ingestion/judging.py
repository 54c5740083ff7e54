"""One row judged: what it states of which records, or why it cannot be trusted (the feed contract's
section 3).

Knows a layout's mapping, the file's source time and the hospital's zone; knows no other row, no
record and no database. A fault in a vital value rejects the row; a fault in any other value makes
that value missing and is a flaw.

What the contract leaves open is decided so that nobody disappears or looks fine:

- A fault in the release (a bad date, a bad time, a time before 1900 or before the admission) makes
  the whole release missing: a `discharge_date` that cannot be read does not fall back on the status
  `Discharged`. The patient stays.
- A `discharge_date` that is missing while the status is missing or not listed states that there is
  no release.
- A `release_date` that holds a date-time counts as a date without a time. A bad `release_time` is a
  flaw also where the date is missing. Without the column `release_date`, `release_time` says
  nothing.
- A status that is too long says nothing, as if it were missing.
- Without a time zone, the source time's local date and the year 1900 are taken in UTC. Times
  without offset then stop all.
- A rejected combined row names its records only if both can be named: it is settled by both or by
  neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ingestion import values as reading
from ingestion.choices import FlawReason, RecordKind, RejectReason
from ingestion.errors import TimeZoneNotSet
from ingestion.layouts import Attribute, Column, Form, Making, Mapping, Record

IDENTIFIER_LIMIT = 64
TEXT_LIMIT = 1000
TOLERANCE = timedelta(minutes=5)  # between the clocks of the hospital's systems
OLDEST_YEAR = 1900
OLDEST_AGE = 130
EXTRA = "x:"  # goes before an unknown column's name among the columns that a row states

# The contract's order: a row with several faults in vital values is rejected for the first.
_ORDER = {
    reason: place
    for place, reason in enumerate(
        (
            RejectReason.BAD_DATE,
            RejectReason.BAD_TIME,
            RejectReason.MISSING,
            RejectReason.TOO_LONG,
            RejectReason.FUTURE,
            RejectReason.IMPLAUSIBLE,
        )
    )
}

Says = frozenset[str]


class Release(NamedTuple):
    """The end of an admission; one that is not confirmed is a plan."""

    at: datetime
    confirmed: bool


@dataclass(slots=True)
class Statement:
    """What a row states of one record: `says` names the columns, `values` the attributes that these
    feed.

    Rows that state the same columns share one `says`.
    """

    kind: RecordKind
    identity: tuple[str, ...]
    says: Says
    values: dict[str, object]
    extra: dict[str, str | None]


class Flaw(NamedTuple):
    """A value that counts as missing; of a long one the first 1,000 characters."""

    column: str
    reason: FlawReason
    value: str


class Drift(NamedTuple):
    """A status that the layout does not list: it says nothing, and somebody should know."""

    column: str
    value: str


class Judged(NamedTuple):
    """A row that is applied."""

    statements: list[Statement]
    flaws: list[Flaw]
    drift: list[Drift]


class Subject(NamedTuple):
    """A record that a rejected row spoke of, and the columns of it that the row has."""

    kind: RecordKind
    identity: tuple[str, ...]
    says: Says


class Rejection(NamedTuple):
    """A row of which nothing is applied. Without subjects only an operator can settle it."""

    reason: RejectReason
    column: str | None
    subjects: list[Subject]


class _Fault(NamedTuple):
    column: Column
    reason: RejectReason


class _Reading:
    """One row while it is judged. A cell for each column, None where the value is missing, and
    behind them the instants.
    """

    __slots__ = ("cells", "drift", "fields", "flaws", "vital_faults")

    def __init__(self, fields: list[str], *, size: int) -> None:
        self.fields = fields
        self.cells: list[Any] = [None] * size
        self.vital_faults: list[_Fault] = []
        self.flaws: list[Flaw] = []
        self.drift: list[Drift] = []

    def fault(self, column: Column, reason: RejectReason, text: str) -> None:
        if column.is_vital:
            self.vital_faults.append(_Fault(column, reason))
        else:
            self.flaws.append(Flaw(column.name, FlawReason(reason.value), text[:TEXT_LIMIT]))

    def has_flaw_in(self, columns: tuple[str, ...]) -> bool:
        return any(flaw.column in columns for flaw in self.flaws)


_Read = Callable[
    ["_Reading", Column, str], object
]  # a value that is not missing; None and a fault if it is none
_Make = Callable[
    ["_Reading", dict[str, object]], None
]  # puts the attributes that a row states among the values


@dataclass(slots=True)
class _Plan:
    """How the rows of one file state one record."""

    record: Record
    identity: tuple[int, ...]
    direct: list[tuple[str, int]]  # an attribute, and the cell that is its value
    makers: list[_Make]
    always: Says
    at_times: list[tuple[str, int]]  # columns that say nothing while their cell is None
    known: dict[tuple[bool, ...], Says]

    def says(self, cells: list[Any]) -> Says:
        if not self.at_times:
            return self.always
        given = tuple([cells[cell] is not None for _, cell in self.at_times])
        if given not in self.known:
            self.known[given] = self.always.union(
                name for name, cell in self.at_times if cells[cell] is not None
            )
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
    ) -> None:
        self._layout = mapping.layout
        self._zone = zone
        self._day_first = day_first
        self._source_time = source_time
        self._latest = source_time + TOLERANCE
        self._today = source_time.astimezone(zone or UTC).date()
        self._first_birth = _years_before(self._today, OLDEST_AGE)
        self._earliest = reading.instant_of(datetime(OLDEST_YEAR, 1, 1), zone or ZoneInfo("UTC"))
        self._columns = {column.name: column for column in mapping.layout.columns}
        self._place = dict(mapping.columns)
        self._unknown = mapping.unknown_columns
        self._size = len(mapping.columns) + len(mapping.unknown_columns)
        self._instants: list[
            tuple[int, tuple[int, ...], Column]
        ] = []  # its cell, those it is made from, its column
        self._arrange_columns()
        self._plans = [
            self._plan(record)
            for record in mapping.layout.records
            if record.only_with is None or record.only_with in self._place
        ]

    def judge(self, fields: list[str]) -> Judged | Rejection:
        """What the row states, or why it is rejected. Raises TimeZoneNotSet at a local time without
        a zone.
        """
        row = _Reading(fields, size=self._size)
        self._read_texts(row)
        self._read_dates_and_times(row)
        self._find_missing(row)
        if not row.vital_faults:
            self._make_instants(row)
        if row.vital_faults:
            return self._rejection(row)
        extra = self._read_unknown(row) if self._unknown else {}
        statements = [self._state(plan, row, extra) for plan in self._plans]
        return Judged(statements, row.flaws, row.drift)

    def _arrange_columns(self) -> None:
        reads: dict[Form, _Read] = {
            Form.DATE: self._read_date,
            Form.TIME: self._read_time,
            Form.MOMENT: self._read_moment,
            Form.BIRTH_DATE: self._read_birth_date,
            Form.BARE_BIRTH_DATE: self._read_birth_date,
        }
        here = [(place, self._columns[name]) for name, place in self._place.items()]
        self._texts = [
            (place, column, _longest(column), column.form is Form.NAME)
            for place, column in here
            if column.form not in reads
        ]
        self._statuses = [(place, column) for place, column in here if column.form is Form.STATUS]
        self._dated = [
            (place, column, reads[column.form]) for place, column in here if column.form in reads
        ]
        self._vital = [
            (self._place[column.name], column)
            for column in self._layout.required
            if column.is_vital
        ]

    def _plan(self, record: Record) -> _Plan:
        always, at_times = set(record.identity), []
        direct: list[tuple[str, int]] = []
        makers: list[_Make] = []
        for attribute in record.attributes:
            columns = [name for name in attribute.columns if name in self._place]
            if not self._is_stated(attribute, columns):
                continue
            for name in columns:
                if attribute.making is Making.IF_GIVEN or self._columns[name].form is Form.STATUS:
                    at_times.append((name, self._place[name]))
                else:
                    always.add(name)
            if attribute.making is Making.VALUE:
                direct.append((attribute.name, self._place[columns[0]]))
            elif attribute.making is Making.INSTANT:
                direct.append((attribute.name, self._instant_cell(columns)))
            else:
                makers.append(self._maker(attribute, columns))
        if record.keeps_unknown:
            always.update(EXTRA + name.lower() for name, _ in self._unknown)
        identity = tuple(self._place[name] for name in record.identity)
        return _Plan(record, identity, direct, makers, frozenset(always), at_times, {})

    def _is_stated(self, attribute: Attribute, columns: list[str]) -> bool:
        """Whether the header has what states the attribute. A release is stated by any of its
        columns but a bare time.
        """
        if attribute.making is Making.RELEASE:
            return any(self._columns[name].form is not Form.TIME for name in columns)
        return attribute.columns[0] in columns

    def _instant_cell(self, columns: list[str]) -> int:
        sources = tuple(self._place[name] for name in columns)
        for cell, known, _ in self._instants:
            if known == sources:
                return cell
        self._instants.append((self._size, sources, self._columns[columns[0]]))
        self._size += 1
        return self._size - 1

    def _maker(self, attribute: Attribute, columns: list[str]) -> _Make:
        cell = self._place[columns[0]]
        if attribute.making is Making.RELEASE:
            return self._release_maker(attribute)
        if attribute.making is Making.STATUS:
            return _status_maker(attribute, cell, self._columns[columns[0]])
        if attribute.making is Making.RESULT:
            return _result_maker(attribute, cell)
        if attribute.making is Making.UNIT:
            return _unit_maker(attribute, cell)
        return _given_maker(attribute, cell)

    def _read_texts(self, row: _Reading) -> None:
        fields, cells = row.fields, row.cells
        for cell, column, longest, is_name in self._texts:
            text = fields[cell].strip()
            if len(text) <= reading.LONGEST_MISSING and reading.is_missing(text, is_name=is_name):
                continue
            if len(text) > longest:
                row.fault(column, RejectReason.TOO_LONG, text)
            else:
                cells[cell] = text
        for cell, column in self._statuses:
            text = cells[cell]
            if text is not None and text.lower() not in column.words:
                row.drift.append(Drift(column.name, text))
                cells[cell] = None

    def _read_dates_and_times(self, row: _Reading) -> None:
        for cell, column, read in self._dated:
            text = row.fields[cell].strip()
            if len(text) > reading.LONGEST_MISSING or not reading.is_missing(text):
                row.cells[cell] = read(row, column, text)

    def _read_date(self, row: _Reading, column: Column, text: str) -> date | None:
        found = reading.parse_date_column(text, day_first=self._day_first)
        if found is None:
            row.fault(column, RejectReason.BAD_DATE, text)
        return found

    def _read_time(self, row: _Reading, column: Column, text: str) -> time | None:
        found = reading.parse_time(text)
        if found is None:
            row.fault(column, RejectReason.BAD_TIME, text)
        return found

    def _read_moment(self, row: _Reading, column: Column, text: str) -> datetime | None:
        found = reading.parse_moment(text)
        if found is None:
            is_bare = reading.parse_date(text, day_first=self._day_first) is not None
            row.fault(column, RejectReason.BAD_TIME if is_bare else RejectReason.BAD_DATE, text)
        return found

    def _read_birth_date(self, row: _Reading, column: Column, text: str) -> date | None:
        parse = (
            reading.parse_date if column.form is Form.BARE_BIRTH_DATE else reading.parse_date_column
        )
        found = parse(text, day_first=self._day_first)
        if found is None:
            row.fault(column, RejectReason.BAD_DATE, text)
        elif not self._first_birth <= found <= self._today:
            row.fault(column, RejectReason.IMPLAUSIBLE, text)
            return None
        return found

    def _find_missing(self, row: _Reading) -> None:
        for cell, column in self._vital:
            if row.cells[cell] is None and not any(
                fault.column is column for fault in row.vital_faults
            ):
                row.vital_faults.append(_Fault(column, RejectReason.MISSING))

    def _make_instants(self, row: _Reading) -> None:
        """All instants that place a record; those of a release are made with it."""
        cells = row.cells
        for cell, sources, column in self._instants:
            if len(sources) == 2:
                at = self._instant(datetime.combine(cells[sources[0]], cells[sources[1]]))
            else:
                at = self._instant(cells[sources[0]])
            if at > self._latest:
                row.vital_faults.append(_Fault(column, RejectReason.FUTURE))
            elif at < self._earliest:
                row.vital_faults.append(_Fault(column, RejectReason.IMPLAUSIBLE))
            cells[cell] = at

    def _instant(self, at: datetime) -> datetime:
        if at.tzinfo is not None:
            return at
        if self._zone is None:
            raise TimeZoneNotSet
        return reading.instant_of(at, self._zone)

    def _read_unknown(self, row: _Reading) -> dict[str, str | None]:
        extra: dict[str, str | None] = {}
        for name, cell in self._unknown:
            text = row.fields[cell].strip()
            extra[name] = None
            if len(text) > TEXT_LIMIT:
                row.flaws.append(Flaw(name, FlawReason.TOO_LONG, text[:TEXT_LIMIT]))
            elif not reading.is_missing(text):
                extra[name] = text
        return extra

    def _state(self, plan: _Plan, row: _Reading, extra: dict[str, str | None]) -> Statement:
        cells = row.cells
        values: dict[str, object] = {attribute: cells[cell] for attribute, cell in plan.direct}
        for make in plan.makers:
            make(row, values)
        return Statement(
            plan.record.kind,
            tuple([cells[cell] for cell in plan.identity]),
            plan.says(cells),
            values,
            extra if plan.record.keeps_unknown else {},
        )

    def _rejection(self, row: _Reading) -> Rejection:
        first = min(row.vital_faults, key=lambda fault: _ORDER[fault.reason])
        subjects = [
            Subject(
                plan.record.kind,
                tuple(row.cells[cell] for cell in plan.identity),
                plan.says(row.cells),
            )
            for plan in self._plans
        ]
        if any(None in subject.identity for subject in subjects):
            subjects = []
        return Rejection(first.reason, first.column.name, subjects)

    def _release_maker(self, attribute: Attribute) -> _Make:
        """A release counts as missing if anything in it is at fault; the admission's instant is the
        record's first.
        """
        columns, column = attribute.columns, self._columns[attribute.columns[0]]
        date_cell, other_cell = (self._place.get(name) for name in columns)
        status = (
            self._columns[columns[1]] if self._columns[columns[1]].form is Form.STATUS else None
        )
        admitted_cell = self._instants[0][0]

        def make(row: _Reading, values: dict[str, object]) -> None:
            cells = row.cells
            when = cells[date_cell] if date_cell is not None else None
            other = cells[other_cell] if other_cell is not None else None
            if when is None and date_cell is None and other is None:
                return
            values[attribute.name] = None
            if row.flaws and row.has_flaw_in(columns):
                return
            source, at = column, None
            if when is not None:
                at = self._release_at(when, other)
            elif status is not None and other is not None and status.words[other.lower()]:
                source, at = status, self._source_time
            if at is None:
                return
            place = self._place[source.name]
            if at < self._earliest:
                row.fault(source, RejectReason.IMPLAUSIBLE, row.fields[place].strip())
            elif at < cells[admitted_cell]:
                text = row.fields[place].strip()
                row.flaws.append(Flaw(source.name, FlawReason.RELEASE_BEFORE_ADMISSION, text))
            else:
                values[attribute.name] = Release(at, confirmed=at <= self._latest)

        return make

    def _release_at(self, when: date | datetime, clock: object) -> datetime:
        if isinstance(when, datetime):
            return self._instant(when)
        if isinstance(clock, time):
            return self._instant(datetime.combine(when, clock))
        if self._zone is None:
            raise TimeZoneNotSet
        end = reading.end_of_day(when, self._zone)
        return min(end, self._source_time) if when == self._today else end


def _years_before(day: date, years: int) -> date:
    """The first day that is not more than so many years before; the 29th of February may have to be
    the 1st of March.
    """
    year = max(day.year - years, 1)
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def _longest(column: Column) -> int:
    return IDENTIFIER_LIMIT if column.form is Form.IDENTIFIER else TEXT_LIMIT


def _given_maker(attribute: Attribute, cell: int) -> _Make:
    def make(row: _Reading, values: dict[str, object]) -> None:
        if row.cells[cell] is not None:
            values[attribute.name] = row.cells[cell]

    return make


def _status_maker(attribute: Attribute, cell: int, column: Column) -> _Make:
    def make(row: _Reading, values: dict[str, object]) -> None:
        text = row.cells[cell]
        if text is not None:
            values[attribute.name] = text
            values[attribute.flag] = column.words[text.lower()]

    return make


def _result_maker(attribute: Attribute, cell: int) -> _Make:
    def make(row: _Reading, values: dict[str, object]) -> None:
        text = row.cells[cell]
        values[attribute.name] = text
        values["number"], values["comparator"] = (
            (None, None) if text is None else reading.parse_number(text)
        )

    return make


def _unit_maker(attribute: Attribute, cell: int) -> _Make:
    def make(row: _Reading, values: dict[str, object]) -> None:
        text = row.cells[cell]
        values[attribute.name] = text
        values[attribute.flag] = text is not None and reading.is_ambiguous_unit(text)

    return make
