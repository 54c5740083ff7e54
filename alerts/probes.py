"""How alerting stands, for the operators' pages: whether everybody is evaluated, and how many are
due. Names no patient and no department."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from alerts.choices import AlertStatus
from alerts.models import Alert
from alerts.services.evaluation import SWEEP
from ingestion.queries.realms import patients_of
from ingestion.synthetic import Realm
from ops.queries.status import last_run
from ops.registry import Finding, Health, Probe, add_probe
from ops.services.muting import is_muted

_LATE, _DEAD = timedelta(minutes=2), timedelta(minutes=5)


def alerts() -> Finding:
    """Tell when everybody was evaluated last, and how many alerts are open."""
    run = last_run(SWEEP)
    hospital = patients_of(Realm.HOSPITAL, through="admission__patient_number")
    counted = Alert.objects.filter(hospital, status=AlertStatus.OPEN)
    marks = list(counted.values_list("unknown_since", flat=True))
    unknown = sum(since is not None for since in marks)
    figures = {"open_alerts": float(len(marks)), "alerts_not_known": float(unknown)}
    words = f"{len(marks):,} open"
    if unknown:
        words += f", {unknown:,} of them cannot be known while a feed is silent"
    if is_muted():
        words += ". Nobody is evaluated: the place is muted until an operator ends that"
        return Finding(Health.DOWN, f"{words}.", figures)
    if run is None:
        return Finding(Health.UNKNOWN, f"{words}. Nobody was evaluated yet.", figures)
    age = timezone.now() - run.at
    figures["evaluation_age_seconds"] = max(0.0, round(age.total_seconds(), 1))
    if age > _LATE:
        words += (
            f". Nobody was evaluated for {age.total_seconds() // 60:.0f} minutes: see the worker"
        )
        return Finding(Health.DOWN if age > _DEAD else Health.DEGRADED, f"{words}.", figures)
    return Finding(Health.WELL, f"{words}. Everybody is evaluated each minute.", figures)


def register() -> None:
    """Put it among the components that are asked."""
    add_probe(
        Probe(
            "alerts",
            "Alerts",
            alerts,
            order=60,
            figure="open_alerts",
            figure_title="open alerts",
            address="admin:alerts_alert_changelist",
            permission="alerts.view_alert",
        )
    )
