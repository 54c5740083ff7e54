"""Arithmetic of uptime: from counted minutes to days. Plain Python, without a database.

A minute of which nothing is known is never counted as up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import floor
from zoneinfo import ZoneInfo

from ops.choices import Health

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Counted:
    """In how many minutes of a day a component was found how. What is missing was not sampled."""

    well: int = 0
    degraded: int = 0
    down: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Day:
    """One day of one component, in minutes: `up` counts well and degraded ones.

    `unknown` counts those that were sampled without an answer, and those that were not sampled.
    """

    day: date
    up: int
    degraded: int
    down: int
    unknown: int

    @property
    def minutes(self) -> int:
        """Give how many minutes of the day have passed."""
        return self.up + self.down + self.unknown

    @property
    def health(self) -> Health:
        """Give the day's colour: its worst known minute, and unknown if nothing is known."""
        if self.down:
            return Health.DOWN
        if not self.up:
            return Health.UNKNOWN
        return Health.DEGRADED if self.degraded else Health.WELL


def minutes_passed(day: date, *, zone: ZoneInfo, until: datetime) -> int:
    """Count the whole minutes of a calendar day that are over: 1440, or an hour off at a change
    of the clocks."""
    start = datetime.combine(day, time.min, tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    # As instants: two times of one zone are subtracted as the wall clock shows them.
    elapsed = min(until.timestamp(), end.timestamp()) - start.timestamp()
    return max(0, int(timedelta(seconds=elapsed) // _MINUTE))


def day_of(counted: Counted, day: date, *, zone: ZoneInfo, until: datetime) -> Day:
    """Judge one day. The minute that is running has been sampled perhaps and is not over."""
    up = counted.well + counted.degraded
    passed = max(minutes_passed(day, zone=zone, until=until), up + counted.down)
    return Day(day, up, counted.degraded, counted.down, passed - up - counted.down)


def days_until(last: date, *, count: int) -> list[date]:
    """List so many days up to and with the last, the earliest first."""
    return [last - timedelta(days=ago) for ago in range(count - 1, -1, -1)]


@dataclass(frozen=True)
class Uptime:
    """Of some days, the share of minutes in percent that were up, of those that are known; None
    where nothing is. `unknown` is the share of all minutes of which nothing is known."""

    up: float | None
    unknown: float


def uptime_of(days: Iterable[Day]) -> Uptime:
    """Add days up. Days before the first sample are nobody's minutes and are left out."""
    counted = list(days)
    while counted and not (counted[0].up or counted[0].down):
        counted.pop(0)
    up, down = sum(day.up for day in counted), sum(day.down for day in counted)
    every = sum(day.minutes for day in counted)
    return Uptime(
        up=percent(up, up + down) if up + down else None,
        unknown=100 - percent(up + down, every) if every else 100.0,
    )


def percent(part: int, whole: int) -> float:
    """Give a share in percent, rounded down to hundredths: 99.999 is not all."""
    return floor(10_000 * part / whole) / 100
