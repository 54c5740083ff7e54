"""The seals as they lie in their storage, outside the database.

Knows how they are found and read. Must not know what the database says of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from django.core.files.storage import Storage

from ops.chain import FOLDER, Header, NoSeal, Row, hash_of, numbered, read
from ops.storage import seal_storage


@dataclass(frozen=True, order=True)
class Kept:
    """The name of one object, and what it says: the seal's number and hash."""

    number: int
    hash: str
    place: str
    storage: Storage | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Seal:
    """One seal as it was read."""

    kept: Kept
    header: Header
    rows: list[Row]


def kept_since(day: date | None = None, *, storage: Storage | None = None) -> Iterator[Kept]:
    """Find the seals of a day and of all later ones; of all days where none is named."""
    for kept in kept_by_day(day, storage=storage):
        yield from kept


def kept_by_day(day: date | None = None, *, storage: Storage | None = None) -> Iterator[list[Kept]]:
    """The same a day at a time: all names of six years would fill the memory."""
    storage = storage or seal_storage()
    least = f"{day:%Y/%m/%d}" if day else ""
    for year in _folders(storage, FOLDER):
        for month in _folders(storage, f"{FOLDER}/{year}"):
            if f"{year}/{month}" < least[:7]:
                continue
            for one in _folders(storage, f"{FOLDER}/{year}/{month}"):
                if f"{year}/{month}/{one}" >= least:
                    yield list(_in(storage, f"{FOLDER}/{year}/{month}/{one}"))


def kept_on(day: str) -> list[Kept]:
    """Find the seals of one day, written as in their names: YYYY/MM/DD."""
    return list(_in(seal_storage(), f"{FOLDER}/{day}"))


def open_seal(kept: Kept) -> Seal:
    """Read a seal. Raises NoSeal where its bytes are not those that its name says, OSError where
    it cannot be read."""
    with (kept.storage or seal_storage()).open(kept.place) as file:
        data: bytes = file.read()
    if hash_of(data) != kept.hash:
        raise NoSeal("Its bytes are not those that were sealed.")
    header, rows = read(data)
    if header.number != kept.number:
        raise NoSeal("Its number is not that of its name.")
    return Seal(kept, header, rows)


def _folders(storage: Storage, path: str) -> list[str]:
    return sorted(name for name in _listed(storage, path)[0] if name)


def _in(storage: Storage, path: str) -> Iterator[Kept]:
    for name in _listed(storage, path)[1]:
        if (found := numbered(name)) is not None:
            yield Kept(*found, f"{path}/{name}", storage)


def _listed(storage: Storage, path: str) -> tuple[list[str], list[str]]:
    try:
        return storage.listdir(path)
    except FileNotFoundError:
        return [], []
