"""One row judged: what it states, which value is a flaw, and what rejects it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.choices import FlawReason, RecordKind, RejectReason
from ingestion.errors import TimeZoneNotSet
from ingestion.judging import (
    Drift,
    Flaw,
    Judge,
    Judged,
    Rejection,
    Release,
    Statement,
    Subject,
)
from ingestion.layouts import LAYOUTS, Layout, recognise

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2025, 3, 20, 11, 0, tzinfo=UTC)  # the files' source time: noon in Berlin
LONG = "x" * 1001

# A good row of each layout, with all its columns.
PATIENT = {
    "patient_id": "0042",
    "first_name": "Ada",
    "last_name": "Example",
    "date_of_birth": "1/2/1950",
    "gender": "F",
    "primary_physician": "Dr. Sample",
    "insurance_provider": "None",
    "blood_type": "0+",
    "allergies": "None",
}
ADMISSION = {
    "patient_id": "0042",
    "hospitalization_case_number": "C7",
    "admission_date": "3/18/2025",
    "admission_time": "9:30 AM",
    "release_date": "3/20/2025",
    "release_time": "10:00",
    "department": "Cardiology",
    "room_number": "012",
}
PMS_COMBINED = {
    **PATIENT,
    "admission_id": "C7",
    "admission_date": "2025-03-18 09:30",
    "ward": "Cardiology",
    "bed_number": "3",
    "status": "Active",
    "discharge_date": "",
}
LAB_TEST = {
    "test_id": "T1",
    "patient_id": "0042",
    "test_name": "Potassium",
    "order_date": "3/19/2025",
    "order_time": "23:15",
    "ordering_physician": "Dr. Sample",
    "status": "ordered",
}
LAB_RESULT = {
    "result_id": "R1",
    "test_id": "T1",
    "result_value": "<0.1",
    "performed_date": "3/20/2025",
    "performed_time": "8:00 AM",
    "patient_id": "0042",
    "result_unit": "mmol/L, mg/dL",
    "reference_range": "3.5-5.0",
    "result_status": "Final",
    "reviewing_physician": "Dr. Other",
}
LIS_COMBINED = {
    "test_id": "T1",
    "patient_id": "0042",
    "test_type": "Potassium",
    "test_date": "2025-03-20T08:00:00+01:00",
    "admission_id": "C7",
    "result": "4.1",
    "status": "Completed",
    "lab_location": "West",
}
GOOD_ROWS = [
    pytest.param(row, id=name)
    for name, row in (
        ("pms.patients", PATIENT),
        ("pms.admissions", ADMISSION),
        ("pms.combined", PMS_COMBINED),
        ("lis.lab_tests", LAB_TEST),
        ("lis.lab_results", LAB_RESULT),
        ("lis.combined", LIS_COMBINED),
    )
]

ADMITTED_AT = datetime(2025, 3, 18, 8, 30, tzinfo=UTC)


@dataclass
class Setting:
    """How a test's rows are judged where it is not said otherwise."""

    source_time: datetime = NOON
    zone: ZoneInfo | None = BERLIN
    day_first: bool = False
    without: tuple[str, ...] = field(default_factory=tuple)


def judge_of(row: dict[str, str], setting: Setting) -> Judge:
    return Judge(
        recognise(list(row)),
        source_time=setting.source_time,
        zone=setting.zone,
        day_first=setting.day_first,
    )


def verdict(
    row: dict[str, str], changes: dict[str, str] | None = None, **setting: object
) -> Judged | Rejection:
    how = Setting(**setting)  # type: ignore[arg-type]
    cells = {**row, **(changes or {})}
    cells = {name: text for name, text in cells.items() if name not in how.without}
    return judge_of(cells, how).judge(list(cells.values()))


def judged(row: dict[str, str], changes: dict[str, str] | None = None, **setting: object) -> Judged:
    found = verdict(row, changes, **setting)
    assert isinstance(found, Judged)
    return found


def rejected(
    row: dict[str, str], changes: dict[str, str] | None = None, **setting: object
) -> Rejection:
    found = verdict(row, changes, **setting)
    assert isinstance(found, Rejection)
    return found


def release_of(
    row: dict[str, str], changes: dict[str, str] | None = None, **setting: object
) -> tuple[object, list[Flaw]]:
    """The release that a row states ("unsaid" if it states none), and the row's flaws."""
    found = judged(row, changes, **setting)
    return found.statements[-1].values.get("release", "unsaid"), found.flaws


# -- what a good row states


