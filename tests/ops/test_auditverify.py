"""Each kind of tampering, planted by the owner of database and storage with the guards off."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection

from ops.chain import hash_of, place_of, read, written
from ops.models import AuditEvent, AuditReview, AuditVerification, SealedEvent
from ops.services.reviewing import sign_review
from ops.services.sealing import seal_trail
from ops.services.verifying import verify_storage, verify_trail
from tests.deliveries import NOON
from tests.ops.seals import a_seal, act, findings, objects, tamper, words

pytestmark = pytest.mark.usefixtures("at_noon", "seals")

EXCHANGED = "seal 2: the object in storage was exchanged. Its bytes are not those that were sealed."
ANOTHER: dict[str, Any] = {
    "at": NOON - timedelta(seconds=1),
    "kind": "look",
    "who": "nobody",
    "user_key": "7",
    "act": "file.replayed",
    "object_kind": "row",
    "object_key": "9",
    "patient": "6f0f4ad4-6e6e-4b4f-9c9c-000000000001",
    "why": "Sent on purpose.",
    "details": json.dumps({"refusal": "unknown_header", "share": 0.5}),
    "from_where": "10.0.0.1",
    "request_id": "r-2",
    "once": "look:1",
}


@pytest.fixture
def sealed(seals: Path) -> list[int]:
    """Three seals of two events each; gives the keys of the events."""
    for first in (1, 3, 5):
        a_seal(first, first + 1)
    return list(AuditEvent.objects.order_by("pk").values_list("pk", flat=True))


def test_an_untouched_trail_has_no_findings_and_that_is_on_record(sealed: list[int]) -> None:
    report = verify_trail(by="sam")

    assert (words(report), report.seals, report.events) == ([], 3, 6)
    kept = AuditVerification.objects.get()
    assert (kept.by, kept.seals, kept.events, kept.findings) == ("sam", 3, 6, 0)
    assert (kept.newest, kept.at) == (3, NOON)
    assert AuditEvent.objects.get(act="trail.verified").details["newest"] == 3


@pytest.mark.parametrize("field", ANOTHER)
def test_an_edited_field_is_named(sealed: list[int], field: str) -> None:
    tamper(f"UPDATE ops_auditevent SET {field} = %s WHERE id = %s", ANOTHER[field], sealed[3])

    assert findings() == [
        f"seal 2, position 1, event {sealed[3]}, field {field}: the field was edited"
    ]


def test_every_field_but_the_key_was_tried() -> None:
    fields = {field.attname for field in AuditEvent._meta.concrete_fields}
    assert fields - {"id"} == set(ANOTHER)


def test_a_changed_key_is_a_removal_and_an_insertion(sealed: list[int]) -> None:
    tamper("UPDATE ops_auditevent SET id = 9999 WHERE id = %s", sealed[2])
    assert findings() == [f"seal 2, position 0, event {sealed[2]}: the event was removed"]


def test_a_removed_event_in_the_middle_is_missed(sealed: list[int]) -> None:
    tamper("DELETE FROM ops_auditevent WHERE id = %s", sealed[2])
    assert findings() == [f"seal 2, position 0, event {sealed[2]}: the event was removed"]


def test_an_event_removed_with_its_place_in_the_seal_is_missed(sealed: list[int]) -> None:
    tamper(
        "DELETE FROM ops_sealedevent WHERE event_id = %s; DELETE FROM ops_auditevent WHERE id = %s",
        *(sealed[2], sealed[2]),
    )
    assert findings() == [f"seal 2, position 0, event {sealed[2]}: the event was removed"]


def test_the_newest_sealed_events_are_missed(sealed: list[int]) -> None:
    tamper(
        "DELETE FROM ops_sealedevent WHERE seal_id = 3; DELETE FROM ops_auditevent WHERE id >= %s",
        sealed[4],
    )
    assert findings() == [
        f"seal 3, position 0, event {sealed[4]}: the event was removed",
        f"seal 3, position 1, event {sealed[5]}: the event was removed",
    ]


def test_the_newest_seal_removed_from_the_database_with_its_events_is_missed(
    sealed: list[int],
) -> None:
    gone = objects()[2]
    tamper(
        "DELETE FROM ops_sealedevent WHERE seal_id = 3;"
        " DELETE FROM ops_auditseal WHERE number = 3;"
        " DELETE FROM ops_auditevent WHERE id >= %s",
        sealed[4],
    )
    assert findings() == [
        (
            f"seal 3: storage holds it and the database does not: {gone}. The newest seals on"
            " record were removed, or the database was set back"
        )
    ]


def test_the_newest_seal_removed_from_storage_is_missed(sealed: list[int], seals: Path) -> None:
    gone = objects()[2]
    (seals / gone).unlink()
    assert findings() == [f"seal 3, field place: its object {gone} is not in storage"]


def test_the_newest_seal_removed_from_both_is_missed_by_what_an_earlier_look_remembers(
    sealed: list[int], seals: Path
) -> None:
    verify_trail(by="sam")
    remove_the_newest(sealed, seals)
    assert findings() == [
        (
            "seal 3: it was there when the trail was verified at 2025-03-20T12:00:00.000000+00:00,"
            " and is gone or another one"
        )
    ]


def test_the_newest_seal_removed_from_both_is_missed_by_the_hour(
    sealed: list[int], seals: Path, at_noon: time_machine.Traveller
) -> None:
    remove_the_newest(sealed, seals)
    at_noon.move_to(NOON + timedelta(minutes=76))
    assert findings() == [
        (
            "seal 2: the newest seal is of 2025-03-20T12:00:00.000000+00:00, though one is made"
            " each hour: sealing stands still, or newer seals were removed"
        )
    ]


def test_a_seal_removed_from_the_middle_is_missed(sealed: list[int]) -> None:
    gone = objects()[1]
    tamper(
        "DELETE FROM ops_sealedevent WHERE seal_id = 2;"
        " DELETE FROM ops_auditseal WHERE number = 2;"
        " DELETE FROM ops_auditevent WHERE id IN (%s, %s)",
        *sealed[2:4],
    )
    assert findings() == [
        "seal 3: seals 2 to 2 are not on record",
        f"seal 2: an object in storage is no seal on record: {gone}",
    ]


def test_events_that_changed_places_are_told(sealed: list[int]) -> None:
    tamper(
        "UPDATE ops_sealedevent SET position = 9 WHERE event_id = %s;"
        " UPDATE ops_sealedevent SET position = 0 WHERE event_id = %s;"
        " UPDATE ops_sealedevent SET position = 1 WHERE event_id = %s",
        *(sealed[2], sealed[3], sealed[2]),
    )
    assert findings() == [
        f"seal 2, position 0, event {sealed[2]}: the event was moved to position 1",
        f"seal 2, position 1, event {sealed[3]}: the event was moved to position 0",
    ]


def test_an_event_moved_to_another_seal_is_told(sealed: list[int]) -> None:
    tamper("UPDATE ops_sealedevent SET seal_id = 3, position = 2 WHERE event_id = %s", sealed[2])
    assert findings() == [
        f"seal 2, position 0, event {sealed[2]}: the event's place in the seal was removed",
        f"seal 3, position 2, event {sealed[2]}: the event was put in: it was never sealed here",
    ]


def test_an_event_put_into_a_seal_is_told(sealed: list[int]) -> None:
    put_in = act(7)
    tamper("INSERT INTO ops_sealedevent VALUES (%s, 2, 2)", put_in.pk)
    assert findings() == [
        f"seal 2, position 2, event {put_in.pk}: the event was put in: it was never sealed here"
    ]


def test_an_event_that_claims_to_be_old_and_is_in_no_seal_is_told(
    sealed: list[int], at_noon: time_machine.Traveller
) -> None:
    at_noon.shift(timedelta(minutes=20))
    a_seal(7)
    put_in = AuditEvent.objects.create(at=NOON, who="nora", act="file.replayed")
    expected = f"event {put_in.pk}: it claims to be of 2025-03-20T12:00:00.000000+00:00 and is in"
    assert findings() == [f"{expected} no seal: it was put in, or taken out of its seal"]


def test_an_event_that_claims_to_be_old_is_told_after_it_was_sealed_too(
    sealed: list[int], at_noon: time_machine.Traveller
) -> None:
    at_noon.shift(timedelta(minutes=20))
    a_seal(7)
    put_in = AuditEvent.objects.create(at=NOON, who="nora", act="file.replayed")
    seal_trail()
    assert findings() == [
        (
            f"seal 5, position 0, event {put_in.pk}: the event was put in: it claims to be of"
            " 2025-03-20T12:00:00.000000+00:00, and was in no seal by then"
        )
    ]


def test_an_event_with_a_key_that_was_passed_long_before_is_told(
    sealed: list[int], at_noon: time_machine.Traveller
) -> None:
    tamper("DELETE FROM ops_auditevent WHERE id = %s", act(7).pk)
    skipped = a_seal(8).number
    at_noon.shift(timedelta(minutes=20))
    a_seal(9)
    put_in = AuditEvent.objects.create(
        pk=sealed[5] + 1, at=NOON + timedelta(minutes=20), who="nora", act="file.replayed"
    )
    assert skipped == 4
    assert findings() == [
        f"event {put_in.pk}: its key was passed long before, and it is in no seal"
    ]
    seal_trail()
    assert findings()[0] == (
        f"seal 6, position 0, event {put_in.pk}: the event was put in: its key was passed long"
        " before"
    )


def test_an_exchanged_object_is_told(sealed: list[int], seals: Path) -> None:
    edit(seals / objects()[1], "Sent by mistake.", "Sent on purpose.")
    expected = [EXCHANGED]
    assert findings() == expected
    assert words(verify_storage()) == expected


def test_an_object_exchanged_for_another_seals_is_told(sealed: list[int], seals: Path) -> None:
    shutil.copy(seals / objects()[0], seals / objects()[1])
    assert findings() == [EXCHANGED]


def test_an_event_edited_in_the_database_and_in_its_object_is_told(
    sealed: list[int], seals: Path
) -> None:
    tamper("UPDATE ops_auditevent SET why = 'Sent on purpose.' WHERE id = %s", sealed[2])
    edit(seals / objects()[1], "Sent by mistake.", "Sent on purpose.")
    assert findings() == [EXCHANGED]


@pytest.mark.parametrize(
    ("field", "value"),
    [("count", 3), ("at", NOON - timedelta(hours=1)), ("hash", "0" * 64), ("previous", "0" * 64)],
)
def test_an_edited_seal_is_told(sealed: list[int], field: str, value: object) -> None:
    tamper(f"UPDATE ops_auditseal SET {field} = %s WHERE number = 2", value)
    expected = f"seal 2, field {field}: what is on record of the seal is not what the object says"
    assert expected in findings()


def test_an_edited_place_is_told(sealed: list[int]) -> None:
    tamper("UPDATE ops_auditseal SET place = 'seals/elsewhere' WHERE number = 2")
    assert findings() == ["seal 2, field place: its object seals/elsewhere is not in storage"]


def test_a_guard_that_was_left_off_is_told(sealed: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ops_auditevent DISABLE TRIGGER trail_is_append_only")
    assert findings() == [
        "the guard trail_is_append_only of ops_auditevent is missing or switched off"
    ]


def test_storage_alone_tells_of_a_missing_seal(sealed: list[int], seals: Path) -> None:
    (seals / objects()[1]).unlink()
    assert words(verify_storage()) == ["seal 3: seals 2 to 2 are missing in storage"]


def test_storage_alone_has_nothing_to_tell_of_an_untouched_chain(sealed: list[int]) -> None:
    report = verify_storage()
    assert (words(report), report.seals, report.events) == ([], 3, 6)


def test_a_second_seal_of_one_number_is_told(sealed: list[int], seals: Path) -> None:
    """Well formed, and chained to the same seal: only one of the two can count."""
    header, rows = read((seals / objects()[1]).read_bytes())
    data = written(header, [{**row, "who": "nobody"} for row in rows])
    planted = place_of(header, hash_of(data))
    (seals / planted).write_bytes(data)

    assert findings() == [f"seal 2: an object in storage is no seal on record: {planted}"]
    assert "seal 2: two seals of this number count" in words(verify_storage())


def test_a_day_can_be_verified_alone(sealed: list[int], at_noon: time_machine.Traveller) -> None:
    at_noon.shift(timedelta(days=1))
    a_seal(7)
    tamper("UPDATE ops_auditevent SET why = '' WHERE id = %s", sealed[0])

    report = verify_trail(by="sam", since=(NOON + timedelta(days=1)).date())

    assert (words(report), report.seals, report.scope) == ([], 1, "since 2025-03-21")
    assert len(findings()) == 1


def test_the_command_says_where_and_exits_with_1(sealed: list[int]) -> None:
    said = StringIO()
    call_command("auditverify", by="sam", stdout=said)
    assert said.getvalue().splitlines() == [
        "whole trail: 3 seals with 6 events; the newest is seal 3 of 2025-03-20 12:00. No findings."
    ]

    tamper("DELETE FROM ops_auditevent WHERE id = %s", sealed[0])
    said = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("auditverify", by="sam", stdout=said)

    assert refused.value.returncode == 1
    assert said.getvalue().splitlines()[0] == (
        f"seal 1, position 0, event {sealed[0]}: the event was removed"
    )
    assert AuditVerification.objects.first().findings == 1  # type: ignore[union-attr]


def remove_the_newest(sealed: list[int], seals: Path) -> None:
    (seals / objects()[2]).unlink()
    tamper(
        "DELETE FROM ops_sealedevent WHERE seal_id = 3;"
        " DELETE FROM ops_auditseal WHERE number = 3;"
        " DELETE FROM ops_auditevent WHERE id IN (%s, %s)",
        *sealed[4:6],
    )
    assert SealedEvent.objects.count() == 4


def edit(path: Path, before: str, after: str) -> None:
    """Edit an object, though nothing that is kept is overwritten by the application."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_an_event_that_was_sealed_twice_is_told(sealed: list[int]) -> None:
    tamper("DELETE FROM ops_sealedevent WHERE event_id = %s", sealed[2])
    seal_trail()

    twice = (
        f"seal 4, position 0, event {sealed[2]}:"
        " the event is in two seals, of which this is the later one"
    )
    assert findings() == [
        f"seal 2, position 0, event {sealed[2]}: the event's place in the seal was removed",
        twice,
    ]
    assert words(verify_storage()) == [twice]


