"""The timeline of deployments: a lane for each stage, and marks that never cover each other."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

from ops.choices import DeploymentStatus
from ops.timeline import Mark, draw_timeline
from tests.deliveries import NOON


def a_mark(hours: float, *, stage: str = "staging", status: str = "succeeded") -> Mark:
    at = NOON - timedelta(hours=hours)
    return Mark(stage, DeploymentStatus(status), at, f"<{hours}>", f"/admin/{hours}/")


def places(drawn: str) -> list[float]:
    return [float(x) for x in re.findall(r"translate\(([\d.]+) ", drawn)]


def test_without_deployments_nothing_is_drawn() -> None:
    assert draw_timeline([], until=NOON) == ""


def test_marks_stand_in_the_order_of_time_and_apart() -> None:
    drawn = draw_timeline([a_mark(h) for h in (0, 0.1, 0.2, 100, 100.1, 500)], until=NOON)
    found = places(drawn)
    assert found == sorted(found)
    assert min(b - a for a, b in itertools.pairwise(found)) >= 17.9
    assert (found[0] >= 112, found[-1] <= 900) == (True, True)


def test_each_stage_has_a_lane_and_each_status_a_shape_of_its_own() -> None:
    marks = [a_mark(9, status=status.value) for status in DeploymentStatus]
    drawn = draw_timeline([*marks, a_mark(1, stage="production")], until=NOON)
    assert (">Staging<" in drawn, ">Production<" in drawn) == (True, True)
    assert ">Development<" not in drawn
    shapes = re.findall(r'class="reach"/>(.*?)</g>', drawn)
    assert (len(shapes), len(set(shapes))) == (7, 6)


def test_words_and_addresses_are_escaped_and_nothing_is_inline() -> None:
    drawn = draw_timeline([a_mark(1)], until=NOON)
    assert "<title>&lt;1&gt;</title>" in drawn
    assert not re.search(r"\sstyle=|\son[a-z]+=", drawn)
