"""The trail of acts: one writer, and nobody who takes anything back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import InternalError, connection, transaction
from django.test import Client
from structlog.contextvars import bound_contextvars

from ingestion.models import Patient
from ops import audit
from ops.audit import NotOnRecord
from ops.models import AuditEvent
from tests.deliveries import NOON, admit
from tests.ops.seals import tamper

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


SWALLOW = "RETURN NULL;"
EXCHANGE = "NEW.who := 'nobody'; RETURN NEW;"


def put_in_its_way(body: str) -> None:
    _sql(
        "CREATE FUNCTION in_its_way() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {body} END $$;"
        " CREATE TRIGGER in_its_way BEFORE INSERT ON ops_auditevent"
        " FOR EACH ROW EXECUTE FUNCTION in_its_way()"
    )()


@pytest.mark.parametrize("body", [SWALLOW, EXCHANGE], ids=["swallowed", "exchanged"])
def test_an_act_whose_line_does_not_come_to_be_is_refused(body: str) -> None:
    put_in_its_way(body)

    said = r"did not keep its line of file\.dismissed"
    with pytest.raises(NotOnRecord, match=said), transaction.atomic():
        an_act()

    assert AuditEvent.objects.count() == 0


@pytest.mark.parametrize("once_per", [None, "a list"], ids=["each time", "once in a while"])
@pytest.mark.parametrize("body", [SWALLOW, EXCHANGE], ids=["swallowed", "exchanged"])
def test_a_look_whose_line_does_not_come_to_be_is_refused(
    nurse: Client, body: str, once_per: str | None
) -> None:
    cache.clear()
    put_in_its_way(body)
    nora = User.objects.get(username="nurse")

    with pytest.raises(NotOnRecord), transaction.atomic():
        audit.look("patient.opened", by=nora, kind="patient", key=7, once_per=once_per)

    assert AuditEvent.objects.filter(act="patient.opened").count() == 0


def test_no_patient_is_shown_where_the_look_is_swallowed(nurse: Client) -> None:
    cache.clear()
    admit("0042", "Brown, Emma", hours=81)
    patient = Patient.objects.get(patient_id="0042")
    put_in_its_way(SWALLOW)
    nurse.raise_request_exception = False

    answer = nurse.get(f"/api/v1/patients/{patient.pk}/")

    assert answer.status_code >= 500
    assert "Brown" not in answer.content.decode()


def test_a_line_planted_in_a_look_s_place_is_no_line_of_it(nurse: Client) -> None:
    cache.clear()
    nora = User.objects.get(username="nurse")
    look = {"by": nora, "kind": "patient", "key": 7, "once_per": "one patient"}
    audit.look("patient.opened", **look)  # type: ignore[arg-type]
    planted = AuditEvent.objects.get(act="patient.opened")
    tamper("UPDATE ops_auditevent SET who = 'nobody' WHERE id = %s", planted.pk)
    cache.clear()

    with pytest.raises(NotOnRecord):
        audit.look("patient.opened", **look)  # type: ignore[arg-type]


def test_a_line_costs_one_query_and_a_second_only_where_another_came_first(
    nurse: Client, django_assert_num_queries: Any
) -> None:
    nora = User.objects.get(username="nurse")
    for queries in (1, 2):
        cache.clear()
        with django_assert_num_queries(queries):
            audit.look("patient.opened", by=nora, kind="patient", key=7, once_per="one patient")
    assert AuditEvent.objects.filter(act="patient.opened").count() == 1
    with django_assert_num_queries(1):
        an_act()
