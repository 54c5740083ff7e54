"""Doing for a moment what only the database's owner may.

Knows whose connection it is. Must not be used by anything that the web calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection


class NotTheOwner(Exception):
    """The connection belongs to a role that does not own the tables."""


@contextmanager
def as_owner() -> Iterator[None]:
    """Connect as the role of DATABASE_OWNER_URL inside; as the application's again afterwards.

    Raises NotTheOwner where that role does not own the trail, before anything is done.
    """
    application = dict(connection.settings_dict)
    owner = {name: settings.DATABASE_OWNER[name] for name in ("USER", "PASSWORD")}
    is_owner = application["USER"] == owner["USER"]
    if not is_owner:
        connection.close()
        connection.settings_dict.update(owner)
    try:
        _require_owner()
        yield
    finally:
        if not is_owner:
            connection.close()
            connection.settings_dict.update(application)


def _require_owner() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class"
            " WHERE oid = 'ops_auditevent'::regclass"
        )
        (owns,) = cursor.fetchone()
    if not owns:
        raise NotTheOwner(
            "This needs the database's owner: set DATABASE_OWNER_URL to the role that migrates."
        )
