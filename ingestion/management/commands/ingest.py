"""Ingest files and folders from the command line, in this process, and wait until it is done.

Or, with `--dry-run`, say what would become of them.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ingestion.choices import FileStatus
from ingestion.errors import TimeZoneNotSet
from ingestion.management import trials
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.services.receiving import Receipt, ingest_all
from ingestion.services.trial import Declared, Trial, try_object
from ingestion.storage import LOCAL, StoredObject, files_under, local_object
from ops.management.manners import MannerlyCommand
from ops.services.muting import require_acting


class Command(MannerlyCommand):
    """`manage.py ingest PATH… [--dry-run] [--json]`."""

    help = (
        "Ingest CSV files, or folders of them, by their source time. Exits with 0 if every file was"
        " ingested now or before, 1 if any was refused, 2 for a path that is not there."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._problems: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the paths and the form of the answer."""
        parser.add_argument("paths", nargs="+", metavar="PATH", type=_path, help="file or folder")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        dry = parser.add_argument_group("dry run")
        dry.add_argument(
            "--dry-run",
            action="store_true",
            help="read and judge, write nothing, and say what would become of each file",
        )
        dry.add_argument("--source", default="", help="as if the files came from this source")
        dry.add_argument("--encoding", help="as if the feed declared this encoding")
        dry.add_argument(
            "--day-first", action="store_true", help="as if the feed declared D/M/YYYY"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ingest, report, and exit with what happened."""
        missing = [path for path in options["paths"] if not _is_there(path)]
        if missing:
            raise CommandError(
                f"There is no file or folder {', '.join(printable(str(path)) for path in missing)}."
                " Nothing was ingested.",
                returncode=2,
            )
        objects = [stored for path in options["paths"] for stored in self._objects(path)]
        if options["dry_run"]:
            self._try(objects, options)
            return
        require_acting()
        if options["source"] or options["encoding"] or options["day_first"]:
            raise CommandError(
                "--source, --encoding and --day-first are for --dry-run: else the feed declares"
                " them. Nothing was ingested.",
                returncode=2,
            )
        receipts: list[Receipt] = []
        progress = Progress(len(objects), is_shown=sys.stderr.isatty())
        try:
            ingest_all(objects, on_done=lambda receipt: progress.step(receipts, receipt))
        except TimeZoneNotSet as error:
            progress.clear()
            if receipts:
                self._report(receipts, as_json=options["json"])
            raise CommandError(str(error)) from error
        finally:
            progress.clear()
        self._report(receipts, as_json=options["json"])
        if self._problems or any(one.status == FileStatus.REFUSED for one in receipts):
            sys.exit(1)

    def _try(self, objects: list[StoredObject], options: dict[str, Any]) -> None:
        declared = Declared(options["encoding"], options["day_first"] or None)
        source = options["source"] or LOCAL
        told: list[Trial] = []
        try:
            for stored in sorted(objects, key=lambda one: one.key):
                told.append(try_object(replace(stored, source=source), declared=declared))
                if not options["json"]:
                    self._show(told[-1])
        except TimeZoneNotSet as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"files": [trials.as_dict(one) for one in told]}))
        else:
            self.stdout.write(
                "Nothing was written." if told else "No files to try. Nothing was written."
            )
        if self._problems or any(one.refusal for one in told):
            sys.exit(1)

    def _show(self, trial: Trial) -> None:
        for line in trials.lines_of(trial, name=printable(trial.stored.key)):
            self.stdout.write(line)
        self.stdout.write("")

    def _objects(self, path: Path) -> list[StoredObject]:
        """List what is to be ingested under a path; what cannot be listed is a problem, told."""
        try:
            paths = list(files_under(path, on_error=self._tell)) if path.is_dir() else [path]
        except OSError as error:
            self._tell(error)
            return []
        objects = []
        for one in paths:
            try:
                objects.append(local_object(one))
            except OSError as error:
                self._tell(error)
        return objects

    def _tell(self, error: OSError) -> None:
        self._problems.append(f"{printable(str(error.filename))}: {error.strerror}")
        self.stderr.write(self.style.ERROR(self._problems[-1]))

    def _report(self, receipts: list[Receipt], *, as_json: bool) -> None:
        files = [as_dict(receipt) for receipt in receipts]
        if as_json:
            self.stdout.write(json.dumps({"files": files}))
            return
        for one in files:
            self.stdout.write(_line(one))
        counts = {status: sum(one["status"] == status for one in files) for status in _STATUSES}
        self.stdout.write(
            ", ".join(f"{count} {status}" for status, count in counts.items() if count)
            or "No files to ingest."
        )


_STATUSES = ("ingested", "already ingested", "refused")


def printable(name: str) -> str:
    """Write a file's name on one line: a name may hold what would move a terminal's cursor."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in name)


def _path(text: str) -> Path:
    """Read a path. Raises ArgumentTypeError for an empty one, which Path takes for this folder."""
    if not text:
        raise ArgumentTypeError("an empty path names nothing")
    return Path(text)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # There, but not to be asked: told as a problem when it is opened.


def as_dict(receipt: Receipt) -> dict[str, Any]:
    """Describe what became of one object, in the shape that scripts rely on."""
    file = receipt.file
    return {
        "key": file.key,
        "feed": file.feed.layout if file.feed else None,
        "status": receipt.status,
        "reason": file.reason or None,
        **file.ledger,
    }


def _line(one: dict[str, Any]) -> str:
    if one["status"] == "refused":
        return f"{printable(one['key'])}: refused. {one['reason']}"
    ledger = ", ".join(f"{one[name]} {name}" for name in LEDGER_COLUMNS if one[name])
    return (
        f"{printable(one['key'])}: {one['status']} as {one['feed']},"
        f" {one['rows']} rows ({ledger or 'none'})"
    )


class Progress:
    """A bar on a terminal, and nothing anywhere else."""

    def __init__(self, total: int, *, is_shown: bool) -> None:
        self._total = total
        self._is_shown = is_shown
        self._started = time.monotonic()
        self._drawn_at = 0.0

    def step(self, receipts: list[Receipt], receipt: Receipt) -> None:
        """Note one more done."""
        receipts.append(receipt)
        now = time.monotonic()
        if self._is_shown and (now - self._drawn_at > 0.1 or len(receipts) == self._total):
            self._drawn_at = now
            self._draw(len(receipts), now - self._started)

    def _draw(self, done: int, seconds: float) -> None:
        filled = 30 * done // max(self._total, 1)
        left = seconds / done * (self._total - done)
        drawn = "█" * filled + "░" * (30 - filled)
        sys.stderr.write(f"\r{drawn} {done} of {self._total} files, {left:.0f} s left \033[K")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the bar away."""
        if self._is_shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
