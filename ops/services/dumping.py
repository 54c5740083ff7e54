"""One database becomes one encrypted file, and figures of the very same snapshot.

Knows pg_dump. Must not know where backups are kept, nor how long.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

from ops.checksums import Figures, figures_of
from ops.databases import Database, require_success, start
from ops.encryption import encrypt, recipients

_TABLE = re.compile(r'dumping contents of table "[^".]*\.?([^".]+)')
_MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY app, name"
_SERVER = "SELECT current_setting('server_version'), current_setting('server_version_num')::int"


@dataclass(frozen=True)
class Written:
    """An encrypted file: how many bytes, and their SHA-256."""

    size: int
    sha256: str


class HashedFile:
    """A file that is written and hashed at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        """Write and remember."""
        self._digest.update(data)
        self._size += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """Hand on what was written."""
        self._stream.flush()

    @property
    def written(self) -> Written:
        """Say what was written so far."""
        return Written(self._size, self._digest.hexdigest())


def dump(
    database: Database, target: Path, *, say: Callable[[str], None]
) -> tuple[Written, dict[str, Any]]:
    """Dump a database into an encrypted file; count it in the same snapshot.

    Returns what was written, and for the manifest: server, migrations, tables, sequences.
    Raises ProgramFailed, KeyMissing, and OSError where the disk is full.
    """
    keys = recipients()
    with database.connect() as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot(), now()")
            snapshot, at = cursor.fetchone()
        written = _dump(database, target, snapshot=snapshot, keys=keys, say=say)
        about = {"snapshot_at": at.isoformat(), **contents_of(connection, say=say)}
    return written, about | {"recipients": [str(key) for key in keys]}


def contents_of(connection: Any, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Tell what is in a database as this connection sees it: server, migrations and figures."""
    with connection.cursor() as cursor:
        cursor.execute(_SERVER)
        version, number = cursor.fetchone()
        cursor.execute(_MIGRATIONS)
        migrations: dict[str, list[str]] = {}
        for app, name in cursor.fetchall():
            migrations.setdefault(app, []).append(name)
    figures: Figures = figures_of(connection, say=say)
    return {"server": version, "major": number // 10_000, "migrations": migrations, **figures}


def _dump(
    database: Database, target: Path, *, snapshot: str, keys: Any, say: Callable[[str], None]
) -> Written:
    process = start(
        [
            "pg_dump", "--format=custom", "--compress=gzip:2", f"--snapshot={snapshot}",
            "--lock-wait-timeout=60s", "--no-password", "--verbose",
        ],
        database,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    said: list[str] = []
    ear = Thread(target=_hear, args=(process.stderr, said, say), daemon=True)
    ear.start()
    try:
        with target.open("wb") as stream:
            hidden = HashedFile(stream)
            encrypt(process.stdout, hidden, to=keys)  # type: ignore[arg-type]
    except OSError:
        process.kill()
        raise
    finally:
        process.stdout.close()
        status = process.wait()
        ear.join()
    require_success("pg_dump", status, said)
    return hidden.written


def _hear(stderr: IO[bytes], said: list[str], say: Callable[[str], None]) -> None:
    tables = 0
    for line in stderr:
        text = line.decode(errors="replace")
        if found := _TABLE.search(text):
            tables += 1
            say(f"dumping table {tables}: {found[1]}")
        elif "error:" in text or "FATAL" in text:
            said.append(text)
