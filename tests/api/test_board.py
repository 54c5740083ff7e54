"""What stands around the list: counts, the rule, the feeds, and what cannot be vouched for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from alerts.models import AlertRule
from ingestion.models import Department
from tests.deliveries import NOON, admission, admit, deliver, deliver_lines, order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]


def board(browser: Client, query: str = "") -> dict[str, Any]:
    answer = browser.get(f"/api/v1/board/{query}")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def a_ward() -> None:
    """One beyond 72 h, one beyond 48 h, one within; two in Cardiology, one in no department."""
    admit("1", "Brown, Emma", hours=81, department="Cardiology")
    admit("2", "Müller, Zoë", hours=50, department="Cardiology")
    admit("3", "Cohen, Uri", hours=20)


def test_an_empty_hospital_is_counted_as_empty(nurse: Client) -> None:
    assert board(nurse) == {
        "as_of": "2025-03-20T12:00:00Z",
        "known_at": None,
        "time_zone": "Europe/Berlin",
        "rule": {"threshold_hours": 48, "second_tier_hours": 72, "departments": []},
        "counts": {"open": 0, "due": 0, "beyond_second_tier": 0, "cannot_know": 0, "not_due": 0},
        "cannot_know_since": None,
        "feeds": [],
        "doubts": [],
    }


@pytest.mark.usefixtures("a_ward")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (3, 2, 1, 0, 1)),
        ("?department=Cardiology", (2, 2, 1, 0, 0)),
        ("?department=__none__", (1, 0, 0, 0, 1)),
        ("?department=__none__&department=Cardiology", (3, 2, 1, 0, 1)),
        ("?department=Neurology", (0, 0, 0, 0, 0)),
    ],
)
def test_counts_are_those_of_the_wanted_departments(
    nurse: Client, query: str, expected: tuple[int, ...]
) -> None:
    counts = board(nurse, query)["counts"]
    names = ("open", "due", "beyond_second_tier", "cannot_know", "not_due")
    assert tuple(counts[name] for name in names) == expected


@pytest.mark.usefixtures("a_ward")
def test_while_a_lab_feed_is_silent_those_beyond_are_counted_as_unknown(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    order("T1", "9", "Sodium", hours=1)
    at_noon.shift(timedelta(minutes=15, seconds=1))
    body = board(nurse)
    assert body["counts"] == {
        "open": 3,
        "due": 0,
        "beyond_second_tier": 0,
        "cannot_know": 2,
        "not_due": 1,
    }
    assert body["cannot_know_since"] == "2025-03-20T12:00:00Z"
    silent = [feed for feed in body["feeds"] if feed["feed"] == "lis.lab_tests"]
    assert [(f["freshness"], f["silent_since"], f["system"], f["source"]) for f in silent] == [
        ("silent", "2025-03-20T12:00:00Z", "LIS", "lis")
    ]


@pytest.mark.usefixtures("a_ward")
def test_a_silent_pms_blinds_nobody_but_is_a_doubt(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    at_noon.shift(timedelta(minutes=16))
    body = board(nurse)
    assert (body["counts"]["due"], body["counts"]["cannot_know"]) == (2, 0)
    assert body["cannot_know_since"] is None
    assert [doubt for doubt in body["doubts"] if doubt["feed"] == "pms.admissions · pms"] == [
        {
            "kind": "feed_silent",
            "department": None,
            "count": 1,
            "feed": "pms.admissions · pms",
            "since": "2025-03-20T12:00:00Z",
        }
    ]


def test_a_rejected_admission_is_a_doubt_of_its_department_and_of_no_other(nurse: Client) -> None:
    deliver({**admission("C1", "1", hours=5, department="Cardiology"), "admission_time": "noon"})
    doubt = {
        "kind": "admission_rows_rejected",
        "department": "Cardiology",
        "count": 1,
        "feed": None,
        "since": None,
    }
    assert board(nurse)["doubts"] == [doubt]
    assert board(nurse, "?department=Cardiology")["doubts"] == [doubt]
    assert board(nurse, "?department=Neurology")["doubts"] == []


def test_what_cannot_be_told_of_a_department_is_a_doubt_of_each(nurse: Client) -> None:
    deliver_lines("what,is,this")
    kinds = [doubt["kind"] for doubt in board(nurse, "?department=Cardiology")["doubts"]]
    assert kinds == ["files_refused"]


def test_an_admission_whose_patient_has_not_come_is_a_doubt_until_he_comes(nurse: Client) -> None:
    deliver(admission("C1", "1", hours=60, department="Cardiology"))
    (doubt,) = board(nurse)["doubts"]
    assert (doubt["kind"], doubt["department"], doubt["count"]) == (
        "admission_rows_waiting",
        "Cardiology",
        1,
    )
    admit("1", "Brown, Emma", hours=60, department="Cardiology")
    body = board(nurse)
    assert (body["doubts"], body["counts"]["due"]) == ([], 1)


def test_departments_are_listed_with_their_rule_and_those_in_none_at_the_end(
    nurse: Client, a_ward: None
) -> None:
    admit("4", "Okonkwo, Chidi", hours=30, department="ICU")
    AlertRule.objects.create(
        department=Department.objects.get(name="ICU"), threshold_hours=24, second_tier_hours=28
    )
    body = nurse.get("/api/v1/departments/").json()
    assert body["as_of"] == "2025-03-20T12:00:00Z"
    assert [tuple(one.values()) for one in body["results"]] == [
        ("Cardiology", "Cardiology", 2, 2, 1, 0, 48, 72),
        ("ICU", "ICU", 1, 1, 1, 0, 24, 28),
        ("__none__", None, 1, 0, 0, 0, 48, 72),
    ]


# --- Asking again -------------------------------------------------------------------------

ADDRESSES = ["/api/v1/board/", "/api/v1/patients/", "/api/v1/patients/?state=due"]


def again(browser: Client, address: str, tag: str) -> int:
    return browser.get(address, headers={"If-None-Match": tag}).status_code


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_sent_twice_while_nothing_has_changed(
    nurse: Client, a_ward: None, address: str
) -> None:
    first = nurse.get(address)
    assert first["Cache-Control"] == "private, no-cache"
    second = nurse.get(address, headers={"If-None-Match": first["ETag"]})
    assert (second.status_code, second.content) == (304, b"")
    assert second["ETag"] == first["ETag"]
    assert second["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_file_that_came_changes_the_answer(nurse: Client, a_ward: None, address: str) -> None:
    tag = nurse.get(address)["ETag"]
    order("T1", "1", "Sodium", hours=1)
    assert again(nurse, address, tag) == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_answer_is_current_no_longer_than_its_minute(
    nurse: Client, a_ward: None, at_noon: time_machine.Traveller, address: str
) -> None:
    tag = nurse.get(address)["ETag"]
    at_noon.shift(59)
    assert again(nurse, address, tag) == 304
    at_noon.shift(1)
    assert again(nurse, address, tag) == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_feed_that_fell_silent_within_the_minute_is_never_hidden_by_a_304(
    nurse: Client, a_ward: None, at_noon: time_machine.Traveller, address: str
) -> None:
    # The last file's stamp is 30 seconds past a minute, so that its silence begins within one.
    order("T1", "9", "Sodium", hours=1, at=NOON - timedelta(seconds=30))
    at_noon.move_to(NOON + timedelta(minutes=14, seconds=30))
    tag = nurse.get(address)["ETag"]
    assert again(nurse, address, tag) == 304
    at_noon.shift(timedelta(milliseconds=1))
    assert again(nurse, address, tag) == 200


def test_an_answer_for_one_is_not_current_for_another(
    nurse: Client, physician: Client, a_ward: None
) -> None:
    tag = nurse.get(ADDRESSES[0])["ETag"]
    assert again(physician, ADDRESSES[0], tag) == 200


def test_an_answer_to_one_question_is_not_current_for_another(nurse: Client, a_ward: None) -> None:
    tag = nurse.get("/api/v1/board/?department=Cardiology")["ETag"]
    assert again(nurse, "/api/v1/board/?department=Neurology", tag) == 200


def test_a_stranger_with_a_current_tag_is_told_nothing(
    nurse: Client, stranger: Client, a_ward: None
) -> None:
    tag = nurse.get(ADDRESSES[0])["ETag"]
    assert again(stranger, ADDRESSES[0], tag) == 403


def test_a_change_committed_while_an_answer_is_made_is_not_lost_to_the_next_one(
    nurse: Client, a_ward: None
) -> None:
    """The tag must be of before the reading: here a file comes as soon as the data was read."""
    has_come: list[bool] = []

    def a_file_comes(execute: Any, sql: str, *more: Any) -> Any:
        answered = execute(sql, *more)
        if 'AS "second"' in sql and not has_come:
            has_come.append(True)
            order("T1", "1", "Sodium", hours=1)
        return answered

    with connection.execute_wrapper(a_file_comes):
        answer = nurse.get("/api/v1/board/")
    assert has_come
    assert answer.json()["counts"]["due"] == 2
    fresh = nurse.get("/api/v1/board/", headers={"If-None-Match": answer["ETag"]})
    assert (fresh.status_code, fresh.json()["counts"]["due"]) == (200, 1)
