"""manage.py probe: ask one component of the place how it stands."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ops.evidence import NOT_RUN
from ops.management.manners import MannerlyCommand
from ops.registry import Health, probes


class Command(MannerlyCommand):
    """`manage.py probe NAME…`."""

    help = (
        "Ask components of the place how they stand. Exits with 0 only if all are well, with"
        f" {NOT_RUN} where one is not known here."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which."""
        parser.add_argument("names", nargs="+", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask each and print what it found."""
        known = {probe.name: probe for probe in probes()}
        if missing := [name for name in options["names"] if name not in known]:
            raise CommandError(
                f"Not run: nothing here answers to {', '.join(missing)}. Known:"
                f" {', '.join(known) or 'none'}.",
                returncode=NOT_RUN,
            )
        unwell = []
        for name in options["names"]:
            found = known[name].ask()
            self.stdout.write(f"{found.health.value:<8} {name}: {found.words}")
            if found.health != Health.WELL:
                unwell.append(name)
        if unwell:
            raise CommandError(f"Not well: {', '.join(unwell)}.")
