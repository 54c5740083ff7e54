"""Whether what is installed is what is locked."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from django.conf import settings
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

LOCK = Path("requirements") / "run.txt"


def locked(lock: Path | None = None) -> list[Requirement]:
    """Read what is locked and meant for this machine. Raises OSError, ValueError."""
    path = lock or Path(settings.BASE_DIR) / LOCK
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].rstrip("\\").strip()
        if not words or words.startswith("-"):
            continue
        try:
            requirement = Requirement(words)
        except InvalidRequirement as error:
            raise ValueError(f"{path.name}: {words!r} is no locked version") from error
        if requirement.marker is None or requirement.marker.evaluate():
            found.append(requirement)
    return found


def installed_otherwise(requirements: list[Requirement]) -> list[str]:
    """Say of each package how it is installed otherwise than locked."""
    return [words for one in requirements if (words := _otherwise(one))]


def _otherwise(requirement: Requirement) -> str:
    try:
        there = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name}: locked {requirement.specifier}, not installed"
    if not requirement.specifier.contains(Version(there), prereleases=True):
        return f"{requirement.name}: locked {requirement.specifier}, installed {there}"
    return ""
