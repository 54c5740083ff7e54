"""Buckets and queues of a cloud that exists in this process alone.

Credentials are made up and hold for the test that asks; nothing ever looks for real ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from django.test import override_settings
from moto import mock_aws

from ingestion.storage.buckets import forget_connections

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION = "eu-central-1"
MADE_UP = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": REGION,
    # Whoever lacks credentials must not be asked of the network for some.
    "AWS_EC2_METADATA_DISABLED": "true",
}
HEADER = "patient_id,first_name,last_name,date_of_birth\n"
PMS = [("pms", "hospital-pms", "")]


def people(*rows: str) -> bytes:
    """A file of pms.patients."""
    return (HEADER + "".join(f"{row}\n" for row in rows)).encode()


@contextmanager
def made_up_credentials() -> Iterator[None]:
    """Let nothing of the environment that a test runs in lead to a real cloud."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
            patch.delenv(name, raising=False)
        for name, value in MADE_UP.items():
            patch.setenv(name, value)
        forget_connections()
        yield
        forget_connections()


class Cloud:
    """What a test does to buckets and queues, as the hospital's systems and AWS would."""

    def __init__(self) -> None:
        self.s3: S3Client = boto3.client("s3")
        self.sqs: SQSClient = boto3.client("sqs")

    def bucket(self, name: str, *, has_versions: bool = False) -> None:
        """Make a bucket."""
        place: Any = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        if has_versions:
            self.keep_versions(name, "Enabled")

    def keep_versions(self, name: str, status: Any) -> None:
        """From now on, keep versions or not."""
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})

    def put(self, bucket: str, key: str, content: bytes) -> str:
        """Put an object. Returns its version id, or its ETag with the quotes that it has."""
        answer = self.s3.put_object(Bucket=bucket, Key=key, Body=content)
        version: str = answer.get("VersionId") or answer["ETag"]
        return version

    def queue(self, name: str = "notices", *, visibility: str = "0") -> str:
        """Make a queue, in which what was received comes again at once. Returns its URL."""
        kept: Any = {"VisibilityTimeout": visibility}
        return self.sqs.create_queue(QueueName=name, Attributes=kept)["QueueUrl"]

    def notify(self, bucket: str, queue: str) -> None:
        """Let a bucket put a notice of each new object into a queue."""
        asked = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        told: Any = {"QueueArn": asked["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]}
        )

    def send(self, queue: str, body: Any) -> None:
        """Put a message into a queue."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=queue, MessageBody=text)

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds, those that are being worked on too."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(asked["Attributes"][name]) for name in names)


@contextmanager
def a_cloud(*sources: tuple[str, str, str], queue: str = "") -> Iterator[Cloud]:
    """A cloud in this process, and the sources in it that the settings declare."""
    declared = override_settings(BUCKETS=list(sources or PMS), NOTICE_QUEUE_URL=queue)
    with made_up_credentials(), mock_aws(), declared:
        yield Cloud()
