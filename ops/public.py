"""What strangers are told of the place: health by component, incidents that are public, uptime.

No patient, no name of a file, a feed, a department or a machine, and no count of anything but
minutes. It is made once in some seconds, however many ask, and told also without a database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import Error, connection, transaction
from django.utils import timezone
from django.utils.safestring import SafeString

from ops import charts
from ops.choices import Health
from ops.models import Incident
from ops.queries.status import days_of, public_incidents
from ops.standing import Standing, standings, without_database
from ops.uptime import Day, Uptime, uptime_of

DAYS = 90
_SECONDS = 10.0
_OLD_SECONDS = 60.0
_WAIT_SECONDS = 3.0
_DATABASE_MILLISECONDS = 3_000
_LATELY = timedelta(days=14)

WORDS = {
    Health.WELL: "Working",
    Health.DEGRADED: "Working, with difficulty",
    Health.DOWN: "Not working",
    Health.UNKNOWN: "Not known",
}
_OVERALL = {
    Health.WELL: "Everything is working.",
    Health.DEGRADED: "Something is working with difficulty.",
    Health.DOWN: "Something is not working.",
    Health.UNKNOWN: "Of something it is not known whether it works.",
}
_WORST_FIRST = (Health.DOWN, Health.UNKNOWN, Health.DEGRADED, Health.WELL)


@dataclass(frozen=True)
class History:
    """The last days of one component: drawn, and in words."""

    chart: SafeString
    words: str


@dataclass(frozen=True)
class Component:
    """One component as it is told. Without a database there is no history to tell."""

    title: str
    health: Health
    words: str
    history: History | None


@dataclass(frozen=True)
class Told:
    """The whole page."""

    at: datetime
    health: Health
    words: str
    has_database: bool
    components: list[Component]
    incidents: list[tuple[str, Incident]] = field(default_factory=list)


def status() -> Told:
    """Tell how the place stands, from the database or without it."""
    at = timezone.now()
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [_DATABASE_MILLISECONDS])
            return _from_the_database(at)
    except Error:
        return status_without_database()


def status_without_database() -> Told:
    """Tell what can be told without asking anything."""
    return _told(timezone.now(), without_database(), {}, has_database=False)


def _from_the_database(at: datetime) -> Told:
    stand = [one for one in standings(at) if one.is_public]
    histories = histories_of(stand, at=at)
    incidents = public_incidents(since=at - _LATELY)
    return _told(at, stand, histories, incidents=incidents)


def histories_of(stand: list[Standing], *, at: datetime) -> dict[str, History]:
    """Draw the last days of some components."""
    names = [one.name for one in stand]
    days = days_of(names, at=at, zone=ZoneInfo(settings.TIME_ZONE), count=DAYS)
    return {one.name: _history(one.title, days[one.name]) for one in stand}


def _history(title: str, days: list[Day]) -> History:
    uptime = uptime_of(days)
    words = _in_words(uptime)
    states = [(day.health, _of_a_day(day)) for day in days]
    return History(charts.bars(states, title=f"{title}, last {len(days)} days: {words}"), words)


def _in_words(uptime: Uptime) -> str:
    if uptime.up is None:
        return "nothing is known yet"
    return f"{uptime.up:.2f} % up of what is known; {uptime.unknown:.2f} % not known"


def _of_a_day(day: Day) -> str:
    if day.health == Health.UNKNOWN:
        return f"{day.day:%d %b %Y}: not known"
    difficult = f", {day.degraded} of them with difficulty" if day.degraded else ""
    return (
        f"{day.day:%d %b %Y}: {day.up} minutes up{difficult}, {day.down} down,"
        f" {day.unknown} not known"
    )


def _told(
    at: datetime,
    stand: list[Standing],
    histories: dict[str, History],
    *,
    has_database: bool = True,
    incidents: list[Incident] | None = None,
) -> Told:
    public = [one for one in stand if one.is_public]
    worst = min((one.health for one in public), key=_WORST_FIRST.index, default=Health.UNKNOWN)
    titles = {one.name: one.title for one in public}
    return Told(
        at,
        worst,
        _OVERALL[worst],
        has_database,
        [
            Component(one.title, one.health, WORDS[one.health], histories.get(one.name))
            for one in public
        ],
        # A title was written for operators: strangers read the component's.
        [(titles.get(one.component, "Other"), one) for one in incidents or []],
    )


class Kept:
    """Makes something at most once in some seconds. While it is made anew the old one is given.

    But not for long: a database that froze freezes whoever asks it, and what was well a minute ago
    must not be told as well for ever. Then `instead` is given.
    """

    def __init__(
        self, make: Callable[[], Told], *, instead: Callable[[], Told], seconds: float
    ) -> None:
        self._make, self._instead, self._seconds = make, instead, seconds
        self._lock = threading.Lock()
        self._kept: tuple[float, Told] | None = None

    def get(self) -> Told:
        """Give it, made anew if it is old."""
        if (kept := self._younger_than(self._seconds)) is not None:
            return kept
        old = self._younger_than(_OLD_SECONDS)
        if not self._lock.acquire(timeout=_WAIT_SECONDS if old is None else 0):
            return old or self._instead()
        try:
            made = self._make()
            self._kept = time.time(), made
            return made
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Let go of it."""
        self._kept = None

    def _younger_than(self, seconds: float) -> Told | None:
        kept = self._kept
        return kept[1] if kept and abs(time.time() - kept[0]) < seconds else None


kept_status = Kept(status, instead=status_without_database, seconds=_SECONDS)
