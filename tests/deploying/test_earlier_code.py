"""A backup comes back beside the database, by the code of the release that made it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from ops.choices import BackupKind
from ops.databases import Database, with_database
from ops.errors import DeployFailed
from ops.models import Muting
from ops.server import drop, exists
from ops.services.backing_up import back_up
from ops.services.earlier_code import code_of, restore_by
from tests.deliveries import deliver, patient
from tests.deploying.acts import quiet
from tests.deploying.places import git
from tests.ops.places import kept_place
from tests.stage.test_run import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_backup_point_comes_back_beside_and_muted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept_place(tmp_path) as place:
        monkeypatch.setenv("HOSPITAL_BACKUP_DIR", str(place.backups))
        monkeypatch.setenv("HOSPITAL_BACKUP_KEY_FILE", str(place.key))
        deliver(patient("1001"))
        backup = back_up(BackupKind.POINT, by="olga")
        head = git(PROJECT, "rev-parse", "HEAD")

        name, said = restore_by(
            head, backup=backup.name, at="", by="olga", why="It failed.", say=quiet
        )

        try:
            assert name.startswith(f"{str(connection.settings_dict['NAME'])[:25]}_")
            assert said.startswith(f"{name} is restored and muted")
            with with_database(name):
                muting = Muting.objects.get()
            assert muting.muted_by == "olga"
        finally:
            server = Database.of_owner()
            if exists(server, name):
                drop(server, name)


def test_a_commit_that_is_not_here_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with (
        override_settings(BASE_DIR=tmp_path),
        pytest.raises(DeployFailed, match="The commit aaaaaaaaaa is not in this repository"),
        code_of("a" * 40),
    ):
        pass


def test_nothing_of_it_is_left() -> None:
    with code_of(git(Path(settings.BASE_DIR), "rev-parse", "HEAD")) as folder:
        assert (folder / "manage.py").is_file()
    assert not folder.exists()
    assert str(folder) not in git(Path(settings.BASE_DIR), "worktree", "list")
