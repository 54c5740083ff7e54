"""What was deployed where: the latest first."""

from __future__ import annotations

from django.db.models import QuerySet

from ops.choices import DeploymentStatus
from ops.models import Deployment


def deployment_before(deployment: Deployment) -> Deployment | None:
    """Give what stood on its stage before it: the latest that went through and stayed."""
    through = [DeploymentStatus.SUCCEEDED, DeploymentStatus.OBSERVED]
    earlier = Deployment.objects.filter(stage=deployment.stage, status__in=through)
    return earlier.filter(pk__lt=deployment.pk).order_by("-pk").first()


def latest_deployments(*, stage: str = "", most: int = 20) -> QuerySet[Deployment]:
    """Give the latest deployments, of a stage or of all that this database knows."""
    found = Deployment.objects.filter(stage=stage) if stage else Deployment.objects.all()
    return found.select_related("rolls_back", "rolled_back_by").order_by("-id")[:most]
