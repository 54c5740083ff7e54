"""What is on record of how the place stood: samples, days, runs, incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Prefetch, Q, QuerySet
from django.db.models.functions import TruncDate

from ops.choices import Health, IncidentStatus
from ops.models import Incident, IncidentUpdate, LastRun, ProbeDay, ProbeSample
from ops.uptime import Counted, Day, day_of, days_until

_A_DAY = timedelta(days=1)


def latest_samples(at: datetime) -> dict[str, ProbeSample]:
    """Give the newest sample of each component within the last day."""
    recent = ProbeSample.objects.filter(at__lte=at, at__gt=at - _A_DAY)
    newest = recent.order_by("component", "-at").distinct("component")
    return {sample.component: sample for sample in newest}


def newest_sample_at() -> datetime | None:
    """Give the minute in which anything was last sampled."""
    return ProbeSample.objects.order_by("-at").values_list("at", flat=True).first()


def last_run(name: str) -> LastRun | None:
    """Give what came of something that runs on a schedule, the last time it ran."""
    return LastRun.objects.filter(name=name).first()


def counted_minutes(
    since: date, *, before: date, zone: ZoneInfo
) -> dict[tuple[str, date], Counted]:
    """Count the samples of each component and day of the hospital's calendar."""
    start, end = (
        datetime.combine(day, datetime.min.time(), tzinfo=zone) for day in (since, before)
    )
    rows = (
        ProbeSample.objects.filter(at__gte=start, at__lt=end)
        .order_by()
        .annotate(day=TruncDate("at", tzinfo=zone))
        .values_list("component", "day")
        .annotate(
            n_well=Count("pk", filter=Q(health=Health.WELL)),
            n_degraded=Count("pk", filter=Q(health=Health.DEGRADED)),
            n_down=Count("pk", filter=Q(health=Health.DOWN)),
            n_unknown=Count("pk", filter=Q(health=Health.UNKNOWN)),
        )
    )
    return {(component, day): Counted(*minutes) for component, day, *minutes in rows}


def days_of(
    components: Collection[str], *, at: datetime, zone: ZoneInfo, count: int
) -> dict[str, list[Day]]:
    """Judge the last days of each component: those that are folded, and what runs since."""
    days = days_until(at.astimezone(zone).date(), count=count)
    folded = {
        (row.component, row.day): Counted(row.well, row.degraded, row.down, row.unknown)
        for row in ProbeDay.objects.filter(component__in=components, day__gte=days[0])
    }
    # Today's day is never folded, and yesterday's only after a while.
    first = max((day + _A_DAY for _, day in folded), default=days[0])
    sampled = counted_minutes(min(first, days[-1]), before=days[-1] + _A_DAY, zone=zone)
    counted = {**sampled, **folded}
    return {
        name: [
            day_of(counted.get((name, day), Counted()), day, zone=zone, until=at) for day in days
        ]
        for name in components
    }


@dataclass(frozen=True)
class Slot:
    """A part of the last day: how a component was at its worst, and its figure at its greatest."""

    health: Health
    figure: float | None


_RANKS = {Health.WELL: 0, Health.UNKNOWN: 1, Health.DEGRADED: 2, Health.DOWN: 3}
# A sample may be a second late, and fall into the next part.
_MISSING = 2
_BY_RANK = {rank: health for health, rank in _RANKS.items()}
_SLOTS = """
    SELECT s.component, ceil(extract(epoch FROM s.at - %s) / %s)::int - 1 AS slot,
           max(CASE s.health WHEN 'down' THEN 3 WHEN 'degraded' THEN 2 WHEN 'unknown' THEN 1
               ELSE 0 END),
           max((s.figures ->> c.figure)::float8), count(*)
    FROM ops_probesample s
    JOIN unnest(%s::text[], %s::text[]) AS c (name, figure) ON c.name = s.component
    WHERE s.at > %s AND s.at <= %s GROUP BY 1, 2
"""


def last_day(figures: Mapping[str, str], *, at: datetime, slots: int) -> dict[str, list[Slot]]:
    """Divide the last day of each component; `figures` names of each the figure to be drawn.

    A part in which more than a minute or two was not sampled is unknown, unless it was worse.
    """
    start = at - _A_DAY
    length = _A_DAY.total_seconds() / slots
    found: dict[str, dict[int, Slot]] = defaultdict(dict)
    names, wanted = list(figures), list(figures.values())
    with connection.cursor() as cursor:
        cursor.execute(_SLOTS, [start, length, names, wanted, start, at])
        for component, slot, rank, figure, sampled in cursor.fetchall():
            is_whole = sampled >= length // 60 - _MISSING
            known = rank if is_whole else max(rank, _RANKS[Health.UNKNOWN])
            found[component][slot] = Slot(_BY_RANK[known], figure)
    nothing = Slot(Health.UNKNOWN, None)
    return {name: [found[name].get(slot, nothing) for slot in range(slots)] for name in names}


def open_incidents() -> QuerySet[Incident]:
    """Incidents that somebody still has to look after, newest first."""
    return Incident.objects.filter(status=IncidentStatus.OPEN)


def public_incidents(*, since: datetime) -> list[Incident]:
    """Give incidents that are open or lately closed and of which strangers are told something.

    `told` of each is what they are told, newest first.
    """
    public = IncidentUpdate.objects.filter(is_public=True)
    return list(
        Incident.objects.filter(pk__in=public.values("incident"))
        .filter(Q(status=IncidentStatus.OPEN) | Q(closed_at__gte=since))
        .prefetch_related(Prefetch("updates", queryset=public.order_by("-at"), to_attr="told"))
    )
