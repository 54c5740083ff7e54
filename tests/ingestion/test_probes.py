"""How ingestion stands: feeds, files, books, the watch."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from ingestion import probes
from ingestion.management.commands.watch import Rounds
from ingestion.models import FeedFile
from ingestion.services.books import balance_if_due
from ops.choices import Health
from ops.models import Incident
from tests.deliveries import NOON, deliver, deliver_lines, lab_test, order, patient

MINUTE = timedelta(minutes=1)


def test_a_silent_feed_is_down_and_named(at_noon: time_machine.Traveller) -> None:
    deliver(patient("0042"))
    order("T1", "0042", "Sodium", hours=3, at=NOON - 16 * MINUTE)

    told = probes.feeds()

    assert told.health == Health.DOWN
    assert told.words.startswith("Silent: ")
    assert "Of 2: 1 silent, 1 fresh." in told.words
    assert told.figures["feeds_silent"] == 1
    assert told.figures["oldest_feed_age_seconds"] == 960


@pytest.mark.parametrize(
    ("minutes", "health"), [(0, Health.WELL), (13, Health.DEGRADED), (16, Health.DOWN)]
)
def test_feeds_are_judged_as_the_alerts_judge_them(
    at_noon: time_machine.Traveller, minutes: int, health: Health
) -> None:
    deliver(patient("0042"), at=NOON - minutes * MINUTE)
    assert probes.feeds().health == health


def test_before_a_feed_has_delivered_nothing_is_known(at_noon: time_machine.Traveller) -> None:
    assert probes.feeds().health == Health.UNKNOWN


@pytest.mark.parametrize(
    ("minutes", "health"), [(2, Health.WELL), (3, Health.DEGRADED), (16, Health.DOWN)]
)
def test_a_file_that_waits_long_is_told(
    at_noon: time_machine.Traveller, minutes: int, health: Health
) -> None:
    FeedFile.objects.create(
        bucket="inbox", key="pms/a.csv", version="1", source="pms", size=1,
        last_modified=NOON, source_time=NOON, received_at=NOON - minutes * MINUTE,
    )  # fmt: skip
    told = probes.files()
    assert told.health == health
    assert told.figures["files_not_done"] == 1
    assert told.figures["oldest_file_not_done_seconds"] == minutes * 60
    assert "a.csv" not in told.words


def test_what_is_to_be_worked_off_is_counted(at_noon: time_machine.Traveller) -> None:
    deliver_lines("what,is,this")
    deliver({**patient("0046"), "date_of_birth": "yesterday"}, patient("0047"))
    deliver(lab_test("T9", "9999", "Sodium", hours=3), source="lis")

    told = probes.files()

    assert told.health == Health.DEGRADED
    counted = [told.figures[name] for name in ("refused_files", "rejected_rows", "waiting_rows")]
    assert counted == [1.0, 0.0, 1.0]


def test_the_books_are_recomputed_when_due_and_the_result_is_kept_with_its_time(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("0042"))
    assert probes.books().health == Health.UNKNOWN

    done = [balance_if_due(NOON), balance_if_due(NOON + timedelta(hours=5.9))]

    told = probes.books()
    assert done == [True, False]
    assert told.health == Health.WELL
    assert told.words == "They balance. Recomputed at 13:00 on 20 Mar CET."
    assert told.figures["books_balanced"] == 1
    at_noon.shift(timedelta(hours=12.1))
    assert probes.books().health == Health.UNKNOWN


def test_books_that_do_not_balance_are_down_and_an_incident(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("0042"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ingestion_patient SET said_line = 77")

    balance_if_due(NOON)

    told = probes.books()
    assert told.health == Health.DOWN
    assert told.words.startswith("They do NOT balance, in 1 files: stop ingesting")
    assert (told.figures["books_balanced"], told.figures["files_not_balanced"]) == (0, 1)
    assert [one.title for one in Incident.objects.all()] == ["The books do not balance"]


def test_the_watch_says_each_minute_that_it_runs_and_is_missed_after_three(
    at_noon: time_machine.Traveller,
) -> None:
    assert probes.watch().health == Health.UNKNOWN
    rounds = Rounds(timezone.now())

    rounds.take(NOON)
    rounds.take(NOON + MINUTE / 2)
    at_noon.shift(3 * MINUTE)
    assert probes.watch().health == Health.WELL
    at_noon.shift(MINUTE)
    assert probes.watch().health == Health.DOWN

    rounds.take(NOON + 4 * MINUTE)
    assert probes.watch().health == Health.WELL


def test_the_watch_notices_that_clock_and_workers_do_not_run(
    at_noon: time_machine.Traveller,
) -> None:
    rounds = Rounds(NOON)
    for minute in range(5):
        rounds.take(NOON + minute * MINUTE)
    assert Incident.objects.count() == 0

    rounds.take(NOON + 5 * MINUTE)

    assert [one.component for one in Incident.objects.all()] == ["clock"]
