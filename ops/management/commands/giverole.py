"""manage.py giverole: a role of the operators' room, given or taken, with a reason."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.roles import Role
from ops.services.people import NotForThisPerson, give_role, take_role


class Command(BaseCommand):
    help = "Give somebody a role of the operators' room, or take it. It stays on the audit trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the name with which the person signs in")
        parser.add_argument("role", choices=[role.value.replace(" ", "-") for role in Role])
        parser.add_argument("--take", action="store_true", help="take it away")
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--why", required=True, help="the reason, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}. Nothing was changed.")
        role = Role(options["role"].replace("-", " "))
        change = take_role if options["take"] else give_role
        try:
            change(user, role, by=options["by"] or getpass.getuser(), why=options["why"])
        except NotForThisPerson as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(
            f"{user.get_username()} is {'no longer' if options['take'] else 'now'} {role.value}."
        )
