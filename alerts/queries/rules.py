"""The rules and what they were: for people, and as data for a backup of how the place is set up."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import F, QuerySet

from alerts.models import AlertRule


def standing_rules() -> QuerySet[AlertRule]:
    """Give the rules, the one for every other department first."""
    rules = AlertRule.objects.select_related("department")
    return rules.order_by(F("department").asc(nulls_first=True), "pk")


def changes_of_rules(*, most: int) -> QuerySet[Any]:
    """Give what rules said until they were changed or deleted, the newest first."""
    before = apps.get_model("alerts", "AlertRuleBefore")
    changes: QuerySet[Any] = before.objects.order_by("-pgh_created_at", "-pgh_id")[:most]
    return changes


def rules_as_data() -> list[dict[str, Any]]:
    """Tell each rule's thresholds."""
    rules = AlertRule.objects.order_by("pk").values(
        "kind", "department__name", "threshold_hours", "second_tier_hours"
    )
    return [dict(rule) for rule in rules]
