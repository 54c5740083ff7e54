"""The smoke patient and the hospital never meet: whoever asks, and whatever files say.

One smoke patient lies in bed with an alert, another was discharged; the hospital has one of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from alerts.choices import AlertStatus
from alerts.models import Alert, AlertRule
from alerts.probes import alerts as alerts_probe
from alerts.services.evaluation import Evaluation, evaluate
from ingestion.models import Department, FeedFile, Flaw, Patient, RejectedRow
from ingestion.probes import feeds, files
from ingestion.queries import waiting_counts
from ingestion.services.books import books
from ops.errors import OpsError
from ops.roles import SMOKE_ACCOUNT, Role
from ops.services.people import give_role
from tests import cast
from tests.deliveries import NOON, admission, admit, deliver, deliver_lines, order, released
from tests.house.test_access import outside_the_admin
from tests.ingestion.terminal import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

COMBINED = (
    "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,ward,status,"
    "discharge_date"
)
TESTS = "test_id,patient_id,test_type,test_date"
IN_BED, GONE = "vigil-smoke-bed", "vigil-smoke-gone"

CAST: dict[str, Callable[[], cast.Person]] = {
    "nurse": cast.nora_nurse,
    "physician": cast.pia_physician,
    "lab": cast.liam_lab,
    "superuser": cast.olga_operator,
    "integration": cast.ines_integration,
    "security": cast.sam_security,
    "operator": cast.omar_of_operations,
    "staff": cast.sam_of_the_staff,
}
# Every address of the API that answers with something of the record, as it is asked.
LISTS = (
    "board/",
    "board/?department=vigil-smoke",
    "patients/",
    "patients/?status=discharged",
    "patients/?department=vigil-smoke",
    "patients/?search=smoke",
    "departments/",
    "feeds/",
    "feed-files/",
)
PAGES = ("patients/{key}/", "patients/{key}/tests/", "patients/{key}/history/")


def smoke(number: str, *, hours: float, source: str = "vigil-smoke", ward: str = "vigil-smoke",
          gone: bool = False, case: str = "") -> str:  # fmt: skip
    """Deliver one row of pms.combined about somebody."""
    admitted = (NOON - timedelta(hours=hours)).isoformat()
    left = f"Discharged,{(NOON - timedelta(hours=1)).isoformat()}" if gone else "Active,"
    row = f"{number},Smoke,Nobody,1970-01-01,{case or f'{number}-case'},{admitted},{ward},{left}"
    return deliver_lines(COMBINED, row, source=source)


@pytest.fixture
def both(at_noon: time_machine.Traveller) -> None:
    """The hospital's two, whose names say it, and the two of the smoke tests."""
    admit("0042", "Brown, Emma", hours=81, department="Cardiology")
    deliver(admission("C9", "0042", hours=400, **released(300)))
    order("T1", "0042", "Sodium", hours=61)
    smoke(IN_BED, hours=60)
    smoke(GONE, hours=90, gone=True)
    test = f"vigil-smoke-t,{IN_BED},Smoke,{(NOON - timedelta(hours=55)).isoformat()}"
    deliver_lines(TESTS, test, source="vigil-smoke")


def key_of(number: str) -> str:
    return str(Patient.objects.get(patient_id=number).pk)


def asked(browser: Client, path: str) -> str:
    answer = browser.get(f"/api/v1/{path}")
    assert answer.status_code == 200, path
    return answer.content.decode()


def smoke_account() -> Client:
    user = User.objects.create(username=SMOKE_ACCOUNT)
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def test_this_page_asks_every_address_of_the_api() -> None:
    ours = {path.partition("?")[0].replace("{key}", "<uuid:id>") for path in (*LISTS, *PAGES)}
    every = {one.removeprefix("api/v1/") for one in outside_the_admin() if one.startswith("api/v1")}
    assert every - ours == {"", "session/", "patients/search/"}
    assert get_resolver() is not None


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("person", CAST)
def test_nobody_of_the_cast_sees_a_smoke_patient_at_any_address(person: str) -> None:
    browser = CAST[person]().browser
    for path in LISTS:
        assert "smoke" not in asked(browser, path).replace("/api/", "").casefold(), path
    question = json.dumps({"search": "smoke"})
    found = browser.post("/api/v1/patients/search/", question, content_type="application/json")
    assert found.json()["results"] == []
    for path in PAGES:
        for number in (IN_BED, GONE):
            address = f"/api/v1/{path.replace('{key}', key_of(number))}"
            assert browser.get(address).status_code == 404, path


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("rights", [{}, {"is_staff": True, "is_superuser": True}])
def test_the_smoke_account_sees_its_patients_and_nobody_else(rights: dict[str, bool]) -> None:
    browser = smoke_account()
    User.objects.filter(username=SMOKE_ACCOUNT).update(**rights)
    for path in LISTS:
        told = asked(browser, path)
        assert not any(word in told for word in ('"0042"', "Brown", "Cardiology", "pms.admissions"))
    for path in PAGES:
        assert browser.get(f"/api/v1/{path.replace('{key}', key_of('0042'))}").status_code == 404
        assert browser.get(f"/api/v1/{path.replace('{key}', key_of(IN_BED))}").status_code == 200
    (one,) = json.loads(asked(browser, "patients/"))["results"]
    assert (one["patient_id"], one["state"]) == (IN_BED, "due")
    (one,) = json.loads(asked(browser, "patients/?status=discharged"))["results"]
    assert one["patient_id"] == GONE
    assert browser.get("/admin/ingestion/patient/").status_code == 302


