"""Backups that are whole or not there, and restores that are proven or leave nothing."""

from __future__ import annotations

import io
import resource
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from ingestion.models import Patient
from ops import encryption
from ops.catalogue import kept_names, manifest_of
from ops.choices import BackupKind, BackupStatus, HoldScope, RestoreStatus
from ops.databases import Database, program, with_database
from ops.errors import (
    BackupAltered,
    BackupDoesNotFit,
    BackupFailed,
    BackupRunning,
    BackupUnknown,
    KeyMissing,
    OpsError,
    RestoreFailed,
    TargetInUse,
    WrongKey,
)
from ops.models import AuditEvent, Backup, Incident, Muting, Restore, SecretVersion
from ops.server import alone_with, create
from ops.services.backing_up import back_up, due_kind, give_up_old, read_catalogue
from ops.services.drilling import drill
from ops.services.holding import end_hold, place_hold
from ops.services.muting import is_muted, unmute
from ops.services.restoring import Restored, kept_archive, restore
from tests.deliveries import deliver, patient
from tests.ops.places import KeptPlace, databases, kept_place, target

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="place")
def _place(tmp_path: Path, transactional_db: None) -> Iterator[KeptPlace]:
    with kept_place(tmp_path) as place:
        yield place


def a_backup(kind: BackupKind = BackupKind.DAILY) -> Backup:
    return back_up(kind, by="olga", why="For the test.")


def bring_back(name: str, *, to: str = "", is_overwriting: bool = False) -> Restored:
    with kept_archive(name) as archive:
        return restore(
            archive,
            to=to or target(),
            is_overwriting=is_overwriting,
            by="olga",
            why="For the test.",
            say=lambda _: None,
        )


def test_a_backup_says_how_much_is_in_it_and_is_on_the_trail(place: KeptPlace) -> None:
    deliver(patient("1001"), patient("1002"))

    backup = a_backup()

    manifest = manifest_of(backup.name)
    assert backup.status == BackupStatus.MADE
    assert manifest["tables"]["ingestion_patient"]["rows"] == 2
    assert manifest["object"]["sha256"] == backup.sha256
    assert manifest["major"] >= 17
    assert "0001_the_trail" in manifest["migrations"]["ops"]
    assert manifest["recipients"] == [str(one) for one in encryption.recipients()]
    event = AuditEvent.objects.get(act="backup.made")
    assert (event.who, event.object_key, event.why) == ("olga", backup.name, "For the test.")


def test_what_is_kept_cannot_be_read_without_the_key_and_by_its_owner_alone(
    place: KeptPlace,
) -> None:
    deliver(patient("1001", "Ziegler, Walburga"))

    backup = a_backup()

    kept = place.object_of(backup.name)
    assert kept.read_bytes().startswith(b"age-encryption.org/v1")
    assert b"Walburga" not in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"Walburga" not in place.manifest_of(backup.name).read_bytes()


def test_a_restored_database_is_the_one_that_was_backed_up_and_is_muted(place: KeptPlace) -> None:
    deliver(patient("1001", "Brown, Emma"))
    backup = a_backup()

    restored = bring_back(backup.name)

    assert restored.report["rows"] == sum(
        table["rows"] for table in backup.manifest["tables"].values()
    )
    with with_database(target()):
        with connection.cursor() as cursor:
            cursor.execute("SELECT patient_id, last_name FROM ingestion_patient")
            assert cursor.fetchall() == [("1001", "Brown")]
        assert is_muted()
        assert Muting.objects.get().why == f"Restored from {backup.name}."
        assert AuditEvent.objects.filter(act="database.restored", who="olga").count() == 1
        assert Backup.objects.get().status == BackupStatus.MADE
        assert Restore.objects.get().status == RestoreStatus.PROVEN
    assert not is_muted()


def test_the_application_may_write_rows_in_a_restored_database_and_owns_nothing_there(
    place: KeptPlace,
) -> None:
    with connection.cursor() as cursor:
        own = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
        cursor.execute(f"GRANT CONNECT ON DATABASE {own} TO vigil_app")

    bring_back(a_backup().name)

    with Database.of_owner().named(target()).connect() as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT has_database_privilege('vigil_app', current_database(), 'CONNECT'),"
            " has_table_privilege('vigil_app', 'ingestion_patient', 'INSERT'),"
            " has_table_privilege('vigil_app', 'ops_auditevent', 'TRUNCATE'),"
            " has_database_privilege('public', current_database(), 'CONNECT'),"
            " (SELECT count(*) FROM pg_tables WHERE tableowner = 'vigil_app')"
        )
        assert cursor.fetchone() == (True, True, False, False, 0)


