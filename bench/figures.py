"""What a figure is: what was measured, beside which goal, under which conditions. Plain Python."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


class VariantsDiffer(Exception):
    """Two variants did not store and reject the same rows: their times say nothing."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured. `repeats` of a quick look are too few to count."""

    rows: int = 100_000
    rows_by_orm: int = 2_000
    people: int = 5_000
    single_files: int = 100
    thousands: int = 20
    rows_of_a_thousand: int = 1_000
    memory_rows: tuple[int, int] = (100_000, 1_000_000)
    seconds_of_arrival: int = 120
    seconds_at_default: int = 30
    files_a_second: int = 20
    tests_on_record: tuple[int, int] = (100_000, 10_000_000)
    repeats: int = 3
    # Figure 1 for the other layouts too, for information.
    other_layouts: bool = True

    @classmethod
    def quick(cls) -> Self:
        """Give sizes that show that everything works, and nothing else."""
        return cls(
            rows=2_000,
            rows_by_orm=100,
            people=200,
            single_files=3,
            thousands=1,
            rows_of_a_thousand=100,
            memory_rows=(1_000, 10_000),
            seconds_of_arrival=3,
            seconds_at_default=0,
            files_a_second=10,
            tests_on_record=(2_000, 20_000),
            repeats=1,
            other_layouts=False,
        )


@dataclass(frozen=True)
class Goal:
    """A bound, and on which side of it one wants to be."""

    bound: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.bound)}"

    def is_met_by(self, value: float) -> bool:
        """Tell whether a value is on the right side."""
        return value >= self.bound if self.at_least else value <= self.bound

    def share_reached(self, value: float) -> float:
        """Give how far a value is on the way: 1 is the goal, 2 twice as good."""
        if self.at_least:
            return value / self.bound
        return self.bound / value if value else math.inf

    def verdict(self, value: float) -> str:
        """Say whether it is met, or by how much it is missed."""
        if self.is_met_by(value):
            return "met"
        if not self.bound:
            return f"missed by {shown(value)}"
        return f"missed by a factor of {1 / self.share_reached(value):.2f}"


@dataclass(frozen=True)
class Measure:
    """One number: the median of what each repetition gave. Without a goal, for information."""

    name: str
    samples: tuple[float, ...]
    unit: str = ""
    goal: Goal | None = None

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def verdict(self) -> str:
        """Whether its goal is met; empty where it has none."""
        return self.goal.verdict(self.value) if self.goal else ""


@dataclass
class Figure:
    """One figure, with everything that a reader must know to believe it.

    `same_rows` says what was compared to make sure that every variant did the same work.
    """

    number: int
    title: str
    measures: list[Measure]
    same_rows: str
    remarks: list[str] = field(default_factory=list)
    conditions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Make a figure of what `dataclasses.asdict` once made of it."""
        measures = [
            Measure(
                name=one["name"],
                samples=tuple(one["samples"]),
                unit=one["unit"],
                goal=Goal(**one["goal"]) if one["goal"] else None,
            )
            for one in kept["measures"]
        ]
        return cls(**{**kept, "measures": measures})


def at_least(bound: float) -> Goal:
    """Make a goal that is met from below."""
    return Goal(bound, at_least=True)


def at_most(bound: float) -> Goal:
    """Make a goal that is met from above."""
    return Goal(bound, at_least=False)


def ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, ...]:
    """Give the ratio of each repetition: what stood side by side in time is compared."""
    return tuple(a / b for a, b in zip(above, below, strict=True))


def shown(value: float) -> str:
    """Write a number with the digits that it deserves: three, or all of a large one."""
    if value >= 999.5:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def require_same(what: str, **found: object) -> None:
    """Raise VariantsDiffer unless all found the same, naming the variants that did not."""
    (first, expected), *others = found.items()
    for name, value in others:
        if value != expected:
            raise VariantsDiffer(f"{what}: {first} has {expected!r}, {name} has {value!r}")
