"""manage.py wayback: whether there is a recent backup, and a recent proof that it restores."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.queries.recovery import way_back


class Command(MannerlyCommand):
    """`manage.py wayback [--hours N]`."""

    help = (
        "Say whether a backup was made and a restore of one proven within so many hours. Exits"
        " with 1 if either is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare how old they may be."""
        parser.add_argument("--hours", type=float, default=30, help="default: 30, a night and some")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, and say."""
        if options["hours"] <= 0:
            raise CommandError("--hours is a number above 0.", returncode=WRONG_ARGUMENTS)
        found = way_back(now=timezone.now(), within=timedelta(hours=options["hours"]))
        self.stdout.write(f"Newest backup: {found.backup or 'none'}.")
        status = f", {found.drill.status}" if found.drill else ""
        self.stdout.write(f"Newest drill: {found.drill or 'none'}{status}.")
        if found.missing:
            raise CommandError(
                f"Missing: {', '.join(found.missing)}. `manage.py backup` makes a backup,"
                " `manage.py drill` proves one."
            )