@pytest.mark.usefixtures("both")
def test_it_counts_in_no_figure_and_on_no_list_and_the_books_balance_with_it() -> None:
    assert Alert.objects.filter(status=AlertStatus.OPEN).count() == 2
    assert alerts_probe().figures["open_alerts"] == 1.0
    assert not [name for name in feeds().figures if "smoke" in name]
    assert files().figures["files_not_done"] == 0.0
    told = books()
    assert (told["patients"], told["admissions"], told["lab_tests"]) == (1, 2, 1)
    assert (told["files"]["ingested"], told["balanced"]) == (FeedFile.objects.count(), True)
    overdue = run("overdue")
    assert "1 beyond their threshold" in overdue.out
    assert "smoke" not in overdue.out


def test_a_file_of_it_that_waits_to_be_read_is_no_doubt_and_no_work(nurse: Client) -> None:
    put = {"key": "vigil-smoke/a.csv", "version": "1", "source": "vigil-smoke", "size": 1}
    times = dict.fromkeys(("last_modified", "source_time", "received_at"), NOON)
    FeedFile.objects.create(bucket="inbox", **put, **(times | {"received_at": NOON - 4 * HOUR}))
    assert json.loads(asked(nurse, "board/"))["doubts"] == []
    assert json.loads(asked(nurse, "feeds/"))["files_not_done"] == 0
    assert files().figures["files_not_done"] == 0.0


HOUR = timedelta(hours=1)


@pytest.mark.usefixtures("both")
def test_its_silent_feeds_blind_nobody_and_the_hospitals_do_not_blind_it(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    at_noon.shift(timedelta(minutes=20))
    order("T2", "9", "Sodium", hours=1, at=NOON + timedelta(minutes=20))
    board = json.loads(asked(nurse, "board/"))
    assert (board["counts"]["due"], board["cannot_know_since"]) == (1, None)
    assert [one["feed"] for one in board["doubts"]] == [
        "pms.admissions · pms",
        "pms.patients · pms",
    ]
    (one,) = json.loads(asked(smoke_account(), "patients/"))["results"]
    assert one["state"] == "cannot_know"


@pytest.mark.usefixtures("both")
def test_its_silence_marks_its_own_alert_alone(at_noon: time_machine.Traveller) -> None:
    at_noon.shift(timedelta(minutes=20))
    order("T2", "9", "Sodium", hours=1, at=NOON + timedelta(minutes=20))
    assert evaluate() == Evaluation(marked=1)
    marked = Alert.objects.get(unknown_since__isnull=False)
    assert marked.admission.patient_number == IN_BED
    assert evaluate() == Evaluation()


@pytest.mark.usefixtures("both")
def test_the_default_rule_holds_for_it_whatever_is_declared_of_its_department(
    nurse: Client,
) -> None:
    reserved = Department.objects.get(name="vigil-smoke")
    AlertRule.objects.create(department=reserved, threshold_hours=500, second_tier_hours=None)
    evaluate()
    assert Alert.objects.get(admission__patient_number=IN_BED).status == AlertStatus.OPEN
    assert json.loads(asked(nurse, "board/"))["rule"]["departments"] == []


@pytest.mark.usefixtures("both")
def test_a_rule_of_its_department_cannot_be_chosen(operator: Client) -> None:
    page = operator.get("/admin/alerts/alertrule/add/").content.decode()
    assert ("Cardiology" in page, "vigil-smoke" in page) == (True, False)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    "page", ["ingestion/patient", "ingestion/admission", "ingestion/feedfile", "alerts/alert"]
)
def test_operators_see_it_marked(operator: Client, page: str) -> None:
    shown = operator.get(f"/admin/{page}/").content.decode()
    marks = shown.count("icon-yes.svg"), shown.count("icon-no.svg")
    expected = {
        "ingestion/patient": (2, 1),
        "ingestion/admission": (2, 2),
        "ingestion/feedfile": (3, 4),
        "alerts/alert": (1, 1),
    }
    assert marks[0] == expected[page][0]


