"""Samples: one a minute, unknown where nobody can be asked; and incidents of what stays down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from ops.choices import Health
from ops.models import AuditEvent, Incident, ProbeDay, ProbeSample
from ops.queries.status import Slot, days_of, last_day
from ops.registry import Finding, Probe, add_probe
from ops.services.incidents import open_incident
from ops.services.sampling import fold_days, note_silence, sample
from ops.standing import standings
from tests.deliveries import NOON
from tests.ops.registered import no_other_components

pytestmark = pytest.mark.usefixtures("at_noon")
MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Only the components that a test brings along."""
    with no_other_components():
        yield


def component(name: str, ask: Callable[[], Finding]) -> None:
    add_probe(Probe(name, name.capitalize(), ask))


def found(health: Health, words: str = "Words.", **figures: float) -> Callable[[], Finding]:
    return lambda: Finding(health, words, figures)


def stands(name: str, at: datetime = NOON) -> tuple[Health, str]:
    (one,) = [one for one in standings(at) if one.name == name]
    return one.health, one.words


def test_what_a_component_answers_is_on_record_for_its_minute() -> None:
    component("queue", found(Health.DEGRADED, "Long.", queue_length=7))

    sample(NOON + timedelta(seconds=31))

    one = ProbeSample.objects.get()
    told = (one.component, one.at, one.health, one.words, one.figures)
    assert told == ("queue", NOON, "degraded", "Long.", {"queue_length": 7})


def test_a_minute_is_sampled_once_however_often_it_is_asked() -> None:
    component("queue", found(Health.WELL))
    sample(NOON)
    component("queue", found(Health.DOWN))

    sample(NOON + timedelta(seconds=59))

    assert [one.health for one in ProbeSample.objects.all()] == ["well"]


def raising() -> Finding:
    raise LookupError("Emma Brown")


def breaking_the_transaction() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")
    return Finding(Health.WELL, "")


def waiting() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return Finding(Health.WELL, "")


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (raising, "LookupError"),
        (breaking_the_transaction, "ProgrammingError"),
        (waiting, "OperationalError"),
    ],
)
def test_who_cannot_be_asked_is_unknown_with_the_error_s_type_and_no_other_is_touched(
    ask: Callable[[], Finding], error: str
) -> None:
    component("a", ask)
    component("b", found(Health.WELL, "Fine."))

    sample(NOON)

    assert stands("a") == (Health.UNKNOWN, f"It cannot be asked: {error}.")
    assert stands("b") == (Health.WELL, "Fine.")


def test_once_samples_stop_nothing_is_known_and_the_clock_is_down() -> None:
    component("queue", found(Health.WELL, "Fine."))
    component("clock", found(Health.WELL, "It calls."))
    sample(NOON)

    assert stands("queue", NOON + 3 * MINUTE) == (Health.WELL, "Fine.")
    assert stands("clock", NOON + 3 * MINUTE) == (Health.WELL, "It calls.")
    later = NOON + 4 * MINUTE
    assert stands("queue", later) == (Health.UNKNOWN, "Not asked since. Found then: Fine.")
    health, words = stands("clock", later)
    assert health == Health.DOWN
    assert words.startswith("Nothing was sampled for 4 minutes: the clock (beat) or the workers do")


def test_before_the_first_sample_nothing_is_well_and_long_after_the_last_one() -> None:
    component("queue", found(Health.WELL))
    component("clock", found(Health.WELL))

    assert stands("queue") == (Health.UNKNOWN, "Not asked within the last day.")
    health, words = stands("clock")
    assert (health, words[:24]) == (Health.UNKNOWN, "Nothing was sampled yet:")
    sample(NOON)
    health, words = stands("clock", NOON + timedelta(days=3))
    assert (health, words[:37]) == (Health.DOWN, "Nothing was sampled for 4320 minutes:")


def sample_minutes(*each: Health, since: datetime = NOON) -> None:
    for number, health in enumerate(each):
        component("queue", found(health, "Broken."))
        sample(since + number * MINUTE)


D, W, G, U = Health.DOWN, Health.WELL, Health.DEGRADED, Health.UNKNOWN


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        ([D, D, D, D], []),
        ([D, D, D, D, D], ["open"]),
        ([D, D, W, D, D, D], []),
        # Who cannot be asked is not known to be down, and so no incident of its own.
        ([D, D, U, D, D, D], []),
        ([D] * 7, ["open"]),
        ([D] * 5 + [W] * 4, ["open"]),
        ([D] * 5 + [W, W, G, G, W], ["closed"]),
        ([D] * 5 + [W, W, U, W, W], ["open"]),
        ([D] * 5 + [W] * 5 + [D] * 5, ["closed", "open"]),
    ],
)
def test_what_is_down_for_five_minutes_is_an_incident_until_it_works_for_five(
    minutes: list[Health], status: list[str]
) -> None:
    sample_minutes(*minutes)
    assert [one.status for one in Incident.objects.order_by("pk")] == status


