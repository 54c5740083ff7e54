"""Runs a command that decides a check, and keeps what it printed.

Knows how a command is found, what it may see of our environment, how long it may take, and what of
its output may be kept: a bounded piece, with every secret masked. Must not know any checklist.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from django.conf import settings

# The exit status by which a command says that it could not judge here; what test programs use.
NOT_RUN = 77
TIMED_OUT = 124
_KEPT_AT_START, _KEPT_AT_END = 1_000, 3_000
# More than this is not even read; a masked word may not be cut in two before it is masked.
_READ = 256 << 10

_SEEN = re.compile(
    r"(HOSPITAL|AWS|LC)_\w+|DATABASE_URL|CELERY_BROKER_URL|CACHE_URL|PG_BIN_DIR|PATH|PYTHONPATH"
    r"|VIRTUAL_ENV|HOME|LANG|TZ|TMPDIR|TEMP|SSL_CERT_FILE|DJANGO_SETTINGS_MODULE|PORT"
)
SECRET_NAME = re.compile(r"KEY|SECRET|PASSW|TOKEN|CREDENTIAL|_URL$", re.IGNORECASE)
_IN_WORDS = re.compile(
    r"(?i)((?:password|passwd|secret|token|api_?key|secret_?key)[\"']?\s*[:=]\s*[\"']?)[^\s\"',]+"
)
_IN_ADDRESS = re.compile(r"(\w+://[^\s:/@]*):[^\s@]+@")
MASK = "•••"


@dataclass(frozen=True)
class Command:
    """What decides a check by its exit status.

    `words` begin with manage.py, a script below scripts/, or a program. `needs` is a module without
    which it cannot judge. `seconds` is how long it may take.
    """

    words: tuple[str, ...]
    seconds: float = 60
    needs: str = ""

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Evidence:
    """What a command came to. `exit_status` is None where it was not even started."""

    command: str
    exit_status: int | None
    output: str
    seconds: float

    @property
    def is_judged(self) -> bool:
        """Tell whether there is a verdict at all; what was not run is neither good nor bad."""
        return self.exit_status not in (None, NOT_RUN)

    @property
    def is_good(self) -> bool:
        """Tell whether the verdict is a good one."""
        return self.exit_status == 0


def gather(command: Command) -> Evidence:
    """Run a command, cut off after its time, with all that it started. Raises nothing of its."""
    if command.needs and find_spec(command.needs) is None:
        return Evidence(str(command), None, f"Not run: {command.needs} is not installed.", 0.0)
    program = _program(command.words[0])
    if program is None:
        return Evidence(str(command), None, f"Not run: there is no {command.words[0]} here.", 0.0)
    started = time.monotonic()
    with tempfile.TemporaryFile() as printed:
        status = _run([*program, *command.words[1:]], printed, command.seconds)
        output = _read(printed)
    if status == TIMED_OUT:
        output += f"\nCut off after {command.seconds:g} seconds."
    taken = round(time.monotonic() - started, 3)
    return Evidence(str(command), status, _cut(masked(output)), taken)


def masked(text: str) -> str:
    """Give a text without the secrets of this place, and without what looks like one."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _IN_WORDS.sub(rf"\1{MASK}", _IN_ADDRESS.sub(rf"\1:{MASK}@", text))


def _run(words: list[str], printed: IO[bytes], seconds: float) -> int:
    # In a session of its own: at the end of its time its children go with it.
    with subprocess.Popen(
        words,
        cwd=settings.BASE_DIR,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=printed,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return TIMED_OUT


def _program(name: str) -> list[str] | None:
    if name.endswith(".py"):
        script = Path(settings.BASE_DIR) / name
        return [sys.executable, str(script)] if script.is_file() else None
    # What is installed beside our Python goes before what the machine has.
    beside = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    found = shutil.which(name, path=beside)
    return [found] if found else None


def _environment() -> dict[str, str]:
    """What a command sees. The owner of the database is not among it: a check changes nothing."""
    seen = {name: value for name, value in os.environ.items() if _SEEN.fullmatch(name)}
    if "DATABASE_URL" in seen:
        seen["DATABASE_URL"] = _with_password_of_now(seen["DATABASE_URL"])
    # Else what it printed would stand behind the error with which it ended.
    return {**seen, "PYTHONUNBUFFERED": "1"}


def _with_password_of_now(address: str) -> str:
    """The password may have been rotated since this process was told the address."""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    if not host or not name:
        return address
    password = quote(str(settings.DATABASE_APPLICATION["PASSWORD"]), safe="")
    netloc = f"{name}:{password}@{host}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))


def _secrets() -> set[str]:
    found = {str(settings.SECRET_KEY)}
    for place in (settings.DATABASE_APPLICATION, settings.DATABASE_OWNER):
        found.add(str(place["PASSWORD"] or ""))
    for name, value in os.environ.items():
        if not SECRET_NAME.search(name):
            continue
        try:
            password = urlsplit(value).password if "://" in value else value
        except ValueError:
            password = value
        found |= {password or "", unquote(password or "")}
    # Shorter ones are words that would be masked everywhere, and nothing would be won.
    return {secret for secret in found if len(secret) >= 6}


def _read(printed: IO[bytes]) -> str:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(0)
    if size <= 2 * _READ:
        return printed.read().decode("utf-8", "backslashreplace").replace("\0", "")
    start = printed.read(_READ)
    printed.seek(size - _READ)
    both = start + b"\n" + printed.read()
    return both.decode("utf-8", "backslashreplace").replace("\0", "")


def _cut(text: str) -> str:
    text = text.strip()
    if len(text) <= _KEPT_AT_START + _KEPT_AT_END:
        return text
    left_out = len(text) - _KEPT_AT_START - _KEPT_AT_END
    return f"{text[:_KEPT_AT_START]}\n… {left_out} characters …\n{text[-_KEPT_AT_END:]}"
