"""A threshold that changes is an act: it decides for whom anybody is alarmed."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from alerts.models import AlertRule
from ingestion.services.changes import note_change
from ops import audit

_HOURS = ("threshold_hours", "second_tier_hours")


def keep_rule(rule: AlertRule, *, by: str) -> None:
    """Save a rule, new or changed, with its line on the trail; every board hears of it."""
    with transaction.atomic():
        before = AlertRule.objects.filter(pk=rule.pk).values(*_HOURS).first()
        rule.save()
        _record(f"rule.{'changed' if before else 'made'}", rule, by=by, before=before)


def delete_rule(rule: AlertRule, *, by: str) -> None:
    """Delete a department's rule: the one for every other department holds there from now on."""
    with transaction.atomic():
        _record("rule.deleted", rule, by=by, before=None)
        rule.delete()


def _record(act: str, rule: AlertRule, *, by: str, before: dict[str, Any] | None) -> None:
    hours: dict[str, Any] = {name: getattr(rule, name) for name in _HOURS}
    details = {"department": str(rule.department or ""), **hours}
    if before:
        details["before"] = before
    audit.record(act, by=by, kind="alert rule", key=rule.pk, details=details)
    note_change()
