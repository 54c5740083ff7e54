"""The list of patients: who is on it, in which order, and what each item says."""

from __future__ import annotations

import base64
import json

import pytest
import time_machine
from django.test import Client

from alerts.models import AlertRule
from ingestion.models import Department
from tests import cast
from tests.deliveries import admission, admit, deliver, order, patient, released

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]


def test_an_item_says_who_where_how_long_and_how_sure(nurse: Client) -> None:
    admit("0042", "Brown, Emma", hours=81, department="Cardiology", room_number="305A")
    order("T1", "0042", "Sodium", hours=61.2)
    answer = nurse.get("/api/v1/patients/").json()
    assert answer["as_of"] == "2025-03-20T12:00:00Z"
    assert answer["next"] is None
    (item,) = answer["results"]
    del item["id"]
    del item["admission"]["id"]
    assert item == {
        "patient_id": "0042",
        "name": "Brown, Emma",
        "first_name": "Emma",
        "last_name": "Brown",
        "date_of_birth": "1990-01-31",
        "gender": None,
        "admission": {
            "case_number": "C0042",
            "department": "Cardiology",
            "room": "305A",
            "admitted_at": "2025-03-17T03:00:00Z",
            "released_at": None,
            "planned_release_at": None,
        },
        "last_test": {"name": "Sodium", "at": "2025-03-17T22:48:00Z"},
        "quiet_since": "2025-03-17T22:48:00Z",
        "hours_without_test": 61.2,
        "threshold_hours": 48,
        "second_tier_hours": 72,
        "tier": 1,
        "state": "due",
        "cannot_know_since": None,
    }


def numbers(browser: Client, query: str = "") -> list[str]:
    answer = browser.get(f"/api/v1/patients/{query}")
    assert answer.status_code == 200, answer.content
    return [item["patient_id"] for item in answer.json()["results"]]


def found(browser: Client, **wanted: object) -> list[str]:
    answer = browser.post("/api/v1/patients/search/", wanted, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return [item["patient_id"] for item in answer.json()["results"]]


@pytest.fixture
def three_wards() -> None:
    """Beyond 72 h, beyond 48 h, within; in two departments and in none."""
    admit("1", "Brown, Emma", hours=81, department="Cardiology", room_number="305A")
    admit("2", "Müller, Zoë", hours=50, department="Neurology", room_number="N-7")
    admit("3", "כהן, אורי", hours=20)
    order("T0", "3", "CRP", hours=20)


@pytest.mark.usefixtures("three_wards")
def test_who_was_longest_without_a_test_comes_first(nurse: Client) -> None:
    assert numbers(nurse) == ["1", "2", "3"]


@pytest.mark.usefixtures("three_wards")
def test_a_test_moves_its_patient_down(nurse: Client) -> None:
    order("T1", "1", "Sodium", hours=30)
    assert numbers(nurse) == ["2", "1", "3"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?state=due", ["1", "2"]),
        ("?state=not_due", ["3"]),
        ("?state=cannot_know", []),
        ("?state=due&state=not_due", ["1", "2", "3"]),
        ("?department=Cardiology", ["1"]),
        ("?department=Cardiology&department=Neurology", ["1", "2"]),
        ("?department=__none__", ["3"]),
        ("?department=__none__&department=Neurology", ["2", "3"]),
        ("?department=Nowhere", []),
        ("?last_test_hours=50", ["1", "2"]),
        ("?last_test_hours=50.001", ["1"]),
        ("?search=305", ["1"]),
        ("?status=discharged", []),
    ],
)
@pytest.mark.usefixtures("three_wards")
def test_filters_leave_exactly_those_whom_they_name(
    nurse: Client, query: str, expected: list[str]
) -> None:
    assert numbers(nurse, query) == expected


@pytest.mark.parametrize(
    ("searched", "expected"),
    [
        ("", ["1", "2", "3"]),
        ("305a", ["1"]),
        ("brown emma", ["1"]),
        ("Brown, Emma", ["1"]),
        ("emma 305", ["1"]),
        ("MÜLLER", ["2"]),
        ("zoë", ["2"]),
        ("כהן", ["3"]),
        ("c2", ["2"]),
        ("brown zoë", []),
        ("%", []),
        ("_", []),
        ("\\", []),
    ],
)
@pytest.mark.usefixtures("three_wards")
def test_each_searched_word_must_be_found_whatever_its_case(
    nurse: Client, searched: str, expected: list[str]
) -> None:
    assert found(nurse, search=searched) == expected


