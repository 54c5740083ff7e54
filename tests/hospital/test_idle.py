"""Idle sign-out: an open board asks for ever, and does not count as somebody being there."""

from __future__ import annotations

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client

from tests.cast import PASSWORD

BOARD = "/api/v1/board/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def half_an_hour(settings: pytest.FixtureRequest) -> None:
    settings.IDLE_SIGN_OUT_SECONDS = 1800  # type: ignore[attr-defined]


def poll(browser: Client) -> int:
    return browser.get(BOARD, headers={"X-Background": "1"}).status_code


def test_a_board_that_only_polls_is_signed_out_after_the_time_set(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    assert nurse.get(BOARD).status_code == 200
    for _ in range(30):
        at_noon.shift(60)
        assert poll(nurse) == 200
    at_noon.shift(1)
    assert poll(nurse) == 403
    assert nurse.get("/")["Location"] == "/accounts/login/?next=/"


def test_polling_does_not_prolong_the_session(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    nurse.get(BOARD)
    ends = Session.objects.get().expire_date
    at_noon.shift(600)
    poll(nurse)
    assert Session.objects.get().expire_date == ends


def test_what_a_person_does_counts(nurse: Client, at_noon: time_machine.Traveller) -> None:
    nurse.get(BOARD)
    for _ in range(3):
        at_noon.shift(1700)
        assert nurse.get(BOARD).status_code == 200


def test_signing_in_again_after_idling_works(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    nurse.get(BOARD)
    at_noon.shift(1801)
    assert nurse.get(BOARD).status_code == 403
    nurse.post("/accounts/login/", {"login": "nurse", "password": PASSWORD})
    assert nurse.get(BOARD).status_code == 200


def test_an_idle_session_is_gone_from_the_server_too(
    nurse: Client, at_noon: time_machine.Traveller
) -> None:
    nurse.get(BOARD)
    at_noon.shift(1801)
    poll(nurse)
    assert Session.objects.count() == 0
