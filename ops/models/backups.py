"""Backups, restores and drills, and whether the place is muted.

Written by the services of their name alone. Holds no personal data: figures, names of tables, and
who asked.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ops.choices import BackupKind, BackupStatus, RestoreKind, RestoreStatus


class Backup(models.Model):
    """One backup, whether it could be made or not. What is kept of it is told by its manifest."""

    name = models.CharField(max_length=64, help_text="Its kind and when it began, in UTC.")
    kind = models.CharField(max_length=16, choices=BackupKind.choices)
    status = models.CharField(max_length=16, choices=BackupStatus.choices)
    by = models.CharField(max_length=150)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    step = models.CharField(max_length=128, blank=True, default="", help_text="What it does now.")
    size = models.BigIntegerField(null=True, blank=True, help_text="Bytes kept, encrypted.")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    manifest = models.JSONField(default=dict, blank=True)
    failure = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="one_backup_of_a_name"),
            models.UniqueConstraint(
                fields=["status"],
                condition=Q(status=BackupStatus.RUNNING),
                name="never_two_backups_at_once",
            ),
            models.CheckConstraint(
                name="a_backup_that_is_made_says_what_is_kept",
                condition=~Q(status=BackupStatus.MADE)
                | (Q(finished_at__isnull=False, size__isnull=False) & ~Q(sha256="")),
            ),
        ]
        indexes = [models.Index(fields=["-started_at"], name="backups_by_time")]
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return self.name


class Restore(models.Model):
    """One restore or drill: from what, into what, how long it took, what was lost, what was proven.

    A restore is on record in the database that it made; a drill in the one that runs.
    """

    kind = models.CharField(max_length=16, choices=RestoreKind.choices)
    status = models.CharField(max_length=16, choices=RestoreStatus.choices)
    source = models.CharField(max_length=128, help_text="The backup, or the moment, restored.")
    target = models.CharField(max_length=63, help_text="The database restored into.")
    by = models.CharField(max_length=150)
    why = models.TextField(blank=True, default="")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    seconds = models.JSONField(default=dict, blank=True, help_text="How long each step took.")
    report = models.JSONField(default=dict, blank=True, help_text="What was proven, and lost.")
    failure = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["kind", "-started_at"], name="restores_by_time")]
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.source}"


class Muting(models.Model):
    """The place is muted while the newest of these has no end: nothing is taken in, nobody told.

    A restored database starts so, until somebody says that it is the one to be used.
    """

    muted_at = models.DateTimeField()
    muted_by = models.CharField(max_length=150)
    why = models.TextField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.expressions.Value(1, output_field=models.IntegerField()),
                condition=Q(ended_at__isnull=True),
                name="muted_once_at_a_time",
            )
        ]
        ordering = ["-muted_at", "-id"]

    def __str__(self) -> str:
        return f"muted {self.muted_at:%Y-%m-%d %H:%M}"
