"""Make a backup: a dump of the database, encrypted and kept with its manifest."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from ops.choices import BackupKind
from ops.management.manners import MannerlyCommand
from ops.management.progress import Progress
from ops.services.backup_kinds import back_up_kind


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
            choices=BackupKind.values,
            help="a dump, named by how long it is kept (point: made by hand, as long as a daily"
            " one); configuration; or base, the cluster from which the log leads to any moment",
        )  # fmt: skip
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, showing each step."""
        progress = Progress()
        try:
            backup = back_up_kind(
                BackupKind(options["kind"]),
                by=options["by"] or getpass.getuser(),
                why=options["why"],
                say=progress,
            )
        finally:
            progress.end()
        seconds = backup.manifest["seconds"]
        self.stdout.write(f"{backup.name}: {backup.size or 0:,} bytes encrypted, in {seconds} s.")
        if tables := backup.manifest.get("tables"):
            rows = sum(table["rows"] for table in tables.values())
            self.stdout.write(
                f"{len(tables)} tables, {rows:,} rows. It is proven only when it was restored:"
                f" manage.py drill {backup.name}"
            )
