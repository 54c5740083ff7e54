"""The values of one row, column by column: read, missing, or at fault.

Knows columns and what the feed contract asks of a single value (section 3's table). Knows neither
which records the values make nor any other row. A faulty value counts as missing; whether its fault
rejects the row or is a flaw is told by the column.

What the contract leaves open, and how it is decided here:

- A date-time in a date column counts as a date, whatever its offset. In a combined layout
  `date_of_birth` is a date alone.
- A status that is too long says nothing, as if it were missing.
- Without a time zone, the source time's local day and the year 1900 are taken in UTC. A time
  without offset then stops all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ingestion import values
from ingestion.choices import FlawReason, RejectReason
from ingestion.errors import TimeZoneNotSet
from ingestion.layouts import Column, Form, Mapping
from ingestion.synthetic import (
    DEPARTMENT,
    DEPARTMENT_COLUMNS,
    PREFIX,
    Realm,
    is_reserved,
    is_reserved_department,
)

IDENTIFIER_LIMIT = 64
TEXT_LIMIT = 1000
TOLERANCE = timedelta(minutes=5)  # between the clocks of the hospital's systems
OLDEST_YEAR = 1900
OLDEST_AGE = 130


class Flaw(NamedTuple):
    """A value that counts as missing; of a long one the first 1,000 characters."""

    column: str
    reason: FlawReason
    value: str


class Drift(NamedTuple):
    """A status that the layout does not list: it says nothing, and somebody should know."""

    column: str
    value: str


class VitalFault(NamedTuple):
    """Why the row is rejected, unless another of its faults comes before."""

    column: Column
    reason: RejectReason


class Cells:
    """One row: a cell for each column, None where the value is missing, and behind them instants.

    Of a status there is the word as sent if it is listed. `extra` holds the unknown columns.
    """

    __slots__ = ("drift", "extra", "fields", "flaws", "values", "vital_faults")

    def __init__(self, fields: list[str], *, size: int) -> None:
        self.fields = fields
        self.values: list[Any] = [None] * size
        self.extra: dict[str, str | None] = {}
        self.vital_faults: list[VitalFault] = []
        self.flaws: list[Flaw] = []
        self.drift: list[Drift] = []

    def fault(self, column: Column, reason: RejectReason, text: str) -> None:
        """Note that a value cannot be trusted."""
        if column.is_vital:
            self.vital_faults.append(VitalFault(column, reason))
        else:
            self.flaw(column.name, FlawReason(reason.value), text)

    def flaw(self, column: str, reason: FlawReason, text: str) -> None:
        self.flaws.append(Flaw(column, reason, text[:TEXT_LIMIT]))

    def has_flaw_in(self, columns: Sequence[str]) -> bool:
        return any(flaw.column in columns for flaw in self.flaws)


class CellReader:
    """Reads the rows of one file into cells."""

    def __init__(
        self,
        mapping: Mapping,
        *,
        source_time: datetime,
        zone: ZoneInfo | None,
        day_first: bool,
        realm: Realm = Realm.HOSPITAL,
    ) -> None:
        self.columns = {column.name: column for column in mapping.layout.columns}
        self.place = dict(mapping.columns)
        self.unknown = mapping.unknown_columns
        self.required = mapping.layout.required
        self.source_time = source_time
        self.latest = source_time + TOLERANCE
        self.zone = zone
        self._day_first = day_first
        self._is_synthetic = realm is Realm.SYNTHETIC
        self._today = source_time.astimezone(zone or UTC).date()
        self._first_birth = _years_before(self._today, OLDEST_AGE)
        self.earliest = _beginning_of(OLDEST_YEAR, zone)
        self._size = len(mapping.columns) + len(mapping.unknown_columns)
        # An instant's cell, the cells that it is made from, and the column that answers for it.
        self._instants: list[tuple[int, tuple[int, ...], Column]] = []
        self._arrange(mapping)

    def instant_cell(self, columns: Sequence[str]) -> int:
        """The cell for the instant that these columns make, which every row has from now on."""
        sources = tuple(self.place[name] for name in columns)
        for cell, known, _ in self._instants:
            if known == sources:
                return cell
        self._instants.append((self._size, sources, self.columns[columns[0]]))
        self._size += 1
        return self._size - 1

    def read(self, fields: list[str]) -> Cells:
        """Read one row. Raises TimeZoneNotSet at a local time without a zone."""
        cells = Cells(fields, size=self._size)
        self._read_texts(cells)
        self._hold_apart(cells)
        self._read_dates_and_times(cells)
        self._find_missing(cells)
        self._make_instants(cells)
        if self.unknown:
            self._read_unknown(cells)
        return cells

    def instant(self, local: datetime) -> datetime | None:
        """The instant of a local time, or of one with an offset; None beyond the calendar."""
        if self.zone is None:
            if local.tzinfo is None:
                raise TimeZoneNotSet
            return local
        if local.tzinfo is None:
            return values.instant_of(local, self.zone)
        return local if values.is_on_calendar(local, self.zone) else None

    def end_of_day(self, day: date) -> datetime | None:
        """The last second of a local day, or the source time if it is earlier on that day."""
        if self.zone is None:
            raise TimeZoneNotSet
        end = values.end_of_day(day, self.zone)
        return min(end, self.source_time) if end is not None and day == self._today else end

    def hold_plausible(
        self, cells: Cells, column: Column, at: datetime | None, text: str
    ) -> datetime | None:
        """The instant if it is on the calendar and not before 1900; else a fault, and None."""
        if at is None:
            cells.fault(column, RejectReason.BAD_DATE, text)
        elif at < self.earliest:
            cells.fault(column, RejectReason.IMPLAUSIBLE, text)
        else:
            return at
        return None

    def day(self, text: str) -> date | None:
        """The date in a date column, None if it is none or missing."""
        return values.parse_date_column(text, day_first=self._day_first)

    def birth_date(self, text: str, *, is_bare: bool) -> date | None:
        """A plausible date of birth, else None."""
        parse = values.parse_date if is_bare else values.parse_date_column
        found = parse(text, day_first=self._day_first)
        return found if found and self._first_birth <= found <= self._today else None

    def _arrange(self, mapping: Mapping) -> None:
        reads: dict[Form, Callable[[Cells, Column, str], object]] = {
            Form.DATE: self._read_date,
            Form.TIME: self._read_time,
            Form.MOMENT: self._read_moment,
            Form.BIRTH_DATE: self._read_birth_date,
            Form.BARE_BIRTH_DATE: self._read_birth_date,
        }
        here = [(place, self.columns[name]) for name, place in self.place.items()]
        self._texts = [
            (place, column, longest(column), column.form is Form.NAME)
            for place, column in here
            if column.form not in reads
        ]
        self._statuses = [each for each in here if each[1].form is Form.STATUS]
        self._identifiers = [each for each in here if each[1].form is Form.IDENTIFIER]
        self._departments = [each for each in here if each[1].name in DEPARTMENT_COLUMNS]
        self._dated = [
            (place, column, reads[column.form]) for place, column in here if column.form in reads
        ]
        self._vital = [
            (self.place[column.name], column)
            for column in mapping.layout.required
            if column.is_vital
        ]

    def _read_texts(self, cells: Cells) -> None:
        fields, found = cells.fields, cells.values
        for place, column, longest, is_name in self._texts:
            text = fields[place].strip()
            if len(text) > longest:
                cells.fault(column, RejectReason.TOO_LONG, text)
            elif len(text) > values.LONGEST_MISSING or not values.is_missing(text, is_name=is_name):
                found[place] = text
        for place, column in self._statuses:
            text = found[place]
            if text is not None and text.lower() not in column.words:
                cells.drift.append(Drift(column.name, text))
                found[place] = None

    def _hold_apart(self, cells: Cells) -> None:
        """Let no row of the hospital's name what is reserved, and no smoke test's anything else.

        Who lies in a ward of that name is still shown, in no department.
        """
        found = cells.values
        for place, column in self._identifiers:
            text = found[place]
            if text is None or self.is_allowed(text):
                continue
            found[place] = None
            cells.fault(column, RejectReason.RESERVED, text)
        for place, column in self._departments:
            text = found[place]
            if self._is_synthetic and text != DEPARTMENT:
                cells.vital_faults.append(VitalFault(column, RejectReason.RESERVED))
            elif not self._is_synthetic and text is not None and is_reserved_department(text):
                found[place] = None
                cells.flaw(column.name, FlawReason.RESERVED, text)

    def is_allowed(self, identifier: str) -> bool:
        """Tell whether rows of this file may bear an identifier."""
        return identifier.startswith(PREFIX) if self._is_synthetic else not is_reserved(identifier)

    def _read_unknown(self, cells: Cells) -> None:
        for name, place in self.unknown:
            text = cells.fields[place].strip()
            cells.extra[name] = None
            if len(text) > TEXT_LIMIT:
                cells.flaw(name, FlawReason.TOO_LONG, text)
            elif not values.is_missing(text):
                cells.extra[name] = text

    def _read_dates_and_times(self, cells: Cells) -> None:
        for place, column, read in self._dated:
            text = cells.fields[place].strip()
            if len(text) > values.LONGEST_MISSING or not values.is_missing(text):
                cells.values[place] = read(cells, column, text)

    def _read_date(self, cells: Cells, column: Column, text: str) -> date | None:
        found = values.parse_date_column(text, day_first=self._day_first)
        if found is None:
            cells.fault(column, RejectReason.BAD_DATE, text)
        return found

    def _read_time(self, cells: Cells, column: Column, text: str) -> time | None:
        found = values.parse_time(text)
        if found is None:
            cells.fault(column, RejectReason.BAD_TIME, text)
        return found

    def _read_moment(self, cells: Cells, column: Column, text: str) -> datetime | None:
        found = values.parse_moment(text)
        if found is None:
            is_bare_date = values.parse_date(text, day_first=self._day_first) is not None
            reason = RejectReason.BAD_TIME if is_bare_date else RejectReason.BAD_DATE
            cells.fault(column, reason, text)
        return found

    def _read_birth_date(self, cells: Cells, column: Column, text: str) -> date | None:
        is_bare = column.form is Form.BARE_BIRTH_DATE
        parse = values.parse_date if is_bare else values.parse_date_column
        found = parse(text, day_first=self._day_first)
        if found is None:
            cells.fault(column, RejectReason.BAD_DATE, text)
        elif not self._first_birth <= found <= self._today:
            cells.fault(column, RejectReason.IMPLAUSIBLE, text)
            found = None
        return found

    def _find_missing(self, cells: Cells) -> None:
        for place, column in self._vital:
            if cells.values[place] is None and not any(
                fault.column is column for fault in cells.vital_faults
            ):
                cells.vital_faults.append(VitalFault(column, RejectReason.MISSING))

    def _make_instants(self, cells: Cells) -> None:
        found = cells.values
        for cell, sources, column in self._instants:
            parts = [found[source] for source in sources]
            if None in parts:
                continue
            local = datetime.combine(*parts) if len(parts) == 2 else parts[0]
            at = self.hold_plausible(cells, column, self.instant(local), "")
            if at is not None and at > self.latest and column.is_vital:
                cells.vital_faults.append(VitalFault(column, RejectReason.FUTURE))
            found[cell] = at


def longest(column: Column) -> int:
    """How many characters a text of this column may have."""
    return IDENTIFIER_LIMIT if column.form is Form.IDENTIFIER else TEXT_LIMIT


def _beginning_of(year: int, zone: ZoneInfo | None) -> datetime:
    local = datetime(year, 1, 1)
    at = values.instant_of(local, zone) if zone is not None else None
    return at or local.replace(tzinfo=UTC)


def _years_before(day: date, years: int) -> date:
    """The first day that is not more than so many years before."""
    year = max(day.year - years, 1)
    try:
        return day.replace(year=year)
    except ValueError:  # the 29th of February, in a year that has none
        return date(year, 3, 1)
