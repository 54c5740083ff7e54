"""Sealing: everything once, in an unbroken chain, whole again after a death half-way."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from hospital.celery import app
from ops import tasks
from ops.chain import hash_of, read
from ops.errors import PlaceMuted
from ops.models import AuditEvent, AuditSeal, Incident, SealedEvent
from ops.services.muting import mute
from ops.services.sealing import SealsAhead, seal_trail, supersede, unsealed_window
from ops.services.trail_return import bring_back_events
from tests.deliveries import NOON
from tests.ops.seals import a_seal, act, findings, objects, tamper, the_next_seal

pytestmark = pytest.mark.usefixtures("at_noon", "seals")


def test_an_act_is_recorded_sealed_and_verified(seals: Path) -> None:
    event = act(1)

    seal = the_next_seal()

    data = (seals / seal.place).read_bytes()
    header, rows = read(data)
    assert seal.place == f"seals/2025/03/20/0000000001-{seal.hash}.jsonl"
    assert (seal.number, seal.count, seal.previous, seal.at) == (1, 1, "", NOON)
    assert hash_of(data) == seal.hash
    assert header.number == 1
    assert (rows[0]["id"], rows[0]["who"], rows[0]["why"]) == (event.pk, "olga", "Sent by mistake.")
    assert findings() == []


def test_every_field_of_an_event_is_sealed(seals: Path) -> None:
    a_seal(1)
    _, rows = read((seals / objects()[0]).read_bytes())
    assert set(rows[0]) == {field.attname for field in AuditEvent._meta.concrete_fields}


def test_a_seal_holds_the_hash_of_the_one_before_it() -> None:
    first, second = a_seal(1), a_seal(2, 3)
    assert (second.number, second.previous, second.count) == (2, first.hash, 2)
    assert findings() == []


def test_nothing_new_makes_no_seal_but_one_each_hour(at_noon: time_machine.Traveller) -> None:
    a_seal(1)
    assert seal_trail() == []

    at_noon.move_to(NOON + timedelta(minutes=59))
    assert seal_trail() == []
    at_noon.move_to(NOON + timedelta(minutes=61))
    hourly = the_next_seal()

    assert (hourly.number, hourly.count) == (2, 0)
    assert seal_trail() == []
    assert findings() == []


def test_an_event_that_became_visible_late_is_sealed_after_younger_ones() -> None:
    """Transactions end in another order than they began: keys and times say nothing."""
    early = act(1)
    with_higher_key = act(2)
    tamper("DELETE FROM ops_auditevent WHERE id = %s", early.pk)  # not visible yet
    seal_trail()
    early.save(force_insert=True)

    second = the_next_seal()

    assert SealedEvent.objects.get(event=with_higher_key).seal_id == 1
    assert SealedEvent.objects.get(event=early).seal_id == second.number
    assert findings() == []


def test_a_run_that_died_after_storing_is_made_whole_by_the_next() -> None:
    first = a_seal(1)
    died = a_seal(2, 3)
    tamper(
        "DELETE FROM ops_sealedevent WHERE seal_id = 2; DELETE FROM ops_auditseal WHERE number = 2"
    )
    act(4)

    made = seal_trail()

    assert [(seal.number, seal.hash, seal.count) for seal in made] == [
        (2, died.hash, 2),
        (3, made[1].hash, 1),
    ]
    assert (made[0].previous, made[1].previous) == (first.hash, died.hash)
    assert len(objects()) == 3
    assert findings() == []


def test_a_storage_that_cannot_be_written_leaves_nothing_on_record(seals: Path) -> None:
    act(1)
    seals.parent.joinpath("seals").write_text("a file where the folder should be")

    with pytest.raises(OSError):
        seal_trail()

    assert (AuditSeal.objects.count(), SealedEvent.objects.count()) == (0, 0)


def test_bytes_that_are_no_seal_do_not_stop_the_sealing_and_are_told(seals: Path) -> None:
    a_seal(1)
    planted = f"seals/2025/03/20/0000000002-{'0' * 64}.jsonl"
    (seals / planted).write_text("{}")

    second = a_seal(2)

    assert second.number == 2
    assert findings() == [f"seal 2: an object in storage is no seal on record: {planted}"]


def test_a_database_that_was_set_back_is_not_sealed_over() -> None:
    a_seal(1)
    a_seal(2)
    set_back(1)
    act(3)

    with pytest.raises(SealsAhead):
        seal_trail()

    assert AuditSeal.objects.count() == 1
    assert len(objects()) == 2


def test_what_cannot_be_brought_back_is_superseded_by_an_act_that_the_chain_tells_of() -> None:
    a_seal(1)
    lost = a_seal(2)
    set_back(1)

    seal = supersede(by="olga", why="The events of seal 2 are known to be a drill's.")

    assert (seal.number, seal.count) == (2, 1)
    assert seal.hash != lost.hash
    event = AuditEvent.objects.get(act="seals.superseded")
    assert (event.who, event.details) == ("olga", {"seals": [2]})
    a_seal(4)
    assert findings() == []


def test_the_window_says_how_much_is_not_sealed_and_since_when() -> None:
    a_seal(1)
    act(2)
    act(3)
    window = unsealed_window()
    assert (window.count, window.oldest) == (2, NOON)


def test_the_command_says_what_it_sealed() -> None:
    act(1)
    said = StringIO()
    call_command("sealaudit", stdout=said)
    call_command("sealaudit", stdout=said)
    assert said.getvalue().splitlines() == [
        f"Seal 1: 1 events, {objects()[0]}",
        "Nothing new: everything is sealed.",
    ]


def test_the_clock_seals_twice_a_minute_and_no_run_waits_for_the_next() -> None:
    entry = app.conf.beat_schedule["seal the audit trail"]
    assert (entry["task"], entry["schedule"], entry["options"]) == (
        "ops.tasks.seal",
        30.0,
        {"expires": 25},
    )
    act(1)
    assert (tasks.seal(), tasks.seal()) == (1, 0)


def test_a_database_that_was_set_back_stops_the_task_and_is_one_incident(
    caplog: pytest.LogCaptureFixture,
) -> None:
    a_seal(1)
    set_back(0)
    assert tasks.seal() == 0
    assert tasks.seal() == 0
    assert "the database was set back" in caplog.text
    incident = Incident.objects.get()
    assert (incident.component, incident.title) == ("audit trail", "The audit trail is not sealed")


def test_findings_of_the_nightly_verification_are_an_incident() -> None:
    a_seal(1)
    assert (tasks.verify_last_week(), Incident.objects.count()) == (0, 0)
    tamper("UPDATE ops_auditevent SET who = 'nobody' WHERE act = 'file.dismissed'")
    assert tasks.verify_last_week() == 1
    assert Incident.objects.get().title == "The trail is not as it was sealed"


def test_a_muted_place_seals_nothing_by_the_clock() -> None:
    """It may be one of two copies of a hospital: the other goes on with the chain."""
    a_seal(1)
    mute(by="olga", why="Restored.")
    assert tasks.seal() == 0
    assert AuditSeal.objects.count() == 1


def test_a_storage_that_refuses_is_told_in_words(seals: Path) -> None:
    act(1)
    seals.write_text("a file where the folder should be")
    with pytest.raises(CommandError, match="Nothing was sealed"):
        call_command("sealaudit")
    assert AuditSeal.objects.count() == 0


def set_back(number: int) -> None:
    """Leave the database as it was after this seal."""
    tamper(
        "DELETE FROM ops_auditevent WHERE id IN"
        " (SELECT event_id FROM ops_sealedevent WHERE seal_id > %s);"
        " DELETE FROM ops_sealedevent WHERE seal_id > %s;"
        " DELETE FROM ops_auditseal WHERE number > %s",
        *(number, number, number),
    )


def test_a_muted_place_seals_nothing_by_hand_either() -> None:
    act(1)
    mute(by="olga", why="Restored beside the old one.")

    with pytest.raises(CommandError, match="muted"):
        call_command("sealaudit")
    with pytest.raises(PlaceMuted):
        seal_trail()
    with pytest.raises(PlaceMuted):
        supersede(by="olga", why="A drill.")

    assert (objects(), AuditSeal.objects.count()) == ([], 0)


def test_a_muted_place_still_brings_its_trail_back() -> None:
    a_seal(1)
    a_seal(2)
    set_back(1)
    mute(by="olga", why="Restored beside the old one.")

    assert bring_back_events().seals == 1
    assert len(objects()) == 2


def test_seals_ahead_names_the_other_copy_that_may_be_their_cause() -> None:
    a_seal(1)
    a_seal(2)
    set_back(1)
    act(3)

    with pytest.raises(SealsAhead, match="another copy of this hospital seals into the same"):
        seal_trail()
