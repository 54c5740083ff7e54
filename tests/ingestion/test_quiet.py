"""A patient's last test is kept as a reading of the whole record would give it, after each file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.models import LabResult, LabTest, Patient
from tests.deliveries import NOON, admission, deliver, lab_result, lab_test, patient
from tests.exports import quirks, strategies
from tests.ingestion.record import ingest_in_this_order
from tests.ingestion.test_orders import an_empty_hospital

pytestmark = pytest.mark.django_db
in_bed = pytest.mark.usefixtures("a_patient_in_bed")
LATER = NOON + timedelta(minutes=1)
NOTHING = (None, None, None)
drawn = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def kept(number: str = "P1") -> tuple[float | None, str | None, str | None]:
    """Hours since a patient's last test, its number and its name."""
    one = Patient.objects.get(patient_id=number)
    hours = (NOON - one.last_test_at) / timedelta(hours=1) if one.last_test_at else None
    return hours, one.last_test_number, one.last_test_name


def order(test: str, *, hours: float, at: datetime = NOON, **more: str) -> None:
    deliver(lab_test(test, "P1", f"Name of {test}", hours=hours, **more), at=at, source="lis")


def perform(result: str, test: str, *, hours: float, at: datetime = NOON, **more: str) -> None:
    deliver(lab_result(result, test, "5", hours=hours, **more), at=at, source="lis")


@pytest.fixture(name="a_patient_in_bed")
def _a_patient_in_bed(at_noon: None) -> None:
    deliver(patient("P1"))
    deliver(admission("C1", "P1", hours=90))
    assert kept() == NOTHING


@in_bed
def test_a_later_test_is_the_last_and_an_earlier_one_is_not() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    order("T3", hours=7)

    assert kept() == (5, "T2", "Name of T2")


@in_bed
def test_a_result_makes_an_earlier_test_the_last() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    perform("R1", "T1", hours=3)

    assert kept() == (3, "T1", "Name of T1")


@in_bed
def test_of_tests_at_the_same_time_that_with_the_greatest_number_is_the_last() -> None:
    order("T2", hours=5)
    order("T1", hours=5)
    assert kept() == (5, "T2", "Name of T2")

    order("T3", hours=5)
    assert kept() == (5, "T3", "Name of T3")


@in_bed
def test_where_the_last_is_cancelled_the_one_before_is_the_last_again() -> None:
    order("T1", hours=9)
    order("T3", hours=5)
    order("T2", hours=5)
    order("T3", hours=5, at=LATER, status="Cancelled")
    assert kept() == (5, "T2", "Name of T2")

    order("T2", hours=5, at=LATER, status="Cancelled")
    assert kept() == (9, "T1", "Name of T1")

    order("T1", hours=9, at=LATER, status="Cancelled")
    assert kept() == NOTHING


@in_bed
def test_a_cancelled_test_that_stands_again_is_the_last_again() -> None:
    order("T1", hours=9)
    order("T2", hours=5, status="Cancelled")
    assert kept() == (9, "T1", "Name of T1")

    order("T2", hours=5, at=LATER, status="Ordered")
    assert kept() == (5, "T2", "Name of T2")


@in_bed
def test_a_withdrawn_result_gives_its_time_back() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    perform("R1", "T1", hours=3)
    perform("R1", "T1", hours=3, at=LATER, result_status="Entered in error")

    assert kept() == (5, "T2", "Name of T2")


@in_bed
def test_a_result_that_moves_to_another_test_takes_its_time_along() -> None:
    order("T1", hours=9)
    order("T2", hours=8)
    perform("R1", "T1", hours=3)
    assert kept() == (3, "T1", "Name of T1")

    perform("R1", "T2", hours=3, at=LATER)
    assert kept() == (3, "T2", "Name of T2")

    perform("R1", "T9", hours=3, at=LATER + timedelta(minutes=1))
    assert kept() == (8, "T2", "Name of T2")


@in_bed
def test_a_result_that_finds_its_test_later_makes_it_the_last() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    perform("R1", "T9", hours=3)
    assert kept() == (5, "T2", "Name of T2")

    perform("R1", "T1", hours=3, at=LATER)
    assert kept() == (3, "T1", "Name of T1")


@in_bed
def test_a_result_that_is_nobody_elses_any_more_makes_its_test_the_last() -> None:
    deliver(patient("P2"))
    order("T1", hours=9)
    order("T2", hours=5)
    deliver(lab_test("T1", "P2", "x", hours=9), source="lis")
    perform("R1", "T1", hours=3)
    assert kept() == (5, "T2", "Name of T2")

    deliver(lab_test("T1", "P2", "x", hours=9, status="Cancelled"), at=LATER, source="lis")

    assert (kept(), kept("P2")) == ((3, "T1", "Name of T1"), NOTHING)


@in_bed
def test_a_test_that_one_file_tells_twice_is_the_last_by_its_last_line() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    rows = [lab_test("T1", "P1", "x", hours=hours) for hours in (8, 4)]
    deliver(*rows, at=LATER, source="lis")

    assert kept() == (4, "T1", "x")


