"""manage.py beforedeploy: what has to be so before Zappa as typed brings code."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from ops.aws.handover import STAGES, Handover
from ops.management.manners import MannerlyCommand
from ops.management.progress import Progress
from ops.services.preparing import prepare, require_alone


class Command(MannerlyCommand):
    """`manage.py beforedeploy STAGE [--back]`."""

    help = (
        "Look that nobody else deploys to a stage and that its database is migrated, and add the"
        " static files of the code that lies here. Zappa calls it before deploy and update, with"
        " --back before rollback. Exits with 2 where Zappa must not begin."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the stage."""
        parser.add_argument("stage", choices=STAGES)
        parser.add_argument(
            "--back", action="store_true", help="look only that nobody else deploys there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, and say what was done."""
        if options["back"]:
            require_alone(options["stage"])
            return
        progress = Progress()
        try:
            put = prepare(Handover.read(options["stage"]), say=progress)
        finally:
            progress.end()
        self.stdout.write(f"{put} static files added; the database has all migrations.")
