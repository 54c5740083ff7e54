"""After six years events may leave the table, if their seals prove and keep them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import override_settings

from ops import audit
from ops.choices import HoldScope
from ops.models import AuditArchive, AuditEvent, AuditSeal, SealedEvent
from ops.services.archiving import NotArchived, archivable, archive_trail
from ops.services.holding import end_hold, place_hold
from ops.services.reviewing import sign_review
from ops.services.verifying import verify_storage, verify_trail
from tests.deliveries import NOON
from tests.ops.seals import a_seal, act, findings, objects, tamper, the_next_seal, words

pytestmark = pytest.mark.usefixtures("at_noon", "seals")

SIX_YEARS = 2192


@pytest.fixture
def six_years_later(at_noon: time_machine.Traveller, seals: Path) -> list[int]:
    """Two old seals and a young one; gives the keys of the events in all of them."""
    a_seal(1, 2)
    a_seal(3)
    at_noon.move_to(NOON + timedelta(days=SIX_YEARS + 1))
    a_seal(4)
    return list(AuditEvent.objects.order_by("pk").values_list("pk", flat=True))


def archive() -> AuditArchive | None:
    return archive_trail(older_than_days=SIX_YEARS, by="olga", why="Six years are over.")


def test_what_is_old_leaves_and_the_chain_is_still_proved(six_years_later: list[int]) -> None:
    made = archive()

    assert made is not None
    assert (made.first_seal, made.last_seal, made.events) == (1, 2, 3)
    kept = list(AuditEvent.objects.order_by("pk").values_list("object_key", "act"))
    assert kept == [("4", "file.dismissed"), (str(made.pk), "trail.archived")]
    event = AuditEvent.objects.get(act="trail.archived")
    assert (event.who, event.why) == ("olga", "Six years are over.")
    assert event.details == {"first_seal": 1, "last_seal": 2, "events": 3}
    assert (AuditSeal.objects.count(), SealedEvent.objects.count()) == (4, 2)
    assert findings() == []
    assert words(verify_storage()) == []


def test_the_guards_stand_again_afterwards(six_years_later: list[int]) -> None:
    archive()
    assert [each for each in findings() if "guard" in each] == []


def test_an_archived_seal_that_is_exchanged_or_removed_is_told(
    six_years_later: list[int], seals: Path
) -> None:
    archive()
    path = seals / objects()[0]
    path.write_text(path.read_text().replace("olga", "nora"))
    gone = objects()[1]
    (seals / gone).unlink()
    assert findings() == [
        "seal 1: the object in storage was exchanged. Its bytes are not those that were sealed.",
        f"seal 2, field place: its object {gone} is not in storage",
    ]


def test_nothing_younger_than_the_retention_leaves(six_years_later: list[int]) -> None:
    with pytest.raises(NotArchived, match="2191 is less"):
        archive_trail(older_than_days=SIX_YEARS - 1, by="olga", why="Room.")
    assert AuditEvent.objects.count() == 4


def test_a_seal_whose_object_is_missing_keeps_everything(
    six_years_later: list[int], seals: Path
) -> None:
    (seals / objects()[1]).unlink()
    with pytest.raises(NotArchived, match="is not in storage"):
        archive()
    assert (AuditEvent.objects.count(), AuditArchive.objects.count()) == (4, 0)


def test_events_that_are_not_as_they_were_sealed_stay(six_years_later: list[int]) -> None:
    tamper("UPDATE ops_auditevent SET who = 'nobody' WHERE id = %s", six_years_later[0])
    with pytest.raises(NotArchived, match="field who: the field was edited"):
        archive()
    assert AuditEvent.objects.count() == 4


def test_who_and_why_are_asked_for(six_years_later: list[int]) -> None:
    with pytest.raises(NotArchived, match="Say who"):
        archive_trail(older_than_days=SIX_YEARS, by="olga", why=" ")
    assert AuditEvent.objects.count() == 4


def test_a_second_run_finds_nothing_old(six_years_later: list[int]) -> None:
    archive()
    assert archive() is None
    assert AuditArchive.objects.count() == 1


def test_a_dry_run_says_what_would_leave_and_changes_nothing(six_years_later: list[int]) -> None:
    said = StringIO()
    call_command("archiveaudit", older_than_days=SIX_YEARS, dry_run=True, stdout=said)
    assert said.getvalue() == "Would be archived: 3 events of seals 1 to 2.\n"
    assert (AuditEvent.objects.count(), AuditArchive.objects.count()) == (4, 0)


def test_the_command_refuses_in_words(six_years_later: list[int]) -> None:
    with pytest.raises(CommandError, match=r"is less\. Nothing was archived\."):
        call_command("archiveaudit", older_than_days=30, by="olga", why="Room.")


@override_settings(AUDIT_KEEP_DAYS=30)
def test_a_shorter_retention_is_a_setting(six_years_later: list[int]) -> None:
    assert archivable(older_than_days=30).events == 3


def test_a_legal_hold_keeps_the_trail_whole_until_it_ends(six_years_later: list[int]) -> None:
    hold = place_hold(HoldScope.KIND, by="sophie", why="A court asks.", kind="ops.audit")

    with pytest.raises(NotArchived, match="A legal hold keeps the trail whole"):
        archive()
    assert set(six_years_later) <= set(AuditEvent.objects.values_list("pk", flat=True))

    end_hold(hold, by="sophie", why="The case is closed.")
    made = archive()
    assert made is not None
    assert made.events == 3


AS_IF = "its seals are verified as if it were not there"
UNVOUCHED = f"is vouched for by no sealed act: {AS_IF}"


def put_in(first: int, last: int, events: int) -> AuditArchive:
    """What somebody with the owner's rights puts in: a row, and no act."""
    return AuditArchive.objects.create(
        first_seal=first, last_seal=last, events=events, at=NOON, by="olga", why="Room."
    )


