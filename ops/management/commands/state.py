"""Ask every component how it stands, here and now, also where neither web server nor clock runs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ops.choices import Health
from ops.registry import probes
from ops.services.sampling import ask_all


class Command(BaseCommand):
    """`manage.py state [--json]`. Exits with 1 if something is down; writes nothing."""

    help = "Ask every component how it stands; exit with 1 if one is down."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the form of the answer."""
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found."""
        found = ask_all()
        if options["json"]:
            told = {
                name: {"health": one.health, "words": one.words, "figures": one.figures}
                for name, one in found.items()
            }
            self.stdout.write(json.dumps(told))
        else:
            for probe in probes():
                one = found[probe.name]
                self.stdout.write(f"{probe.title:>22}  {one.health.label:<9} {one.words}")
        down = [name for name, one in found.items() if one.health == Health.DOWN]
        if down:
            raise CommandError(f"Down: {', '.join(down)}.")
