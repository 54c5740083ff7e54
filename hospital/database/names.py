"""What the roles are called here, by the settings."""

from __future__ import annotations

from django.conf import settings

from hospital.database.rights import Names


def role_names() -> Names:
    """Give the names by which this place's database knows its roles."""
    place = settings.DATABASES["default"]
    return Names(
        database=place["NAME"],
        owner=settings.DATABASE_OWNER["USER"],
        application=place["USER"],
        reports=settings.DATABASE_REPORTS_ROLE,
    )
