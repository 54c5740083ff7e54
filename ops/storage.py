"""Where backups and seals are kept: a folder or an S3 bucket, and nothing kept is overwritten.

Knows how long each kind of object is locked. Must not know what is in it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone
from storages.backends.s3 import S3Storage

# What a storage may raise that refuses or does not answer.
UNREACHABLE = (OSError, BotoCoreError, ClientError)


class AlreadyKept(Exception):
    """An object of this name is kept already, and what is kept is never overwritten."""


def backup_storage() -> Storage:
    """Give the place of the backups."""
    return storages["backups"]


def seal_storage() -> Storage:
    """Give the place of the audit trail's seals, which is never the database."""
    return storages["seals"]


class KeptFolder(FileSystemStorage):
    """A folder on a disk: readable by its owner alone, and on the disk when `save` returns."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700, **options}
        )

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Refuse a name that is taken; Django would save beside it under another."""
        if self.exists(name):
            raise AlreadyKept(name)
        return name

    def _save(self, name: str, content: File[Any]) -> str:
        # Written aside and then named: a full disk or a kill leaves no half of a backup that
        # looks like one.
        kept = Path(self.path(name))
        self.delete(f"{name}.part")
        aside = Path(self.path(super()._save(f"{name}.part", content)))  # type: ignore[misc]
        self._sync(aside)
        aside.rename(kept)
        self._sync(kept.parent)
        return name

    @staticmethod
    def _sync(path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class KeptBucket(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """A bucket with versioning and Object Lock: nobody, not even its owner, removes what is kept
    before its time. The first part of a name says which kind an object is."""

    location: str

    def get_default_settings(self) -> dict[str, Any]:
        """Take versions and locks for granted, and never an alternative name."""
        return {**super().get_default_settings(), "file_overwrite": False, "default_acl": None}

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Refuse a name that is taken."""
        if self.exists(name):
            raise AlreadyKept(name)
        return name

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """Lock each object for as long as its kind is to be kept."""
        # The name comes with the bucket's prefix before it.
        kind = name.removeprefix(f"{self.location}/").partition("/")[0]
        days = settings.KEPT_DAYS.get(kind)
        locked: dict[str, Any] = {}
        if days:
            locked = {
                "ObjectLockMode": settings.OBJECT_LOCK_MODE,
                "ObjectLockRetainUntilDate": timezone.now() + timedelta(days=days),
            }
        return {**super().get_object_parameters(name), "ChecksumAlgorithm": "SHA256", **locked}
