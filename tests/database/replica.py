"""A place with a real replica: the embedded server, and a second one that follows its log."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from hospital import localdb
from hospital.localdb.keeper import ROLE, EmbeddedLog
from hospital.localdb.places import Place
from hospital.localdb.postgres import SUPERUSER, bin_dir
from hospital.localdb.processes import own_folder, run_as_server

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Replicated:
    """One place, its replica, and what a test may do to that."""

    data: Path
    port: int

    @property
    def cluster(self) -> Path:
        return self.data / "replica" / "cluster"

    def environment(self, **more: str) -> dict[str, str]:
        """What a process of this place sees, the replica included."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("HOSPITAL_")
        }
        return (
            kept
            | localdb.reserve(self.data).environment()
            | {
                "HOSPITAL_DATA_DIR": str(self.data),
                "HOSPITAL_TIME_ZONE": "Europe/Berlin",
                "DATABASE_READER_URL": f"postgres://127.0.0.1:{self.port}",
                "DJANGO_SETTINGS_MODULE": "hospital.settings",
                **more,
            }
        )

    def run(self, *command: str, **more: str) -> str:
        """Run a Python program of this place, and give what it printed."""
        done = subprocess.run(
            [sys.executable, *command],
            env=self.environment(**more),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tell(self, statement: str) -> None:
        """Say something to the replica, as its superuser."""
        tell(self.data, self.port, statement)

    def begin(self) -> None:
        """Copy the server as it stands, and let the copy follow it."""
        place = Place.at(self.data)
        EmbeddedLog(self.data).ensure()
        folder = self.data / "replica"
        own_folder(folder)
        source = (
            f"host=127.0.0.1 port={place.port('postgres')} user={ROLE}"
            f" password={place.password('keeper')}"
        )
        copy = ["pg_basebackup", "-d", source, "-D", str(self.cluster), "-R", "-c", "fast"]
        run_as_server([bin_dir() / copy[0], *copy[1:]], folder=folder)
        settings = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        start = ["-D", str(self.cluster), "-l", str(folder / "log"), "-o", settings, "-w", "start"]
        run_as_server([bin_dir() / "pg_ctl", *start], folder=folder)

    def end(self) -> None:
        """Stop the replica, if it runs."""
        stop_replica(self.data)


def tell(data: Path, port: int, statement: str) -> None:
    """Say something to a server of a place, as its superuser."""
    password = Place.at(data).password("admin")
    with contextlib.closing(
        psycopg2.connect(
            host="127.0.0.1", port=port, user=SUPERUSER, password=password, dbname="postgres"
        )
    ) as opened:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(statement)


def stop_replica(data: Path) -> None:
    """Stop the replica of a place at once, if it runs."""
    folder = data / "replica"
    stop = ["-D", str(folder / "cluster"), "-m", "immediate", "-w", "stop"]
    with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
        run_as_server([bin_dir() / "pg_ctl", *stop], folder=folder)


@contextlib.contextmanager
def replicated_place(data: Path) -> Iterator[Replicated]:
    """Make the place with its tables and a replica; afterwards neither runs."""
    place = Replicated(data, _free_port())
    try:
        localdb.ensure(data, durable=False)
        place.run("manage.py", "migrate", "--verbosity=0", DATABASE_READER_URL="")
        place.begin()
        yield place
    finally:
        place.end()
        localdb.stop(data)


def wait_until(is_so: object, *, seconds: float = 15) -> None:
    """Wait until a question is answered with yes."""
    end = time.monotonic() + seconds
    assert callable(is_so)
    while not is_so():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
