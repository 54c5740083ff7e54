"""What is due in a minute: Celery's schedule, read by a clock that ticks once a minute.

On one machine `celery beat` remembers when it last did what. Here nobody remembers, so the minute
alone decides; whatever is due more often than each minute is due each minute. A tick that is lost
costs what was due in it one turn: each of these tasks asks for itself what is to be done, and may
run twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import crontab

from hospital.celery import app

LONG = "long"


@dataclass(frozen=True)
class Entry:
    """One line of the schedule."""

    name: str
    task: str
    queue: str
    expires: float
    """Seconds after which nobody needs it any more: the next one is due."""

    def run(self) -> None:
        """Run it here, or put it into the queue of those that outlast a function."""
        task = app.tasks[self.task]
        if self.queue == LONG:
            task.apply_async(queue=LONG, expires=self.expires)
        else:
            task.apply(throw=True)


def due(at: datetime) -> Iterator[Entry]:
    """Give what is due in the minute of `at` (aware)."""
    for name, line in sorted(app.conf.beat_schedule.items(), key=_takes_in_files):
        if _is_due(line["schedule"], at):
            task, expires = line["task"], float(line["options"]["expires"])
            yield Entry(name, task, queue_of(task), expires)


def _takes_in_files(line: tuple[str, Any]) -> bool:
    """Files come last: a backlog of them must not keep alerts, samples and seals waiting."""
    return str(line[1]["task"]).startswith("ingestion.")


def queue_of(task: str) -> str:
    """Name the queue that a task belongs to, by the settings."""
    return str(app.amqp.router.route({}, task)["queue"].name)


def _is_due(schedule: Any, at: datetime) -> bool:
    minute = int(at.timestamp() // 60)
    if isinstance(schedule, crontab):
        local = at.astimezone(app.timezone)
        is_in: dict[str, set[int]] = vars(schedule)
        return (
            local.minute in is_in["minute"]
            and local.hour in is_in["hour"]
            and local.isoweekday() % 7 in is_in["day_of_week"]
            and local.day in is_in["day_of_month"]
            and local.month in is_in["month_of_year"]
        )
    seconds = schedule.total_seconds() if isinstance(schedule, timedelta) else float(schedule)
    return minute % max(1, round(seconds / 60)) == 0
