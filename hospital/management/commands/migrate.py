"""Migrate as the owner: the application's own role owns nothing and could not."""

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections, transaction

from hospital.database.granting import give_table_rights
from hospital.database.names import role_names


class Command(Migrate):
    """Django's `migrate`, connected as the role of DATABASE_OWNER_URL."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run with the owner's credentials, give the other roles their rights on what there is now,
        then go back to the application's."""
        connection = connections[options["database"]]
        application = dict(connection.settings_dict)
        owner = {name: settings.DATABASE_OWNER[name] for name in ("USER", "PASSWORD")}
        connection.close()
        connection.settings_dict.update(owner)
        try:
            said = super().execute(*args, **options)
            if options.get("plan") or options.get("check_unapplied"):
                return said  # asked alone: nothing is changed
            with transaction.atomic(using=options["database"]), connection.cursor() as cursor:
                give_table_rights(cursor, role_names())
            return said
        finally:
            connection.close()
            connection.settings_dict.update(application)
