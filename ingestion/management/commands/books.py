"""Close the books: count everything on record and hold it against every ledger."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.management.instants import add_known_at
from ingestion.services.books import books
from ops.management.manners import MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py books [--known-at ISO] [--json] [--strict]`."""

    help = "Count what is on record, waiting and rejected, and recompute whether it all balances."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the moment and the form of the answer."""
        add_known_at(parser)
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        parser.add_argument(
            "--strict", action="store_true", help="exit with 1 unless everything balances"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the books."""
        closed = books(known_at=options["known_at"])
        if options["json"]:
            self.stdout.write(json.dumps(closed))
        else:
            self._print(closed)
        if options["strict"] and not closed["balanced"]:
            raise CommandError("The books do not balance: stop ingesting, and keep the data.")

    def _print(self, closed: dict[str, Any]) -> None:
        for name, value in closed.items():
            label = name.replace("_", " ")
            if isinstance(value, dict):
                parts = ", ".join(f"{n} {key.replace('_', ' ')}" for key, n in value.items())
                self.stdout.write(f"{label:>20}  {parts or 'none'}")
            elif isinstance(value, bool):
                shown = self.style.SUCCESS("yes") if value else self.style.ERROR("NO")
                self.stdout.write(f"{label:>20}  {shown}")
            else:
                self.stdout.write(f"{label:>20}  {value}")