def test_a_patient_row_states_all_its_columns() -> None:
    assert judged(PATIENT) == Judged(
        [
            Statement(
                RecordKind.PATIENT,
                ("0042",),
                frozenset(PATIENT),
                {
                    "first_name": "Ada",
                    "last_name": "Example",
                    "date_of_birth": date(1950, 1, 2),
                    "gender": "F",
                    "primary_physician": "Dr. Sample",
                    "insurance_provider": "None",
                    "blood_type": "0+",
                    "allergies": "None",
                },
                {},
            )
        ],
        [],
        [],
    )


def test_an_admission_row_states_one_release() -> None:
    (statement,) = judged(ADMISSION).statements
    assert statement == Statement(
        RecordKind.ADMISSION,
        ("C7", "0042"),
        frozenset(ADMISSION),
        {
            "admitted_at": ADMITTED_AT,
            "release": Release(datetime(2025, 3, 20, 9, 0, tzinfo=UTC), confirmed=True),
            "department": "Cardiology",
            "room": "012",
        },
        {},
    )


def test_a_test_row_states_its_order_and_status() -> None:
    (statement,) = judged(LAB_TEST).statements
    assert statement == Statement(
        RecordKind.LAB_TEST,
        ("T1", "0042"),
        frozenset(LAB_TEST),
        {
            "name": "Potassium",
            "ordered_at": datetime(2025, 3, 19, 22, 15, tzinfo=UTC),
            "ordering_physician": "Dr. Sample",
            "status": "ordered",
            "is_cancelled": False,
        },
        {},
    )


def test_a_result_row_states_its_value_and_its_number_apart() -> None:
    (statement,) = judged(LAB_RESULT).statements
    assert statement == Statement(
        RecordKind.LAB_RESULT,
        ("R1",),
        frozenset(LAB_RESULT),
        {
            "test_id": "T1",
            "patient_id": "0042",
            "performed_at": datetime(2025, 3, 20, 7, 0, tzinfo=UTC),
            "value": "<0.1",
            "number": Decimal("0.1"),
            "comparator": "<",
            "unit": "mmol/L, mg/dL",
            "unit_is_ambiguous": True,
            "reference_range": "3.5-5.0",
            "status": "Final",
            "is_withdrawn": False,
            "reviewing_physician": "Dr. Other",
        },
        {},
    )


def test_a_combined_pms_row_states_a_patient_and_an_admission() -> None:
    patient, admission = judged(PMS_COMBINED).statements
    assert patient == judged(PATIENT).statements[0]
    assert admission == Statement(
        RecordKind.ADMISSION,
        ("C7", "0042"),
        frozenset(
            {
                *("admission_id", "patient_id", "admission_date"),
                *("ward", "bed_number", "status", "discharge_date"),
            }
        ),
        {
            "admitted_at": ADMITTED_AT,
            "release": None,
            "department": "Cardiology",
            "room": "3",
        },
        {},
    )


def test_a_combined_lis_row_states_a_test_and_its_result() -> None:
    test, result = judged(LIS_COMBINED).statements
    at = datetime(2025, 3, 20, 7, 0, tzinfo=UTC)
    assert test == Statement(
        RecordKind.LAB_TEST,
        ("T1", "0042"),
        frozenset(LIS_COMBINED) - {"result"},
        {
            "name": "Potassium",
            "ordered_at": at,
            "case_number": "C7",
            "lab_location": "West",
            "status": "Completed",
            "is_cancelled": False,
        },
        {},
    )
    assert result == Statement(
        RecordKind.LAB_RESULT,
        ("T1", "0042"),
        frozenset({"test_id", "patient_id", "test_date", "result"}),
        {
            "test_id": "T1",
            "patient_id": "0042",
            "performed_at": at,
            "value": "4.1",
            "number": Decimal("4.1"),
            "comparator": None,
        },
        {},
    )


def test_a_later_combined_row_without_a_result_takes_it_back() -> None:
    _, result = judged(LIS_COMBINED, {"result": "N/A"}).statements
    assert (result.values["value"], result.values["number"]) == (None, None)
    assert result.says == {"test_id", "patient_id", "test_date", "result"}


def test_a_combined_row_without_the_column_says_nothing_of_a_result() -> None:
    found = judged(LIS_COMBINED, without=("result",))
    assert [statement.kind for statement in found.statements] == [RecordKind.LAB_TEST]


def test_columns_that_the_header_does_not_have_are_not_stated() -> None:
    (statement,) = judged({name: PATIENT[name] for name in list(PATIENT)[:4]}).statements
    assert statement.values.keys() == {"first_name", "last_name", "date_of_birth"}


