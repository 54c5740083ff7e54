"""Rows that come before their parent wait, are counted, and find it by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import queries
from ingestion.models import Admission, FeedFile, LabResult, LabTest, Patient, WaitingRow
from ingestion.services.books import books
from tests.deliveries import (
    NOON,
    admission,
    deliver,
    deliver_lines,
    lab_result,
    lab_test,
    patient,
)

pytestmark = pytest.mark.usefixtures("at_noon")


def waits() -> list[tuple[str, list[str], str, bool]]:
    return [
        (row.kind, row.identity, row.reason, row.applied_at is not None)
        for row in WaitingRow.objects.order_by("pk")
    ]


def where(result: str) -> tuple[str | None, str | None]:
    """The patient to whom a result belongs, and what it waits for."""
    one = LabResult.objects.select_related("lab_test").get(result_id=result)
    return (one.lab_test.patient_number if one.lab_test else None, one.waits_for)


def order(test: str, number: str, **more: str) -> None:
    deliver(lab_test(test, number, "Sodium", hours=5, **more), source="lis")


def perform(result: str, test: str, **more: str) -> None:
    deliver(lab_result(result, test, "5", hours=4, **more), source="lis")


def last_test(number: str) -> float | None:
    """Hours since the patient's last test."""
    at = Patient.objects.get(patient_id=number).last_test_at
    return None if at is None else (NOON - at) / timedelta(hours=1)


def test_waiting_rows_say_what_they_wait_for_and_what_became_of_them() -> None:
    perform("R1", "T1")
    order("T1", "P1")
    deliver(admission("C1", "P1", hours=9))

    assert waits() == [
        ("lab_result", ["R1"], "test", False),
        ("lab_test", ["T1", "P1"], "patient", False),
        ("admission", ["C1", "P1"], "patient", False),
    ]
    assert queries.waiting_counts() == {"admissions": 1, "lab_tests": 1, "lab_results": 1}

    deliver(patient("P1"))

    assert [applied for *_, applied in waits()] == [True, True, True]
    assert queries.waiting_counts() == {"admissions": 0, "lab_tests": 0, "lab_results": 0}
    assert where("R1") == ("P1", None)
    assert last_test("P1") == 4.0
    assert Admission.objects.get().quiet_since == NOON - timedelta(hours=4)
    assert [file.waiting for file in FeedFile.objects.order_by("pk")] == [1, 1, 1, 0]
    assert books()["balanced"] is True


def test_only_the_rows_whose_parent_has_come_are_marked_as_applied() -> None:
    for number in ("P1", "P9"):
        order("T1", number)
        deliver(admission("C1", number, hours=9))
        perform(f"R{number}", f"T{number}")
    deliver(patient("P1"))

    assert [(identity, applied) for _, identity, _, applied in waits()] == [
        (["T1", "P1"], True),
        (["C1", "P1"], True),
        (["RP1"], False),
        (["T1", "P9"], False),
        (["C1", "P9"], False),
        (["RP9"], False),
    ]


def test_a_record_that_waits_is_listed_once_in_its_latest_version() -> None:
    order("T1", "P1")
    order("T1", "P1", status="Ordered")

    assert queries.waiting_counts()["lab_tests"] == 1
    (one,) = queries.waiting_records(limit=9)
    assert (one.kind, one.identity, one.reason) == ("lab_test", ("T1", "P1"), "patient")
    assert one.said_in.key.endswith(FeedFile.objects.latest("pk").key)
    assert len(waits()) == 2
    deliver(patient("P1"))
    assert [applied for *_, applied in waits()] == [True, True]


def test_a_waiting_combined_row_counts_as_one_waiting_test() -> None:
    deliver_lines(
        "test_id,patient_id,test_type,test_date,result",
        "T1,P1,Sodium,2025-03-20T08:00:00Z,140",
        source="lis",
    )
    assert queries.waiting_counts() == {"admissions": 0, "lab_tests": 1, "lab_results": 0}
    assert waits() == [("lab_test", ["T1", "P1"], "patient", False)]

    deliver(patient("P1"))

    assert waits() == [("lab_test", ["T1", "P1"], "patient", True)]
    assert LabResult.objects.get().lab_test == LabTest.objects.get()
    assert last_test("P1") == 4.0


def test_a_second_patients_test_detaches_the_result_and_a_cancellation_attaches_it_again() -> None:
    deliver(patient("P1"), patient("P2"))
    order("T1", "P1")
    perform("R1", "T1")
    assert where("R1") == ("P1", None)
    assert last_test("P1") == 4.0

    order("T1", "P2")
    assert where("R1") == (None, "ambiguous_test")
    assert (last_test("P1"), last_test("P2")) == (5.0, 5.0)
    assert books()["identity_conflicts"]["test_ids"] == 1
    assert queries.waiting_counts()["lab_results"] == 1

    order("T1", "P1", status="Cancelled")
    assert where("R1") == ("P2", None)
    assert (last_test("P1"), last_test("P2")) == (None, 4.0)
    assert books()["identity_conflicts"]["test_ids"] == 0

    order("T1", "P1", status="Completed")
    assert where("R1") == (None, "ambiguous_test")
    order("T1", "P2", status="Deleted")
    assert where("R1") == ("P1", None)
    assert last_test("P1") == 4.0
    assert books()["balanced"] is True


