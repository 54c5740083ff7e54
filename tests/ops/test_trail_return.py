"""After an older database was restored: storage gives back what it has beyond it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import Storage
from django.db import connection

from ops.models import AuditEvent, AuditSeal
from ops.services.sealing import seal_trail, supersede
from ops.services.trail_return import CannotBringBack, bring_back_events
from ops.storage import seal_storage
from tests.deliveries import NOON
from tests.ops.seals import a_seal, act, findings, objects, tamper
from tests.ops.test_sealing import set_back

pytestmark = pytest.mark.usefixtures("at_noon", "seals")


def everything() -> list[Any]:
    return list(AuditEvent.objects.order_by("pk").values())


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

    assert act(2).pk == newest + 1


def test_events_that_the_dump_had_and_no_seal_yet_are_not_put_in_twice() -> None:
    a_seal(1)
    event = act(2)
    seal_trail()
    forget_seals_after(1)

    back = bring_back_events()

    assert (back.seals, back.events) == (1, 0)
    assert AuditEvent.objects.filter(pk=event.pk).count() == 1
    assert findings() == []


def test_what_was_recorded_meanwhile_is_not_overwritten_and_nothing_comes_back() -> None:
    a_seal(1)
    a_seal(2)
    newest = AuditEvent.objects.latest("pk").pk
    set_back(1)
    rewind_keys(newest)
    new = act(9)
    assert new.pk == newest

    with pytest.raises(CannotBringBack):
        bring_back_events()

    assert AuditEvent.objects.get(pk=newest).object_key == "9"
    assert AuditSeal.objects.count() == 1


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