def test_a_missing_value_is_stated_as_missing_and_is_no_flaw() -> None:
    found = judged(PATIENT, {"gender": "n/a", "date_of_birth": "NULL", "first_name": ""})
    values = found.statements[0].values
    assert (values["gender"], values["date_of_birth"], values["first_name"]) == (None, None, None)
    assert found.statements[0].says == frozenset(PATIENT)
    assert found.flaws == []


def test_people_may_be_called_na_and_null() -> None:
    values = judged(PATIENT, {"first_name": "Na", "last_name": "NULL"}).statements[0].values
    assert (values["first_name"], values["last_name"]) == ("Na", "NULL")


def test_values_are_trimmed_and_identifiers_stay_text() -> None:
    (statement,) = judged(PATIENT, {"patient_id": " 0042\t", "gender": "\u00a0F "}).statements
    assert statement.identity == ("0042",)
    assert statement.values["gender"] == "F"


def test_rows_that_state_the_same_columns_share_one_set() -> None:
    judge = judge_of(LAB_TEST, Setting())
    first, second = (judge.judge(list(LAB_TEST.values())) for _ in range(2))
    other = judge.judge(list({**LAB_TEST, "status": ""}.values()))
    assert isinstance(first, Judged)
    assert isinstance(second, Judged)
    assert isinstance(other, Judged)
    assert first.statements[0].says is second.statements[0].says
    assert other.statements[0].says == frozenset(LAB_TEST) - {"status"}


# -- unknown columns


@pytest.mark.parametrize(
    ("row", "keeper"),
    [
        (PATIENT, RecordKind.PATIENT),
        (ADMISSION, RecordKind.ADMISSION),
        (PMS_COMBINED, RecordKind.ADMISSION),
        (LAB_TEST, RecordKind.LAB_TEST),
        (LAB_RESULT, RecordKind.LAB_RESULT),
        (LIS_COMBINED, RecordKind.LAB_TEST),
    ],
)
def test_unknown_columns_are_kept_with_one_record(row: dict[str, str], keeper: RecordKind) -> None:
    found = judged(row, {"Diet": " vegan ", "Shoe Size": "NULL"})
    for statement in found.statements:
        is_kept = statement.kind is keeper
        assert statement.extra == ({"Diet": "vegan", "Shoe Size": None} if is_kept else {})
        assert ({"x:diet", "x:shoe size"} <= statement.says) is is_kept


def test_an_unknown_value_that_is_too_long_is_a_flaw() -> None:
    assert judged(PATIENT, {"Diet": LONG[:1000]}).statements[0].extra == {"Diet": LONG[:1000]}
    found = judged(PATIENT, {"Diet": LONG})
    assert found.statements[0].extra == {"Diet": None}
    assert found.flaws == [Flaw("Diet", FlawReason.TOO_LONG, LONG[:1000])]


# -- status


@pytest.mark.parametrize(
    "word",
    ["Cancelled", "canceled", "REJECTED", "Deleted", "Entered in Error", "not performed"],
)
def test_a_cancelling_word_cancels_a_test_and_withdraws_a_result(word: str) -> None:
    assert judged(LAB_TEST, {"status": word}).statements[0].values["is_cancelled"] is True
    assert judged(LIS_COMBINED, {"status": word}).statements[0].values["is_cancelled"] is True
    values = judged(LAB_RESULT, {"result_status": word}).statements[0].values
    assert (values["status"], values["is_withdrawn"]) == (word, True)


@pytest.mark.parametrize("word", ["Ordered", "in progress", "COMPLETED", "Pending"])
def test_a_listed_word_that_does_not_cancel_says_so(word: str) -> None:
    assert judged(LAB_TEST, {"status": word}).statements[0].values["is_cancelled"] is False
    values = judged(LAB_RESULT, {"result_status": word}).statements[0].values
    assert values["is_withdrawn"] is False


@pytest.mark.parametrize(
    ("row", "column", "flag"),
    [
        (LAB_TEST, "status", "is_cancelled"),
        (LIS_COMBINED, "status", "is_cancelled"),
        (LAB_RESULT, "result_status", "is_withdrawn"),
    ],
)
def test_a_status_that_is_missing_or_not_listed_says_nothing(
    row: dict[str, str], column: str, flag: str
) -> None:
    for text, drift in (("NA", []), ("Cancelled?", [Drift(column, "Cancelled?")])):
        found = judged(row, {column: text})
        assert flag not in found.statements[0].values
        assert "status" not in found.statements[0].values
        assert column not in found.statements[0].says
        assert (found.flaws, found.drift) == ([], drift)


