"""How time is taken, and how what was stored is held against what others stored."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import connection

from bench.exports import Export
from bench.figures import VariantsDiffer
from ingestion.models import FeedFile, RejectedRow
from ingestion.services.receiving import Receipt, ingest
from ingestion.storage import local_object

Variant = Callable[[], float]
Say = Callable[[str], None]

# The values that a plain application would store of a lab test as well.
TEST_VALUES = (
    "test_id, patient_number, patient_id, name, ordered_at, ordering_physician, status,"
    " is_cancelled, said_line"
)


def seconds_of(act: Callable[[], object], *, tidy: bool = True) -> float:
    """Run something once and take the time; `tidy`: with no garbage of others to collect."""
    if tidy:
        gc.collect()
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def interleaved(
    variants: dict[str, Variant], *, repeats: int, say: Say
) -> dict[str, tuple[float, ...]]:
    """Run each variant once per repetition, side by side in time; each begins once in turn.

    What the machine does to one of them for a minute it does to the others too.
    """
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for repetition in range(repeats):
        for name in _rotated(list(variants), repetition):
            seconds = variants[name]()
            taken[name].append(seconds)
            say(f"  {repetition + 1} of {repeats}  {name}: {seconds:.3f} s")
    return {name: tuple(seconds) for name, seconds in taken.items()}


def take_in(export: Export) -> Receipt:
    """Ingest a file, as `manage.py ingest` would; raises unless exactly its good rows came in."""
    receipt = ingest(local_object(export.path))
    check_ledger(export, receipt.file, column="created")
    return receipt


def check_ledger(export: Export, file: FeedFile, *, column: str) -> None:
    """Raise unless all rows but the faulty ones are in one column of the ledger."""
    expected = {"rows": export.rows, column: export.rows - export.faulty, "rejected": export.faulty}
    found = {name: count for name, count in file.ledger.items() if count}
    wanted = {name: count for name, count in expected.items() if count}
    if file.status != "ingested" or found != wanted:
        raise VariantsDiffer(f"{export.path.name}: {file.status}, {found} instead of {wanted}")


def rejected_lines() -> list[int]:
    """Give the lines that the latest file's reading rejected."""
    latest = FeedFile.objects.latest("pk")
    lines = RejectedRow.objects.filter(feed_file=latest, reading=latest.reading)
    return sorted(lines.values_list("line", flat=True))


def identities(table: str, column: str, *, prefix: str, without: Sequence[str] = ()) -> str:
    """Count the identities of one series in a table, and give them as one short word."""
    return _digest(
        f"SELECT {column} AS value FROM {table} WHERE {column} LIKE %s AND {column} <> ALL(%s)",
        [f"{prefix}-%", list(without)],
    )


def lab_tests_in(table: str, *, up_to_line: int | None = None) -> str:
    """Count the tests in a table, and give all their values as one short word."""
    return _digest(
        f"SELECT ({TEST_VALUES})::text AS value FROM (SELECT {TEST_VALUES} FROM {table}) AS tests"
        " WHERE said_line <= %s",
        [2_000_000_000 if up_to_line is None else up_to_line],
    )


def _digest(query: str, parameters: Sequence[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), md5(coalesce(string_agg(value, chr(10) ORDER BY value), ''))"
            f" FROM ({query}) AS found",
            parameters,
        )
        count, digest = cursor.fetchone()
    return f"{count} rows, {digest}"


def _rotated(names: list[str], by: int) -> Iterator[str]:
    by %= len(names)
    return iter(names[by:] + names[:by])
