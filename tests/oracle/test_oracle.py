"""The oracle by example: every expectation here was derived by hand from the contract."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.exports.files import BAD_BYTES, bytes_of, local_file
from tests.oracle import Declaration, ExportObject, Hospital

ZONE = "Asia/Jerusalem"  # UTC+2 until 28 March 2025, 02:00; UTC+3 after it
CLOCK = datetime(2025, 3, 21, 12, tzinfo=UTC)
MORNING = "2025-03-20T06-00-00Z"
NOON = "2025-03-20T12-00-00Z"
EVENING = "2025-03-20T18-00-00Z"

PATIENTS = "patient_id,first_name,last_name,date_of_birth"
ADMISSIONS = "patient_id,hospitalization_case_number,admission_date,admission_time"
TESTS = "test_id,patient_id,test_name,order_date,order_time"
RESULTS = "result_id,test_id,result_value,performed_date,performed_time"
ADA = "P1,Ada,Levi,1950-01-31"
BEN = "P2,Ben,Cohen,1960-02-29"
PMS_COMBINED = "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date"
LIS_COMBINED = "test_id,patient_id,test_type,test_date"


def a_file(
    *lines: str, stamp: str = MORNING, name: str = "a", encoding: str = "utf-8", **more: Any
) -> ExportObject:
    more = {"last_modified": CLOCK, "received_at": CLOCK} | more
    return local_file(f"{name}-{stamp}.csv", bytes_of(lines, encoding=encoding), **more)


def hospital_of(*objects: ExportObject, **more: Any) -> Hospital:
    return Hospital(ZONE, **more).ingest(objects)


def rejected_in(*lines: str, **more: Any) -> list[tuple[int, str]]:
    return hospital_of(a_file(*lines, **more)).files[0].rejected


def flaws_in(*lines: str, **more: Any) -> list[tuple[int, str, str]]:
    return hospital_of(a_file(*lines, **more)).files[0].flaws


def admission_of(*objects: ExportObject) -> dict[str, Any]:
    record = hospital_of(a_file(PATIENTS, ADA, name="p"), *objects).record()
    return record["admissions"]["C1|P1"]


def result_of(*objects: ExportObject, key: str = "r:R1") -> dict[str, Any]:
    return hospital_of(*objects).record()["lab_results"][key]


# Names and layouts


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pms/2025-03-20T05-20-00Z.csv", datetime(2025, 3, 20, 5, 20, tzinfo=UTC)),
        ("x20250101_20250320T052000.25Z", datetime(2025, 3, 20, 5, 20, 0, 250_000, tzinfo=UTC)),
        ("2025-13-20T05-20-00Z-20250320T052000Z", datetime(2025, 3, 20, 5, 20, tzinfo=UTC)),
        ("2025-03-20T05:20:00Z.csv", CLOCK),
        ("patients.csv", CLOCK),
    ],
)
def test_the_first_valid_stamp_in_the_name_is_the_source_time(
    name: str, expected: datetime
) -> None:
    file = local_file(name, b"", last_modified=CLOCK, received_at=CLOCK)
    assert file.source_time == expected


@pytest.mark.parametrize(
    ("header", "layout", "refusal"),
    [
        (" PATIENT_ID ,First_Name,last_name,date_of_birth", "pms.patients", None),
        (" \ufeff  \ufeff " + PATIENTS + "\ufeff ", "pms.patients", None),
        (PATIENTS + ",shoe_size", "pms.patients", None),
        (PATIENTS + ",test_id", "pms.patients", None),
        (PATIENTS + ",admission_id", None, "column_of_another_layout"),
        (PATIENTS + ",Gender,GENDER", None, "column_twice"),
        (PMS_COMBINED, "pms.combined", None),
        (PMS_COMBINED + ",admission_time", None, "column_of_another_layout"),
        (TESTS + ",result", "lis.lab_tests", None),
        (TESTS + ",test_date", None, "column_of_another_layout"),
        (LIS_COMBINED, "lis.combined", None),
        ("patient_id,first_name,last_name", None, "no_layout"),
        ("patient_id,first_name,last_name,last_name", None, "no_layout"),  # the first in the list
        ("", None, "no_header"),
        ("   ", None, "no_header"),
    ],
)
def test_a_header_belongs_to_the_layout_with_the_most_required_columns(
    header: str, layout: str | None, refusal: str | None
) -> None:
    (file,) = hospital_of(a_file(header)).files
    assert (file.layout, file.refusal) == (layout, refusal)


@pytest.mark.parametrize(
    ("ahead", "refusal"),
    [
        (timedelta(minutes=10), None),
        (timedelta(minutes=10, seconds=1), "source_time_in_the_future"),
    ],
)
def test_a_source_time_over_ten_minutes_ahead_of_the_clock_is_refused(
    ahead: timedelta, refusal: str | None
) -> None:
    hospital = hospital_of(a_file(PATIENTS, ADA, stamp="", last_modified=CLOCK + ahead))
    assert hospital.files[0].refusal == refusal
    assert hospital.books()["patients"] == (0 if refusal else 1)


# Reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_say_the_same(encoding: str, delimiter: str) -> None:
    lines = [PATIENTS, "", "  ", "007,דוד,Null,3/4/1950"]
    written = [line.replace(",", delimiter) for line in lines]
    assert hospital_of(a_file(*written, encoding=encoding)).record()["patients"] == {
        "007": {
            "first_name": "דוד",
            "last_name": "Null",
            "date_of_birth": "1950-03-04",
            "gender": None,
            "primary_physician": None,
            "insurance_provider": None,
            "blood_type": None,
            "allergies": None,
            "extra": {},
        }
    }


def test_a_declared_encoding_and_date_order_count_for_their_feed_alone() -> None:
    declared = {("pms.patients", "old"): Declaration(encoding="cp1255", is_day_first=True)}
    file = a_file(PATIENTS, "P1,דוד,Levi,3/4/1950", encoding="cp1255", source="old")
    patient = hospital_of(file, declarations=declared).record()["patients"]["P1"]
    assert (patient["first_name"], patient["date_of_birth"]) == ("דוד", "1950-04-03")
    other = a_file(PATIENTS, "P1,דוד,Levi,3/4/1950", encoding="cp1255", source="new")
    assert hospital_of(other, declarations=declared).files[0].rejected == [(2, "encoding")]


def test_a_quoted_field_holds_delimiters_quotes_and_line_breaks() -> None:
    file = a_file(PATIENTS, 'P1,"A, ""da""', 'the first",Le"vi,1950-01-31', BEN)
    hospital = hospital_of(file)
    patient = hospital.record()["patients"]["P1"]
    assert (patient["first_name"], patient["last_name"]) == ('A, "da"\nthe first', 'Le"vi')
    assert hospital.files[0].rows == 2


@pytest.mark.parametrize(
    ("rows", "rejected", "count"),
    [
        (['P1,"Ada,Levi,1950-01-31', BEN], [(2, "quote")], 2),  # line 3 is a row by itself
        (['P1,"Ada"x,Levi,1950-01-31', BEN], [(2, "quote")], 2),
        (["P1,Ada,Levi,1950-01-31", 'P2,Ben,Cohen,"1960'], [(3, "quote")], 2),
        (['P1,"A', *["x"] * 18, 'a",Levi,1950-01-31'], [], 1),  # 20 lines in all
        (
            ['P1,"A', *["x"] * 19, 'a",Levi,1950-01-31'],  # 21: every line for itself
            [(2, "quote"), *((line, "columns") for line in range(3, 23))],
            21,
        ),
        (['P1,"A', 'a","Le', 'vi"x,1950-01-31'], [(2, "quote"), (3, "quote"), (4, "columns")], 3),
    ],
)
def test_an_unclosed_quote_swallows_no_row(
    rows: list[str], rejected: list[tuple[int, str]], count: int
) -> None:
    (file,) = hospital_of(a_file(PATIENTS, *rows)).files
    assert (file.rejected, file.rows) == (rejected, count)


def test_a_row_of_the_wrong_form_is_rejected_for_the_first_reason_of_the_table() -> None:
    rows = [
        "P1,Ada,Levi",
        ADA + ",more",
        f"P1,A{BAD_BYTES}a,Levi",
        "P1,A\0a,Levi,1950-01-31",
        f'P1,A{BAD_BYTES}a,"Levi,1950-01-31',
        "P1," + "x" * 1024 * 1024 + ",Levi,1950-01-31",
        BEN,
    ]
    hospital = hospital_of(a_file(PATIENTS, *rows))
    assert hospital.files[0].rejected == [
        (2, "columns"),
        (3, "columns"),
        (4, "encoding"),
        (5, "encoding"),
        (6, "encoding"),
        (7, "too_long"),
    ]
    assert list(hospital.record()["patients"]) == ["P2"]


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("3/19/2025", "8:05 AM", "2025-03-19T06:05:00+00:00"),
        ("03/19/2025", "12:05:06 AM", "2025-03-18T22:05:06+00:00"),
        ("2025-03-19", "12:05 PM", "2025-03-19T10:05:00+00:00"),
        ("2025-03-19", "0:05", "2025-03-18T22:05:00+00:00"),
        ("2025-03-19T23:59:00+09:00", "20:05:07", "2025-03-19T18:05:07+00:00"),
        ('"2025-03-19T23:59:00,5+09:00"', "20:05:07", "2025-03-19T18:05:07+00:00"),
        ("2024-10-27", "1:30", "2024-10-26T22:30:00+00:00"),  # occurs twice: the earlier
        ("2024-03-29", "2:30", "2024-03-29T00:30:00+00:00"),  # skipped: the offset before
    ],
)
def test_a_date_and_its_time_are_one_instant(date: str, time: str, expected: str) -> None:
    admission = admission_of(a_file(ADMISSIONS, f"P1,C1,{date},{time}"))
    assert admission["admitted_at"] == expected


@pytest.mark.parametrize(
    ("date", "time", "reason"),
    [
        ("13/1/2025", "8:00", "bad_date"),
        ("2025-3-19", "8:00", "bad_date"),
        ("3/19/25", "8:00", "bad_date"),
        ("2025-03-19T25:00", "8:00", "bad_date"),
        ("3/19/2025", "24:00", "bad_time"),
        ("3/19/2025", "0:30 AM", "bad_time"),
        ("3/19/2025", "13:30 PM", "bad_time"),
        ("soon", "soon", "bad_date"),
        ("3/19/2025", "n/a", "missing"),
        ("NULL", "soon", "bad_time"),
        ("3/20/2025", "8:05:01", "future"),  # 06:05:01 UTC, the file speaks for 06:00
        ("12/31/1899", "23:59", "implausible"),
    ],
)
def test_a_fault_in_a_vital_time_rejects_the_row(date: str, time: str, reason: str) -> None:
    assert rejected_in(ADMISSIONS, f"P1,C1,{date},{time}") == [(2, reason)]


def test_five_minutes_after_the_source_time_are_allowed() -> None:
    assert rejected_in(ADMISSIONS, "P1,C1,3/20/2025,8:05:00") == []


def test_identifiers_have_64_characters_and_other_texts_1000() -> None:
    assert rejected_in(TESTS, f"{'1' * 65},P1,Sodium,3/19/2025,8:00") == [(2, "too_long")]
    assert rejected_in(TESTS, f"T1,P1,{'x' * 1001},3/19/2025,8:00") == [(2, "too_long")]
    assert rejected_in(TESTS, f"{'1' * 64},P1,{'x' * 1000},3/19/2025,8:00") == []
    assert flaws_in(PATIENTS, f"P1,{'x' * 1001},Levi,1950-01-31") == [(2, "first_name", "too_long")]


def test_a_test_without_a_name_is_rejected() -> None:
    assert rejected_in(TESTS, "T1,P1,NA,3/19/2025,8:00") == [(2, "missing")]


def test_a_faulty_date_of_birth_is_a_flaw_and_the_patient_is_there() -> None:
    rows = ["P1,A,B,1950-31-31", "P2,A,B,3/21/2025", "P3,A,B,3/19/1895", "P4,A,B,3/20/1895"]
    hospital = hospital_of(a_file(PATIENTS, *rows))
    assert hospital.files[0].flaws == [
        (2, "date_of_birth", "bad_date"),
        (3, "date_of_birth", "implausible"),
        (4, "date_of_birth", "implausible"),
    ]
    born = {key: each["date_of_birth"] for key, each in hospital.record()["patients"].items()}
    assert born == {"P1": None, "P2": None, "P3": None, "P4": "1895-03-20"}


# Releases


@pytest.mark.parametrize(
    ("date", "time", "released", "planned", "flaws"),
    [
        ("3/20/2025", "8:05", "2025-03-20T06:05:00+00:00", None, []),  # five minutes allowed
        ("3/20/2025", "8:05:01", None, "2025-03-20T06:05:01+00:00", []),
        ("3/20/2025", "", "2025-03-20T06:00:00+00:00", None, []),  # the source time
        ("3/19/2025", "", "2025-03-19T21:59:59+00:00", None, []),  # the day's last second
        ("3/21/2025", "", None, "2025-03-21T21:59:59+00:00", []),
        ("", "8:00", None, None, []),
        ("3/20/2025", "25:00", None, None, [(2, "release_time", "bad_time")]),
        ("3/32/2025", "8:00", None, None, [(2, "release_date", "bad_date")]),
        ("3/18/2025", "7:59", None, None, [(2, "release_date", "release_before_admission")]),
        ("3/18/2025", "8:00", "2025-03-18T06:00:00+00:00", None, []),
        ("3/18/1825", "8:00", None, None, [(2, "release_date", "implausible")]),
        (
            "x",
            "x",
            None,
            None,
            [(2, "release_date", "bad_date"), (2, "release_time", "bad_time")],
        ),
    ],
)
def test_a_release_closes_only_when_it_is_sure(
    date: str,
    time: str,
    released: str | None,
    planned: str | None,
    flaws: list[tuple[int, str, str]],
) -> None:
    header = ADMISSIONS + ",release_date,release_time"
    file = a_file(header, f"P1,C1,3/18/2025,8:00,{date},{time}")
    admission = admission_of(file)
    assert (admission["released_at"], admission["planned_release_at"]) == (released, planned)
    assert hospital_of(file).files[0].flaws == flaws


def test_a_release_before_the_admission_on_record_counts_as_missing() -> None:
    first = a_file(ADMISSIONS + ",release_date,release_time", "P1,C1,3/18/2025,8:00,3/19/2025,8:00")
    later = a_file(ADMISSIONS, "P1,C1,3/19/2025,9:00", stamp=NOON)
    assert admission_of(first)["released_at"] == "2025-03-19T06:00:00+00:00"
    assert admission_of(first, later)["released_at"] is None


def test_a_later_file_without_release_columns_says_nothing_of_the_release() -> None:
    first = a_file(
        ADMISSIONS + ",release_date,department", "P1,C1,3/18/2025,8:00,3/19/2025,Surgery"
    )
    later = a_file(ADMISSIONS + ",room_number", "P1,C1,3/18/2025,8:00,7b", stamp=NOON)
    again = a_file(ADMISSIONS + ",release_date", "P1,C1,3/18/2025,8:00,NULL", stamp=EVENING)
    both = admission_of(later, first)
    assert (both["released_at"], both["department"], both["room"]) == (
        "2025-03-19T21:59:59+00:00",
        "Surgery",
        "7b",
    )
    assert admission_of(again, later, first)["released_at"] is None


# Which version wins


@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        ({"stamp": MORNING, "name": "z"}, {"stamp": NOON, "name": "a"}),
        ({"stamp": MORNING, "name": "Z"}, {"stamp": MORNING, "name": "a"}),
        ({"stamp": "20250320T060000Z"}, {"stamp": MORNING, "name": "b"}),
        (
            {"stamp": MORNING, "last_modified": CLOCK - timedelta(hours=1)},
            {"stamp": MORNING, "last_modified": CLOCK},
        ),
    ],
)
def test_source_time_then_key_then_last_modified_decide(
    loser: dict[str, Any], winner: dict[str, Any]
) -> None:
    objects = [
        a_file(PATIENTS, "P1,Loser,Levi,1950-01-31", **loser),
        a_file(PATIENTS, "P1,Winner,Levi,1950-01-31", **winner),
    ]
    for order in (objects, objects[::-1], objects * 2):
        assert hospital_of(*order).record()["patients"]["P1"]["first_name"] == "Winner"


def test_the_greater_version_and_inside_one_file_the_later_line_win() -> None:
    def version(name: str, *rows: str) -> ExportObject:
        return ExportObject(
            bucket="b",
            key="k",
            version=name,
            last_modified=CLOCK,
            received_at=CLOCK,
            content=bytes_of([PATIENTS, *rows]),
        )

    both = hospital_of(version("2", "P1,Two,L,", "P1,Last,L,"), version("10", "P1,Ten,L,"))
    assert both.record()["patients"]["P1"]["first_name"] == "Last"


def test_a_missing_value_is_stated_and_extra_data_is_kept_by_column() -> None:
    first = a_file(PATIENTS + ",gender,Shoe_Size,note", "P1,Ada,Levi,1950-01-31,F,39,quiet")
    later = a_file(PATIENTS + ",gender,NOTE", "P1,,Levi,N/A,null,NA", stamp=NOON)
    assert hospital_of(later, first).record()["patients"]["P1"] == {
        "first_name": None,
        "last_name": "Levi",
        "date_of_birth": None,
        "gender": None,
        "primary_physician": None,
        "insurance_provider": None,
        "blood_type": None,
        "allergies": None,
        "extra": {"shoe_size": "39"},
    }


def test_content_that_comes_back_as_the_newest_is_a_file_of_its_own() -> None:
    def at(hour: int, name: str) -> ExportObject:
        modified = datetime(2025, 3, 20, hour, tzinfo=UTC)
        return a_file(PATIENTS, f"P1,{name},L,", stamp="", last_modified=modified)

    back = hospital_of(at(6, "Old"), at(8, "New"), at(10, "Old"))
    assert back.record()["patients"]["P1"]["first_name"] == "Old"
    assert back.books()["files"] == {"ingested": 3, "refused": 0}
    touched = hospital_of(at(6, "Old"), at(10, "Old"), at(12, "New"))
    assert touched.record()["patients"]["P1"]["first_name"] == "New"
    assert touched.books()["files"] == {"ingested": 3, "refused": 0}


# Waiting, identity and conflicts

PEOPLE = a_file(PATIENTS, ADA, BEN, name="people")
T1_OF_ADA = a_file(TESTS + ",status", "T1,P1,Sodium,3/19/2025,8:00,Ordered", name="t1a")
T1_OF_BEN = a_file(TESTS, "T1,P2,Sodium,3/19/2025,9:00", name="t1b")
T1_OF_BEN_OFF = a_file(
    TESTS + ",status", "T1,P2,Sodium,3/19/2025,9:00,CANCELED", stamp=NOON, name="t1b"
)
T1_OF_ADA_OFF = a_file(
    TESTS + ",status", "T1,P1,Sodium,3/19/2025,8:00,Deleted", stamp=NOON, name="t1a"
)
R1 = a_file(RESULTS, "R1,T1,140,3/19/2025,10:00", name="r1")
R1_OF_BEN = a_file(RESULTS + ",patient_id", "R1,T1,140,3/19/2025,10:00,P2", name="r1b")


@pytest.mark.parametrize(
    ("objects", "waiting", "attached_to"),
    [
        ([R1, PEOPLE], "test", None),
        ([R1, T1_OF_ADA], "test", None),  # the test itself waits for its patient
        ([R1, T1_OF_ADA, PEOPLE], None, "T1|P1"),
        ([R1, T1_OF_ADA, PEOPLE, T1_OF_BEN], "ambiguous_test", None),
        ([R1, T1_OF_ADA, T1_OF_BEN], "ambiguous_test", None),
        ([R1, T1_OF_ADA, PEOPLE, T1_OF_BEN, T1_OF_BEN_OFF], None, "T1|P1"),
        ([R1, PEOPLE, T1_OF_BEN, T1_OF_BEN_OFF], None, "T1|P2"),
        ([R1, PEOPLE, T1_OF_BEN, T1_OF_BEN_OFF, T1_OF_ADA_OFF], "ambiguous_test", None),
        ([R1_OF_BEN, PEOPLE, T1_OF_ADA], "test", None),
        ([R1_OF_BEN, PEOPLE, T1_OF_ADA, T1_OF_BEN], None, "T1|P2"),
    ],
)
def test_a_result_belongs_to_one_test_or_to_nobody(
    objects: Sequence[ExportObject], waiting: str | None, attached_to: str | None
) -> None:
    result = result_of(*objects)
    assert (result["waiting"], result["attached_to"]) == (waiting, attached_to)


def test_a_result_that_once_named_its_patient_still_does() -> None:
    later = a_file(RESULTS + ",patient_id", "R1,T1,141,3/19/2025,10:00,NULL", stamp=NOON)
    result = result_of(R1_OF_BEN, PEOPLE, T1_OF_ADA, T1_OF_BEN, later)
    assert (result["attached_to"], result["value"]) == ("T1|P2", "141")


def test_the_books_count_what_waits_and_what_is_contested() -> None:
    admissions = a_file(
        ADMISSIONS, "P1,C1,3/18/2025,8:00", "P2,C1,3/18/2025,8:00", "P9,C2,3/18/2025,8:00"
    )
    stranger = a_file(TESTS, "T9,P9,Sodium,3/19/2025,8:00", name="t9")
    bad = a_file(TESTS, "T9,P9,Sodium,soon,8:00", "T9,P9", name="bad")
    hospital = hospital_of(PEOPLE, T1_OF_ADA, T1_OF_BEN, R1, admissions, stranger, bad, bad)
    assert hospital.ingest([a_file("x")]).books() == {
        "patients": 2,
        "admissions": 2,
        "open_admissions": 2,
        "lab_tests": 2,
        "lab_results": 0,
        "waiting": {"admissions": 1, "lab_tests": 1, "lab_results": 1},
        "identity_conflicts": {"test_ids": 1, "case_numbers": 1},
        "rejected": {"bad_date": 1, "columns": 1},
        "dismissed": {},
        "flaws": {},
        "files": {"ingested": 7, "refused": 1},
        "balanced": True,
    }


@pytest.mark.parametrize(
    ("status", "stored", "is_cancelled"),
    [
        ("completed", "completed", False),
        ("", "Cancelled", True),
        ("mislaid", "Cancelled", True),
        ("NOT PERFORMED", "NOT PERFORMED", True),
    ],
)
def test_an_unlisted_status_says_nothing(status: str, stored: str, is_cancelled: bool) -> None:
    first = a_file(TESTS + ",status", "T1,P1,Sodium,3/19/2025,8:00,Cancelled", name="a")
    later = a_file(TESTS + ",status", f"T1,P1,Sodium,3/19/2025,8:00,{status}", name="b")
    test = hospital_of(PEOPLE, first, later).record()["lab_tests"]["T1|P1"]
    assert (test["status"], test["is_cancelled"]) == (stored, is_cancelled)


@pytest.mark.parametrize(
    ("value", "number", "comparator"),
    [
        ("5.40", "5.4", None),
        ("<0.1", "0.1", "<"),
        ("-007", "-7", None),
        ("100", "1E+2", None),
        ("1,5", None, None),
        ("positive", None, None),
        ("NaN", None, None),
    ],
)
def test_a_value_is_kept_as_sent_and_as_a_number_where_it_is_one(
    value: str, number: str | None, comparator: str | None
) -> None:
    file = a_file(RESULTS, f'R1,T1,"{value}",3/19/2025,10:00')
    result = result_of(file)
    found = (result["value"], result["number"], result["comparator"])
    assert found == (value, number, comparator)


def test_a_unit_with_more_than_one_entry_is_ambiguous() -> None:
    header = RESULTS + ",result_unit"
    two = result_of(a_file(header, 'R1,T1,5,3/19/2025,10:00,"mmol/L, mg/dL"'))
    one = result_of(a_file(header, "R1,T1,5,3/19/2025,10:00,mg/dL"))
    assert (two["unit"], two["unit_is_ambiguous"]) == ("mmol/L, mg/dL", True)
    assert (one["unit"], one["unit_is_ambiguous"]) == ("mg/dL", False)


# Combined layouts


@pytest.mark.parametrize(
    ("status", "discharge", "released", "planned"),
    [
        ("Discharged", "", "2025-03-20T06:00:00+00:00", None),
        ("discharged", "2025-03-19T10:00", "2025-03-19T08:00:00+00:00", None),
        ("Active", "", None, None),
        ("Active", "2025-03-25 10:00", None, "2025-03-25T08:00:00+00:00"),
        ("Discharged", "soon", None, None),
        ("Discharged", "2025-03-19", None, None),
        ("Discharged", "2025-03-17T10:00", None, None),
    ],
)
def test_a_combined_row_admits_and_releases(
    status: str, discharge: str, released: str | None, planned: str | None
) -> None:
    header = PMS_COMBINED + ",status,discharge_date,ward,bed_number"
    row = f"{ADA},C1,2025-03-18T08:00Z,{status},{discharge},Surgery,7b"
    record = hospital_of(a_file(header, row)).record()
    assert record["admissions"]["C1|P1"] == {
        "waiting": False,
        "admitted_at": "2025-03-18T08:00:00+00:00",
        "released_at": released,
        "planned_release_at": planned,
        "department": "Surgery",
        "room": "7b",
        "extra": {},
    }


def test_a_fault_in_one_half_of_a_combined_row_rejects_both() -> None:
    hospital = hospital_of(a_file(PMS_COMBINED, f"{ADA},C1,3/18/2025"))
    assert hospital.files[0].rejected == [(2, "bad_time")]
    assert hospital.books()["patients"] == 0


def test_a_combined_test_waits_once_and_a_later_row_takes_its_result_back() -> None:
    header = LIS_COMBINED + ",result,admission_id"
    first = a_file(header, "T1,P1,Sodium,2025-03-19T08:00,140,C1", name="l")
    silent = a_file(LIS_COMBINED, "T1,P1,Sodium,2025-03-19T09:00", stamp=NOON, name="l")
    back = a_file(header, "T1,P1,Sodium,2025-03-19T08:00,NULL,C1", stamp=EVENING, name="l")
    waiting = hospital_of(first, silent).books()["waiting"]
    assert waiting == {"admissions": 0, "lab_tests": 1, "lab_results": 0}
    result = result_of(PEOPLE, silent, first, key="t:T1|P1")
    assert (result["attached_to"], result["value"]) == ("T1|P1", "140")
    assert result["performed_at"] == "2025-03-19T06:00:00+00:00"
    taken = hospital_of(PEOPLE, back, silent, first)
    assert taken.record()["lab_results"] == {}
    assert taken.record()["lab_tests"]["T1|P1"]["case_number"] == "C1"


# Section 6

AT = datetime(2025, 3, 20, 6, 10, tzinfo=UTC)  # ten minutes after MORNING
IN_BED = a_file(ADMISSIONS + ",department", "P1,C1,3/17/2025,8:00,Surgery", name="bed")
LIVE = a_file(TESTS, name="live")  # a header alone keeps its feed alive


def overdue(*objects: ExportObject, at: datetime = AT, **more: Any) -> list[tuple[float, str]]:
    listed = hospital_of(PEOPLE, IN_BED, *objects, **more).overdue(at)
    return [(item["hours_without_test"], item["state"]) for item in listed]


def test_an_overdue_item_has_the_shape_of_the_command() -> None:
    assert hospital_of(PEOPLE, IN_BED, LIVE).overdue(AT) == [
        {
            "patient_id": "P1",
            "case_number": "C1",
            "name": "Ada Levi",
            "department": "Surgery",
            "room": None,
            "admitted_at": "2025-03-17T06:00:00+00:00",
            "last_test_at": None,
            "hours_without_test": 72 + 1 / 6,
            "state": "due",
        }
    ]


def test_the_alert_is_due_beyond_the_threshold_and_not_at_it() -> None:
    at = datetime(2025, 3, 19, 6, 0, tzinfo=UTC)
    live = a_file(TESTS, stamp="20250319T060000Z")
    assert overdue(live, at=at) == []
    (item,) = overdue(live, at=at + timedelta(seconds=36))
    assert item == (48.01, "due")


def test_a_departments_rule_comes_before_the_48_hours() -> None:
    assert overdue(LIVE, thresholds={"Surgery": 73}) == []
    assert overdue(LIVE, thresholds={"Surgery": 72}) == [(72 + 1 / 6, "due")]


@pytest.mark.parametrize(
    ("objects", "hours"),
    [
        ([], 72 + 1 / 6),
        ([a_file(TESTS, "T1,P1,Sodium,3/17/2025,20:10")], 60.0),
        ([a_file(TESTS + ",status", "T1,P1,Sodium,3/17/2025,20:10,Rejected")], 72 + 1 / 6),
        (
            [
                a_file(TESTS, "T1,P1,Sodium,3/17/2025,20:10"),
                a_file(RESULTS, "R1,T1,,3/18/2025,0:10"),
            ],
            56.0,
        ),
        (
            [
                a_file(TESTS, "T1,P1,Sodium,3/17/2025,20:10"),
                a_file(RESULTS + ",result_status", "R1,T1,140,3/18/2025,0:10,deleted"),
            ],
            60.0,
        ),
        (
            [
                a_file(TESTS, "T1,P1,Sodium,3/17/2025,20:10", "T1,P9,Sodium,3/17/2025,20:10"),
                a_file(RESULTS, "R1,T1,140,3/18/2025,0:10"),
            ],
            60.0,
        ),
        ([a_file(TESTS, "T1,P1,Sodium,3/10/2025,8:00")], 72 + 1 / 6),
    ],
)
def test_the_hours_count_from_the_last_test_that_counts(
    objects: list[ExportObject], hours: float
) -> None:
    named = [
        local_file(f"{n}-{MORNING}", each.content, last_modified=CLOCK, received_at=CLOCK)
        for n, each in enumerate(objects)
    ]
    assert overdue(LIVE, *named) == [(hours, "due")]


def test_one_silent_laboratory_makes_it_cannot_know_and_never_less() -> None:
    old = a_file(TESTS, stamp="20250320T055459Z", source="lab-b")  # 15 minutes and 1 second
    young = a_file(TESTS, stamp="20250320T055500Z", source="lab-b")
    assert overdue(LIVE, young) == [(72 + 1 / 6, "due")]
    assert overdue(LIVE, old) == [(72 + 1 / 6, "cannot_know")]
    retired = {("lis.lab_tests", "lab-b"): Declaration(is_retired=True)}
    assert overdue(LIVE, old, declarations=retired) == [(72 + 1 / 6, "due")]
    patient = {("lis.lab_tests", "lab-b"): Declaration(interval=timedelta(minutes=16))}
    assert overdue(LIVE, old, declarations=patient) == [(72 + 1 / 6, "due")]


def test_a_refused_file_keeps_no_feed_alive_and_starts_none() -> None:
    late = a_file(TESTS + ",test_date", name="z", source="lab-b")
    assert overdue(LIVE, late) == [(72 + 1 / 6, "due")]
    assert overdue(a_file(TESTS, stamp="20250319T060000Z"), a_file(TESTS + ",test_date")) == [
        (72 + 1 / 6, "cannot_know")
    ]


def test_an_earlier_instant_ignores_what_is_later_than_it() -> None:
    later = a_file(TESTS, "T1,P1,Sodium,3/20/2025,13:00", stamp=NOON)
    assert overdue(LIVE, later) == [(72 + 1 / 6, "due")]
    assert overdue(LIVE, later, at=datetime(2025, 3, 20, 12, 10, tzinfo=UTC)) == []
    assert overdue(later) == [(72 + 1 / 6, "cannot_know")]  # that feed had not delivered yet
    assert overdue(LIVE, at=datetime(2025, 3, 17, 5, 59, tzinfo=UTC)) == []


def test_a_release_is_judged_as_it_stands_now() -> None:
    header = ADMISSIONS + ",release_date"
    gone = a_file(header, "P1,C1,3/17/2025,8:00,3/20/2025", stamp=EVENING)
    plan = a_file(header, "P1,C1,3/17/2025,8:00,3/21/2025", stamp=EVENING)
    assert overdue(LIVE, gone) == []
    assert overdue(LIVE, plan) == [(72 + 1 / 6, "due")]


def test_two_patients_under_one_case_number_are_both_watched() -> None:
    twin = a_file(ADMISSIONS, "P2,C1,3/17/2025,8:00", name="twin")
    listed = hospital_of(PEOPLE, IN_BED, twin, LIVE).overdue(AT)
    assert [(item["patient_id"], item["case_number"]) for item in listed] == [
        ("P1", "C1"),
        ("P2", "C1"),
    ]
    assert hospital_of(PEOPLE, IN_BED, twin).overdue(AT, department="Surgery")[0]["room"] is None