def test_a_status_that_is_too_long_is_a_flaw_and_says_nothing() -> None:
    found = judged(LAB_TEST, {"status": LONG})
    assert found.flaws == [Flaw("status", FlawReason.TOO_LONG, LONG[:1000])]
    assert found.drift == []
    assert "is_cancelled" not in found.statements[0].values


# -- a result that names its patient


def test_a_result_without_a_patient_is_judged_as_if_the_column_were_not_there() -> None:
    (statement,) = judged(LAB_RESULT, {"patient_id": "NULL"}).statements
    assert statement == judged(LAB_RESULT, without=("patient_id",)).statements[0]
    assert "patient_id" not in statement.values
    assert "patient_id" not in statement.says


def test_a_results_patient_is_vital_in_its_form() -> None:
    found = rejected(LAB_RESULT, {"patient_id": "9" * 65})
    assert (found.reason, found.column) == (RejectReason.TOO_LONG, "patient_id")
    assert found.subjects == [
        Subject(RecordKind.LAB_RESULT, ("R1",), frozenset(LAB_RESULT) - {"patient_id"})
    ]


def test_a_missing_unit_is_not_ambiguous() -> None:
    values = judged(LAB_RESULT, {"result_unit": ""}).statements[0].values
    assert (values["unit"], values["unit_is_ambiguous"]) == (None, False)


# -- the release of a split row


@pytest.mark.parametrize(
    ("changes", "release"),
    [
        # Confirmed up to five minutes after the source time, then a plan.
        ({"release_time": "12:05"}, Release(NOON + timedelta(minutes=5), confirmed=True)),
        ({"release_time": "12:05:01"}, Release(NOON + timedelta(seconds=301), confirmed=False)),
        ({"release_date": "12/31/9999"}, Release(datetime(9999, 12, 31, 9, tzinfo=UTC), False)),
        # A date without a time: the day's last second, or the source time on the same day.
        ({"release_time": ""}, Release(NOON, confirmed=True)),
        (
            {"release_date": "3/19/2025", "release_time": "NA"},
            Release(datetime(2025, 3, 19, 22, 59, 59, tzinfo=UTC), confirmed=True),
        ),
        (
            {"release_date": "3/21/2025", "release_time": ""},
            Release(datetime(2025, 3, 21, 22, 59, 59, tzinfo=UTC), confirmed=False),
        ),
        # A date-time counts as its date.
        (
            {"release_date": "2025-03-19T06:00:00Z", "release_time": ""},
            Release(datetime(2025, 3, 19, 22, 59, 59, tzinfo=UTC), confirmed=True),
        ),
        # At the moment of the admission.
        ({"release_date": "3/18/2025", "release_time": "9:30"}, Release(ADMITTED_AT, True)),
        # No date, no release.
        ({"release_date": ""}, None),
        ({"release_date": "", "release_time": ""}, None),
    ],
)
def test_a_release_is_one_instant(changes: dict[str, str], release: Release | None) -> None:
    assert release_of(ADMISSION, changes) == (release, [])


@pytest.mark.parametrize(
    ("changes", "flaws"),
    [
        ({"release_time": "25:00"}, [("release_time", FlawReason.BAD_TIME, "25:00")]),
        ({"release_date": "2/30/2025"}, [("release_date", FlawReason.BAD_DATE, "2/30/2025")]),
        (
            {"release_date": "soon", "release_time": "late"},
            [
                ("release_date", FlawReason.BAD_DATE, "soon"),
                ("release_time", FlawReason.BAD_TIME, "late"),
            ],
        ),
        (
            {"release_date": "", "release_time": "late"},
            [("release_time", FlawReason.BAD_TIME, "late")],
        ),
        (
            {"release_date": "12/31/1899"},
            [("release_date", FlawReason.IMPLAUSIBLE, "12/31/1899")],
        ),
        (
            {"release_date": "3/18/2025", "release_time": "9:29:59"},
            [("release_date", FlawReason.RELEASE_BEFORE_ADMISSION, "3/18/2025")],
        ),
        (
            {"release_date": "3/17/2025", "release_time": ""},
            [("release_date", FlawReason.RELEASE_BEFORE_ADMISSION, "3/17/2025")],
        ),
    ],
)
def test_a_fault_in_a_release_makes_the_whole_release_missing(
    changes: dict[str, str], flaws: list[tuple[str, FlawReason, str]]
) -> None:
    assert release_of(ADMISSION, changes) == (None, [Flaw(*flaw) for flaw in flaws])