def test_unmuting_is_on_the_trail_and_once(place: KeptPlace) -> None:
    bring_back(a_backup().name)

    with with_database(target()):
        assert unmute(by="olga", why="This is the one.") is True
        assert unmute(by="olga", why="Again.") is False
        assert not is_muted()
        assert AuditEvent.objects.get(act="place.unmuted").why == "This is the one."


def _cut(place: KeptPlace, name: str) -> None:
    path = place.object_of(name)
    path.write_bytes(path.read_bytes()[:-100])


def _turn_a_bit(place: KeptPlace, name: str) -> None:
    path = place.object_of(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _cut_and_say_so(place: KeptPlace, name: str) -> None:
    """Whoever can write the backups can write the manifest too."""
    _cut(place, name)
    _let_manifest_fit(place, name)


def _turn_a_bit_and_say_so(place: KeptPlace, name: str) -> None:
    _turn_a_bit(place, name)
    _let_manifest_fit(place, name)


def _let_manifest_fit(place: KeptPlace, name: str) -> None:
    import hashlib

    content = place.object_of(name).read_bytes()
    told = manifest_of(name)["object"]
    told |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    place.rewrite_manifest(name, object=told)


def _lose_object(place: KeptPlace, name: str) -> None:
    place.object_of(name).unlink()


def _claim_a_row_more(place: KeptPlace, name: str) -> None:
    tables = manifest_of(name)["tables"]
    tables["ingestion_patient"]["rows"] += 1
    place.rewrite_manifest(name, tables=tables)


def _claim_other_contents(place: KeptPlace, name: str) -> None:
    tables = manifest_of(name)["tables"]
    tables["ingestion_patient"]["checksum"] = "1"
    place.rewrite_manifest(name, tables=tables)


def _come_from_a_newer_server(place: KeptPlace, name: str) -> None:
    place.rewrite_manifest(name, major=99)


def _come_from_a_newer_vigil(place: KeptPlace, name: str) -> None:
    migrations = manifest_of(name)["migrations"]
    migrations["ops"].append("0099_from_tomorrow")
    place.rewrite_manifest(name, migrations=migrations, version="9.9")


def _lose_key(place: KeptPlace, name: str) -> None:
    place.key.unlink()


def _change_key(place: KeptPlace, name: str) -> None:
    place.change_key()


def _put_key_among_backups(place: KeptPlace, name: str) -> None:
    moved = place.backups / "backup-key"
    place.key.rename(moved)
    place.key.symlink_to(moved)


@pytest.mark.parametrize(
    ("harm", "error", "words"),
    [
        (_cut, BackupAltered, "it was cut off or exchanged"),
        (_turn_a_bit, BackupAltered, "its SHA-256 differs"),
        (_cut_and_say_so, BackupAltered, "damaged, or its end is missing"),
        (_turn_a_bit_and_say_so, BackupAltered, "damaged, or its end is missing"),
        (_lose_object, BackupAltered, "its object is gone"),
        (_claim_a_row_more, RestoreFailed, "ingestion_patient has 1 rows instead of 2"),
        (_claim_other_contents, RestoreFailed, "ingestion_patient has as many rows, and other"),
        (_come_from_a_newer_server, BackupDoesNotFit, "made by PostgreSQL 99"),
        (_come_from_a_newer_vigil, BackupDoesNotFit, "ops.0099_from_tomorrow is the first"),
        (_lose_key, KeyMissing, "is gone"),
        (_change_key, WrongKey, "None of the keys at hand opens this backup"),
        (_put_key_among_backups, KeyMissing, "lies among the backups"),
    ],
)
def test_what_cannot_be_restored_is_refused_with_its_cause_and_leaves_nothing(
    place: KeptPlace,
    harm: Callable[[KeptPlace, str], None],
    error: type[OpsError],
    words: str,
) -> None:
    deliver(patient("1001"))
    name = a_backup().name
    harm(place, name)

    with pytest.raises(error, match=words):
        bring_back(name)

    assert databases() == set()


def test_a_name_that_is_none_and_one_that_is_not_kept_are_told_apart(place: KeptPlace) -> None:
    a_backup()

    with pytest.raises(BackupUnknown, match="is no name of a backup"):
        manifest_of("../../etc/passwd")
    with pytest.raises(BackupUnknown, match="No backup daily-20200101T000000Z is kept"):
        manifest_of("daily-20200101T000000Z")


def test_a_database_that_holds_something_is_not_overwritten_without_the_word(
    place: KeptPlace,
) -> None:
    deliver(patient("1001"))
    name = a_backup().name
    bring_back(name)
    with Database.of_owner().named(target()).connect(autocommit=True) as opened:
        opened.cursor().execute("UPDATE ingestion_patient SET last_name = 'Kept'")

    with pytest.raises(TargetInUse, match="say --overwrite"):
        bring_back(name)

    with Database.of_owner().named(target()).connect() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT last_name FROM ingestion_patient")
        assert cursor.fetchone() == ("Kept",)


def test_what_is_overwritten_is_kept_aside_also_from_under_somebody_who_is_connected(
    place: KeptPlace,
) -> None:
    name = a_backup().name
    bring_back(name)
    with Database.of_owner().named(target()).connect() as opened:
        opened.cursor().execute("SELECT 1")

        restored = bring_back(name, is_overwriting=True)

    before = restored.report["kept_aside"]
    assert before.startswith(f"{target()}_before_")
    assert databases() == {target(), before}


def test_a_backup_of_an_older_schema_is_brought_to_this_one(place: KeptPlace) -> None:
    call_command("migrate", "ops", "0005_deployments_and_checklists", verbosity=0)
    try:
        deliver(patient("1001"))
        name = a_backup().name
    finally:
        call_command("migrate", verbosity=0)

    bring_back(name)

    with with_database(target()):
        assert SecretVersion.objects.count() == 0
        assert Patient.objects.get().patient_id == "1001"


def test_what_a_killed_restore_left_behind_is_cleared_away_by_the_next(place: KeptPlace) -> None:
    name = a_backup().name
    create(Database.of_owner(), f"{target()}_restoring")

    bring_back(name)

    assert databases() == {target()}


def test_two_restores_into_one_database_do_not_meet(place: KeptPlace) -> None:
    name = a_backup().name

    met = pytest.raises(TargetInUse, match="Another restore makes")
    with alone_with(Database.of_owner(), f"{target()}_restoring"), met:
        bring_back(name)

    assert databases() == set()


def test_nobody_restores_over_the_servers_own_databases(place: KeptPlace) -> None:
    name = a_backup().name

    for own in ("postgres", "template0", "template1", "", "x" * 60):
        with kept_archive(name) as archive, pytest.raises(TargetInUse, match="name a database"):
            restore(archive, to=own, is_overwriting=True, by="olga", why="No.", say=lambda _: None)


def test_what_is_kept_aside_is_open_to_nobody_but_its_owner(place: KeptPlace) -> None:
    name = a_backup().name
    bring_back(name)
    server = Database.of_owner()
    with server.connect(autocommit=True) as opened:
        opened.cursor().execute(f"GRANT CONNECT ON DATABASE {target()} TO vigil_app")

    before = bring_back(name, is_overwriting=True).report["kept_aside"]

    with server.connect() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT has_database_privilege('vigil_app', %s, 'CONNECT')", [before])
        assert cursor.fetchone() == (False,)


def test_what_killed_restores_into_other_names_left_is_cleared_away_too(place: KeptPlace) -> None:
    name = a_backup().name
    create(Database.of_owner(), f"{target()}_other_restoring")

    bring_back(name)

    assert databases() == {target()}


def test_a_restore_says_how_far_behind_it_stood(place: KeptPlace) -> None:
    name = a_backup().name

    report = bring_back(name).report

    assert report["stands_as_of"] == manifest_of(name)["snapshot_at"]
    assert 0 <= report["seconds_behind"] < 60


def test_a_backup_that_does_not_open_is_a_drill_that_failed_and_an_incident(
    place: KeptPlace,
) -> None:
    name = a_backup().name
    _turn_a_bit(place, name)

    with pytest.raises(BackupAltered):
        drill(kept_archive(name), name, by="vigil")

    assert Restore.objects.get().status == RestoreStatus.FAILED
    assert Incident.objects.get().title == "A drill failed"


def test_a_failed_backup_is_an_incident(place: KeptPlace) -> None:
    place.backups.mkdir(parents=True)
    (place.backups / "daily").write_text("A file where the folder should be.")

    with pytest.raises(BackupFailed):
        a_backup()

    assert Incident.objects.get().title == f"{Backup.objects.get().name} failed"


def test_there_are_never_two_backups_at_once(place: KeptPlace) -> None:
    with Database.of_owner().connect() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [0x5649_4749_4C20])

        with pytest.raises(BackupRunning):
            a_backup()

    assert place.kept() == []
    assert Backup.objects.count() == 0
    assert a_backup().status == BackupStatus.MADE


