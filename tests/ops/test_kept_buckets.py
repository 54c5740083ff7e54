"""Backups in a bucket: locked for their time, never overwritten, restored as from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.test import override_settings
from django.utils import timezone
from moto import mock_aws

from ops.catalogue import kept_names, manifest_of
from ops.choices import BackupKind
from ops.errors import BackupFailed
from ops.models import Backup
from ops.services.backing_up import back_up, give_up_old
from ops.services.drilling import drill
from ops.services.restoring import kept_archive
from ops.storage import AlreadyKept, backup_storage
from tests.ingestion.clouds import REGION, Cloud, made_up_credentials
from tests.ops.places import kept_place

pytestmark = pytest.mark.django_db(transaction=True)

BUCKET = "hospital-backups"


@pytest.fixture(name="cloud")
def _cloud(tmp_path: Path, transactional_db: None) -> Iterator[Cloud]:
    storages = {
        **settings.STORAGES,
        "backups": {
            "BACKEND": "ops.storage.KeptBucket",
            "OPTIONS": {"bucket_name": BUCKET, "location": "vigil"},
        },
    }
    with (
        kept_place(tmp_path),
        made_up_credentials(),
        mock_aws(),
        override_settings(STORAGES=storages),
    ):
        cloud = Cloud()
        place: Any = {"LocationConstraint": REGION}
        cloud.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True
        )
        yield cloud


def test_each_object_of_a_backup_is_locked_for_as_long_as_its_kind_is_kept(cloud: Cloud) -> None:
    backup = back_up(BackupKind.WEEKLY, by="olga")

    listed = cloud.s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert sorted(one["Key"] for one in listed) == [
        f"vigil/weekly/{backup.name}/dump.age",
        f"vigil/weekly/{backup.name}/manifest.json",
    ]
    for one in listed:
        told = cloud.s3.head_object(Bucket=BUCKET, Key=one["Key"])
        assert told["ObjectLockMode"] == "COMPLIANCE"
        locked_for = told["ObjectLockRetainUntilDate"] - timezone.now()
        assert timedelta(days=179) < locked_for <= timedelta(days=180)
        with pytest.raises(ClientError, match="AccessDenied"):
            cloud.s3.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])


def test_nothing_kept_is_overwritten(cloud: Cloud) -> None:
    backup_storage().save("daily/one", ContentFile(b"first"))

    with pytest.raises(AlreadyKept):
        backup_storage().save("daily/one", ContentFile(b"second"))

    assert backup_storage().open("daily/one").read() == b"first"


def test_a_backup_in_a_bucket_is_listed_drilled_and_given_up(cloud: Cloud) -> None:
    name = back_up(BackupKind.DAILY, by="olga").name

    assert kept_names() == [name]
    done = drill(kept_archive(name), name, by="vigil")
    assert done.report["tables"] == len(manifest_of(name)["tables"])
    newer = back_up(BackupKind.POINT, by="olga").name
    assert give_up_old(now=timezone.now() + timedelta(days=36), by="vigil") == [name]
    assert kept_names() == [newer]


def test_a_bucket_that_is_not_there_is_named_with_the_next_step(cloud: Cloud) -> None:
    elsewhere = {
        **settings.STORAGES,
        "backups": {"BACKEND": "ops.storage.KeptBucket", "OPTIONS": {"bucket_name": "none-such"}},
    }

    with (
        override_settings(STORAGES=elsewhere),
        pytest.raises(BackupFailed, match="look after HOSPITAL_BACKUP_BUCKET and its rights"),
    ):
        back_up(BackupKind.DAILY, by="olga")

    assert Backup.objects.get().status == "failed"
