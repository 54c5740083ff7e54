"""A database on RDS comes back as it was at a moment, as a new instance, on an emulator."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from moto import mock_aws

from ingestion.models import Patient
from ops.databases import with_database
from ops.errors import (
    NothingToRecover,
    RestoreFailed,
    TargetInUse,
)
from ops.models import AuditEvent, Muting, Restore
from ops.services import nightly
from ops.services.log_shipping import back_up_base
from ops.services.muting import is_muted
from ops.services.rds import (
    kept_snapshots,
    recover_instance,
)
from ops.services.restoring import Restored
from tests.deliveries import deliver, patient
from tests.ingestion.clouds import PMS, Cloud, made_up_credentials, people
from tests.ops.instances import (
    EARLIEST,
    KEY,
    LATEST,
    OWN,
    ROLE,
    Instances,
    acts,
    instances,
    let_rds_bring_back_what_is_there_now,
    lost_answers,
    signed_in_as_somebody,
)
from tests.ops.places import kept_place, target

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="cloud")
def _cloud(
    tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Instances]:
    with (
        kept_place(tmp_path),
        made_up_credentials(),
        mock_aws(),
        override_settings(RDS_INSTANCE=OWN),
        instances(monkeypatch) as cloud,
    ):
        yield cloud


@pytest.fixture(name="waits")
def _waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that nobody waits for. Lists how long each wait would have been."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def bring_back(to: str = "hospital-db-2", **more: Any) -> Restored:
    return recover_instance(to=to, by="olga", why="For the test.", **{"until": None, **more})


def test_the_hospital_comes_back_muted_and_catches_up_with_what_was_received_since(
    cloud: Instances,
) -> None:
    s3 = Cloud()
    s3.bucket("hospital-pms")
    deliver(patient("1001", "Brown, Emma"))
    let_rds_bring_back_what_is_there_now()
    s3.put("hospital-pms", "patients_2.csv", people("1002,Ada,Stone,1970-05-01"))

    with override_settings(BUCKETS=PMS):
        restored = bring_back()

    assert restored.report["address"] == f"127.0.0.1:{cloud.door.port}"
    assert restored.report["not_caught_up"] == {}
    assert restored.report["not_carried_over"] == ""
    with with_database(target()):
        assert sorted(Patient.objects.values_list("patient_id", flat=True)) == ["1001", "1002"]
        assert is_muted()
        source = f"{OWN} as of 2025-03-20 11:56:00 UTC"
        assert Muting.objects.get().why == f"Restored from {source}."
        kept = Restore.objects.get()
        assert (kept.source, kept.target, kept.status) == (source, "hospital-db-2", "proven")
        assert set(kept.seconds) == {"recover", "verify", "migrate", "catch up"}
        assert AuditEvent.objects.filter(act="database.restored", who="olga").count() == 1
    assert not is_muted()
    assert list(Patient.objects.values_list("patient_id", flat=True)) == ["1001"]
    event = AuditEvent.objects.get()
    assert (event.act, event.who, event.object_key, event.details) == (
        "database.recovery_begun", "olga", "hospital-db-2", {"source": source},
    )  # fmt: skip


def test_the_new_instance_is_set_up_as_its_source(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_rds_bring_back_what_is_there_now()
    asked = _listened(cloud, monkeypatch)

    bring_back(until=LATEST - timedelta(hours=1))

    told = asked["RestoreDBInstanceToPointInTime"]
    assert told.pop("Tags")[0] == {"Key": "cost-centre", "Value": "42"}
    assert told == {
        "SourceDBInstanceIdentifier": OWN,
        "TargetDBInstanceIdentifier": "hospital-db-2",
        "RestoreTime": LATEST - timedelta(hours=1),
        "DBInstanceClass": "db.m7g.large",
        "DBSubnetGroupName": "inner",
        "VpcSecurityGroupIds": [cloud.group],
        "DBParameterGroupName": "tuned",
        "MultiAZ": True,
        "PubliclyAccessible": False,
        "EnableIAMDatabaseAuthentication": True,
        "EnableCloudwatchLogsExports": ["postgresql"],
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": True,
        "CACertificateIdentifier": "rds-ca-default",
        "BackupRetentionPeriod": 14,
        "PreferredBackupWindow": "13:14-13:44",
        "MaxAllocatedStorage": 1000,
        "StorageType": "gp3",
        "Iops": 13000,
        "StorageThroughput": 600,
    }
    assert asked["ModifyDBInstance"] == {
        "DBInstanceIdentifier": "hospital-db-2",
        "ApplyImmediately": True,
        "MonitoringInterval": 60,
        "MonitoringRoleArn": ROLE,
        "PreferredMaintenanceWindow": "wed:06:38-wed:07:08",
        "DeletionProtection": True,
    }
    assert asked["AddRoleToDBInstance"] == {
        "DBInstanceIdentifier": "hospital-db-2",
        "RoleArn": ROLE,
        "FeatureName": "s3Import",
    }
    made = cloud.of("hospital-db-2")
    assert (made["KmsKeyId"], made["StorageEncrypted"], made["DeletionProtection"]) == (
        KEY, True, True,
    )  # fmt: skip


def _listened(cloud: Instances, patch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What boto3 is told to ask of RDS, by operation."""
    asked: dict[str, dict[str, Any]] = {}

    def hear(params: dict[str, Any], model: Any, **_: Any) -> None:
        asked[model.name] = dict(params)

    session = boto3.Session()
    session.events.register("provide-client-params.rds", hear)
    patch.setattr(boto3, "DEFAULT_SESSION", session)
    return asked