def test_a_waiting_test_of_another_patient_makes_a_conflict_too() -> None:
    deliver(patient("P1"))
    order("T1", "P1")
    order("T1", "P9")
    perform("R1", "T1")

    assert where("R1") == (None, "ambiguous_test")
    assert books()["identity_conflicts"]["test_ids"] == 1


def test_a_result_that_names_its_patient_waits_for_that_test_alone() -> None:
    deliver(patient("P1"), patient("P2"))
    order("T1", "P1")
    perform("R1", "T1", patient_id="P2")
    assert where("R1") == (None, "test")

    order("T1", "P2")
    perform("R2", "T1", patient_id="P1")
    assert (where("R1"), where("R2")) == (("P2", None), ("P1", None))


def test_a_corrected_test_number_takes_a_result_to_its_patient_and_off_the_other() -> None:
    deliver(patient("P1"), patient("P2"))
    order("T1", "P1")
    order("T2", "P2")
    perform("R1", "T1")
    assert (last_test("P1"), last_test("P2")) == (4.0, 5.0)

    perform("R1", "T2")
    assert where("R1") == ("P2", None)
    assert (last_test("P1"), last_test("P2")) == (5.0, 4.0)

    perform("R1", "T3")
    assert where("R1") == (None, "test")
    assert (last_test("P1"), last_test("P2")) == (5.0, 5.0)


def test_a_withdrawn_result_and_a_cancelled_test_do_not_count_and_stay_on_record() -> None:
    deliver(patient("P1"))
    deliver(lab_test("T1", "P1", "Sodium", hours=9), source="lis")
    order("T2", "P1")
    perform("R1", "T1")
    assert last_test("P1") == 4.0

    perform("R1", "T1", result_status="Entered in error")
    assert last_test("P1") == 5.0
    order("T2", "P1", status="Not performed")
    assert last_test("P1") == 9.0
    assert (LabTest.objects.count(), LabResult.objects.get().is_withdrawn) == (2, True)

    perform("R1", "T1", result_status="Final")
    assert last_test("P1") == 4.0
    deliver(lab_test("T1", "P1", "Sodium", hours=9, status="Rejected"), source="lis")
    assert last_test("P1") is None


def test_a_combined_result_is_taken_back_by_a_later_row_without_one() -> None:
    deliver(patient("P1"))
    header = "test_id,patient_id,test_type,test_date,result"
    deliver_lines(header, "T1,P1,Sodium,2025-03-20T08:00:00Z,140", source="lis")
    assert books()["lab_results"] == 1

    deliver_lines(header, "T1,P1,Sodium,2025-03-20T08:00:00Z,NULL", source="lis")

    assert books()["lab_results"] == 0
    assert LabResult.objects.get().is_taken_back
    assert books()["balanced"] is True


def test_the_time_of_a_result_that_was_taken_back_does_not_count() -> None:
    deliver(patient("P1"))
    header = "test_id,patient_id,test_type,test_date,result"
    earlier = NOON - timedelta(minutes=1)
    deliver_lines(header, "T1,P1,Sodium,2025-03-20T11:00:00Z,", source="lis", at=earlier)
    assert last_test("P1") == 1.0

    order("T1", "P1")
    assert last_test("P1") == 5.0


def test_two_patients_under_one_case_number_are_both_on_record() -> None:
    deliver(patient("P1"), patient("P2"))
    deliver(admission("C1", "P1", hours=9), admission("C1", "P2", hours=8))

    assert Admission.objects.count() == 2
    assert books()["identity_conflicts"]["case_numbers"] == 1


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(arrival=st.permutations(["people", "admissions", "tests", "results"]))
def test_in_any_order_of_arrival_nothing_is_left_waiting(arrival: list[str]) -> None:
    with transaction.atomic():
        for kind in arrival:
            match kind:
                case "people":
                    deliver(patient("P1"))
                case "admissions":
                    deliver(admission("C1", "P1", hours=9))
                case "tests":
                    order("T1", "P1")
                case "results":
                    perform("R1", "T1")
        assert queries.waiting_counts() == {"admissions": 0, "lab_tests": 0, "lab_results": 0}
        assert all(applied for *_, applied in waits())
        assert last_test("P1") == 4.0
        assert Admission.objects.get().quiet_since == NOON - timedelta(hours=4)
        assert books()["balanced"] is True
        transaction.set_rollback(True)
