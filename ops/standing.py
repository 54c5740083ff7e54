"""How each component stands now, judged by whoever reads: samples that have stopped say nothing.

The samples are written by a worker that the clock calls. If either is dead nothing is written, and
then it is the reader, in the web server, who notices: that is the component `clock`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops.choices import Health
from ops.models import ProbeSample
from ops.queries.status import latest_samples, newest_sample_at
from ops.registry import Probe, probes

# Samples are taken each minute; one may be late, or lost with a worker that is restarted.
STALE_AFTER = timedelta(minutes=3)
CLOCK = "clock"


@dataclass(frozen=True)
class Standing:
    """How one component stands. `at` is when it was last asked, None if it never was."""

    name: str
    title: str
    health: Health
    words: str
    at: datetime | None
    figures: Mapping[str, float] = field(default_factory=dict)
    is_public: bool = True


def standings(at: datetime) -> list[Standing]:
    """Tell of each component how it stands."""
    samples = latest_samples(at)
    return [_standing(one, samples.get(one.name), at) for one in probes()]


def without_database() -> list[Standing]:
    """Tell what can be told while the database does not answer: that it does not, and no more."""
    return [
        Standing(
            probe.name,
            probe.title,
            Health.DOWN if probe.name == "database" else Health.UNKNOWN,
            "It does not answer." if probe.name == "database" else "Cannot be told now.",
            None,
            is_public=probe.is_public,
        )
        for probe in probes()
    ]


def _standing(probe: Probe, sample: ProbeSample | None, at: datetime) -> Standing:
    def told(health: Health, words: str, **more: Any) -> Standing:
        return Standing(probe.name, probe.title, health, words, is_public=probe.is_public, **more)

    last = sample.at if sample else None
    is_fresh = last is not None and at - last <= STALE_AFTER
    if probe.name == CLOCK and not is_fresh:
        last = last or newest_sample_at()
        # Before the very first sample it has perhaps just been started.
        health = Health.DOWN if last else Health.UNKNOWN
        return told(health, clock_stopped(last, at), at=last)
    if sample is None:
        return told(Health.UNKNOWN, "Not asked within the last day.", at=None)
    if not is_fresh:
        return told(Health.UNKNOWN, f"Not asked since. Found then: {sample.words}", at=last)
    return told(Health(sample.health), sample.words, at=last, figures=sample.figures)


def clock_stopped(last: datetime | None, at: datetime) -> str:
    """Say that no samples are taken, and what follows."""
    if last is None:
        return (
            "Nothing was sampled yet: the clock (beat) calls a worker for it each minute. If it"
            " stays so, one of them does not run: look at their logs."
        )
    return (
        f"Nothing was sampled for {(at - last) // timedelta(minutes=1)} minutes: the clock (beat)"
        " or the workers do not run. Look at their logs, and start them."
    )
