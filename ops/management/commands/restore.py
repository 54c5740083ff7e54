"""Restore a backup into a database, proven by counts and checksums."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from ops.management.manners import MannerlyCommand
from ops.management.progress import Progress
from ops.services.restoring import kept_archive, restore


class Command(MannerlyCommand):
    """`manage.py restore BACKUP --to DATABASE --why "…"`."""

    help = (
        "Restore a backup into a database of this server, prove it by counts and checksums, and let"
        " the record catch up with what came later. The database starts muted: manage.py unmute."
        " Exits with 3 if it could not be done; then nothing half-restored is left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare from what, into what, and for the record who and why."""
        parser.add_argument("backup", help="its name, as manage.py backups lists it")
        parser.add_argument("--to", required=True, metavar="DATABASE", help="where to restore it")
        parser.add_argument(
            "--overwrite", action="store_true",
            help="take the place of a database that holds something; it is kept aside",
        )  # fmt: skip
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, showing each step, and print what was measured, proven and lost."""
        progress = Progress()
        try:
            with kept_archive(options["backup"]) as archive:
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
        )
        for name, said in report["caught_up"].items():
            self.stdout.write(f"{name}: {said}")
        if report["kept_aside"]:
            self.stdout.write(f"What was there before is kept as {report['kept_aside']}.")
        self.stdout.write(
            f"{restored.database} is restored and muted: it takes nothing in until"
            " manage.py unmute."
        )
