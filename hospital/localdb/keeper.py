"""The keeper: the role that reads the embedded cluster's log, and what it does with it.

Knows how the log is received, a base backup taken, and another server started from both. Must not
know where they are kept.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from hospital.database.passwords import give_password
from hospital.localdb.places import LocalServicesFailed, Place
from hospital.localdb.postgres import Postgres, bin_dir
from hospital.localdb.processes import run_as_server, server_user
from hospital.localdb.roles import DATABASE, OWNER
from ops.databases import Database
from ops.errors import NothingToRecover
from ops.registry import Recovered

ROLE = "vigil_keeper"
SLOT = "vigil_log"
_SEGMENT = re.compile(r"[0-9A-F]{24}\.gz")
_PATIENCE_SECONDS = 3600.0
_SWITCH_SECONDS = 10.0
_START_SECONDS = 3.0
_PREFIX = "vigil-recovery-"


class EmbeddedLog:
    """The log of the cluster in one data folder, received into `log/` beside it."""

    def __init__(self, data_dir: Path) -> None:
        self._place = Place.at(data_dir)
        self.folder = self._place.data_dir / "log"
        self._switched = ""

    def ensure(self) -> None:
        """Make the role and its slot, so that the server keeps what was not yet received."""
        server = Postgres(self._place)
        with contextlib.closing(server.connect("postgres")) as opened:
            opened.autocommit = True
            with opened.cursor() as cursor:
                cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE])
                role = sql.Identifier(ROLE)
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE ROLE {} LOGIN REPLICATION").format(role))
                    cursor.execute(
                        sql.SQL("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {}").format(role)
                    )
                cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE postgres TO {}").format(role))
                give_password(opened, ROLE, self._place.password("keeper"))
                cursor.execute(
                    "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [SLOT]
                )
                found = cursor.fetchone()
                if found and found[0] == "lost":
                    # Too much was written while nobody received: the chain is broken, and only a
                    # new base backup begins another.
                    cursor.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])
                    found = None
                if found is None:
                    cursor.execute("SELECT pg_create_physical_replication_slot(%s, true)", [SLOT])
        self.folder.mkdir(exist_ok=True, mode=0o700)

    def receive(self) -> list[str]:
        """Give the command that receives the log for ever; its address is in `environment`."""
        return [
            str(bin_dir() / "pg_receivewal"), "-D", str(self.folder), "--slot", SLOT,
            "--compress=gzip:1", "--no-password", "--status-interval=5",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Say where the server is, and as whom, to a program of PostgreSQL."""
        return self._as_keeper().environment()

    def switch(self) -> None:
        """Finish the present segment and wait until it is received."""
        with self._as_keeper().connect(autocommit=True) as opened, opened.cursor() as cursor:
            cursor.execute("SELECT pg_walfile_name(pg_switch_wal() - 1)")
            name = cursor.fetchone()[0]
        if name == self._switched:
            return  # nothing was written since: it was received then
        self._switched = name
        end = time.monotonic() + _SWITCH_SECONDS
        while time.monotonic() < end and not self._has_received(name):
            time.sleep(0.05)

    def finished(self) -> list[Path]:
        """List the segments that were received whole, the oldest first."""
        return sorted(path for path in self.folder.glob("*.gz") if _SEGMENT.fullmatch(path.name))

    def system(self) -> str:
        """Name the cluster by its identifier; also a new one, which has no keeper yet."""
        server = Postgres(self._place)
        with contextlib.closing(server.connect("postgres")) as opened, opened.cursor() as cursor:
            cursor.execute("SELECT system_identifier FROM pg_control_system()")
            ((identifier,),) = cursor.fetchall()
            return str(identifier)

    def base(self) -> subprocess.Popen[bytes]:
        """Start a base backup onto standard output."""
        return subprocess.Popen(
            [
                str(bin_dir() / "pg_basebackup"), "-D", "-", "--format=tar", "--gzip",
                "--wal-method=fetch", "--checkpoint=fast", "--no-password", "--verbose",
            ],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    @contextlib.contextmanager
    def recover(self, base: Path, segments: Path, *, until: datetime | None) -> Iterator[Recovered]:
        """Start a server of its own, reached through a socket that nobody else may open."""
        _end_orphans()
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as name:
            scratch = _Scratch(Path(name))
            scratch.lay_out(base, segments)
            try:
                yield scratch.start(until)
            finally:
                scratch.stop()

    def _has_received(self, name: str) -> bool:
        return (
            any(path.name[:24] > name for path in self.folder.glob("*.gz*"))
            or (self.folder / f"{name}.gz").exists()
        )

    def _as_keeper(self) -> Database:
        return Database(
            host="127.0.0.1",
            port=str(self._place.port("postgres")),
            user=ROLE,
            password=self._place.password("keeper"),
            name="postgres",
        )


def _end_orphans() -> None:
    """End the servers of recoveries that were killed, and clear their folders away."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            _Scratch(folder).stop()
            shutil.rmtree(folder, ignore_errors=True)


class _Scratch:
    """A server that lives as long as somebody copies from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self.segments = folder / "segments"
        self.log = folder / "server.log"

    def lay_out(self, base: Path, segments: Path) -> None:
        """Put everything where the server may read it, as its own."""
        shutil.move(segments, self.segments)
        self.cluster.mkdir(mode=0o700)
        with tarfile.open(base, "r:gz") as packed:
            packed.extractall(self.cluster, filter="data")
        (self.cluster / "recovery.signal").touch()
        # Whoever may enter the folder may ask: passwords of then are not known now.
        (self.cluster / "pg_hba.conf").write_text("local all all trust\n")
        self._give_to_server()

    def _give_to_server(self) -> None:
        user = server_user(self.folder)
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
            if user:
                os.chown(path, *user, follow_symlinks=False)

    def start(self, until: datetime | None) -> Recovered:
        """Start it and wait until it has read the log as far as it was told to."""
        settings: dict[str, Any] = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.folder}'",
            "restore_command": f"'cp {self.segments}/%f %p'",
            "recovery_target_action": "promote",
            "max_wal_size": "2GB",
            "fsync": "off",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if until:
            settings["recovery_target_time"] = f"'{until.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}'"
        with (self.cluster / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        # Not waited for by pg_ctl: it reads the log for as long as that takes.
        with contextlib.suppress(subprocess.CalledProcessError):
            self._control("-l", str(self.log), "-W", "start")
        return Recovered(self._database(), self._wait())

    def _wait(self) -> datetime | None:
        started = time.monotonic()
        while time.monotonic() < started + _PATIENCE_SECONDS:
            with contextlib.suppress(psycopg2.OperationalError):
                is_reading, until = self._ask()
                if not is_reading:
                    return until
            if time.monotonic() > started + _START_SECONDS and not self._is_running():
                raise NothingToRecover(self._why_not())
            time.sleep(0.1)
        raise NothingToRecover("The log was not read to its end within an hour.")

    def _ask(self) -> tuple[bool, datetime | None]:
        with (
            self._database().named("postgres").connect(autocommit=True) as opened,
            opened.cursor() as cursor,
        ):
            cursor.execute("SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp()")
            is_reading, until = cursor.fetchone()
            return is_reading, until

    def _is_running(self) -> bool:
        return (self.cluster / "postmaster.pid").exists()

    def _why_not(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        if any("recovery ended before configured recovery target" in line for line in lines):
            return (
                "What is kept of the log ends before that moment: restore --at latest takes as much"
                " as there is, or name an earlier moment."
            )
        fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
        return f"The server of the recovery ended: {fatal[-1] if fatal else 'it said nothing'}."

    def _database(self) -> Database:
        port = next(
            (
                line.partition("=")[2].strip()
                for line in (self.cluster / "postgresql.conf").read_text().splitlines()
                if line.startswith("port")
            ),
            "5432",
        )
        return Database(
            host=str(self.folder), port=port.split()[0], user=OWNER, password="", name=DATABASE
        )

    def stop(self) -> None:
        """End the server; nothing of it is needed any more."""
        with contextlib.suppress(subprocess.CalledProcessError, LocalServicesFailed):
            self._control("-m", "fast", "-w", "stop")

    def _control(self, *arguments: str) -> None:
        command = [str(bin_dir() / "pg_ctl"), "-D", str(self.cluster), "-s", *arguments]
        run_as_server(command, folder=self.folder)
