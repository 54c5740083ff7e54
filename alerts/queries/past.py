"""What was known at an earlier moment, alerts and their rules included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from alerts.choices import AlertStatus
from alerts.models import Alert, AlertRule
from ingestion.queries import past


@contextmanager
def known_at(at: datetime | None) -> Iterator[None]:
    """Let every query inside answer from what was known at an instant; None: as of now."""
    if at is None:
        yield
        return
    with past.known_at(at):
        _show_rules(at)
        _show_alerts(at)
        yield


def _show_rules(at: datetime) -> None:
    """A rule as it stood, also one that is gone. The default rule has always been there."""
    columns = past.columns_of(AlertRule)
    rules, earlier = past.stored(AlertRule), past.stored(past.history_of(AlertRule))
    kept = [name for name in past.columns_kept_of(AlertRule) if name != "id"]
    then = {name: f"CASE WHEN b.pgh_id IS NULL THEN m.{name} ELSE b.{name} END" for name in kept}
    # What a rule is of never changes.
    then |= {"id": "ids.id", "department_id": "coalesce(m.department_id, b.department_id)"}
    past.show(
        AlertRule,
        f"SELECT * FROM (SELECT {past.listed(columns, 'm', **then)} FROM ("
        f" SELECT id FROM {rules}"
        f" UNION SELECT pgh_obj_id FROM {earlier} WHERE pgh_created_at > %s) ids"
        f" LEFT JOIN {rules} m ON m.id = ids.id LEFT JOIN LATERAL ("
        f"  SELECT * FROM {earlier} b WHERE b.pgh_obj_id = ids.id AND b.pgh_created_at > %s"
        "  ORDER BY b.pgh_created_at, b.pgh_id LIMIT 1) b ON TRUE) AS rules"
        " WHERE made_at <= %s OR department_id IS NULL",
        *(at, at, at),
    )


def _show_alerts(at: datetime) -> None:
    """An alert that ended later was open then."""
    ended = "m.resolved_at <= %s"
    then = {
        "status": f"CASE WHEN {ended} THEN m.status ELSE '{AlertStatus.OPEN}' END",
        "resolved_at": f"CASE WHEN {ended} THEN m.resolved_at END",
        "resolution": f"CASE WHEN {ended} THEN m.resolution ELSE '' END",
        "unknown_since": "CASE WHEN m.unknown_since <= %s THEN m.unknown_since END",
    }
    past.show(
        Alert,
        f"SELECT {past.listed(past.columns_of(Alert), 'm', **then)} FROM {past.stored(Alert)} m"
        " WHERE m.raised_at <= %s",
        *[at] * 5,
    )
