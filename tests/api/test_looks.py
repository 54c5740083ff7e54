"""What the trail tells of who saw whom, and what it never tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ingestion.models import Patient
from ops.models import AuditEvent
from tests.cast import nora_nurse
from tests.deliveries import NOON, admit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

SEARCH = "/api/v1/patients/search/"


@pytest.fixture(autouse=True)
def one_patient(at_noon: object) -> Iterator[str]:
    cache.clear()
    admit("0042", "Brown, Emma", hours=81, department="Cardiology")
    yield str(Patient.objects.get(patient_id="0042").pk)
    cache.clear()


def looks() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(kind="look").order_by("pk")
    return [(event.who, event.act) for event in rows]


def search(browser: Client, text: str) -> Any:
    return browser.post(SEARCH, {"search": text}, content_type="application/json")


def test_an_opened_patient_is_on_record_with_who_when_whom_and_from_where(one_patient: str) -> None:
    nora = nora_nurse()

    nora.browser.get(f"/api/v1/patients/{one_patient}/", REMOTE_ADDR="10.1.2.3")

    event = AuditEvent.objects.get(kind="look")
    told = (event.at, event.who, event.user_key, event.act, str(event.patient), event.from_where)
    opened = (NOON, "nurse", str(nora.user.pk), "patient.opened", one_patient, "10.1.2.3")
    assert told == opened
    assert (event.object_kind, event.object_key) == ("patient", one_patient)
    assert event.request_id != ""


def test_tests_and_history_are_looks_of_their_own(nurse: Client, one_patient: str) -> None:
    for part in ("", "tests/", "history/"):
        assert nurse.get(f"/api/v1/patients/{one_patient}/{part}").status_code == 200
    acts = ["patient.opened", "patient.tests_listed", "patient.history_read"]
    assert looks() == [("nurse", act) for act in acts]


def test_an_open_page_that_asks_again_is_the_same_look_for_a_quarter_of_an_hour(
    nurse: Client, one_patient: str, at_noon: time_machine.Traveller
) -> None:
    for _ in range(3):
        nurse.get(f"/api/v1/patients/{one_patient}/")
    assert looks() == [("nurse", "patient.opened")]

    at_noon.move_to(NOON + timedelta(minutes=15))
    nurse.get(f"/api/v1/patients/{one_patient}/")
    assert looks() == [("nurse", "patient.opened")] * 2


def test_two_people_who_open_one_patient_are_two_looks(
    nurse: Client, physician: Client, one_patient: str
) -> None:
    nurse.get(f"/api/v1/patients/{one_patient}/")
    physician.get(f"/api/v1/patients/{one_patient}/")
    assert looks() == [("nurse", "patient.opened"), ("physician", "patient.opened")]


def test_a_patient_who_is_not_there_is_no_look(nurse: Client) -> None:
    address = "/api/v1/patients/6f0f4ad4-6e6e-4b4f-9c9c-000000000001/"
    assert nurse.get(address).status_code == 404
    assert looks() == []


def test_a_look_at_the_past_is_kept_and_says_so(
    nurse: Client, one_patient: str, at_noon: time_machine.Traveller
) -> None:
    at = "2025-03-20T12:00:00Z"
    at_noon.shift(timedelta(minutes=10))
    assert nurse.get(f"/api/v1/patients/{one_patient}/?known_at={at}").status_code == 200
    assert nurse.get(f"/api/v1/patients/?known_at={at}").status_code == 200
    assert looks() == [("nurse", "patient.opened"), ("nurse", "patients.listed")]
    details = AuditEvent.objects.get(act="patient.opened").details
    assert details == {"known_at": "2025-03-20 12:00:00+00:00"}


def test_the_list_is_one_look_for_each_person_filter_and_quarter_of_an_hour(
    nurse: Client, physician: Client, at_noon: time_machine.Traveller
) -> None:
    for _ in range(3):
        nurse.get("/api/v1/patients/")
    nurse.get("/api/v1/patients/?department=Cardiology")
    nurse.get("/api/v1/patients/?page_size=1")
    physician.get("/api/v1/patients/")

    listed = AuditEvent.objects.filter(act="patients.listed").order_by("pk")
    assert [(one.who, one.details["filter"]) for one in listed] == [
        ("nurse", {}),
        ("nurse", {"department": ["Cardiology"]}),
        ("physician", {}),
    ]
    at_noon.move_to(NOON + timedelta(minutes=15))
    nurse.get("/api/v1/patients/")
    assert listed.all().count() == 4


def test_an_unchanged_poll_writes_nothing(nurse: Client, at_noon: time_machine.Traveller) -> None:
    tag = nurse.get("/api/v1/patients/")["ETag"]
    before = AuditEvent.objects.count()
    answer = nurse.get("/api/v1/patients/", headers={"If-None-Match": tag})
    assert (answer.status_code, AuditEvent.objects.count()) == (304, before)


def test_the_board_of_counts_shows_nobody_and_is_no_look(nurse: Client) -> None:
    for address in ("board/", "departments/", "feeds/", "feed-files/", "session/"):
        assert nurse.get(f"/api/v1/{address}").status_code == 200
    assert looks() == []


def test_a_search_tells_how_many_hits_it_had_and_never_what_was_searched(nurse: Client) -> None:
    assert len(search(nurse, "Brown").json()["results"]) == 1
    search(nurse, "Brown")
    search(nurse, "Nobody")

    events = AuditEvent.objects.filter(act="patients.searched").order_by("pk")
    assert [event.details for event in events] == [
        {"filter": {}, "hits": 1, "has_more": False},
        {"filter": {}, "hits": 0, "has_more": False},
    ]
    kept = json.dumps(list(AuditEvent.objects.values()), default=str).lower()
    assert "brown" not in kept
    assert "nobody" not in kept


def test_what_cannot_be_put_on_record_is_not_shown(nurse: Client, one_patient: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.full() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE ''disk full''; END'"
        )
        cursor.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON ops_auditevent"
            " FOR EACH ROW EXECUTE FUNCTION pg_temp.full()"
        )
    nurse.raise_request_exception = False

    answer = nurse.get(f"/api/v1/patients/{one_patient}/")

    assert answer.status_code == 500
    assert b"Brown" not in answer.content


def test_a_poll_that_was_written_down_already_costs_no_query(
    nurse: Client, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        nurse.get("/api/v1/patients/")
    with CaptureQueriesContext(connection) as captured:
        nurse.get("/api/v1/patients/")
    assert [one["sql"] for one in captured if "ops_auditevent" in one["sql"]] == []


def test_of_two_requests_at_one_instant_the_database_lets_one_write(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    """The cache of another process knows nothing of the first."""
    nurse.get("/api/v1/patients/")
    cache.clear()
    assert nurse.get("/api/v1/patients/").status_code == 200
    assert AuditEvent.objects.filter(act="patients.listed").count() == 1
