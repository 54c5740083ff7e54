"""manage.py smoke: ask the place from outside whether it works."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from ops.choices import StepOutcome
from ops.evidence import NOT_RUN
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.smoke import CHECKS, smoke


class Command(MannerlyCommand):
    """`manage.py smoke [NAME…] [--address URL] [--json]`."""

    requires_system_checks: list[str] = []

    @property
    def help(self) -> str:  # type: ignore[override]
        """Name the checks that there are by now: higher rooms add theirs."""
        return (
            "Ask the place from outside: " + ", ".join(CHECKS) + ". Exits with 1 if a check fails,"
            f" with {NOT_RUN} where no address is set or a check could not judge."
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which checks, and where."""
        parser.add_argument("names", nargs="*", metavar="NAME", help="all, if none is named")
        parser.add_argument("--address", help="default: HOSPITAL_ADDRESS")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the checks and print how each went."""
        if unknown := sorted(set(options["names"]) - set(CHECKS)):
            raise CommandError(
                f"There is no check {', '.join(unknown)}: there are {', '.join(CHECKS)}.",
                returncode=WRONG_ARGUMENTS,
            )
        done = smoke(_address(options["address"]), options["names"])
        if options["json"]:
            self.stdout.write(json.dumps([each.as_facts() for each in done]))
        else:
            for each in done:
                self.stdout.write(
                    f"{each.outcome.label:<7} {each.name:<12} {each.seconds:6.3f} s  {each.words}"
                )
        if failed := [each.name for each in done if each.outcome is StepOutcome.FAILED]:
            raise CommandError(f"Failed: {', '.join(failed)}.")
        if not_run := [each.name for each in done if each.outcome is StepOutcome.NOT_RUN]:
            raise CommandError(f"Not run: {', '.join(not_run)}.", returncode=NOT_RUN)


def _address(given: str | None) -> str:
    address = (given or settings.ADDRESS).rstrip("/")
    if not address:
        raise CommandError(
            "Not run: it is not known where this place answers. Set HOSPITAL_ADDRESS, or give"
            " --address.",
            returncode=NOT_RUN,
        )
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(
            f"{address!r} is no address: give scheme and host, such as https://vigil.example.",
            returncode=WRONG_ARGUMENTS,
        )
    return address
