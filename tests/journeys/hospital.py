"""A whole hospital for a journey: everything that `manage.py run` starts, in a folder of its own.

Knows how to start and stop it, how to sign somebody up, and how to drop a file into its inbox.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
_MANAGE = [sys.executable, str(PROJECT / "manage.py")]
# The tests' own database must not be the hospital's.
_OURS = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_PASSWORDS",
    "DATABASE_READER_URL",
    "CELERY_BROKER_URL",
    "CACHE_URL",
)


@dataclass
class LiveHospital:
    """One hospital, started with DEMO=0: nobody in it but whom the journey brings."""

    folder: Path
    port: int = 0
    username: str = "nora"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where its board is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all its commands."""
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        return kept | {
            "HOSPITAL_DATA_DIR": str(self.folder),
            "HOSPITAL_STAGE": "development",
            "HOSPITAL_TIME_ZONE": "Europe/Berlin",
            "DEMO": "0",
            "PORT": str(self.port),
            "DJANGO_SUPERUSER_PASSWORD": self.password,
        }

    def start(self) -> None:
        """Start it and wait until it answers. Raises TimeoutError with the end of its log."""
        self.port = _free_port()
        with (self.folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_MANAGE, "run"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()
        self.manage("createsuperuser", "--noinput", f"--username={self.username}", "--email=")

    def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)

    def manage(self, *arguments: str) -> str:
        """Run one of its commands and give what it printed."""
        done = subprocess.run(
            [*_MANAGE, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    def drop(self, source: str, name: str, *lines: str) -> Path:
        """Put a file into the inbox as an export would: written aside, then renamed."""
        folder = self.folder / "inbox" / source
        folder.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        path = folder / f"{name}-{stamp}.csv"
        part = path.with_suffix(".part")
        part.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return part.rename(path)

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            assert self.process
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.address}readyz", timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        raise TimeoutError((self.folder / "run.log").read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
