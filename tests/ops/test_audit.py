"""The trail of acts: one writer, and nobody who takes anything back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import InternalError, connection, transaction
from django.test import Client
from structlog.contextvars import bound_contextvars

from ops import audit
from ops.models import AuditEvent
from tests.deliveries import NOON

pytestmark = pytest.mark.usefixtures("at_noon")


def an_act() -> AuditEvent:
    return audit.record(
        "file.dismissed", by="olga", kind="feed file", key=7, why="Sent by mistake."
    )


def test_an_act_is_on_record_with_who_what_when_why_and_the_request() -> None:
    with bound_contextvars(request_id="r-1"):
        event = an_act()

    event.refresh_from_db()
    told = (event.at, event.who, event.act, event.object_kind, event.object_key, event.why)
    assert told == (NOON, "olga", "file.dismissed", "feed file", "7", "Sent by mistake.")
    assert event.request_id == "r-1"


@pytest.mark.django_db(transaction=True)
def test_an_act_outside_a_transaction_is_not_recorded() -> None:
    with pytest.raises(RuntimeError, match="in its own transaction"):
        an_act()

    assert AuditEvent.objects.count() == 0


def _sql(statement: str) -> Callable[[], None]:
    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return act


@pytest.mark.parametrize(
    "tamper",
    [
        lambda: AuditEvent.objects.update(who="nobody"),
        lambda: AuditEvent.objects.all().delete(),
        _sql("UPDATE ops_auditevent SET why = 'another'"),
        _sql("DELETE FROM ops_auditevent"),
        _sql("TRUNCATE ops_auditevent CASCADE"),
    ],
    ids=["update", "delete", "update by hand", "delete by hand", "truncate"],
)
def test_what_is_on_record_is_neither_changed_nor_removed(tamper: Callable[[], object]) -> None:
    event = an_act()

    with pytest.raises(InternalError), transaction.atomic():
        tamper()

    kept = AuditEvent.objects.get()
    assert (kept.pk, kept.who, kept.why) == (event.pk, "olga", "Sent by mistake.")


def test_operators_read_the_trail_and_cannot_write_it(operator: Client, nurse: Client) -> None:
    event = an_act()
    address = f"/admin/ops/auditevent/{event.pk}/"

    assert "Sent by mistake." in operator.get("/admin/ops/auditevent/").content.decode()
    assert operator.get(f"{address}change/").status_code == 200
    assert operator.post(f"{address}change/", {"who": "nobody"}).status_code == 403
    assert operator.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert nurse.get("/admin/ops/auditevent/", follow=True).status_code == 403
    assert AuditEvent.objects.get().who == "olga"
