"""When an absence of tests is due, not due, or cannot be known. Plain Python, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts.choices import Standing


@dataclass(frozen=True)
class Limits:
    """A department's rule, in hours: due beyond `threshold`, more severe beyond `second_tier`."""

    threshold: float
    second_tier: float | None = None


@dataclass(frozen=True)
class Judgement:
    """How an admission stands at an instant. `tier` is 0 unless due; `hours` is never negative."""

    hours: float
    standing: Standing
    tier: int


def judge(quiet_since: datetime, *, at: datetime, limits: Limits, is_blind: bool) -> Judgement:
    """Judge how long somebody has been without a test (feed contract, section 6).

    `is_blind`: a feed on which the rule rests is silent. Hours within the threshold are then
    still not due, as what is missing could only lower them; hours beyond it cannot be known.
    """
    hours = (at - quiet_since).total_seconds() / 3600
    if hours <= limits.threshold:
        return Judgement(max(hours, 0.0), Standing.NOT_DUE, 0)
    if is_blind:
        return Judgement(hours, Standing.CANNOT_KNOW, 0)
    is_second = limits.second_tier is not None and hours > limits.second_tier
    return Judgement(hours, Standing.DUE, 2 if is_second else 1)
