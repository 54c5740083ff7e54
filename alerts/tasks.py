"""Alerts by the clock."""

from celery import shared_task

from alerts.services.evaluation import evaluate


@shared_task
def sweep() -> None:
    """Evaluate everybody, for what only the clock changes. Safe to run twice, or at once."""
    evaluate()
