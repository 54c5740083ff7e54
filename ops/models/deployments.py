"""What was brought to which stage, by whom, how it went, and what took it back.

Knows deployments and their steps. Must not know a patient, or the value of any secret.
"""

from __future__ import annotations

from datetime import timedelta

import pgtrigger
from django.db import models
from django.db.models import F, Q

from ops.choices import DeploymentStatus, Stage, StepOutcome

_OVER = [
    DeploymentStatus.SUCCEEDED,
    DeploymentStatus.FAILED,
    DeploymentStatus.ROLLED_BACK,
    DeploymentStatus.OBSERVED,
]


class Deployment(models.Model):
    """One version brought to one stage. Written by `ops.services.deployments` alone.

    Holds no personal data but the sign-in of whoever deployed.
    """

    stage = models.CharField(max_length=16, choices=Stage.choices)
    version = models.CharField(max_length=64)
    commit = models.CharField(max_length=40, blank=True, default="")
    by = models.CharField(max_length=150)
    status = models.CharField(
        max_length=16, choices=DeploymentStatus.choices, default=DeploymentStatus.PLANNED
    )
    planned_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    migrations = models.JSONField(
        default=dict, blank=True, help_text="Per application: the last one before, and after."
    )
    frontend_version = models.CharField(max_length=64, blank=True, default="")
    backup_point = models.CharField(
        max_length=255, blank=True, default="", help_text="The backup to which one could go back."
    )
    smoke = models.JSONField(
        default=list, blank=True, help_text="Each smoke check: name, outcome, seconds, words."
    )
    outcome = models.TextField(blank=True, default="")
    rolls_back = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="attempts_to_roll_back",
        help_text="The deployment that this one set out to take back.",
    )
    rolled_back_by = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="has_rolled_back",
        help_text="The deployment that took this one back.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_running_deployment_a_stage",
                fields=["stage"],
                condition=Q(status=DeploymentStatus.RUNNING),
            ),
            models.CheckConstraint(
                name="a_deployment_names_who_and_what", condition=~Q(by="") & ~Q(version="")
            ),
            models.CheckConstraint(
                name="a_deployment_is_of_a_stage", condition=Q(stage__in=Stage.values)
            ),
            models.CheckConstraint(
                name="a_deployment_has_the_times_of_its_status",
                condition=Q(status=DeploymentStatus.PLANNED, started_at=None, finished_at=None)
                | Q(status=DeploymentStatus.RUNNING, started_at__isnull=False, finished_at=None)
                | Q(
                    status__in=_OVER,
                    started_at__isnull=False,
                    finished_at__isnull=False,
                    finished_at__gte=F("started_at"),
                ),
            ),
            models.CheckConstraint(
                name="rolled_back_says_by_what",
                condition=Q(status=DeploymentStatus.ROLLED_BACK, rolled_back_by__isnull=False)
                | (~Q(status=DeploymentStatus.ROLLED_BACK) & Q(rolled_back_by=None)),
            ),
        ]
        indexes = [models.Index(fields=["stage", "-id"], name="deployments_of_a_stage")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.version} to {self.stage}"

    @property
    def duration(self) -> timedelta | None:
        """How long it took; nothing while it has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def short_commit(self) -> str:
        """The commit as people say it."""
        return self.commit[:10]


class DeploymentStep(models.Model):
    """One step of a deployment and how it went. Added while it runs, never changed."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="steps")
    at = models.DateTimeField()
    name = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16, choices=StepOutcome.choices)
    seconds = models.FloatField(null=True, blank=True)
    words = models.TextField(blank=True, default="")

    class Meta:
        triggers = [
            pgtrigger.Protect(name="steps_stay", operation=pgtrigger.Update | pgtrigger.Delete)
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}"
