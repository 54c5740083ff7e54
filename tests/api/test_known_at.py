"""Answers from an earlier moment: complete like those of now, and saying which moment they show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import time_machine
from django.test import Client

from ingestion.models import Patient
from tests.api.schema import assert_answers
from tests.deliveries import (
    NOON,
    admission,
    admit,
    deliver,
    lab_result,
    lab_test,
    patient,
    released,
)

pytestmark = pytest.mark.django_db
API = "/api/v1/"
THEN = "2025-03-20T12:00:00Z"
# Each operation, and its address in the schema's words.
ASKED = {
    "board/": "/api/v1/board/",
    "patients/": "/api/v1/patients/",
    "patients/?status=discharged": "/api/v1/patients/",
    "departments/": "/api/v1/departments/",
    "patients/{id}/": "/api/v1/patients/{id}/",
    "patients/{id}/tests/": "/api/v1/patients/{id}/tests/",
    "feeds/": "/api/v1/feeds/",
    "feed-files/": "/api/v1/feed-files/",
}


def ask(browser: Client, address: str, **query: str) -> dict[str, Any]:
    found = Patient.objects.get(patient_id="1")
    path, _, more = address.partition("?")
    wanted = dict(parse_qsl(more)) | query
    answer = browser.get(API + path.replace("{id}", str(found.pk)), wanted)
    assert answer.status_code == 200, answer.content
    assert_answers(ASKED[address], answer.json())
    body: dict[str, Any] = answer.json()
    return body


def a_hospital() -> None:
    admit("1", "Brown, Emma", hours=81, department="Cardiology", room_number="305A")
    admit("2", "Fox, Otto", hours=90)
    deliver(admission("C-old", "1", hours=400, **released(300)))
    deliver(lab_test("T1", "1", "Sodium", hours=61), source="lis")
    deliver(lab_result("R1", "T1", "140", hours=60), source="lis")


def what_came_later() -> None:
    later = NOON + timedelta(minutes=10)
    deliver(patient("1", "Green, Emma"), patient("3", "Grey, Ada"), at=later)
    deliver(admission("C1", "1", hours=81, department="ICU", **released(0)), at=later)
    deliver(admission("C3", "3", hours=70, department="Surgery"), at=later)
    deliver(lab_test("T1", "1", "Natrium", hours=61, status="Cancelled"), source="lis", at=later)
    deliver(lab_result("R1", "T1", "141", hours=60), source="lis", at=later)
    deliver(lab_test("T2", "2", "Sodium", hours=1), source="lis", at=later)


@pytest.mark.parametrize("address", ASKED)
def test_every_answer_of_an_earlier_moment_is_the_one_that_was_given_then(
    nurse: Client, at_noon: time_machine.Traveller, address: str
) -> None:
    a_hospital()
    given = ask(nurse, address)
    at_noon.shift(timedelta(minutes=10))
    what_came_later()
    now = ask(nurse, address)

    then = ask(nurse, address, known_at=THEN)

    assert given["known_at"] is None
    assert then["known_at"] == THEN
    assert {**then, "known_at": None} == given
    assert now != {**given, "as_of": "2025-03-20T12:10:00Z"}
    assert ask(nurse, address) == now


def test_a_search_answers_of_an_earlier_moment_too(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    a_hospital()
    at_noon.shift(timedelta(minutes=10))
    what_came_later()

    def found(name: str, **more: str) -> list[str]:
        body = {"search": name, "status": "open", **more}
        answer = nurse.post(f"{API}patients/search/", body, content_type="application/json")
        assert_answers("/api/v1/patients/search/", answer.json(), method="post")
        return [one["name"] for one in answer.json()["results"]]

    assert found("emma") == []
    assert found("emma", known_at="2025-03-20T13:00:00+01:00") == ["Brown, Emma"]


def test_an_answer_of_an_earlier_moment_is_kept_nowhere_and_has_no_tag(
    nurse: Client, at_noon: object
) -> None:
    a_hospital()
    answer = nurse.get(f"{API}board/", {"known_at": THEN})

    assert answer["Cache-Control"] == "private, no-store"
    assert "ETag" not in answer
    again = nurse.get(f"{API}board/", {"known_at": THEN}, headers={"If-None-Match": "*"})
    assert again.status_code == 200


def test_a_patient_who_was_not_known_then_is_not_found(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    at_noon.shift(timedelta(minutes=10))
    deliver(patient("3"))
    address = f"{API}patients/{Patient.objects.get().pk}/"

    assert nurse.get(address).status_code == 200
    assert nurse.get(address, {"known_at": THEN}).status_code == 404


@pytest.mark.parametrize(
    "address", ["board/", "patients/", "departments/", "feeds/", "feed-files/"]
)
@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("2025-03-20T12:00:01Z", "This lies in the future."),
        (
            "2025-03-20T11:00:00",
            "An offset is missing: add Z for UTC, or one like +01:00 (%2B01:00 in an address).",
        ),
        (
            "noon",
            (
                "Datetime has wrong format. Use one of these formats instead:"
                " YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
            ),
        ),
        ("0001-01-01T00:00:00+14:00", "Datetime value out of range."),
    ],
)
def test_a_moment_that_cannot_be_asked_about_is_refused(
    nurse: Client, at_noon: object, address: str, moment: str, why: str
) -> None:
    answer = nurse.get(API + address, {"known_at": moment})

    assert answer.status_code == 400
    assert answer.json() == {
        "type": "validation_error",
        "errors": [
            {
                "code": "overflow" if "range" in why else "invalid",
                "detail": why,
                "attr": "known_at",
            }
        ],
    }


def test_what_is_not_known_as_a_parameter_is_still_refused(nurse: Client) -> None:
    answer = nurse.get(f"{API}feeds/", {"known": THEN})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "This parameter is not known."
