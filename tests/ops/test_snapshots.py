"""Snapshots on RDS: marked as ours, one at a time, given up in time, on an emulator."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from moto import mock_aws
from moto.core import enable_iam_authentication

from ops.databases import Database
from ops.errors import (
    BackupFailed,
    BackupRunning,
    CloudRefused,
    OpsError,
)
from ops.models import AuditEvent
from ops.services.rds import (
    give_up_old_snapshots,
    kept_snapshots,
    recover_instance,
    take_snapshot,
)
from tests.ingestion.clouds import made_up_credentials
from tests.ops.instances import (
    OWN,
    Instances,
    acts,
    forgetful_sessions,
    instances,
    lost_answers,
    signed_in_as_somebody,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(name="cloud")
def _cloud(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instances]:
    with (
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


def test_a_snapshot_is_marked_as_ours_and_is_on_the_trail(cloud: Instances) -> None:
    taken = take_snapshot(by="olga", why="Before the move.")

    made = cloud.rds.describe_db_snapshots(DBSnapshotIdentifier=taken.name)["DBSnapshots"][0]
    assert made["DBInstanceIdentifier"] == OWN
    assert made["TagList"] == [
        {"Key": "vigil-snapshot", "Value": "1"},
        {"Key": "vigil-stage", "Value": "development"},
    ]
    assert (taken.status, taken.gibibytes) == ("available", 500)
    assert [one.name for one in kept_snapshots()] == [taken.name]
    begun, done = AuditEvent.objects.order_by("id")
    assert (begun.act, begun.who, begun.object_key, begun.why) == (
        "snapshot.begun", "olga", taken.name, "Before the move.",
    )  # fmt: skip
    assert (done.act, done.object_key, done.details) == (
        "snapshot.made", taken.name, {"gibibytes": 500},
    )  # fmt: skip


def test_it_says_how_far_a_snapshot_is_and_returns_when_it_can_be_used(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = iter([(0, "creating"), (40, "creating"), (100, "available")])
    said: list[str] = []

    def wait(_: float) -> None:
        _let_it_be(cloud, *next(far))

    monkeypatch.setattr(time, "sleep", wait)

    def say(words: str) -> None:
        said.append(words)
        if words.startswith("taking"):
            _let_it_be(cloud, *next(far))

    assert take_snapshot(by="olga", say=say).status == "available"

    assert said[1:] == ["creating: 0 percent", "creating: 40 percent"]


def _let_it_be(cloud: Instances, percent: int, status: str) -> None:
    """What AWS would have come to with the snapshots that we took."""
    for one in cloud.backend.database_snapshots.values():
        if one.snapshot_type == "manual":
            one.percent_progress, one.status = percent, status


def test_a_snapshot_that_is_never_done_is_waited_for_two_hours_and_no_more(
    cloud: Instances, waits: list[float]
) -> None:
    def say(words: str) -> None:
        _let_it_be(cloud, 7, "creating")

    with pytest.raises(BackupFailed, match=r"within 120 minutes.*AWS may go on with it"):
        take_snapshot(by="olga", say=say)

    assert sum(waits) == 7200
    assert acts() == ["snapshot.begun", "snapshot.failed"]
    assert [one.percent for one in kept_snapshots()] == [7]


def test_a_snapshot_that_aws_cannot_make_is_deleted(cloud: Instances) -> None:
    def say(words: str) -> None:
        _let_it_be(cloud, 0, "failed")

    with pytest.raises(BackupFailed, match=r"AWS says of it: failed.*Nothing of it is kept"):
        take_snapshot(by="olga", say=say)

    assert kept_snapshots() == []
    assert acts() == ["snapshot.begun", "snapshot.failed"]


def test_there_are_never_two_snapshots_at_once(cloud: Instances) -> None:
    with Database.of_owner().connect() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [0x5649_4749_4C22])
        with pytest.raises(BackupRunning, match="being taken by another"):
            take_snapshot(by="olga")

    assert kept_snapshots() == []
    assert acts() == []


def test_a_snapshot_whose_taker_was_killed_is_waited_for_as_long_as_aws_is_at_it(
    cloud: Instances,
) -> None:
    name = take_snapshot(by="olga").name
    _let_it_be(cloud, 40, "creating")

    with pytest.raises(BackupRunning, match=rf"{name} is being taken \(40 percent\)"):
        take_snapshot(by="olga")

    assert [one.name for one in kept_snapshots()] == [name]


def test_only_our_own_old_snapshots_are_given_up_and_never_the_newest(cloud: Instances) -> None:
    cloud.rds.create_db_snapshot(DBSnapshotIdentifier="by-hand", DBInstanceIdentifier=OWN)
    old = take_snapshot(by="olga").name
    later = timezone.now() + timedelta(days=36)
    assert give_up_old_snapshots(now=later, by="vigil") == []
    newer = take_snapshot(by="olga").name
    assert give_up_old_snapshots(now=timezone.now() + timedelta(days=34), by="vigil") == []

    given_up = give_up_old_snapshots(now=later, by="vigil")

    assert given_up == [old]
    left = cloud.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert {one["DBSnapshotIdentifier"] for one in left} == {"by-hand", newer}
    event = AuditEvent.objects.get(act="snapshot.given_up")
    assert (event.who, event.object_key) == ("vigil", old)


def test_one_that_failed_does_not_stand_for_the_newest(cloud: Instances) -> None:
    good = take_snapshot(by="olga").name
    failed = take_snapshot(by="olga").name
    cloud.backend.database_snapshots[failed].status = "failed"

    given_up = give_up_old_snapshots(now=timezone.now() + timedelta(days=36), by="vigil")

    assert given_up == [failed]
    assert [one.name for one in kept_snapshots()] == [good]


def _without_setting(cloud: Instances) -> Any:
    return override_settings(RDS_INSTANCE="")


def _with_another_name(cloud: Instances) -> Any:
    return override_settings(RDS_INSTANCE="hospital-bd")


def _in_a_cluster(cloud: Instances) -> Any:
    cloud.backend.databases[OWN].db_cluster_identifier = "aurora"
    return override_settings()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_without_setting, "HOSPITAL_RDS_INSTANCE is not set"),
        (_with_another_name, "RDS has no instance hospital-bd in eu-central-1"),
        (_in_a_cluster, "belongs to a cluster"),
    ],
)
def test_where_there_is_no_such_instance_nothing_is_made(
    cloud: Instances, harm: Callable[[Instances], Any], words: str
) -> None:
    with harm(cloud):
        with pytest.raises(OpsError, match=words):
            take_snapshot(by="olga")
        with pytest.raises(OpsError, match=words):
            recover_instance(to="hospital-db-2", until=None, by="olga", why="For the test.")

    assert cloud.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []
    assert cloud.names() == [OWN]


def test_an_answer_that_is_lost_leaves_one_snapshot(cloud: Instances) -> None:
    with lost_answers("CreateDBSnapshot", 1):
        taken = take_snapshot(by="olga")

    assert [one.name for one in kept_snapshots()] == [taken.name]
    assert acts() == ["snapshot.begun", "snapshot.made"]


def test_where_every_answer_is_lost_it_is_said_that_a_snapshot_may_be_there(
    cloud: Instances,
) -> None:
    with (
        lost_answers("CreateDBSnapshot", 3),
        pytest.raises(BackupFailed, match=r"does not answer .*AWS may go on with it: manage.py"),
    ):
        take_snapshot(by="olga")

    (kept,) = kept_snapshots()
    assert AuditEvent.objects.get(act="snapshot.failed").object_key == kept.name


def test_a_quota_that_is_used_up_is_named(
    cloud: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(cloud.backend), "SNAPSHOT_QUOTA", 1)

    with pytest.raises(BackupFailed, match="quota of snapshots is used up: delete old ones"):
        take_snapshot(by="olga")

    assert kept_snapshots() == []
    assert acts() == ["snapshot.failed"]


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        ([], "rds:DescribeDBInstances"),
        (["rds:Describe*"], "rds:CreateDBSnapshot"),
    ],
)
def test_a_right_that_is_missing_is_named(
    cloud: Instances, rights: list[str], missing: str
) -> None:
    with (
        signed_in_as_somebody(*rights),
        pytest.raises(BackupFailed, match=f"AWS does not allow {missing}: give the role"),
    ):
        take_snapshot(by="olga")

    assert [one for one in cloud.backend.database_snapshots if one.startswith("vigil")] == []


def test_credentials_that_are_wrong_are_told_from_rights_that_are_missing(
    cloud: Instances,
) -> None:
    with enable_iam_authentication(), pytest.raises(BackupFailed, match="does not accept the cred"):
        take_snapshot(by="olga")


def test_an_api_that_does_not_answer_is_given_up_soon(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    began = time.monotonic()
    with made_up_credentials(), forgetful_sessions(), override_settings(RDS_INSTANCE=OWN):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(BackupFailed, match=r"RDS does not answer \(EndpointConnectionError\)"):
            take_snapshot(by="olga")

    assert time.monotonic() - began < 10
    assert acts() == ["snapshot.failed"]


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("AWS_DEFAULT_REGION", "No region is set: set AWS_DEFAULT_REGION"),
        ("AWS_ACCESS_KEY_ID", "There are no credentials for AWS"),
    ],
)
def test_what_boto3_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, words: str
) -> None:
    with made_up_credentials(), override_settings(RDS_INSTANCE=OWN), forgetful_sessions():
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.delenv(variable)
        if variable == "AWS_ACCESS_KEY_ID":
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(CloudRefused, match=words):
            kept_snapshots()
