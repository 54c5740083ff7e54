"""One patient: every admission, every test, and where each was told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from ingestion.models import Patient
from tests.deliveries import (
    NOON,
    admission,
    admit,
    deliver,
    lab_result,
    lab_test,
    order,
    patient,
    released,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]
NOBODY = "00000000-0000-4000-8000-000000000000"


def address_of(number: str) -> str:
    return f"/api/v1/patients/{Patient.objects.get(patient_id=number).pk}/"


def page(browser: Client, number: str) -> dict[str, Any]:
    answer = browser.get(address_of(number))
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    body: dict[str, Any] = answer.json()
    return body


def shown_tests(browser: Client, number: str, query: str = "") -> list[dict[str, Any]]:
    answer = browser.get(f"{address_of(number)}tests/{query}")
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_a_page_tells_who_a_patient_is_and_where_that_was_told(physician: Client) -> None:
    key = deliver(
        patient("0042", "Brown, Emma", gender="F", blood_type="A+", allergies="None", shoe="38"),
        at=NOON - timedelta(minutes=5),
    )
    body = page(physician, "0042")
    assert body["id"] == str(Patient.objects.get().pk)
    del body["id"]
    assert body == {
        "as_of": "2025-03-20T12:00:00Z",
        "known_at": None,
        "patient_id": "0042",
        "name": "Brown, Emma",
        "first_name": "Emma",
        "last_name": "Brown",
        "date_of_birth": "1990-01-31",
        "gender": "F",
        "primary_physician": None,
        "insurance_provider": None,
        "blood_type": "A+",
        "allergies": "None",
        "extra": {"shoe": "38"},
        "origin": {
            "file": key,
            "line": 2,
            "source_time": "2025-03-20T11:55:00Z",
            "known_at": "2025-03-20T12:00:00Z",
        },
        "last_test": None,
        "admissions": [],
    }


def test_admissions_come_newest_first_each_with_its_standing_and_alert(physician: Client) -> None:
    admit("0042", "Brown, Emma", hours=81, department="Cardiology", room_number="305A")
    deliver(admission("C-old", "0042", hours=400, **released(300)))
    order("T1", "0042", "Sodium", hours=61.2)
    body = page(physician, "0042")
    assert body["last_test"] == {"name": "Sodium", "at": "2025-03-17T22:48:00Z"}
    now, before = body["admissions"]
    del now["id"], now["origin"]
    assert now == {
        "case_number": "C0042",
        "department": "Cardiology",
        "room": "305A",
        "admitted_at": "2025-03-17T03:00:00Z",
        "released_at": None,
        "planned_release_at": None,
        "is_open": True,
        "quiet_since": "2025-03-17T22:48:00Z",
        "hours_without_test": 61.2,
        "threshold_hours": 48,
        "second_tier_hours": 72,
        "tier": 1,
        "state": "due",
        "cannot_know_since": None,
        "alert": {"raised_at": "2025-03-20T12:00:00Z", "status": "open"},
        "case_number_conflict": False,
    }
    assert (before["case_number"], before["is_open"]) == ("C-old", False)
    assert (before["hours_without_test"], before["alert"]) == (None, None)


def test_a_case_number_that_two_patients_bear_is_marked_on_both(physician: Client) -> None:
    admit("1", "Brown, Emma", hours=30)
    admit("2", "Müller, Zoë", hours=20)
    deliver(admission("C1", "2", hours=10))
    marks = {
        number: {
            one["case_number"]: one["case_number_conflict"]
            for one in page(physician, number)["admissions"]
        }
        for number in "12"
    }
    assert marks == {"1": {"C1": True}, "2": {"C2": False, "C1": True}}


def test_tests_come_newest_first_with_their_results(physician: Client) -> None:
    deliver(patient("1"))
    order("T1", "1", "Sodium", hours=30)
    key = deliver(
        lab_test("T2", "1", "Potassium", hours=20, status="Ordered", ordering_physician="Dr Who"),
        source="lis",
    )
    result = lab_result("R1", "T2", "<0.10", hours=19, result_unit="mmol/L, mg/dL")
    of_result = deliver(
        {**result, "reference_range": "3.5-5.1", "result_status": "final"}, source="lis"
    )
    second, first = shown_tests(physician, "1")
    assert (first["test_id"], first["results"]) == ("T1", [])
    (told,) = second.pop("results")
    del second["id"], told["id"]
    assert second == {
        "test_id": "T2",
        "name": "Potassium",
        "ordered_at": "2025-03-19T16:00:00Z",
        "ordering_physician": "Dr Who",
        "lab_location": None,
        "status": "Ordered",
        "is_cancelled": False,
        "test_id_conflict": False,
        "origin": {
            "file": key,
            "line": 2,
            "source_time": "2025-03-20T12:00:00Z",
            "known_at": "2025-03-20T12:00:00Z",
        },
    }
    assert told == {
        "result_id": "R1",
        "value": "<0.10",
        "number": "0.10",
        "comparator": "<",
        "unit": "mmol/L, mg/dL",
        "unit_is_ambiguous": True,
        "reference_range": "3.5-5.1",
        "status": "final",
        "is_withdrawn": False,
        "performed_at": "2025-03-19T17:00:00Z",
        "reviewing_physician": None,
        "origin": {
            "file": of_result,
            "line": 2,
            "source_time": "2025-03-20T12:00:00Z",
            "known_at": "2025-03-20T12:00:00Z",
        },
    }


def test_a_number_is_written_in_digits_whatever_its_size(physician: Client) -> None:
    deliver(patient("1"))
    order("T1", "1", "Count", hours=30)
    deliver(lab_result("R1", "T1", "0.00000001", hours=19), source="lis")
    ((told,),) = [test["results"] for test in shown_tests(physician, "1")]
    assert told["number"] == "0.00000001"


def test_a_result_that_was_taken_back_is_no_result(physician: Client) -> None:
    deliver(patient("1"))
    combined = {
        "test_id": "T1",
        "patient_id": "1",
        "test_type": "CRP",
        "test_date": "2025-03-19 08:00",
    }
    deliver({**combined, "result": "5"}, source="lis", at=NOON - timedelta(minutes=2))
    assert [len(test["results"]) for test in shown_tests(physician, "1")] == [1]
    deliver({**combined, "result": ""}, source="lis")
    assert [len(test["results"]) for test in shown_tests(physician, "1")] == [0]


def test_a_test_number_that_two_patients_bear_is_marked_unless_cancelled(physician: Client) -> None:
    deliver(patient("1"), patient("2"), patient("3"))
    for number in "123":
        order("T1", number, "Sodium", hours=30)
    deliver(lab_test("T1", "3", "Sodium", hours=30, status="Cancelled"), source="lis")
    marks = [shown_tests(physician, number)[0]["test_id_conflict"] for number in "123"]
    assert marks == [True, True, False]


def test_from_date_is_a_day_of_the_hospital_and_keeps_what_was_performed_since(
    physician: Client,
) -> None:
    deliver(patient("1"))
    # Midnight in Berlin before the day of noon is 13 hours before noon UTC.
    order("T1", "1", "Sodium", hours=13)
    order("T2", "1", "Potassium", hours=13.01)
    order("T3", "1", "CRP", hours=40)
    deliver(lab_result("R3", "T3", "5", hours=12), source="lis")
    shown = [test["test_id"] for test in shown_tests(physician, "1", "?from_date=2025-03-20")]
    assert shown == ["T1", "T3"]


def test_tests_come_in_pages_that_hold_each_once(physician: Client) -> None:
    deliver(patient("1"))
    deliver(*(lab_test(f"T{n}", "1", "CRP", hours=1 + n // 2) for n in range(150)), source="lis")
    address = f"{address_of('1')}tests/"
    first = physician.get(address).json()
    second = physician.get(f"{address}?cursor={first['next']}").json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (100, 50, None)
    everything = [test["test_id"] for test in first["results"] + second["results"]]
    assert set(everything) == {f"T{n}" for n in range(150)}
    times = [test["ordered_at"] for test in first["results"] + second["results"]]
    assert times == sorted(times, reverse=True)


def test_another_patient_s_tests_are_not_shown(physician: Client) -> None:
    deliver(patient("1"), patient("2"))
    order("T1", "2", "Sodium", hours=30)
    assert shown_tests(physician, "1") == []


@pytest.mark.parametrize("path", [f"{NOBODY}/", f"{NOBODY}/tests/", "0042/", "0042/tests/"])
def test_an_unknown_patient_is_not_found_and_numbers_are_no_addresses(
    physician: Client, path: str
) -> None:
    deliver(patient("0042"))
    answer = physician.get(f"/api/v1/patients/{path}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "not_found"


@pytest.mark.parametrize(
    "query", ["?from_date=20.3.2025", "?from_date=", "?cursor=x", "?page_size=5"]
)
def test_a_parameter_that_says_nothing_sensible_is_refused(physician: Client, query: str) -> None:
    deliver(patient("1"))
    assert physician.get(f"{address_of('1')}tests/{query}").status_code == 400
