"""The trail without its guards, for the length of one transaction of the owner.

Knows the guards by name. Nobody else ever sees them off: the switching ends with the transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from ops.errors import OpsError
from ops.models import GUARDS


class NotTheOwner(OpsError):
    """The connection belongs to a role that does not own the trail."""


@contextmanager
def unguarded(*tables: str) -> Iterator[None]:
    """Switch the guards of these tables off inside. Call it within a transaction, as the owner.

    Raises NotTheOwner, before anything is switched.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("guards are switched off within a transaction alone")
    _require_owner()
    with connection.cursor() as cursor:
        # What waits for the end of the transaction to be checked would hinder the switching.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for guard in GUARDS:
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


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