def test_a_source_time_before_the_admission_is_no_release() -> None:
    """Admitted a minute after the source time, released on that day: not before they came."""
    changes = {"admission_date": "3/20/2025", "admission_time": "12:01", "release_time": ""}
    flaw = Flaw("release_date", FlawReason.RELEASE_BEFORE_ADMISSION, "3/20/2025")
    assert release_of(ADMISSION, changes) == (None, [flaw])


def test_without_a_release_date_the_header_says_nothing_of_a_release() -> None:
    assert release_of(ADMISSION, without=("release_date", "release_time"))[0] == "unsaid"
    found = judged(ADMISSION, without=("release_date",))
    assert "release" not in found.statements[0].values
    assert "release_time" not in found.statements[0].says


def test_without_the_column_release_time_the_day_counts() -> None:
    release = Release(datetime(2025, 3, 19, 22, 59, 59, tzinfo=UTC), confirmed=True)
    changes = {"release_date": "3/19/2025"}
    assert release_of(ADMISSION, changes, without=("release_time",)) == (release, [])


# -- the release of a combined row


@pytest.mark.parametrize(
    ("status", "discharge", "release"),
    [
        ("Active", "", None),
        ("discharged", "", Release(NOON, confirmed=True)),
        ("", "", None),
        ("Moved", "", None),
        ("Discharged", "2025-03-19 10:00", Release(datetime(2025, 3, 19, 9, tzinfo=UTC), True)),
        ("Active", "2025-03-19T10:00Z", Release(datetime(2025, 3, 19, 10, tzinfo=UTC), True)),
        ("", "2025-03-19T10:00Z", Release(datetime(2025, 3, 19, 10, tzinfo=UTC), True)),
        ("Active", "2025-03-25T10:00Z", Release(datetime(2025, 3, 25, 10, tzinfo=UTC), False)),
        (LONG, "2025-03-19T10:00Z", Release(datetime(2025, 3, 19, 10, tzinfo=UTC), True)),
    ],
)
def test_a_combined_release_is_its_date_or_else_its_status(
    status: str, discharge: str, release: Release | None
) -> None:
    changes = {"status": status, "discharge_date": discharge}
    assert release_of(PMS_COMBINED, changes)[0] == release


@pytest.mark.parametrize(
    ("status", "release"),
    [
        ("Active", None),
        ("Discharged", Release(NOON, confirmed=True)),
        ("", "unsaid"),
        ("Moved", "unsaid"),
    ],
)
def test_without_a_discharge_date_the_status_alone_states_the_release(
    status: str, release: object
) -> None:
    found = judged(PMS_COMBINED, {"status": status}, without=("discharge_date",))
    assert found.statements[1].values.get("release", "unsaid") == release
    assert ("status" in found.statements[1].says) is (release != "unsaid")


def test_without_a_status_the_discharge_date_alone_states_the_release() -> None:
    assert release_of(PMS_COMBINED, without=("status",)) == (None, [])
    assert release_of(PMS_COMBINED, without=("status", "discharge_date"))[0] == "unsaid"


@pytest.mark.parametrize(
    ("discharge", "reason"),
    [
        ("tomorrow", FlawReason.BAD_DATE),
        ("2025-03-19", FlawReason.BAD_TIME),
        ("3/19/2025", FlawReason.BAD_TIME),
        ("2025-03-19T25:00", FlawReason.BAD_DATE),
        ("1899-12-31 23:59", FlawReason.IMPLAUSIBLE),
        ("9999-12-31T23:59:59Z", FlawReason.BAD_DATE),
        ("2025-03-18 09:29", FlawReason.RELEASE_BEFORE_ADMISSION),
    ],
)
def test_a_faulty_discharge_date_never_takes_a_patient_off_the_board(
    discharge: str, reason: FlawReason
) -> None:
    changes = {"status": "Discharged", "discharge_date": discharge}
    assert release_of(PMS_COMBINED, changes) == (
        None,
        [Flaw("discharge_date", reason, discharge)],
    )


def test_discharged_before_the_admission_is_no_release() -> None:
    changes = {"status": "Discharged", "admission_date": "2025-03-20T11:05:00Z"}
    flaw = Flaw("status", FlawReason.RELEASE_BEFORE_ADMISSION, "Discharged")
    assert release_of(PMS_COMBINED, changes) == (None, [flaw])


# -- flaws


