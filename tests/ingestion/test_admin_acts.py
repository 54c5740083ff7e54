"""Acts in the admin: asked for, confirmed with a reason, and only by those who may."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from ingestion.models import ConflictDecision, Feed, FeedFile, LabResult, RejectedRow, WaitingRow
from ops.models import AuditEvent
from tests.deliveries import NOON, admission, deliver, lab_result, lab_test, patient
from tests.ingestion.test_quarantine import PEOPLE, TESTS, inbox, put

__all__ = ["inbox"]
FILES = "/admin/ingestion/feedfile/"
ROWS = "/admin/ingestion/rejectedrow/"
WAITING = "/admin/ingestion/waitingrow/"
CONFLICTS = "/admin/ingestion/conflicts/"
DECIDE = "/admin/ingestion/conflictdecision/decide/"


def staff(*permissions: str) -> Client:
    """The browser of somebody in the admin with these permissions alone."""
    user = User.objects.create(username="sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def act(browser: Client, address: str, name: str, key: int, **more: str) -> tuple[int, str]:
    """Post an act as the list does. Returns the status and the page that follows."""
    posted: dict[str, Any] = {"action": name, "_selected_action": [key], **more}
    answer = browser.post(address, posted, follow=True)
    return answer.status_code, answer.content.decode()


def confirm(browser: Client, address: str, name: str, key: int, **more: str) -> str:
    return act(browser, address, name, key, confirmed="yes", **more)[1]


def test_a_replay_says_what_will_happen_asks_why_and_shows_the_new_ledger(
    inbox: Path, operator: Client
) -> None:
    put(inbox, PEOPLE + "P1,Emma,Brown,\n")
    file = put(inbox, TESTS + "T1,P1,Sodium,19/3/2025,08:00\n", key="lis/20250320T110500Z.csv")
    Feed.objects.update(is_day_first=True)

    _, asked = act(operator, FILES, "replay", file.pk)
    assert "The bytes are read again as they came" in asked
    assert 'name="why"' in asked
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", asked)
    assert file.readings.count() == 1

    said = confirm(operator, FILES, "replay", file.pk, why="Day first.")

    assert f"File {file.pk}. Before: 1 rows (1 rejected); now: 1 rows (1 created)" in said
    assert file.readings.count() == 2
    assert AuditEvent.objects.filter(kind="act").get().who == "operator"


def test_a_replayed_row_says_what_became_of_its_line(inbox: Path, operator: Client) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\nP2\n")
    row = RejectedRow.objects.get()

    said = confirm(operator, f"{ROWS}?settled=all", "replay", row.pk, why="Try again.")

    assert "Line 3 is rejected again: More or fewer fields than the header." in said
    assert file.readings.count() == 2


def test_a_waiting_row_is_replayed_with_its_file(inbox: Path, operator: Client) -> None:
    put(inbox, TESTS + "T1,P1,Sodium,2025-03-19,08:00\n", key="lis/20250320T110500Z.csv")

    said = confirm(operator, WAITING, "replay", WaitingRow.objects.get().pk, why="Patient renamed.")

    assert "Line 2: waiting." in said
    assert "1 waiting row" in operator.get(WAITING).content.decode()
    assert WaitingRow.objects.count() == 2


def test_a_file_from_the_future_is_replayed_as_of_the_time_that_is_given(
    inbox: Path, operator: Client
) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\n", key="pms/20260320T110000Z.csv")

    wrong = confirm(
        operator, FILES, "replay", file.pk, why="Clock.", source_time="2025-03-20 11:00"
    )
    assert "The source time needs an offset." in wrong
    said = confirm(
        operator, FILES, "replay", file.pk, why="Clock.", source_time="2025-03-20T12:00:00+01:00"
    )

    assert "now: 1 rows (1 created)" in said
    file.refresh_from_db()
    assert (file.source_time.isoformat(), file.readings.count()) == (
        "2025-03-20T11:00:00+00:00",
        2,
    )


def test_a_dismissal_without_reason_is_asked_again_and_dismisses_nothing(
    inbox: Path, operator: Client
) -> None:
    put(inbox, PEOPLE + "P2\n")
    row = RejectedRow.objects.get()

    said = confirm(operator, ROWS, "dismiss", row.pk, why="  ")

    assert "This field is required." in said
    row.refresh_from_db()
    assert (row.settled_at, AuditEvent.objects.filter(kind="act").count()) == (None, 0)


def test_a_dismissed_row_shows_who_dismissed_it_and_why(inbox: Path, operator: Client) -> None:
    put(inbox, PEOPLE + "P2\n")
    row = RejectedRow.objects.get()

    said = confirm(operator, ROWS, "dismiss", row.pk, why="A footer.")
    assert "Dismissed: 1. They stay in their ledgers." in said
    assert "0 rejected rows" in said

    page = operator.get(f"{ROWS}{row.pk}/change/").content.decode()
    assert "An operator dismissed it 2025-03-20 13:00 (operator: A footer.)" in page
    again = confirm(operator, f"{ROWS}?settled=all", "dismiss", row.pk, why="Again.")
    assert f"Rejected row {row.pk} is settled already. Nothing was changed." in again
    assert AuditEvent.objects.filter(kind="act").count() == 1


def test_a_dismissed_file_is_listed_as_such(inbox: Path, operator: Client) -> None:
    file = put(inbox, "Dear colleague,\n")

    confirm(operator, FILES, "dismiss", file.pk, why="A letter.")

    page = operator.get(f"{FILES}?dismissed=done").content.decode()
    assert "No layout fits the header, dismissed" in page
    assert "0 feed files" in operator.get(f"{FILES}?dismissed=open").content.decode()


def test_acts_are_offered_on_the_objects_own_page(inbox: Path, operator: Client) -> None:
    file = put(inbox, "what,is,this\n")

    page = operator.get(f"{FILES}{file.pk}/change/").content.decode()

    assert '<button type="submit" name="action" value="replay" class="button">Replay…' in page
    assert "1: 2025-03-20 13:00, refused. No layout fits the header" in page


def test_work_is_narrowed_by_source_reason_and_age(
    inbox: Path, operator: Client, at_noon: Any
) -> None:
    put(inbox, "what,is,this\n")
    put(inbox, PEOPLE + "P2\n", key="pms/20250320T110100Z.csv")
    put(inbox, TESTS + "T1,P1,Sodium,2025-03-19,08:00\n", key="lis/20250320T110500Z.csv")
    at_noon.shift(2 * 3600)
    put(inbox, "", key="lis/20250320T110600Z.csv")

    def listed(address: str) -> str:
        page = operator.get(address).content.decode()
        found = re.search(r"(\d+) (?:feed file|rejected row|waiting row)", page)
        assert found
        return found[1]

    refused = f"{FILES}?status__exact=refused"
    assert listed(refused) == "2"
    assert listed(f"{refused}&source=pms") == "1"
    assert listed(f"{refused}&refusal__exact=no_header") == "1"
    assert listed(f"{refused}&older=1h") == "1"
    assert listed(f"{refused}&older=24h") == "0"
    assert (listed(f"{ROWS}?older=1h"), listed(f"{ROWS}?older=7d")) == ("1", "0")
    assert listed(f"{ROWS}?reason__exact=columns") == "1"
    assert (listed(f"{WAITING}?older=1h"), listed(f"{WAITING}?older=24h")) == ("1", "0")


def test_who_may_only_look_sees_no_act_and_cannot_post_one(inbox: Path) -> None:
    file = put(inbox, "what,is,this\n")
    put(inbox, PEOPLE + "P2\n", key="pms/20250320T110100Z.csv")
    row = RejectedRow.objects.get()
    browser = staff("view_feedfile", "view_rejectedrow")

    assert 'name="action"' not in browser.get(FILES).content.decode()
    assert 'name="action"' not in browser.get(f"{FILES}{file.pk}/change/").content.decode()
    confirm(browser, FILES, "replay", file.pk, why="May I?")
    confirm(browser, ROWS, "dismiss", row.pk, why="May I?")

    row.refresh_from_db()
    assert (
        file.readings.count(),
        row.settled_at,
        AuditEvent.objects.filter(kind="act").count(),
    ) == (1, None, 0)


def test_who_may_change_the_model_may_act(inbox: Path) -> None:
    put(inbox, PEOPLE + "P2\n")
    row = RejectedRow.objects.get()
    browser = staff("change_rejectedrow")

    confirm(browser, ROWS, "dismiss", row.pk, why="A footer.")

    row.refresh_from_db()
    assert row.settled_by == "sam"
    assert act(browser, FILES, "replay", row.feed_file_id)[0] == 403


def test_nobody_else_reaches_an_act(inbox: Path, nurse: Client, stranger: Client) -> None:
    file = put(inbox, "what,is,this\n")

    for browser in (nurse, stranger):
        for address in (FILES, DECIDE):
            answer = browser.post(
                address,
                {"action": "replay", "_selected_action": [file.pk], "confirmed": "yes", "why": "x"},
            )
            assert answer.status_code == 302
            assert "/login/" in answer["Location"]
    assert (file.readings.count(), AuditEvent.objects.filter(kind="act").count()) == (1, 0)


# --- Conflicts ----------------------------------------------------------------------------


@pytest.fixture
def shared_numbers(at_noon: Any) -> None:
    deliver(patient("P1", "Brown, Emma"), patient("P2", "Fox, Otto"))
    deliver(lab_test("T1", "P1", "Sodium", hours=9), source="lis")
    deliver(lab_test("T1", "P2", "Sodium", hours=8), source="lis")
    deliver(lab_result("R1", "T1", "5", hours=4), source="lis")
    deliver(admission("C1", "P1", hours=9), admission("C1", "P2", hours=8))


shared = pytest.mark.usefixtures("shared_numbers")
T1 = {"kind": "test_id", "identifier": "T1"}
SEEN = {**T1, "side": ["P1", "P2"], "confirmed": "yes"}


@shared
def test_a_conflict_shows_both_sides_with_their_origin_and_what_waits(operator: Client) -> None:
    page = operator.get(CONFLICTS).content.decode()
    for side in ("P1 · Brown, Emma", "P2 · Fox, Otto"):
        assert page.count(f"<td>{side}</td>") == 2
    assert page.count("Decide…") == 2
    test = FeedFile.objects.order_by("pk")[1]
    assert f"{test.key}</a>, line 2</td><td>2025-03-20 13:00</td>" in page

    asked = operator.post(DECIDE, T1).content.decode()
    assert "Results that name only this number belong to patient P2" in asked
    assert "<td>1</td>" in asked
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", asked)


@shared
def test_a_decision_takes_effect_and_moves_to_the_decided_ones(operator: Client) -> None:
    answer = operator.post(
        DECIDE, {**SEEN, "belongs_to": "side:P2", "why": "By telephone."}, follow=True
    )

    page = answer.content.decode()
    assert "Decided, and in effect." in page
    assert "Results belong to patient P2: operator, 2025-03-20 13:00. By telephone." in page
    test = LabResult.objects.get(result_id="R1").lab_test
    assert test is not None
    assert test.patient_number == "P2"


@shared
def test_a_decision_needs_a_choice_and_a_reason(operator: Client) -> None:
    for given in ({"why": "Because."}, {"belongs_to": "side:P2"}, {"belongs_to": "side:P9"}):
        answer = operator.post(DECIDE, {**SEEN, **given})
        assert answer.status_code == 200
    assert ConflictDecision.objects.count() == 0


@shared
def test_what_was_shown_is_no_longer_so_and_nothing_is_decided(operator: Client) -> None:
    deliver(patient("P3"))
    deliver(lab_test("T1", "P3", "Sodium", hours=8), source="lis", at=NOON)

    answer = operator.post(DECIDE, {**SEEN, "belongs_to": "side:P2", "why": "x"}, follow=True)

    assert "The conflict is not the one that was shown" in answer.content.decode()
    assert ConflictDecision.objects.count() == 0


@shared
def test_of_a_case_number_it_can_only_be_said_that_all_are_real(operator: Client) -> None:
    case = {"kind": "case_number", "identifier": "C1"}
    asked = operator.post(DECIDE, case).content.decode()
    assert "Seen: all of them are real, and all stay watched" in asked
    assert "side:P1" not in asked

    posted = {**case, "side": ["P1", "P2"], "confirmed": "yes", "belongs_to": "nobody"}
    operator.post(DECIDE, {**posted, "why": "A twin admission."})

    assert ConflictDecision.objects.get().kind == "case_number"


@shared
def test_a_decision_is_posted_by_those_who_may_and_by_nobody_else(operator: Client) -> None:
    looking = staff("view_labtest", "view_conflictdecision")
    posted = {**SEEN, "belongs_to": "nobody", "why": "x"}

    assert "Decide…" not in looking.get(CONFLICTS).content.decode()
    assert looking.post(DECIDE, posted).status_code == 403
    assert operator.get(DECIDE).status_code == 405
    gone = operator.post(DECIDE, {"kind": "test_id", "identifier": "T9"}, follow=True)
    assert "There is no such conflict any more" in gone.content.decode()
    assert ConflictDecision.objects.count() == 0
