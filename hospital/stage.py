"""What one running hospital consists of: whose data folder, which address, which processes.

Knows the demo's conditions; asks the database nothing and starts nothing.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hospital.localdb.places import is_free
from hospital.supervisor import Child

DEMO_ZONE = "Europe/Berlin"
MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
LARGEST_LOG = 10_000_000


class CannotRun(Exception):
    """Says in one sentence why, and what to do next."""


@dataclass(frozen=True)
class Stage:
    """What was asked for, from the environment."""

    data_dir: Path
    inbox: Path
    is_demo: bool
    host: str
    port: int

    @classmethod
    def from_environment(cls, *, data_dir: Path, inbox: Path) -> "Stage":
        port = os.environ.get("PORT", "8000")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise CannotRun(f"PORT is {port}: set it to a number from 1 to 65535.")
        return cls(
            data_dir=data_dir.resolve(),
            inbox=inbox,
            is_demo=os.environ.get("DEMO", "1") != "0",
            host=os.environ.get("HOST") or "127.0.0.1",
            port=int(port),
        )

    @property
    def address(self) -> str:
        shown = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    def prepare_folders(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.logs, self.inbox):
            folder.mkdir(parents=True, exist_ok=True)
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LARGEST_LOG:
                log.replace(log.with_suffix(".log.1"))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Two supervisors on one folder would deliver and count everything twice."""
        with (self.data_dir / "run.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotRun(
                    f"Vigil already runs in {self.data_dir}: stop it there, or name another folder "
                    "in HOSPITAL_DATA_DIR and another PORT."
                ) from None
            yield

    def require_free_port(self) -> None:
        if is_free(self.port, host=self.host):
            return
        other = next((p for p in range(self.port + 1, 65536) if is_free(p, host=self.host)), 8000)
        raise CannotRun(
            f"Port {self.port} on {self.host} is in use or not yours to use: stop what listens "
            f"there, or take another one: PORT={other} make run"
        )

    def require_own_kind(self, *, has_files: bool) -> None:
        """A data folder belongs to the demo or to a hospital, for ever: invented patients among
        real ones could not be told apart."""
        mark = self.data_dir / "kind"
        kind = mark.read_text().strip() if mark.exists() else "hospital" if has_files else ""
        asked = "demo" if self.is_demo else "hospital"
        if not kind:
            mark.write_text(f"{asked}\n")
        elif kind != asked and self.is_demo:
            raise CannotRun(
                f"The data folder {self.data_dir} holds a hospital's own record, and the demo's "
                "invented patients must not get into it: start with DEMO=0 make run, or name "
                "another folder in HOSPITAL_DATA_DIR."
            )
        elif kind != asked:
            raise CannotRun(
                f"The data folder {self.data_dir} holds the demo's invented patients: name another "
                "folder in HOSPITAL_DATA_DIR for your own, or start the demo with make run."
            )

    def environment(self) -> dict[str, str]:
        """What every child sees besides the addresses of database and broker."""
        own = {"HOSPITAL_DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}
        if self.is_demo:
            own |= {"HOSPITAL_DEMO": "1", "HOSPITAL_TIME_ZONE": DEMO_ZONE}
        else:
            own["HOSPITAL_DEMO"] = "0"
        return {**os.environ, **own}

    def children(self, *, has_local: bool) -> list[Child]:
        """In the order of their start; they stop in the opposite one. `has_local`: the database
        is the embedded one, whose log is ours to keep."""
        python, manage = sys.executable, [sys.executable, str(MANAGE)]
        gunicorn = [
            python, "-m", "gunicorn", "hospital.wsgi:application", "--bind", self._bind(),
            "--config", "python:hospital.webserver",
            "--workers", "2", "--threads", "4", "--graceful-timeout", "3", "--preload",
            # By default it puts a control socket into the user's home.
            "--no-control-socket",
        ]  # fmt: skip
        celery = [python, "-m", "celery", "-A", "hospital"]
        worker = [
            *celery, "worker", "--loglevel", "info", "--concurrency", "2", "--without-gossip",
            "--without-mingle", "--without-heartbeat",
        ]  # fmt: skip
        commands = {
            "web": gunicorn,
            "worker": worker,
            # Backups, seals and samples: a backlog of files must not delay them, nor they it.
            "keeper": [
                *celery,
                "worker",
                "--loglevel",
                "info",
                "--queues",
                "keeping,long",
                "--pool",
                "threads",
                "--concurrency",
                "3",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
                "--hostname",
                "keeper@%h",
            ],
            "beat": [*celery, "beat", "--loglevel", "info"],
            "watcher": [*manage, "watch"],
        }
        if has_local:
            commands["log"] = [*manage, "receivewal"]
        if self.is_demo:
            commands["simulator"] = [
                python,
                "-m",
                "simulator",
                str(self.inbox),
                "--zone",
                DEMO_ZONE,
            ]
        return [
            # A worker that stops finishes the file it is in the middle of.
            Child(name, command, self.logs / f"{name}.log", 10.0 if name == "worker" else 4.0)
            for name, command in commands.items()
        ]

    def _bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