@pytest.mark.parametrize(
    ("born", "reason"),
    [
        ("3/20/2025", None),
        ("3/21/2025", FlawReason.IMPLAUSIBLE),
        ("3/20/1895", None),
        ("3/19/1895", FlawReason.IMPLAUSIBLE),
        ("13/1/1950", FlawReason.BAD_DATE),
        ("1950", FlawReason.BAD_DATE),
    ],
)
def test_a_date_of_birth_that_cannot_be_is_a_flaw(born: str, reason: FlawReason | None) -> None:
    for row in (PATIENT, PMS_COMBINED):
        found = judged(row, {"date_of_birth": born})
        assert found.flaws == ([Flaw("date_of_birth", reason, born)] if reason else [])
        assert (found.statements[0].values["date_of_birth"] is None) is (reason is not None)


def test_only_a_split_layouts_date_may_be_a_date_time() -> None:
    born = "1950-01-02T00:00:00"
    assert judged(PATIENT, {"date_of_birth": born}).flaws == []
    assert judged(PMS_COMBINED, {"date_of_birth": born}).flaws == [
        Flaw("date_of_birth", FlawReason.BAD_DATE, born)
    ]


def test_an_age_is_counted_from_a_leap_day_too() -> None:
    leap_day = datetime(2024, 2, 29, 12, tzinfo=UTC)
    row = {"patient_id": "1", "first_name": "A", "last_name": "B", "date_of_birth": ""}
    for born, count in (("2/28/1894", 1), ("3/1/1894", 0)):
        assert len(judged(row, {"date_of_birth": born}, source_time=leap_day).flaws) == count


def test_a_birth_is_held_against_the_hospitals_day() -> None:
    late = datetime(2025, 3, 19, 23, 30, tzinfo=UTC)  # already the 20th in Berlin
    assert judged(PATIENT, {"date_of_birth": "3/20/2025"}, source_time=late).flaws == []


@pytest.mark.parametrize(
    ("row", "column", "length", "longest"),
    [
        (PATIENT, "allergies", 1001, 1000),
        (PATIENT, "first_name", 1001, 1000),
        (ADMISSION, "department", 1001, 1000),
        (LAB_RESULT, "result_value", 1001, 1000),
        (LIS_COMBINED, "result", 1001, 1000),
        (LIS_COMBINED, "admission_id", 65, 64),
    ],
)
def test_a_text_that_is_too_long_counts_as_missing(
    row: dict[str, str], column: str, length: int, longest: int
) -> None:
    text = "x" * length
    found = judged(row, {column: text})
    assert found.flaws == [Flaw(column, FlawReason.TOO_LONG, text[:1000])]
    assert judged(row, {column: text[:longest]}).flaws == []
    bare = judged(row, {column: ""}).statements
    assert found.statements == bare


def test_a_row_may_have_several_flaws() -> None:
    found = judged(PATIENT, {"date_of_birth": "x", "gender": LONG, "allergies": LONG})
    assert {(flaw.column, flaw.reason) for flaw in found.flaws} == {
        ("date_of_birth", FlawReason.BAD_DATE),
        ("gender", FlawReason.TOO_LONG),
        ("allergies", FlawReason.TOO_LONG),
    }


# -- rejections

SPLIT_TIMES = [
    (ADMISSION, "admission_date", "admission_time"),
    (LAB_TEST, "order_date", "order_time"),
    (LAB_RESULT, "performed_date", "performed_time"),
]
MOMENTS = [(PMS_COMBINED, "admission_date"), (LIS_COMBINED, "test_date")]


@pytest.mark.parametrize("row", GOOD_ROWS)
def test_each_vital_value_must_be_there(row: dict[str, str]) -> None:
    for column in recognise(list(row)).layout.required:
        for text in ("", "NULL", "n/a"):
            found = verdict(row, {column.name: text})
            if column.is_vital:
                assert isinstance(found, Rejection)
                assert (found.reason, found.column) == (RejectReason.MISSING, column.name)
            else:
                assert isinstance(found, Judged)


@pytest.mark.parametrize("row", GOOD_ROWS)
def test_each_vital_identifier_has_at_most_64_characters(row: dict[str, str]) -> None:
    for column in recognise(list(row)).layout.required:
        if column.is_vital and column.name.endswith(("_id", "_number")):
            assert isinstance(verdict(row, {column.name: "9" * 64}), Judged)
            found = rejected(row, {column.name: "9" * 65})
            assert (found.reason, found.column) == (RejectReason.TOO_LONG, column.name)


@pytest.mark.parametrize(("row", "column"), [(LAB_TEST, "test_name"), (LIS_COMBINED, "test_type")])
def test_a_tests_name_is_vital(row: dict[str, str], column: str) -> None:
    assert rejected(row, {column: LONG}).reason is RejectReason.TOO_LONG
    assert rejected(row, {column: "NA"}).reason is RejectReason.MISSING


