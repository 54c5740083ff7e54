"""What stages tell each other, where the backups lie in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import override_settings
from moto import mock_aws

from ops.choices import Stage
from ops.services.stages import tell_stages, word_of
from tests.deliveries import NOON
from tests.ingestion.clouds import REGION, Cloud, made_up_credentials

pytestmark = pytest.mark.usefixtures("at_noon")
BUCKET = "hospital-backups"


@pytest.fixture(name="cloud")
def _cloud() -> Iterator[Cloud]:
    place = {
        "BACKEND": "ops.storage.KeptBucket",
        "OPTIONS": {"bucket_name": BUCKET, "location": "vigil"},
    }
    with (
        made_up_credentials(),
        mock_aws(),
        override_settings(STORAGES={**settings.STORAGES, "backups": place}),
    ):
        cloud = Cloud()
        where: Any = {"LocationConstraint": REGION}
        cloud.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True
        )
        yield cloud


def test_a_stage_hears_the_newest_word_of_another(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    with override_settings(STAGE="production", VERSION="0.0.8"):
        assert tell_stages() is True
    at_noon.shift(60)
    with override_settings(STAGE="production", VERSION="0.0.9"):
        assert tell_stages() is True

    heard = word_of(Stage.PRODUCTION)

    assert heard.running is not None
    assert (heard.running.version, heard.running.stage) == ("0.0.9", "production")
    assert heard.said_at is not None
    assert (heard.said_at - NOON).total_seconds() == 60
    assert word_of(Stage.STAGING).running is None


def test_a_bucket_that_is_not_there_leaves_the_others_untold_and_nothing_known(
    cloud: Cloud,
) -> None:
    cloud.s3.delete_bucket(Bucket=BUCKET)
    assert tell_stages() is False
    heard = word_of(Stage.PRODUCTION)
    assert heard.running is None
    assert heard.words.startswith("the storage of the backups failed")
