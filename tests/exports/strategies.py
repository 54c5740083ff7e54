"""Small hospitals for hypothesis: few identities, so that files contradict each other often.

`exports()` draws files, `orders(objects)` an order of arrival with repeats, `moments()` an instant
to evaluate at. All files are read at `CLOCK`: a product under test must be told that time. Forms
and values that the contract leaves to a reading (`tests/oracle`, docstring, 1 to 22) are not
drawn; what merging and evaluation leave to one (23 to 36) is. Nobody in these files has ever lived.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tests.exports.files import BAD_BYTES, bytes_of, line_of, local_file
from tests.oracle import ExportObject

ZONE = "Asia/Jerusalem"
CLOCK = datetime(2025, 3, 22, 12, 0, tzinfo=UTC)
THRESHOLDS = {"Cardiology": 24.0, "Oncology": 72.0}

PATIENTS = ("P1", "P2", "P1", "P2", "P1", "P2", "07", "7")
CASES = ("C1", "C1", "C2")
TESTS = ("T1", "T1", "T1", "T2", "t2")
RESULTS = ("R1", "R1", "R2")
MISSING = ("", "NULL", "na", "N/A", "  ")

# The stamps lie close together and repeat, so that the rules behind source time decide often.
STAMPS = (
    "2025-03-20T06-00-00Z",
    "20250320T060000Z",
    "20250320T060000.5Z",
    "2025-03-20T18-30-00Z",
    "2025-03-21T06-00-00.250Z",
    "20250322T120500Z",  # ahead of the clock, within its error
    "2025-13-41T06-00-00Z",  # no valid stamp: the last-modified time counts
)
FUTURE_STAMPS = ("2025-03-22T12-10-01Z", "20260322T120000Z")
MODIFIED = tuple(datetime(2025, 3, day, 9, 30, tzinfo=UTC) for day in (19, 20, 21))

# Local dates and times around the stamps: five minutes after a source time is the limit.
DATES = (
    "3/17/2025",
    "03/18/2025",
    "2025-03-19",
    "2025-03-20",
    "3/20/2025",
    "2025-03-18T23:30:00-05:00",
    "2025-03-19 04:05",
    "2025-03-21",
    "3/22/2025",
)
TIMES = ("8:00 AM", "12:30 AM", "12:30 PM", "08:00", "8:05", "8:05:01", "23:59:59", "0:00")
BAD_DATES = ("13/45/2025", "2025-02-30", "20.3.2025", "yesterday", "2025-3-20", "3/20/25")
BAD_TIMES = ("25:00", "13:00 PM", "0:30 AM", "8", "08:60", "noon")
OLD_DATES = ("12/31/1899", "1/1/1900", "5/5/0900")
MOMENTS = (
    "2025-03-18T08:00",
    "2025-03-19 04:05:06",
    "2025-03-20T08:00:00Z",
    "2025-03-20T06:00:00.5Z",
    "2025-03-21T23:59:59-05:00",
    "2025-03-22T14:00+02:00",
)
BAD_MOMENTS = ("2025-03-20", "3/20/2025", "2025-02-30T08:00", "8:00", "soon", "1899-12-31T23:59")
RELEASE_DATES = (*DATES, "3/30/2025")
RELEASE_MOMENTS = ("2025-03-20T08:00", "2025-03-30T08:00", "2025-03-16T08:00")
BIRTHS = ("1950-01-31", "2/29/1952", "2025-03-17", "1895-12-24")
BAD_BIRTHS = ("1890-01-01", "2031-01-01", "31/12/1950", "unknown")
NAMES = ("Noa", "Na", "Null", "NULL", "Émile", "דוד", 'Ana "Ani"', "O'Hara, Jr.", "two\nlines")
WORDS = ("East", "West wing", "a,b;c", 'he said "well"', "two\nlines", "None", "x" * 1000)
DEPARTMENTS = ("Cardiology", "Oncology", "Surgery")
VALUES = ("5", "5.40", "-0.5", "<0.1", ">=7", "positive", "1,5", "007.0", "100", "NaN")
UNITS = ("mmol/L", "mmol/L, mg/dL", "%")
CANCELS = ("Cancelled", "canceled", "Entered in error", "NOT PERFORMED")
TEST_STATUSES = ("Ordered", "in progress", "Completed")
RESULT_STATUSES = ("Final", "preliminary", "Corrected")
UNLISTED = ("Lost", "?")
TOO_LONG_ID = "9" * 65
TOO_LONG_TEXT = "y" * 1001
SHREDS = (
    b"",
    b'"',
    b'""',
    b'\n"',
    b'",',
    b"\r",
    b"\n",
    b"\r\n",
    b"\x00",
    b"\xff",
    b",",
    b";",
    b"\t",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xe2\x80",
    b"\x00\xd8",
    b"9" * 70,
)
UNKNOWN_COLUMNS = ("note", "shoe_size")


def _mostly(
    good: Sequence[str], bad: Sequence[str] = (), *, one_in: int = 20
) -> st.SearchStrategy[str]:
    """Good values but for one in so many, so that whole records still come about."""
    often, seldom = st.sampled_from(good), st.sampled_from([*bad, *MISSING])
    return st.integers(1, one_in).flatmap(lambda n: seldom if n == one_in else often)


_PATIENT_ID = _mostly(PATIENTS, (TOO_LONG_ID,))
_TEST_ID = _mostly(TESTS, (TOO_LONG_ID,))
_CASE = _mostly(CASES, (TOO_LONG_ID,))
_DATE = _mostly(DATES, (*BAD_DATES, *OLD_DATES))
_TIME = _mostly(TIMES, BAD_TIMES)
_TEXT = _mostly(WORDS, (TOO_LONG_TEXT,), one_in=8)
_MOMENT = _mostly(MOMENTS, BAD_MOMENTS)

_PATIENT_VALUES = {
    "patient_id": _PATIENT_ID,
    "first_name": _mostly(NAMES, (TOO_LONG_TEXT,)),
    "last_name": _mostly(NAMES, (TOO_LONG_TEXT,)),
    "date_of_birth": _mostly(BIRTHS, BAD_BIRTHS, one_in=4),
    "gender": _TEXT,
    "primary_physician": _TEXT,
    "insurance_provider": _TEXT,
    "blood_type": _mostly(("A+", "0-")),
    "allergies": _mostly(("None", "none", "penicillin, nuts")),
}
_VALUES: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "pms.patients": _PATIENT_VALUES,
    "pms.admissions": {
        "patient_id": _PATIENT_ID,
        "hospitalization_case_number": _CASE,
        "admission_date": _DATE,
        "admission_time": _TIME,
        "release_date": _mostly(RELEASE_DATES, (*BAD_DATES, *OLD_DATES), one_in=4),
        "release_time": _mostly(TIMES, BAD_TIMES, one_in=4),
        "department": _mostly(DEPARTMENTS, (TOO_LONG_TEXT,)),
        "room_number": _TEXT,
    },
    "lis.lab_tests": {
        "test_id": _TEST_ID,
        "patient_id": _PATIENT_ID,
        "test_name": _mostly(("Glucose", "Sodium, serum"), (TOO_LONG_TEXT,)),
        "order_date": _DATE,
        "order_time": _TIME,
        "ordering_physician": _TEXT,
        "status": _mostly((*TEST_STATUSES, *CANCELS), UNLISTED, one_in=6),
    },
    "lis.lab_results": {
        "result_id": _mostly(RESULTS, (TOO_LONG_ID,)),
        "test_id": _TEST_ID,
        "result_value": _mostly(VALUES, (TOO_LONG_TEXT,)),
        "performed_date": _DATE,
        "performed_time": _TIME,
        "patient_id": st.one_of(st.sampled_from(MISSING), _PATIENT_ID),
        "result_unit": _mostly(UNITS),
        "reference_range": _TEXT,
        "result_status": _mostly((*RESULT_STATUSES, *CANCELS), UNLISTED, one_in=6),
        "reviewing_physician": _TEXT,
    },
    "pms.combined": {
        **_PATIENT_VALUES,
        "admission_id": _CASE,
        "admission_date": _MOMENT,
        "ward": _mostly(DEPARTMENTS, (TOO_LONG_TEXT,)),
        "bed_number": _TEXT,
        "status": _mostly(("Active", "DISCHARGED"), UNLISTED, one_in=6),
        "discharge_date": st.one_of(
            st.sampled_from(MISSING), _mostly(RELEASE_MOMENTS, BAD_MOMENTS, one_in=4)
        ),
    },
    "lis.combined": {
        "test_id": _TEST_ID,
        "patient_id": _PATIENT_ID,
        "test_type": _mostly(("Glucose", "Sodium, serum"), (TOO_LONG_TEXT,)),
        "test_date": _MOMENT,
        "admission_id": _CASE,
        "result": _mostly(VALUES),
        "status": _mostly((*TEST_STATUSES, *CANCELS), UNLISTED, one_in=6),
        "lab_location": _TEXT,
    },
}
_REQUIRED = {
    "pms.patients": 4,
    "pms.admissions": 4,
    "lis.lab_tests": 5,
    "lis.lab_results": 5,
    "pms.combined": 6,
    "lis.combined": 4,
}
# Its own required columns stand behind the patient's optional ones above.
_COMBINED_REQUIRED = (
    "patient_id",
    "first_name",
    "last_name",
    "date_of_birth",
    "admission_id",
    "admission_date",
)
SPLIT = ("pms.patients", "pms.admissions", "lis.lab_tests", "lis.lab_results")
COMBINED = ("pms.combined", "lis.combined")
OTHER_SYSTEM = {"pms": "test_id", "lis": "first_name"}  # unknown here, so drift and no more
FOREIGN = {"pms": "admission_id", "lis": "test_type"}


@dataclass(frozen=True)
class _Form:
    """How a file is written, whatever it says."""

    delimiter: str
    encoding: str
    line_end: str
    is_cut: bool


_FORMS = st.builds(
    _Form,
    delimiter=st.sampled_from(",,;\t"),
    encoding=st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16-le")),
    line_end=st.sampled_from(("\n", "\n", "\r\n")),
    is_cut=st.booleans(),
)
# Rows whose form is broken, as often as a transmission breaks them: seldom.
_FAULTS = st.sampled_from(
    ("",) * 42 + ("blank", "short", "long", "bad bytes", "nul", "open quote", "stray quote")
)


PEOPLE = local_file(
    "people-2025-03-20T00-00-00Z.csv",
    b"patient_id,first_name,last_name,date_of_birth\nP1,Noa,Levi,1950-01-31\nP2,Dan,Bar,\n",
    last_modified=MODIFIED[0],
    received_at=CLOCK,
)


@st.composite
def exports(
    draw: st.DrawFn,
    *,
    layouts: Sequence[str] = SPLIT,
    sources: Sequence[str] = ("local",),
    most_files: int = 8,
    most_rows: int = 6,
    is_local: bool = True,
) -> list[ExportObject]:
    """Draw the files of a small hospital.

    A local file has a name of its own; with `is_local=False` several versions of one key occur,
    as in a bucket. For combined layouts pass `layouts=SPLIT + COMBINED`.
    """
    count = draw(st.integers(1, most_files))
    numbers = draw(st.permutations(range(count)))
    objects = [
        draw(_objects(number, layouts, sources, most_rows, is_local=is_local)) for number in numbers
    ]
    # Without people all else would wait; where they come is for `orders` to draw.
    return [*objects, *([PEOPLE] if draw(st.integers(0, 3)) else [])]


def orders(objects: Sequence[ExportObject]) -> st.SearchStrategy[list[ExportObject]]:
    """Draw an order of arrival in which every object comes at least once, some again."""
    again = st.lists(st.sampled_from(objects), max_size=len(objects))
    return again.flatmap(lambda more: st.permutations([*objects, *more]))


@st.composite
def noisy_exports(draw: st.DrawFn, *, layouts: Sequence[str] = SPLIT) -> list[ExportObject]:
    """Draw files that a bad transmission has cut, torn and sprinkled with odd bytes.

    The forms that the contract leaves to a reading do occur: what must hold is that every row is
    in the books, not that two readers agree on each.
    """
    return [
        local_file(
            each.key,
            draw(_torn(each.content)),
            last_modified=each.last_modified,
            received_at=each.received_at,
            source=each.source,
        )
        for each in draw(exports(layouts=layouts, most_files=4))
    ]


def moments() -> st.SearchStrategy[datetime]:
    """Draw an instant to evaluate at, before, among and after the times in the files."""
    hours = st.integers(-12, 12).map(lambda n: timedelta(hours=n))
    starts = st.sampled_from(
        [datetime(2025, 3, day, 6, 0, 10, tzinfo=UTC) for day in range(19, 25)]
    )
    return st.builds(lambda start, more: start + more, starts, hours)


@st.composite
def _torn(draw: st.DrawFn, content: bytes) -> bytes:
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from((0, 0, 1, 2, 30)))
        content = content[:start] + draw(st.sampled_from(SHREDS)) + content[start + length :]
    return content


@st.composite
def _objects(
    draw: st.DrawFn,
    number: int,
    layouts: Sequence[str],
    sources: Sequence[str],
    most_rows: int,
    *,
    is_local: bool,
) -> ExportObject:
    layout = draw(st.sampled_from(layouts))
    stamp = draw(st.sampled_from((*STAMPS * 3, "", "", *FUTURE_STAMPS)))
    local = local_file(
        f"{number}-{layout}-{stamp}.csv" if is_local else f"{number % 2}-{stamp}.csv",
        draw(_contents(layout, most_rows)),
        last_modified=draw(st.sampled_from(MODIFIED)),
        received_at=CLOCK,
        source=draw(st.sampled_from(sources)),
    )
    if is_local:
        return local
    return ExportObject(
        bucket="exports",
        key=local.key,
        version=f"v{number}",
        last_modified=local.last_modified,
        content=local.content,
        received_at=local.received_at,
        source=local.source,
    )


@st.composite
def _contents(draw: st.DrawFn, layout: str, most_rows: int) -> bytes:
    form = draw(_FORMS)
    columns = draw(_headers(layout))
    # A delimiter inside an unknown name must not outnumber the real ones; these names hold none.
    lines = [line_of(_dressed(draw, columns), delimiter=form.delimiter)]
    for _ in range(draw(st.one_of(st.integers(1, most_rows), st.integers(0, most_rows)))):
        row = [draw(_VALUES[layout].get(column, _TEXT)) for column in columns]
        lines.append(_written(draw, _decided(row), form))
    return bytes_of(lines, encoding=form.encoding, line_end=form.line_end, is_cut=form.is_cut)


@st.composite
def _headers(draw: st.DrawFn, layout: str) -> list[str]:
    """All required columns, some of the others, in any order; now and then a header to refuse."""
    known = list(_VALUES[layout])
    required = list(_COMBINED_REQUIRED) if layout == "pms.combined" else known[: _REQUIRED[layout]]
    optional = [column for column in known if column not in required]
    chosen = draw(st.one_of(st.just(optional), st.lists(st.sampled_from(optional), unique=True)))
    unknown = draw(st.sampled_from(((), (), (), UNKNOWN_COLUMNS[:1], UNKNOWN_COLUMNS)))
    columns = draw(st.permutations([*required, *chosen, *unknown]))
    fault = draw(st.sampled_from(("",) * 36 + ("twice", "lacks", "foreign", "other system")))
    if fault == "twice":
        return [*columns, columns[0]]
    if fault == "lacks":
        return [column for column in columns if column != required[1]]
    if fault == "foreign" and not layout.endswith(".combined"):
        return [*columns, FOREIGN[layout.partition(".")[0]]]
    if fault == "other system":
        return [*columns, OTHER_SYSTEM[layout.partition(".")[0]]]
    return list(columns)


def _dressed(draw: st.DrawFn, columns: Sequence[str]) -> list[str]:
    """Header names in another case or with blanks around them are the same names."""
    dress = draw(st.sampled_from(("plain", "plain", "upper", "title", "blanks")))
    if dress == "blanks":
        return [f" {column} " for column in columns]
    return [column if dress == "plain" else getattr(column, dress)() for column in columns]


def _decided(row: list[str]) -> list[str]:
    """Keep out what the contract leaves open.

    A line break in the first field leaves a rest that looks like a row with an open quote, and
    blanks parted by tabs may be a row or a blank line.
    """
    first = "East" if "\n" in row[0] else row[0]
    return [first, *row[1:]] if any(field.strip() for field in row) else ["NULL", *row[1:]]


def _written(draw: st.DrawFn, row: list[str], form: _Form) -> str:
    fault = draw(_FAULTS)
    delimiter = form.delimiter
    match fault:
        case "blank":
            return " "
        case "short":
            return line_of(row[:-1], delimiter=delimiter)
        case "long":
            return line_of([*row, "x"], delimiter=delimiter)
        case "bad bytes":
            return line_of([*row[:-1], f"a{BAD_BYTES}b"], delimiter=delimiter)
        case "nul":
            return line_of([*row[:-1], "a\0b"], delimiter=delimiter)
        case "open quote":
            return line_of(row[:-1], delimiter=delimiter) + delimiter + '"open'
        case "stray quote":
            return line_of(row[:-1], delimiter=delimiter) + delimiter + '5" disk'
    return line_of(row, delimiter=delimiter)
