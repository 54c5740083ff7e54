"""Which version wins, attribute by attribute. Plain Python, no database.

A record remembers, for each set of columns in which it was ever stated, the newest version
that stated it. An attribute's value is that of the newest version whose columns state it, so
the outcome is the same for every order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingestion.choices import RowOutcome

# An unknown column is an attribute of its own, under its name with this before it.
EXTRA = "x:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Version(NamedTuple):
    """One line of one file: source time in µs since the epoch, FeedFile primary key, line."""

    source_time: int
    file: int
    line: int

    @classmethod
    def of(cls, source_time: datetime, file: int, line: int) -> Version:
        """Make a version, exact to the microsecond (a float would lose some)."""
        return cls((source_time - _EPOCH) // timedelta(microseconds=1), file, line)

    @property
    def at(self) -> datetime:
        """The source time."""
        return _EPOCH + timedelta(microseconds=self.source_time)


class Timeline:
    """The order of versions: source time, then the file's rank, then the line.

    `rank_of` gives a file's (object key, last modified, version), asked for only where two
    files share a source time.
    """

    def __init__(self, rank_of: Callable[[int], tuple[object, ...]]) -> None:
        self._rank_of = rank_of
        self._ranks: dict[int, tuple[object, ...]] = {}

    def know(self, file: int, rank: tuple[object, ...]) -> None:
        """Tell a file's rank that is at hand, so that nobody is asked for it."""
        self._ranks[file] = rank

    def is_later(self, one: Version, other: Version) -> bool:
        """Tell whether `one` supersedes `other`."""
        if one.source_time != other.source_time:
            return one.source_time > other.source_time
        if one.file == other.file:
            return one.line > other.line
        return self._rank(one.file) > self._rank(other.file)

    def _rank(self, file: int) -> tuple[object, ...]:
        if file not in self._ranks:
            self._ranks[file] = self._rank_of(file)
        return self._ranks[file]


@dataclass(slots=True)
class Held:
    """A record as merged so far: attribute values, and who last stated which column set."""

    values: dict[str, object] = field(default_factory=dict)
    statements: dict[int, Version] = field(default_factory=dict)
    latest: Version | None = None


def merge(
    held: Held,
    column_set: int,
    values: Mapping[str, object],
    *,
    version: Version,
    attributes_of: Mapping[int, frozenset[str]],
    timeline: Timeline,
) -> RowOutcome:
    """Take from `values` what is newest into `held`; say what that did.

    Created: nothing was on record. Updated: a value changed. Superseded: the record holds a
    later statement of everything stated here, and not the same values. Unchanged: else.
    """
    if held.latest is None:
        held.values.update(values)
        held.statements[column_set] = held.latest = version
        return RowOutcome.CREATED
    if timeline.is_later(version, held.latest):
        held.statements[column_set] = held.latest = version
        return _take(held.values, values)
    outcome = _take_where_newest(held, values, version, attributes_of, timeline)
    known = held.statements.get(column_set)
    if known is None or timeline.is_later(version, known):
        held.statements[column_set] = version
    return outcome


def _take(mine: dict[str, object], stated: Mapping[str, object]) -> RowOutcome:
    is_changed = any(mine.get(name) != value for name, value in stated.items())
    mine.update(stated)
    return RowOutcome.UPDATED if is_changed else RowOutcome.UNCHANGED


def _take_where_newest(
    held: Held,
    values: Mapping[str, object],
    version: Version,
    attributes_of: Mapping[int, frozenset[str]],
    timeline: Timeline,
) -> RowOutcome:
    """Merge a version that is not the newest of its record: it may still be of an attribute."""
    newest: dict[str, object] = {}
    differs = False
    for name, value in values.items():
        if any(
            name in attributes_of[columns] and timeline.is_later(known, version)
            for columns, known in held.statements.items()
        ):
            differs = differs or held.values.get(name) != value
        else:
            newest[name] = value
    outcome = _take(held.values, newest)
    if outcome is RowOutcome.UPDATED:
        return outcome
    return RowOutcome.SUPERSEDED if differs and not newest else RowOutcome.UNCHANGED
