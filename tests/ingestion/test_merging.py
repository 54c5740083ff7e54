"""Which version wins: attribute by attribute the newest that states it, in any order of arrival."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import pytest

from ingestion.choices import RowOutcome
from ingestion.merging import Held, Timeline, Version, merge

NAME, BOTH = 1, 2
ATTRIBUTES = {NAME: frozenset({"name"}), BOTH: frozenset({"name", "room"})}
TIMELINE = Timeline(lambda file: {1: ("a",), 2: ("b",), 3: ("c",)}[file])


class Said(NamedTuple):
    columns: int
    values: dict[str, object]
    version: Version


def take(held: Held, said: Said) -> RowOutcome:
    return merge(
        held,
        said.columns,
        said.values,
        version=said.version,
        attributes_of=ATTRIBUTES,
        timeline=TIMELINE,
    )


def both(name: str, room: str | None, at: int, *, file: int = 1, line: int = 2) -> Said:
    return Said(BOTH, {"name": name, "room": room}, Version(at, file, line))


def only_name(name: str, at: int, *, file: int = 1, line: int = 2) -> Said:
    return Said(NAME, {"name": name}, Version(at, file, line))


def test_the_first_statement_creates() -> None:
    assert take(Held(), both("Emma", "1", 10)) is RowOutcome.CREATED


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (both("Emma", "2", 20), RowOutcome.UPDATED),
        (both("Emma", "1", 20), RowOutcome.UNCHANGED),
        (both("Emma", None, 20), RowOutcome.UPDATED),
        (only_name("Emma", 20), RowOutcome.UNCHANGED),
        (only_name("Ada", 20), RowOutcome.UPDATED),
        (both("Ada", "2", 5), RowOutcome.SUPERSEDED),
        (both("Emma", "1", 5), RowOutcome.UNCHANGED),
    ],
)
def test_a_second_statement_is_counted_by_what_it_does(second: Said, outcome: RowOutcome) -> None:
    held = Held()
    take(held, both("Emma", "1", 10))
    assert take(held, second) is outcome


def test_a_column_that_is_not_there_says_nothing_and_a_missing_value_says_missing() -> None:
    held = Held()
    take(held, both("Emma", "1", 10))
    take(held, only_name("Ada", 20))
    assert held.values == {"name": "Ada", "room": "1"}
    take(held, both("Ada", None, 30))
    assert held.values == {"name": "Ada", "room": None}


def test_an_older_version_still_gives_what_no_newer_one_states() -> None:
    held = Held()
    take(held, only_name("Ada", 20))
    assert take(held, both("Emma", "1", 10)) is RowOutcome.UPDATED
    assert held.values == {"name": "Ada", "room": "1"}


def test_every_order_of_arrival_ends_in_the_same_values() -> None:
    said = [
        both("Emma", "1", 10),
        only_name("Ada", 20),
        both("Eve", None, 15),
        only_name("Zoë", 5),
        both("Mia", "9", 20, file=2),
        both("Liv", "8", 20, file=2, line=3),
    ]
    endings = []
    for order in permutations(said):
        held = Held()
        for one in order:
            take(held, one)
        endings.append((held.values, held.statements, held.latest))
    assert all(ending == endings[0] for ending in endings)
    assert endings[0][0] == {"name": "Liv", "room": "8"}


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        (Version(2, 1, 2), Version(1, 3, 9)),
        (Version(1, 2, 2), Version(1, 1, 9)),
        (Version(1, 1, 3), Version(1, 1, 2)),
    ],
)
def test_source_time_wins_then_the_files_rank_then_the_line(
    later: Version, earlier: Version
) -> None:
    assert TIMELINE.is_later(later, earlier)
    assert not TIMELINE.is_later(earlier, later)
    assert not TIMELINE.is_later(later, later)
