"""The databases of one server: made, dropped, renamed, and who is connected to them.

Knows no table. Everything is done as the owner, who may make databases.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from django.db import connection
from psycopg2 import sql

from ops.databases import Database
from ops.errors import TargetInUse

MAINTENANCE = "postgres"
_TRIES = 20


def exists(server: Database, name: str) -> bool:
    """Tell whether there is a database of this name."""
    with server.named(MAINTENANCE).connect() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def use_of(server: Database, name: str) -> tuple[int, int]:
    """Say how many tables a database holds, and how many are connected to it."""
    with server.named(name).connect() as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public'),"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            "  AND pid <> pg_backend_pid() AND backend_type = 'client backend')"
        )
        tables, sessions = cursor.fetchone()
        return tables, sessions


@contextmanager
def alone_with(server: Database, name: str) -> Iterator[None]:
    """Be the only one who makes a database of this name. Raises TargetInUse."""
    with (
        server.named(MAINTENANCE).connect(autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        if not cursor.fetchone()[0]:
            raise TargetInUse(f"Another restore makes {name} at this moment: wait for its end.")
        yield


def create(server: Database, name: str) -> None:
    """Make an empty database that nobody may use but its owner."""
    _say_to(server, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    _say_to(server, sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def open_to_users(server: Database, name: str) -> None:
    """Let those use a database who may use this server's own, and nobody else."""
    for role, right in _rights_on(server):
        statement = sql.SQL("GRANT {} ON DATABASE {} TO {}")
        _say_to(
            server,
            statement.format(sql.SQL(right), sql.Identifier(name), sql.Identifier(role)),
        )


def close_to_all(server: Database, name: str) -> None:
    """Let nobody use a database any more but its owner: what is kept aside is not read."""
    for role in {role for role, _ in _rights_on(server.named(name))} - {server.user}:
        statement = sql.SQL("REVOKE ALL ON DATABASE {} FROM {}")
        _say_to(server, statement.format(sql.Identifier(name), sql.Identifier(role)))


def drop_leftovers(server: Database, *, ending: str) -> None:
    """Drop what restores that were killed have left: nobody holds the lock of its name."""
    with server.named(MAINTENANCE).connect() as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database"
            " WHERE right(datname, length(%s)) = %s AND pg_get_userbyid(datdba) = %s",
            [ending, ending, server.user],
        )
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        with suppress(TargetInUse, psycopg2.errors.ObjectInUse), alone_with(server, name):
            drop(server, name)


def _rights_on(server: Database) -> list[tuple[str, str]]:
    """Tell who may connect to the server's own database, and make temporary tables in it."""
    with server.named(MAINTENANCE).connect() as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT rolname, a.privilege_type FROM pg_database d, aclexplode(d.datacl) a"
            " JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = %s"
            " AND a.privilege_type IN ('CONNECT', 'TEMPORARY') ORDER BY 1, 2",
            [server.name],
        )
        found = cursor.fetchall()
    application = str(connection.settings_dict["USER"])
    return sorted({*found, (application, "CONNECT"), (application, "TEMPORARY")})


def drop(server: Database, name: str) -> None:
    """Drop a database if it is there."""
    _say_to(server, sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def _say_to(server: Database, statement: sql.Composed) -> None:
    with (
        server.named(MAINTENANCE).connect(autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute(statement)


def rename(server: Database, name: str, to: str) -> None:
    """Give a database another name; whoever is connected is sent away. Raises TargetInUse."""
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
        sql.Identifier(name), sql.Identifier(to)
    )
    for attempt in range(_TRIES):
        _end_sessions(server, name)
        try:
            _say_to(server, statement)
            return
        except psycopg2.errors.ObjectInUse:
            # Whoever was sent away came back at once; he gets no more than a few tries.
            if attempt == _TRIES - 1:
                raise TargetInUse(
                    f"Somebody is connected to {name} again and again: stop Vigil's processes, then"
                    " try again."
                ) from None
            time.sleep(0.1)


def _end_sessions(server: Database, name: str) -> None:
    """Send everybody away. A role may end the sessions of those whose role it may take on."""
    with (
        server.named(MAINTENANCE).connect(autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = %s AND usename IS NOT"
            " NULL",
            [name],
        )
        for (role,) in cursor.fetchall():
            try:
                cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            except psycopg2.errors.InsufficientPrivilege:
                continue  # then the name stays in use, and that is said
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = %s"
                " AND usename = %s",
                [name, role],
            )
            cursor.execute("RESET ROLE")
