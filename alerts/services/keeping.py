"""How long alerts are kept that have ended, and which of them never go."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from alerts.choices import AlertStatus
from alerts.models import Alert, AlertRule
from ingestion.models import Admission
from ops.registry import RetentionKind, add_retention_kind
from ops.services.removing import RowsOver, counted

_TEN_YEARS = 3653


def add_kinds() -> None:
    """Put what alerts keeps among the kinds of data."""
    for kind in _KINDS:
        add_retention_kind(kind)


def _resolved() -> QuerySet[Alert]:
    return Alert.objects.filter(status=AlertStatus.RESOLVED)


def resolved_over(before: datetime) -> QuerySet[Alert]:
    """Give the alerts that ended before an instant, of stays that ended before it too.

    None of a patient who lies in a bed, or of whom another alert is open.
    """
    same_patient = OuterRef("admission__patient")
    in_a_bed = Admission.objects.filter(patient=same_patient, released_at__isnull=True)
    alarmed = Alert.objects.filter(admission__patient=same_patient).exclude(
        status=AlertStatus.RESOLVED
    )
    return _resolved().filter(
        ~Exists(in_a_bed),
        ~Exists(alarmed),
        resolved_at__lt=before,
        admission__patient__isnull=False,
        admission__released_at__lt=before,
    )


def _of_patients(patients: Collection[UUID]) -> Q:
    return Q(admission__patient__in=list(patients))


_KINDS = (
    RetentionKind(
        name="alerts.resolved",
        title="Alerts that have ended",
        holds="That somebody had to know of a patient, since when, and how it ended.",
        why="Part of the clinical record, which many countries want kept for ten years and longer"
        " after a stay: for ever, unless the hospital says otherwise. Never of a patient in a bed"
        " or with an open alert. Looks back at an earlier moment lack what was removed.",
        tell=lambda: counted(_resolved(), "resolved_at"),
        least=_TEN_YEARS,
        removal=RowsOver(resolved_over, of_patients=_of_patients),
        order=30,
    ),
    RetentionKind(
        name="alerts.rules",
        title="Rules, and what they said before",
        holds="The hospital's thresholds. No patient.",
        why="An earlier moment is judged by the rule that held then.",
        tell=lambda: counted(AlertRule.objects.all(), "made_at"),
        order=83,
    ),
)
