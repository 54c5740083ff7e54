"""manage.py mockbuckets: make what a stand-in for AWS starts without.

Knows which buckets and which queue the settings name. Must not touch AWS itself: there, they are
made by the infrastructure's code, with all that it says of them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.management.base import CommandError

from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import QueueConfigurationTypeDef
    from mypy_boto3_sqs import SQSClient


class Command(MannerlyCommand):
    """`manage.py mockbuckets`."""

    help = (
        "Make the buckets and the queue that the settings name at a stand-in for AWS: versioned,"
        " those of backups and seals with Object Lock, and those of sources so that they tell the"
        " queue. What is there already is kept. Refused off the development stage."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing."""
        try:
            s3, sqs = boto3.client("s3"), boto3.client("sqs")
            _require_stand_in(s3.meta.endpoint_url)
            self._make(s3, sqs)
        except (BotoCoreError, ClientError) as error:
            raise CommandError(f"The stand-in refused or did not answer: {error}") from error

    def _make(self, s3: S3Client, sqs: SQSClient) -> None:
        sources = sorted({bucket for _, bucket, _ in settings.BUCKETS})
        for bucket in sources:
            self.stdout.write(_made(s3, bucket, is_locked=False))
        for bucket in _buckets_of_what_is_kept():
            self.stdout.write(_made(s3, bucket, is_locked=True))
        if not (sources and settings.NOTICE_QUEUE_URL):
            return
        name = urlsplit(settings.NOTICE_QUEUE_URL).path.rpartition("/")[2]
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        _let_them_tell(sqs, queue, arn, sources)
        told: QueueConfigurationTypeDef = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        for bucket in sources:
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]}
            )
        self.stdout.write(f"{name}: told by {', '.join(sources)}")


def _require_stand_in(address: str) -> None:
    is_real = re.search(r"\.amazonaws\.com(\.cn)?$", urlsplit(address).hostname or "")
    if is_real or not settings.IS_DEVELOPMENT:
        raise CommandError(
            "Nothing was made: this is for the development stage and a stand-in for AWS, named in"
            " AWS_ENDPOINT_URL.",
            returncode=WRONG_ARGUMENTS,
        )


def _made(s3: S3Client, bucket: str, *, is_locked: bool) -> str:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        region = s3.meta.region_name
        s3.create_bucket(
            Bucket=bucket,
            ObjectLockEnabledForBucket=is_locked,
            CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
        )
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return f"{bucket}: made"
    return f"{bucket}: was there"


def _buckets_of_what_is_kept() -> list[str]:
    storages: Any = settings.STORAGES
    kept: list[str | None] = [
        storages[name]["OPTIONS"].get("bucket_name") for name in ("backups", "seals")
    ]
    return sorted({name for name in kept if name})


def _let_them_tell(sqs: SQSClient, queue: str, arn: str, buckets: list[str]) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "ArnLike": {"aws:SourceArn": [f"arn:aws:s3:::{name}" for name in buckets]}
            },
        },
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
