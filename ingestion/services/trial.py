"""What would become of a file: read and judged as if for real, and nothing of it kept.

Writes nothing, not even the feed that the file would begin. Holds one row at a time, however long
the file is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from django.utils import timezone

from ingestion.choices import RefusalReason, RejectReason
from ingestion.csvrows import BadRow, CsvReading, Row, open_rows
from ingestion.errors import FileRefused
from ingestion.judging import Judge, Judged, Rejection, Statement
from ingestion.layouts import LAYOUTS, Layout, Mapping, recognise
from ingestion.models import Feed
from ingestion.queries import FUTURE_TOLERANCE
from ingestion.services.loading import hospital_zone
from ingestion.services.receiving import unreadable
from ingestion.services.registering import source_time_of
from ingestion.storage import StoredObject
from ingestion.synthetic import realm_of_source
from ingestion.values import source_time_in

SHOWN_ROWS = 5
SHOWN_LINES = 5
# A column of free text taken for a status would else fill the memory with its values.
_MOST_STATUSES = 50


@dataclass(frozen=True)
class Declared:
    """What is tried as if the feed declared it; None: what it declares, or would by default."""

    encoding: str | None = None
    is_day_first: bool | None = None


@dataclass
class Finding:
    """One kind of fault: how often, and on which lines first."""

    count: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        """Count one more."""
        self.count += 1
        if len(self.lines) < SHOWN_LINES:
            self.lines.append(line)


@dataclass
class Trial:
    """What a file would come to. Of a refused one as much as could be told before.

    `rejected` and `flawed` are by reason and column; `first_rows` are lines and what they state.
    """

    stored: StoredObject
    source_time: datetime
    is_stamped: bool
    refusal: FileRefused | None = None
    layout: Layout | None = None
    mapping: Mapping | None = None
    header: Sequence[str] = ()
    encoding: str = ""
    delimiter: str = ""
    feed: Feed | None = None
    is_day_first: bool = False
    rows: int = 0
    rejected: dict[tuple[str, str], Finding] = field(default_factory=dict)
    flawed: dict[tuple[str, str], Finding] = field(default_factory=dict)
    # Of the rows rejected for a date, those whose dates can be read with day and month swapped.
    other_way_round: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    first_rows: list[tuple[int, list[Statement]]] = field(default_factory=list)
    is_possibly_cut: bool = False

    @property
    def columns(self) -> list[tuple[str, str | None]]:
        """Give each of the file's columns, and the layout's column that it is taken for."""
        taken = (
            {place: name for name, place in self.mapping.columns.items()} if self.mapping else {}
        )
        return [(name, taken.get(place)) for place, name in enumerate(self.header)]

    @property
    def rejected_rows(self) -> int:
        """Count the rows that would be rejected."""
        return sum(one.count for one in self.rejected.values())


def try_object(
    stored: StoredObject,
    *,
    declared: Declared = Declared(),
    layouts: Sequence[Layout] = LAYOUTS,
) -> Trial:
    """Read an object to its end and say what would become of it. Raises TimeZoneNotSet."""
    stamp = source_time_in(stored.key)
    trial = Trial(stored, source_time_of(stored), is_stamped=stamp is not None)
    try:
        with stored.open() as stream:
            _read(trial, stream, declared, layouts)
    except FileRefused as refusal:
        trial.refusal = refusal
    except OSError as error:
        trial.refusal = unreadable(error)
    return trial


def _read(trial: Trial, stream: BinaryIO, declared: Declared, layouts: Sequence[Layout]) -> None:
    reading = _open(trial, stream, declared, layouts)
    assert trial.mapping is not None
    if trial.source_time > timezone.now() + FUTURE_TOLERANCE:
        trial.refusal = FileRefused(
            RefusalReason.FROM_THE_FUTURE,
            "Its source time lies more than 10 minutes in the future.",
        )
    judge, other = (
        Judge(
            trial.mapping,
            source_time=trial.source_time,
            zone=hospital_zone(),
            day_first=is_day_first,
            realm=realm_of_source(trial.stored.source),
        )
        for is_day_first in (trial.is_day_first, not trial.is_day_first)
    )
    for row in reading.rows:
        trial.rows += 1
        _take(trial, judge, other, row)
    trial.is_possibly_cut = reading.possibly_cut


def _open(
    trial: Trial, stream: BinaryIO, declared: Declared, layouts: Sequence[Layout]
) -> CsvReading:
    """Recognise the file as ingestion would, in each encoding that its source's feeds declare."""
    feeds = Feed.objects.filter(source=trial.stored.source).order_by("layout")
    known = {feed.layout: feed for feed in feeds}
    tried = (
        [declared.encoding]
        if declared.encoding is not None
        else [None, *dict.fromkeys(feed.encoding for feed in feeds if feed.encoding)]
    )
    refusal: FileRefused | None = None
    for encoding in tried:
        try:
            reading = _recognised(trial, stream, encoding, layouts)
        except FileRefused as error:
            refusal = refusal or error
            continue
        assert trial.layout is not None
        feed = trial.feed = known.get(trial.layout.name)
        trial.is_day_first = bool(feed and feed.is_day_first)
        if declared.is_day_first is not None:
            trial.is_day_first = declared.is_day_first
        if declared.encoding is None and feed and feed.encoding not in ("", encoding):
            reading = _recognised(trial, stream, feed.encoding, layouts)
        return reading
    assert refusal is not None
    raise refusal


def _recognised(
    trial: Trial, stream: BinaryIO, encoding: str | None, layouts: Sequence[Layout]
) -> CsvReading:
    stream.seek(0)
    reading = open_rows(stream, encoding=encoding)
    trial.header, trial.delimiter = reading.header, reading.delimiter
    trial.encoding = reading.encoding
    trial.mapping = recognise(reading.header, layouts=layouts)
    trial.layout = trial.mapping.layout
    return reading


def _take(trial: Trial, judge: Judge, other: Judge, row: Row | BadRow) -> None:
    if isinstance(row, BadRow):
        _note(trial.rejected, row.reason, "", row.line)
        return
    verdict = judge.judge(row.fields)
    if isinstance(verdict, Rejection):
        _note(trial.rejected, verdict.reason, verdict.column or "", row.line)
        if verdict.reason is RejectReason.BAD_DATE and not _has_bad_date(other.judge(row.fields)):
            trial.other_way_round += 1
        return
    for flaw in verdict.flaws:
        _note(trial.flawed, flaw.reason, flaw.column, row.line)
    for status in verdict.drift:
        name = f"{status.column}: {status.value}"
        if name in trial.statuses or len(trial.statuses) < _MOST_STATUSES:
            trial.statuses[name] += 1
    if len(trial.first_rows) < SHOWN_ROWS:
        trial.first_rows.append((row.line, verdict.statements))


def _has_bad_date(verdict: Judged | Rejection) -> bool:
    return isinstance(verdict, Rejection) and verdict.reason is RejectReason.BAD_DATE


def _note(found: dict[tuple[str, str], Finding], reason: str, column: str, line: int) -> None:
    found.setdefault((str(reason), column), Finding()).add(line)
