"""Take rejected rows and refused files off the work list, with a reason; or list that work."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from ingestion import queries
from ingestion.errors import NotCarriedOut
from ingestion.management.commands.ingest import printable
from ingestion.models import FeedFile, RejectedRow
from ingestion.services.quarantine import dismiss_file, dismiss_row
from ops.management.manners import MannerlyCommand

# As many of each are listed; the admin has the rest.
_LISTED = 50


class Command(MannerlyCommand):
    """`manage.py dismiss [--row N…] [--file N…] --why "…"`, or alone: what there is."""

    help = (
        "Say of rejected rows and refused files that they are no work. They stay on record, with"
        " who decided it and why. All of them, or none. Exits with 2 if one cannot be dismissed."
        " Without any it lists what is work, the newest first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what, who and why."""
        parser.add_argument(
            "--row", nargs="+", type=int, default=[], metavar="N", help="numbers of rejected rows"
        )
        parser.add_argument(
            "--file", nargs="+", type=int, default=[], metavar="N", help="numbers of refused files"
        )
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Dismiss all of them, or none."""
        by, why = options["by"] or getpass.getuser(), options["why"]
        if not options["row"] and not options["file"]:
            if why:
                raise CommandError("Say what is dismissed: --row or --file.", returncode=2)
            self._list()
            return
        try:
            with transaction.atomic():
                for number in options["row"]:
                    dismiss_row(_found(RejectedRow, number, "rejected row"), by=by, why=why)
                for number in options["file"]:
                    dismiss_file(_found(FeedFile, number, "file"), by=by, why=why)
        except NotCarriedOut as error:
            raise CommandError(f"{error} Nothing was dismissed.", returncode=2) from error
        self.stdout.write(f"{len(options['row'])} rows and {len(options['file'])} files dismissed")

    def _list(self) -> None:
        """Name the work by number, feed, file and reason; never by what stands in a row."""
        files, rows = queries.refused_files(), queries.open_rejected_rows()
        for file in files[:_LISTED]:
            self.stdout.write(f"file {file.pk}  {printable(file.key)}  {file.reason}")
        for row in rows[:_LISTED]:
            where = f"file {row.feed_file_id}, {printable(row.feed_file.key)}, line {row.line}"
            column = f" in {row.column}" if row.column else ""
            self.stdout.write(f"row {row.pk}  {where}  {row.get_reason_display()}{column}")
        self.stdout.write(f"{files.count()} refused files and {rows.count()} rejected rows")


def _found(model: Any, number: int, name: str) -> Any:
    found = model.objects.filter(pk=number).first()
    if found is None:
        raise NotCarriedOut(f"There is no {name} {number}.")
    return found
