"""List identity conflicts, and put on record what an operator decided about one."""

from __future__ import annotations

import getpass
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.choices import ConflictKind
from ingestion.errors import NotCarriedOut
from ingestion.services.conflicts import (
    NOBODY,
    Standing,
    conflict_of,
    conflicts_at_hand,
    decide_conflict,
)
from ops.management.manners import MannerlyCommand

_LISTED = 500


class Command(MannerlyCommand):
    """`manage.py resolveconflict [KIND IDENTIFIER (--belongs-to P | --nobody) --why "…"]`."""

    help = (
        "Without arguments: list the conflicts, and what was decided about them. With an"
        " identifier: decide to whom results belong that name only a test number, or that both"
        " sides are real. Exits with 2 if there is no such conflict."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the conflict, the decision, and why."""
        parser.add_argument("kind", nargs="?", choices=ConflictKind.values)
        parser.add_argument("identifier", nargs="?", help="the test number or case number")
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument(
            "--belongs-to", metavar="PATIENT", help="results belong to this patient's test"
        )
        choice.add_argument("--nobody", action="store_true", help="all sides are real")
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who decides; else the system's user")
        parser.add_argument("--json", action="store_true", help="list in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """List, or decide."""
        if options["kind"] is None:
            self._list(as_json=options["json"])
            return
        if options["identifier"] is None or not (options["belongs_to"] or options["nobody"]):
            raise CommandError("Say which, and --belongs-to PATIENT or --nobody.", returncode=2)
        kind = ConflictKind(options["kind"])
        sides = conflict_of(kind, options["identifier"])
        if not sides:
            raise CommandError("There is no such conflict. Nothing was decided.", returncode=2)
        try:
            decide_conflict(
                kind,
                options["identifier"],
                sides=sides,
                belongs_to=options["belongs_to"] or NOBODY,
                by=options["by"] or getpass.getuser(),
                why=options["why"],
            )
        except NotCarriedOut as error:
            raise CommandError(f"{error} Nothing was decided.", returncode=2) from error
        self.stdout.write(f"Decided between {', '.join(sides)}.")

    def _list(self, *, as_json: bool) -> None:
        conflicts = [_as_dict(one) for one in conflicts_at_hand(limit=_LISTED)]
        if as_json:
            self.stdout.write(json.dumps({"conflicts": conflicts}))
            return
        for one in conflicts:
            decided = one["decision"]
            state = f"decided by {decided['by']}" if decided else "open"
            self.stdout.write(
                f"{one['kind']} {one['identifier']}: {', '.join(one['sides'])}; {state}"
            )
        self.stdout.write(f"{sum(one['decision'] is None for one in conflicts)} open")


def _as_dict(standing: Standing) -> dict[str, Any]:
    decision = standing.decision
    return {
        "kind": str(standing.kind),
        "identifier": standing.conflict.identifier,
        "sides": standing.sides,
        "waiting_results": standing.conflict.waiting_results,
        "decision": decision
        and {
            "belongs_to": decision.belongs_to or None,
            "by": decision.decided_by,
            "why": decision.why,
            "at": decision.decided_at.isoformat(),
        },
    }
