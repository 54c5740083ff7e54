"""The page for strangers: how the place stands, and nothing about patients or machines."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ops.choices import Health
from ops.models import ProbeDay, ProbeSample
from ops.public import Kept, Told, kept_status, status_without_database
from ops.services.incidents import close_incident, open_incident, update_incident
from tests.deliveries import NOON

pytestmark = pytest.mark.usefixtures("at_noon")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def made_anew() -> Iterator[None]:
    """The page is kept for seconds, and the clock of these tests stands still."""
    kept_status.forget()
    yield
    kept_status.forget()


def stood(health: Health, *, name: str = "feeds", words: str = "Silent: lab north.") -> None:
    ProbeSample.objects.create(component=name, at=NOON, health=health, words=words)


def text_of(answer: Any) -> str:
    body = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", body)


def test_strangers_are_told_the_health_of_each_component_and_no_probe_s_words(
    stranger: Client,
) -> None:
    stood(Health.DOWN)
    stood(Health.WELL, name="database", words="1.2 GiB.")
    stood(Health.DOWN, name="disk", words="Full.")

    answer = stranger.get("/status")

    told = text_of(answer)
    assert answer.status_code == 200
    assert "Feeds Not working" in told
    assert "Database Working" in told
    assert "Queue Not known" in told
    for kept_back in ("lab north", "GiB", "Disk", "Full", "Certificates"):
        assert kept_back not in told


@pytest.mark.parametrize(
    ("healths", "words"),
    [
        ({"feeds": Health.DEGRADED, "queue": Health.DOWN}, "Something is not working."),
        # What nobody knows is never told as working.
        (
            {"feeds": Health.DEGRADED, "clock": Health.WELL},
            "Of something it is not known whether it works.",
        ),
        (None, "Everything is working."),
    ],
)
def test_the_worst_is_said_first(
    stranger: Client, healths: dict[str, Health] | None, words: str
) -> None:
    from ops.registry import probes

    given = {one.name: Health.WELL for one in probes()} if healths is None else healths
    for name, health in given.items():
        stood(health, name=name)

    assert words in text_of(stranger.get("/status"))


def test_of_an_incident_strangers_read_the_component_and_what_is_public(stranger: Client) -> None:
    stood(Health.DOWN)
    incident = open_incident(component="feeds", title="lab-host-7 is gone", words="Secret.")
    assert "Incidents Nothing is told of one now" in text_of(stranger.get("/status"))

    update_incident(incident, words="We are looking into it.", by="olga", is_public=True)
    kept_status.forget()
    told = text_of(stranger.get("/status"))

    assert "Feeds: open" in told
    assert "We are looking into it." in told
    for kept_back in ("lab-host-7", "Secret", "olga"):
        assert kept_back not in told


def test_an_incident_that_is_over_is_told_for_two_weeks(stranger: Client) -> None:
    incident = open_incident(component="feeds", title="t", words="Late.", is_public=True)
    close_incident(incident, words="Cable.", by="olga")

    told = text_of(stranger.get("/status"))
    assert "Feeds: over since 13:00 CET, 20 March 2025" in told
    assert "Cable" not in told

    type(incident).objects.update(closed_at=NOON - 15 * DAY, opened_at=NOON - 16 * DAY)
    kept_status.forget()
    assert "Late." not in text_of(stranger.get("/status"))


def test_uptime_counts_ninety_days_and_what_was_not_sampled_is_not_up(stranger: Client) -> None:
    day = (NOON - DAY).date()
    ProbeDay.objects.create(component="feeds", day=day, well=700, degraded=8, down=12, unknown=0)

    body = stranger.get("/status").content.decode()

    # 708 of 720 minutes; today's 780 so far were not sampled.
    assert "Feeds, last 90 days: 98.33 % up of what is known; 67.57 % not known" in body
    assert "19 Mar 2025: 708 minutes up, 8 of them with difficulty, 12 down, 720 not known" in body
    assert body.count('<rect class="is-down"') == 1


def test_ten_thousand_strangers_cost_the_database_one_look(stranger: Client) -> None:
    with CaptureQueriesContext(connection) as first:
        stranger.get("/status")
    with CaptureQueriesContext(connection) as more:
        answers = [stranger.get("/status") for _ in range(10)]
    assert len(first) <= 8
    assert len(more) == 0
    assert {answer["Cache-Control"] for answer in answers} == {"public, max-age=10"}


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_without_a_database_it_answers_and_says_so_also_to_who_is_signed_in(
    nurse: Client, error: type[Exception]
) -> None:
    def gone(*_query: Any) -> Any:
        raise error("could not connect to 10.0.0.7 as vigil_app")

    with connection.execute_wrapper(gone):
        answer = nurse.get("/status")

    told = text_of(answer)
    assert answer.status_code == 200
    assert "The database does not answer" in told
    assert "Database Not working" in told
    assert "Feeds Not known" in told
    assert "10.0.0.7" not in told


def test_while_somebody_waits_for_a_frozen_database_others_get_the_old_page_for_a_minute_at_most(
    at_noon: time_machine.Traveller,
) -> None:
    begun, frozen = threading.Event(), threading.Event()
    told = iter([status_without_database()])

    def make() -> Told:
        if (first := next(told, None)) is not None:
            return first
        begun.set()
        frozen.wait(20)
        return status_without_database()

    instead = status_without_database()
    kept = Kept(make, instead=lambda: instead, seconds=10)
    old = kept.get()
    at_noon.shift(11)
    waiting = threading.Thread(target=kept.get)
    waiting.start()
    assert begun.wait(5)

    assert kept.get() is old
    at_noon.shift(60)
    assert kept.get() is instead

    frozen.set()
    waiting.join()
    assert kept.get() not in (old, instead)


def test_nothing_of_it_is_inline_and_the_policy_allows_nothing_inline(stranger: Client) -> None:
    stood(Health.DOWN)
    answer = stranger.get("/status")
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<style|<script|\sstyle=|\son\w+=", answer.content.decode())


def test_nobody_posts_to_it(stranger: Client) -> None:
    assert stranger.post("/status").status_code == 405
