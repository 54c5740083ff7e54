"""How alerting stands: whether everybody is evaluated, and how many are due."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from alerts import probes
from alerts.tasks import sweep
from ops.choices import Health
from ops.services.muting import mute, unmute
from tests.deliveries import NOON, admit, deliver, order, patient


def test_open_alerts_are_counted_and_nobody_is_named(at_noon: time_machine.Traveller) -> None:
    admit("0042", "Brown, Emma", hours=81)
    admit("0043", "Cohen, Uri", hours=20)
    sweep()

    told = probes.alerts()

    assert (told.health, told.words) == (
        Health.WELL,
        "1 open. Everybody is evaluated each minute.",
    )
    assert (told.figures["open_alerts"], told.figures["alerts_not_known"]) == (1, 0)


def test_alerts_that_cannot_be_known_are_told_apart(at_noon: time_machine.Traveller) -> None:
    admit("0042", "Brown, Emma", hours=81)
    order("T1", "0042", "Sodium", hours=60)
    sweep()
    at_noon.shift(timedelta(minutes=20))
    deliver(patient("0099"), at=NOON + timedelta(minutes=20))
    sweep()

    told = probes.alerts()

    assert told.words.startswith("1 open, 1 of them cannot be known while a feed is silent.")


@pytest.mark.parametrize(
    ("minutes", "health"), [(2, Health.WELL), (3, Health.DEGRADED), (6, Health.DOWN)]
)
def test_an_evaluation_that_does_not_come_is_told(
    at_noon: time_machine.Traveller, minutes: int, health: Health
) -> None:
    sweep()
    at_noon.shift(timedelta(minutes=minutes))
    told = probes.alerts()
    assert (told.health, told.figures["evaluation_age_seconds"]) == (health, minutes * 60)


def test_in_a_muted_place_nobody_is_evaluated_and_that_is_told(
    at_noon: time_machine.Traveller,
) -> None:
    sweep()
    mute(by="olga", why="Restored.")
    at_noon.shift(timedelta(minutes=1))
    sweep()

    told = probes.alerts()

    assert told.health == Health.DOWN
    assert "the place is muted" in told.words
    unmute(by="olga", why="Checked.")
    assert probes.alerts().figures["evaluation_age_seconds"] == 60


def test_before_the_first_evaluation_nothing_is_known(at_noon: time_machine.Traveller) -> None:
    assert probes.alerts().health == Health.UNKNOWN
