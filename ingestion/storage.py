"""Where objects lie: local paths of the command line, and the inbox behind Django's storage API.

Knows how to list and open objects. Must not know what is in them, nor write to any of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files.storage import Storage, storages

LOCAL = "local"
# Files in the making, by the names that copying programs give them.
UNFINISHED = (".part", ".tmp")


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
    stat = path.stat()
    return StoredObject(
        bucket=LOCAL,
        key=path.name,
        source=LOCAL,
        last_modified=datetime.fromtimestamp(stat.st_mtime, UTC),
        size=stat.st_size,
        open=lambda: path.open("rb"),
    )


def files_under(folder: Path, *, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """Walk a folder's finished files, those of its sub-folders too, in no particular order."""
    for root, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not is_left_alone(name))


class Inbox:
    """The watched inbox: one sub-folder for each source, in whatever storage is set."""

    def __init__(self, storage: Storage | None = None) -> None:
        self._storage = storage or storages["inbox"]
        self.bucket = str(getattr(self._storage, "bucket_name", "inbox"))

    def sources(self) -> list[str]:
        """Name the sources that have a sub-folder. Raises OSError."""
        self._make()
        return sorted(name for name in self._storage.listdir("")[0] if not name.startswith("."))

    def keys(self, source: str) -> set[str]:
        """Name the finished files of a source. One listing, no look at any file."""
        _, names = self._storage.listdir(source)
        return {f"{source}/{name}" for name in names if not is_left_alone(name)}

    def changed_at(self, source: str) -> float | None:
        """Tell when a source's folder last gained or lost a name; None where nothing tells."""
        try:
            return Path(self._storage.path(source)).stat().st_mtime
        except NotImplementedError:
            return None

    def object(self, key: str) -> StoredObject:
        """Describe one object. Raises OSError (FileNotFoundError when it has vanished)."""
        return StoredObject(
            bucket=self.bucket,
            key=key,
            source=key.partition("/")[0],
            last_modified=self._storage.get_modified_time(key).astimezone(UTC),
            size=self._storage.size(key),
            open=lambda: cast(BinaryIO, self._storage.open(key, "rb")),
        )

    def _make(self) -> None:
        with suppress(NotImplementedError):
            Path(self._storage.path("")).mkdir(parents=True, exist_ok=True)
