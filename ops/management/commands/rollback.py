"""manage.py rollback: bring a stage on AWS back to an earlier release, database included."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from ops.aws.handover import STAGES
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.management.stepwise import stepwise
from ops.services.rolling_back import Asked, rehearse, roll_back


class Command(MannerlyCommand):
    """`manage.py rollback STAGE [--to VERSION] --why WHY [--dry-run]`."""

    help = (
        "Bring a stage back to the release before, or to one that is named: functions, board and"
        " migrations together, then look whether it works. Loses nothing in silence. Exits with 2"
        " if nothing was begun, with 3 if it is not wholly back."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the stage, where to, and what is said for the record."""
        parser.add_argument("stage", help=f"one of {', '.join(STAGES)}")
        parser.add_argument(
            "--to", default="", metavar="VERSION",
            help="a release on record, by its name, version or commit; else the one before",
        )  # fmt: skip
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument(
            "--dry-run", action="store_true", help="show each step, and change nothing"
        )
        parser.add_argument(
            "--restore", action="store_true",
            help="restore the backup point into a database of its own, beside the present one",
        )  # fmt: skip
        parser.add_argument(
            "--watch", type=float, default=5.0, metavar="MINUTES",
            help="how long the error rate is watched; default: 5",
        )  # fmt: skip
        parser.add_argument("--most", type=float, default=1.0, metavar="PERCENT")

    def handle(self, *args: Any, **options: Any) -> None:
        """Roll back, and print each step."""
        if options["watch"] < 0 or not 0 <= options["most"] < 100:
            raise CommandError(
                "Give --watch minutes from 0, and --most a percentage from 0 to below 100.",
                returncode=WRONG_ARGUMENTS,
            )
        asked = Asked(
            stage=options["stage"],
            by=options["by"] or getpass.getuser(),
            why=options["why"],
            to=options["to"],
            restores=options["restore"],
            watch=timedelta(minutes=options["watch"]),
            most=options["most"],
        )
        with stepwise(self.stdout) as (say, tell):
            if options["dry_run"]:
                rehearse(asked, say=say, tell=tell)
                self.stdout.write("Nothing was changed.")
                return
            done = roll_back(asked, say=say, tell=tell)
        self.stdout.write(f"Deployment {done.pk}: {done}, {done.get_status_display().lower()}.")
