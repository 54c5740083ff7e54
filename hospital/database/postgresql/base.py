"""Django's PostgreSQL backend; its password is looked up at each new connection.

So a rotated password needs no restart: connections that are open go on, new ones find the new one.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

from hospital.database.passwords import connect_as, kept_in


class DatabaseWrapper(base.DatabaseWrapper):
    """Knows whose password it needs by the user's name."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect with the password that holds now."""
        give = super().get_new_connection
        is_owner = conn_params.get("user") == settings.DATABASE_OWNER["USER"]
        return connect_as(
            "owner" if is_owner else "application",
            lambda password: give({**conn_params, "password": password}),
            kept=kept_in(settings.DATABASE_PASSWORDS),
            otherwise=conn_params.get("password", ""),
        )