def test_a_backup_that_was_killed_is_told_as_failed_by_the_next(place: KeptPlace) -> None:
    killed = Backup.objects.create(
        name="daily-20250320T010000Z",
        kind=BackupKind.DAILY,
        status=BackupStatus.RUNNING,
        by="vigil",
        started_at=timezone.now(),
    )

    a_backup()

    killed.refresh_from_db()
    assert (killed.status, killed.failure) == ("failed", "It was ended before it was done.")


def test_a_storage_that_fails_is_named_and_leaves_nothing_among_the_backups(
    place: KeptPlace,
) -> None:
    place.backups.mkdir(parents=True)
    place.backups.chmod(0o700)
    (place.backups / "daily").write_text("A file where the folder should be.")

    with pytest.raises(BackupFailed, match="could not be made, and nothing of it is kept"):
        a_backup()

    assert place.kept() == ["daily"]
    failed = Backup.objects.get()
    assert failed.status == BackupStatus.FAILED
    assert failed.failure.startswith("Not a directory")
    assert AuditEvent.objects.filter(act="backup.failed").count() == 1


def test_a_full_disk_is_named_and_leaves_nothing_among_the_backups(place: KeptPlace) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(BackupFailed, match="File too large"):
            a_backup()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert place.kept() == []
    assert Backup.objects.get().status == BackupStatus.FAILED