def test_a_ward_that_bears_the_reserved_name_keeps_its_patient_in_no_department(
    nurse: Client,
) -> None:
    admit("0042", "Brown, Emma", hours=81, department="Vigil-Smoke")
    (one,) = json.loads(asked(nurse, "patients/"))["results"]
    assert (one["patient_id"], one["admission"]["department"]) == ("0042", None)
    flaw = Flaw.objects.get()
    assert (flaw.column, flaw.reason, flaw.value) == ("department", "reserved", "Vigil-Smoke")
    assert not Department.objects.exists()


@pytest.mark.parametrize("rows", [1, 30])
@pytest.mark.parametrize("number", ["vigil-smoke-1", "VIGIL-SMOKE-1"])
def test_a_row_of_the_hospitals_that_names_a_reserved_number_is_rejected_and_told_of(
    nurse: Client, number: str, rows: int
) -> None:
    others = [admission(f"C{one}", f"P{one}", hours=9, department="ICU") for one in range(rows - 1)]
    deliver(*others, admission("C99", number, hours=60, department="Cardiology"))
    rejected = RejectedRow.objects.get()
    assert (rejected.reason, rejected.column) == ("reserved", "patient_id")
    assert rejected.subjects.count() == 0
    doubts = json.loads(asked(nurse, "board/"))["doubts"]
    told = [one for one in doubts if one["kind"] == "admission_rows_rejected"]
    assert [(one["department"], one["count"]) for one in told] == [("Cardiology", 1)]


@pytest.mark.parametrize(
    "row",
    [
        {"number": "0042"},
        {"number": IN_BED, "case": "C0042"},
        {"number": IN_BED, "ward": "Cardiology"},
        {"number": IN_BED, "ward": ""},
        {"number": "VIGIL-SMOKE-BED"},
    ],
)
def test_a_file_in_the_reserved_source_that_names_anybody_else_is_refused_and_told_of(
    nurse: Client, row: dict[str, Any]
) -> None:
    key = smoke(hours=60, **row)
    file = FeedFile.objects.get(key=key)
    assert (file.status, file.refusal) == ("refused", "reserved")
    assert not Patient.objects.exists()
    assert [one["kind"] for one in json.loads(asked(nurse, "board/"))["doubts"]] == [
        "files_refused"
    ]
    assert key in asked(nurse, "feed-files/")


@pytest.mark.parametrize(
    "lines",
    [
        # A layout that cannot say that its patient is nobody; a result for somebody's test.
        ("patient_id,first_name,last_name,date_of_birth", "vigil-smoke-1,A,B,1970-01-01"),
        (
            "result_id,test_id,result_value,performed_date,performed_time",
            "vigil-smoke-r,T1,5,2025-03-20,10:00",
        ),
        (TESTS, "T1,0042,Smoke,2025-03-20T10:00:00Z"),
        (COMBINED, "not,as,many,fields"),
    ],
)
def test_nothing_but_a_smoke_tests_own_rows_is_taken_from_its_source(
    lines: tuple[str, ...],
) -> None:
    admit("0042", "Brown, Emma", hours=81)
    order("T1", "0042", "Sodium", hours=61)
    key = deliver_lines(*lines, source="vigil-smoke")
    assert FeedFile.objects.get(key=key).refusal == "reserved"
    patient = Patient.objects.get()
    assert (patient.patient_id, patient.last_test_at) == ("0042", NOON - 61 * HOUR)
    assert waiting_counts() == {"admissions": 0, "lab_tests": 0, "lab_results": 0}


def test_a_result_of_the_hospitals_for_a_smoke_patients_test_is_rejected() -> None:
    smoke(IN_BED, hours=60)
    deliver_lines(
        "result_id,test_id,result_value,performed_date,performed_time",
        "R1,vigil-smoke-t,5,2025-03-20,10:00",
        source="lis",
    )
    assert RejectedRow.objects.get().reason == "reserved"


def test_the_smoke_account_is_given_no_role() -> None:
    user = User.objects.create(username=SMOKE_ACCOUNT)
    with pytest.raises(OpsError, match="sees the smoke patient alone"):
        give_role(user, Role.OPERATOR, by="olga", why="It asked for one.")
    user.refresh_from_db()
    assert (user.is_staff, user.groups.count()) == (False, 0)
