"""Prove a backup: restore it beside the record, hold it against its figures, drop it again."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ops.catalogue import kept_names
from ops.choices import DUMPS
from ops.management.manners import MannerlyCommand
from ops.management.progress import Progress
from ops.services.drilling import drill
from ops.services.log_shipping import OF_THE_LOG, recovered_archive
from ops.services.restoring import kept_archive


class Command(MannerlyCommand):
    """`manage.py drill [BACKUP] [--log]`."""

    help = (
        "Restore a backup (the newest dump, unless one is named) into a scratch database, prove it"
        " by counts and checksums, measure it, and drop it. Exits with 3 if it is not proven."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which backup."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument("backup", nargs="?", help="its name, as manage.py backups lists it")
        which.add_argument(
            "--log", action="store_true", help="the log of changes, as late as it leads"
        )
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Drill, showing each step."""
        name = options["backup"] or next(iter(kept_names(*DUMPS)), "")
        if not name and not options["log"]:
            raise CommandError("No dump is kept yet: manage.py backup makes one.", returncode=3)
        progress = Progress()
        which = recovered_archive(None, say=progress) if options["log"] else kept_archive(name)
        try:
            source = OF_THE_LOG if options["log"] else name
            done = drill(which, source, by=options["by"] or getpass.getuser(), say=progress)
        finally:
            progress.end()
        self.stdout.write(
            f"Proven: {done.source}, {done.report['tables']} tables, {done.report['rows']:,} rows,"
            f" in {done.seconds['in all']} s. It stands as of {done.report['reaches']}."
        )