@pytest.mark.parametrize(("row", "day", "clock"), SPLIT_TIMES)
def test_a_vital_date_and_time_must_be_read(row: dict[str, str], day: str, clock: str) -> None:
    for changes, reason, column in (
        ({day: "2/30/2025"}, RejectReason.BAD_DATE, day),
        ({clock: "24:00"}, RejectReason.BAD_TIME, clock),
        ({day: "x", clock: "x"}, RejectReason.BAD_DATE, day),
        ({day: "", clock: "x"}, RejectReason.BAD_TIME, clock),
        ({day: "3/20/2025", clock: "12:05:01"}, RejectReason.FUTURE, day),
        ({day: "12/31/1899", clock: "23:59:59"}, RejectReason.IMPLAUSIBLE, day),
        ({day: "1/1/0001", clock: "0:00"}, RejectReason.BAD_DATE, day),
    ):
        found = rejected(row, changes)
        assert (found.reason, found.column) == (reason, column), changes


@pytest.mark.parametrize(("row", "day", "clock"), SPLIT_TIMES)
def test_a_vital_time_may_be_five_minutes_ahead_and_as_old_as_1900(
    row: dict[str, str], day: str, clock: str
) -> None:
    assert isinstance(verdict(row, {day: "3/20/2025", clock: "12:05"}), Judged)
    assert isinstance(verdict(row, {day: "2025-01-01T23:00Z", clock: "0:00"}), Judged)
    assert isinstance(verdict(row, {day: "1/1/1900", clock: "0:00"}), Judged)


@pytest.mark.parametrize(("row", "column"), MOMENTS)
def test_a_vital_moment_must_be_read(row: dict[str, str], column: str) -> None:
    for text, reason in (
        ("2025-03-18", RejectReason.BAD_TIME),
        ("3/18/2025", RejectReason.BAD_TIME),
        ("2025-02-30", RejectReason.BAD_DATE),
        ("3/18/2025 10:00", RejectReason.BAD_DATE),
        ("2025-03-18T24:00", RejectReason.BAD_DATE),
        ("2025-03-20T12:05:00.000001", RejectReason.FUTURE),
        ("2025-03-20T11:05:01Z", RejectReason.FUTURE),
        ("1899-12-31T23:59", RejectReason.IMPLAUSIBLE),
        ("1899-12-31T22:59:59Z", RejectReason.IMPLAUSIBLE),
        ("9999-12-31T23:30Z", RejectReason.BAD_DATE),
    ):
        found = rejected(row, {column: text})
        assert (found.reason, found.column) == (reason, column), text
    for text in ("2025-03-20T12:05", "1900-01-01 00:00", "1899-12-31T23:30-05:00"):
        assert isinstance(verdict(row, {column: text}), Judged), text


def test_a_row_is_rejected_for_the_first_reason_in_the_contracts_order() -> None:
    faults = [
        ({"order_date": "x"}, RejectReason.BAD_DATE),
        ({"order_time": "x"}, RejectReason.BAD_TIME),
        ({"patient_id": ""}, RejectReason.MISSING),
        ({"test_id": "9" * 65}, RejectReason.TOO_LONG),
    ]
    for place, (_, reason) in enumerate(faults):
        changes = {name: text for fault, _ in faults[place:] for name, text in fault.items()}
        assert rejected(LAB_TEST, changes).reason is reason
    late = {"order_date": "3/21/2025"}
    assert rejected(LAB_TEST, {**late, "patient_id": ""}).reason is RejectReason.MISSING
    assert rejected(LAB_TEST, {**late, "test_id": "9" * 65}).reason is RejectReason.TOO_LONG
    assert rejected(LAB_TEST, late).reason is RejectReason.FUTURE


# -- what a rejected row spoke of


def test_a_rejected_row_names_its_record_and_the_columns_it_has() -> None:
    found = rejected(LAB_TEST, {"order_time": "x", "status": "odd", "Rack": "7"})
    says = (frozenset(LAB_TEST) - {"status"}) | {"x:rack"}
    assert found.subjects == [Subject(RecordKind.LAB_TEST, ("T1", "0042"), says)]


