"""Alerts by the clock."""

from celery import shared_task

from alerts.services.evaluation import SWEEP, evaluate
from ops.registry import Health
from ops.services.muting import is_muted
from ops.services.sampling import note_run


@shared_task
def sweep() -> None:
    """Evaluate everybody, for what only the clock changes. Safe to run twice, or at once."""
    if is_muted():
        return
    evaluate()
    note_run(SWEEP, health=Health.WELL, words="Everybody was evaluated.")
