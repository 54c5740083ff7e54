"""manage.py resetfactor: the way back in for who lost a second factor; the last one, for all."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.services.people import NotForThisPerson, reset_second_factor


class Command(BaseCommand):
    help = "Let somebody set up a second factor anew, because the old one is lost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the name with which the person signs in")
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--why", required=True, help="the reason, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}. Nothing was changed.")
        try:
            reset_second_factor(user, by=options["by"] or getpass.getuser(), why=options["why"])
        except NotForThisPerson as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(
            f"{user.get_username()} sets up a new second factor when signing in next."
        )
