"""Gives the roles of a living database their rights, each time anew.

Knows how rights are put into effect; which ones there are: `rights`.
"""

from __future__ import annotations

from typing import Any, Protocol

from hospital.database import rights
from hospital.database.rights import Names


class Cursor(Protocol):
    """As much of a cursor as is needed; psycopg2's is one, and Django's."""

    def execute(self, query: str, parameters: Any = None, /) -> Any:
        """Ask."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Give the rows."""


def ask(cursor: Cursor, question: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Give the rows that answer a question."""
    # None, not an empty list: without parameters a % in a question is a %.
    cursor.execute(question, list(parameters) or None)
    return cursor.fetchall()


def roles_there(cursor: Cursor) -> set[str]:
    """Name the server's roles."""
    return {name for (name,) in ask(cursor, "SELECT rolname FROM pg_roles")}


def give_table_rights(cursor: Cursor, names: Names) -> bool:
    """Give the rights on the tables that are there; tells whether there is a role for reports.

    Called inside a transaction, as whoever owns the tables. Nothing happens where one role both
    owns and applies: it cannot be kept from anything.
    """
    there = roles_there(cursor)
    if names.owner == names.application or names.application not in there:
        return names.reports in there
    own = """
        FROM {catalog} c WHERE {namespace} = 'public'::regnamespace
        AND pg_has_role({owner}, 'USAGE')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')"""
    relations = own.format(catalog="pg_class", namespace="relnamespace", owner="relowner")
    routines = own.format(catalog="pg_proc", namespace="pronamespace", owner="proowner")
    tables = ask(cursor, f"SELECT relname {relations} AND relkind IN ('r', 'p', 'v', 'm', 'f')")
    functions = ask(cursor, f"SELECT c.oid::regprocedure::text {routines}")
    for statement in rights.table_rights(
        [table for (table,) in tables],
        functions=[function for (function,) in functions],
        with_reports=names.reports in there,
    ):
        cursor.execute(names.into(statement))
    return names.reports in there


def give_schema_rights(cursor: Cursor, names: Names) -> None:
    """Give the rights on the schema, and on what will be made in it."""
    for statement in rights.SCHEMA:
        cursor.execute(names.into(statement))


def give_database_rights(cursor: Cursor, names: Names) -> None:
    """Give the rights on this database, and take those on the server's other two."""
    for statement in (*rights.DATABASE, *rights.LIMITS, *rights.OTHER_DATABASES):
        cursor.execute(names.into(statement))
