"""After an older database was restored: storage gives back what it has beyond it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import Storage
from django.db import connection

from ops.models import AuditEvent, AuditSeal, SealedEvent
from ops.registry import followers
from ops.services.sealing import seal_trail, supersede
from ops.services.trail_return import bring_back_events
from ops.storage import seal_storage
from tests.deliveries import NOON
from tests.ops.seals import a_seal, act, findings, objects, tamper
from tests.ops.test_sealing import set_back

pytestmark = pytest.mark.usefixtures("at_noon", "seals")


def everything() -> list[Any]:
    """The events, but for that which says that they came back."""
    events = AuditEvent.objects.exclude(act="trail.brought_back")
    return list(events.order_by("pk").values())


def storage() -> Storage:
    return seal_storage()


def test_events_and_seals_beyond_the_database_come_back_as_they_were() -> None:
    a_seal(1)
    a_seal(2, 3)
    a_seal(4)
    before = everything()
    set_back(1)

    back = bring_back_events(from_storage=storage())

    assert (back.seals, back.events, back.first, back.last) == (2, 3, NOON, NOON)
    assert everything() == before
    assert AuditSeal.objects.count() == 3
    assert findings() == []


def test_a_second_run_brings_back_nothing() -> None:
    a_seal(1)
    set_back(0)
    bring_back_events()

    back = bring_back_events()

    assert (back.seals, back.events, back.first) == (0, 0, None)


def test_the_whole_trail_comes_back_from_its_seals_alone() -> None:
    a_seal(1)
    a_seal(2)
    before = everything()
    set_back(0)
    assert everything() == []

    bring_back_events()

    assert everything() == before
    assert findings() == []


def test_nothing_new_takes_the_key_of_what_came_back() -> None:
    a_seal(1)
    newest = AuditEvent.objects.latest("pk").pk
    set_back(0)
    rewind_keys(newest)

    bring_back_events()

    told = AuditEvent.objects.get(act="trail.brought_back")
    assert (told.pk, act(2).pk) == (newest + 1, newest + 2)


def test_events_that_the_dump_had_and_no_seal_yet_are_not_put_in_twice() -> None:
    a_seal(1)
    event = act(2)
    seal_trail()
    forget_seals_after(1)

    back = bring_back_events()

    assert (back.seals, back.events) == (1, 0)
    assert AuditEvent.objects.filter(pk=event.pk).count() == 1
    assert findings() == []


def test_that_events_came_back_is_on_record() -> None:
    a_seal(1)
    a_seal(2)
    set_back(1)
    bring_back_events()
    event = AuditEvent.objects.get(act="trail.brought_back")
    assert (event.who, event.kind) == ("vigil", "act")
    assert event.details == {"first_seal": 2, "last_seal": 2, "events": 1, "moved": 0, "twice": 0}


def test_what_was_recorded_meanwhile_stays_and_gives_up_the_keys_of_old_events() -> None:
    a_seal(1)
    a_seal(2)
    a_seal(3)
    before = everything()
    set_back(1)
    rewind_keys(before[1]["id"])
    assert act(9).pk == before[1]["id"]

    back = bring_back_events()

    assert (back.seals, back.events, back.moved) == (2, 2, 1)
    assert everything()[:3] == before
    meanwhile = AuditEvent.objects.get(object_key="9")
    assert meanwhile.pk > before[2]["id"]
    assert findings() == []
    seal_trail()
    assert findings() == []


def test_a_seal_that_was_superseded_does_not_come_back(seals: Path) -> None:
    a_seal(1)
    a_seal(2)
    set_back(1)
    supersede(by="olga", why="A drill.")
    before = everything()
    set_back(1)

    back = bring_back_events()

    assert (back.seals, back.events) == (1, 1)
    assert everything() == before
    assert len(objects()) == 3
    assert findings() == []


def test_after_a_restore_the_trail_follows_before_everybody_else() -> None:
    a_seal(1)
    a_seal(2, 3)
    set_back(1)
    first = followers()[0]
    assert (first.name, first.follow()) == (
        "audit trail",
        (
            "2 events came back from 1 seals, from 12:00:00 to 12:00:00 UTC; 2 of them are acts"
            " whose effect was lost with the database"
        ),
    )
    assert first.follow() == "its seals hold nothing that the database lacks"


@pytest.mark.parametrize("change", ["why = why", "why = 'Another.'"], ids=["same", "edited"])
def test_an_event_that_is_in_two_seals_comes_back_in_the_first(change: str) -> None:
    a_seal(1, 2)
    key = AuditEvent.objects.earliest("pk").pk
    tamper("DELETE FROM ops_sealedevent WHERE event_id = %s", key)
    tamper(f"UPDATE ops_auditevent SET {change} WHERE id = %s", key)
    a_seal(3)
    set_back(0)

    back = bring_back_events()

    assert (back.seals, back.events, back.moved, back.twice) == (2, 3, 0, 1)
    held = list(SealedEvent.objects.order_by("pk").values_list("seal_id", "position"))
    assert held == [(1, 0), (1, 1), (2, 1)]
    assert AuditEvent.objects.get(pk=key).why == "Sent by mistake."
    assert AuditEvent.objects.get(act="trail.brought_back").details["twice"] == 1
    assert (
        f"seal 2, position 0, event {key}: the event is in two seals, of which this is the later"
        " one"
    ) in findings()


def test_that_events_are_in_two_seals_is_said_after_a_restore() -> None:
    a_seal(1)
    tamper("DELETE FROM ops_sealedevent")
    a_seal(2)
    set_back(0)
    assert "; 1 events are in two seals, and belong to the first" in followers()[0].follow()


def rewind_keys(to: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('ops_auditevent', 'id'), %s, false)", [to]
        )


def forget_seals_after(number: int) -> None:
    tamper(
        "DELETE FROM ops_sealedevent WHERE seal_id > %s;"
        " DELETE FROM ops_auditseal WHERE number > %s",
        *(number, number),
    )
