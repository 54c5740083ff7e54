"""Local paths of the command line, and the inbox folder behind Django's storage API.

Knows how to list and open files. Must not know what is in them, nor write to any of them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files.storage import FileSystemStorage, Storage, storages

from ingestion.errors import SourceNotDeclared
from ingestion.models import FeedFile
from ingestion.names import is_left_alone, key_of, name_of
from ingestion.notices import Notice
from ingestion.storage.objects import StoredObject

LOCAL = "local"
# A disk may hold any number as a file's time; outside of these no calendar can follow it.
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    bucket = "inbox"

    def __init__(self, storage: Storage | None = None) -> None:
        self._storage = storage or storages["inbox"]
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
            path = name_of(key)
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

    @property
    def buckets(self) -> list[str]:
        """Under which bucket its objects are on record: those that a drain may take."""
        return [self.bucket]

    def object_on_record(self, feed_file: FeedFile) -> StoredObject:
        """Describe what lies there now under the key of a file on record. Raises OSError."""
        return self.object(feed_file.key)

    def source_of(self, key: str) -> str:
        """Name the source of a key. Raises SourceNotDeclared where it is not in a sub-folder."""
        source, _, name = key.partition("/")
        if not source or not name or "/" in name or ".." in (source, name):
            raise SourceNotDeclared
        return source

    def object_told_of(self, notice: Notice) -> StoredObject:
        """Describe the object of a notice. Raises OSError, SourceNotDeclared."""
        self.source_of(notice.key)
        return self.object(notice.key)
