"""The rules as plain data, for a backup of how the place is set up."""

from __future__ import annotations

from typing import Any

from alerts.models import AlertRule


def rules_as_data() -> list[dict[str, Any]]:
    """Tell each rule's thresholds."""
    rules = AlertRule.objects.order_by("pk").values(
        "kind", "department__name", "threshold_hours", "second_tier_hours"
    )
    return [dict(rule) for rule in rules]
