"""When a batch of files has been applied, those whom it touched are evaluated at once."""

import uuid
from typing import Any

from django.dispatch import receiver

from alerts.services.evaluation import evaluate
from ingestion.signals import records_changed


@receiver(records_changed, dispatch_uid="evaluate whom a batch touched")
def evaluate_touched(*, patients: set[uuid.UUID] | None, **_kwargs: Any) -> None:
    """Evaluate these patients, or everybody where they are too many to name."""
    evaluate(patients)
