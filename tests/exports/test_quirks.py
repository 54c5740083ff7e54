"""What comes of the files written by hand, counted by hand."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.exports.quirks import CLOCK, ZONE, combined_set, split_set, write_to
from tests.oracle import Hospital

SPLIT = Hospital(ZONE).ingest(split_set())
COMBINED = Hospital(ZONE).ingest(combined_set())
FILES = {
    "pms-patients-2025-03-26T05-00-00Z.csv": (
        12,
        [(11, "missing"), (12, "columns"), (13, "encoding"), (14, "quote")],
        [
            (6, "date_of_birth", "bad_date"),
            (9, "date_of_birth", "implausible"),
            (10, "date_of_birth", "implausible"),
        ],
    ),
    "pms-patients-20250326T060000.5Z.csv": (3, [], []),
    "pms-admissions-2025-03-26T05-00-00Z.csv": (
        15,
        [
            (11, "future"),
            (12, "bad_date"),
            (13, "bad_time"),
            (14, "implausible"),
            (15, "missing"),
            (16, "too_long"),
        ],
        [
            (7, "release_time", "bad_time"),
            (8, "release_date", "release_before_admission"),
            (10, "release_date", "release_before_admission"),
        ],
    ),
    "pms-admissions-2025-03-26T05-30-00.250Z.csv": (2, [], []),
    "pms-admissions-2025-03-29T05-00-00Z.csv": (2, [], []),
    "lis-tests-2025-03-26T05-00-00Z.csv": (
        10,
        [(8, "missing"), (9, "future"), (10, "missing")],
        [(11, "ordering_physician", "too_long")],
    ),
    "lis-tests-20250327T050000Z.csv": (3, [], []),
    "lis-tests-2025-03-29T11-50-00Z.csv": (0, [], []),
    "lis-results-2025-03-26T05-00-00Z.csv": (8, [(9, "bad_time")], []),
    "lis-results-evening.csv": (4, [(5, "too_long")], []),
    "lis-results-2025-03-29T11-55-00Z.csv": (0, [], []),
}
COMBINED_FILES = {
    "adt-2025-03-26T05-00-00Z.csv": (
        8,
        [(7, "bad_time"), (9, "missing")],
        [(5, "discharge_date", "bad_date"), (8, "date_of_birth", "bad_date")],
    ),
    "adt-2025-03-26T06-00-00Z.csv": (1, [], []),
    "adt-2025-03-26T07-00-00Z.csv": (1, [], []),
    "lab-2025-03-26T05-00-00Z.csv": (
        8,
        [(6, "bad_time"), (7, "bad_date")],
        [(8, "admission_id", "too_long")],
    ),
    "lab-2025-03-26T06-00-00Z.csv": (2, [], []),
    "lab-2025-03-26T07-00-00Z.csv": (1, [], []),
}


@pytest.mark.parametrize(("hospital", "expected"), [(SPLIT, FILES), (COMBINED, COMBINED_FILES)])
def test_every_file_has_the_rows_rejections_and_flaws_that_its_comments_say(
    hospital: Hospital, expected: dict[str, tuple[int, list[object], list[object]]]
) -> None:
    ingested = [file for file in hospital.files if not file.refusal]
    found = {file.object.key: (file.rows, file.rejected, file.flaws) for file in ingested}
    assert found == expected


def test_four_files_are_refused_each_for_its_reason() -> None:
    refused = {file.object.key: file.refusal for file in SPLIT.files if file.refusal}
    assert refused == {
        "pms-renamed-2025-03-26T07-00-00Z.csv": "column_of_another_layout",
        "pms-twice-2025-03-26T07-00-00Z.csv": "column_twice",
        "lis-cut-2025-03-26T07-00-00Z.csv": "no_layout",
        "pms-patients-2035-03-26T07-00-00Z.csv": "source_time_in_the_future",
    }


def test_the_books_of_the_split_set() -> None:
    assert SPLIT.books() == {
        "patients": 8,
        "admissions": 9,
        "open_admissions": 7,
        "lab_tests": 6,
        "lab_results": 6,
        "waiting": {"admissions": 1, "lab_tests": 1, "lab_results": 3},
        "identity_conflicts": {"test_ids": 0, "case_numbers": 1},
        "rejected": {
            "bad_date": 1,
            "bad_time": 2,
            "columns": 1,
            "encoding": 1,
            "future": 2,
            "implausible": 1,
            "missing": 4,
            "quote": 1,
            "too_long": 2,
        },
        "dismissed": {},
        "flaws": {
            "bad_date": 1,
            "bad_time": 1,
            "implausible": 2,
            "release_before_admission": 2,
            "too_long": 1,
        },
        "files": {"ingested": 11, "refused": 4},
        "balanced": True,
    }


def test_the_books_of_the_combined_set() -> None:
    assert COMBINED.books() == {
        "patients": 6,
        "admissions": 6,
        "open_admissions": 5,
        "lab_tests": 5,
        "lab_results": 3,
        "waiting": {"admissions": 0, "lab_tests": 1, "lab_results": 0},
        "identity_conflicts": {"test_ids": 1, "case_numbers": 0},
        "rejected": {"bad_date": 1, "bad_time": 2, "missing": 1},
        "dismissed": {},
        "flaws": {"bad_date": 2, "too_long": 1},
        "files": {"ingested": 6, "refused": 0},
        "balanced": True,
    }


@pytest.mark.parametrize(
    ("key", "released", "planned", "department"),
    [
        ("A-1|1001", None, None, None),
        ("A-2|007", "2025-03-25T09:00:00+00:00", None, "Cardiology"),
        ("A-2|7", None, "2025-03-28T07:00:00+00:00", "Surgery"),
        ("A-4|1003", None, None, "Oncology"),
        ("A-5|1004", None, None, "Surgery"),
        ("A-14|1002", "2025-03-28T20:00:00+00:00", None, "Oncology"),
    ],
)
def test_the_latest_statement_of_each_attribute_is_on_record(
    key: str, released: str | None, planned: str | None, department: str | None
) -> None:
    admission = SPLIT.record()["admissions"][key]
    found = (admission["released_at"], admission["planned_release_at"], admission["department"])
    assert found == (released, planned, department)


@pytest.mark.parametrize(
    ("key", "waiting", "attached_to"),
    [
        ("r:R-1", None, "T-1|1001"),
        ("r:R-3", None, "T-2|007"),
        ("r:R-4", "test", None),
        ("r:R-6", "test", None),
        ("r:R-9", None, "T-2|7"),
        ("r:R-10", "test", None),
    ],
)
def test_each_result_has_its_test_or_waits(
    key: str, waiting: str | None, attached_to: str | None
) -> None:
    result = SPLIT.record()["lab_results"][key]
    assert (result["waiting"], result["attached_to"]) == (waiting, attached_to)


def test_the_patients_without_a_test_are_listed_longest_first() -> None:
    at = datetime(2025, 3, 29, 12, 0, tzinfo=UTC)  # both lab feeds spoke minutes ago
    listed = [
        (item["patient_id"], item["case_number"], item["hours_without_test"], item["state"])
        for item in SPLIT.overdue(at)
    ]
    assert listed == [
        ("7", "A-2", 197.0, "due"),
        ("1003", "A-4", 126.0, "due"),
        ("1004", "A-5", 126.0, "due"),
        ("1005", "A-6", 126.0, "due"),
        ("1002", "A-3", 122.0, "due"),
        ("1001", "A-1", 118.0, "due"),
        ("1009", "A-8", 78 + 11 / 12, "due"),
    ]
    assert {item["state"] for item in SPLIT.overdue(CLOCK)} == {"cannot_know"}


def test_the_combined_set_lists_whose_tests_do_not_count() -> None:
    at = datetime(2025, 3, 26, 7, 10, tzinfo=UTC)
    listed = [(item["patient_id"], item["state"]) for item in COMBINED.overdue(at)]
    assert listed == [("4", "due"), ("5", "due"), ("7", "due")]


def test_reversed_and_shuffled_with_every_file_twice_end_in_the_same_hospital() -> None:
    for objects in (split_set(), combined_set()):
        straight = Hospital(ZONE).ingest(objects)
        twice = objects * 2
        random.Random(7).shuffle(twice)
        for order in (objects[::-1], twice):
            other = Hospital(ZONE).ingest(order)
            assert other.record() == straight.record()
            assert other.books() == straight.books()
            assert other.overdue(CLOCK) == straight.overdue(CLOCK)


def test_written_files_carry_their_bytes_and_times(tmp_path: Path) -> None:
    objects = split_set()
    write_to(tmp_path / "inbox", objects)
    for each in objects:
        path = tmp_path / "inbox" / each.key
        assert path.read_bytes() == each.content
        assert path.stat().st_mtime == each.last_modified.timestamp()
