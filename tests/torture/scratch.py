"""A database server of its own for the torture, in a folder that goes away with it.

Knows how to start it, how to make an empty record in it and how to point Django at that. Unless it
is to be quick it keeps what it was told as a hospital's does.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
from psycopg2 import sql

from hospital import localdb
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres
from hospital.localdb.roles import DATABASE, OWNER, ensure_roles
from tests.torture.bases import ZONE

PROJECT = Path(__file__).resolve().parent.parent.parent


class Scratch:
    """The server and its folder, with Django set up on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place.at(folder)
        self.server = Postgres(self.place)

    def start(self) -> None:
        """Start the server if it does not run; it recovers by itself from a crash."""
        with self.place.locked():
            self.server.ensure()
            ensure_roles(self.server)

    def hurry(self) -> None:
        """Let the server not wait for the disk: what a machine could lose, a process cannot.

        A crash then takes a second to recover from, and not the time to sync a thousand files.
        """
        connection = self.server.connect("postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("ALTER SYSTEM SET fsync = off")
                cursor.execute("SELECT pg_reload_conf()")
        finally:
            connection.close()

    def stop(self) -> None:
        """Stop the server, if it runs: at once, since nothing of it is kept.

        Asked politely, one that is still recovering may never go.
        """
        end = time.monotonic() + 20
        while self.server.is_running():
            word = signal.SIGQUIT if time.monotonic() < end else signal.SIGKILL
            with suppress(ProcessLookupError):
                os.kill(self.head(), word)
            time.sleep(0.1)
        self.place.remove_socket_dir()

    def head(self) -> int:
        """The process id of the server's head."""
        return int((self.server.cluster / "postmaster.pid").read_text().split()[0])

    def set_up(self) -> None:
        """Let Django read its settings here, and make the tables, once."""
        for name in [name for name in os.environ if name.startswith("HOSPITAL_")]:
            del os.environ[name]
        os.environ |= localdb.reserve(self.folder).environment() | {
            "DJANGO_SETTINGS_MODULE": "hospital.settings",
            "HOSPITAL_DATA_DIR": str(self.folder),
            "HOSPITAL_STAGE": "development",
            "HOSPITAL_TIME_ZONE": ZONE,
            "HOSPITAL_LOG_LEVEL": "ERROR",
        }
        for name in ("CELERY_BROKER_URL", "CACHE_URL"):
            os.environ.pop(name, None)
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        connections.close_all()

    def new_record(self, name: str) -> None:
        """Make an empty record under this name: a copy of the one that nothing was put into."""
        connection = self.server.connect("postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                        *(sql.Identifier(each) for each in (name, DATABASE, OWNER))
                    )
                )
        finally:
            connection.close()

    def watch(self, name: str) -> psycopg2.extensions.connection:
        """A connection from which everything in this record can be seen."""
        connection = self.server.connect(name)
        connection.autocommit = True
        return connection


def use_record(name: str) -> None:
    """Let Django speak to the record of this name from now on."""
    from django.db import connections

    connections.close_all()
    connections["default"].settings_dict["NAME"] = name


@contextmanager
def a_scratch(*, is_quick: bool = False) -> Iterator[Scratch]:
    """A server with its tables made, and nothing left of it behind."""
    cache = PROJECT / ".cache"
    cache.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=cache))
    scratch = Scratch(folder)
    try:
        scratch.start()
        if is_quick:
            scratch.hurry()
        scratch.set_up()
        yield scratch
    finally:
        scratch.stop()
        shutil.rmtree(folder, ignore_errors=True)
