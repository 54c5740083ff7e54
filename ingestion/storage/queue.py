"""The queue into which buckets put their notices (SQS). Knows nothing of what a message says."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.storage.buckets import as_os_errors, client_settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOST_AT_ONCE = 10  # that SQS hands out, or deletes


@dataclass(frozen=True)
class Message:
    """One message: `id` stays the same however often it is handed out, `receipt` does not."""

    id: str
    receipt: str
    body: str


class NoticeQueue:
    """One queue, known by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def receive(self, *, wait_seconds: int) -> list[Message]:
        """Take some messages, or wait for one. Raises OSError.

        Each comes again after the queue's visibility time-out unless it is deleted.
        """
        with as_os_errors():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MOST_AT_ONCE,
                WaitTimeSeconds=wait_seconds,
            )
        return [
            Message(one["MessageId"], one["ReceiptHandle"], one["Body"])
            for one in answer.get("Messages", ())
        ]

    def delete(self, messages: list[Message]) -> None:
        """Delete what was received and is done. Raises OSError.

        One that could not be deleted comes again: it must be safe to do it twice.
        """
        if not messages:
            return
        with as_os_errors():
            self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": one.receipt}
                    for number, one in enumerate(messages)
                ],
            )

    def send(self, body: str) -> None:
        """Put a message into the queue. Raises OSError."""
        with as_os_errors():
            self._client.send_message(QueueUrl=self._url, MessageBody=body)

    @functools.cached_property
    def _client(self) -> SQSClient:
        import boto3

        with as_os_errors():
            return boto3.client("sqs", config=client_settings())
