"""Ingest files and folders from the command line, in this process, and wait until it is done."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ingestion.choices import FileStatus
from ingestion.errors import TimeZoneNotSet
from ingestion.management.manners import MannerlyCommand
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.services.receiving import Receipt, ingest_all
from ingestion.storage import StoredObject, files_under, local_object


class Command(MannerlyCommand):
    """`manage.py ingest PATH… [--json]`."""

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
