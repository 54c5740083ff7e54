"""Staged rows that are not plain are merged into their records one by one, a block at a time.

For ties, for what is older than some of what a record holds, and for several rows of one record in
a file. Which version wins is told by `merging`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.db import connection
from psycopg2.extras import execute_values

from ingestion.choices import RowOutcome
from ingestion.merging import EXTRA, Timeline, Version, merge
from ingestion.models import FeedFile, LateVersion
from ingestion.services.tables import (
    ADMISSIONS,
    COMBINED_RESULTS,
    LAB_RESULTS,
    LAB_TESTS,
    ColumnSets,
    Entry,
    Identity,
    Table,
    as_json,
    fetch,
    staged_rows,
    write,
)

_BLOCK = 2_000
_NUMBER_OF = {outcome: number for number, outcome in enumerate(RowOutcome)}
# The way of stage_met that leaves a row to this module.
BY_HAND = 0


def merge_by_hand(table: Table, feed_file: FeedFile, columns: ColumnSets, *, now: datetime) -> bool:
    """Merge the rows that are marked for it, in the order of their lines.

    Returns whether any of them changed what is held of a record.
    """
    timeline = Timeline(rank_of)
    timeline.know(feed_file.pk, (feed_file.key, feed_file.last_modified, feed_file.version))
    has_changed = False
    for rows in _blocks(table):
        entries = fetch(table, {tuple(row[name] for name in table.identity) for row in rows})
        outcomes, late = [], []
        before = {key: dict(entry.statements) for key, entry in entries.items()}
        changed: set[Identity] = set()
        for row in rows:
            entry = entries[tuple(row[name] for name in table.identity)]
            version = Version.of(feed_file.source_time, feed_file.pk, row["line"])
            is_known = version in entry.statements.values()
            values = _values(table, row, columns.attributes_of[row["column_set"]])
            outcome = merge(
                entry,
                row["column_set"],
                values,
                version=version,
                attributes_of=columns.attributes_of,
                timeline=timeline,
            )
            outcome = _begun(table, entry, outcome, version)
            outcomes.append((table.number, row["line"], _NUMBER_OF[outcome]))
            if outcome in _CHANGING:
                changed.add(entry.identity)
            elif entry.latest != version and not is_known:
                late.append(_late(table, entry, row, outcome, values, feed_file, now))
            if entry.parent is None and table.parent == "patient_id":
                outcomes[-1] = (table.number, row["line"], _NUMBER_OF[RowOutcome.WAITING])
        # What is as it was is not written: it would look like one more version of it.
        written = [
            entry
            for key, entry in entries.items()
            if key in changed or entry.statements != before[key]
        ]
        write(table, written, now=now)
        _touch(table, written)
        has_changed = has_changed or bool(written)
        LateVersion.objects.bulk_create(late)
        with connection.cursor() as cursor:
            execute_values(
                cursor.cursor, "INSERT INTO stage_done (number, line, outcome) VALUES %s", outcomes
            )
    return has_changed


_CHANGING = (RowOutcome.CREATED, RowOutcome.UPDATED)


def rank_of(file: int) -> tuple[object, ...]:
    """Rank files that share a source time: key by code point, last modified, version."""
    return FeedFile.objects.values_list("key", "last_modified", "version").get(pk=file)


def _blocks(table: Table) -> Iterator[list[dict[str, Any]]]:
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT s.* FROM stage_met m JOIN {staged_rows(table)} s ON s.line = m.line"
                f" WHERE m.number = {table.number} AND m.way = {BY_HAND} AND s.line > %s"
                f" ORDER BY s.line LIMIT {_BLOCK}",
                [last],
            )
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if rows:
            yield rows
        if len(rows) < _BLOCK:
            return
        last = rows[-1]["line"]


def _values(table: Table, row: dict[str, Any], stated: frozenset[str]) -> dict[str, object]:
    held = {
        name: bool(row[name]) if name in table.switches else row[name] for name in table.columns
    }
    values = {name: value for name, value in table.to_values(held).items() if name in stated}
    extra = as_json(row["extra"])
    return values | {EXTRA + name: value for name, value in extra.items()}


def _begun(table: Table, entry: Entry, outcome: RowOutcome, version: Version) -> RowOutcome:
    """Note where a record began. A combined row without a result begins none."""
    if entry.created is not None:
        return outcome
    if table is COMBINED_RESULTS and entry.values.get("value") is None:
        return RowOutcome.UNCHANGED
    entry.created = (version.file, version.line)
    return RowOutcome.CREATED


def _late(
    table: Table,
    entry: Entry,
    row: dict[str, Any],
    outcome: RowOutcome,
    values: dict[str, object],
    feed_file: FeedFile,
    now: datetime,
) -> LateVersion:
    return LateVersion(
        kind=table.kind,
        identity=list(entry.identity),
        feed_file=feed_file,
        line=row["line"],
        column_set_id=row["column_set"],
        outcome=outcome,
        stated=json.loads(json.dumps(values, default=_plain)),
        known_at=now,
    )


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)


def _touch(table: Table, entries: list[Entry]) -> None:
    """Note whose records these are: all of them, since what follows from them was written anew."""
    query = {
        ADMISSIONS: "SELECT patient_id, NULL FROM ingestion_admission WHERE id = ANY(%s)",
        LAB_TESTS: "SELECT patient_id, id FROM ingestion_labtest WHERE id = ANY(%s)",
        LAB_RESULTS: _TEST_OF_RESULTS,
        COMBINED_RESULTS: _TEST_OF_RESULTS,
    }.get(table)
    linked = [entry.key for entry in entries if entry.parent is not None]
    if query and linked:
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO stage_touched {query}", [linked])


_TEST_OF_RESULTS = (
    "SELECT t.patient_id, t.id FROM ingestion_labresult r JOIN ingestion_labtest t"
    " ON t.id = r.lab_test_id WHERE r.id = ANY(%s)"
)
