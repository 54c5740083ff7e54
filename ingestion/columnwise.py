"""Rows judged a column at a time, where nothing about them is in doubt.

Says of a block of rows what `judging` says row by row, several times as quickly, and leaves alone
every row in which a value is faulty, unlisted, near the clock or hard to tell: those are judged by
`judging`. Values come as PostgreSQL's COPY writes them. Knows no record and no database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, NamedTuple

from ingestion import values
from ingestion.cells import TEXT_LIMIT, CellReader, longest
from ingestion.choices import RecordKind
from ingestion.csvrows import Row
from ingestion.judging import Judge, Plan, Says
from ingestion.layouts import Attribute, Column, Form, Making, Mapping
from ingestion.synthetic import DEPARTMENT_COLUMNS, is_reserved_department

NOTHING = "\\N"  # how COPY writes a missing value
YES, NO = "t", "f"
_SPECIAL = re.compile(r"[\\\t\n\r]").search  # what COPY would have to escape is left in doubt
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_REMEMBERED = 20_000
# Before, the clocks of some places were ahead of the world's by odd seconds.
_FIRST_YEAR = 1970

Told = list[Any]  # one entry for each row of a block; None: the row is in doubt


class Memo(dict[str, Any]):
    """What a text comes to, remembered for a bounded number of texts."""

    def __init__(self, tell: Callable[[str], Any]) -> None:
        super().__init__()
        self._tell = tell

    def __missing__(self, text: str) -> Any:
        found = self[text] = self._tell(text)
        return found

    def of(self, column: Sequence[str]) -> Told:
        """Tell a whole column."""
        if len(self) > _REMEMBERED:
            self.clear()
        return list(map(self.__getitem__, column))


class Day(NamedTuple):
    """A local day whose clock is not put forward or back: how its instants are written.

    No time of it later than `until` is beyond doubt; None: every one is.
    """

    text: str
    offset: str
    until: str | None


@dataclass(frozen=True)
class Statements:
    """What the rows of a block state of one record: for each row its identity, values and columns.

    `columns` are named as the record's attributes are; of a column that is not there the rows say
    nothing. `says` and `attributes` are what each row states, as in `judging`.
    """

    kind: RecordKind
    identity: list[Told]
    columns: dict[str, Told]
    says: list[Says]
    attributes: dict[Says, tuple[str, ...]]
    keeps_unknown: bool


@dataclass(frozen=True)
class Block:
    """The rows of a block that are told here, by line, and those left to be judged one by one."""

    lines: list[int]
    statements: list[Statements]
    extra: Told | None
    left: list[Row]


class ColumnwiseJudge:
    """Judges the rows of one file, many at once."""

    def __init__(self, judge: Judge, mapping: Mapping) -> None:
        self._reader = judge.reader
        self._cells = _CellTellers(judge.reader)
        self._records = [_RecordTeller(plan, judge.reader, self._cells) for plan in judge.plans]
        stated = {name for plan in judge.plans for each in plan.attributes for name in each.columns}
        # A time that states nothing (a release's, where its date is not in the header) may be bad.
        self._idle = [
            place
            for name, place in judge.reader.place.items()
            if name not in stated and judge.reader.columns[name].form in (Form.DATE, Form.TIME)
        ]
        self._unknown = [
            (json.dumps(name.lower()).translate(_ESCAPES), place, Memo(_extra_text))
            for name, place in mapping.unknown_columns
        ]

    def take(self, rows: Sequence[Row]) -> Block:
        """Tell what can be told of these rows."""
        columns = list(zip(*[row.fields for row in rows], strict=True))
        told = self._cells.tell(columns)
        extra = self._extra(columns) if self._unknown else None
        doubtful = {at for column in told.values() if None in column for at in _gaps(column)}
        if extra is not None and None in extra:
            doubtful.update(_gaps(extra))
        for place in self._idle:
            doubtful.update(
                at for at, text in enumerate(columns[place]) if not values.is_missing(text.strip())
            )
        records = [record.tell(told) for record in self._records]
        for record in records:
            for column in record.columns.values():
                if None in column:
                    doubtful.update(_gaps(column))
        left = [rows[at] for at in sorted(doubtful)]
        if doubtful:
            kept = [at for at in range(len(rows)) if at not in doubtful]
            rows = [rows[at] for at in kept]
            records = [_only(record, kept) for record in records]
            extra = None if extra is None else [extra[at] for at in kept]
        return Block([row.line for row in rows], records, extra, left)

    def _extra(self, columns: list[tuple[str, ...]]) -> Told:
        told = [(name, memo.of(columns[place])) for name, place, memo in self._unknown]
        names = [name for name, _ in told]
        return [
            None
            if None in row
            else "{" + ", ".join([f"{name}: {text}" for name, text in zip(names, row)]) + "}"  # noqa: B905
            for row in zip(*[texts for _, texts in told], strict=True)
        ]


def _gaps(column: Told) -> list[int]:
    return [at for at, value in enumerate(column) if value is None]


def _only(record: Statements, kept: list[int]) -> Statements:
    return Statements(
        record.kind,
        [[column[at] for at in kept] for column in record.identity],
        {name: [column[at] for at in kept] for name, column in record.columns.items()},
        [record.says[at] for at in kept],
        {says: record.attributes[says] for says in {record.says[at] for at in kept}},
        record.keeps_unknown,
    )


class _CellTellers:
    """Tells each column of a file, and the instants that two columns make."""

    def __init__(self, reader: CellReader) -> None:
        self._reader = reader
        self._memos = {
            name: Memo(self._teller(reader.columns[name]))
            for name in reader.place
            if reader.columns[name].form not in (Form.DATE, Form.TIME)
        }
        self._dates, self._times = Memo(self._day), Memo(_clock)

    def tell(self, columns: list[tuple[str, ...]]) -> dict[str, Told]:
        """Tell every column but the dates and times that make an instant only together."""
        place = self._reader.place
        return {name: memo.of(columns[place[name]]) for name, memo in self._memos.items()} | {
            f"{name}?": list(columns[place[name]]) for name in place if name not in self._memos
        }

    def instants(self, dates: Told, times: Told) -> Told:
        """Put dates and times together, as texts that name their offset."""
        days, clocks = self._dates.of(dates), self._times.of(times)
        return [
            None
            if day is None or clock is None or (day.until is not None and clock > day.until)
            else day.text + clock + day.offset
            for day, clock in zip(days, clocks, strict=True)
        ]

    def _teller(self, column: Column) -> Callable[[str], Any]:
        match column.form:
            case Form.MOMENT:
                return self._moment
            case Form.BIRTH_DATE | Form.BARE_BIRTH_DATE:
                return lambda text: self._birth_date(
                    text, is_bare=column.form is not Form.BIRTH_DATE
                )
            case Form.STATUS:
                return lambda text: _status(text, column)
            case _:
                return lambda text: self._text(text, column)

    def _text(self, text: str, column: Column) -> str | None:
        text = text.strip()
        if len(text) > longest(column) or _SPECIAL(text):
            return None
        if column.form is Form.IDENTIFIER and not self._reader.is_allowed(text):
            return None
        if column.name in DEPARTMENT_COLUMNS and is_reserved_department(text):
            return None
        if values.is_missing(text, is_name=column.form is Form.NAME):
            is_needed = column.is_vital and column in self._reader.required
            return None if is_needed else NOTHING
        return text

    def _birth_date(self, text: str, *, is_bare: bool) -> str | None:
        text = text.strip()
        if values.is_missing(text):
            return NOTHING
        found = self._reader.birth_date(text, is_bare=is_bare)
        return None if found is None else found.isoformat()

    def _moment(self, text: str) -> str | None:
        """A moment that is missing is in doubt: whether it may be is another's business."""
        text = text.strip()
        if values.is_missing(text):
            return ""
        found = values.parse_moment(text)
        if found is None or (found.tzinfo is None and self._reader.zone is None):
            return None
        at = self._reader.instant(found)
        if at is None or not self._reader.earliest <= at <= self._reader.latest:
            return None
        return at.isoformat()

    def _day(self, text: str) -> Day | None:
        day = self._reader.day(text.strip())
        zone = self._reader.zone
        if day is None or zone is None or day.year < _FIRST_YEAR:
            return None
        latest = self._reader.latest.astimezone(zone)
        if day > latest.date():
            return None
        offsets = {
            datetime.combine(day, clock, tzinfo=zone).isoformat()[19:]
            for clock in (time(), time(12), time(23, 59, 59))
        }
        if len(offsets) > 1:
            return None
        until = latest.strftime("%H:%M:%S") if day == latest.date() else None
        return Day(f"{day.isoformat()} ", offsets.pop(), until)


