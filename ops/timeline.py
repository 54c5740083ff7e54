"""A timeline of deployments as SVG text: a lane for each stage, a mark for each deployment.

Marks are told apart by their shape; each has a title, leads to its page, and stands in the list
below with the same words. Styled by classes alone: the pages' policy allows nothing inline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from ops.choices import DeploymentStatus, Stage

_WIDTH, _LEFT, _RIGHT = 900, 112, 16
_LANE, _TOP, _AXIS = 34, 4, 26
_R = 7
_APART = 18
# Drawn around a centre. What went well is a disc, what did not is a cross.
_SHAPES = {
    DeploymentStatus.SUCCEEDED: '<circle r="7" class="filled"/>',
    DeploymentStatus.FAILED: '<path d="M-6-6 6 6M-6 6 6-6" class="stroke bad"/>',
    DeploymentStatus.ROLLED_BACK: '<path d="M6 0H-6M0-6-6 0 0 6" class="stroke bad"/>',
    DeploymentStatus.RUNNING: '<circle r="6" class="stroke"/><circle r="2.5" class="filled"/>',
    DeploymentStatus.PLANNED: '<rect x="-5" y="-5" width="10" height="10" class="stroke"/>',
    DeploymentStatus.OBSERVED: '<path d="M0-7 7 0 0 7-7 0Z" class="stroke quiet"/>',
}


@dataclass(frozen=True)
class Mark:
    """One deployment on the timeline."""

    stage: str
    status: DeploymentStatus
    at: datetime
    words: str
    address: str


def draw_timeline(marks: Sequence[Mark], *, until: datetime) -> SafeString:
    """Draw from the earliest mark to now. Nothing where there is none."""
    if not marks:
        return SafeString("")
    stages = [stage for stage in Stage if any(mark.stage == stage.value for mark in marks)]
    since = min(mark.at for mark in marks)
    since -= max(timedelta(hours=1), (until - since) / 40)
    height = _TOP + len(stages) * _LANE + _AXIS
    lanes = {stage.value: _TOP + (n + 0.5) * _LANE for n, stage in enumerate(stages)}
    return format_html(
        '<svg class="timeline" viewBox="0 0 {} {}" role="group" aria-label="{}">{}{}{}</svg>',
        _WIDTH,
        height,
        f"{len(marks)} deployments; the list below says the same in words",
        format_html_join("", "{}", ((_lane(stage, lanes[stage.value]),) for stage in stages)),
        _axis(since, until, height),
        format_html_join(
            "", "{}", ((_mark(one, x, lanes),) for one, x in _placed(marks, since, until))
        ),
    )


def _placed(marks: Sequence[Mark], since: datetime, until: datetime) -> list[tuple[Mark, float]]:
    """Place the marks by time; those of a lane that would cover each other stand side by side."""
    placed: list[tuple[Mark, float]] = []
    for stage in Stage:
        lane = sorted((mark for mark in marks if mark.stage == stage.value), key=lambda one: one.at)
        places = [_x(mark.at, since, until) for mark in lane]
        for number in range(1, len(places)):
            places[number] = max(places[number], places[number - 1] + _APART)
        # Pushed over the edge, they are pushed back.
        edge = float(_WIDTH - _RIGHT - _R)
        for number in reversed(range(len(places))):
            places[number] = min(places[number], edge)
            edge = places[number] - _APART
        placed += zip(lane, places, strict=True)
    return placed


def _lane(stage: Stage, y: float) -> SafeString:
    return format_html(
        '<text x="0" y="{}" class="label">{}</text><path d="M{} {}H{}" class="lane"/>',
        f"{y + 5:.1f}",
        stage.label,
        _LEFT,
        f"{y:.1f}",
        _WIDTH - _RIGHT,
    )


def _mark(one: Mark, x: float, lanes: dict[str, float]) -> SafeString:
    return format_html(
        '<a href="{}" aria-label="{}"><g transform="translate({} {})"><title>{}</title>'
        '<rect x="-9" y="-14" width="18" height="28" class="reach"/>{}</g></a>',
        one.address,
        one.words,
        f"{x:.1f}",
        f"{lanes[one.stage]:.1f}",
        one.words,
        mark_safe(_SHAPES[one.status]),
    )


def _axis(since: datetime, until: datetime, height: int) -> SafeString:
    """Name a few instants, as finely as the whole of it asks for."""
    parts = 4
    form = "%H:%M" if until - since < timedelta(hours=36) else "%d %b %Y"
    drawn = []
    for number in range(parts + 1):
        at = since + (until - since) * number / parts
        anchor = "start" if number == 0 else "end" if number == parts else "middle"
        words = f"now, {timezone.localtime(at):%H:%M}" if number == parts else None
        x = f"{_x(at, since, until):.1f}"
        drawn.append((x, height - 6, anchor, words or f"{timezone.localtime(at):{form}}"))
    return format_html_join("", '<text x="{}" y="{}" class="when {}">{}</text>', drawn)


def _x(at: datetime, since: datetime, until: datetime) -> float:
    whole = (until - since).total_seconds() or 1.0
    share = min(1.0, max(0.0, (at - since).total_seconds() / whole))
    return _LEFT + _R + share * (_WIDTH - _LEFT - _RIGHT - 2 * _R)
