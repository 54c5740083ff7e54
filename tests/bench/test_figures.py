"""What counts as met, what is said of a miss, and what makes a figure not count."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from bench import report
from bench.figures import (
    Figure,
    Goal,
    Measure,
    VariantsDiffer,
    at_least,
    at_most,
    ratios,
    require_same,
    shown,
)


def a_figure() -> Figure:
    return Figure(
        number=4,
        title="Small files",
        measures=[
            Measure("one row", (5.0, 3.0, 12.0), goal=at_most(4)),
            Measure("a thousand rows", (21.5,), "ms"),
        ],
        same_rows="400 rows by both",
        remarks=["New keys each time."],
        conditions={"python": "3.11.9", "load": "0.10 0.20 0.30 and 0.40 0.20 0.30"},
    )


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (at_least(0.15), 0.15, "met"),
        (at_least(0.15), 0.1, "missed by a factor of 1.50"),
        (at_most(4), 4.0, "met"),
        (at_most(4), 10.0, "missed by a factor of 2.50"),
        (at_most(0), 0.0, "met"),
        (at_most(0), 3.0, "missed by 3"),
    ],
)
def test_a_goal_says_whether_it_is_met_or_by_how_much_it_is_missed(
    goal: Goal, value: float, verdict: str
) -> None:
    assert goal.verdict(value) == verdict


def test_a_measure_is_judged_by_the_median_of_its_repetitions() -> None:
    one_row = a_figure().measures[0]
    assert (one_row.value, one_row.verdict) == (5.0, "missed by a factor of 1.25")


def test_ratios_are_of_what_was_measured_side_by_side() -> None:
    assert ratios([6.0, 8.0], [3.0, 2.0]) == (2.0, 4.0)


def test_variants_that_stored_different_rows_are_named_with_what_they_stored() -> None:
    with pytest.raises(VariantsDiffer, match=r"rows: ours has 3, bulk_create has 4"):
        require_same("rows", ours=3, copied=3, bulk_create=4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.15, "0.15"),
        (4.0, "4"),
        (23.456, "23.5"),
        (0.00794, "0.00794"),
        (999.7, "1 000"),
        (1_234_567.0, "1 234 567"),
    ],
)
def test_numbers_are_shown_with_the_digits_that_they_deserve(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_figure_on_file_is_read_as_it_was_written() -> None:
    assert Figure.read(asdict(a_figure())) == a_figure()


def test_the_table_holds_goal_verdict_spread_rows_and_conditions() -> None:
    assert report.as_markdown([a_figure()], title="Measured").splitlines() == [
        "# Measured",
        "",
        "![Each figure beside its goal](figures.png)",
        "",
        "| # | figure | measured | goal | | lowest to highest |",
        "|---|---|---|---|---|---|",
        "| 4 | one row | **5** | ≤ 4 | missed by a factor of 1.25 | 3 to 12 |",
        "",
        "## 4. Small files",
        "",
        "| | median | lowest to highest |",
        "|---|---|---|",
        "| one row | 5 | 3 to 12 |",
        "| a thousand rows | 21.5 ms | measured once |",
        "",
        "Same rows: 400 rows by both.",
        "",
        "- New keys each time.",
        "- Python 3.11.9; load average before and after 0.10 0.20 0.30 and 0.40 0.20 0.30.",
    ]
