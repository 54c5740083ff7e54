"""Notices are read in whichever envelope and spelling they come, and nothing else counts as one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import NoticeNotUnderstood
from ingestion.notices import Notice, notices_in, notices_of, s3_event

AT = datetime(2025, 3, 20, 5, 20, 0, 123000, tzinfo=UTC)


def record(**more: Any) -> dict[str, Any]:
    """A record as the documentation of S3 shows it; `more` goes into its object."""
    about = {"key": "pms/a.csv", "size": 12, "eTag": "d41d8cd98f", "versionId": "v1", **more}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2025-03-20T05:20:00.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AIDA"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "vigil",
            "bucket": {"name": "hospital-pms", "arn": "arn:aws:s3:::hospital-pms"},
            "object": {name: value for name, value in about.items() if value is not None},
        },
    }


def event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def test_a_record_of_s3_tells_which_version_of_which_object_was_put() -> None:
    assert notices_in(json.dumps(event(record()))) == [
        Notice("hospital-pms", "pms/a.csv", "v1", '"d41d8cd98f"', 12, AT)
    ]


@pytest.mark.parametrize(
    "spelt",
    ["pms/a+b%2B%C3%BC.csv", "pms%2Fa+b%2B%C3%BC.csv", "pms/a%20b%2B%c3%bc.csv"],
    ids=["as documented", "with its slashes", "with its blanks and in lower case"],
)
def test_a_key_is_decoded_in_every_spelling(spelt: str) -> None:
    assert [one.key for one in notices_of(event(record(key=spelt)))] == ["pms/a b+ü.csv"]


@pytest.mark.parametrize("version", [None, "", "null"])
def test_without_a_version_the_etag_is_left_to_tell_it(version: str | None) -> None:
    (notice,) = notices_of(event(record(versionId=version)))
    assert (notice.version_id, notice.etag) == ("", '"d41d8cd98f"')


def test_an_sns_envelope_is_opened() -> None:
    envelope = {"Type": "Notification", "MessageId": "1", "Message": json.dumps(event(record()))}
    assert notices_in(json.dumps(envelope)) == notices_of(event(record()))


def test_a_batch_of_a_queue_holds_events_in_its_bodies() -> None:
    bodies = [json.dumps(event(record(), record(key="b.csv"))), json.dumps(event(record()))]
    batch = event(*({"eventSource": "aws:sqs", "messageId": "1", "body": body} for body in bodies))
    assert [one.key for one in notices_of(batch)] == ["pms/a.csv", "b.csv", "pms/a.csv"]


@pytest.mark.parametrize("is_in_envelope", [False, True])
def test_the_test_event_of_a_new_notification_tells_of_nothing(*, is_in_envelope: bool) -> None:
    told: dict[str, Any] = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}
    if is_in_envelope:
        told = {"Type": "Notification", "Message": json.dumps(told)}
    assert notices_in(json.dumps(told)) == []


@pytest.mark.parametrize(
    "key",
    ["pms/", "pms/.hidden.csv", ".staging/a.csv", "pms/a.csv.part", "pms/A.TMP", "pms/a%2F"],
)
def test_folder_markers_and_names_left_alone_are_passed_over(key: str) -> None:
    assert notices_of(event(record(key=key), record())) == notices_of(event(record()))


@pytest.mark.parametrize(
    "name", ["ObjectRemoved:Delete", "ObjectTagging:Put", "s3:ObjectRemoved:DeleteMarkerCreated"]
)
def test_events_that_put_no_object_are_passed_over(name: str) -> None:
    assert notices_of(event({**record(), "eventName": name})) == []


@pytest.mark.parametrize("name", ["ObjectCreated:Copy", "s3:ObjectCreated:Post"])
def test_every_way_of_putting_an_object_counts(name: str) -> None:
    assert len(notices_of(event({**record(), "eventName": name}))) == 1


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in record().items() if key != name}


NOT_UNDERSTOOD = {
    "no JSON": "Brown",
    "a list": "[]",
    "a text": '"Brown"',
    "nothing": "",
    "deeply nested": "[" * 200_000,
    "no records": '{"Brown": 1}',
    "an empty event": '{"Records": []}',
    "records that are none": '{"Records": ["Brown"]}',
    "an event of something else": json.dumps(event({"eventSource": "aws:sns", "Sns": {}})),
    "an envelope of something else": '{"Type": "SubscriptionConfirmation", "Message": "Brown"}',
    "an envelope with nothing in it": '{"Type": "Notification"}',
    "no name": json.dumps(event(without("eventName"))),
    "no time": json.dumps(event(without("eventTime"))),
    "a time that is none": json.dumps(event({**record(), "eventTime": "Brown"})),
    "no object": json.dumps(event({**record(), "s3": {"bucket": {"name": "b"}}})),
    "no bucket": json.dumps(event({**record(), "s3": {"object": {"key": "Brown"}}})),
    "no key": json.dumps(event(record(key=None))),
    "a key that is a number": json.dumps(event(record(key=5))),
    "a key that is no text": json.dumps(event(record(key="Brown%FF.csv"))),
    "a key with half a character": json.dumps(event(record(key="Brown\ud800.csv"))),
    "a key that no database holds": json.dumps(event(record(key="Brown%00.csv"))),
    "a version that no database holds": json.dumps(event(record(versionId="\0"))),
}


@pytest.mark.parametrize("body", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD.keys())
def test_what_is_not_understood_is_said_without_repeating_it(body: str) -> None:
    with pytest.raises(NoticeNotUnderstood) as raised:
        notices_in(body)
    assert str(raised.value)
    assert "Brown" not in str(raised.value)


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(names.filter(lambda text: not text.startswith(".")).map(lambda text: f"pms/{text}x"))
def test_what_is_written_as_an_event_is_read_as_it_was(key: str) -> None:
    notice = Notice("hospital-pms", key.replace("/.", "/-"), "v1", '"d41d8cd98f"', 12, AT)
    told = s3_event(notice, name="ObjectCreated:Put")
    assert notices_in(json.dumps(told)) == [notice]


def test_a_written_event_spells_its_key_as_documented() -> None:
    notice = Notice("hospital-pms", "pms/a b+ü.csv", "", '"d41d"', 12, AT)
    (told,) = s3_event(notice, name="ObjectCreated:Put")["Records"]
    assert told["s3"]["object"] == {
        "key": "pms/a+b%2B%C3%BC.csv",
        "size": 12,
        "eTag": "d41d",
        "sequencer": "00",
    }
    assert told["eventTime"] == "2025-03-20T05:20:00.123Z"