def test_such_an_incident_says_what_was_found_to_operators_alone() -> None:
    sample_minutes(D, D, D, D, D)

    incident = Incident.objects.get()
    (said,) = incident.updates.all()
    assert (incident.component, incident.title) == ("queue", "Queue: not working")
    assert (said.by, said.words, said.is_public) == ("vigil", "Down for 5 minutes. Broken.", False)
    assert [event.act for event in AuditEvent.objects.all()] == ["incident.opened"]


def test_what_a_person_opened_a_person_closes() -> None:
    open_incident(component="queue", title="Queue: not working", words="I saw it.", by="olga")

    sample_minutes(W, W, W, W, W)

    assert Incident.objects.get().status == "open"


def test_who_is_neither_clock_nor_worker_notices_that_they_do_not_run() -> None:
    component("queue", found(Health.WELL))
    sample(NOON)
    long_ago = NOON - timedelta(days=1)

    assert note_silence(NOON + 4 * MINUTE, watched_since=long_ago) is False
    assert note_silence(NOON + 5 * MINUTE, watched_since=long_ago) is True
    assert note_silence(NOON + 6 * MINUTE, watched_since=long_ago) is True
    assert [one.title for one in Incident.objects.all()] == ["Clock or workers do not run"]

    sample(NOON + 7 * MINUTE)
    assert Incident.objects.get().status == "closed"


def test_after_a_start_of_everything_the_silence_before_is_no_incident() -> None:
    component("queue", found(Health.WELL))
    sample(NOON)
    morning = NOON + timedelta(hours=20)

    assert note_silence(morning + MINUTE, watched_since=morning) is False
    assert Incident.objects.count() == 0


def in_the_past(day: date, **minutes: int) -> None:
    """Samples from eight o'clock in Berlin, so many of each health."""
    at = datetime(day.year, day.month, day.day, 8, tzinfo=BERLIN)
    healths = [health for health, count in minutes.items() for _ in range(count)]
    ProbeSample.objects.bulk_create(
        ProbeSample(component="queue", at=at + number * MINUTE, health=health)
        for number, health in enumerate(healths)
    )


def counts() -> list[tuple[date, int, int, int, int]]:
    days = ProbeDay.objects.order_by("day")
    return [(one.day, one.well, one.degraded, one.down, one.unknown) for one in days]


def test_days_that_are_over_are_counted_once_and_today_is_not() -> None:
    in_the_past(date(2025, 3, 18), well=3, down=2)
    in_the_past(date(2025, 3, 19), well=1, degraded=2, unknown=1)
    in_the_past(date(2025, 3, 20), well=5)

    assert (fold_days(NOON), fold_days(NOON)) == (2, 0)

    assert counts() == [(date(2025, 3, 18), 3, 0, 2, 0), (date(2025, 3, 19), 1, 2, 0, 1)]
    assert ProbeSample.objects.count() == 14


def test_old_samples_go_once_they_are_counted() -> None:
    in_the_past(date(2025, 3, 1), well=3)
    in_the_past(date(2025, 3, 10), well=2)
    ProbeDay.objects.create(
        component="queue", day=date(2025, 3, 1), well=3, degraded=0, down=0, unknown=0
    )

    fold_days(NOON)

    assert {one.at.astimezone(BERLIN).date() for one in ProbeSample.objects.all()} == {
        date(2025, 3, 10)
    }
    assert counts() == [(date(2025, 3, 1), 3, 0, 0, 0), (date(2025, 3, 10), 2, 0, 0, 0)]


def test_days_are_the_same_before_and_after_they_are_counted() -> None:
    in_the_past(date(2025, 3, 18), well=3, down=2)
    in_the_past(date(2025, 3, 20), well=5)

    def told() -> list[tuple[int, int, int]]:
        days = days_of(["queue"], at=NOON, zone=BERLIN, count=3)["queue"]
        return [(day.up, day.down, day.unknown) for day in days]

    before = told()
    fold_days(NOON)
    assert before == told() == [(3, 2, 1435), (0, 0, 1440), (5, 0, 775)]


def test_the_last_day_is_divided_and_each_part_shows_its_worst() -> None:
    for minutes_ago, health, length in ((1, W, 4), (2, D, 9), (700, G, 1), (1500, D, 99)):
        ProbeSample.objects.create(
            component="queue",
            at=NOON - minutes_ago * MINUTE,
            health=health,
            figures={"queue_length": length},
        )

    drawn = last_day({"queue": "queue_length", "disk": ""}, at=NOON, slots=4)

    assert drawn["queue"] == [Slot(U, None), Slot(U, None), Slot(G, 1), Slot(D, 9)]
    assert drawn["disk"] == [Slot(U, None)] * 4


@pytest.mark.parametrize(("missing", "health"), [(0, W), (2, W), (3, U)])
def test_a_part_of_the_day_that_was_not_sampled_wholly_is_not_shown_as_well(
    missing: int, health: Health
) -> None:
    ProbeSample.objects.bulk_create(
        ProbeSample(component="queue", at=NOON - number * MINUTE, health=W)
        for number in range(30 - missing)
    )
    assert last_day({"queue": ""}, at=NOON, slots=48)["queue"][-1].health == health