def test_a_rejected_combined_row_names_both_its_records() -> None:
    found = rejected(LIS_COMBINED, {"test_date": "x"})
    assert [(each.kind, each.identity) for each in found.subjects] == [
        (RecordKind.LAB_TEST, ("T1", "0042")),
        (RecordKind.LAB_RESULT, ("T1", "0042")),
    ]
    pms = rejected(PMS_COMBINED, {"admission_date": "x"})
    assert [(each.kind, each.identity) for each in pms.subjects] == [
        (RecordKind.PATIENT, ("0042",)),
        (RecordKind.ADMISSION, ("C7", "0042")),
    ]


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        (LAB_TEST, {"test_id": ""}),
        (LAB_TEST, {"patient_id": "9" * 65}),
        (LAB_RESULT, {"result_id": "NA"}),
        (PMS_COMBINED, {"admission_id": ""}),
        (LIS_COMBINED, {"patient_id": ""}),
    ],
)
def test_a_rejected_row_that_cannot_name_all_its_records_names_none(
    row: dict[str, str], changes: dict[str, str]
) -> None:
    """Were a combined row settled by its patient alone, its admission would be forgotten."""
    assert rejected(row, changes).subjects == []


# -- local time


def test_local_times_follow_the_hospitals_clock() -> None:
    changes = {"order_date": "7/19/2024", "order_time": "12:00"}
    berlin = judged(LAB_TEST, changes).statements[0].values["ordered_at"]
    auckland = judged(LAB_TEST, changes, zone=ZoneInfo("Pacific/Auckland"))
    assert berlin == datetime(2024, 7, 19, 10, 0, tzinfo=UTC)
    assert auckland.statements[0].values["ordered_at"] == datetime(2024, 7, 19, 0, 0, tzinfo=UTC)


def test_a_feed_may_declare_that_the_day_comes_first() -> None:
    changes = {"order_date": "2/3/2025", "order_time": "12:00"}
    (statement,) = judged(LAB_TEST, changes, day_first=True).statements
    assert statement.values["ordered_at"] == datetime(2025, 3, 2, 11, 0, tzinfo=UTC)
    assert rejected(LAB_TEST, {"order_date": "3/18/2025"}, day_first=True).reason is (
        RejectReason.BAD_DATE
    )


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        (LAB_TEST, {}),
        (LIS_COMBINED, {"test_date": "2025-03-18T10:00"}),
        (
            PMS_COMBINED,
            {"admission_date": "2025-03-18T10:00Z", "discharge_date": "2025-03-19 10:00"},
        ),
    ],
)
def test_without_a_zone_a_time_without_offset_stops_all(
    row: dict[str, str], changes: dict[str, str]
) -> None:
    with pytest.raises(TimeZoneNotSet, match="HOSPITAL_TIME_ZONE") as stopped:
        verdict(row, changes, zone=None)
    assert not stopped.value.is_permanent


def test_without_a_zone_times_with_an_offset_and_mere_dates_are_read() -> None:
    assert judged(LIS_COMBINED, zone=None).statements == judged(LIS_COMBINED).statements
    assert judged(PATIENT, zone=None).statements == judged(PATIENT).statements
    found = rejected(LIS_COMBINED, {"test_date": "1899-12-31T23:59:59Z"}, zone=None)
    assert found.reason is RejectReason.IMPLAUSIBLE


# -- whatever a row holds

CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *("", "NULL", "x", "42", "9" * 65, LONG, "Discharged", "Cancelled", "<5", "a, b"),
            *("3/18/2025", "2025-03-18T10:00", "2025-03-18T10:00Z", "10:00", "9:59 PM"),
            *("12/31/9999", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00+12:00", "1/1/1850"),
        ]
    ),
)
ZONES = st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("Pacific/Kiritimati")])


@given(st.data(), st.sampled_from(LAYOUTS), ZONES)
def test_any_row_is_judged_or_rejected(data: st.DataObject, layout: Layout, zone: ZoneInfo) -> None:
    names = [column.name for column in layout.columns]
    fields = data.draw(st.lists(CELL, min_size=len(names), max_size=len(names)))
    judge = Judge(recognise(names), source_time=NOON, zone=zone)
    found = judge.judge(fields)
    assert found == judge.judge(fields), "a row is judged by its own words alone"
    if isinstance(found, Rejection):
        assert found.column in names
        return
    for statement in found.statements:
        assert all(0 < len(part) <= 64 for part in statement.identity)
        for name in ("admitted_at", "ordered_at", "performed_at"):
            at = statement.values.get(name, NOON)
            assert isinstance(at, datetime)
            assert datetime(1899, 12, 31, tzinfo=UTC) < at <= NOON + timedelta(minutes=5)
        release = statement.values.get("release")
        if isinstance(release, Release):
            admitted_at = statement.values["admitted_at"]
            assert isinstance(admitted_at, datetime)
            assert release.at >= admitted_at
            assert release.confirmed is (release.at <= NOON + timedelta(minutes=5))
            release.at.astimezone(zone)
    flawed = {(flaw.column, flaw.reason) for flaw in found.flaws}
    assert len(flawed) == len(found.flaws)
