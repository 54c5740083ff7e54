"""What higher applications have to say about the place, without being known here.

They fill these lists when they start (`apps.py`); pages, probes and commands of `ops` read them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from ops.databases import Database


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


@dataclass(frozen=True)
class Configuration:
    """A part of how the place is set up, told as plain data; no secrets, no patients."""

    name: str
    tell: Callable[[], Any]


_configurations: dict[str, Configuration] = {}
_probes: dict[str, Probe] = {}
_followers: dict[str, Follower] = {}


def add_probe(probe: Probe) -> None:
    """Put a component among those that are asked."""
    _probes[probe.name] = probe


def probes() -> list[Probe]:
    """List the components, in the order of a page."""
    return sorted(_probes.values(), key=lambda probe: (probe.order, probe.name))


def add_configuration(part: Configuration) -> None:
    """Put a part among what a backup of the configuration holds."""
    _configurations[part.name] = part


def configurations() -> list[Configuration]:
    """List the parts of the configuration, by name."""
    return [_configurations[name] for name in sorted(_configurations)]


def add_follower(follower: Follower) -> None:
    """Put what is to be done after a restore among the rest."""
    _followers[follower.name] = follower


def followers() -> list[Follower]:
    """List what is to be done after a restore, in order."""
    return sorted(_followers.values(), key=lambda follower: (follower.order, follower.name))


@dataclass(frozen=True)
class Recovered:
    """A server that was brought to a moment of the past: where it is, and how far its log led."""

    database: Database
    until: datetime | None


class Log(Protocol):
    """The database's own log of changes (WAL), where this place is the one that keeps it."""

    def switch(self) -> None:
        """Finish the present segment, if anything was written, so that it can be shipped."""

    def finished(self) -> list[Path]:
        """List the segments that are complete (gzip) and were not yet forgotten, oldest first."""

    def system(self) -> str:
        """Name the cluster: another one numbers its segments alike."""

    def base(self) -> subprocess.Popen[bytes]:
        """Start to write a base backup (tar, gzip) to standard output; verbose on the other."""

    def recover(
        self, base: Path, segments: Path, *, until: datetime | None
    ) -> AbstractContextManager[Recovered]:
        """Start a server of its own from a base (tar, gzip) and segments, as of a moment, or as
        far as they lead. Raises NothingToRecover."""


_log: list[Log] = []


def set_log(log: Log) -> None:
    """Say how this place's log is kept."""
    _log[:] = [log]


def log_of_changes() -> Log | None:
    """Give the log, or None where another keeps it (a managed database does)."""
    return _log[0] if _log else None
