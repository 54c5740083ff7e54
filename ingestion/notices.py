"""Notices: what a bucket's events say, in whichever envelope they come. Plain Python.

Knows the form of S3 events, of the SNS envelope, and of the events that functions are given. Must
not know whether an object is there. No error repeats anything of what could not be understood: an
object's name may hold a patient's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from ingestion.errors import NoticeNotUnderstood
from ingestion.names import is_no_file

TEST_EVENT = "s3:TestEvent"
# What S3 writes where a bucket keeps no versions.
NO_VERSION = "null"
_CREATED = "ObjectCreated:"
_MOST_BYTES = 1 << 60


@dataclass(frozen=True)
class Notice:
    """One object that a bucket told of. `version_id` and `etag` are empty where it named none.

    `etag` is written with its quotes, as objects have it. `at`: when it happened, aware.
    """

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    at: datetime


def notices_in(body: str) -> list[Notice]:
    """Read the body of a queue's message. Raises NoticeNotUnderstood."""
    message = _object_in(body)
    if message.get("Type") == "Notification":
        message = _object_in(message.get("Message"))
    return notices_of(message)


def notices_of(event: Mapping[str, Any]) -> list[Notice]:
    """Read an event of a bucket, or of a queue of such. Raises NoticeNotUnderstood."""
    if event.get("Event") == TEST_EVENT:
        return []
    return [notice for record in records_of(event) for notice in _notices_of_record(record)]


def records_of(event: Any) -> list[dict[str, Any]]:
    """Give an event's records. Raises NoticeNotUnderstood where it has none."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not records:
        raise NoticeNotUnderstood("An event without records is none that a bucket or queue sends.")
    if not all(isinstance(record, dict) for record in records):
        raise NoticeNotUnderstood("A record of the event is no JSON object.")
    return records


def s3_event(notice: Notice, *, name: str) -> dict[str, Any]:
    """Write the event that S3 sends for an object; the reverse of `notices_of`."""
    if name == TEST_EVENT:
        at = _written(notice.at)
        return {"Service": "Amazon S3", "Event": name, "Time": at, "Bucket": notice.bucket}
    about: dict[str, Any] = {"key": quote_plus(notice.key, safe="/*-._"), "sequencer": "00"}
    if name.startswith(_CREATED):
        about |= {"size": notice.size, "eTag": notice.etag.strip('"')}
    if notice.version_id:
        about["versionId"] = notice.version_id
    bucket = {"name": notice.bucket, "arn": f"arn:aws:s3:::{notice.bucket}"}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": _written(notice.at),
        "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": bucket, "object": about},
    }
    return {"Records": [record]}


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _object_in(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NoticeNotUnderstood("A message of the queue is no JSON object.")
    return found


def _notices_of_record(record: Mapping[str, Any]) -> list[Notice]:
    if record.get("eventSource") == "aws:sqs":
        return notices_in(_text(record, "body"))
    if record.get("eventSource") != "aws:s3":
        raise NoticeNotUnderstood("A record of the event comes from neither a bucket nor a queue.")
    if not _text(record, "eventName").removeprefix("s3:").startswith(_CREATED):
        return []
    notice = _notice_of(record)
    return [] if is_no_file(notice.key) else [notice]


def _notice_of(record: Mapping[str, Any]) -> Notice:
    place = _part(record, "s3")
    about = _part(place, "object")
    size = about.get("size")
    version_id = _text(about, "versionId") if about.get("versionId") else ""
    return Notice(
        bucket=_text(_part(place, "bucket"), "name"),
        key=_decoded(_text(about, "key")),
        version_id="" if version_id == NO_VERSION else version_id,
        etag=quoted(_text(about, "eTag")) if about.get("eTag") else "",
        size=size if isinstance(size, int) and 0 <= size < _MOST_BYTES else 0,
        at=_instant(_text(record, "eventTime")),
    )


def quoted(etag: str) -> str:
    """Write an ETag with its quotes, however it came."""
    bare = etag.strip('"')
    return f'"{bare}"' if bare else ""


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    if not isinstance(part, dict):
        raise NoticeNotUnderstood(f"A record of the event has no {name}.")
    return part


def _text(whole: Mapping[str, Any], name: str) -> str:
    text = whole.get(name)
    if not isinstance(text, str) or not text:
        raise NoticeNotUnderstood(f"A record of the event has no {name}.")
    return _storable(text)


def _decoded(key: str) -> str:
    """Decode a key: S3 writes it as a form's value, a blank as `+`."""
    try:
        return _storable(unquote_plus(key, errors="strict"))
    except UnicodeDecodeError:
        raise NoticeNotUnderstood("The key in a record of the event is no text.") from None


def _storable(text: str) -> str:
    """Let through what a database can hold: no NUL, no half of a character."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise NoticeNotUnderstood("A record of the event holds what is no text.")
    return text


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoticeNotUnderstood("A record of the event has no eventTime.") from None
