"""Take a snapshot of the instance of RDS, or list those that were taken."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import INTERRUPTED, MannerlyCommand
from ops.management.progress import Progress
from ops.services.rds import Snapshot, kept_snapshots, take_snapshot


class Command(MannerlyCommand):
    """`manage.py snapshot`, `manage.py snapshot --list`."""

    help = (
        "Take a snapshot of the instance of RDS that HOSPITAL_RDS_INSTANCE names, and wait until it"
        " can be used. It is kept by AWS, beside the instance, as long as a daily backup. Exits"
        " with 3 if it could not be taken."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the list, and for the record who and why."""
        parser.add_argument("--list", action="store_true", help="list those that Vigil took")
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take it, showing how far it is; or list."""
        if options["list"]:
            self._list()
            return
        progress = Progress()
        try:
            taken = take_snapshot(
                by=options["by"] or getpass.getuser(), why=options["why"], say=progress
            )
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped waiting; AWS may go on with the snapshot. manage.py snapshot --list shows"
                " how far it is.",
                returncode=INTERRUPTED,
            ) from None
        finally:
            progress.end()
        self.stdout.write(f"{taken.name}: {taken.gibibytes} GiB of disk, {taken.status}.")

    def _list(self) -> None:
        found = kept_snapshots()
        if not found:
            self.stdout.write("Vigil took no snapshot yet: manage.py snapshot takes one.")
        for one in found:
            self.stdout.write(_line(one))


def _line(one: Snapshot) -> str:
    at = f"{one.at:%Y-%m-%d %H:%M} UTC" if one.at else "not yet timed"
    far = "" if one.is_available else f", {one.percent} percent"
    return f"{one.name:<54}{at:<22}{one.gibibytes:>6} GiB  {one.status}{far}"
