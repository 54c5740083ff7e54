"""Checklists gone through, with the evidence for each tick.

Knows runs and ticks; what is asked, and why, is told by `ops.checklists` and kept with each run.
"""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from ops.choices import Moment, TickState
from ops.models.deployments import Deployment


class ChecklistRun(models.Model):
    """One going-through of one checklist, for a deployment or for itself.

    Written by `ops.services.checklists` alone. `items` are the items as they were when it was
    opened, so that an old run still says what it asked.
    """

    deployment = models.ForeignKey(
        Deployment, null=True, blank=True, on_delete=models.PROTECT, related_name="checklists"
    )
    moment = models.CharField(max_length=16, choices=Moment.choices)
    items = models.JSONField(default=list)
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=150)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_run_a_deployment_and_moment", fields=["deployment", "moment"]
            ),
            models.UniqueConstraint(
                name="one_open_run_that_stands_alone",
                fields=["moment"],
                condition=Q(deployment=None, closed_at=None),
            ),
            models.CheckConstraint(
                name="a_closed_run_says_by_whom",
                condition=Q(closed_at=None, closed_by="")
                | (Q(closed_at__isnull=False) & ~Q(closed_by="")),
            ),
        ]
        permissions = [
            ("except_checklist_item", "Can except an item of a checklist from being green")
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        of = f"deployment {self.deployment_id}" if self.deployment_id else "no deployment"
        return f"{self.get_moment_display()}, {of}"


class ChecklistTick(models.Model):
    """One word on one item: what a command came to, or what a person said. Never changed.

    The latest of an item counts; the earlier ones stay as evidence. `output` is cut, and secrets
    in it are masked before it is kept.
    """

    run = models.ForeignKey(ChecklistRun, on_delete=models.PROTECT, related_name="ticks")
    key = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=TickState.choices)
    by = models.CharField(max_length=150)
    at = models.DateTimeField()
    note = models.TextField(blank=True, default="")
    command = models.CharField(max_length=255, blank=True, default="")
    exit_status = models.IntegerField(null=True, blank=True)
    output = models.TextField(blank=True, default="")
    seconds = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="an_exception_says_why", condition=~Q(state=TickState.EXCEPTED) | ~Q(note="")
            ),
            models.CheckConstraint(
                name="a_command_is_green_by_its_exit_status",
                condition=~Q(state=TickState.GREEN) | Q(command="") | Q(exit_status=0),
            ),
            models.CheckConstraint(
                name="a_person_is_green_by_a_note",
                condition=~Q(state=TickState.GREEN, command="") | ~Q(note=""),
            ),
        ]
        indexes = [models.Index(fields=["run", "key", "-id"], name="ticks_of_an_item")]
        triggers = [
            pgtrigger.Protect(name="evidence_stays", operation=pgtrigger.Update | pgtrigger.Delete)
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"
