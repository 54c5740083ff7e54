"""Make a backup: a dump of the database, encrypted and kept with its manifest."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from ops.choices import DUMPS, BackupKind
from ops.management.manners import MannerlyCommand
from ops.management.progress import Progress
from ops.services.backing_up import back_up


class Command(MannerlyCommand):
    """`manage.py backup [daily|weekly|monthly|point]`."""

    help = (
        "Dump the database in one snapshot, encrypt it, and keep it with a manifest of counts and"
        " checksums. Exits with 3 if it could not be made; then nothing of it is kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the kind, and for the record who and why."""
        parser.add_argument(
            "kind", nargs="?", default=BackupKind.POINT.value,
            choices=[kind.value for kind in DUMPS],
            help="how long it is to be kept; point: made by hand, kept as long as a daily one",
        )  # fmt: skip
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, showing each step."""
        progress = Progress()
        try:
            backup = back_up(
                BackupKind(options["kind"]),
                by=options["by"] or getpass.getuser(),
                why=options["why"],
                say=progress,
            )
        finally:
            progress.end()
        tables = backup.manifest["tables"]
        rows = sum(table["rows"] for table in tables.values())
        seconds = backup.manifest["seconds"]
        self.stdout.write(
            f"{backup.name}: {len(tables)} tables, {rows:,} rows, {backup.size or 0:,} bytes"
            f" encrypted, in {seconds} s.\nIt is proven only when it was restored:"
            f" manage.py drill {backup.name}"
        )
