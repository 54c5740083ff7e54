"""A legal hold keeps what it is on until somebody ends it, and the report says which it was."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.db import InternalError, transaction
from django.test import Client

from ingestion.models import Patient
from ops.choices import HoldScope
from ops.errors import HoldRefused
from ops.models import AuditEvent, LegalHold
from ops.registry import retention_kinds
from ops.services.holding import end_hold, place_hold
from ops.services.retention import Line, apply, report
from tests.deliveries import NOON, deliver, patient

pytestmark = pytest.mark.usefixtures("at_noon")

WHY = "A court asks for it."
PLACE = "/admin/ops/legalhold/place/"


def sessions() -> list[object]:
    return [one for one in retention_kinds() if one.name == "ops.sessions"]


@pytest.fixture
def over(db: None) -> None:
    """Two sessions whose time is over."""
    for key in ("one", "two"):
        ended = NOON - timedelta(days=30)
        Session.objects.create(session_key=key, session_data="", expire_date=ended)


def told() -> Line:
    return report(sessions(), now=NOON)[0]  # type: ignore[arg-type]


def remove() -> int:
    return apply(sessions(), by="olga", why="Nightly.", now=NOON).gone  # type: ignore[arg-type]


@pytest.mark.usefixtures("over")
@pytest.mark.parametrize(
    ("scope", "kind"), [(HoldScope.EVERYTHING, ""), (HoldScope.KIND, "ops.sessions")]
)
def test_what_is_held_is_not_removed_until_the_hold_ends(scope: HoldScope, kind: str) -> None:
    hold = place_hold(scope, by="sophie", why=WHY, kind=kind)

    line = told()
    assert (line.over, line.held, line.would_go) == (2, 2, 0)
    assert line.holds == [{"hold": hold.pk, "count": 2}]
    assert (remove(), Session.objects.count()) == (0, 2)

    end_hold(hold, by="sophie", why="The case is closed.")
    assert (remove(), Session.objects.count()) == (2, 0)


@pytest.mark.usefixtures("over")
def test_one_of_two_holds_that_ends_frees_nothing() -> None:
    first = place_hold(HoldScope.EVERYTHING, by="sophie", why=WHY)
    second = place_hold(HoldScope.KIND, by="sophie", why=WHY, kind="ops.sessions")
    assert told().holds == [{"hold": first.pk, "count": 2}, {"hold": second.pk, "count": 2}]

    end_hold(first, by="sophie", why="Closed.")

    assert (told().held, remove()) == (2, 0)


@pytest.mark.usefixtures("over")
def test_a_hold_on_another_kind_or_on_a_patient_holds_no_sessions() -> None:
    deliver(patient("P1"))
    place_hold(HoldScope.KIND, by="sophie", why=WHY, kind="ops.mutings")
    place_hold(HoldScope.PATIENT, by="sophie", why=WHY, patient=Patient.objects.get().pk)

    assert (told().held, remove()) == (0, 2)


def test_placing_and_ending_are_on_the_trail_with_who_and_why() -> None:
    hold = place_hold(HoldScope.KIND, by="sophie", why=WHY, kind="ops.sessions")
    end_hold(hold, by="olga", why="Closed.")

    on_trail = [
        (one.act, one.who, one.object_key, one.why) for one in AuditEvent.objects.order_by("pk")
    ]
    assert on_trail == [
        ("hold.placed", "sophie", str(hold.pk), WHY),
        ("hold.ended", "olga", str(hold.pk), "Closed."),
    ]
    hold.refresh_from_db()
    assert (hold.ended_at, hold.ended_by, hold.ended_why) == (NOON, "olga", "Closed.")


def test_what_would_hold_nothing_is_refused() -> None:
    with pytest.raises(HoldRefused, match="No patient has this key"):
        place_hold(HoldScope.PATIENT, by="sophie", why=WHY, patient=uuid4())
    with pytest.raises(HoldRefused, match="No patient has this key"):
        place_hold(HoldScope.PATIENT, by="sophie", why=WHY)
    with pytest.raises(HoldRefused, match="no kind of data named 'sessions'"):
        place_hold(HoldScope.KIND, by="sophie", why=WHY, kind="sessions")
    with pytest.raises(HoldRefused, match="who and why"):
        place_hold(HoldScope.EVERYTHING, by="sophie", why=" ")

    assert (LegalHold.objects.count(), AuditEvent.objects.count()) == (0, 0)


def test_a_hold_ends_once() -> None:
    hold = place_hold(HoldScope.EVERYTHING, by="sophie", why=WHY)
    end_hold(hold, by="sophie", why="Closed.")

    with pytest.raises(HoldRefused, match="has ended already"):
        end_hold(hold, by="olga", why="Again.")

    hold.refresh_from_db()
    assert (hold.ended_by, AuditEvent.objects.count()) == ("sophie", 2)


def test_a_hold_stays_on_record() -> None:
    hold = place_hold(HoldScope.EVERYTHING, by="sophie", why=WHY)

    with pytest.raises(InternalError), transaction.atomic():
        LegalHold.objects.filter(pk=hold.pk).delete()

    assert LegalHold.objects.count() == 1


# --- Pages --------------------------------------------------------------------------------


def staff(*permissions: str) -> Client:
    user = User.objects.create(username="sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def test_an_operator_is_told_what_a_hold_does_and_places_it_with_a_reason(
    operator: Client,
) -> None:
    deliver(patient("P1"))
    key = Patient.objects.get().pk

    asked = operator.get(PLACE).content.decode()
    assert "nothing of it is removed, however old it is" in asked
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", asked)
    said = operator.post(PLACE, {"scope": "patient", "patient": str(key), "why": WHY}, follow=True)

    hold = LegalHold.objects.get()
    assert (hold.patient, hold.placed_by, hold.why) == (key, "operator", WHY)
    assert f"Hold {hold.pk} is in force." in said.content.decode()
    assert f"patient {key}" in said.content.decode()


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ({"scope": "patient", "why": WHY}, "Say which one."),
        ({"scope": "kind", "why": WHY}, "Say which one."),
        ({"scope": "everything", "kind": "ops.sessions", "why": WHY}, "Leave this empty"),
        ({"scope": "everything", "why": " "}, "This field is required."),
        ({"scope": "patient", "patient": "P1", "why": WHY}, "Enter a valid UUID."),
        (
            {"scope": "patient", "patient": "0b9c3d5e-0000-4000-8000-000000000000", "why": WHY},
            "No patient has this key.",
        ),
    ],
)
def test_a_hold_that_says_too_little_is_asked_again(
    operator: Client, posted: dict[str, str], said: str
) -> None:
    assert said in operator.post(PLACE, posted).content.decode()
    assert LegalHold.objects.count() == 0


def test_an_operator_ends_a_hold_with_a_reason(operator: Client) -> None:
    hold = place_hold(HoldScope.EVERYTHING, by="sophie", why=WHY)
    shown = operator.get(f"/admin/ops/legalhold/{hold.pk}/change/").content.decode()
    assert f"/admin/ops/legalhold/{hold.pk}/end/" in shown

    address = f"/admin/ops/legalhold/{hold.pk}/end/"
    assert "That is final." in operator.get(address).content.decode()
    assert "This field is required." in operator.post(address, {"why": ""}).content.decode()
    said = operator.post(address, {"why": "Closed."}, follow=True).content.decode()

    assert f"Hold {hold.pk} is ended." in said
    hold.refresh_from_db()
    assert (hold.ended_by, hold.ended_why) == ("operator", "Closed.")


def test_who_may_only_look_is_offered_no_act_and_refused(db: None) -> None:
    hold = place_hold(HoldScope.EVERYTHING, by="sophie", why=WHY)
    browser = staff("view_legalhold")

    listed = browser.get("/admin/ops/legalhold/").content.decode()
    shown = browser.get(f"/admin/ops/legalhold/{hold.pk}/change/").content.decode()
    assert (PLACE in listed, "/end/" in shown) == (False, False)
    refused = [
        browser.post(PLACE, {"scope": "everything", "why": WHY}).status_code,
        browser.post(f"/admin/ops/legalhold/{hold.pk}/end/", {"why": WHY}).status_code,
    ]
    assert refused == [403, 403]
    assert LegalHold.objects.get().ended_at is None


def test_an_empty_list_says_what_will_be_there(operator: Client) -> None:
    assert "No legal hold here." in operator.get("/admin/ops/legalhold/").content.decode()
