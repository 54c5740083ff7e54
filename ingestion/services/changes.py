"""Counts what changed, for whoever waits for news."""

from __future__ import annotations

from django.db import connection

from ingestion.models import ChangeCounter


def note_change() -> None:
    """Count a change that a screen could show; part of the transaction that made it."""
    # One statement: two first changes at once must not both try to make the row.
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {ChangeCounter._meta.db_table} AS c (id, count) VALUES (1, 1)"
            " ON CONFLICT (id) DO UPDATE SET count = c.count + 1"
        )
