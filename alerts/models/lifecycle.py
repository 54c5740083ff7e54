"""An alert: somebody must know. Written by alerts.services alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from alerts.choices import AlertStatus, Resolution, RuleKind
from alerts.models.rules import AlertRule
from ingestion.models import Admission


class Alert(models.Model):
    """One absence of tests in one admission, from when it was raised until its reason ended.

    `unknown_since`: a feed on which it rests is silent, so it is neither confirmed nor ended.
    Holds no personal data of its own; it points at an admission.
    """

    kind = models.CharField(max_length=32, choices=RuleKind.choices, default=RuleKind.NO_NEW_TEST)
    admission = models.ForeignKey(Admission, on_delete=models.PROTECT, related_name="alerts")
    rule = models.ForeignKey(AlertRule, on_delete=models.PROTECT, related_name="alerts")
    status = models.CharField(max_length=16, choices=AlertStatus.choices, default=AlertStatus.OPEN)
    tier = models.PositiveSmallIntegerField(default=1)
    quiet_since = models.DateTimeField(help_text="Since when there was no test, as it was raised.")
    raised_at = models.DateTimeField()
    unknown_since = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=32, blank=True, default="", choices=Resolution.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["admission", "kind"],
                condition=~Q(status=AlertStatus.RESOLVED),
                name="one_open_alert_per_admission_and_rule",
            ),
            models.CheckConstraint(
                name="a_resolved_alert_says_when_and_why",
                condition=Q(status=AlertStatus.RESOLVED, resolved_at__isnull=False)
                & ~Q(resolution="")
                | ~Q(status=AlertStatus.RESOLVED) & Q(resolved_at__isnull=True, resolution=""),
            ),
        ]
        ordering = ["-raised_at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_status_display()}"
