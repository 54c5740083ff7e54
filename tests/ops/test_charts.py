"""Charts: numbers in, SVG out, nothing inline and nothing unescaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ops import charts
from ops.choices import Health

HOSTILE = "\"><script>alert('x')</script>"


def parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)  # it is our own


@pytest.mark.parametrize(
    "drawn",
    [
        charts.bars([(Health.WELL, HOSTILE)], title=HOSTILE),
        charts.line([1, None, 2, 3], title=HOSTILE),
        charts.meter(0.5, title=HOSTILE, health=Health.WELL),
    ],
    ids=["bars", "line", "meter"],
)
def test_every_chart_is_well_formed_has_a_title_and_breaks_no_policy(drawn: str) -> None:
    root = parsed(drawn)
    assert (root.tag, root.get("role")) == ("svg", "img")
    assert root[0].tag == "title"
    assert root[0].text == HOSTILE
    assert "<script" not in drawn
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style", drawn)


def test_states_are_told_apart_by_height_and_each_says_its_words() -> None:
    drawn = parsed(charts.bars([(each, each.label) for each in Health], title="t", height=100))
    assert [(one.get("class"), one.get("height"), one[0].text) for one in drawn[1:]] == [
        ("is-well", "55", "Well"),
        ("is-degraded", "75", "Degraded"),
        ("is-down", "100", "Down"),
        ("is-unknown", "25", "Unknown"),
    ]


def test_a_line_breaks_where_nothing_is_known() -> None:
    drawn = parsed(charts.line([0, 2, None, 1], title="t", height=26))
    assert [(one.tag, one.get("points") or one.get("cy")) for one in drawn[2:]] == [
        ("polyline", "3,23 81,3"),
        ("circle", "13"),
    ]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_a_line_of_nothing_is_a_base_line(values: list[float | None]) -> None:
    assert [one.tag for one in parsed(charts.line(values, title="t"))] == ["title", "line"]


@pytest.mark.parametrize(("values", "points"), [([0, 0], "3,29 237,29"), ([-5, 1], "3,29 237,3")])
def test_a_line_starts_at_nought_and_goes_no_lower(values: list[float], points: str) -> None:
    assert parsed(charts.line(values, title="t"))[2].get("points") == points


@pytest.mark.parametrize(("share", "width"), [(-1, "0"), (0.25, "60"), (7, "240")])
def test_a_meter_is_filled_between_nothing_and_all(share: float, width: str) -> None:
    drawn = parsed(charts.meter(share, title="t", health=Health.WELL))
    assert drawn[2].get("width") == width