@in_bed
def test_a_result_that_one_file_tells_twice_makes_its_test_the_last() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    perform("R1", "T1", hours=8)
    rows = [lab_result("R1", "T1", "5", hours=hours) for hours in (7, 4)]
    deliver(*rows, at=LATER, source="lis")

    assert kept() == (4, "T1", "Name of T1")


@in_bed
def test_a_test_that_is_ordered_anew_and_a_result_performed_anew_make_it_the_last() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    order("T1", hours=4, at=LATER)
    assert kept() == (4, "T1", "Name of T1")

    perform("R2", "T2", hours=6)
    perform("R2", "T2", hours=3, at=LATER)
    assert kept() == (3, "T2", "Name of T2")


@in_bed
def test_tests_and_results_that_came_before_their_patient_count_when_the_patient_comes() -> None:
    deliver(lab_test("T8", "P2", "Sodium", hours=8), source="lis")
    deliver(lab_test("T9", "P2", "Potassium", hours=9), source="lis")
    deliver(lab_test("T7", "P3", "Glucose", hours=9), source="lis")
    perform("R7", "T7", hours=7)
    perform("R9", "T9", hours=8.5)
    deliver(patient("P2"), patient("P3"))

    assert (kept("P2"), kept("P3")) == ((8, "T8", "Sodium"), (7, "T7", "Glucose"))


@in_bed
def test_a_test_that_is_put_back_and_one_of_the_same_file_leave_a_third_the_last() -> None:
    order("T1", hours=9)
    order("T2", hours=4)
    rows = [lab_test("T2", "P1", "x", hours=20), lab_test("T3", "P1", "x", hours=10)]
    deliver(*rows, at=LATER, source="lis")

    assert kept() == (9, "T1", "Name of T1")


@in_bed
def test_a_new_name_of_the_last_test_is_kept() -> None:
    order("T1", hours=9)
    deliver(lab_test("T1", "P1", "Potassium", hours=9), at=LATER, source="lis")

    assert kept() == (9, "T1", "Potassium")


@in_bed
def test_where_it_is_not_known_which_test_was_the_last_all_are_read() -> None:
    order("T2", hours=5)
    order("T1", hours=5)
    Patient.objects.update(last_test_number=None)  # as an earlier release left it

    order("T0", hours=5)

    assert kept() == (5, "T2", "Name of T2")


@in_bed
def test_what_is_kept_is_believed_only_where_the_record_bears_it_out() -> None:
    order("T1", hours=9)
    order("T2", hours=5)
    Patient.objects.update(last_test_at=NOON)

    order("T0", hours=50)

    assert kept() == (5, "T2", "Name of T2")


@in_bed
def test_a_new_test_is_no_dearer_for_all_the_tests_before_it() -> None:
    order("T1", hours=9)
    tests = LabTest.objects.all()
    deliver(*(lab_test(f"S{number}", "P1", "x", hours=40) for number in range(2000)), source="lis")
    assert tests.count() == 2001

    before = _tests_read()
    order("T2", hours=5)

    assert kept() == (5, "T2", "Name of T2")
    assert _tests_read() - before < 50


def _tests_read() -> int:
    """How many rows of tests this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_get_xact_tuples_fetched(oid) + pg_stat_get_xact_tuples_returned(oid)"
            " FROM pg_class WHERE relname = 'ingestion_labtest'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("build", [quirks.split_set, quirks.combined_set])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_with_every_quirk_it_is_kept_after_each_file(build: Any, is_reversed: bool) -> None:
    objects = sorted(build(), key=lambda each: each.source_time, reverse=is_reversed)
    with an_empty_hospital(quirks.ZONE):
        for each in objects:
            ingest_in_this_order([each])
            assert_kept_as_the_whole_record_gives_it()


@drawn
@given(data=st.data())
def test_in_any_hospital_it_is_kept_after_each_file(data: st.DataObject) -> None:
    layouts = strategies.SPLIT + strategies.COMBINED
    objects = data.draw(strategies.exports(layouts=layouts))
    with an_empty_hospital(strategies.ZONE):
        for each in data.draw(strategies.orders(objects)):
            ingest_in_this_order([each])
            assert_kept_as_the_whole_record_gives_it()


def assert_kept_as_the_whole_record_gives_it() -> None:
    performed: dict[int, list[datetime]] = {}
    for result in LabResult.objects.filter(is_withdrawn=False, is_taken_back=False):
        if result.lab_test_id and result.performed_at:
            performed.setdefault(result.lab_test_id, []).append(result.performed_at)
    for one in Patient.objects.all():
        tests = [
            (max([test.ordered_at, *performed.get(test.pk, [])]), test.test_id, test.name)
            for test in LabTest.objects.filter(patient=one, is_cancelled=False)
        ]
        last = max(tests, key=lambda test: test[:2], default=NOTHING)
        assert (one.last_test_at, one.last_test_number, one.last_test_name) == last
        for stay in one.admissions.all():
            assert stay.quiet_since == max([stay.admitted_at, *(test[0] for test in tests)])
