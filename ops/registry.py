"""What higher applications have to say about the place, without being known here.

They fill these lists when they start (`apps.py`); pages, probes and commands of `ops` read them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from ops.choices import Health
from ops.databases import Database

__all__ = [
    "Configuration",
    "Face",
    "Finding",
    "Follower",
    "Health",
    "Log",
    "Probe",
    "Recovered",
    "Tile",
    "add_configuration",
    "add_follower",
    "add_probe",
    "add_tile",
    "configurations",
    "followers",
    "log_of_changes",
    "probes",
    "set_log",
    "tiles",
]


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
    """One component of the place, and the question that tells how it stands. It may raise.

    Strangers are told title and health of what is public. `figure` names the one that is drawn on
    the landing page, which `figure_title` says in words. `address` is the name of the page that
    tells more, such as `admin:ops_incident_changelist`, and `permission` what one needs to be
    shown the tile.
    """

    name: str
    title: str
    ask: Callable[[], Finding]
    order: int = 100
    figure: str = ""
    figure_title: str = ""
    address: str = ""
    permission: str = ""
    is_public: bool = True


@dataclass(frozen=True)
class Face:
    """What a tile shows now. `words` say all that matters without the chart.

    `chart` is what `ops.charts` drew. `at` is as of when it holds, where that is not now. `address`
    is the name of the page that tells more.
    """

    health: Health
    words: str
    chart: str = ""
    at: datetime | None = None
    address: str = ""


@dataclass(frozen=True)
class Tile:
    """One part of the landing page. `tell` reads little and quickly; if it raises, it is unknown.

    Each probe has a tile already; one of the same name takes its place. With a `permission`, only
    who has it sees the tile.
    """

    name: str
    title: str
    tell: Callable[[], Face]
    order: int = 100
    permission: str = ""


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
_tiles: dict[str, Tile] = {}
_followers: dict[str, Follower] = {}


def add_probe(probe: Probe) -> None:
    """Put a component among those that are asked."""
    _probes[probe.name] = probe


def probes() -> list[Probe]:
    """List the components, in the order of a page."""
    return sorted(_probes.values(), key=lambda probe: (probe.order, probe.name))


def add_tile(tile: Tile) -> None:
    """Put a part on the landing page."""
    _tiles[tile.name] = tile


def tiles() -> list[Tile]:
    """List what was put on the landing page, in order."""
    return sorted(_tiles.values(), key=lambda tile: (tile.order, tile.name))


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


@dataclass(frozen=True)
class Kept:
    """How much there is of a kind of data, and since when.

    `is_about`: the count is the database's own estimate. `over`: how much of what is removed
    elsewhere is due to go; None where nobody can tell. `words` tell what figures cannot.
    """

    count: int | None = None
    oldest: datetime | None = None
    over: int | None = None
    is_about: bool = False
    words: str = ""


class Removal(Protocol):
    """How what is over is counted and removed.

    What must stay whatever its age (who lies in a bed, work that is open) is not over. Patients are
    those under a legal hold, by our own keys: theirs is held back, and so is what may be theirs.
    """

    def count_over(self, before: datetime) -> int:
        """Count what is older than this and may be removed."""

    def count_held(self, before: datetime, patients: Collection[UUID]) -> int:
        """Count how much of that is held back for these patients."""

    def remove_over(self, before: datetime, limit: int, patients: Collection[UUID]) -> int:
        """Remove up to so many that are not held back, in the caller's transaction.

        Waits for nobody: what somebody else has locked is left for later. Returns how many.
        """


@dataclass(frozen=True)
class RetentionKind:
    """One kind of data: what it holds, how long it is kept, and why.

    `days` is the period where the hospital sets none; None: for ever. `least` is the shortest that
    may be set. Without a `removal` nobody can set a period: it is kept for ever, or removed by what
    `removed_by` names, and is listed here so that one report shows everything.
    """

    name: str
    title: str
    holds: str
    why: str
    tell: Callable[[], Kept]
    days: int | None = None
    least: int = 1
    removal: Removal | None = None
    removed_by: str = ""
    order: int = 100


_retention_kinds: dict[str, RetentionKind] = {}


def add_retention_kind(kind: RetentionKind) -> None:
    """Put a kind of data among those of the report."""
    _retention_kinds[kind.name] = kind


def retention_kinds() -> list[RetentionKind]:
    """List the kinds of data, in the order of a page."""
    return sorted(_retention_kinds.values(), key=lambda kind: (kind.order, kind.name))


_patient_check: list[Callable[[UUID], bool]] = []


def set_patient_check(is_known: Callable[[UUID], bool]) -> None:
    """Say how to tell whether a key is a patient's: a hold on a misspelt one would hold nothing."""
    _patient_check[:] = [is_known]


def is_patient_known(key: UUID) -> bool:
    """Tell whether a patient has this key."""
    return any(is_known(key) for is_known in _patient_check)
