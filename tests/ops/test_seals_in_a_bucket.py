"""Seals in a bucket with Object Lock: kept against everybody, and read like those in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.test import override_settings
from moto import mock_aws

from ops.models import AuditEvent
from ops.services.trail_return import bring_back_events
from ops.services.verifying import verify_storage
from tests.ingestion.clouds import made_up_credentials
from tests.ops.seals import a_seal, findings, objects, tamper, words
from tests.ops.test_sealing import set_back

pytestmark = pytest.mark.django_db

BUCKET = "seals-of-a-hospital"


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A bucket whose objects are locked."""
    kept = {"BACKEND": "ops.storage.KeptBucket", "OPTIONS": {"bucket_name": BUCKET}}
    storages = {**settings.STORAGES, "seals": kept}
    with mock_aws(), made_up_credentials(), override_settings(STORAGES=storages):
        s3 = boto3.client("s3")
        s3.create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
            ObjectLockEnabledForBucket=True,
        )
        yield s3


def test_seals_in_a_bucket_are_verified_and_give_the_trail_back(bucket: Any) -> None:
    a_seal(1)
    a_seal(2)
    assert findings() == []
    before = list(AuditEvent.objects.filter(act="file.dismissed").order_by("pk").values())
    set_back(0)
    tamper("DELETE FROM ops_auditverification")

    assert bring_back_events().seals == 2

    assert list(AuditEvent.objects.filter(act="file.dismissed").order_by("pk").values()) == before
    assert findings() == []


def test_a_seal_is_locked_for_as_long_as_seals_are_kept(bucket: Any) -> None:
    a_seal(1)
    (name,) = objects()
    head = bucket.head_object(Bucket=BUCKET, Key=name)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=2191)
    with pytest.raises(ClientError):
        bucket.delete_object(Bucket=BUCKET, Key=name, VersionId=head["VersionId"])
    assert words(verify_storage()) == []


def test_a_seal_hidden_by_a_mark_of_deletion_is_missed(bucket: Any) -> None:
    """Object Lock keeps the version; the name alone can be hidden."""
    a_seal(1)
    (name,) = objects()
    bucket.delete_object(Bucket=BUCKET, Key=name)
    assert findings() == [f"seal 1, field place: its object {name} is not in storage"]
