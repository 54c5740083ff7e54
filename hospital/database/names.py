"""What the roles are called here, by the settings."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from hospital.database.rights import Names


def role_names() -> Names:
    """Give the names by which this place's database knows its roles."""
    return Names(
        database=connection.settings_dict["NAME"],
        owner=settings.DATABASE_OWNER["USER"],
        application=settings.DATABASE_APPLICATION["USER"],
        reports=settings.DATABASE_REPORTS_ROLE,
    )
