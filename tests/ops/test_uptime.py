"""Arithmetic of uptime, as tables: what is not known is never counted as up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ops.choices import Health
from ops.uptime import Counted, Day, day_of, days_until, minutes_passed, percent, uptime_of

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2025, 3, 20)
LATER = datetime(2026, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("day", "until", "minutes"),
    [
        ("2025-03-20", "2025-06-01T00:00:00+00:00", 1440),
        ("2025-03-30", "2025-06-01T00:00:00+00:00", 1380),  # clocks go forward
        ("2025-10-26", "2025-12-01T00:00:00+00:00", 1500),  # and back
        ("2025-03-20", "2025-03-20T12:00:00+00:00", 780),  # 13:00 in Berlin
        ("2025-03-20", "2025-03-20T12:00:59+00:00", 780),
        ("2025-03-20", "2025-03-19T22:59:59+00:00", 0),
        ("2025-03-20", "2025-03-19T23:00:00+00:00", 0),
        ("2025-03-20", "2025-03-19T23:01:00+00:00", 1),
    ],
)
def test_a_day_has_the_minutes_of_the_wall_clock_that_are_over(
    day: str, until: str, minutes: int
) -> None:
    assert minutes_passed(date.fromisoformat(day), zone=BERLIN, until=at(until)) == minutes


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        # up, degraded, down, unknown, health
        (Counted(), (0, 0, 0, 1440, Health.UNKNOWN)),
        (Counted(well=1440), (1440, 0, 0, 0, Health.WELL)),
        (Counted(well=1439), (1439, 0, 0, 1, Health.WELL)),
        (Counted(well=1400, degraded=40), (1440, 40, 0, 0, Health.DEGRADED)),
        (Counted(well=1430, down=10), (1430, 0, 10, 0, Health.DOWN)),
        (Counted(down=1), (0, 0, 1, 1439, Health.DOWN)),
        (Counted(unknown=700), (0, 0, 0, 1440, Health.UNKNOWN)),
        (Counted(well=1000, unknown=440), (1000, 0, 0, 440, Health.WELL)),
        # Twice as many samples as minutes cannot be, and must not make less than nothing unknown.
        (Counted(well=1450), (1450, 0, 0, 0, Health.WELL)),
    ],
)
def test_minutes_without_a_sample_are_unknown(
    counted: Counted, expected: tuple[int, int, int, int, Health]
) -> None:
    day = day_of(counted, DAY, zone=BERLIN, until=LATER)
    assert (day.up, day.degraded, day.down, day.unknown, day.health) == expected


def test_of_today_only_the_minutes_that_are_over_count() -> None:
    day = day_of(Counted(well=700), DAY, zone=BERLIN, until=at("2025-03-20T12:00:30+00:00"))
    assert (day.up, day.unknown, day.minutes) == (700, 80, 780)


def a_day(up: int = 0, down: int = 0, unknown: int = 0) -> Day:
    return Day(DAY, up, 0, down, unknown)


@pytest.mark.parametrize(
    ("days", "up", "unknown"),
    [
        ([], None, 100.0),
        ([a_day(unknown=1440)], None, 100.0),
        ([a_day(up=1440)], 100.0, 0.0),
        # The days before anything was sampled are nobody's.
        ([a_day(unknown=1440), a_day(up=1440)], 100.0, 0.0),
        # Those after are.
        ([a_day(up=1440), a_day(unknown=1440)], 100.0, 50.0),
        ([a_day(up=720, down=720)], 50.0, 0.0),
        ([a_day(up=360, down=360, unknown=720)], 50.0, 50.0),
        # One minute in 90 days is not rounded away.
        ([a_day(up=129_599, down=1)], 99.99, 0.0),
        ([a_day(down=1440)], 0.0, 0.0),
    ],
)
def test_uptime_is_the_share_of_what_is_known_and_says_how_much_is_not(
    days: list[Day], up: float | None, unknown: float
) -> None:
    told = uptime_of(days)
    assert (told.up, told.unknown) == (up, unknown)


@given(some.integers(1, 10**7).flatmap(lambda n: some.tuples(some.integers(0, n), some.just(n))))
def test_only_all_of_it_is_a_hundred_percent(shares: tuple[int, int]) -> None:
    part, whole = shares
    assert (percent(part, whole) == 100) == (part == whole)
    assert 0 <= percent(part, whole) <= 100 * part / whole


def test_the_last_days_end_with_the_last() -> None:
    assert days_until(date(2025, 3, 2), count=3) == [
        date(2025, 2, 28),
        date(2025, 3, 1),
        date(2025, 3, 2),
    ]
