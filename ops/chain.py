"""The form of a seal: a header and one line for each event, and the hash that chains it.

Plain Python: how bytes are written and read, never what they mean or where they lie.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FORMAT = "vigil audit seal 1"
FOLDER = "seals"
_NAME = re.compile(r"(?P<number>\d{10})-(?P<hash>[0-9a-f]{64})\.jsonl")

Row = dict[str, Any]


class NoSeal(Exception):
    """These bytes are no seal."""


@dataclass(frozen=True)
class Header:
    """What a seal says of itself before its rows.

    `fields` are those that an event had when it was sealed: one that came later is not held against
    it. `supersedes` names the hashes of seals in storage that do not count from here on.
    """

    number: int
    previous: str
    count: int
    at: datetime
    fields: tuple[str, ...]
    supersedes: tuple[str, ...] = ()


def plain(value: Any) -> Any:
    """Write a value as JSON has it, always in the same way."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, uuid.UUID) else value


def row_of(event: object, fields: Sequence[str]) -> Row:
    """Give these fields of an event in plain values."""
    return {name: plain(getattr(event, name)) for name in fields}


def written(header: Header, rows: Iterable[Row]) -> bytes:
    """Write a seal: the same rows give the same bytes."""
    head = {
        "format": FORMAT,
        "number": header.number,
        "previous": header.previous,
        "count": header.count,
        "at": plain(header.at),
        "fields": list(header.fields),
        "supersedes": list(header.supersedes),
    }
    return b"".join(_line(each) for each in (head, *rows))


def read(data: bytes) -> tuple[Header, list[Row]]:
    """Read a seal. Raises NoSeal."""
    try:
        head, *rows = (json.loads(line) for line in data.decode("utf-8").splitlines())
        header = Header(
            number=int(head["number"]),
            previous=str(head["previous"]),
            count=int(head["count"]),
            at=datetime.fromisoformat(head["at"]),
            fields=tuple(head["fields"]),
            supersedes=tuple(head["supersedes"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NoSeal("This is no seal.") from error
    if head.get("format") != FORMAT or header.count != len(rows):
        raise NoSeal("This is no whole seal.")
    return header, rows


def hash_of(data: bytes) -> str:
    """Give the hash by which the next seal is chained to this one."""
    return hashlib.sha256(data).hexdigest()


def place_of(header: Header, digest: str) -> str:
    """Name a seal's object: by its day, its number and its hash."""
    return f"{FOLDER}/{header.at.astimezone(UTC):%Y/%m/%d}/{header.number:010}-{digest}.jsonl"


def numbered(name: str) -> tuple[int, str] | None:
    """Read number and hash from an object's name; None where it is not that of a seal."""
    found = _NAME.fullmatch(name.rpartition("/")[2])
    return (int(found["number"]), found["hash"]) if found else None


def _line(row: Row) -> bytes:
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode() + b"\n"
