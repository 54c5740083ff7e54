"""One row in, one of three things out: a rejection, or statements with flaws.

Knows section 3's table and what each column states. Must not know other rows or files: a row is
judged by its own words, its file's source time and the hospital's zone alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from tests.oracle import values
from tests.oracle.layouts import CANCELLING, RESULT_STATUSES, TEST_STATUSES, Layout

REASONS = (
    "reserved",
    "bad_date",
    "bad_time",
    "missing",
    "too_long",
    "future",
    "implausible",
    "release_before_admission",
)
LONGEST_IDENTIFIER, LONGEST_TEXT = 64, 1000
# What only smoke tests may say, in a source of their own; that source is not told of here.
RESERVED = "vigil-smoke"
AHEAD = timedelta(minutes=5)
NAMES = frozenset({"first_name", "last_name"})
Identity = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """What a row is judged by, beside its own words."""

    layout: Layout
    source_time: datetime
    zone: ZoneInfo
    is_day_first: bool


@dataclass(frozen=True)
class Release:
    """The one attribute that closes an admission, as a row states it."""

    at: datetime
    is_confirmed: bool


@dataclass(frozen=True)
class Statement:
    """What one row says of one record; an attribute that is not in it is not spoken of."""

    kind: str
    identity: Identity
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """A value that could not be trusted."""

    column: str
    reason: str


@dataclass
class Verdict:
    """A rejected row has a rejection and nothing else."""

    rejection: Fault | None = None
    flaws: list[Fault] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)


class Row:
    """The values of one row, taken one by one; every fault on the way is remembered."""

    def __init__(self, cells: Mapping[str, str], context: Context) -> None:
        self.cells = {column: text.strip() for column, text in cells.items()}
        self.context = context
        self.faults: list[Fault] = []

    def states(self, column: str) -> bool:
        """Tell whether the header has the column."""
        return column in self.cells

    def fault(self, column: str, reason: str) -> None:
        """Remember a fault; the value counts as missing."""
        self.faults.append(Fault(column, reason))

    def has_fault(self, *columns: str) -> bool:
        """Tell whether one of the columns was faulty."""
        return any(fault.column in columns for fault in self.faults)

    def take(self, column: str, parse: Callable[[str], T]) -> T | None:
        """Return the parsed value, None where it is missing, faulty or not in the header."""
        text = self.cells.get(column)
        if text is None or values.is_missing(text, is_name=column in NAMES):
            if text is not None and self._must_be_there(column):
                self.fault(column, "missing")
            return None
        try:
            return parse(text)
        except values.Fault as fault:
            self.fault(column, fault.reason)
            return None

    def identifier(self, column: str) -> str | None:
        """Take an identifier: text, leading zeros kept."""
        return self.take(
            column,
            lambda text: values.unreserved(
                values.limited(text, most=LONGEST_IDENTIFIER),
                is_reserved=text.casefold().startswith(f"{RESERVED}-"),
            ),
        )

    def text(self, column: str) -> str | None:
        """Take any other text."""
        is_department = column in {"department", "ward"}
        return self.take(
            column,
            lambda text: values.unreserved(
                values.limited(text, most=LONGEST_TEXT),
                is_reserved=is_department and text.casefold() == RESERVED,
            ),
        )

    def day(self, column: str) -> date | None:
        """Take a date; in a split layout a date-time counts as its date."""
        is_day_first, is_split = (
            self.context.is_day_first,
            "combined" not in self.context.layout.name,
        )
        return self.take(
            column,
            lambda text: values.date_in(text, is_day_first=is_day_first, may_hold_time=is_split),
        )

    def instant(self, day_column: str, time_column: str) -> datetime | None:
        """Take a date and its time as one instant."""
        day, clock = self.day(day_column), self.take(time_column, values.time_in)
        if day is None or clock is None:
            return None
        return self.take(
            day_column, lambda _: values.instant_of(day, clock, zone=self.context.zone)
        )

    def moment(self, column: str) -> datetime | None:
        """Take a value that is date and time in one."""
        zone, is_day_first = self.context.zone, self.context.is_day_first
        return self.take(
            column, lambda text: values.moment_in(text, zone=zone, is_day_first=is_day_first)
        )

    def past(self, column: str, at: datetime | None) -> datetime | None:
        """Hold an admission, order, performed or test time against source time and 1900."""
        if at is not None and at > self.context.source_time + AHEAD:
            self.fault(column, "future")
        return self.plausible(column, at)

    def plausible(self, column: str, at: datetime | None) -> datetime | None:
        """Hold any time against the year 1900."""
        if at is not None and _local_year(at, self.context.zone) < 1900:
            self.fault(column, "implausible")
            return None
        return at

    def status(self, column: str, listed: frozenset[str]) -> str | None:
        """Take a status; one that is missing or not listed says nothing."""
        text = self.text(column)
        return text if text is not None and text.lower() in listed else None

    def extras(self) -> dict[str, str | None]:
        """Take every column that the layout does not know."""
        unknown = [column for column in self.cells if column not in self.context.layout.known]
        return {f"extra:{column}": self.text(column) for column in unknown}

    def _must_be_there(self, column: str) -> bool:
        if (self.context.layout.name, column) == ("lis.lab_results", "patient_id"):
            return False
        return column in self.context.layout.vital


def judge(cells: Mapping[str, str], context: Context) -> Verdict:
    """Judge one row of the right form."""
    row = Row(cells, context)
    statements = JUDGES[context.layout.name](row)
    vital = [fault for fault in row.faults if fault.column in context.layout.vital]
    if vital:
        return Verdict(rejection=min(vital, key=lambda fault: REASONS.index(fault.reason)))
    return Verdict(flaws=row.faults, statements=statements)


def _patient(row: Row) -> Statement:
    said: dict[str, Any] = {
        "first_name": row.text("first_name"),
        "last_name": row.text("last_name"),
        "date_of_birth": _date_of_birth(row),
    }
    for column in ("gender", "primary_physician", "insurance_provider", "blood_type", "allergies"):
        if row.states(column):
            said[column] = row.text(column)
    return Statement("patient", (row.identifier("patient_id") or "",), said)


def _patients(row: Row) -> list[Statement]:
    patient = _patient(row)
    return [_with(patient, row.extras())]


def _admissions(row: Row) -> list[Statement]:
    admitted_at = row.past("admission_date", row.instant("admission_date", "admission_time"))
    identity = (
        row.identifier("hospitalization_case_number") or "",
        row.identifier("patient_id") or "",
    )
    said: dict[str, Any] = {"admitted_at": admitted_at}
    release = _split_release(row, admitted_at)
    if row.states("release_date"):
        said["release"] = release
    for column, attribute in (("department", "department"), ("room_number", "room")):
        if row.states(column):
            said[attribute] = row.text(column)
    return [_with(Statement("admission", identity, said), row.extras())]


def _split_release(row: Row, admitted_at: datetime | None) -> Release | None:
    day, clock = row.day("release_date"), row.take("release_time", values.time_in)
    if day is None or row.has_fault("release_time"):
        return None
    if clock is not None:
        at = row.take(
            "release_date", lambda _: values.instant_of(day, clock, zone=row.context.zone)
        )
    else:
        at = row.take("release_date", lambda _: _end_of(day, row.context))
    return _release(row, "release_date", at, admitted_at)


def _end_of(day: date, context: Context) -> datetime:
    """The last second of the day, or the source time if that is earlier on the same day."""
    if context.source_time.astimezone(context.zone).date() == day:
        return min(context.source_time, values.last_second_of(day, zone=context.zone))
    return values.last_second_of(day, zone=context.zone)


def _release(
    row: Row, column: str, at: datetime | None, admitted_at: datetime | None
) -> Release | None:
    at = row.plausible(column, at)
    if at is None:
        return None
    if admitted_at is not None and at < admitted_at:
        row.fault(column, "release_before_admission")
        return None
    return Release(at, is_confirmed=at <= row.context.source_time + AHEAD)


def _lab_tests(row: Row) -> list[Statement]:
    said: dict[str, Any] = {
        "name": row.text("test_name"),
        "ordered_at": row.past("order_date", row.instant("order_date", "order_time")),
    }
    if row.states("ordering_physician"):
        said["ordering_physician"] = row.text("ordering_physician")
    said |= _status(row, "status", TEST_STATUSES)
    identity = (row.identifier("test_id") or "", row.identifier("patient_id") or "")
    return [_with(Statement("test", identity, said), row.extras())]


def _lab_results(row: Row) -> list[Statement]:
    said: dict[str, Any] = {
        "test_id": row.identifier("test_id"),
        "value": _measured(row, "result_value"),
        "performed_at": row.past("performed_date", row.instant("performed_date", "performed_time")),
    }
    patient_id = row.identifier("patient_id")
    if patient_id is not None:
        said["patient_id"] = patient_id  # missing: as if the column were not there
    for column, attribute in (
        ("result_unit", "unit"),
        ("reference_range", "reference_range"),
        ("reviewing_physician", "reviewing_physician"),
    ):
        if row.states(column):
            said[attribute] = row.text(column)
    said |= _status(row, "result_status", RESULT_STATUSES)
    identity = (row.identifier("result_id") or "",)
    return [_with(Statement("result", identity, said), row.extras())]


def _pms_combined(row: Row) -> list[Statement]:
    patient = _patient(row)
    admitted_at = row.past("admission_date", row.moment("admission_date"))
    said: dict[str, Any] = {"admitted_at": admitted_at} | _combined_release(row, admitted_at)
    for column, attribute in (("ward", "department"), ("bed_number", "room")):
        if row.states(column):
            said[attribute] = row.text(column)
    identity = (row.identifier("admission_id") or "", *patient.identity)
    extras = row.extras()
    return [patient, _with(Statement("admission", identity, said), extras)]


def _combined_release(row: Row, admitted_at: datetime | None) -> dict[str, Release | None]:
    status = (row.status("status", frozenset({"active", "discharged"})) or "").lower()
    at, column = row.moment("discharge_date"), "discharge_date"
    if at is None and status == "discharged" and not row.has_fault("discharge_date"):
        at, column = row.context.source_time, "status"
    release = _release(row, column, at, admitted_at)
    return {"release": release} if status or row.states("discharge_date") else {}


def _lis_combined(row: Row) -> list[Statement]:
    test_at = row.past("test_date", row.moment("test_date"))
    said: dict[str, Any] = {"name": row.text("test_type"), "ordered_at": test_at}
    if row.states("admission_id"):
        said["case_number"] = row.identifier("admission_id")
    if row.states("lab_location"):
        said["lab_location"] = row.text("lab_location")
    said |= _status(row, "status", TEST_STATUSES)
    identity = (row.identifier("test_id") or "", row.identifier("patient_id") or "")
    extras = row.extras()
    statements = [_with(Statement("test", identity, said), extras)]
    if row.states("result"):
        value = _measured(row, "result")
        result = {"value": value, "performed_at": test_at if value else None}
        statements.append(Statement("combined_result", identity, result))
    return statements


JUDGES: dict[str, Callable[[Row], list[Statement]]] = {
    "pms.patients": _patients,
    "pms.admissions": _admissions,
    "lis.lab_tests": _lab_tests,
    "lis.lab_results": _lab_results,
    "pms.combined": _pms_combined,
    "lis.combined": _lis_combined,
}


def _status(row: Row, column: str, others: frozenset[str]) -> dict[str, Any]:
    status = row.status(column, CANCELLING | others)
    if status is None:
        return {}
    return {"status": status, "is_cancelled": status.lower() in CANCELLING}


def _measured(row: Row, column: str) -> values.Measured | None:
    text = row.text(column)
    return None if text is None else values.measured(text)


def _date_of_birth(row: Row) -> date | None:
    born = row.day("date_of_birth")
    if born is None:
        return None
    today = row.context.source_time.astimezone(row.context.zone).date()
    oldest = (today.year - 130, today.month, today.day)
    if born > today or (born.year, born.month, born.day) < oldest:
        row.fault("date_of_birth", "implausible")
        return None
    return born


def _local_year(at: datetime, zone: ZoneInfo) -> int:
    try:
        return at.astimezone(zone).year
    except OverflowError:
        return at.astimezone(UTC).year  # the first and last hours of the calendar


def _with(statement: Statement, extras: Mapping[str, str | None]) -> Statement:
    return Statement(statement.kind, statement.identity, {**statement.attributes, **extras})
