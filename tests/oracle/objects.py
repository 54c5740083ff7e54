"""What arrives: one object version in storage, and what its feed has declared.

Knows the name of an object and the time that it speaks for. Must not know what lies in it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# The two forms of the contract, section 4; a digit before would make the year a part of a number.
STAMPS = re.compile(
    r"(?<![0-9])(?:"
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2})-([0-9]{2})-([0-9]{2})(?:\.([0-9]+))?Z"
    r"|"
    r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]+))?Z"
    r")"
)


@dataclass(frozen=True, kw_only=True)
class ExportObject:
    """One object version as storage announces it; `received_at` is the clock when it is read."""

    key: str
    version: str
    last_modified: datetime
    content: bytes
    received_at: datetime
    bucket: str = "local"
    source: str = "local"

    @property
    def source_time(self) -> datetime:
        """The first valid time stamp in the name, else the last-modified time."""
        return stamp_in(self.key) or self.last_modified


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What an operator has declared for one feed (a layout and a source)."""

    encoding: str | None = None
    is_day_first: bool = False
    interval: timedelta = timedelta(minutes=15)
    is_retired: bool = False


def stamp_in(name: str) -> datetime | None:
    """Return the first time stamp in `name` that is a real instant."""
    for found in STAMPS.finditer(name):
        parts = [part for part in found.groups()[:6] if part] or list(found.groups()[7:13])
        fraction = (found.group(7) or found.group(14) or "")[:6].ljust(6, "0")
        try:
            return datetime(*[int(part) for part in parts], int(fraction), tzinfo=UTC)  # type: ignore[misc,arg-type]
        except ValueError:
            continue  # "2025-13-45T99-00-00Z" has the form of a stamp and is none
    return None