def remove(*keys: int) -> None:
    tamper("DELETE FROM ops_sealedevent WHERE event_id = ANY (%s)", list(keys))
    tamper("DELETE FROM ops_auditevent WHERE id = ANY (%s)", list(keys))


def say_it(archive: AuditArchive, **changed: object) -> None:
    """Put the act in as well, as an application that was taken over can."""
    details = {
        "first_seal": archive.first_seal,
        "last_seal": archive.last_seal,
        "events": archive.events,
    }
    audit.record(
        "trail.archived",
        by="olga",
        kind="audit archive",
        key=archive.pk,
        why="Room.",
        details=details | changed,
    )


def test_an_archive_that_was_put_in_hides_nothing(six_years_later: list[int]) -> None:
    made = put_in(1, 2, 3)
    remove(six_years_later[0])
    tamper("UPDATE ops_auditevent SET who = 'nobody' WHERE id = %s", six_years_later[1])

    assert findings() == [
        f"archive {made.pk} {UNVOUCHED}",
        f"seal 1, position 0, event {six_years_later[0]}: the event was removed",
        f"seal 1, position 1, event {six_years_later[1]}, field who: the field was edited",
    ]


def test_the_nightly_look_at_a_week_names_it_too(six_years_later: list[int]) -> None:
    made = put_in(1, 3, 4)
    remove(six_years_later[3])

    since = (NOON + timedelta(days=SIX_YEARS)).date()
    assert words(verify_trail(by="vigil", since=since)) == [
        f"archive {made.pk} {UNVOUCHED}",
        f"seal 3, position 0, event {six_years_later[3]}: the event was removed",
    ]


def test_an_act_that_is_not_sealed_or_says_another_range_vouches_for_nothing(
    six_years_later: list[int],
) -> None:
    made = put_in(1, 2, 3)
    say_it(made)
    assert findings() == [f"archive {made.pk} {UNVOUCHED}"]

    other = put_in(1, 2, 3)
    say_it(other, last_seal=1)
    the_next_seal()
    assert findings() == [f"archive {other.pk} {UNVOUCHED}"]


def test_an_act_that_was_changed_into_one_vouches_for_nothing(six_years_later: list[int]) -> None:
    made = put_in(1, 1, 2)
    key = six_years_later[3]
    said = '{"first_seal": 1, "last_seal": 1, "events": 2}'
    tamper(
        "UPDATE ops_auditevent SET act = 'trail.archived', object_kind = 'audit archive',"
        " object_key = %s, why = 'Room.', details = %s WHERE id = %s",
        *(str(made.pk), said, key),
    )
    assert f"archive {made.pk} {UNVOUCHED}" in findings()


def test_young_seals_are_not_archived_whatever_act_says_so(six_years_later: list[int]) -> None:
    made = put_in(3, 3, 1)
    say_it(made)
    the_next_seal()
    remove(six_years_later[3])

    assert findings() == [
        f"archive {made.pk} took events out that were not 2192 days old: {AS_IF}",
        f"seal 3, position 0, event {six_years_later[3]}: the event was removed",
    ]


def test_an_event_that_is_still_there_is_held_against_its_archived_seal(
    six_years_later: list[int], seals: Path
) -> None:
    kept = AuditEvent.objects.filter(pk=six_years_later[0]).values().get()
    archive()
    AuditEvent.objects.create(**{**kept, "who": "nobody"})

    key = six_years_later[0]
    assert findings() == [
        f"seal 1, position 0, event {key}, field who: the field was edited",
        f"seal 1, position 0, event {key}: the event's place in the seal was removed",
        (
            f"event {key}: it claims to be of 2025-03-20T12:00:00.000000+00:00 and is in no seal:"
            " it was put in, or taken out of its seal"
        ),
    ]


def test_an_archived_review_is_vouched_for_by_storage(
    at_noon: time_machine.Traveller, seals: Path
) -> None:
    act(1)
    at_noon.shift(timedelta(minutes=1))
    review = sign_review(NOON, NOON + timedelta(minutes=1), by="sam", note="Read all of it.")
    the_next_seal()
    at_noon.move_to(NOON + timedelta(days=SIX_YEARS + 1))
    a_seal(2)
    archive()
    assert AuditEvent.objects.filter(act="trail.reviewed").count() == 0

    assert findings() == []
    since = (NOON + timedelta(days=SIX_YEARS)).date()
    assert words(verify_trail(by="vigil", since=since)) == []
    tamper("UPDATE ops_auditreview SET note = 'Another.' WHERE id = %s", review.pk)
    assert len(findings()) == 1