class _RecordTeller:
    """Tells what rows state of one record, from their told columns."""

    def __init__(self, plan: Plan, reader: CellReader, cells: _CellTellers) -> None:
        self._plan = plan
        self._cells = cells
        self._reader = reader
        self._attributes = [
            (attribute, [name for name in attribute.columns if name in reader.place])
            for attribute in plan.attributes
        ]
        self._results, self._units = Memo(_result), Memo(_unit)
        self._at_times = [name for name, _ in plan.at_times]
        self._says: dict[tuple[bool, ...], Says] = {}

    def tell(self, told: dict[str, Told]) -> Statements:
        """Put the columns of one record together."""
        count = len(next(iter(told.values())))
        columns: dict[str, Told] = {}
        for attribute, names in self._attributes:
            self._add(columns, attribute, names, told)
        given = [self._given(name, told) for name in self._at_times]
        says = (
            [self._says_of(each) for each in zip(*given, strict=True)]
            if given
            else ([self._says_of(())] * count)
        )
        stated = {each: self._stated(each) for each in set(says)}
        identity = [told[name] for name in self._plan.record.identity]
        record = self._plan.record
        return Statements(record.kind, identity, columns, says, stated, record.keeps_unknown)

    def _says_of(self, given: tuple[bool, ...]) -> Says:
        if given not in self._says:
            names = {name for name, is_given in zip(self._at_times, given, strict=True) if is_given}
            self._says[given] = self._plan.always | names
        return self._says[given]

    def _given(self, name: str, told: dict[str, Told]) -> list[bool]:
        is_status = self._reader.columns[name].form is Form.STATUS
        missing = (NOTHING, NOTHING) if is_status else NOTHING
        return [value != missing for value in told[name]]

    def _stated(self, says: Says) -> tuple[str, ...]:
        names: list[str] = []
        for attribute, columns in self._attributes:
            if attribute.making in (Making.IF_GIVEN, Making.STATUS) and columns[0] not in says:
                continue
            # A status alone that says nothing does not state that nobody was released.
            if attribute.making is Making.RELEASE and says.isdisjoint(columns):
                continue
            names.append(attribute.name)
            names += [attribute.flag] if attribute.flag else []
            names += ["number", "comparator"] if attribute.making is Making.RESULT else []
        return tuple(names)

    def _add(
        self,
        columns: dict[str, Told],
        attribute: Attribute,
        names: list[str],
        told: dict[str, Told],
    ) -> None:
        name, first = attribute.name, names[0]
        match attribute.making:
            case Making.INSTANT if len(names) == 2:
                columns[name] = self._cells.instants(told[f"{names[0]}?"], told[f"{names[1]}?"])
            case Making.INSTANT:
                columns[name] = [text or None for text in told[first]]
            case Making.STATUS:
                columns[name] = [status and status[0] for status in told[first]]
                columns[attribute.flag] = [status and status[1] for status in told[first]]
            case Making.RESULT:
                results = self._results.of(told[first])
                columns[name] = told[first]
                columns["number"] = [number for number, _ in results]
                columns["comparator"] = [comparator for _, comparator in results]
            case Making.UNIT:
                columns[name] = told[first]
                columns[attribute.flag] = self._units.of(told[first])
            case Making.RELEASE:
                columns[name] = self._no_release(attribute, told)
            case _:
                columns[name] = told[first]

    def _no_release(self, attribute: Attribute, told: dict[str, Told]) -> Told:
        """Told only of those who plainly are not released; every release is judged by itself."""
        when, other = attribute.columns
        if when not in self._reader.place:
            # A status alone: `Active` says so, and nothing else is plain.
            return [NOTHING if status and status[1] == NO else None for status in told[other]]
        dates = told.get(f"{when}?", told.get(when, []))
        if self._reader.columns[when].form is Form.MOMENT:
            is_out = [text != "" for text in dates]
        else:
            is_out = [not values.is_missing(text.strip()) for text in dates]
        others = told.get(f"{other}?", told.get(other))
        if others is None:
            return [None if out else NOTHING for out in is_out]
        if self._reader.columns[other].form is Form.STATUS:
            ends = [status is None or status[1] == YES for status in others]
        else:
            ends = [not values.is_missing(text.strip()) for text in others]
        return [None if out or end else NOTHING for out, end in zip(is_out, ends, strict=True)]


def _status(text: str, column: Column) -> tuple[str, str] | None:
    """A status as sent and whether it ends what it is said of; one not listed is in doubt."""
    text = text.strip()
    if values.is_missing(text):
        return NOTHING, NOTHING
    if text.lower() not in column.words:
        return None
    return text, YES if column.words[text.lower()] else NO


def _result(text: str) -> tuple[str, str]:
    """The number in a result, and its comparator."""
    number, comparator = values.parse_number("" if text in (NOTHING, None) else text)
    return NOTHING if number is None else str(number), comparator or NOTHING


def _unit(text: str) -> str:
    if text in (NOTHING, None):
        return NO
    return YES if values.is_ambiguous_unit(text) else NO


def _clock(text: str) -> str | None:
    found = values.parse_time(text.strip())
    return None if found is None else found.isoformat()


def _extra_text(text: str) -> str | None:
    text = text.strip()
    if len(text) > TEXT_LIMIT:
        return None
    return json.dumps(None if values.is_missing(text) else text).translate(_ESCAPES)
