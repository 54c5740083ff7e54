"""Raise what is due and resolve what has ended, for some patients or for everybody.

Set-based: a handful of statements, whatever the number of admissions. While a lab feed is
silent nothing is raised, and what would be beyond its threshold is neither ended nor confirmed.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.utils import timezone

from alerts.choices import AlertStatus, Resolution
from alerts.conditions import Judgement
from alerts.models import Alert
from alerts.queries.standing import Vision, open_admissions, overdue_admissions, vision_at
from ingestion.models import Admission, Patient
from ingestion.queries.realms import patients_of
from ingestion.services.changes import note_change
from ingestion.synthetic import Realm

# Under this name it is kept when everybody was evaluated last.
SWEEP = "alerts.sweep"
# Two evaluations at once would each judge half of the other's work.
_EVALUATION_LOCK = 0x5649_4749_4C03


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation did, in alerts."""

    raised: int = 0
    resolved: int = 0
    worsened: int = 0
    marked: int = 0

    def __add__(self, other: Evaluation) -> Evaluation:
        return Evaluation(
            self.raised + other.raised,
            self.resolved + other.resolved,
            self.worsened + other.worsened,
            self.marked + other.marked,
        )


def evaluate(
    patients: Collection[uuid.UUID] | None = None, *, now: datetime | None = None
) -> Evaluation:
    """Evaluate these patients' open admissions, or everybody's. Safe to repeat."""
    if patients is not None and not patients:
        return Evaluation()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_EVALUATION_LOCK])
        # Read after the lock: a judgement made before another's commit would be an old one.
        at = now or timezone.now()
        done = _evaluate(vision_at(at), patients)
        if _concerns_smoke(patients):
            done += _evaluate(vision_at(at, realm=Realm.SYNTHETIC), patients)
        if done != Evaluation():
            note_change()
    return done


def judge_again() -> str:
    """Evaluate everybody after a restore. Returns a sentence of what that changed."""
    done = evaluate()
    return f"{done.raised} alerts raised, {done.resolved} resolved, {done.marked} marked anew"


def _concerns_smoke(patients: Collection[uuid.UUID] | None) -> bool:
    """Tell whether a smoke patient is among them, or any still lies in bed or has an alert."""
    if patients is not None:
        is_smoke = patients_of(Realm.SYNTHETIC, through="patient_id")
        return Patient.objects.filter(is_smoke, pk__in=patients).exists()
    has_alert = patients_of(Realm.SYNTHETIC, through="admission__patient_number")
    return (
        open_admissions(Realm.SYNTHETIC).exists()
        or Alert.objects.filter(has_alert, status=AlertStatus.OPEN).exists()
    )


def _evaluate(vision: Vision, patients: Collection[uuid.UUID] | None) -> Evaluation:
    overdue = overdue_admissions(vision)
    realm = patients_of(vision.realm, through="admission__patient_number")
    alerts = Alert.objects.filter(realm, status=AlertStatus.OPEN)
    if patients is not None:
        overdue = overdue.filter(patient__in=patients)
        alerts = alerts.filter(admission__patient__in=patients)
    standing = {admission.pk: admission for admission in overdue}
    resolved = _resolve(alerts, standing, vision.at)
    if vision.is_blind:
        unmarked = alerts.filter(admission__in=standing, unknown_since__isnull=True)
        return Evaluation(resolved=resolved, marked=unmarked.update(unknown_since=vision.at))
    marked = alerts.filter(unknown_since__isnull=False).update(unknown_since=None)
    known = dict(alerts.values_list("admission_id", "tier"))
    raised = _raise([one for key, one in standing.items() if key not in known], vision)
    return Evaluation(raised, resolved, _worsen(alerts, known, standing, vision), marked)


def _resolve(alerts: QuerySet[Alert], standing: dict[int, Admission], at: datetime) -> int:
    """End the alerts whose reason has ended, and say which reason that was."""
    return alerts.exclude(admission__in=standing).update(
        status=AlertStatus.RESOLVED,
        resolved_at=at,
        unknown_since=None,
        resolution=Case(
            When(admission__in=_released(), then=Value(Resolution.DISCHARGED)),
            When(
                Q(admission__in=_with_a_later_test()),
                then=Value(Resolution.NEW_TEST),
            ),
            default=Value(Resolution.RECORD_CHANGED),
            output_field=CharField(),
        ),
    )


def _released() -> QuerySet[Admission]:
    return Admission.objects.filter(released_at__isnull=False)


def _with_a_later_test() -> QuerySet[Admission]:
    """Admissions that are quiet since a test which came after their alert was raised on record."""
    return Admission.objects.filter(
        alerts__status=AlertStatus.OPEN,
        patient__last_test_at__gt=F("alerts__quiet_since"),
    )


def _raise(admissions: list[Admission], vision: Vision) -> int:
    Alert.objects.bulk_create(
        Alert(
            admission=admission,
            rule=vision.rulebook.rule_for(admission.department_id),
            tier=_judge(vision, admission).tier,
            quiet_since=admission.quiet,  # type: ignore[attr-defined]
            raised_at=vision.at,
        )
        for admission in admissions
    )
    return len(admissions)


def _worsen(
    alerts: QuerySet[Alert], known: dict[int, int], standing: dict[int, Admission], vision: Vision
) -> int:
    """Bring each open alert to the tier that its hours and its rule give it now."""
    changed: dict[int, list[int]] = {}
    for key, tier in known.items():
        now_tier = _judge(vision, standing[key]).tier if key in standing else tier
        if now_tier != tier:
            changed.setdefault(now_tier, []).append(key)
    return sum(
        alerts.filter(admission__in=keys).update(tier=tier) for tier, keys in changed.items()
    )


def _judge(vision: Vision, admission: Admission) -> Judgement:
    return vision.judge(admission.quiet, admission.department_id)  # type: ignore[attr-defined]
