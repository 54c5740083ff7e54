"""Backups, restores and mutings on the operators' pages: read by them alone, acts confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from ops.choices import BackupKind, BackupStatus, RestoreKind, RestoreStatus
from ops.models import AuditEvent, Backup, Muting, Restore
from ops.services.backing_up import back_up
from ops.services.muting import is_muted, mute
from tests.ops.places import KeptPlace, kept_place

pytestmark = pytest.mark.django_db(transaction=True)

BACKUPS = "/admin/ops/backup/"
RESTORES = "/admin/ops/restore/"
MUTINGS = "/admin/ops/muting/"


@pytest.fixture(name="place")
def _place(tmp_path: Path, transactional_db: None) -> Iterator[KeptPlace]:
    with kept_place(tmp_path) as place, override_settings(CELERY_TASK_ALWAYS_EAGER=True):
        yield place


def test_operators_alone_see_them_and_an_empty_list_says_what_will_be_there(
    place: KeptPlace, operator: Client, nurse: Client
) -> None:
    for address, words in (
        (BACKUPS, "No backup was made yet."),
        (RESTORES, "Nothing was restored yet."),
        (MUTINGS, "This place was never muted."),
    ):
        assert words in operator.get(address).content.decode()
        assert nurse.get(address, follow=True).status_code == 403


def test_a_backup_shows_how_much_it_holds_and_what_opens_it(
    place: KeptPlace, operator: Client
) -> None:
    backup = back_up(BackupKind.DAILY, by="olga")

    listed = operator.get(BACKUPS).content.decode()
    shown = operator.get(f"{BACKUPS}{backup.pk}/change/").content.decode()

    assert backup.name in listed
    assert backup.manifest["recipients"][0] in shown
    assert "ingestion_patient" in shown
    assert "Prove it by a restore" in shown


def test_a_backup_that_failed_shows_why(place: KeptPlace, operator: Client) -> None:
    Backup.objects.create(
        name="daily-20250320T010000Z",
        kind=BackupKind.DAILY,
        status=BackupStatus.FAILED,
        by="vigil",
        started_at=timezone.now(),
        failure="No space left on device.",
    )

    assert "Failed: No space left on device." in operator.get(BACKUPS).content.decode()


def test_a_drill_shows_its_figures(place: KeptPlace, operator: Client) -> None:
    one = Restore.objects.create(
        kind=RestoreKind.DRILL,
        status=RestoreStatus.PROVEN,
        source="daily-20250320T010000Z",
        target="vigil_drill",
        by="vigil",
        started_at=timezone.now(),
        finished_at=timezone.now() + timedelta(seconds=9),
        seconds={"restore": 6.5, "verify": 1.0, "in all": 8.25},
        report={"tables": 47, "rows": 12_345, "reaches": "2025-03-20T01:00:00+00:00"},
    )

    listed = operator.get(RESTORES).content.decode()
    shown = operator.get(f"{RESTORES}{one.pk}/change/").content.decode()

    assert "8.2 s" in listed
    assert "47 tables, 12,345 rows, each as it was backed up" in shown


def test_nobody_writes_these_by_hand(place: KeptPlace, operator: Client) -> None:
    backup = back_up(BackupKind.POINT, by="olga")

    assert operator.post(f"{BACKUPS}{backup.pk}/delete/", {"post": "yes"}).status_code == 403
    assert operator.get(f"{BACKUPS}add/").status_code == 403
    assert Backup.objects.count() == 1


def test_letting_the_place_act_again_is_asked_about_and_needs_a_reason(
    place: KeptPlace, operator: Client, nurse: Client
) -> None:
    mute(by="olga", why="Restored from daily-20250320T010000Z.")

    assert "<strong>This place is muted.</strong>" in operator.get(MUTINGS).content.decode()
    assert nurse.post(f"{MUTINGS}end/", {"why": "I may not."}).status_code in {302, 403}
    asked = operator.get(f"{MUTINGS}end/").content.decode()
    assert "Be sure that no other copy of this hospital acts" in asked
    operator.post(f"{MUTINGS}end/", {"why": ""})
    assert is_muted()

    operator.post(f"{MUTINGS}end/", {"why": "This is the one."})

    assert not is_muted()
    assert Muting.objects.get().ended_by == "operator"
    assert AuditEvent.objects.get(act="place.unmuted").why == "This is the one."


def test_who_may_look_and_not_act_is_shown_no_act(place: KeptPlace) -> None:
    from django.contrib.auth.models import Permission, User

    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_backup"))
    browser = Client()
    browser.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    back_up(BackupKind.POINT, by="olga")

    assert "Make a backup" not in browser.get(BACKUPS).content.decode()
    assert browser.post(f"{BACKUPS}make/", {"kind": "point", "why": "No."}).status_code == 403
    assert Backup.objects.count() == 1