def test_a_moment_outside_of_what_rds_keeps_is_refused_with_the_bounds(cloud: Instances) -> None:
    bounds = "it can from 2025-03-13 03:00:00 UTC until 2025-03-20 11:56:00 UTC"

    for until in (EARLIEST - timedelta(seconds=1), LATEST + timedelta(seconds=1)):
        with pytest.raises(NothingToRecover, match=bounds):
            bring_back(until=until)

    assert cloud.names() == [OWN]
    assert acts() == []


def test_where_automated_backups_are_off_nothing_is_asked_for(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(cloud.backend.databases[OWN]), "latest_restorable_time", None)

    with pytest.raises(NothingToRecover, match="automated backups are off"):
        bring_back()

    assert cloud.names() == [OWN]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        (OWN, "There is an instance hospital-db already, and an instance is never overwritten"),
        ("HOSPITAL-DB", "There is an instance hospital-db already"),
        ("two--hyphens", "is no identifier of an instance"),
    ],
)
def test_no_instance_is_overwritten(cloud: Instances, to: str, words: str) -> None:
    with pytest.raises(TargetInUse, match=words):
        bring_back(to)

    assert cloud.names() == [OWN]
    assert cloud.of(OWN)["DeletionProtection"] is True


def test_an_instance_that_does_not_come_up_is_deleted_again(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_every_new_instance_be(cloud, "incompatible-network", monkeypatch)

    with pytest.raises(
        RestoreFailed, match=r"AWS says of it: incompatible-network.*Nothing half-restored"
    ):
        bring_back()

    assert cloud.names() == [OWN]
    assert cloud.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []


def _let_every_new_instance_be(cloud: Instances, status: str, patch: pytest.MonkeyPatch) -> None:
    emulator = type(cloud.backend)
    make = emulator.create_db_instance

    def make_so(backend: Any, props: dict[str, Any]) -> Any:
        made = make(backend, props)
        made.status = status
        return made

    patch.setattr(emulator, "create_db_instance", make_so)


def test_an_instance_whose_database_is_not_there_is_deleted_again(cloud: Instances) -> None:
    with pytest.raises(RestoreFailed, match=r"There was no database .*Nothing half-restored"):
        bring_back()

    assert cloud.names() == [OWN]
    assert cloud.of(OWN)["DeletionProtection"] is True


def test_an_instance_that_cannot_be_reached_is_tried_for_minutes_and_deleted_again(
    cloud: Instances, waits: list[float]
) -> None:
    cloud.door.close()

    with pytest.raises(RestoreFailed, match=r"cannot be reached at 127.0.0.1:.*security groups"):
        bring_back()

    assert sum(waits) == 270
    assert cloud.names() == [OWN]


def test_an_instance_of_a_newer_vigil_is_deleted_again(cloud: Instances) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('ops', '0099_from_tomorrow', now())"
        )
    let_rds_bring_back_what_is_there_now()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '0099_from_tomorrow'")

    with pytest.raises(RestoreFailed, match=r"ops.0099_from_tomorrow is the first"):
        bring_back()

    assert cloud.names() == [OWN]


def test_whoever_stops_it_leaves_no_instance(cloud: Instances) -> None:
    def say(words: str) -> None:
        if words == "connecting to it":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_back(say=say)

    assert cloud.names() == [OWN]


