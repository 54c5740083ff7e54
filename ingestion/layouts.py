"""The layouts: which columns a kind of file has, and what each of them feeds. Data, not code.

An alias, a new optional column or a whole new layout is a change to one declaration here. Knows how
a header is matched with a layout; knows nothing of a row's values, which `judging` reads.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from ingestion.choices import RecordKind, RefusalReason
from ingestion.csvrows import bare_name
from ingestion.errors import FileRefused


class Form(Enum):
    """How a column's value is written."""

    IDENTIFIER = auto()
    NAME = auto()  # text in which only the empty value is missing
    TEXT = auto()
    DATE = auto()
    TIME = auto()
    MOMENT = auto()  # date and time in one value
    BIRTH_DATE = auto()
    BARE_BIRTH_DATE = auto()  # a combined layout's: a date-time is no date there
    STATUS = auto()  # one of a list of words


class Making(Enum):
    """How an attribute is made from the columns that state it."""

    VALUE = auto()  # the column's value as it is read
    IF_GIVEN = auto()  # the same, but a missing value says nothing
    INSTANT = auto()  # from a date and a time, or from one value that holds both
    STATUS = auto()  # the word as sent, and whether it cancels
    RESULT = auto()  # as sent, as a number, and the number's comparator
    UNIT = auto()  # as sent, and whether it is ambiguous
    RELEASE = auto()  # from a date and perhaps a time, or from a date-time and perhaps a status


@dataclass(frozen=True, slots=True)
class Column:
    """One column that a layout knows; all names are in lower case.

    A vital one places a record. If it is optional too, it is vital only in its form.
    """

    name: str
    form: Form = Form.TEXT
    aliases: tuple[str, ...] = ()
    is_vital: bool = False
    # Of a status: each listed word in lower case, and whether it ends what it is said of.
    words: MappingOf[str, bool] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a record, stated if the header has the first of its columns.

    (A release is stated by any of its columns but a bare time.)
    """

    name: str
    columns: tuple[str, ...]
    making: Making = Making.VALUE
    flag: str = ""  # the attribute that tells a status's or a unit's yes or no


@dataclass(frozen=True, slots=True)
class Record:
    """One record that each row speaks of, if the header has the column `only_with`."""

    kind: RecordKind
    identity: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    only_with: str | None = None
    keeps_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of file."""

    name: str
    system: str
    required: tuple[Column, ...]
    optional: tuple[Column, ...]
    records: tuple[Record, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.required + self.optional

    @property
    def column_of(self) -> dict[str, str]:
        """Which column each name means that a header may give it."""
        return {name: column.name for column in self.columns for name in column.names}


@dataclass(frozen=True, slots=True)
class Mapping:
    """How one header fits its layout: where its columns stand, and what it has more or less."""

    layout: Layout
    columns: MappingOf[str, int]
    unknown_columns: tuple[tuple[str, int], ...]  # name as sent, place
    missing_optional: tuple[str, ...]


CANCELLING = (
    *("Cancelled", "Canceled", "Rejected", "Deleted"),
    *("Entered in error", "Not performed"),
)
TEST_STATUS = (
    *("Ordered", "In Progress", "Completed"),
    *("Scheduled", "Collected", "Received", "Pending", "Resulted", "Final"),
)
RESULT_STATUS = (
    *("Final", "Preliminary", "Corrected", "Amended", "Partial", "Pending"),
    *("Completed", "In Progress", "Ordered"),
    *("Normal", "Abnormal", "High", "Low", "Critical"),
)


def _status(name: str, *, ending: tuple[str, ...], others: tuple[str, ...]) -> Column:
    words = {word.lower(): False for word in others} | {word.lower(): True for word in ending}
    return Column(name, Form.STATUS, words=words)


def _vital(name: str, form: Form = Form.IDENTIFIER) -> Column:
    return Column(name, form, is_vital=True)


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


def _same(*names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, (name,)) for name in names)


_PATIENT_DETAILS = ("gender", "primary_physician", "insurance_provider", "blood_type", "allergies")
_PATIENT = Record(
    kind=RecordKind.PATIENT,
    identity=("patient_id",),
    attributes=_same("first_name", "last_name", "date_of_birth", *_PATIENT_DETAILS),
)

PMS_PATIENTS = Layout(
    name="pms.patients",
    system="PMS",
    required=(
        _vital("patient_id"),
        Column("first_name", Form.NAME),
        Column("last_name", Form.NAME),
        Column("date_of_birth", Form.BIRTH_DATE),
    ),
    optional=_texts(*_PATIENT_DETAILS),
    records=(Record(_PATIENT.kind, _PATIENT.identity, _PATIENT.attributes, keeps_unknown=True),),
)

