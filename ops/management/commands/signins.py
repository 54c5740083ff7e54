"""manage.py signins: from where and when an account signed in, and was refused."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.utils import timezone

from ops.management.manners import MannerlyCommand

_MOST = 50


class Command(MannerlyCommand):
    """`manage.py signins NAME`."""

    help = "List when and from where an account signed in, and how often it was refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare whose."""
        parser.add_argument("user", help="the name with which the account signs in")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the newest first."""
        name = options["user"]
        for one in AccessLog.objects.filter(username=name).order_by("-attempt_time")[:_MOST]:
            left = f", left {_at(one.logout_time)}" if one.logout_time else ""
            self.stdout.write(f"{_at(one.attempt_time)}  {one.ip_address}  signed in{left}")
        refused = AccessAttempt.objects.filter(username=name).order_by("-attempt_time")
        for each in refused[:_MOST]:
            count = each.failures_since_start
            self.stdout.write(
                f"{_at(each.attempt_time)}  {each.ip_address}  refused, {count} times"
            )
        count = AccessLog.objects.filter(username=name).count()
        self.stdout.write(f"{count} sign-ins, {refused.count()} places from where it was refused")


def _at(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"
