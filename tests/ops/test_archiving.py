"""After six years events may leave the table, if their seals prove and keep them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import override_settings

from ops.choices import HoldScope
from ops.models import AuditArchive, AuditEvent, AuditSeal, SealedEvent
from ops.services.archiving import NotArchived, archivable, archive_trail
from ops.services.holding import end_hold, place_hold
from ops.services.verifying import verify_storage
from tests.deliveries import NOON
from tests.ops.seals import a_seal, findings, objects, tamper, the_next_seal, words

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
    assert (AuditSeal.objects.count(), SealedEvent.objects.count()) == (3, 1)
    the_next_seal()
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
