"""What was deployed where: the latest first."""

from __future__ import annotations

from django.db.models import QuerySet

from ops.models import Deployment


def latest_deployments(*, stage: str = "", most: int = 20) -> QuerySet[Deployment]:
    """Give the latest deployments, of a stage or of all that this database knows."""
    found = Deployment.objects.filter(stage=stage) if stage else Deployment.objects.all()
    return found.select_related("rolls_back", "rolled_back_by").order_by("-id")[:most]
