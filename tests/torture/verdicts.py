"""What comes of one file by itself, asked of the product and of the oracle, in one shape.

`of_the_product` is the one place that asks the product. Knows both shapes; must not judge.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.columnwise import ColumnwiseJudge
from ingestion.csvrows import BadRow, Row, open_rows
from ingestion.errors import FileRefused
from ingestion.judging import Judge, Rejection, Release
from ingestion.judging import Statement as Stated
from ingestion.layouts import recognise
from ingestion.values import source_time_in
from tests.oracle import ExportObject, Hospital
from tests.oracle.hospital import FileReading
from tests.oracle.judging import Release as OracleRelease
from tests.oracle.judging import Statement
from tests.oracle.values import Measured, is_several_units
from tests.torture.blocks import rows_of

_BLOCK_ROWS = 500  # fewer than the product's: more seams
_FUTURE_TOLERANCE = timedelta(minutes=10)
_REFUSALS = {
    "no_header": "no_header",
    "unknown_layout": "no_layout",
    "duplicate_column": "column_twice",
    "foreign_column": "column_of_another_layout",
    "from_the_future": "source_time_in_the_future",
}
_KINDS = {"test": "lab_test", "result": "lab_result", "combined_result": "lab_result"}


@dataclass
class Verdict:
    """A file refused, or each of its rows once: rejected, or stated with its flaws.

    `stated` holds for each line (kind, identity, attributes) of each record that it speaks of.
    """

    refusal: str | None = None
    layout: str | None = None
    rows: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)
    flaws: list[tuple[int, str, str]] = field(default_factory=list)
    stated: dict[int, list[tuple[str, tuple[str, ...], dict[str, Any]]]] = field(
        default_factory=dict
    )

    def state(self, line: int, statements: Iterable[Stated]) -> None:
        """Note what a line states, once."""
        if line in self.stated:
            raise AssertionError(f"line {line} counts twice")
        self.stated[line] = [_stated(statement) for statement in statements]

    def differences(self, other: Verdict) -> list[str]:
        """Name what differs, with both sides, the first few of each."""
        if (self.refusal, self.layout) != (other.refusal, other.layout):
            return [f"{self.refusal or self.layout} ≠ {other.refusal or other.layout}"]
        found = [] if self.rows == other.rows else [f"{self.rows} rows ≠ {other.rows} rows"]
        found += _unlike("rejected", self.rejected, other.rejected)
        found += _unlike("flaws", self.flaws, other.flaws)
        for line in sorted(self.stated.keys() | other.stated.keys()):
            mine, theirs = self.stated.get(line), other.stated.get(line)
            if mine != theirs:
                found.append(f"line {line}: {_short(mine)} ≠ {_short(theirs)}")
        return found[:6]


def of_the_product(each: ExportObject, *, zone: ZoneInfo, by_columns: bool) -> Verdict:
    """Ask the product, which judges the rows of a file one by one or, where it can, by columns.

    Whatever is raised beside a refusal is a fault of the product.
    """
    source_time = source_time_in(each.key) or each.last_modified
    try:
        reading = open_rows(io.BytesIO(each.content))
        mapping = recognise(reading.header)
    except FileRefused as refused:
        return Verdict(refusal=_REFUSALS[refused.reason.value])
    verdict = Verdict(layout=mapping.layout.name)
    if source_time > each.received_at + _FUTURE_TOLERANCE:
        verdict.refusal = _REFUSALS["from_the_future"]
        return verdict
    judge = Judge(mapping, source_time=source_time, zone=zone)
    quick = ColumnwiseJudge(judge, mapping) if by_columns else None
    while rows := list(islice(reading.rows, _BLOCK_ROWS)):
        verdict.rows += len(rows)
        left = _told_by_columns(verdict, quick, rows) if quick else rows
        for row in left:
            _add_one(verdict, judge, row)
    verdict.rejected.sort()
    verdict.flaws.sort()
    return verdict


def _told_by_columns(
    verdict: Verdict, quick: ColumnwiseJudge, rows: list[Row | BadRow]
) -> list[Row | BadRow]:
    """Take what the quick way tells; returns what it leaves to be judged one by one."""
    whole = [row for row in rows if isinstance(row, Row)]
    bad: list[Row | BadRow] = [row for row in rows if isinstance(row, BadRow)]
    if not whole:
        return bad
    block = quick.take(whole)
    for line, statements in rows_of(block):
        verdict.state(line, statements)
    return [*bad, *block.left]


def _add_one(verdict: Verdict, judge: Judge, row: Row | BadRow) -> None:
    if isinstance(row, BadRow):
        verdict.rejected.append((row.line, row.reason.value))
        return
    judged = judge.judge(row.fields)
    if isinstance(judged, Rejection):
        verdict.rejected.append((row.line, judged.reason.value))
        return
    verdict.state(row.line, judged.statements)
    verdict.flaws += [(row.line, one.column.lower(), one.reason.value) for one in judged.flaws]


def of_the_oracle(each: ExportObject, *, zone: str) -> Verdict:
    """Ask the second writing of the feed contract."""
    (reading,) = Hospital(zone).ingest([each]).files
    return _from_reading(reading)


def _from_reading(reading: FileReading) -> Verdict:
    verdict = Verdict(
        refusal="no_layout" if reading.refusal == "several_layouts" else reading.refusal,
        layout=reading.layout,
        rows=reading.rows,
        rejected=reading.rejected,
        flaws=sorted(reading.flaws),
    )
    for rank, statement in reading.said:
        verdict.stated.setdefault(rank[-1], []).append(_from_oracle(statement))
    return verdict


def _stated(one: Stated) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    values = dict(one.values)
    if isinstance(release := values.get("release"), Release):
        values["release"] = tuple(release)
    if isinstance(number := values.get("number"), Decimal):
        values["number"] = number.normalize() if len(str(number)) < 28 else number
    if len(one.identity) == 2 and "performed_at" in values:
        # A combined row's result is its test's: what names the test is its identity.
        del values["test_id"], values["patient_id"]
        if values["value"] is None:
            values["performed_at"] = None
    values |= {f"extra:{name.lower()}": text for name, text in one.extra.items()}
    return one.kind.value, one.identity, values


def _from_oracle(one: Statement) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    values = dict(one.attributes)
    if isinstance(release := values.get("release"), OracleRelease):
        values["release"] = (release.at, release.is_confirmed)
    if one.kind in ("result", "combined_result"):
        value = values["value"]
        measured = value if isinstance(value, Measured) else Measured("", None, None)
        values["value"] = value and measured.text
        values["number"] = Decimal(measured.number) if measured.number else None
        values["comparator"] = measured.comparator
        if "is_cancelled" in values:
            values["is_withdrawn"] = values.pop("is_cancelled")
    if "unit" in values:
        values["unit_is_ambiguous"] = is_several_units(values["unit"] or "")
    return _KINDS.get(one.kind, one.kind), one.identity, values


def _unlike(name: str, mine: Iterable[Any], theirs: Iterable[Any]) -> list[str]:
    left, right = set(mine), set(theirs)
    if left == right:
        return []
    return [f"{name}: {_short(sorted(left - right)[:3])} ≠ {_short(sorted(right - left)[:3])}"]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:600]}…"
