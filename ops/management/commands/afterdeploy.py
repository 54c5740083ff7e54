"""manage.py afterdeploy: do what Zappa leaves undone, and assert what runs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from ops.aws.handover import STAGES, Handover
from ops.management.manners import MannerlyCommand
from ops.services.deployments import observe_unless_deploying
from ops.services.settling import Assertion, require_settled, settle
from ops.services.stages import tell_stages


class Command(MannerlyCommand):
    """`manage.py afterdeploy STAGE`."""

    help = (
        "Tie the three functions of a stage to their queues and their clock, and assert what runs."
        " Zappa calls it after deploy, update and rollback. Exits with 3 where something does not"
        " hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the stage."""
        parser.add_argument("stage", choices=STAGES)

    def handle(self, *args: Any, **options: Any) -> None:
        """Say each assertion as it is known."""
        found = settle(Handover.read(options["stage"]), tell=self._tell)
        require_settled(found)
        self.stdout.write(f"All {len(found)} assertions hold.")
        if observed := observe_unless_deploying(by="zappa"):
            self.stdout.write(f"On record as observed: deployment {observed.pk}, {observed}.")
            tell_stages()

    def _tell(self, assertion: Assertion) -> None:
        mark = "holds" if assertion.holds else "FAILS"
        self.stdout.write(f"{mark}  {assertion.name}: {assertion.words}")
