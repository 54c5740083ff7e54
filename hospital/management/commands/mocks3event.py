"""manage.py mocks3event: tell of objects as S3 would, for development without S3."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from hospital.events import handle
from ingestion.errors import SourceNotDeclared
from ingestion.notices import TEST_EVENT, Notice, s3_event
from ingestion.services.noticing import notice_of, send_to_queue
from ops.management.manners import MannerlyCommand

INBOX = "inbox"
EVENTS = (
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    TEST_EVENT,
)


class Command(MannerlyCommand):
    """`manage.py mocks3event KEY… [--bucket B] [--event NAME] [--to-queue|--to-function]`."""

    help = (
        "Make the event that S3 would send for these objects, and deliver it to the queue of"
        " notices if one is set, else straight to the function that takes such events. The inbox"
        " folder counts as the bucket 'inbox'."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare keys, bucket, event and where it goes."""
        parser.add_argument("keys", nargs="+", metavar="KEY", help="for example pms/a.csv")
        parser.add_argument("--bucket", help="needed where several are declared")
        parser.add_argument("--event", default=EVENTS[0], choices=EVENTS, metavar="NAME")
        to = parser.add_mutually_exclusive_group()
        to.add_argument("--to-queue", action="store_true", help="HOSPITAL_NOTICE_QUEUE_URL")
        to.add_argument("--to-function", action="store_true", help="hospital.events.handle, here")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make and deliver one event for each object."""
        if options["to_queue"] and not settings.NOTICE_QUEUE_URL:
            raise CommandError("No queue is set: set HOSPITAL_NOTICE_QUEUE_URL.", returncode=2)
        bucket = options["bucket"] or _only_bucket()
        notices = [_asked(bucket, key) for key in options["keys"]]
        for notice in notices:
            event = s3_event(notice, name=options["event"])
            if settings.NOTICE_QUEUE_URL and not options["to_function"]:
                _send(event)
                self.stdout.write(f"{options['event']} for {notice.key!r}: sent to the queue.")
            else:
                handle(event)
                self.stdout.write(f"{options['event']} for {notice.key!r}: taken by the function.")


def _only_bucket() -> str:
    buckets = sorted({bucket for _, bucket, _ in settings.BUCKETS}) or [INBOX]
    if len(buckets) > 1:
        known = ", ".join([*buckets, INBOX])
        raise CommandError(f"Several buckets are declared. Name one: {known}.", returncode=2)
    return buckets[0]


def _asked(bucket: str, key: str) -> Notice:
    try:
        return notice_of(bucket, key, now=timezone.now())
    except SourceNotDeclared:
        raise CommandError(
            f"No source is declared for {key!r} in the bucket {bucket!r}: see HOSPITAL_BUCKETS. A"
            " key in the inbox is sub-folder/name. Nothing was sent.",
            returncode=2,
        ) from None
    except OSError as error:
        raise CommandError(
            f"The bucket {bucket!r} cannot be asked for {key!r}: {error.strerror}. Nothing was"
            " sent.",
            returncode=2,
        ) from error


def _send(event: dict[str, Any]) -> None:
    try:
        send_to_queue(json.dumps(event))
    except OSError as error:
        raise CommandError(f"The queue cannot be reached: {error.strerror}.") from error
