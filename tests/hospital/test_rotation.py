"""The signing key's rotation, and what the commands say where they cannot rotate."""

from __future__ import annotations

import io
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hospital.database.passwords import Address, Folder
from hospital.rotation import drop_old_signing_keys, rotate_signing_key
from hospital.signingkey import OLD, old_keys
from ops.evidence import _environment as environment_of_a_check
from ops.models import AuditEvent, SecretVersion
from ops.queries.secrets import newest_secret_versions, secrets_never_rotated
from ops.services.secrets import note_new_version
from tests.cast import nora_nurse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "secret-key").write_text("the first key")
    return tmp_path


def test_the_old_key_is_believed_until_its_time_is_over(folder: Path) -> None:
    rotate_signing_key(folder, now=NOW, by="olga", why="Each year.")
    second = (folder / "secret-key").read_text()
    rotate_signing_key(folder, now=NOW + timedelta(days=5), by="olga", why="Again.")

    assert old_keys(folder) == [second, "the first key"]
    assert drop_old_signing_keys(folder, now=NOW + timedelta(days=6)) == 0
    assert drop_old_signing_keys(folder, now=NOW + timedelta(days=7)) == 1
    assert old_keys(folder) == [second]
    assert stat.S_IMODE((folder / OLD).stat().st_mode) == 0o600


def test_each_rotation_is_noted_by_its_name_alone(folder: Path) -> None:
    rotate_signing_key(folder, now=NOW, by="olga", why="Each year.")
    noted = SecretVersion.objects.get()
    event = AuditEvent.objects.get()
    assert (noted.name, noted.version, noted.made_by) == ("signing", 1, "olga")
    assert (event.act, event.object_kind, event.object_key) == (
        "secret.rotated",
        "secret",
        "signing",
    )
    assert (event.why, event.details) == ("Each year.", {"version": 1})


def test_a_session_goes_on_under_a_new_key_and_ends_with_the_old_one(settings: Any) -> None:
    browser = nora_nurse().browser
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key, long and as random as the first"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert browser.get("/api/v1/session/").json()["signed_in"] is True

    stranger = nora_nurse_again(old, settings)
    settings.SECRET_KEY_FALLBACKS = []
    assert stranger.get("/api/v1/session/").json()["signed_in"] is False


def nora_nurse_again(old: str, settings: Any) -> Any:
    """A session that only the old key has signed."""
    fresh, settings.SECRET_KEY = settings.SECRET_KEY, old
    from django.contrib.auth.models import User
    from django.test import Client

    browser = Client()
    browser.force_login(
        User.objects.get(username="nurse"), backend="django.contrib.auth.backends.ModelBackend"
    )
    settings.SECRET_KEY = fresh
    return browser


def test_the_newest_version_of_each_secret_is_known_and_those_never_changed_are_named() -> None:
    for name in ("database.owner", "database.owner", "signing"):
        note_new_version(name, by="olga")
    newest = {one.name: one.version for one in newest_secret_versions()}
    assert newest == {"database.owner": 2, "signing": 1}
    assert secrets_never_rotated() == ["database.application", "database.reports", "backup"]


def test_passwords_that_stand_in_addresses_alone_are_not_rotated_here() -> None:
    with pytest.raises(CommandError, match="name it in DATABASE_PASSWORDS"):
        call_command("rotatepassword", "application")
    assert SecretVersion.objects.count() == 0
    assert AuditEvent.objects.count() == 0


def test_a_refused_rotation_leaves_no_line_on_the_trail(settings: Any, tmp_path: Path) -> None:
    settings.DATABASE_PASSWORDS = str(tmp_path)
    (tmp_path / "reports").write_text("a wrong one")
    with pytest.raises(CommandError, match=r"The server refused: .*authentication failed"):
        call_command("rotatepassword", "reports")
    assert AuditEvent.objects.count() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    assert (tmp_path / "reports").read_text() == "a wrong one"


def test_a_key_that_is_set_from_outside_is_changed_by_hand_in_steps_that_sign_nobody_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOSPITAL_SECRET_KEY", "from outside")
    with pytest.raises(CommandError) as refusal:
        call_command("rotatekey", "signing")
    assert "HOSPITAL_SECRET_KEY_FALLBACKS everywhere, and restart everything" in str(refusal.value)
    assert "from outside" not in str(refusal.value).replace("set from outside", "")
    assert SecretVersion.objects.count() == 0
    call_command("rotatekey", "signing", "--done", by="olga", stdout=io.StringIO())
    assert SecretVersion.objects.get().name == "signing"


def test_a_check_is_given_the_password_of_now(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "application").write_text("the new/one")
    settings.DATABASE_APPLICATION = Address(
        {"USER": "vigil_app", "PASSWORD": "the old one"}, role="application", kept=Folder(tmp_path)
    )
    monkeypatch.setenv("DATABASE_URL", "postgres://vigil_app:old@db.example:5432/vigil")
    seen = environment_of_a_check()
    assert seen["DATABASE_URL"] == "postgres://vigil_app:the%20new%2Fone@db.example:5432/vigil"
    assert "DATABASE_PASSWORDS" not in seen


def test_after_a_theft_the_old_key_is_believed_no_longer(folder: Path) -> None:
    rotate_signing_key(folder, now=NOW, by="olga", why="It was seen.")
    assert drop_old_signing_keys(folder, now=NOW) == 0
    assert drop_old_signing_keys(folder, now=NOW, is_at_once=True) == 1
    assert old_keys(folder) == []


def test_at_once_is_said_of_old_keys_alone() -> None:
    with pytest.raises(CommandError, match="goes with --drop-old"):
        call_command("rotatekey", "signing", "--at-once")
    assert SecretVersion.objects.count() == 0
