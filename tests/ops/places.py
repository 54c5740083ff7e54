"""A place whose backups go into folders of the test's own, with what can go wrong in it.

Backups see what is committed, through connections of their own; so these tests commit, and the
trail, which is never truncated, is emptied by its owner afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import override_settings
from pyrage import x25519

from ops.catalogue import object_path
from ops.databases import Database
from ops.server import drop, exists
from tests.ops.seals import empty_the_trail


@dataclass
class KeptPlace:
    """Folders of one test: backups, and the key apart from them."""

    folder: Path

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def key(self) -> Path:
        return self.folder / "safe" / "backup-key"

    def object_of(self, name: str) -> Path:
        return self.backups / object_path(name, "dump.age")

    def manifest_of(self, name: str) -> Path:
        return self.backups / object_path(name, "manifest.json")

    def rewrite_manifest(self, name: str, **changes: object) -> None:
        """Let a manifest say something else, as if another had made it."""
        path = self.manifest_of(name)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def change_key(self) -> None:
        """Put another key in the place of the right one."""
        self.key.write_text(f"{x25519.Identity.generate()}\n")

    def kept(self) -> list[str]:
        """Name every file among the backups."""
        found = [path for path in self.backups.rglob("*") if path.is_file()]
        return sorted(str(path.relative_to(self.backups)) for path in found)


@contextmanager
def kept_place(folder: Path) -> Iterator[KeptPlace]:
    """Let the settings lead to the folders of one test; afterwards nothing of it is left."""
    place = KeptPlace(folder)
    storages = {
        **settings.STORAGES,
        "backups": {
            "BACKEND": "ops.storage.KeptFolder",
            "OPTIONS": {"location": str(place.backups)},
        },
    }
    with override_settings(STORAGES=storages, BACKUP_KEY_FILE=str(place.key), IS_DEVELOPMENT=True):
        try:
            yield place
        finally:
            _drop_restored()
            empty_the_trail()


def target() -> str:
    """Name a database that a test may restore into."""
    return f"{connection.settings_dict['NAME']}_back"


def databases() -> set[str]:
    """Name every database of this test's, whatever became of it."""
    with Database.of_owner().connect() as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            " OR starts_with(datname, %s)",
            [target(), f"{connection.settings_dict['NAME']}_drill"],
        )
        return {name for (name,) in cursor.fetchall()}


def _drop_restored() -> None:
    server = Database.of_owner()
    for name in databases():
        if exists(server, name):
            drop(server, name)
