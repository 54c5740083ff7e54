"""Asks the place from outside whether it works: each check by its name, with how long it took.

Knows addresses that strangers may open. Must not sign in, and must not know a patient; a higher
room adds the check that does (`add_check`). Nothing is followed elsewhere: an answer that sends us
away is not the answer that was asked for.
"""

from __future__ import annotations

import re
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from ops.choices import StepOutcome

_SECONDS = 10
# A page that strangers get and that asks the database must come within this time, by the middle
# one of some requests.
PACE_SECONDS = 0.5
_PACE_REQUESTS = 5
_ASSET = re.compile(r'(?:src|href)="(/static/[^"?#]+)"')
_MOST = 16 << 20


class SmokeFailed(Exception):
    """A check failed; says what was asked and what came."""


class SmokeNotRun(Exception):
    """A check could not judge here; says why, and what would let it."""


@dataclass(frozen=True)
class SmokeCheck:
    """How one check went."""

    name: str
    outcome: StepOutcome
    seconds: float
    words: str

    def as_facts(self) -> dict[str, Any]:
        """Give it as a deployment keeps it."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "seconds": self.seconds,
            "words": self.words,
        }


def smoke(address: str, names: Iterable[str] = ()) -> list[SmokeCheck]:
    """Make these checks of an address, or all. Raises KeyError for a name that is none."""
    return [_made(name, CHECKS[name], address) for name in (list(names) or list(CHECKS))]


def _made(name: str, check: Callable[[str], str], address: str) -> SmokeCheck:
    started = time.monotonic()
    try:
        words, outcome = check(address), StepOutcome.PASSED
    except SmokeFailed as failed:
        words, outcome = str(failed), StepOutcome.FAILED
    except SmokeNotRun as not_run:
        words, outcome = str(not_run), StepOutcome.NOT_RUN
    return SmokeCheck(name, outcome, round(time.monotonic() - started, 3), words)


def _alive(address: str) -> str:
    return _says(address, "/livez", "alive\n")


def _ready(address: str) -> str:
    return _says(address, "/readyz", "ready\n")


def _says(address: str, path: str, expected: str) -> str:
    if _get(address, path) != expected.encode():
        raise SmokeFailed(f"{path} answers something else than {expected.strip()!r}.")
    return f"{path} says {expected.strip()!r}."


def _sign_in(address: str) -> str:
    page = _get(address, settings.LOGOUT_REDIRECT_URL).decode("utf-8", "replace")
    if 'name="password"' not in page:
        raise SmokeFailed("The sign-in page has no field for a password.")
    found = sorted(set(_ASSET.findall(page)))
    for path in found:
        _get(address, path)
    return f"The sign-in page and its {len(found)} files are served."


def _frontend(address: str) -> str:
    """Hold each file that the built board names against what is served under its address."""
    built = Path(settings.FRONTEND_DIST)
    try:
        page = (built / "index.html").read_text(encoding="utf-8")
        wanted = {
            path: (built / path.removeprefix("/static/app/")).read_bytes()
            for path in sorted(set(_ASSET.findall(page)))
            if path.startswith("/static/app/")
        }
    except OSError as error:
        raise SmokeFailed("The board is not built here: `make setup` builds it.") from error
    if not wanted:
        raise SmokeFailed("The built board names no files: it was not built for this place.")
    for path, content in wanted.items():
        if _get(address, path) != content:
            raise SmokeFailed(f"{path} is served, but it is not the file that was built.")
    return f"All {len(wanted)} files of the board are served as they were built."


def _pace(address: str) -> str:
    taken = []
    for _ in range(_PACE_REQUESTS):
        started = time.monotonic()
        _get(address, "/readyz")
        taken.append(time.monotonic() - started)
    middle = statistics.median(taken)
    words = f"/readyz took {middle:.3f} s, the middle of {len(taken)}; at most {PACE_SECONDS} s."
    if middle > PACE_SECONDS:
        raise SmokeFailed(words)
    return words


def _status_page(address: str) -> str:
    _get(address, "/status")
    return "/status is served to strangers."


CHECKS: dict[str, Callable[[str], str]] = {
    "alive": _alive,
    "ready": _ready,
    "sign-in": _sign_in,
    "frontend": _frontend,
    "pace": _pace,
    "status-page": _status_page,
}


def add_check(name: str, check: Callable[[str], str]) -> None:
    """Make one more check: it is given the address, and says what it saw.

    Raises SmokeFailed where what was asked is not so, SmokeNotRun where it could not be asked.
    """
    CHECKS[name] = check


class StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow nobody: the answer's status then counts as it is."""


_opener = urllib.request.build_opener(StayHere, urllib.request.ProxyHandler({}))


def _get(address: str, path: str) -> bytes:
    request = urllib.request.Request(f"{address}{path}", headers={"Accept-Encoding": "identity"})
    try:
        with _opener.open(request, timeout=_SECONDS) as answer:
            content: bytes = answer.read(_MOST)
            status = answer.status
    except urllib.error.HTTPError as error:
        raise SmokeFailed(f"{path} answers {error.code}.") from error
    except (OSError, ValueError) as error:
        raise SmokeFailed(f"{path} cannot be reached: {type(error).__name__}.") from error
    if status != 200:
        raise SmokeFailed(f"{path} answers {status}.")
    return content
