"""manage.py dbroles: the database's roles, shown, given, or held against the living database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from hospital.database import rights
from hospital.database.checking import differences
from hospital.database.granting import (
    give_database_rights,
    give_schema_rights,
    give_table_rights,
    roles_there,
)
from hospital.database.names import role_names
from hospital.database.passwords import give_password, kept_in
from hospital.database.rights import Names


class Command(BaseCommand):
    help = (
        "Owner, application and reports: --check proves their least privilege, --sql prints what "
        "a superuser says on an empty server, --apply says it, connected by DATABASE_ADMIN_URL."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--check", action="store_true", help="exits with 1 where anything differs"
        )
        what.add_argument("--sql", action="store_true")
        what.add_argument("--apply", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sql"]:
            self.stdout.write("\n".join(script(Names())))
        elif options["apply"]:
            self._apply(role_names())
        else:
            self._check(role_names())

    def _check(self, names: Names) -> None:
        with connection.cursor() as cursor:
            found = differences(cursor, names)
        for sentence in found:
            self.stdout.write(sentence)
        if found:
            raise CommandError(
                f"{len(found)} rights are not as they should be: manage.py dbroles --apply gives "
                "and takes what can be, as a superuser."
            )
        self.stdout.write(
            f"{names.owner} owns everything, {names.application} reads and writes rows, "
            f"{names.reports} reads what is for reports; nobody may do more."
        )

    def _apply(self, names: Names) -> None:
        address = settings.DATABASE_ADMIN_URL
        if not address:
            raise CommandError(
                "DATABASE_ADMIN_URL is not set: name the database as a superuser of the server, "
                "for this command alone."
            )
        if names.owner == names.application:
            raise CommandError(
                "DATABASE_URL and DATABASE_OWNER_URL name the same role: give each its own. "
                "Nothing was changed."
            )
        try:
            with closing(psycopg2.connect(address)) as admin, admin, admin.cursor() as cursor:
                names = replace(names, database=admin.info.dbname)
                self._make_roles(cursor, names)
                cursor.execute(names.into("ALTER DATABASE {database} OWNER TO {owner}"))
                give_database_rights(cursor, names)
                give_schema_rights(cursor, names)
                give_table_rights(cursor, names)
        except psycopg2.Error as error:
            said = str(error).strip().partition("\n")[0]
            raise CommandError(f"The server refused: {said} Nothing was changed.") from None
        self.stdout.write("Applied. manage.py dbroles --check proves it.")

    def _make_roles(self, cursor: Any, names: Names) -> None:
        there = roles_there(cursor)
        kept = kept_in(settings.DATABASE_PASSWORDS)
        known = {
            "owner": settings.DATABASE_OWNER["PASSWORD"],
            "application": settings.DATABASE_APPLICATION["PASSWORD"],
        }
        for role, statement in rights.ROLES.items():
            name = getattr(names, role)
            if name in there:
                continue
            cursor.execute(names.into(statement))
            password = (kept.current(role) if kept else None) or known.get(role)
            if password:
                give_password(cursor.connection, name, password)
            else:
                self.stdout.write(
                    f"{name} has no password yet, and cannot sign in: "
                    f"manage.py rotatepassword {role} gives it one."
                )


def script(names: Names) -> Iterator[str]:
    """Give what a superuser says in psql, on a server that has none of it."""
    for statement in rights.ROLES.values():
        yield names.into(statement) + " PASSWORD '…';"
    yield names.into("CREATE DATABASE {database} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0;")
    yield f"\\connect {names.database}"
    for statement in (
        *rights.DATABASE, *rights.LIMITS, *rights.OTHER_DATABASES, *rights.SCHEMA
    ):  # fmt: skip
        yield names.into(statement) + ";"
