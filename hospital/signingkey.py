"""The signing key of a data folder, and those that it took the place of.

Knows two files and nothing of Django: the settings read them. The old key goes on being believed
(sessions, second factors) until it is dropped, so that nobody is signed out by a new one.
"""

from __future__ import annotations

import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

KEY, OLD = "secret-key", "secret-key.old"


def make_key() -> str:
    """Make one, long and random."""
    return secrets.token_urlsafe(50)


def old_keys(folder: Path) -> list[str]:
    """Give the keys that are still believed, the newest first."""
    return [key for _, key in reversed(_kept(folder))]


def rotate_key(folder: Path, *, now: datetime) -> None:
    """Let a new key take the place of the one that signs; the old one is kept with this moment.

    Kept first: interrupted in between, the same key signs and is believed, which does no harm.
    """
    replaced = (folder / KEY).read_text()
    kept = [(at, key) for at, key in _kept(folder) if key != replaced]
    _write(folder / OLD, _lines([*kept, (now, replaced)]))
    _write(folder / KEY, make_key())


def due_keys(folder: Path, *, now: datetime, after: timedelta) -> int:
    """Count the old keys that have been believed for long enough."""
    return sum(1 for at, _ in _kept(folder) if now - at >= after)


def drop_old_keys(folder: Path, *, now: datetime, after: timedelta) -> None:
    """Believe those no more that were replaced so long ago."""
    left = [(at, key) for at, key in _kept(folder) if now - at < after]
    _write(folder / OLD, _lines(left))


def _kept(folder: Path) -> list[tuple[datetime, str]]:
    try:
        lines = (folder / OLD).read_text().splitlines()
    except FileNotFoundError:
        return []
    read = [json.loads(line) for line in lines]
    return [(datetime.fromisoformat(one["replaced_at"]), one["key"]) for one in read]


def _lines(kept: list[tuple[datetime, str]]) -> str:
    told = [{"replaced_at": at.isoformat(), "key": key} for at, key in kept]
    return "".join(f"{json.dumps(one)}\n" for one in told)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
