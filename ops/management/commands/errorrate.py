"""manage.py errorrate: how many of the latest answers, or calls of functions, were failures."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from ops.aws.handover import Handover
from ops.aws.watching import failures_since
from ops.aws.whereabouts import stage_here
from ops.evidence import NOT_RUN
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.queries.answers import FEWEST, Answers, answers_since


class Command(MannerlyCommand):
    """`manage.py errorrate [--minutes N] [--most PERCENT] [--log FILE]`."""

    help = (
        "Count in the web server's log how many of the latest answers failed (5xx); on AWS, with"
        " CloudWatch, how many calls of each function, and answers of the API. Exits with 1 if too"
        f" many did, with {NOT_RUN} where the log is elsewhere, or too few were given."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the window and the bound."""
        parser.add_argument("--minutes", type=float, default=15)
        parser.add_argument("--most", type=float, default=1.0, metavar="PERCENT")
        parser.add_argument("--log", type=Path, help="default: logs/web.log in the data folder")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, and judge."""
        if options["minutes"] <= 0 or not 0 <= options["most"] < 100:
            raise CommandError(
                "Give minutes above 0, and a percentage from 0 to below 100.",
                returncode=WRONG_ARGUMENTS,
            )
        if stage_here() and options["log"] is None:
            self._on_aws(options["minutes"], options["most"])
            return
        log = options["log"] or Path(settings.DATA_DIR) / "logs" / "web.log"
        try:
            found = answers_since(log, since=timezone.now() - timedelta(minutes=options["minutes"]))
        except OSError as error:
            raise CommandError(
                f"Not run: the web server's log cannot be read here ({error.strerror}). Look where"
                " the logs go, and except this item with what was seen.",
                returncode=NOT_RUN,
            ) from error
        words = f"{found.failed} of {found.count} answers failed in {options['minutes']:g} minutes"
        self._judge([found], words, options["most"])

    def _on_aws(self, minutes: float, most: float) -> None:
        """Judge each for itself: a function that always fails must not drown in the others."""
        until = timezone.now()
        handed = Handover.read(stage_here())
        found = failures_since(handed, until - timedelta(minutes=minutes), until)
        told = ", ".join(f"{one.failed} of {one.count} at {what}" for what, one in found.items())
        self._judge(found.values(), f"Failed in {minutes:g} minutes: {told}", most)

    def _judge(self, found: Collection[Answers], words: str, most: float) -> None:
        if any(one.is_beyond(most) for one in found):
            raise CommandError(f"{words}: more than {most:g} %.")
        if not any(one.is_enough for one in found):
            raise CommandError(
                f"Not run: {words}; fewer than {FEWEST} say nothing. Ask again later.",
                returncode=NOT_RUN,
            )
        self.stdout.write(f"{words}: at most {most:g} %.")
