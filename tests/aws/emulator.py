"""An AWS of one's own on loopback: started on a free port, in a folder of its own, and stopped."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
TOOL = PROJECT / ".cache" / "tools" / "emulator" / "bin" / "python"
REGION = "eu-central-1"
ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Emulator:
    """One that runs: its address, and the folder that it and its functions write to."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """Where all services answer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to meet this AWS and no other."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str) -> Any:
        """A client of boto3 for one service."""
        import boto3

        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.address,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def log(self) -> str:
        """What it printed by now."""
        return (self.folder / "emulator.log").read_text(errors="replace")


@contextlib.contextmanager
def emulated(folder: Path, **more: str) -> Iterator[Emulator]:
    """Run an emulator as long as the block; all that it started goes with it."""
    for name in ("tmp", "state", "home"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = _free_port()
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {
        # Its own default is all interfaces.
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "TMPDIR": str(folder / "tmp"),
        "STATE_DIR": str(folder / "state"),
        "HOME": str(folder / "home"),
        # Without a cap, files during an update start a worker each.
        "LAMBDA_ACCOUNT_CONCURRENCY": "8",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        **more,
    }
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [str(TOOL), str(Path(__file__).with_name("mended_emulator.py"))],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    emulator = Emulator(port, folder, process)
    try:
        _wait_until_it_answers(emulator)
        yield emulator
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _wait_until_it_answers(emulator: Emulator) -> None:
    for _ in range(150):
        if emulator.process.poll() is not None:
            raise RuntimeError(f"The emulator did not start: {emulator.log()[-2000:]}")
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            urllib.request.urlopen(f"{emulator.address}/_ministack/health", timeout=2),
        ):
            return
        time.sleep(0.2)
    raise RuntimeError(f"The emulator does not answer: {emulator.log()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
