"""The trail as a security officer reads it, exports it and signs for it."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client

from ingestion.models import Patient
from ops import audit
from ops.models import AuditEvent, AuditReview
from ops.services.muting import mute
from ops.services.verifying import verify_trail
from tests.cast import olga_operator
from tests.deliveries import admit
from tests.ops.seals import a_seal, act, tamper, the_next_seal

pytestmark = pytest.mark.usefixtures("at_noon", "seals")

TRAIL = "/admin/ops/auditevent/"
REVIEWS = "/admin/ops/auditreview/"
SIGN = f"{REVIEWS}sign/"
PERIOD = {"first_day": "2025-03-20", "last_day": "2025-03-20", "note": "Read all of it."}


def page(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, address
    return re.sub(r"\s+", " ", answer.content.decode())


def staff(*permissions: str) -> Client:
    """Somebody who may use the admin for these things alone."""
    user = User.objects.create(username="sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def exported(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def acts(act_name: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(act=act_name))


def a_patient() -> Patient:
    admit("0042", "Brown, Emma", hours=81)
    return Patient.objects.get(patient_id="0042")


def test_each_line_says_how_far_it_is_proved(operator: Client) -> None:
    a_seal(1)
    act(2)
    shown = page(operator, TRAIL)
    assert "Sealed in 1</a></td>" in shown
    assert "Not yet sealed</td>" in shown
    assert (
        "<strong>1</strong> event not yet sealed, the oldest of 2025-03-20 13:00:00 CET." in shown
    )
    assert "Never verified" in shown

    verify_trail(by="sam")

    shown = page(operator, TRAIL)
    assert "Sealed in 1</a>, verified</td>" in shown
    assert "Last verified 2025-03-20 13:00 CET (whole trail):" in shown


def test_a_verification_vouches_for_no_seal_that_it_did_not_look_at(
    at_noon: time_machine.Traveller,
) -> None:
    a_seal(1)
    at_noon.shift(timedelta(days=1))
    a_seal(2)
    verify_trail(by="sam", since=date(2025, 3, 21))
    shown = page(olga_operator().browser, TRAIL)
    assert "Sealed in 1</a></td>" in shown
    assert "Sealed in 2</a>, verified</td>" in shown


def test_the_page_warns_in_words_once_sealing_has_stopped(
    operator: Client, at_noon: time_machine.Traveller
) -> None:
    a_seal(1)
    act(2)
    at_noon.shift(timedelta(minutes=2))
    assert "Sealing has stopped" not in page(operator, TRAIL)

    at_noon.shift(timedelta(seconds=1))
    assert "<strong>Sealing has stopped:</strong> a seal is made every 30 seconds" in page(
        operator, TRAIL
    )

    mute(by="olga", why="Restored beside the old one.")
    assert "<strong>Sealing has stopped:</strong> this place is muted." in page(operator, TRAIL)


def test_the_page_warns_in_words_after_a_verification_with_findings(operator: Client) -> None:
    event = a_seal(1).events.get().event
    tamper("UPDATE ops_auditevent SET who = 'nobody' WHERE id = %s", event.pk)
    verify_trail(by="sam")
    shown = page(operator, TRAIL)
    assert (
        "<strong>The trail is not as it was sealed:</strong> the last verification had 1 finding."
    ) in shown
    assert "Sealing has stopped" not in shown


def test_an_empty_trail_says_what_will_be_here(operator: Client) -> None:
    assert "Nothing is sealed yet: the first seal comes within 30 seconds" in page(operator, TRAIL)


def test_the_trail_is_narrowed_by_kind_act_seal_and_person(operator: Client) -> None:
    a_seal(1)
    act(2, by="nora")
    assert "1 audit event" in page(operator, f"{TRAIL}?sealed=no")
    assert "1 audit event" in page(operator, f"{TRAIL}?sealed=yes")
    assert "2 audit events" in page(operator, f"{TRAIL}?act=file.dismissed&within=24h")
    assert "0 audit events" in page(operator, f"{TRAIL}?kind__exact=look")
    operator.post(TRAIL, {"searched": "nora"})
    assert "1 audit event" in page(operator, TRAIL)


def test_an_export_gives_the_list_as_it_is_filtered_and_is_a_look_itself(operator: Client) -> None:
    a_seal(1)
    act(2)
    rows = exported(operator.post(f"{TRAIL}export/?sealed=yes"))
    assert [(row["object_key"], row["state"]) for row in rows] == [("1", "sealed in 1")]
    (look,) = acts("trail.exported")
    assert (look.kind, look.who) == ("look", "operator")
    assert look.details == {"filters": {"sealed": "yes"}, "rows": 1}


def test_an_export_is_posted_and_nobody_else_gets_it(operator: Client, nurse: Client) -> None:
    assert operator.get(f"{TRAIL}export/").status_code == 405
    assert nurse.post(f"{TRAIL}export/").status_code in {302, 403}
    assert staff("view_feedfile").post(f"{TRAIL}export/").status_code == 403
    assert acts("trail.exported") == []


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_is_a_formula(operator: Client, formula: str) -> None:
    audit.record("file.dismissed", by=formula, kind="feed file", key=1, why=formula)
    (row,) = exported(operator.post(f"{TRAIL}export/"))
    assert row["who"].startswith("'")
    assert row["why"] == f"'{formula}"


def test_a_patients_log_says_who_came_and_that_it_was_read(operator: Client, nurse: Client) -> None:
    patient = a_patient()
    nurse.get(f"/api/v1/patients/{patient.pk}/", REMOTE_ADDR="10.1.2.3")
    address = f"{TRAIL}patient/{patient.pk}/"

    shown = page(operator, address)

    assert "<td>look</td><td>nurse</td><td>patient.opened</td>" in shown
    assert "<td>10.1.2.3</td><td>Not yet sealed</td>" in shown
    assert "Brown" not in shown
    (look,) = acts("patient.access_log_opened")
    assert (look.who, look.patient) == ("operator", patient.pk)
    assert "patient.access_log_opened" in page(operator, address)


def test_the_log_is_one_step_from_the_patients_page(operator: Client) -> None:
    patient = a_patient()
    address = f"/admin/ops/auditevent/patient/{patient.pk}/"
    assert address in page(operator, f"/admin/ingestion/patient/{patient.pk}/change/")
    browser = staff("view_patient")
    assert address not in page(browser, f"/admin/ingestion/patient/{patient.pk}/change/")
    assert browser.get(address).status_code == 403


def test_a_patients_log_is_exported(operator: Client, nurse: Client) -> None:
    patient = a_patient()
    nurse.get(f"/api/v1/patients/{patient.pk}/")
    rows = exported(operator.post(f"{TRAIL}patient/{patient.pk}/export/"))
    assert [(row["who"], row["act"]) for row in rows] == [("nurse", "patient.opened")]
    (look,) = acts("trail.exported")
    assert (look.patient, look.details) == (patient.pk, {"rows": 1})


def test_a_log_that_nobody_is_in_says_what_will_be_there(operator: Client) -> None:
    assert "Nobody has come to this patient yet." in page(
        operator, f"{TRAIL}patient/{a_patient().pk}/"
    )


def test_a_review_shows_how_the_period_stands_before_it_is_signed(
    at_noon: time_machine.Traveller,
) -> None:
    a_seal(1)
    act(2)
    at_noon.shift(timedelta(seconds=1))
    browser = staff("view_auditreview", "sign_auditreview")

    shown = browser.post(SIGN, PERIOD).content.decode()

    assert (
        "2 events are on record, 1 of them not yet sealed. The trail was never verified." in shown
    )
    assert AuditReview.objects.count() == 0


def test_a_signed_review_keeps_who_which_period_and_how_it_stood() -> None:
    event = act(1)
    the_next_seal()
    tamper("UPDATE ops_auditevent SET who = 'nobody' WHERE id = %s", event.pk)
    verify_trail(by="sam")
    browser = staff("view_auditreview", "sign_auditreview")

    browser.post(SIGN, {**PERIOD, "shown": "2025-03-20/2025-03-20"})

    review = AuditReview.objects.get()
    assert (review.signed_by, review.note) == ("sam", "Read all of it.")
    assert review.period_from.isoformat() == "2025-03-19T23:00:00+00:00"
    assert review.period_to.isoformat() == "2025-03-20T12:00:00+00:00"
    assert review.state.endswith("(whole trail), of 2025-03-20 13:00 CET, had 1 findings.")
    (signed,) = acts("trail.reviewed")
    assert (signed.kind, signed.who, signed.why) == ("act", "sam", "Read all of it.")
    assert "Read all of it." in page(browser, REVIEWS)


def test_a_period_other_than_that_shown_is_shown_and_not_signed() -> None:
    browser = staff("view_auditreview", "sign_auditreview")
    answer = browser.post(SIGN, {**PERIOD, "shown": "2025-03-01/2025-03-20"})
    assert "How the period stands" in answer.content.decode()
    assert AuditReview.objects.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"note": ""}, {"last_day": "2025-03-21"}, {"first_day": "2025-03-21"}, {"first_day": "soon"}],
)
def test_a_review_without_note_or_of_what_has_not_passed_is_not_signed(
    wrong: dict[str, str],
) -> None:
    browser = staff("view_auditreview", "sign_auditreview")
    days = {**PERIOD, **wrong}
    browser.post(SIGN, {**days, "shown": f"{days['first_day']}/{days['last_day']}"})
    assert AuditReview.objects.count() == 0


def test_who_may_only_read_reviews_signs_none() -> None:
    browser = staff("view_auditreview")
    assert SIGN not in page(browser, REVIEWS)
    assert browser.post(SIGN, {**PERIOD, "shown": "2025-03-20/2025-03-20"}).status_code == 403
    assert AuditReview.objects.count() == 0
