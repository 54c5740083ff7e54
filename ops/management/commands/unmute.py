"""Let a muted place act again."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from ops.management.manners import MannerlyCommand
from ops.services.muting import unmute


class Command(MannerlyCommand):
    """`manage.py unmute --why "…"`."""

    help = (
        "Let a restored place take files in and tell people again. Be sure that no other copy of"
        " this hospital acts at the same time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare who and why."""
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """End the muting."""
        was_muted = unmute(by=options["by"] or getpass.getuser(), why=options["why"])
        self.stdout.write("It acts again." if was_muted else "It was not muted.")
