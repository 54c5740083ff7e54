"""What operators decided about identifiers that several patients' records bear."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from ingestion.choices import ConflictKind


class ConflictDecision(models.Model):
    """An operator's word on one conflict, as it stood: `sides` are the patients' numbers.

    `belongs_to` is the patient to whose test the results belong that name only the test number;
    empty: to nobody, they go on waiting. A decision speaks of the sides that it saw: once the
    source adds or cancels one, the conflict is open again. Later decisions replace earlier ones.
    """

    kind = models.CharField(max_length=16, choices=ConflictKind.choices)
    identifier = models.CharField(max_length=64)
    sides = ArrayField(models.TextField())
    belongs_to = models.CharField(max_length=64, blank=True, default="")
    decided_at = models.DateTimeField()
    decided_by = models.CharField(max_length=150)
    why = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="a_decision_says_who_and_why", condition=~Q(decided_by="") & ~Q(why="")
            ),
            models.CheckConstraint(
                name="only_results_belong_by_decision",
                condition=Q(belongs_to="") | Q(kind=ConflictKind.TEST_ID),
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "identifier", "-decided_at"], name="decisions_by_identifier"
            )
        ]
        ordering = ["-decided_at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.identifier}"
