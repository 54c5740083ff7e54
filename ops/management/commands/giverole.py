"""manage.py giverole: a role of the operators' room, given or taken, with a reason."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.roles import Role
from ops.services.people import NotForThisPerson, give_role, may_give, take_role


def _require_giver(name: str, role: Role, user: User) -> None:
    """Whoever is named as the giver is somebody, and may: the trail must not say what never was."""
    giver = User.objects.filter(username=name, is_active=True).first()
    if giver is None:
        raise CommandError(f"There is no active user {name}. Nothing was changed.", returncode=2)
    if not may_give(giver, role, to=user):
        raise CommandError(
            f"{name} may not give or take {role.value}. Nothing was changed.", returncode=2
        )


class Command(BaseCommand):
    help = "Give somebody a role of the operators' room, or take it. It stays on the audit trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the name with which the person signs in")
        parser.add_argument("role", choices=[role.value.replace(" ", "-") for role in Role])
        parser.add_argument("--take", action="store_true", help="take it away")
        parser.add_argument("--by", default="", help="the user who does it; else the system's")
        parser.add_argument("--why", required=True, help="the reason, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}. Nothing was changed.")
        role = Role(options["role"].replace("-", " "))
        if options["by"]:
            _require_giver(options["by"], role, user)
        change = take_role if options["take"] else give_role
        try:
            change(user, role, by=options["by"] or getpass.getuser(), why=options["why"])
        except NotForThisPerson as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(
            f"{user.get_username()} is {'no longer' if options['take'] else 'now'} {role.value}."
        )