def test_a_dump_that_is_killed_half_way_is_no_backup(place: KeptPlace, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    half = programs / "pg_dump"
    half.write_text(f'#!/bin/sh\n{program("pg_dump")} "$@" | head -c 20000\nkill -9 $$\n')
    half.chmod(0o755)

    ended = pytest.raises(BackupFailed, match="pg_dump was ended by signal 9")
    with override_settings(PG_BIN_DIR=str(programs)), ended:
        a_backup()

    assert place.kept() == []


def test_a_program_that_is_missing_is_named_with_the_next_step(
    place: KeptPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = pytest.raises(BackupFailed, match="pg_dump is missing: run make setup")
    with override_settings(PG_BIN_DIR=str(tmp_path)), missing:
        a_backup()


def test_without_a_key_no_backup_begins(place: KeptPlace) -> None:
    with override_settings(IS_DEVELOPMENT=False), pytest.raises(KeyMissing, match="does not exist"):
        a_backup()

    assert Backup.objects.count() == 0


def test_a_backup_for_a_public_key_is_made_without_the_private_one(place: KeptPlace) -> None:
    public = encryption.add_identity(place.key)
    private = place.key.read_text()
    place.key.unlink()
    with override_settings(BACKUP_RECIPIENTS=[str(public)]):
        name = a_backup().name
    place.key.write_text(private)

    restored = bring_back(name)

    assert restored.database == target()


def test_a_new_key_leaves_older_backups_readable(place: KeptPlace) -> None:
    old = a_backup().name
    encryption.add_identity(place.key)

    new = a_backup(BackupKind.POINT).name

    assert manifest_of(old)["recipients"] != manifest_of(new)["recipients"]
    bring_back(old)
    bring_back(new, is_overwriting=True)


def test_a_drill_proves_a_backup_measures_it_and_leaves_nothing(place: KeptPlace) -> None:
    deliver(patient("1001"))
    name = a_backup().name

    done = drill(kept_archive(name), name, by="vigil")

    assert (done.status, done.source) == ("proven", name)
    assert done.report["reaches"] == manifest_of(name)["snapshot_at"]
    assert set(done.seconds) == {"restore", "verify", "migrate", "in all"}
    assert databases() == set()


def test_a_drill_that_proves_nothing_is_on_record_with_its_reason(place: KeptPlace) -> None:
    name = a_backup().name
    _claim_a_row_more(place, name)

    with pytest.raises(RestoreFailed):
        drill(kept_archive(name), name, by="vigil")

    failed = Restore.objects.get()
    assert failed.status == RestoreStatus.FAILED
    assert "ingestion_patient has 0 rows instead of 1" in failed.failure
    assert databases() == set()


def test_what_is_kept_and_not_on_record_is_put_there(place: KeptPlace) -> None:
    backup = a_backup()
    Backup.objects.all().delete()

    said = read_catalogue()

    assert said == "1 kept backups were not on record and are now"
    found = Backup.objects.get()
    assert (found.name, found.sha256, found.by) == (backup.name, backup.sha256, "olga")


ZONE = ZoneInfo("Europe/Berlin")


def _keep_one(place: KeptPlace, name: str) -> None:
    place.manifest_of(name).parent.mkdir(parents=True)
    place.manifest_of(name).write_text("{}")


@pytest.mark.parametrize(
    ("kept", "now", "due"),
    [
        ([], "2025-03-20 12:00", "monthly"),
        (["monthly-20250301T010500Z"], "2025-03-20 12:00", "weekly"),
        (["monthly-20250301T010500Z", "weekly-20250317T010500Z"], "2025-03-20 12:00", "daily"),
        (["monthly-20250320T010500Z"], "2025-03-20 12:00", None),
        (["monthly-20250320T010500Z"], "2025-03-21 01:59", None),
        (["monthly-20250320T010500Z"], "2025-03-21 02:00", "weekly"),
        # A point made by hand does not stand for the night's.
        (["monthly-20250301T010500Z", "point-20250320T090000Z"], "2025-03-20 12:00", "weekly"),
        # The first night of April.
        (["monthly-20250301T010500Z", "weekly-20250331T000500Z"], "2025-04-01 02:00", "monthly"),
    ],
)
def test_the_night_s_backup_is_due_once_and_the_first_of_a_month_or_week_is_kept_longer(
    place: KeptPlace, kept: list[str], now: str, due: str | None
) -> None:
    for name in kept:
        _keep_one(place, name)

    at = datetime.fromisoformat(now).replace(tzinfo=ZONE)

    assert due_kind(at) == due


def test_what_is_over_its_time_is_given_up_and_never_the_newest_dump(place: KeptPlace) -> None:
    name = a_backup().name
    later = timezone.now() + timedelta(days=400)
    assert give_up_old(now=later, by="vigil") == []
    newer = a_backup().name

    told = give_up_old(now=later, by="vigil", is_dry_run=True)
    still = kept_names()
    given_up = give_up_old(now=later, by="vigil")

    assert told == given_up == [name]
    assert still == [newer, name]
    assert kept_names() == [newer]
    assert Backup.objects.get(name=name).status == BackupStatus.GONE
    assert AuditEvent.objects.get(act="backup.given_up").object_key == name


def test_the_commands_say_what_was_done_and_exit_by_it(place: KeptPlace) -> None:
    out = io.StringIO()
    call_command("backups", stdout=out)
    call_command("backup", "daily", "--by", "olga", stdout=out)
    name = kept_names()[0]
    call_command("backups", stdout=out)
    call_command("drill", stdout=out)

    said = out.getvalue()
    assert "No backup is kept yet: manage.py backup makes one." in said
    assert f"manage.py drill {name}" in said
    assert f"Proven: {name}, " in said
    with pytest.raises(CommandError) as refused:
        call_command("restore", "daily-20200101T000000Z", "--to", target(), "--why", "No.")
    assert refused.value.returncode == 3
    with pytest.raises(CommandError, match="Name a backup, or a moment") as wrong:
        call_command("restore", "--to", target(), "--why", "No.")
    assert wrong.value.returncode == 2
    assert databases() == set()


def test_a_moment_needs_a_log_that_is_ours_to_keep(place: KeptPlace) -> None:
    a_backup()

    with pytest.raises(CommandError, match="kept by whoever runs it"):
        call_command(
            "restore", "--at", f"{datetime(2025, 3, 20, tzinfo=UTC):%Y-%m-%dT%H:%M%z}",
            "--to", target(), "--why", "No.",
        )  # fmt: skip


def test_a_legal_hold_keeps_backups_whose_time_is_over(place: KeptPlace) -> None:
    name = a_backup().name
    newer = a_backup().name
    later = timezone.now() + timedelta(days=400)
    hold = place_hold(HoldScope.EVERYTHING, by="sophie", why="A court asks.")

    assert (give_up_old(now=later, by="vigil"), kept_names()) == ([], [newer, name])

    end_hold(hold, by="sophie", why="The case is closed.")
    assert (give_up_old(now=later, by="vigil"), kept_names()) == ([name], [newer])