@pytest.mark.usefixtures("three_wards")
def test_a_posted_search_takes_every_other_filter_too(nurse: Client) -> None:
    everything = {"search": "e", "status": "open", "departments": ["Cardiology"], "state": ["due"]}
    assert found(nurse, **everything, last_test_hours=48, cursor=None) == ["1"]
    assert found(nurse, **everything, last_test_hours=82, cursor=None) == []


def test_a_search_from_another_site_s_page_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.nora_nurse().user)
    search = {"search": "Brown"}
    address = "/api/v1/patients/search/"
    answer = strict.post(address, search, content_type="application/json")
    assert answer.status_code == 403
    token = strict.get("/api/v1/session/").json()["csrf_token"]
    answer = strict.post(
        address, search, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("?ward=Cardiology", "ward"),
        ("?state=overdue", "state.0"),
        ("?status=all", "status"),
        ("?status=open&status=discharged", "status"),
        ("?last_test_hours=many", "last_test_hours"),
        ("?last_test_hours=nan", "last_test_hours"),
        ("?last_test_hours=-1", "last_test_hours"),
        ("?last_test_hours=1e400", "last_test_hours"),
        ("?page_size=0", "page_size"),
        ("?page_size=501", "page_size"),
        ("?cursor=forged", "cursor"),
        ("?search=%00", "search"),
        ("?department=%00", "department.0"),
    ],
)
def test_a_parameter_that_says_nothing_sensible_is_refused_by_name(
    nurse: Client, query: str, attr: str
) -> None:
    answer = nurse.get(f"/api/v1/patients/{query}")
    assert answer.status_code == 400
    body = answer.json()
    assert body["type"] == "validation_error"
    assert [error["attr"] for error in body["errors"]] == [attr]


