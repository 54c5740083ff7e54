"""The roles of the embedded server. What they may do: hospital/database/rights.py."""

import hashlib
from collections.abc import Callable

from psycopg2 import extensions

from hospital.database import rights
from hospital.database.granting import (
    ask,
    give_database_rights,
    give_schema_rights,
    give_table_rights,
    roles_there,
)
from hospital.database.passwords import ROLES, Folder, give_password
from hospital.database.rights import Names
from hospital.localdb.postgres import Postgres

NAMES = Names()
DATABASE, OWNER, APPLICATION = NAMES.database, NAMES.owner, NAMES.application

# Here alone: the owner makes the tests' databases, and tries what the others may do.
HERE = (
    "ALTER ROLE {owner} CREATEDB",
    "GRANT {application}, {reports} TO {owner} WITH INHERIT FALSE, SET TRUE",
)


def ensure_roles(server: Postgres) -> None:
    """Make roles, database and rights. Finished work costs nothing, interrupted work is resumed,
    and a folder of before gets what has come since: the mark says which rights were given."""
    made = server.place.data_dir / "postgres" / "roles-made"
    if made.exists() and made.read_text() == _version():
        return
    _say(server, "postgres", _make_roles(server))
    if not _has_database(server):
        _make_database(server)
    # A test database is a copy of template1 and has the same rights.
    _say(server, "template1", lambda cursor: give_schema_rights(cursor, NAMES))
    _say(server, DATABASE, _give_all)
    made.write_text(_version())


def _version() -> str:
    said = repr((rights.ROLES, rights.LIMITS, rights.SCHEMA, rights.DATABASE, HERE)) + repr(
        (
            rights.OTHER_DATABASES,
            sorted((table, sorted(given)) for table, given in rights.LESS.items()),
            rights.REPORTED_APPLICATIONS,
            sorted(rights.REPORTED_TABLES),
            rights.REPORTED_COLUMNS,
        )
    )
    return hashlib.sha256(said.encode()).hexdigest()


def _make_roles(server: Postgres) -> Callable[[extensions.cursor], None]:
    kept = Folder(server.place.data_dir / "secrets")

    def make(cursor: extensions.cursor) -> None:
        there = roles_there(cursor)
        for role in ROLES:
            name = getattr(NAMES, role)
            if name not in there:
                cursor.execute(NAMES.into(rights.ROLES[role]))
            # What a rotation left beside the old one may be the one that holds: it decides later.
            if kept.pending(role) is None:
                give_password(cursor.connection, name, server.place.password(role))
        for statement in HERE:
            cursor.execute(NAMES.into(statement))

    return make


def _give_all(cursor: extensions.cursor) -> None:
    give_database_rights(cursor, NAMES)
    give_schema_rights(cursor, NAMES)
    give_table_rights(cursor, NAMES)


def _has_database(server: Postgres) -> bool:
    found = []
    question = "SELECT FROM pg_database WHERE datname = %s"
    _say(server, "postgres", lambda cursor: found.extend(ask(cursor, question, DATABASE)))
    return bool(found)


def _make_database(server: Postgres) -> None:
    connection = server.connect("postgres")
    try:
        connection.autocommit = True  # CREATE DATABASE runs in no transaction
        with connection.cursor() as cursor:
            cursor.execute(NAMES.into("CREATE DATABASE {database} OWNER {owner}"))
    finally:
        connection.close()


def _say(server: Postgres, where: str, what: Callable[[extensions.cursor], None]) -> None:
    """All or nothing, in one transaction."""
    connection = server.connect(where)
    try:
        with connection, connection.cursor() as cursor:
            what(cursor)
    finally:
        connection.close()
