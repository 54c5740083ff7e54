"""Where objects lie: local paths of the command line, and the inbox behind Django's storage API.

Knows how to list and open objects. Must not know what is in them, nor write to any of them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files.storage import FileSystemStorage, Storage, storages

LOCAL = "local"
# Files in the making, by the names that copying programs give them.
UNFINISHED = (".part", ".tmp")
# A disk may hold any number as a file's time; outside of these no calendar can follow it.
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


@dataclass(frozen=True)
class StoredObject:
    """One object as its storage tells of it. Times are aware; `size` is in bytes.

    `open` gives a seekable binary stream and may raise OSError: objects vanish.
    """

    bucket: str
    key: str
    source: str
    last_modified: datetime
    size: int
    open: Callable[[], BinaryIO]


def is_left_alone(name: str) -> bool:
    """Tell whether a name is hidden or of a file in the making."""
    return name.startswith(".") or name.lower().endswith(UNFINISHED)


def local_object(path: Path) -> StoredObject:
    """Describe a local file: its name is its key. Raises OSError where it cannot be asked."""
    last_modified, size = _file_at(path)
    return StoredObject(
        bucket=LOCAL,
        key=key_of(path.name),
        source=LOCAL,
        last_modified=last_modified,
        size=size,
        open=lambda: path.open("rb"),
    )


def files_under(folder: Path, *, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """Walk a folder's finished files, those of its sub-folders too, in no particular order."""
    for root, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not is_left_alone(name))


def key_of(name: str) -> str:
    """Write a file's name as a text that can be stored.

    A name is bytes: those that are no UTF-8 are written as `\\xff`, or one such file would stop
    the whole folder.
    """
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _name_of(key: str) -> str:
    """Give back the name whose key this is, where that had bytes that are no UTF-8."""
    raw = _ESCAPED_BYTE.sub(lambda found: bytes([int(found[1], 16)]), key.encode())
    return os.fsdecode(raw)


def _file_at(path: str | Path) -> tuple[datetime, int]:
    """Give a file's last change and size. Raises OSError.

    A pipe or a device is no file: to open one might wait for ever.
    """
    found = os.stat(path)  # noqa: PTH116 (asked a thousand times a second: a Path costs more)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return _instant(found.st_mtime_ns), found.st_size


def _instant(nanoseconds: int) -> datetime:
    try:
        at = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return _LATEST if nanoseconds > 0 else _EARLIEST
    return min(max(at, _EARLIEST), _LATEST)


class Inbox:
    """The watched inbox: one sub-folder for each source, in whatever storage is set."""

    def __init__(self, storage: Storage | None = None) -> None:
        self._storage = storage or storages["inbox"]
        self.bucket = str(getattr(self._storage, "bucket_name", "inbox"))
        # None: not a folder of this machine, and asked through the storage alone.
        is_folder = isinstance(self._storage, FileSystemStorage)
        self._root = Path(self._storage.path("")) if is_folder else None

    def sources(self) -> list[str]:
        """Name the sources that have a sub-folder. Raises OSError."""
        if self._root is not None:
            self._root.mkdir(parents=True, exist_ok=True)
        return sorted(name for name in self._storage.listdir("")[0] if not name.startswith("."))

    def names(self, source: str) -> list[str]:
        """List a source's names, as they lie, in one listing without a look at any of them.

        Names that are left alone are still among them: telling a million apart takes its time.
        """
        if self._root is not None:
            return os.listdir(self._root / source)  # noqa: PTH208 (a million names, no Paths)
        return self._storage.listdir(source)[1]

    def changed_at(self, source: str) -> float | None:
        """Tell when a source's folder last gained or lost a name; None where nothing tells."""
        return None if self._root is None else (self._root / source).stat().st_mtime

    def shape(self, source: str, name: str) -> tuple[datetime, int]:
        """Give an object's last change and size, by its name as it lies. Raises OSError."""
        if self._root is not None:
            return _file_at(f"{self._root}/{source}/{name}")
        key = f"{source}/{name}"
        return self._storage.get_modified_time(key).astimezone(UTC), self._storage.size(key)

    def object(self, key: str) -> StoredObject:
        """Describe one object. Raises OSError (FileNotFoundError when it has vanished)."""
        source, _, name = key.partition("/")
        try:
            last_modified, size = self.shape(source, name)
            path = key
        except FileNotFoundError:
            path = _name_of(key)
            if path == key:
                raise
            last_modified, size = self.shape(*path.split("/", 1))
        return StoredObject(
            bucket=self.bucket,
            key=key,
            source=source,
            last_modified=last_modified,
            size=size,
            open=lambda: cast(BinaryIO, self._storage.open(path, "rb")),
        )