def test_a_signed_review_that_was_put_in_or_changed_is_told(sealed: list[int]) -> None:
    a_day = timedelta(days=1)
    review = sign_review(NOON - a_day, NOON, by="sam", note="Read all of it.")
    assert findings() == []
    fields = {
        field.attname: getattr(review, field.attname)
        for field in AuditReview._meta.concrete_fields
        if not field.primary_key
    }
    forged = AuditReview.objects.create(**fields)
    vouched = "is vouched for by no act on the trail that says the same: it was put in or changed"
    period = "of 2025-03-19T12:00:00.000000+00:00 to 2025-03-20T12:00:00.000000+00:00"
    assert findings() == [f"review {forged.pk} {period}, signed by sam, {vouched}"]


@pytest.mark.parametrize(
    "change",
    [
        "signed_by = 'nobody'",
        "note = 'Another.'",
        "period_from = period_from - interval '1 day'",
        "period_to = period_to - interval '1 hour'",
        "signed_at = signed_at - interval '1 hour'",
        "events = events + 1",
        "unsealed = unsealed + 1",
        "state = 'All is well.'",
    ],
)
def test_each_field_of_a_signed_review_is_vouched_for(sealed: list[int], change: str) -> None:
    sign_review(NOON - timedelta(days=1), NOON, by="sam", note="Read all of it.")
    tamper(f"UPDATE ops_auditreview SET {change}")
    (found,) = findings()
    assert "is vouched for by no act on the trail" in found
