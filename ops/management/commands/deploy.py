"""manage.py deploy: bring what lies here to a stage on AWS, and back by itself if that fails."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from ops.aws.handover import STAGES
from ops.aws.zappa import Zappa
from ops.choices import DeploymentStatus
from ops.management.manners import NOT_CARRIED_OUT, MannerlyCommand
from ops.management.stepwise import stepwise
from ops.services.deploying import deploy, rehearse
from ops.services.ways import Asked

ZAPPA = Path(".cache") / "tools" / "package" / "bin" / "zappa"


class Command(MannerlyCommand):
    """`manage.py deploy STAGE [--dry-run]`."""

    help = (
        "Bring the code that lies here to a stage on AWS: checklists, backup, migrations,"
        " functions, board, smoke tests, each step on record. Goes back by itself if a step fails."
        " Exits with 2 if nothing was begun, with 3 if it failed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the stage, and what is said for the record."""
        parser.add_argument("stage", help=f"one of {', '.join(STAGES)}")
        parser.add_argument(
            "--dry-run", action="store_true", help="show each step, and change nothing"
        )
        parser.add_argument("--by", default="", help="who deploys; else the system's user")
        parser.add_argument(
            "--despite-lint", default="", metavar="WHY",
            help="let migrations pass beside which the version before cannot go on; on the trail",
        )  # fmt: skip
        parser.add_argument(
            "--take-over", default="", metavar="WHY",
            help="get past a deployment that is on record as running, and whose process is gone",
        )  # fmt: skip
        parser.add_argument(
            "--no-checks", action="store_true",
            help="open the checklists and run none of their commands; production runs them always",
        )  # fmt: skip
        parser.add_argument(
            "--zappa", type=Path, default=settings.BASE_DIR / ZAPPA, help=f"default: {ZAPPA}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Deploy, and print each step."""
        asked = Asked(
            stage=options["stage"],
            by=options["by"] or getpass.getuser(),
            zappa=Zappa(options["zappa"].absolute(), settings.BASE_DIR),
            work=settings.BASE_DIR / ".cache" / "deploy",
            despite_lint=options["despite_lint"],
            take_over=options["take_over"],
            runs_checks=not options["no_checks"],
        )
        with stepwise(self.stdout) as (say, tell):
            if options["dry_run"]:
                rehearse(asked, say=say, tell=tell)
                self.stdout.write("Nothing was changed.")
                return
            done = deploy(asked, say=say, tell=tell)
        if done.status != DeploymentStatus.SUCCEEDED:
            raise CommandError(
                f"Deployment {done.pk} runs, and waits for what is not green: manage.py checklist"
                f" after --deployment {done.pk}, and the one during. Then: manage.py"
                f" recorddeployment finish {done.pk} --outcome succeeded --words “…”.",
                returncode=NOT_CARRIED_OUT,
            )
        self.stdout.write(f"Deployment {done.pk}: {done}, {done.get_status_display().lower()}.")
