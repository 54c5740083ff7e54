"""One file from bytes to balanced ledger: read and judged first, then applied in one transaction.

The file is read in blocks, so memory does not grow with it, and holds up nobody meanwhile. Whatever
goes wrong when it is applied, the transaction leaves nothing of it behind.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from ingestion.choices import FileStatus, RefusalReason, RowOutcome
from ingestion.columnwise import ColumnwiseJudge
from ingestion.csvrows import BadRow, CsvReading, Row, open_rows
from ingestion.errors import FileRefused
from ingestion.judging import Judge, Judged, Rejection
from ingestion.layouts import Mapping, recognise
from ingestion.models import Drift, Feed, FeedFile, Reading
from ingestion.models.fields import Lines
from ingestion.services.applying import Applying
from ingestion.services.staging import Stage
from ingestion.services.tables import ColumnSets
from ingestion.synthetic import DEPARTMENT_COLUMNS, LAYOUTS, Realm, realm_of_source

BLOCK_ROWS = 2_000
BLOCK_CHARACTERS = 8 << 20  # two thousand rows of a megabyte each would not fit
# Fewer rows are judged one by one: to turn them into columns would cost more than it spares.
FEW_ROWS = 20
# Above this many touched patients it is quicker to evaluate everybody than to name them.
MANY_PATIENTS = 10_000


def hospital_zone() -> ZoneInfo | None:
    """Give the hospital's zone; without one, only times that carry an offset can be read."""
    return ZoneInfo(settings.HOSPITAL_TIME_ZONE) if settings.HOSPITAL_TIME_ZONE else None


def open_reading(stream: BinaryIO, *, source: str) -> tuple[CsvReading, Mapping, Feed]:
    """Recognise a file by its header and find its feed, reading it in the feed's encoding.

    A header that cannot be read as UTF is tried in the encodings that the feeds of this
    source declare. A new feed is not on record yet. Raises FileRefused.
    """
    feeds = {feed.layout: feed for feed in Feed.objects.filter(source=source).order_by("layout")}
    declared = dict.fromkeys(feed.encoding for feed in feeds.values() if feed.encoding)
    refusal: FileRefused | None = None
    for encoding in (None, *declared):
        stream.seek(0)
        try:
            reading = open_rows(stream, encoding=encoding)
            mapping = recognise(reading.header)
        except FileRefused as error:
            refusal = refusal or error
            continue
        layout = mapping.layout.name
        feed = feeds.get(layout) or Feed(source=source, layout=layout)
        if feed.encoding and encoding != feed.encoding:
            stream.seek(0)
            reading = open_rows(stream, encoding=feed.encoding)
            mapping = recognise(reading.header)
        return reading, mapping, feed
    assert refusal is not None
    raise refusal


