"""Passwords and keys are rotated: sessions, connections, old backups go on until they must not."""

from __future__ import annotations

import shutil

import psycopg2
import pytest

from hospital import localdb
from tests.runbooks.pages import Runbook
from tests.runbooks.places import Browser, Hospital

BOOK = Runbook.read("rotating-a-key")


def test_new_passwords_and_keys_break_nothing_and_old_ones_open_nothing(
    hospital: Hospital,
) -> None:
    BOOK.instead = {"make run": hospital.restart}
    browser = Browser(hospital)
    assert browser.sign_in("olga")
    hospital.order("lab", "K-other", hours=5)
    reserved = localdb.reserve(hospital.data)
    with psycopg2.connect(reserved.database_url) as held:
        for role in ("application", "owner", "reports"):
            BOOK.do("A1", hospital, ROLE=role, YOU="olga")
        with held.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    held.close()
    for old in (reserved.database_url, reserved.owner_url):
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(old)
    BOOK.do("A2", hospital)
    assert hospital.ingested(hospital.order("lab", "K-other", hours=4))

    BOOK.do("B1", hospital, YOU="olga")
    BOOK.do("B2", hospital)
    assert browser.is_signed_in()
    BOOK.do("B3", hospital, YOU="olga")
    hospital.restart()
    assert not browser.is_signed_in()
    assert browser.sign_in("olga")
    (versions,) = BOOK.opened("1")
    page = browser.get(versions)
    assert all(name in page for name in ("database.application", "database.owner", "signing"))


def test_a_new_key_of_the_backups_opens_new_ones_and_the_old_ones_too(hospital: Hospital) -> None:
    old = hospital.back_up()
    BOOK.do("C1", hospital, YOU="olga")
    key = hospital.settings.get("HOSPITAL_BACKUP_KEY_FILE") or hospital.data / "secrets/backup-key"
    BOOK.by_hand("C2", lambda: shutil.copy(key, hospital.data.parent / "in-the-safe"))
    BOOK.do("C3", hospital, YOU="olga")
    BOOK.do("C4", hospital, BACKUP=old)
    assert BOOK.left() == []
