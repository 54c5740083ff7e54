"""Take rejected rows and refused files off the work list, with a reason."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from ingestion.errors import NotCarriedOut
from ingestion.models import FeedFile, RejectedRow
from ingestion.services.quarantine import dismiss_file, dismiss_row
from ops.management.manners import MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py dismiss [--row N…] [--file N…] --why "…"`."""

    help = (
        "Say of rejected rows and refused files that they are no work. They stay on record, with"
        " who decided it and why. All of them, or none. Exits with 2 if one cannot be dismissed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what, who and why."""
        parser.add_argument(
            "--row", nargs="+", type=int, default=[], metavar="N", help="numbers of rejected rows"
        )
        parser.add_argument(
            "--file", nargs="+", type=int, default=[], metavar="N", help="numbers of refused files"
        )
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Dismiss all of them, or none."""
        by, why = options["by"] or getpass.getuser(), options["why"]
        if not options["row"] and not options["file"]:
            raise CommandError("Say what is dismissed: --row or --file.", returncode=2)
        try:
            with transaction.atomic():
                for number in options["row"]:
                    dismiss_row(_found(RejectedRow, number, "rejected row"), by=by, why=why)
                for number in options["file"]:
                    dismiss_file(_found(FeedFile, number, "file"), by=by, why=why)
        except NotCarriedOut as error:
            raise CommandError(f"{error} Nothing was dismissed.", returncode=2) from error
        self.stdout.write(f"{len(options['row'])} rows and {len(options['file'])} files dismissed")


def _found(model: Any, number: int, name: str) -> Any:
    found = model.objects.filter(pk=number).first()
    if found is None:
        raise NotCarriedOut(f"There is no {name} {number}.")
    return found
