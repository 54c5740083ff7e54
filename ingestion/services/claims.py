"""Claims of a database session (advisory locks): each ends with the session, however that ends.

`locking` knows those of a transaction, which keep writers of one patient apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, InterfaceError, connection


@contextmanager
def claimed(*keys: int) -> Iterator[bool]:
    """Try to claim what one large or two small numbers stand for; yields whether that worked."""
    places = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({places})", keys)
        is_mine = bool(cursor.fetchone()[0])
    try:
        yield is_mine
    finally:
        if is_mine:
            # A connection that is gone has given its claims back already.
            with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock({places})", keys)
