"""The command line as tests use it: in this process, or as one of its own on the test database.

A process of its own sees only what is committed: such tests are transactional.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.management import CommandError, call_command
from django.db import connection

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The answer in JSON."""
        answer: dict[str, Any] = json.loads(self.out)
        return answer


def run(command: str, *arguments: object) -> Ran:
    """Run a command in this process, as its user would see it end."""
    out, err = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    try:
        call_command(command, *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
        code = error.returncode
    except SystemExit as end:
        code = end.code
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


def environment(**more: str) -> dict[str, str]:
    """What a process needs to work on the database of this test."""
    place = connection.settings_dict
    user, password = quote(place["USER"]), quote(place["PASSWORD"] or "")
    host = quote(place["HOST"] or "127.0.0.1", safe="")
    address = f"postgres://{user}:{password}@{host}:{place['PORT']}/{place['NAME']}"
    return {**os.environ, "DATABASE_URL": address, "DATABASE_OWNER_URL": address, **more}


def manage(*arguments: object, wrapper: tuple[str, ...] = (), **more: str) -> Ran:
    """Run manage.py as a process of its own."""
    done = subprocess.run(
        [*wrapper, sys.executable, str(PROJECT / "manage.py"), *map(str, arguments)],
        env=environment(**more),
        cwd=PROJECT,
        capture_output=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    # Bytes that are no UTF-8 may stand in a file's name, and so in an answer.
    out, err = (each.decode("utf-8", "backslashreplace") for each in (done.stdout, done.stderr))
    return Ran(done.returncode, out, err)


def python(program: str) -> subprocess.Popen[bytes]:
    """Start a program that talks to the record of this test; whoever starts it waits for it."""
    return subprocess.Popen(
        [sys.executable, "-c", "import django; django.setup()\n" + program],
        env=environment(),
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
