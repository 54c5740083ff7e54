"""How much is in a database, table by table, so that a copy can be held against its original.

Asks with one connection, in whatever snapshot it has. Knows no table by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg2 import sql

# Whatever the server is set to, the same row must become the same text.
_PLAIN = (
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
)
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relpersistence = 'p' ORDER BY c.relname
"""
# A sum does not depend on the order of rows, and a row that is there twice counts twice.
_ROWS = """
    SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text
    FROM {table} t
"""
_SEQUENCES = """
    SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences
    WHERE schemaname = 'public' ORDER BY 1
"""

Figures = dict[str, Any]


def figures_of(
    connection: Any, *, say: Callable[[str], None] = lambda _: None, leave_out: str = ""
) -> Figures:
    """Count every table's rows and sum up their contents: `{"tables": {name: {"rows", "checksum"}},
    "sequences": {name: last}}`.

    Inside the connection's transaction, and so in its snapshot. `leave_out`: a table not asked.
    """
    tables: dict[str, dict[str, Any]] = {}
    with connection.cursor() as cursor:
        for setting in _PLAIN:
            cursor.execute(setting)
        cursor.execute(_TABLES)
        names = [name for (name,) in cursor.fetchall() if name != leave_out]
        for number, name in enumerate(names, 1):
            say(f"counting {number} of {len(names)} tables")
            cursor.execute(sql.SQL(_ROWS).format(table=sql.Identifier("public", name)))
            rows, checksum = cursor.fetchone()
            tables[name] = {"rows": rows, "checksum": checksum}
        cursor.execute(_SEQUENCES)
        return {"tables": tables, "sequences": dict(cursor.fetchall())}


def differences(expected: Figures, found: Figures) -> list[str]:
    """Say table by table what is not the same; nothing where all is."""
    said: list[str] = []
    for name in sorted(set(expected["tables"]) | set(found["tables"])):
        was, now = expected["tables"].get(name), found["tables"].get(name)
        if was is None or now is None:
            said.append(f"{name} is {'missing' if now is None else 'there beyond what was'}")
        elif was["rows"] != now["rows"]:
            said.append(f"{name} has {now['rows']} rows instead of {was['rows']}")
        elif was["checksum"] != now["checksum"]:
            said.append(f"{name} has as many rows, and other contents")
    for name in sorted(set(expected["sequences"]) | set(found["sequences"])):
        numbers = expected["sequences"].get(name), found["sequences"].get(name)
        if numbers[0] != numbers[1]:
            said.append(f"{name} stands at {numbers[1]} instead of {numbers[0]}")
    return said
