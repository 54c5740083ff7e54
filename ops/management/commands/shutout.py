"""manage.py shutout: an account that is misused opens nothing any more, at once."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.services.people import shut_out


class Command(MannerlyCommand):
    """`manage.py shutout NAME --why "…"`."""

    help = (
        "Make an account inactive and end its sessions, on every screen at once. It stays on record"
        " and can be made active again in the admin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare whose, and for the record who and why."""
        parser.add_argument("user", help="the name with which the account signs in")
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--why", required=True, help="the reason, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        """Shut out, and say how many sessions that ended."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(
                f"There is no user {options['user']}. Nothing was changed.",
                returncode=WRONG_ARGUMENTS,
            )
        ended = shut_out(user, by=options["by"] or getpass.getuser(), why=options["why"])
        self.stdout.write(
            f"{user.get_username()} is shut out: the account opens nothing, {ended} sessions ended."
        )
