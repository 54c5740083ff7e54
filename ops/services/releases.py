"""Which release a stage goes back to: the one before what stands, or one that is named.

A second time it goes further back, never forward again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.aws.handover import Handover
from ops.aws.releases import Release, find_release, is_package_kept, release_name
from ops.aws.serving import Code
from ops.choices import DeploymentStatus
from ops.errors import DeployRefused
from ops.models import Deployment
from ops.services.deployments import standing_deployment

_THROUGH = (DeploymentStatus.SUCCEEDED, DeploymentStatus.OBSERVED)
_HEX = set("0123456789abcdef")


@dataclass(frozen=True)
class Target:
    """What is taken back, and the release that runs afterwards."""

    takes_back: Deployment
    deployment: Deployment
    release: Release


def target_of(
    stage: str, handed: Handover, codes: dict[str, Code | None], *, to: str = ""
) -> Target:
    """Find what to go back to. Raises DeployRefused where there is nothing, or it is not kept."""
    takes_back = _latest(stage)
    standing = standing_deployment(stage)
    if takes_back is None:
        raise DeployRefused(f"Nothing was ever deployed to {stage}: there is nothing to take back.")
    if _is_left_over(takes_back, standing, handed, codes):
        found = standing if not to else _named(stage, to)
        is_unfinished = takes_back.status == DeploymentStatus.RUNNING or _is_way_back(takes_back)
        takes_back = _taken_back_by(takes_back)
    else:
        is_unfinished = False
        takes_back = standing or takes_back
        found = _named(stage, to) if to else _before(takes_back)
    if found is None:
        raise DeployRefused(
            f"There is nothing before {_name(takes_back)} on record: there is nothing to go back"
            " to. manage.py deployments lists what was deployed."
        )
    release = _kept(handed, found)
    # Code alone is the smaller part of a way back: one that is not through may be gone once more.
    if not is_unfinished and all(
        code is not None and code.sha256 == release.package for code in codes.values()
    ):
        raise DeployRefused(f"{release.name} is what runs: name an earlier one with --to.")
    return Target(takes_back, found, release)


def _latest(stage: str) -> Deployment | None:
    begun = Deployment.objects.filter(stage=stage).exclude(status=DeploymentStatus.PLANNED)
    return begun.exclude(status=DeploymentStatus.ROLLED_BACK).order_by("-id").first()


def _is_left_over(
    latest: Deployment,
    standing: Deployment | None,
    handed: Handover,
    codes: dict[str, Code | None],
) -> bool:
    """Tell whether the latest one failed, or died, and left something of itself."""
    if latest.status == DeploymentStatus.RUNNING:
        return True
    if latest.status != DeploymentStatus.FAILED or standing is None:
        return False
    release = find_release(handed, _name(standing))
    return release is not None and any(
        code is None or code.sha256 != release.package for code in codes.values()
    )


def _is_way_back(deployment: Deployment) -> bool:
    return deployment.status == DeploymentStatus.FAILED and deployment.rolls_back is not None


def _taken_back_by(deployment: Deployment) -> Deployment:
    """Give what a failed way back was to take back: to that belongs the backup point."""
    while _is_way_back(deployment) and deployment.rolls_back is not None:
        deployment = deployment.rolls_back
    return deployment


def _before(standing: Deployment) -> Deployment | None:
    """Give what stood before a release came for the first time, not before it came back."""
    same = {"version": standing.version, "commit": standing.commit}
    through = Deployment.objects.filter(stage=standing.stage, status__in=_THROUGH)
    came = through.filter(**same, rolls_back=None, pk__lte=standing.pk).order_by("-id").first()
    origin = came or standing
    earlier = through.filter(pk__lt=origin.pk).exclude(**same)
    return earlier.order_by("-id").first()


def _named(stage: str, to: str) -> Deployment:
    """Find a release by its name, version or commit. Raises DeployRefused."""
    begun = Deployment.objects.filter(stage=stage, started_at__isnull=False)
    through = begun.filter(status__in=[*_THROUGH, DeploymentStatus.ROLLED_BACK])
    found = [each for each in through.order_by("-id") if _is_meant(each, to)]
    names = list(dict.fromkeys(_name(each) for each in found))
    if len(names) > 1:
        raise DeployRefused(f"{to} may be {' or '.join(names)}: name one of them.")
    if not found:
        known = list(dict.fromkeys(_name(each) for each in through.order_by("-id")[:10]))
        raise DeployRefused(
            f"No release {to} is on record for {stage}. There are: {', '.join(known) or 'none'}."
        )
    return found[0]


def _is_meant(deployment: Deployment, to: str) -> bool:
    is_commit = len(to) >= 7 and set(to) <= _HEX
    return to in {_name(deployment), deployment.version} or (
        is_commit and deployment.commit.startswith(to)
    )


def _kept(handed: Handover, deployment: Deployment) -> Release:
    name = _name(deployment)
    release = find_release(handed, name)
    if release is None or not is_package_kept(handed, release.package):
        raise DeployRefused(
            f"{name} is not kept in the release bucket, so that it cannot be put back. Check out"
            f" its commit ({deployment.commit[:10] or 'not on record'}) and deploy that."
        )
    return release


def _name(deployment: Deployment) -> str:
    return release_name(deployment.version, deployment.commit)
