"""List the thresholds and what they were before: for whoever asks why so many are due."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from alerts.queries.rules import changes_of_rules, standing_rules
from ops.management.manners import MannerlyCommand

_CHANGES = 20


class Command(MannerlyCommand):
    """`manage.py rules`."""

    help = "List the alert rules, and their latest changes, the newest first."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the rules, then what changed; who did it is on the audit trail."""
        for rule in standing_rules():
            self.stdout.write(f"rule {rule.pk}: {rule}: {_hours(rule)}")
        for change in changes_of_rules(most=_CHANGES):
            at = f"{timezone.localtime(change.pgh_created_at):%Y-%m-%d %H:%M:%S %Z}"
            self.stdout.write(f"until {at}  rule {change.pgh_obj_id}: {_hours(change)}")


def _hours(rule: Any) -> str:
    tier = rule.second_tier_hours
    return f"{rule.threshold_hours} h" + ("" if tier is None else f", second tier {tier} h")
