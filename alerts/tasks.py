"""Alerts by the clock."""

from celery import shared_task

from alerts.services.evaluation import evaluate
from ops.services.muting import is_muted


@shared_task
def sweep() -> None:
    """Evaluate everybody, for what only the clock changes. Safe to run twice, or at once."""
    if not is_muted():
        evaluate()
