"""The operators' admin: shows everything, lets nearly nothing be changed by hand."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from alerts.models import AlertRule
from ingestion.models import ChangeCounter, Department, Feed, FeedFile, Patient, RejectedRow
from ops.models import AuditEvent
from tests.deliveries import (
    NOON,
    admission,
    admit,
    deliver,
    deliver_lines,
    lab_result,
    lab_test,
    order,
    patient,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]
TORN = "0044,Torn,Row"


@pytest.fixture(autouse=True)
def a_hospital(db: None) -> None:
    """Something of everything that the admin lists."""
    admit("0042", "Brown, Emma", hours=81, department="Cardiology")
    admit("0043", "Cohen, Uri", hours=20)
    deliver(admission("C0042", "0043", hours=30))
    deliver(admission("C9", "9999", hours=20), at=NOON - timedelta(minutes=5))
    deliver(patient("0045", allergies="None", shoe_size="44"))
    deliver_lines("patient_id,first_name,last_name,date_of_birth", TORN)
    deliver({**patient("0046"), "date_of_birth": "yesterday"})
    deliver_lines("what,is,this")
    order("T1", "0042", "Sodium", hours=61.2)
    order("T1", "0043", "Sodium", hours=3)
    deliver(lab_test("T2", "0042", "Potassium", hours=60), source="lis")
    deliver(lab_result("R1", "T2", "4.1", hours=59), source="lis")
    deliver(lab_result("R2", "T1", "4.1", hours=59), source="lis")


def page(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def every_address() -> list[str]:
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    return [
        "/admin/",
        "/admin/ingestion/",
        "/admin/ingestion/waiting/",
        "/admin/ingestion/conflicts/",
        "/admin/ops/state/",
        "/admin/ops/incident/open/",
        *lists,
        *(
            reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_change", args=[one.pk])
            for model in admin.site._registry
            for one in model._default_manager.all()[:1]
        ),
        "/admin/ingestion/feed/add/",
        "/admin/alerts/alertrule/add/",
        "/admin/auth/user/add/",
    ]


def test_every_page_opens_for_an_operator_and_breaks_no_policy(operator: Client) -> None:
    addresses = every_address()
    assert len(addresses) > 35
    for address in addresses:
        answer = operator.get(address)
        assert answer.status_code == 200, address
        assert "unsafe" not in answer["Content-Security-Policy"]
        body = answer.content.decode()
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", body), address


def test_no_page_opens_for_anybody_else(nurse: Client, lab_staff: Client, stranger: Client) -> None:
    for address in every_address():
        for browser in (nurse, lab_staff):
            assert browser.get(address, follow=True).status_code == 403, address
        assert stranger.get(address).status_code == 302, address


def test_a_file_is_listed_with_its_ledger(operator: Client) -> None:
    body = page(operator, "/admin/ingestion/feedfile/?status__exact=refused")
    assert "1 feed file" in body
    for column in ("rows", "created", "updated", "unchanged", "superseded", "waiting", "rejected"):
        assert f'class="column-{column}' in body.replace("sortable ", ""), column


def test_nothing_that_files_wrote_can_be_changed_by_hand(operator: Client) -> None:
    file = FeedFile.objects.first()
    assert file is not None
    address = f"/admin/ingestion/feedfile/{file.pk}/"
    assert operator.post(f"{address}change/", {"key": "other"}).status_code == 403
    assert operator.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert operator.get("/admin/ingestion/feedfile/add/").status_code == 403
    file.refresh_from_db()
    assert file.key != "other"


def test_a_rejected_row_shows_its_line_its_reason_and_its_text(operator: Client) -> None:
    row = RejectedRow.objects.get()
    body = page(operator, f"/admin/ingestion/rejectedrow/{row.pk}/change/")
    assert f'<pre class="raw">{TORN}</pre>' in body
    assert "More or fewer fields than the header" in body
    assert '<div class="readonly">2</div>' in body


def test_rejected_rows_can_be_narrowed_to_those_not_settled(operator: Client) -> None:
    assert "1 rejected row" in page(operator, "/admin/ingestion/rejectedrow/")
    assert "1 rejected row" in page(operator, "/admin/ingestion/rejectedrow/?settled=open")
    assert "0 rejected rows" in page(operator, "/admin/ingestion/rejectedrow/?settled=done")


def test_waiting_records_are_listed_once_each_with_their_age(operator: Client) -> None:
    deliver(admission("C9", "9999", hours=20, room_number="7"))
    body = page(operator, "/admin/ingestion/waiting/")
    assert "1 admissions and 0 tests wait for their patient, 1 results for their test." in body
    assert body.count("C9 · 9999") == 1
    assert "Its patient is not known yet" in body
    assert "Tests of several patients bear its test number" in body


def test_a_conflict_is_listed_with_both_its_sides(operator: Client) -> None:
    body = page(operator, "/admin/ingestion/conflicts/")
    assert body.count("<td>T1</td>") == 2
    assert body.count("<td>C0042</td>") == 2
    for side in ("0042 · Brown, Emma", "0043 · Cohen, Uri"):
        assert body.count(f"<td>{side}</td>") == 2
    assert "<td>T2</td>" not in body


def test_a_searched_name_finds_and_never_stands_in_an_address(operator: Client) -> None:
    address = "/admin/ingestion/patient/"
    answer = operator.post(address, {"searched": "brown"})
    assert (answer.status_code, answer["Location"]) == (302, address)
    body = page(operator, address)
    assert "Brown" in body
    assert "Cohen" not in body
    operator.post(address, {"searched": ""})
    assert "Cohen" in page(operator, address)


def test_a_feed_may_declare_its_interval_and_every_board_hears_of_it(operator: Client) -> None:
    feed = Feed.objects.get(layout="lis.lab_tests")
    before = ChangeCounter.objects.get().count
    answer = operator.post(
        f"/admin/ingestion/feed/{feed.pk}/change/", {"interval_minutes": "60", "encoding": "cp1255"}
    )
    assert answer.status_code == 302
    feed.refresh_from_db()
    assert (feed.interval_minutes, feed.encoding, feed.layout) == (60, "cp1255", "lis.lab_tests")
    assert ChangeCounter.objects.get().count == before + 1


def test_a_feed_is_declared_before_its_first_file(operator: Client) -> None:
    answer = operator.post(
        "/admin/ingestion/feed/add/",
        {"source": "lis-2", "layout": "lis.lab_tests", "encoding": "", "is_day_first": "on"},
    )
    assert answer.status_code == 302
    assert Feed.objects.get(source="lis-2").is_day_first is True


def test_an_encoding_that_nobody_knows_is_refused(operator: Client) -> None:
    feed = Feed.objects.get(layout="lis.lab_tests")
    answer = operator.post(f"/admin/ingestion/feed/{feed.pk}/change/", {"encoding": "cp99999"})
    assert answer.status_code == 200
    assert "No such encoding is known" in answer.content.decode()
    feed.refresh_from_db()
    assert feed.encoding == ""


def test_a_changed_threshold_holds_at_once_and_every_board_hears_of_it(
    operator: Client, nurse: Client
) -> None:
    rule = AlertRule.objects.get()
    board = nurse.get("/api/v1/board/")
    answer = operator.post(
        f"/admin/alerts/alertrule/{rule.pk}/change/",
        {"threshold_hours": "2", "second_tier_hours": "24"},
    )
    assert answer.status_code == 302
    again = nurse.get("/api/v1/board/", headers={"If-None-Match": board["ETag"]})
    assert again.status_code == 200
    assert again.json()["rule"]["threshold_hours"] == 2
    assert (board.json()["counts"]["due"], again.json()["counts"]["due"]) == (1, 3)


def test_a_department_gets_a_rule_of_its_own(operator: Client, nurse: Client) -> None:
    ward = Department.objects.get(name="Cardiology")
    operator.post(
        "/admin/alerts/alertrule/add/",
        {"department": str(ward.pk), "threshold_hours": "96", "second_tier_hours": ""},
    )
    rule = nurse.get("/api/v1/board/").json()["rule"]
    assert rule["departments"] == [
        {"department": "Cardiology", "threshold_hours": 96, "second_tier_hours": None}
    ]


def test_a_second_tier_before_the_first_is_refused_in_words(operator: Client) -> None:
    rule = AlertRule.objects.get()
    answer = operator.post(
        f"/admin/alerts/alertrule/{rule.pk}/change/",
        {"threshold_hours": "48", "second_tier_hours": "24"},
    )
    assert "The second tier must lie beyond the first." in answer.content.decode()
    rule.refresh_from_db()
    assert rule.second_tier_hours == 72


def test_the_default_rule_cannot_be_deleted(operator: Client) -> None:
    rule = AlertRule.objects.get()
    answer = operator.post(f"/admin/alerts/alertrule/{rule.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [rule.pk], "post": "yes"}
    operator.post("/admin/alerts/alertrule/", selected)
    assert AlertRule.objects.filter(pk=rule.pk).exists()


def test_staff_without_the_right_do_not_see_the_work_lists(operator: Client, nurse: Client) -> None:
    User.objects.filter(username="nurse").update(is_staff=True)
    assert nurse.get("/admin/ingestion/waiting/").status_code == 403
    assert nurse.get("/admin/ingestion/patient/").status_code == 403
    assert Patient.objects.count() > 0


def test_a_changed_threshold_is_on_the_trail_with_what_it_was(operator: Client) -> None:
    rule = AlertRule.objects.get()
    address = f"/admin/alerts/alertrule/{rule.pk}/change/"
    operator.post(address, {"threshold_hours": "4", "second_tier_hours": ""})

    event = AuditEvent.objects.get(act="rule.changed")
    assert (event.who, event.object_kind, event.object_key) == (
        "operator", "alert rule", str(rule.pk),
    )  # fmt: skip
    assert event.details == {
        "department": "",
        "threshold_hours": 4,
        "second_tier_hours": None,
        "before": {"threshold_hours": 48, "second_tier_hours": 72},
    }
    out = io.StringIO()
    call_command("rules", stdout=out)
    now, before = out.getvalue().splitlines()
    assert now == f"rule {rule.pk}: No new lab test, every other department: 4 h"
    assert before.startswith("until 20")
    assert before.endswith(f"rule {rule.pk}: 48 h, second tier 72 h")


def test_a_rule_that_is_made_and_deleted_is_on_the_trail(operator: Client) -> None:
    ward = Department.objects.get(name="Cardiology")
    values = {"department": str(ward.pk), "threshold_hours": "96", "second_tier_hours": ""}
    operator.post("/admin/alerts/alertrule/add/", values)
    made = AlertRule.objects.get(department=ward)
    operator.post(f"/admin/alerts/alertrule/{made.pk}/delete/", {"post": "yes"})

    told = AuditEvent.objects.filter(object_kind="alert rule").order_by("pk")
    hours = {"department": "Cardiology", "threshold_hours": 96, "second_tier_hours": None}
    assert list(told.values_list("act", "details")) == [
        ("rule.made", hours),
        ("rule.deleted", hours),
    ]
    assert not AlertRule.objects.filter(department=ward).exists()
