"""Zappa as a program beside us: builds packages, and brings them to the functions.

It may end with 0 after a failure: whoever calls looks at what runs. Its words are kept, cut short.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ZappaFailed

# Tells Zappa's callbacks that whoever calls has seen to what comes before, and holds the lock.
CALLED = "VIGIL_DEPLOYS"
_LONGEST = 1800
_TOLD = 3_000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What it prints where something went wrong, whatever its exit status says.
_TROUBLE = re.compile(
    r"^.*(?:Traceback \(most recent|Oh no! An|\bError\b|Failed\b|Unable to|Warning!|\w+Exception\b)"
    r".*$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Zappa:
    """Where the program is, and in which folder its settings lie."""

    program: Path
    folder: Path

    def package(self, stage: str, to: Path) -> str:
        """Build the package of a stage. Raises ZappaFailed."""
        said = self._run("package", stage, "--output", str(to))
        if not to.is_file():
            raise ZappaFailed(f"zappa package ended well and built nothing. It said: {said}")
        return said

    def bring(self, stage: str, package: str, *, is_first: bool) -> str:
        """Let a stage run a package (`s3://…`). Returns what it said. Raises ZappaFailed."""
        return self._run("deploy" if is_first else "update", stage, "--zip", package)

    def _run(self, *words: str) -> str:
        command = [str(self.program), *words]
        with tempfile.TemporaryFile() as printed:
            status = self._status(command, printed)
            printed.seek(0)
            said = _cut(_COLOURS.sub("", printed.read().decode("utf-8", "replace")))
        if status != 0:
            raise ZappaFailed(f"zappa {' '.join(words[:2])} ended with {status}. It said: {said}")
        return said

    def _status(self, command: list[str], printed: object) -> int:
        try:
            # In a session of its own: Ctrl-C is for us, and we let it end what it has begun.
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=printed,  # type: ignore[call-overload]
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ZappaFailed(
                f"{self.program} cannot be started ({error.strerror}): `make setup` makes it."
            ) from error
        try:
            return int(process.wait(timeout=_LONGEST))
        except BaseException:
            _end(process)
            raise

    def _environment(self) -> dict[str, str]:
        """It packs the virtual environment that it is in, and asks the environment for it."""
        home = self.program.parent.parent
        own = {"VIRTUAL_ENV": str(home)} if (home / "pyvenv.cfg").exists() else {}
        return {**os.environ, **own, CALLED: "1", "PYTHONUNBUFFERED": "1"}


def trouble_in(said: str) -> str:
    """Give the lines in which Zappa speaks of a failure, whatever its exit status."""
    return "\n".join(found.group(0).strip() for found in _TROUBLE.finditer(said))


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
            return


def _cut(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _TOLD else f"{text[: _TOLD // 3]}\n…\n{text[-2 * _TOLD // 3 :]}"
