"""What higher applications have to say about the place, without being known here.

They fill these lists when they start (`apps.py`); pages, probes and commands of `ops` read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Health(StrEnum):
    """How a component stands. UNKNOWN is never shown as well: who cannot be asked is not fine."""

    WELL = "well"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What a probe found. `words` is for operators; `figures` are for charts and metrics.

    Neither holds patients, names of files, or anything else that strangers may not read.
    """

    health: Health
    words: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """One component of the place, and the question that tells how it stands. It may raise."""

    name: str
    title: str
    ask: Callable[[], Finding]
    order: int = 100


@dataclass(frozen=True)
class Follower:
    """What brings the record up to date after a dump was restored; returns a sentence of it."""

    name: str
    follow: Callable[[], str]
    order: int = 100


_probes: dict[str, Probe] = {}
_followers: dict[str, Follower] = {}


def add_probe(probe: Probe) -> None:
    """Put a component among those that are asked."""
    _probes[probe.name] = probe


def probes() -> list[Probe]:
    """List the components, in the order of a page."""
    return sorted(_probes.values(), key=lambda probe: (probe.order, probe.name))


def add_follower(follower: Follower) -> None:
    """Put what is to be done after a restore among the rest."""
    _followers[follower.name] = follower


def followers() -> list[Follower]:
    """List what is to be done after a restore, in order."""
    return sorted(_followers.values(), key=lambda follower: (follower.order, follower.name))
