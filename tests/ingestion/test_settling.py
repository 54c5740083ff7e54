"""A rejected row leaves the work list once what was lost with it has been said again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.models import FeedFile, RejectedRow
from ingestion.queries import Doubt, doubts_at, freshness_of_feeds
from ingestion.services.books import books
from tests.deliveries import NOON, admission, deliver, deliver_lines, lab_result, lab_test, patient

pytestmark = pytest.mark.usefixtures("at_noon")

BEFORE = NOON - timedelta(minutes=5)
COMBINED = "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,ward"
GOOD = "P1,Emma,Brown,1990-01-31,C1,2025-03-19T08:00:00Z,ICU"
BAD = "P1,Emma,Brown,1990-01-31,C1,yesterday,ICU"


def settled() -> list[bool]:
    return [row.settled_at is not None for row in RejectedRow.objects.order_by("pk")]


def doubts() -> list[Doubt]:
    return doubts_at(NOON, feeds=freshness_of_feeds(NOON))


def a_bad_test(**more: str) -> dict[str, str]:
    return {**lab_test("T1", "P1", "Sodium", hours=5, **more), "order_time": "25:00"}


def test_a_later_version_settles_a_rejected_row_which_stays_in_its_ledger() -> None:
    deliver(patient("P1"))
    deliver(a_bad_test(), source="lis", at=BEFORE)
    assert [(doubt.kind, doubt.count) for doubt in doubts()] == [("lab_rows_rejected", 1)]

    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")

    assert settled() == [True]
    assert doubts() == []
    assert FeedFile.objects.order_by("pk")[1].rejected == 1
    assert books()["rejected"] == {"bad_time": 1}
    assert books()["balanced"] is True


def test_a_rejected_row_that_comes_after_its_later_version_is_settled_at_once() -> None:
    deliver(patient("P1"))
    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")
    deliver(a_bad_test(), source="lis", at=BEFORE)

    assert settled() == [True]


def test_an_earlier_version_settles_nothing() -> None:
    deliver(patient("P1"))
    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis", at=BEFORE)
    deliver(a_bad_test(), source="lis")

    assert settled() == [False]


def test_a_later_line_of_the_same_file_settles_an_earlier_one_and_not_the_reverse() -> None:
    deliver(patient("P1"))
    good = lab_test("T1", "P1", "Sodium", hours=5)
    deliver(a_bad_test(), good, a_bad_test(), source="lis")

    assert settled() == [True, False]


def test_a_version_with_fewer_columns_settles_nothing_since_it_does_not_say_it_again() -> None:
    deliver(patient("P1"))
    deliver(a_bad_test(ordering_physician="Dr House"), source="lis", at=BEFORE)

    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")
    assert settled() == [False]

    deliver(lab_test("T1", "P1", "Sodium", hours=5, ordering_physician=""), source="lis")
    assert settled() == [True]


def test_another_patients_test_with_the_same_number_settles_nothing() -> None:
    deliver(patient("P1"), patient("P2"))
    deliver(a_bad_test(), source="lis", at=BEFORE)
    deliver(lab_test("T1", "P2", "Sodium", hours=5), source="lis")

    assert settled() == [False]


def test_a_record_that_waits_settles_nothing_until_its_patient_has_come() -> None:
    deliver(a_bad_test(), source="lis", at=BEFORE)
    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")
    assert settled() == [False]

    deliver(patient("P1"))
    assert settled() == [True]


def test_a_result_settles_once_it_has_found_its_test() -> None:
    deliver(patient("P1"))
    bad = {**lab_result("R1", "T1", "5", hours=4), "performed_date": "soon"}
    deliver(bad, source="lis", at=BEFORE)
    deliver(lab_result("R1", "T1", "5", hours=4), source="lis")
    assert settled() == [False]

    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")
    assert settled() == [True]


def test_a_combined_row_is_settled_only_when_both_its_records_are_overtaken() -> None:
    deliver_lines(COMBINED, BAD, at=BEFORE)
    assert settled() == [False]

    deliver_lines(COMBINED.rsplit(",", 3)[0], GOOD.rsplit(",", 3)[0])
    assert settled() == [False]

    deliver_lines(COMBINED, GOOD)
    assert settled() == [True]


def test_a_rejected_combined_row_after_both_later_versions_is_settled_at_once() -> None:
    deliver_lines(COMBINED, GOOD)
    deliver_lines(COMBINED, BAD, at=BEFORE)

    assert settled() == [True]


def test_a_row_whose_identity_cannot_be_read_is_settled_by_nothing() -> None:
    deliver(patient("P1"))
    deliver({**lab_test("", "P1", "Sodium", hours=5)}, source="lis", at=BEFORE)
    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")

    assert settled() == [False]


def test_a_rejected_admission_row_counts_against_its_department() -> None:
    deliver({**admission("C1", "P1", hours=9, department="ICU"), "admission_date": "soon"})

    assert [(doubt.kind, doubt.department, doubt.count) for doubt in doubts()] == [
        ("admission_rows_rejected", "ICU", 1)
    ]