PMS_ADMISSIONS = Layout(
    name="pms.admissions",
    system="PMS",
    required=(
        _vital("patient_id"),
        _vital("hospitalization_case_number"),
        _vital("admission_date", Form.DATE),
        _vital("admission_time", Form.TIME),
    ),
    optional=(
        Column("release_date", Form.DATE),
        Column("release_time", Form.TIME),
        *_texts("department", "room_number"),
    ),
    records=(
        Record(
            kind=RecordKind.ADMISSION,
            identity=("hospitalization_case_number", "patient_id"),
            attributes=(
                Attribute("admitted_at", ("admission_date", "admission_time"), Making.INSTANT),
                Attribute("release", ("release_date", "release_time"), Making.RELEASE),
                Attribute("department", ("department",)),
                Attribute("room", ("room_number",)),
            ),
            keeps_unknown=True,
        ),
    ),
)

PMS_COMBINED = Layout(
    name="pms.combined",
    system="PMS",
    required=(
        _vital("patient_id"),
        Column("first_name", Form.NAME),
        Column("last_name", Form.NAME),
        Column("date_of_birth", Form.BARE_BIRTH_DATE),
        _vital("admission_id"),
        _vital("admission_date", Form.MOMENT),
    ),
    optional=(
        *_texts(*_PATIENT_DETAILS, "ward", "bed_number"),
        _status("status", ending=("Discharged",), others=("Active",)),
        Column("discharge_date", Form.MOMENT),
    ),
    records=(
        _PATIENT,
        Record(
            kind=RecordKind.ADMISSION,
            identity=("admission_id", "patient_id"),
            attributes=(
                Attribute("admitted_at", ("admission_date",), Making.INSTANT),
                Attribute("release", ("discharge_date", "status"), Making.RELEASE),
                Attribute("department", ("ward",)),
                Attribute("room", ("bed_number",)),
            ),
            keeps_unknown=True,
        ),
    ),
)

LIS_LAB_TESTS = Layout(
    name="lis.lab_tests",
    system="LIS",
    required=(
        _vital("test_id"),
        _vital("patient_id"),
        _vital("test_name", Form.TEXT),
        _vital("order_date", Form.DATE),
        _vital("order_time", Form.TIME),
    ),
    optional=(
        Column("ordering_physician"),
        _status("status", ending=CANCELLING, others=TEST_STATUS),
    ),
    records=(
        Record(
            kind=RecordKind.LAB_TEST,
            identity=("test_id", "patient_id"),
            attributes=(
                Attribute("name", ("test_name",)),
                Attribute("ordered_at", ("order_date", "order_time"), Making.INSTANT),
                Attribute("ordering_physician", ("ordering_physician",)),
                Attribute("status", ("status",), Making.STATUS, flag="is_cancelled"),
            ),
            keeps_unknown=True,
        ),
    ),
)

LIS_LAB_RESULTS = Layout(
    name="lis.lab_results",
    system="LIS",
    required=(
        _vital("result_id"),
        _vital("test_id"),
        Column("result_value"),
        _vital("performed_date", Form.DATE),
        _vital("performed_time", Form.TIME),
    ),
    optional=(
        _vital("patient_id"),
        *_texts("result_unit", "reference_range"),
        _status("result_status", ending=CANCELLING, others=RESULT_STATUS),
        Column("reviewing_physician"),
    ),
    records=(
        Record(
            kind=RecordKind.LAB_RESULT,
            identity=("result_id",),
            attributes=(
                Attribute("test_id", ("test_id",)),
                Attribute("patient_id", ("patient_id",), Making.IF_GIVEN),
                Attribute("performed_at", ("performed_date", "performed_time"), Making.INSTANT),
                Attribute("value", ("result_value",), Making.RESULT),
                Attribute("unit", ("result_unit",), Making.UNIT, flag="unit_is_ambiguous"),
                Attribute("reference_range", ("reference_range",)),
                Attribute("status", ("result_status",), Making.STATUS, flag="is_withdrawn"),
                Attribute("reviewing_physician", ("reviewing_physician",)),
            ),
            keeps_unknown=True,
        ),
    ),
)

