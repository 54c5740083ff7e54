"""The rules: thresholds are the hospital's, so they are data."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from alerts.choices import RuleKind
from ingestion.models import Department
from ops.models import remembers


# What a rule said before it was changed or deleted: an earlier moment is judged by what held then.
@remembers(
    "AlertRuleBefore",
    fields=["kind", "department", "threshold_hours", "second_tier_hours", "made_at"],
    deleted=True,
)
class AlertRule(models.Model):
    """One rule's thresholds, for one department or, without one, for all that have none.

    It holds from `made_at` on.
    """

    kind = models.CharField(max_length=32, choices=RuleKind.choices, default=RuleKind.NO_NEW_TEST)
    department = models.ForeignKey(
        Department,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="Empty: every department without a rule of its own.",
    )
    threshold_hours = models.PositiveIntegerField(
        default=48,
        validators=[MinValueValidator(1)],
        help_text="An alert is due beyond this many hours without a test.",
    )
    second_tier_hours = models.PositiveIntegerField(
        null=True, blank=True, default=72, help_text="Beyond this many hours it is more severe."
    )
    made_at = models.DateTimeField(
        null=True,
        editable=False,
        db_default=Now(),
        help_text="By the database's clock, as its changes are. Empty: from before this was kept.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "department"],
                name="one_rule_per_kind_and_department",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="a_threshold_is_at_least_an_hour", condition=Q(threshold_hours__gte=1)
            ),
            models.CheckConstraint(
                name="second_tier_beyond_the_first",
                condition=Q(second_tier_hours__isnull=True)
                | Q(second_tier_hours__gt=F("threshold_hours")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.department or 'every other department'}"
