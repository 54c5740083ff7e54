"""Where the local services keep things: folders, ports, passwords, the lock. Starts nothing."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The mark that the cluster of a data folder has tables, and with them a record.
TABLES_MADE = "tables"


class LocalServicesFailed(Exception):
    """Says in one sentence what is wrong and what to do next."""


@dataclass(frozen=True)
class Place:
    """One data folder. Two folders never share a port, a socket, a password or a lock."""

    data_dir: Path

    @classmethod
    def at(cls, data_dir: Path) -> "Place":
        # Resolved: the same folder by two names must not become two servers on one cluster.
        return cls(Path(data_dir).resolve())

    def make(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            for private in ("secrets", "ports"):
                (self.data_dir / private).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise LocalServicesFailed(
                f"The data folder {self.data_dir} cannot be written ({error.strerror}): make it "
                "writable, or name another one in HOSPITAL_DATA_DIR."
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time starts or stops what lies in this folder."""
        self.make()
        with _writable(self.data_dir / "services.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def password(self, name: str) -> str:
        """The password kept under a name; made at the first call, whoever calls first."""
        kept = self.data_dir / "secrets" / name
        if not kept.exists():
            _write_once(kept, secrets.token_urlsafe(24))
        return kept.read_text()

    def port(self, name: str) -> int:
        """The port kept under a name: an address handed out before a restart holds after it."""
        kept = self.data_dir / "ports" / name
        if not kept.exists():
            _write_once(kept, str(free_port()))
        return int(kept.read_text())

    def move_port(self, name: str) -> int:
        """Another port, because somebody else listens on the kept one."""
        (self.data_dir / "ports" / name).unlink(missing_ok=True)
        return self.port(name)

    @property
    def socket_dir(self) -> Path:
        # A socket's path holds 107 bytes at most; a data folder's may be longer.
        name = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"vigil-{os.geteuid()}-{name}"

    def remove_socket_dir(self) -> None:
        shutil.rmtree(self.socket_dir, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LocalServicesFailed(
            f"{path} belongs to another user: run as that user, or name another folder in "
            "HOSPITAL_DATA_DIR."
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _write_once(path: Path, text: str) -> None:
    # Written aside and linked into place: two processes that start at once read one value.
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
