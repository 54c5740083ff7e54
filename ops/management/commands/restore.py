"""Restore a backup into a database, proven by counts and checksums."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import NOT_CARRIED_OUT, WRONG_ARGUMENTS, MannerlyCommand
from ops.management.progress import Progress
from ops.services.log_shipping import recovered_archive
from ops.services.restoring import Archive, kept_archive, restore

LATEST = "latest"


def _moment(text: str) -> datetime | str:
    if text == LATEST:
        return LATEST
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is no time with an offset: 2026-11-28T03:10+01:00")
    return at


def _archive(options: dict[str, Any], say: Progress) -> AbstractContextManager[Archive]:
    if options["backup"]:
        return kept_archive(options["backup"])
    until = None if options["at"] == LATEST else options["at"]
    return recovered_archive(until, say=say)


class Command(MannerlyCommand):
    """`manage.py restore BACKUP --to DATABASE --why "…"`, or `--at` in place of a backup."""

    help = (
        "Restore a backup, or the log of changes as of a moment (--at), into a database of this"
        " server, prove it by counts and checksums, and let"
        " the record catch up with what came later. The database starts muted: manage.py unmute."
        " Exits with 3 if it could not be done; then nothing half-restored is left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare from what, into what, and for the record who and why."""
        parser.add_argument("backup", nargs="?", help="its name, as manage.py backups lists it")
        parser.add_argument(
            "--at", type=_moment, metavar="MOMENT",
            help="latest, or a time with its offset (2026-11-28T03:10+01:00), instead of a backup",
        )  # fmt: skip
        parser.add_argument("--to", required=True, metavar="DATABASE", help="where to restore it")
        parser.add_argument(
            "--overwrite", action="store_true",
            help="take the place of a database that holds something; it is kept aside",
        )  # fmt: skip
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, showing each step, and print what was measured, proven and lost."""
        if (options["backup"] is None) == (options["at"] is None):
            raise CommandError("Name a backup, or a moment with --at.", returncode=WRONG_ARGUMENTS)
        progress = Progress()
        try:
            with _archive(options, progress) as archive:
                restored = restore(
                    archive,
                    to=options["to"],
                    is_overwriting=options["overwrite"],
                    by=options["by"] or getpass.getuser(),
                    why=options["why"],
                    say=progress,
                )
        finally:
            progress.end()
        for step, seconds in restored.seconds.items():
            self.stdout.write(f"{step:<12}{seconds:>8.1f} s")
        report = restored.report
        self.stdout.write(
            f"Proven: {report['tables']} tables, {report['rows']:,} rows, each as it was backed up."
            f"\nIt stood as of {report['stands_as_of']} before it caught up:"
        )
        for name, said in report["caught_up"].items():
            self.stdout.write(f"{name}: {said}")
        if report["kept_aside"]:
            self.stdout.write(f"What was there before is kept as {report['kept_aside']}.")
        self.stdout.write(
            f"{restored.database} is restored and muted: it takes nothing in until"
            " manage.py unmute."
        )
        if failed := report["not_caught_up"]:
            told = "; ".join(f"{name}: {why}" for name, why in failed.items())
            raise CommandError(
                f"It has not caught up with what came later. {told}. Mend that, then run"
                " manage.py catchup before you unmute it.",
                returncode=NOT_CARRIED_OUT,
            )
