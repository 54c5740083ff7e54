"""How many questions each answer may ask of the database, however many patients there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ingestion.models import Patient
from tests.deliveries import admission, deliver, lab_result, lab_test, patient, released

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

# Session and user are 2 of each. 1 puts a look at patients on record, unless this person's look at
# the same is remembered from this quarter of an hour. Raise a figure only with a reason in the
# commit.
BUDGETS = {
    "/api/v1/session/": 2,
    "/api/v1/board/": 12,
    "/api/v1/patients/": 9,
    "/api/v1/patients/?status=discharged": 8,
    "/api/v1/patients/?state=due&department=Ward 1&search=1": 9,
    "/api/v1/patients/{id}/": 12,
    "/api/v1/patients/{id}/tests/": 8,
    "/api/v1/departments/": 8,
    "/api/v1/feeds/": 11,
    "/api/v1/feed-files/": 3,
}
UNCHANGED = {"/api/v1/board/": 5, "/api/v1/patients/": 5}


@pytest.fixture
def hospital_of() -> Callable[[int], str]:
    """Makes a hospital of so many patients; gives one patient's key."""

    def make(count: int) -> str:
        people = [str(number) for number in range(count)]
        deliver(*(patient(one) for one in people))
        deliver(
            *(
                admission(f"C{one}", one, hours=60, department=f"Ward {int(one) % 3}")
                for one in people
            ),
            *(admission(f"D{one}", one, hours=300, **released(200)) for one in people),
            # Shared by two patients each, and many of one patient.
            *(admission(f"C{int(one) ^ 1}", one, hours=60) for one in people),
            *(admission(f"E{one}", "0", hours=60) for one in people),
        )
        tests = [lab_test(f"T{one}", "0", "Sodium", hours=55) for one in people]
        deliver(*tests, *(lab_test("T0", one, "Sodium", hours=55) for one in people), source="lis")
        results = (lab_result(f"R{one}", f"T{one}", "5", hours=54) for one in people)
        deliver(*results, source="lis")
        return str(Patient.objects.get(patient_id="0").pk)

    return make


def queries_of(browser: Client, address: str, **headers: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = browser.get(address, headers=headers)
    assert answer.status_code in {200, 304}, answer.content
    return len(captured)


@pytest.mark.parametrize("address", BUDGETS)
def test_an_answer_asks_as_often_for_forty_patients_as_for_four_and_within_its_budget(
    nurse: Client, physician: Client, hospital_of: Callable[[int], str], address: str
) -> None:
    # Each looks for the first time: the second look of a quarter of an hour is no line any more.
    for one in (nurse, physician):
        one.get("/api/v1/session/")
    key = hospital_of(4)
    few = queries_of(nurse, address.replace("{id}", key))
    hospital_of(40)
    many = queries_of(physician, address.replace("{id}", key))
    assert few == many
    assert many == BUDGETS[address]


@pytest.mark.parametrize("address", UNCHANGED)
def test_saying_that_nothing_has_changed_does_not_read_the_record(
    nurse: Client, hospital_of: Callable[[int], str], address: str
) -> None:
    hospital_of(4)
    tag = nurse.get(address)["ETag"]
    with CaptureQueriesContext(connection) as captured:
        answer = nurse.get(address, headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert len(captured) == UNCHANGED[address]
    assert not [query["sql"] for query in captured if "ingestion_admission" in query["sql"]]