class Load:
    """One file as it was read and judged, before anything of it is applied."""

    def __init__(
        self, stream: BinaryIO, *, source: str, source_time: datetime, few_rows: int = FEW_ROWS
    ) -> None:
        self._few_rows = few_rows
        realm = realm_of_source(source)
        self._is_synthetic = realm is Realm.SYNTHETIC
        reading, self._mapping, self._feed = open_reading(stream, source=source)
        if self._is_synthetic:
            _require_what_smoke_tests_send(self._mapping)
        self._judge = Judge(
            self._mapping,
            source_time=source_time,
            zone=hospital_zone(),
            day_first=self._feed.is_day_first,
            realm=realm,
        )
        columns = self._mapping.columns
        self._department_at = columns.get("department", columns.get("ward"))
        self._lines: dict[RowOutcome, Lines] = {}
        unknown = [name for name, _ in self._mapping.unknown_columns]
        self.stage = Stage(ColumnSets(), unknown=unknown)
        self._quick = ColumnwiseJudge(self._judge, self._mapping)
        for rows in _blocks(reading.rows):
            self._read(rows)
        self._is_possibly_cut = reading.possibly_cut

    def _read(self, rows: list[Row | BadRow]) -> None:
        """Judge a block of rows: those that are in no doubt all at once, the others one by one."""
        told, left = self._tell_at_once(rows)
        judged: list[tuple[int, Judged]] = []
        rejected: list[tuple[Row | BadRow, Rejection, str]] = []
        for row in left:
            verdict = (
                Rejection(row.reason, None, [])
                if isinstance(row, BadRow)
                else self._judge.judge(row.fields)
            )
            if isinstance(verdict, Rejection):
                if self._is_synthetic:
                    self.stage.close()
                    raise _not_a_smoke_tests()
                rejected.append((row, verdict, self._department_of(row)))
            else:
                judged.append((row.line, verdict))
        self.stage.take(judged)
        self.stage.reject(rejected)
        self.stage.note_judged(sorted([*told, *(line for line, _ in judged)]))

    def _tell_at_once(self, rows: list[Row | BadRow]) -> tuple[list[int], Sequence[Row | BadRow]]:
        whole = [row for row in rows if isinstance(row, Row)]
        if len(whole) < self._few_rows or self._is_synthetic:
            return [], rows
        block = self._quick.take(whole)
        self.stage.take_columns(block)
        bad = [row for row in rows if isinstance(row, BadRow)]
        return block.lines, sorted([*block.left, *bad], key=lambda row: row.line)

    def _department_of(self, row: Row | BadRow) -> str:
        if isinstance(row, BadRow) or self._department_at is None:
            return ""
        return row.fields[self._department_at].strip()[:1000]

    def apply(self, feed_file: FeedFile, *, alone: bool) -> set[uuid.UUID] | None:
        """Apply every row and close the file's ledger, inside a transaction.

        Returns the patients touched, or None where they are too many to name. Raises TurnTaken.
        """
        # A new feed is not remembered: where the transaction starts over, it was never made.
        is_known = bool(self._feed.pk)
        feed_file.feed = (
            self._feed if is_known else _begun_feed(self._feed.source, self._feed.layout)
        )
        applied = Applying(feed_file, self.stage).apply(alone=alone)
        self._lines = applied.lines
        for outcome, lines in applied.lines.items():
            setattr(feed_file, outcome.value, len(lines))
        feed_file.rows = self.stage.rows
        feed_file.flaws = applied.flaws
        feed_file.is_possibly_cut = self._is_possibly_cut
        self._report_drift(feed_file)
        return _touched_patients() if applied.is_touched else set()

    def keep_reading(self, feed_file: FeedFile, *, asked_by: str, why: str) -> None:
        """Keep this reading of the file on record, with its ledger and what each line did."""
        Reading.objects.create(
            feed_file=feed_file,
            number=feed_file.reading,
            status=FileStatus.INGESTED,
            asked_by=asked_by,
            why=why,
            finished_at=feed_file.finished_at or feed_file.received_at,
            flaws=feed_file.flaws,
            **feed_file.ledger,
            **{f"lines_{outcome}": lines for outcome, lines in self._lines.items()},
        )

    def _report_drift(self, feed_file: FeedFile) -> None:
        """Report once per layout what its declaration does not know."""
        seen = [
            *((Drift.Kind.UNKNOWN_COLUMN, name) for name, _ in self._mapping.unknown_columns),
            *((Drift.Kind.MISSING_OPTIONAL, name) for name in self._mapping.missing_optional),
            *((Drift.Kind.UNLISTED_STATUS, value) for value in self.stage.unlisted),
        ]
        known = set(
            Drift.objects.filter(
                layout=self._mapping.layout.name, name__in=[name for _, name in seen]
            ).values_list("kind", "name")
        )
        Drift.objects.bulk_create(
            [
                Drift(
                    layout=self._mapping.layout.name,
                    kind=kind,
                    name=name,
                    first_seen_in=feed_file,
                    first_seen_at=feed_file.finished_at or feed_file.received_at,
                )
                # In one order: two files that report the same must not wait for each other.
                for kind, name in sorted(seen)
                if (kind, name) not in known
            ],
            ignore_conflicts=True,
        )


@contextmanager
def prepare(stream: BinaryIO, *, source: str, source_time: datetime) -> Iterator[Load]:
    """Read and judge a whole file; holds nothing up. Raises FileRefused and TimeZoneNotSet."""
    load = Load(stream, source=source, source_time=source_time)
    try:
        yield load
    finally:
        load.stage.close()


def _require_what_smoke_tests_send(mapping: Mapping) -> None:
    """Refuse what cannot say that its patients are nobody's. Raises FileRefused."""
    names_department = not set(DEPARTMENT_COLUMNS).isdisjoint(mapping.columns)
    needs_department = mapping.layout.system == "PMS"
    if mapping.layout.name not in LAYOUTS or (needs_department and not names_department):
        raise _not_a_smoke_tests()


def _not_a_smoke_tests() -> FileRefused:
    return FileRefused(
        RefusalReason.RESERVED,
        "It lies in the source that is reserved for smoke tests, and says what none of them says."
        " What it tells of patients is not known here: put it where its system's files belong.",
    )


def _begun_feed(source: str, layout: str) -> Feed:
    """Make a feed at its first file; the one that another worker has made meanwhile is taken."""
    Feed.objects.bulk_create([Feed(source=source, layout=layout)], ignore_conflicts=True)
    return Feed.objects.get(source=source, layout=layout)


def _touched_patients() -> set[uuid.UUID] | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT patient FROM stage_touched LIMIT {MANY_PATIENTS + 1}")
        patients = {patient for (patient,) in cursor.fetchall()}
    return patients if len(patients) <= MANY_PATIENTS else None


def _blocks(rows: Iterable[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    block: list[Row | BadRow] = []
    size = 0
    for row in rows:
        block.append(row)
        size += len(row.raw)
        if len(block) == BLOCK_ROWS or size > BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    if block:
        yield block
