"""Migrate as the owner: the application's own role owns nothing and could not."""

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections


class Command(Migrate):
    """Django's `migrate`, connected as the role of DATABASE_OWNER_URL."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run with the owner's credentials, then go back to the application's."""
        connection = connections[options["database"]]
        application = dict(connection.settings_dict)
        owner = {name: settings.DATABASE_OWNER[name] for name in ("USER", "PASSWORD")}
        connection.close()
        connection.settings_dict.update(owner)
        try:
            return super().execute(*args, **options)
        finally:
            connection.close()
            connection.settings_dict.update(application)