LIS_COMBINED = Layout(
    name="lis.combined",
    system="LIS",
    required=(
        _vital("test_id"),
        _vital("patient_id"),
        _vital("test_type", Form.TEXT),
        _vital("test_date", Form.MOMENT),
    ),
    optional=(
        Column("admission_id", Form.IDENTIFIER),
        Column("result"),
        _status("status", ending=CANCELLING, others=TEST_STATUS),
        Column("lab_location"),
    ),
    records=(
        Record(
            kind=RecordKind.LAB_TEST,
            identity=("test_id", "patient_id"),
            attributes=(
                Attribute("name", ("test_type",)),
                Attribute("ordered_at", ("test_date",), Making.INSTANT),
                Attribute("case_number", ("admission_id",)),
                Attribute("status", ("status",), Making.STATUS, flag="is_cancelled"),
                Attribute("lab_location", ("lab_location",)),
            ),
            keeps_unknown=True,
        ),
        Record(
            kind=RecordKind.LAB_RESULT,
            identity=("test_id", "patient_id"),
            attributes=(
                Attribute("test_id", ("test_id",)),
                Attribute("patient_id", ("patient_id",)),
                Attribute("performed_at", ("test_date",), Making.INSTANT),
                Attribute("value", ("result",), Making.RESULT),
            ),
            only_with="result",
        ),
    ),
)

LAYOUTS = (PMS_PATIENTS, PMS_ADMISSIONS, PMS_COMBINED, LIS_LAB_TESTS, LIS_LAB_RESULTS, LIS_COMBINED)


def recognise(header: Sequence[str], *, layouts: Sequence[Layout] = LAYOUTS) -> Mapping:
    """Match a header with the layout that has the most required columns among those that fit.

    Raises FileRefused if none fits (or two fit equally well), if a column is named twice, or if it
    holds a required column of another layout of the same system that the fitting one does not know.
    A column without a name is an unknown column; two of them are a column named twice.
    """
    names = [_compared(name) for name in header]
    fitting = _best_fitting(frozenset(names), layouts)
    if not fitting:
        raise FileRefused(RefusalReason.UNKNOWN_LAYOUT, _nearest(frozenset(names), layouts))
    _refuse_duplicates(names, fitting[0])
    for layout in fitting:
        _refuse_foreign_columns(names, layout, layouts)
    if len(fitting) > 1:
        both = " and ".join(layout.name for layout in fitting)
        raise FileRefused(RefusalReason.UNKNOWN_LAYOUT, f"The header fits {both} equally well.")
    return _mapped(header, names, fitting[0])


def _compared(name: str) -> str:
    """A name without regard to case, surrounding blanks or a byte order mark."""
    return bare_name(name).lower()


def _lacking(names: frozenset[str], layout: Layout) -> list[str]:
    return [column.name for column in layout.required if names.isdisjoint(column.names)]


def _best_fitting(names: frozenset[str], layouts: Sequence[Layout]) -> list[Layout]:
    fitting = [layout for layout in layouts if not _lacking(names, layout)]
    most = max((len(layout.required) for layout in fitting), default=0)
    return [layout for layout in fitting if len(layout.required) == most]


def _nearest(names: frozenset[str], layouts: Sequence[Layout]) -> str:
    """A sentence that helps and repeats no name sent: where the header should be, patients may."""
    if any("\r" in name for name in names):
        return "No layout fits the header: lines end in a carriage return alone, not a line feed."
    nearest = min(layouts, key=lambda each: len(_lacking(names, each)) / len(each.required))
    lacking = _lacking(names, nearest)
    if len(lacking) == len(nearest.required):
        return "No layout fits the header: it has none of the columns that a layout requires."
    columns = ", ".join(lacking)
    return f"No layout fits the header. The nearest is {nearest.name}; it lacks {columns}."


def _refuse_duplicates(names: list[str], layout: Layout) -> None:
    column_of = layout.column_of
    first: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        column = column_of.get(name, name)
        if column in first:
            known = f" ({column})" if name in column_of else ""
            detail = f"The header names a column twice: columns {first[column]} and {place}{known}."
            raise FileRefused(RefusalReason.DUPLICATE_COLUMN, detail)
        first[column] = place


def _refuse_foreign_columns(names: list[str], layout: Layout, layouts: Sequence[Layout]) -> None:
    unknown = frozenset(names) - layout.column_of.keys()
    for other in layouts:
        if other.system != layout.system:
            continue
        foreign = [each.name for each in other.required if not unknown.isdisjoint(each.names)]
        if foreign:
            columns = ", ".join(foreign)
            detail = f"The header fits {layout.name} but holds {columns}, as {other.name} does."
            raise FileRefused(RefusalReason.FOREIGN_COLUMN, detail)


def _mapped(header: Sequence[str], names: list[str], layout: Layout) -> Mapping:
    column_of = layout.column_of
    columns = {column_of[name]: place for place, name in enumerate(names) if name in column_of}
    unknown = tuple(
        (bare_name(header[place]), place)
        for place, name in enumerate(names)
        if name not in column_of
    )
    missing = tuple(column.name for column in layout.optional if column.name not in columns)
    return Mapping(layout, columns, unknown, missing)
