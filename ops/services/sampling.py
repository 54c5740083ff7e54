"""Asks every component how it stands, writes down what it found, and notices what has been down.

A component that cannot be asked is unknown. What was found is written in one go: a minute is
sampled wholly or not at all, and twice by nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ops.choices import Health, IncidentStatus
from ops.models import Incident, LastRun, ProbeDay, ProbeSample
from ops.queries.status import counted_minutes, newest_sample_at
from ops.registry import Finding, Probe, probes
from ops.services.holding import is_kind_held, wait_for_turn
from ops.services.incidents import BY_ITSELF, close_incident, open_incident
from ops.standing import CLOCK

log = logging.getLogger(__name__)

# A probe that waits longer for the database than this is not answered.
_DATABASE_MILLISECONDS = 5_000
CLOCK_STOPPED = "Clock or workers do not run"


def sample(at: datetime) -> dict[str, Finding]:
    """Ask every component, and put on record what was found in this minute. Safe to run twice."""
    found = ask_all()
    minute = at.replace(second=0, microsecond=0)
    with transaction.atomic():
        ProbeSample.objects.bulk_create(
            [
                ProbeSample(
                    component=name,
                    at=minute,
                    health=finding.health,
                    words=finding.words,
                    figures=finding.figures,
                )
                for name, finding in found.items()
            ],
            ignore_conflicts=True,
        )
        _end_incident(CLOCK, CLOCK_STOPPED, "Samples are taken again.")
    _notice(minute)
    return found


def ask_all() -> dict[str, Finding]:
    """Ask every component and write nothing; also where the database does not answer."""
    try:
        connection.ensure_connection()
    except DatabaseError:
        return {probe.name: ask(probe, bounded=nullcontext) for probe in probes()}
    return {probe.name: ask(probe) for probe in probes()}


@contextmanager
def _in_the_database() -> Iterator[None]:
    # In a transaction of its own: one question that fails must not spoil those of the others.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [_DATABASE_MILLISECONDS])
        yield
        cursor.execute("SET LOCAL statement_timeout = DEFAULT")


def ask(
    probe: Probe, *, bounded: Callable[[], AbstractContextManager[None]] = _in_the_database
) -> Finding:
    """Ask one component. Whatever it raises, it is unknown then, and the type of it is said."""
    try:
        with bounded():
            return probe.ask()
    except Exception as error:  # pylint: disable=broad-exception-caught
        # One component that nobody foresaw must not keep the others from being asked.
        log.warning(
            "component cannot be asked",
            extra={"component": probe.name, "error": type(error).__name__},
        )
        return Finding(Health.UNKNOWN, f"It cannot be asked: {type(error).__name__}.")


def note_run(
    name: str,
    *,
    health: Health,
    words: str,
    at: datetime | None = None,
    figures: Mapping[str, float] | None = None,
) -> None:
    """Put on record what came of something that runs on a schedule; the last time replaces it."""
    LastRun.objects.update_or_create(
        name=name,
        defaults={
            "at": at or timezone.now(),
            "health": health,
            "words": words,
            "figures": dict(figures or {}),
        },
    )


def _notice(minute: datetime) -> None:
    """Open an incident of what was down all the last minutes, and end that of what is not."""
    patience = settings.INCIDENT_AFTER_MINUTES
    since = minute - timedelta(minutes=patience)
    told: dict[str, list[ProbeSample]] = {}
    for one in ProbeSample.objects.filter(at__gt=since, at__lte=minute).order_by("-at"):
        told.setdefault(one.component, []).append(one)
    for probe in probes():
        samples = told.get(probe.name, [])
        if len(samples) < patience:
            continue
        title = f"{probe.title}: not working"
        if all(each.health == Health.DOWN for each in samples):
            words = f"Down for {patience} minutes. {samples[0].words}"
            open_incident(component=probe.name, title=title, words=words)
        elif all(each.health in (Health.WELL, Health.DEGRADED) for each in samples):
            words = f"Working again for {patience} minutes. {samples[0].words}"
            _end_incident(probe.name, title, words)


def note_silence(at: datetime, *, watched_since: datetime) -> bool:
    """Open an incident if no sample was taken for too long; true if so.

    For a process that is neither clock nor worker: who is dead cannot say so. `watched_since` is
    when that process began, since everything may have been stopped together before.
    """
    newest = newest_sample_at()
    silent_since = max(newest, watched_since) if newest else watched_since
    if at - silent_since < timedelta(minutes=settings.INCIDENT_AFTER_MINUTES):
        return False
    words = (
        "No sample was taken for several minutes: files are not read and nobody is evaluated"
        " until the clock (beat) and a worker run. Look at their logs, and start them."
    )
    open_incident(component=CLOCK, title=CLOCK_STOPPED, words=words)
    return True


def _end_incident(component: str, title: str, words: str) -> None:
    """Close what was opened by itself; what a person opened, a person closes."""
    for incident in Incident.objects.filter(
        component=component, title=title, opened_by=BY_ITSELF, status=IncidentStatus.OPEN
    ):
        close_incident(incident, words=words, by=BY_ITSELF)


def fold_days(at: datetime) -> int:
    """Count the days that are over, and remove samples that are older than they are kept.

    Safe to repeat: a day is counted once. Returns how many counts were added.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    today = at.astimezone(zone).date()
    keep = timedelta(days=settings.KEEP_SAMPLES_DAYS)
    with transaction.atomic():
        last = ProbeDay.objects.order_by("-day").values_list("day", flat=True).first()
        first = last + timedelta(days=1) if last else today - keep
        counted = counted_minutes(first, before=today, zone=zone)
        ProbeDay.objects.bulk_create(
            [
                ProbeDay(
                    component=component,
                    day=day,
                    well=minutes.well,
                    degraded=minutes.degraded,
                    down=minutes.down,
                    unknown=minutes.unknown,
                )
                for (component, day), minutes in counted.items()
            ],
            ignore_conflicts=True,
        )
        wait_for_turn()
        if not is_kind_held("ops.samples"):
            # Only what has been counted goes.
            ProbeSample.objects.filter(at__lt=at - keep - timedelta(days=1)).delete()
            ProbeDay.objects.filter(day__lt=today - _DAYS_KEPT).delete()
    return len(counted)


# Longer than the status page shows.
_DAYS_KEPT = timedelta(days=400)