def test_a_body_that_is_no_json_is_refused(nurse: Client) -> None:
    answer = nurse.post("/api/v1/patients/search/", b"{", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "parse_error"
    answer = nurse.post("/api/v1/patients/search/", b"[]", content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["?", "?status=discharged&"])
def test_pages_hold_everybody_once_in_order_even_where_times_are_equal(
    nurse: Client, query: str
) -> None:
    release = released(10) if "discharged" in query else {}
    people = [patient(str(number)) for number in range(7)]
    deliver(*people)
    hours = [60, 60, 60, 70, 50, 60, 55]
    deliver(*(admission(f"C{n}", str(n), hours=h, **release) for n, h in enumerate(hours)))
    address = f"/api/v1/patients/{query}"
    whole = nurse.get(address).json()["results"]
    assert len(whole) == 7
    pages = [nurse.get(f"{address}page_size=2").json()]
    while pages[-1]["next"]:
        cursor = pages[-1]["next"]
        pages.append(nurse.get(f"{address}page_size=2&cursor={cursor}").json())
    assert [len(page["results"]) for page in pages] == [2, 2, 2, 1]
    assert [item for page in pages for item in page["results"]] == whole


def test_a_cursor_of_one_list_is_refused_by_the_other(nurse: Client) -> None:
    for number in "12":
        admit(number, "Brown, Emma", hours=60)
    cursor = nurse.get("/api/v1/patients/?page_size=1").json()["next"]
    answer = nurse.get(f"/api/v1/patients/?status=discharged&cursor={cursor}")
    assert answer.status_code == 400


def test_a_cursor_holds_no_personal_data(nurse: Client) -> None:
    for number in ("4711", "4712"):
        admit(number, "Brown, Emma", hours=60)
    cursor = nurse.get("/api/v1/patients/?page_size=1").json()["next"]
    payload = cursor.split(":")[0]
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    moment, key = json.loads(text)
    assert moment == "2025-03-18T00:00:00+00:00"
    assert isinstance(key, int)
    assert "4711" not in text


def test_a_patient_with_two_open_admissions_is_two_items(nurse: Client) -> None:
    admit("1", "Brown, Emma", hours=60, department="Cardiology")
    deliver(admission("C2", "1", hours=50, department="Neurology"))
    items = nurse.get("/api/v1/patients/").json()["results"]
    assert [(i["admission"]["case_number"], i["hours_without_test"]) for i in items] == [
        ("C1", 60.0),
        ("C2", 50.0),
    ]


def test_a_patient_who_is_not_known_yet_is_no_item(nurse: Client) -> None:
    deliver(admission("C1", "1", hours=60))
    assert numbers(nurse) == []


def test_discharged_patients_come_latest_release_first_and_have_no_hours(nurse: Client) -> None:
    admit("1", "Brown, Emma", hours=90, **released(10))
    admit("2", "Müller, Zoë", hours=80, **released(5))
    admit("3", "Cohen, Uri", hours=70)
    items = nurse.get("/api/v1/patients/?status=discharged").json()["results"]
    assert [item["patient_id"] for item in items] == ["2", "1"]
    assert items[0]["admission"]["released_at"] == "2025-03-20T07:00:00Z"
    assert {(i["hours_without_test"], i["state"], i["tier"]) for i in items} == {
        (None, "not_due", 0)
    }
    assert numbers(nurse, "?status=discharged&state=due") == []


def test_a_planned_release_takes_nobody_off_the_list(nurse: Client) -> None:
    admit("1", "Brown, Emma", hours=60, **released(-20))
    (item,) = nurse.get("/api/v1/patients/").json()["results"]
    assert item["admission"]["planned_release_at"] == "2025-03-21T08:00:00Z"
    assert item["state"] == "due"


@pytest.mark.parametrize(
    ("hours", "state", "tier"),
    [
        (47.96, "not_due", 0),
        (48.0, "not_due", 0),
        (48.001, "due", 1),
        (72.0, "due", 1),
        (72.02, "due", 2),
    ],
)
def test_shown_hours_never_contradict_the_state_beside_them(
    nurse: Client, hours: float, state: str, tier: int
) -> None:
    admit("1", "Brown, Emma", hours=hours)
    (item,) = nurse.get("/api/v1/patients/").json()["results"]
    assert item["hours_without_test"] == pytest.approx(hours, abs=0.001)
    assert (item["state"], item["tier"]) == (state, tier)


def test_while_a_lab_feed_is_silent_nobody_beyond_the_threshold_is_called_due(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    admit("1", "Brown, Emma", hours=81)
    admit("2", "Müller, Zoë", hours=47)
    order("T1", "9", "Sodium", hours=1)
    at_noon.shift(15 * 60 + 1)
    items = nurse.get("/api/v1/patients/").json()["results"]
    assert [(i["patient_id"], i["state"], i["tier"], i["cannot_know_since"]) for i in items] == [
        ("1", "cannot_know", 0, "2025-03-20T12:00:00Z"),
        ("2", "not_due", 0, None),
    ]
    assert numbers(nurse, "?state=cannot_know") == ["1"]
    assert numbers(nurse, "?state=due") == []
    assert numbers(nurse, "?state=due&state=cannot_know") == ["1"]


def test_a_test_dated_after_the_clock_does_not_make_its_patient_look_fine(nurse: Client) -> None:
    admit("1", "Brown, Emma", hours=81)
    order("T1", "1", "Sodium", hours=60)
    order("T2", "1", "Potassium", hours=-0.05)
    (item,) = nurse.get("/api/v1/patients/").json()["results"]
    assert item["hours_without_test"] == 60.0
    assert item["last_test"] == {"name": "Sodium", "at": "2025-03-18T00:00:00Z"}
    assert item["state"] == "due"


def test_a_department_s_own_rule_judges_its_patients(nurse: Client) -> None:
    admit("1", "Brown, Emma", hours=30, department="ICU")
    admit("2", "Müller, Zoë", hours=30, department="Neurology")
    AlertRule.objects.create(
        department=Department.objects.get(name="ICU"), threshold_hours=24, second_tier_hours=None
    )
    items = nurse.get("/api/v1/patients/").json()["results"]
    assert [(i["threshold_hours"], i["second_tier_hours"], i["state"]) for i in items] == [
        (24, None, "due"),
        (48, 72, "not_due"),
    ]
    assert numbers(nurse, "?state=due") == ["1"]


def test_a_body_too_large_to_read_is_refused_in_the_envelope(nurse: Client) -> None:
    answer = nurse.post(
        "/api/v1/patients/search/",
        {"search": "x" * 3_000_000},
        content_type="application/json",
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "The body is too large."
