"""How the place stood and stands: what probes found, and incidents with what was said of them.

Holds nothing of patients and no name of a file or a machine.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ops.choices import Health, IncidentStatus


class Incident(models.Model):
    """Something of the place that somebody must look after. Written by `ops.services.incidents`.

    Never about one patient: what is due there is an alert. `opened_by` is a person's name for
    signing in, or `vigil`. At most one of a component and title is open.
    """

    component = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    status = models.CharField(
        max_length=16, choices=IncidentStatus.choices, default=IncidentStatus.OPEN
    )
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=150)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["component", "title"],
                condition=Q(status=IncidentStatus.OPEN),
                name="one_open_incident_of_a_kind",
            ),
            models.CheckConstraint(
                name="a_closed_incident_says_when",
                condition=Q(status=IncidentStatus.CLOSED, closed_at__isnull=False)
                | Q(status=IncidentStatus.OPEN, closed_at__isnull=True),
            ),
        ]
        indexes = [models.Index(fields=["-opened_at"], name="incidents_by_time")]
        ordering = ["-opened_at", "-id"]

    def __str__(self) -> str:
        return f"{self.component}: {self.title}"


class IncidentUpdate(models.Model):
    """What was said of an incident, by whom, when. Strangers read it if it is public."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="updates")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    words = models.TextField()
    is_public = models.BooleanField(default=False)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.by}: {self.words}"


class ProbeSample(models.Model):
    """What one probe found in one minute: at most one row a minute, kept for some days."""

    component = models.CharField(max_length=64)
    at = models.DateTimeField(help_text="The minute, without its seconds.")
    health = models.CharField(max_length=16, choices=Health.choices)
    words = models.TextField(blank=True, default="")
    figures = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["component", "at"], name="one_sample_of_a_component_a_minute"
            )
        ]
        indexes = [models.Index(fields=["at"], name="samples_by_time")]
        ordering = ["-at", "component"]

    def __str__(self) -> str:
        return f"{self.component}: {self.health}"


class ProbeDay(models.Model):
    """The samples of one component on one day of the hospital's calendar, counted when it ended.

    What is missing of the day's minutes was not sampled, and is unknown like `unknown`.
    """

    component = models.CharField(max_length=64)
    day = models.DateField()
    well = models.PositiveIntegerField()
    degraded = models.PositiveIntegerField()
    down = models.PositiveIntegerField()
    unknown = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["component", "day"], name="one_count_of_a_day")
        ]
        ordering = ["-day", "component"]

    def __str__(self) -> str:
        return f"{self.component} on {self.day}"


class LastRun(models.Model):
    """What came of something that runs on a schedule, the last time: one row for each.

    For what is too dear to ask each minute, and for what must be seen to run at all.
    """

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField()
    health = models.CharField(max_length=16, choices=Health.choices)
    words = models.TextField(blank=True, default="")
    figures = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.health}"
