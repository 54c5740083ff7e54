"""manage.py rotatepassword: a new random password for one of the database's roles."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hospital.database.passwords import ROLES
from hospital.rotation import CannotRotate, rotate_password


class Command(BaseCommand):
    help = (
        "Give the application's, the owner's or the reports' role a new random password, kept "
        "where DATABASE_PASSWORDS says. Nothing needs a restart. It is never shown."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", choices=sorted(ROLES))
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--why", default="", help="the reason, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        role = options["role"]
        try:
            rotate_password(role, by=options["by"] or getpass.getuser(), why=options["why"])
        except CannotRotate as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(
            f"The {role} role has a new password. Nothing needs a restart: connections that are "
            "open go on, and new ones find it."
        )
