"""Sealing while others write and seal: real transactions, on connections of their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, transaction

from ops import audit
from ops.models import AuditEvent, AuditSeal, SealedEvent
from ops.services.sealing import seal_trail
from ops.services.verifying import verify_trail
from tests.deliveries import NOON
from tests.ops.seals import act, empty_the_trail, words

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seals")]


@pytest.fixture(autouse=True)
def an_empty_trail_afterwards(transactional_db: None, seals: Path) -> Iterator[None]:
    """The guards would not let the tests' own cleaning empty these tables."""
    yield
    empty_the_trail()


def test_an_event_of_a_transaction_that_ended_late_is_in_the_next_seal() -> None:
    is_recorded, may_end = Event(), Event()

    def slow() -> None:
        with transaction.atomic():
            act(1)
            is_recorded.set()
            assert may_end.wait(10)
        connection.close()

    with ThreadPoolExecutor() as pool:
        running = pool.submit(slow)
        assert is_recorded.wait(10)
        with transaction.atomic():
            act(2)
        seal_trail()
        assert [one.event.object_key for one in SealedEvent.objects.all()] == ["2"]
        may_end.set()
        running.result()

    seal_trail()

    placed = SealedEvent.objects.order_by("seal_id").values_list("event__object_key", "seal_id")
    assert list(placed) == [("2", 1), ("1", 2)]
    assert words(verify_trail(by="sam")) == []


def test_eight_who_write_and_seal_at_once_leave_one_whole_chain() -> None:
    together = Barrier(8)

    def work(worker: int) -> None:
        together.wait(10)
        for number in range(10):
            with transaction.atomic():
                act(worker * 100 + number)
            seal_trail()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, worker) for worker in range(8)]:
            done.result()
    seal_trail()

    numbers = list(AuditSeal.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert (AuditEvent.objects.count(), SealedEvent.objects.count()) == (80, 80)
    assert words(verify_trail(by="sam")) == []


def test_of_ten_equal_looks_at_once_one_is_written() -> None:
    nora = User.objects.create(username="nora")
    together = Barrier(10)

    def look() -> None:
        together.wait(10)
        cache.clear()  # as if each were a process of its own
        audit.look("patients.listed", by=nora, kind="patients", once_per="all")
        connection.close()

    with time_machine.travel(NOON, tick=False), ThreadPoolExecutor(10) as pool:
        for done in [pool.submit(look) for _ in range(10)]:
            done.result()

    assert AuditEvent.objects.count() == 1