def test_another_s_instance_of_that_name_is_left_alone(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(words: str) -> None:
        if words.startswith("asking"):
            cloud.rds.create_db_instance(
                DBInstanceIdentifier="hospital-db-2", DBInstanceClass="db.t4g.micro",
                Engine="postgres", AllocatedStorage=20,
                MasterUsername="another", MasterUserPassword="made-up-made-up",
            )  # fmt: skip

    with pytest.raises(RestoreFailed, match="Somebody made an instance of that name"):
        bring_back(say=say)

    assert cloud.names() == [OWN, "hospital-db-2"]
    assert cloud.of("hospital-db-2")["MasterUsername"] == "another"


def test_an_answer_that_is_lost_leaves_one_instance_that_is_known_as_ours(
    cloud: Instances,
) -> None:
    let_rds_bring_back_what_is_there_now()

    with lost_answers("RestoreDBInstanceToPointInTime", 1):
        restored = bring_back()

    assert restored.report["not_carried_over"] == ""
    assert cloud.names() == [OWN, "hospital-db-2"]


def test_where_every_answer_is_lost_what_was_begun_all_the_same_is_deleted(
    cloud: Instances,
) -> None:
    with (
        lost_answers("RestoreDBInstanceToPointInTime", 3),
        pytest.raises(RestoreFailed, match=r"RDS does not answer .*Nothing half-restored is left"),
    ):
        bring_back()

    assert cloud.names() == [OWN]


def test_what_cannot_be_deleted_is_said_with_the_words_that_delete_it(
    cloud: Instances, waits: list[float]
) -> None:
    rights = ("rds:Describe*", "rds:RestoreDBInstanceToPointInTime", "rds:ModifyDBInstance")

    with (
        signed_in_as_somebody(*rights),
        pytest.raises(
            RestoreFailed,
            match=r"could not be deleted: AWS does not allow rds:DeleteDBInstance.*"
            "aws rds delete-db-instance --db-instance-identifier hospital-db-2",
        ),
    ):
        bring_back()

    assert sorted(cloud.backend.databases) == [OWN, "hospital-db-2"]


def test_what_is_not_set_up_as_its_source_is_said_and_no_reason_to_delete_it(
    cloud: Instances,
) -> None:
    let_rds_bring_back_what_is_there_now()
    rights = ("rds:Describe*", "rds:RestoreDBInstanceToPointInTime")

    with signed_in_as_somebody(*rights), pytest.raises(CommandError) as told:
        call_command("restore", "--at", "latest", "--to", "Hospital-DB-2", "--why", "Needed.")

    assert told.value.returncode == 3
    assert "AWS does not allow rds:AddRoleToDBInstance" in str(told.value)
    assert "Set by hand what hospital-db has: MonitoringInterval" in str(told.value)
    assert sorted(cloud.backend.databases) == [OWN, "hospital-db-2"]
    with with_database(target()):
        assert is_muted()


def test_it_comes_back_also_when_the_hospital_s_own_server_is_dead(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_rds_bring_back_what_is_there_now()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", port)
        restored = bring_back()

    assert restored.report["not_caught_up"] == {}
    assert AuditEvent.objects.count() == 0
    with with_database(target()):
        assert is_muted()


def test_it_comes_back_also_when_its_own_database_is_gone(cloud: Instances) -> None:
    let_rds_bring_back_what_is_there_now()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ops_auditevent RENAME TO gone")
    try:
        restored = bring_back()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO ops_auditevent")

    assert restored.report["not_caught_up"] == {}
    with with_database(target()):
        assert is_muted()


def test_without_the_right_to_recover_nothing_is_made(
    cloud: Instances,
) -> None:
    with (
        signed_in_as_somebody("rds:Describe*"),
        pytest.raises(RestoreFailed, match=r"rds:RestoreDBInstanceToPointInTime.*Nothing half"),
    ):
        bring_back()

    assert sorted(cloud.backend.databases) == [OWN]


def test_the_commands_say_what_was_done_and_what_to_do_next(cloud: Instances) -> None:
    let_rds_bring_back_what_is_there_now()
    out = io.StringIO()

    call_command("snapshot", "--list", stdout=out)
    call_command("snapshot", "--by", "olga", stdout=out)
    call_command("snapshot", "--list", stdout=out)
    call_command("restore", "--at", "latest", "--to", "hospital-db-2", "--why", "Lost.", stdout=out)

    said = out.getvalue()
    (taken,) = kept_snapshots()
    assert "Vigil took no snapshot yet: manage.py snapshot takes one." in said
    assert f"{taken.name}: 500 GiB of disk, available." in said
    assert f"{taken.name} " in said
    assert "It stood as of 2025-03-20T11:56:00+00:00, " in said
    assert "RDS keeps no figures to hold them against" in said
    assert f"It is at 127.0.0.1:{cloud.door.port}." in said
    assert "HOSPITAL_RDS_INSTANCE to hospital-db-2" in said
    assert "hospital-db-2 is restored and muted" in said


def test_the_command_overwrites_no_instance(cloud: Instances) -> None:
    with pytest.raises(CommandError, match="is never overwritten") as refused:
        call_command("restore", "--at", "latest", "--to", OWN, "--overwrite", "--why", "No.")

    assert refused.value.returncode == 2
    assert cloud.names() == [OWN]


def test_whoever_asks_for_a_base_of_the_log_is_led_to_rds(cloud: Instances) -> None:
    with pytest.raises(NothingToRecover, match=r"RDS keeps the log of hospital-db: manage.py rest"):
        back_up_base(by="olga")


def test_the_night_takes_one_snapshot_however_often_it_is_tried(cloud: Instances) -> None:
    with override_settings(BACKUP_KEY_FILE="/nowhere/key", IS_DEVELOPMENT=False):
        first = nightly.keep_up(now=timezone.now())
        second = nightly.keep_up(now=timezone.now())

    (taken,) = kept_snapshots()
    assert first[0] == f"{taken.name}; 0 snapshots given up"
    assert second[0] == f"{taken.name} is there"
    assert first[2].startswith("backup failed")
