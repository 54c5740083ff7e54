"""Figure 4: a small file beside the least that a durable write costs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from bench.baselines import BARE, insert_bare, make_bare_table
from bench.exports import LAB_TESTS, Export, person, write
from bench.figures import Figure, Measure, Sizes, at_most, require_same, shown
from bench.measuring import Say, seconds_of, take_in
from bench.place import Scratch
from ingestion.models import LabTest

_AT = datetime(2025, 3, 20, 5, 0, tzinfo=UTC)


@dataclass
class Round:
    """The times of one repetition."""

    bare: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)
    thousand: list[float] = field(default_factory=list)


def small_files(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 4: one-row files and bare inserts by turns, and files of a thousand rows."""
    place.fresh()
    make_bare_table(place, "run")
    rounds = []
    for repetition in range(sizes.repeats + 1):
        one = _round(place, sizes, repetition)
        if repetition:  # what is made at first sight, and remembered, is made in the round before
            rounds.append(one)
            say(
                f"  {repetition} of {sizes.repeats}  bare insert: {_p50(one.bare):.2f} ms, one row:"
                f" {_p50(one.single):.2f} ms, {sizes.rows_of_a_thousand} rows:"
                f" {_p50(one.thousand):.1f} ms"
            )
    files = sizes.single_files * (sizes.repeats + 1)
    rows = sizes.thousands * (sizes.repeats + 1) * sizes.rows_of_a_thousand
    bare = place.administer("run", f"SELECT count(*) FROM {BARE}")[0][0]
    singles = LabTest.objects.filter(test_id__startswith="S").count()
    require_same("rows stored one by one", expected=files, bare=bare, ingested=singles)
    in_thousands = LabTest.objects.filter(test_id__startswith="K").count()
    require_same("rows stored by the thousand", expected=rows, ingested=in_thousands)
    return Figure(
        4,
        "Small files",
        [
            Measure(
                "1-row file ÷ bare insert and commit, p50",
                tuple(_p50(one.single) / _p50(one.bare) for one in rounds),
                goal=at_most(4),
            ),
            Measure(
                f"{shown(sizes.rows_of_a_thousand)}-row file, p50",
                tuple(_p50(one.thousand) for one in rounds),
                "ms",
                goal=at_most(30),
            ),
            Measure("1-row file, p50", tuple(_p50(one.single) for one in rounds), "ms"),
            Measure("bare insert and commit, p50", tuple(_p50(one.bare) for one in rounds), "ms"),
        ],
        f"{files} single rows stored by both, {rows} by the thousand, none rejected",
        [
            (
                f"{sizes.single_files} one-row files and as many inserts by turns, and"
                f" {sizes.thousands} larger files, in each repetition; new keys each time,"
                " patients known; on one connection, with fsync and synchronous_commit on."
            ),
        ],
    )


def _round(place: Scratch, sizes: Sizes, repetition: int) -> Round:
    taken = Round()
    for number in range(sizes.single_files):
        series, who = f"S{repetition}x{number}", person(number % sizes.people)
        one = _export(place, series, rows=1, whose=[who])
        bare = partial(insert_bare, series, who, _AT)
        taken.bare.append(seconds_of(bare, tidy=False))
        taken.single.append(seconds_of(partial(take_in, one), tidy=False))
    everybody = [person(number) for number in range(sizes.people)]
    for number in range(sizes.thousands):
        series = f"K{repetition}x{number}"
        thousand = _export(place, series, rows=sizes.rows_of_a_thousand, whose=everybody)
        taken.thousand.append(seconds_of(partial(take_in, thousand)))
    return taken


def _export(place: Scratch, series: str, *, rows: int, whose: list[str]) -> Export:
    return write(
        LAB_TESTS,
        place.files,
        rows=rows,
        series=series,
        people=len(whose),
        whose=whose.__getitem__,
        is_faultless=True,
    )


def _p50(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1_000
