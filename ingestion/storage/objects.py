"""What a stored object is, wherever it lies, and the one error that is no fault of an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO


class StorageUnreachable(OSError):
    """A storage or a queue does not answer, or answers nobody just now.

    That says nothing of any object in it: what was asked for must be asked for again later.
    """

    is_permanent = False


@dataclass(frozen=True)
class StoredObject:
    """One object as its storage tells of it. Times are aware; `size` is in bytes.

    `open` gives a seekable binary stream and may raise OSError: objects vanish. A bucket tells
    versions apart by itself: by `version_id` or, where it keeps no versions, by `etag`, which is
    written with its quotes, so that the two are never taken for each other.
    """

    bucket: str
    key: str
    source: str
    last_modified: datetime
    size: int
    open: Callable[[], BinaryIO]
    version_id: str = ""
    etag: str = ""

    @property
    def tells_its_version(self) -> bool:
        """Whether its version is known without a look at its content."""
        return bool(self.version_id or self.etag)
