"""Tell what is kept and for how long, and remove what is over."""

from __future__ import annotations

import getpass
import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ops.choices import RetentionStatus
from ops.management.manners import NOT_CARRIED_OUT, WRONG_ARGUMENTS, MannerlyCommand
from ops.management.progress import Progress
from ops.registry import RetentionKind, retention_kinds
from ops.services.retention import Line, apply, report

_HEAD = ("kind", "kept for", "on record", "oldest", "over", "held")


class Command(MannerlyCommand):
    """`manage.py retention [--kind K]… [--dry-run | --apply --why "…"] [--json]`."""

    help = (
        "Tell of each kind of data how long it is kept, how much is over, what a legal hold keeps"
        " back and what would go. Removes nothing without --apply. Exits with 3 if a kind failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which kinds, and whether they are removed."""
        parser.add_argument("--kind", action="append", default=[], help="one kind; may be repeated")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--dry-run", action="store_true", help="remove nothing: the default")
        how.add_argument("--apply", action="store_true", help="remove what is over and not held")
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Report, or remove and report."""
        kinds = _named(options["kind"])
        if not options["apply"]:
            self._show(report(kinds, now=timezone.now()), options, is_done=False)
            return
        if not options["why"].strip():
            raise CommandError("Say why, for the record: --why.", returncode=WRONG_ARGUMENTS)
        progress = Progress()
        try:
            run = apply(
                kinds,
                by=options["by"] or getpass.getuser(),
                why=options["why"],
                now=timezone.now(),
                say=progress,
            )
        finally:
            progress.end()
        self._show([Line(**line) for line in run.report], options, is_done=True)
        if run.status == RetentionStatus.FAILED:
            raise CommandError(
                f"Run {run.pk} could not remove or tell all: see the lines above. What it has"
                " removed is on record; the rest is left as it was.",
                returncode=NOT_CARRIED_OUT,
            )

    def _show(self, lines: list[Line], options: dict[str, Any], *, is_done: bool) -> None:
        if options["json"]:
            self.stdout.write(json.dumps([asdict(line) for line in lines], indent=1))
            return
        head = (*_HEAD, "removed" if is_done else "would go", "")
        rows = [head, *(_cells(line, is_done=is_done) for line in lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        for row in rows:
            cells = [
                cell.ljust(width) if column in (0, 1, 3, 7) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.stdout.write("  ".join(cells).rstrip())
        gone = sum(line.gone for line in lines)
        self.stdout.write(
            f"{gone:,} rows were removed."
            if is_done
            else "Nothing was removed: --apply --why does that."
        )


def _named(names: list[str]) -> list[RetentionKind] | None:
    if not names:
        return None
    kinds = {kind.name: kind for kind in retention_kinds()}
    if unknown := [name for name in names if name not in kinds]:
        raise CommandError(
            f"No kind of data is named {', '.join(unknown)}. There are: {', '.join(kinds)}.",
            returncode=WRONG_ARGUMENTS,
        )
    return [kinds[name] for name in dict.fromkeys(names)]


def _cells(line: Line, *, is_done: bool) -> tuple[str, ...]:
    oldest = parse_datetime(line.oldest) if line.oldest else None
    return (
        line.kind,
        _period(line),
        f"{'about ' if line.is_about else ''}{line.count:,}" if line.count is not None else "?",
        f"{timezone.localtime(oldest):%Y-%m-%d}" if oldest else "–",
        "–" if line.over is None else f"{line.over:,}",
        f"{line.held:,}",
        f"{line.gone if is_done else line.would_go:,}",
        line.failure or _holds(line),
    )


def _period(line: Line) -> str:
    if line.removed_by:
        return "its own rule"
    return "ever" if line.days is None else f"{line.days:,} days"


def _holds(line: Line) -> str:
    return ", ".join(f"hold {one['hold']}: {one['count']:,}" for one in line.holds)
