"""Kinds of columns that Django has no field for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.db import models

_RANGE = re.compile(r"\[(\d+),(\d+)\)")


class Lines:
    """A set of line numbers, kept as ranges: a file whose rows all did the same is one range."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.ranges = tuple(ranges)

    @classmethod
    def parse(cls, text: str) -> Lines:
        """Read PostgreSQL's text form of a multirange, `{[2,5),[7,8)}`."""
        return cls((int(first), int(end)) for first, end in _RANGE.findall(text))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Lines:
        """Gather numbers, given in any order."""
        gathered = GatheredLines()
        for number in sorted(numbers):
            gathered.add(number)
        return gathered.lines

    def without(self, others: Iterable[Lines]) -> Lines:
        """Leave out the numbers of others, which are among these."""
        left: list[tuple[int, int]] = []
        taken = sorted(span for other in others for span in other.ranges)
        at = 0
        for first, end in self.ranges:
            while at < len(taken) and taken[at][0] < end:
                if first < taken[at][0]:
                    left.append((first, taken[at][0]))
                first = taken[at][1]
                at += 1
            if first < end:
                left.append((first, end))
        return Lines(left)

    def __str__(self) -> str:
        return "{" + ",".join(f"[{first},{end})" for first, end in self.ranges) + "}"

    def __repr__(self) -> str:
        return f"Lines({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and other.ranges == self.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __len__(self) -> int:
        return sum(end - first for first, end in self.ranges)

    def __contains__(self, line: object) -> bool:
        return isinstance(line, int) and any(first <= line < end for first, end in self.ranges)


class GatheredLines:
    """Line numbers as they come, each greater than the one before, kept as ranges."""

    def __init__(self) -> None:
        self._ranges: list[list[int]] = []

    def add(self, number: int) -> None:
        """Add the next number."""
        if self._ranges and self._ranges[-1][1] == number:
            self._ranges[-1][1] += 1
        else:
            self._ranges.append([number, number + 1])

    @property
    def lines(self) -> Lines:
        """What was gathered so far."""
        return Lines((first, end) for first, end in self._ranges)


class LinesField(models.Field):  # type: ignore[type-arg]
    """A set of line numbers as an int4multirange."""

    def db_type(self, connection: object) -> str:
        """Give the column's type."""
        return "int4multirange"

    def from_db_value(self, value: str | None, *_args: object) -> Lines | None:
        """Read what the driver gives: the text form."""
        return None if value is None else Lines.parse(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Write the text form."""
        return None if value is None else str(value)
