"""How a dry run is told: to a person at a terminal, or to a script.

Shows values of the file: it is for the engineer who holds that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from ingestion.choices import FlawReason, RejectReason
from ingestion.judging import Release, Statement
from ingestion.services.trial import Finding, Trial

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_WIDTH = 22


def as_dict(trial: Trial) -> dict[str, Any]:
    """Describe a trial in the shape that scripts rely on."""
    mapping = trial.mapping
    return {
        "key": trial.stored.key,
        "layout": trial.layout.name if trial.layout else None,
        "feed": _feed(trial),
        "is_new_feed": trial.feed is None if trial.layout else None,
        "refusal": str(trial.refusal.reason) if trial.refusal else None,
        "reason": str(trial.refusal) if trial.refusal else None,
        "encoding": trial.encoding or None,
        "delimiter": trial.delimiter or None,
        "day_first": trial.is_day_first,
        "source_time": trial.source_time.isoformat(),
        "source_time_from": "name" if trial.is_stamped else "last change",
        "columns": dict(trial.columns) if mapping else {},
        "unknown_columns": [name for name, _ in mapping.unknown_columns] if mapping else [],
        "missing_optional": list(mapping.missing_optional) if mapping else [],
        "unlisted_statuses": dict(trial.statuses),
        "is_possibly_cut": trial.is_possibly_cut,
        "rows": trial.rows,
        "rejected": _findings(trial.rejected),
        "dates_other_way_round": trial.other_way_round,
        "flaws": _findings(trial.flawed),
        "first_rows": [
            {"line": line, "records": [_record(one) for one in statements]}
            for line, statements in trial.first_rows
        ],
    }


def lines_of(trial: Trial, *, name: str) -> Iterator[str]:
    """Tell a trial to a person, line by line. `name` is the file's, fit to be written."""
    yield name
    if trial.refusal is not None:
        yield f"  would be refused: {trial.refusal}"
    if trial.layout is None or trial.mapping is None:
        return
    required = len(trial.layout.required)
    new = "" if trial.feed else ", a new feed"
    declared = ", the day first" if trial.is_day_first else ""
    came = "the stamp in its name" if trial.is_stamped else "its last change"
    yield f"  layout       {trial.layout.name}: its {required} required columns are all there"
    yield f"  feed         {_feed(trial)}{new}"
    yield f"  read as      {trial.encoding}, {_DELIMITERS[trial.delimiter]}{declared}"
    yield f"  source time  {trial.source_time.isoformat()} ({came})"
    yield "  columns"
    for theirs, ours in trial.columns:
        yield f"    {_short(theirs, 30):<30}  {ours or '(unknown: kept as extra data)'}"
    for missing in trial.mapping.missing_optional:
        yield f"    {'–':<30}  {missing} (optional, missing)"
    yield from _rows(trial)


def _rows(trial: Trial) -> Iterator[str]:
    good = trial.rows - trial.rejected_rows
    yield f"  rows         {trial.rows}: {good} would be applied, {trial.rejected_rows} rejected"
    for title, found, words in (
        ("rejected", trial.rejected, RejectReason),
        ("flaw", trial.flawed, FlawReason),
    ):
        for (reason, column), finding in sorted(found.items(), key=lambda one: -one[1].count):
            where = f" in {column}" if column else ""
            yield f"    {finding.count} × {title} {reason}{where}: {words(reason).label.lower()}"
            yield f"      lines {', '.join(map(str, finding.lines))}{_more(finding)}"
    if trial.other_way_round:
        order = "month" if trial.is_day_first else "day"
        yield f"    {trial.other_way_round} of the rejected rows hold dates with the {order} first."
    for status, count in trial.statuses.items():
        yield f"    {count} × unlisted status, says nothing: {_short(status, 60)}"
    if trial.is_possibly_cut:
        yield "    The last line has no line end: it may have been cut."
    if trial.first_rows:
        yield f"  the first {len(trial.first_rows)} rows as they would be read"
        yield from _table(trial)


def _table(trial: Trial) -> Iterator[str]:
    """Attributes stand one below the other: there are more of them than rows."""
    lines = "".join(f"{line:<{_WIDTH}}" for line, _ in trial.first_rows)
    yield f"    {'line':<22}{lines}".rstrip()
    records = [
        {
            f"{record['kind']}.{name}": text
            for record in map(_record, statements)
            for name, text in record["values"].items()
        }
        for _, statements in trial.first_rows
    ]
    for name in dict.fromkeys(name for record in records for name in record):
        values = (_short(record.get(name) or "–", _WIDTH - 2) for record in records)
        label = _short(name.partition(".")[2], 20)
        shown = "".join(f"{value:<{_WIDTH}}" for value in values)
        yield f"    {label:<22}{shown}".rstrip()


def _record(statement: Statement) -> dict[str, Any]:
    values: dict[str, str | None] = {"identity": " · ".join(statement.identity)}
    values |= {name: _text(value) for name, value in statement.values.items()}
    values |= statement.extra
    return {"kind": str(statement.kind), "values": values}


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Release):
        return f"{_text(value.at)}{'' if value.confirmed else ' (planned)'}"
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def _feed(trial: Trial) -> str | None:
    return f"{trial.layout.name} · {trial.stored.source}" if trial.layout else None


def _findings(found: dict[tuple[str, str], Finding]) -> list[dict[str, Any]]:
    return [
        {"reason": reason, "column": column or None, "count": one.count, "lines": one.lines}
        for (reason, column), one in found.items()
    ]


def _more(finding: Finding) -> str:
    left = finding.count - len(finding.lines)
    return f" and {left} more" if left else ""


def _short(text: str, width: int) -> str:
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"
