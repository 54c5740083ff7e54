"""Where it is measured: a durable database of its own in a folder that goes away at the end.

Must be opened before Django's settings are read. Each variant gets a fresh copy of one prepared
database, so that none works in what another left.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hospital import localdb
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres
from hospital.localdb.roles import DATABASE, OWNER

PROJECT = Path(__file__).resolve().parent.parent
CACHE = PROJECT / ".cache"
ZONE = "Europe/Berlin"
_OURS = re.compile("HOSPITAL_|DATABASE_|CELERY_|CACHE_URL|PG")


@dataclass(frozen=True)
class Scratch:
    """One database server for one run. `folder` is its data folder, `files` holds exports."""

    folder: Path
    files: Path

    def fresh(self, name: str = "run", *, template: str = DATABASE) -> None:
        """Make a copy of a prepared database and work in it. What had the name before is gone."""
        self.use("postgres")
        self.administer(
            "postgres",
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}",
        )
        self.use(name)
        self.settle()

    def use(self, database: str) -> None:
        """Let this process, and all that it starts from now on, work in another database."""
        from django.db import connection

        connection.close()
        connection.settings_dict["NAME"] = database
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
            os.environ[name] = f"{os.environ[name].rpartition('/')[0]}/{database}"
        if database != "postgres":
            connection.ensure_connection()  # connecting is no part of what is measured

    def settle(self) -> None:
        """Write out what is dirty: no variant shall pay for what came before it."""
        self.administer("postgres", "CHECKPOINT")

    def administer(self, database: str, *statements: str, role: str | None = None) -> list[Any]:
        """Run statements as the server's administrator, or as somebody else; gives the last rows.

        The product's own roles may not do what is asked here: that is why.
        """
        server = Postgres(Place.at(self.folder)).connect(database)
        rows: list[Any] = []
        try:
            server.autocommit = True
            with server.cursor() as cursor:
                if role:
                    cursor.execute(f"SET ROLE {role}")
                for statement in statements:
                    cursor.execute(statement)
                if cursor.description:
                    rows = cursor.fetchall()
        finally:
            server.close()
        return rows

    def make_table(self, database: str, *statements: str) -> None:
        """Make tables that the product may write: its owner's, with the rights that those have."""
        self.administer(database, *statements, role=OWNER)


@contextlib.contextmanager
def scratch(*, durable: bool) -> Iterator[Scratch]:
    """Start the server, set Django up on it, and take everything away in the end.

    Without `durable` nothing is forced to the disk: no time that was taken so counts.
    """
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=CACHE))
    guard = subprocess.Popen(
        [sys.executable, "-m", "hospital.guard", str(folder / "hospital")],
        cwd=PROJECT, stdin=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield _opened(folder, durable=durable)
    finally:
        _close_connections()
        localdb.stop(folder / "hospital")
        guard.communicate("done\n")
        shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path, *, durable: bool) -> Scratch:
    place = Scratch(folder / "hospital", folder / "files")
    place.files.mkdir()
    for name in [name for name in os.environ if _OURS.match(name) and name != "PG_BIN_DIR"]:
        del os.environ[name]  # none of it may lead to a hospital's record
    os.environ |= localdb.ensure(place.folder, durable=durable).environment() | {
        "HOSPITAL_DATA_DIR": str(place.folder),
        "HOSPITAL_STAGE": "development",
        "HOSPITAL_TIME_ZONE": ZONE,
        "HOSPITAL_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "hospital.settings",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    return place


def _close_connections() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    with contextlib.suppress(ImproperlyConfigured):
        connections.close_all()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
