"""What was removed because its time was over, and what must not be removed.

Written by the services `retention` and `holding` alone. Holds no name and no number of a patient:
a hold names one by our own key.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ops.choices import HoldScope, RetentionStatus


class LegalHold(models.Model):
    """An order that something is not removed, however old it is, until somebody ends it.

    It names a patient by our own key, a kind of data, or neither: then it holds everything.
    """

    scope = models.CharField(max_length=16, choices=HoldScope.choices)
    patient = models.UUIDField(null=True, blank=True, help_text="Our own key, as in addresses.")
    kind = models.CharField(max_length=64, blank=True, default="")
    why = models.TextField()
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=150)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")
    ended_why = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="a_hold_says_what_it_holds",
                condition=Q(scope=HoldScope.PATIENT, patient__isnull=False, kind="")
                | Q(scope=HoldScope.KIND, patient__isnull=True) & ~Q(kind="")
                | Q(scope=HoldScope.EVERYTHING, patient__isnull=True, kind=""),
            ),
            models.CheckConstraint(
                name="a_hold_says_who_and_why", condition=~Q(placed_by="") & ~Q(why="")
            ),
            models.CheckConstraint(
                name="an_ended_hold_says_who_and_why",
                condition=Q(ended_at__isnull=True, ended_by="", ended_why="")
                | Q(ended_at__isnull=False) & ~Q(ended_by="") & ~Q(ended_why=""),
            ),
        ]
        triggers = [pgtrigger.Protect(name="holds_stay_on_record", operation=pgtrigger.Delete)]
        ordering = ["-placed_at", "-id"]

    def __str__(self) -> str:
        what = self.patient or self.kind or "everything"
        return f"hold {self.pk} on {what}"


class RetentionRun(models.Model):
    """One run that removed what was over, and its report: a line for each kind of data.

    The counts of what is gone are written with each batch, so that they are right even if the run
    was cut off.
    """

    status = models.CharField(max_length=16, choices=RetentionStatus.choices)
    by = models.CharField(max_length=150)
    why = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["status"],
                condition=Q(status=RetentionStatus.RUNNING),
                name="never_two_retention_runs_at_once",
            ),
        ]
        triggers = [pgtrigger.Protect(name="runs_stay_on_record", operation=pgtrigger.Delete)]
        indexes = [models.Index(fields=["-started_at"], name="retention_runs_by_time")]
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"retention of {timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"

    @property
    def gone(self) -> int:
        """How many rows it removed, of all kinds."""
        lines: list[dict[str, Any]] = self.report
        return sum(line["gone"] for line in lines)
