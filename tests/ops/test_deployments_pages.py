"""The pages of deployments and checklists: for whom, what they say, and what they do."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from ops.choices import Moment, Stage
from ops.evidence import Command
from ops.models import AuditEvent, ChecklistRun, ChecklistTick, Deployment
from ops.queries.running import what_runs_here
from ops.services.checklists import open_checklist, run_check
from ops.services.deployments import (
    begin_deployment,
    begin_rollback,
    finish_deployment,
    note_facts,
    note_step,
    observe_place,
)
from ops.services.stages import differences, tell_stages, word_of
from ops.storage import backup_storage
from tests.deliveries import NOON
from tests.ops.checks import GREEN, RED, item, items, planned

pytestmark = pytest.mark.usefixtures("at_noon")
DEPLOYMENTS = "/admin/ops/deployment/"
RUNS = "/admin/ops/checklistrun/"


@pytest.fixture(autouse=True)
def storage(tmp_path: Path) -> Iterator[Path]:
    """The backups' storage is a folder of this test."""
    place = {"BACKEND": "ops.storage.KeptFolder", "OPTIONS": {"location": str(tmp_path)}}
    with override_settings(STORAGES={**settings.STORAGES, "backups": place}):
        yield tmp_path


@pytest.fixture
def checks() -> Iterator[None]:
    """Three items before: a command that is well, one that is not, and a person's."""
    with items(
        item("good", Moment.BEFORE, GREEN),
        item("bad", Moment.BEFORE, RED),
        item("look", Moment.BEFORE),
    ):
        yield


def page(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, address
    body = answer.content.decode()
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", body)
    return body


def staff(*permissions: str) -> Client:
    """The browser of somebody in the admin with these permissions alone."""
    user = User.objects.create(username="sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def a_story() -> Deployment:
    """A deployment with everything, taken back by another."""
    deployment = planned("staging")
    begin_deployment(deployment, by="olga")
    note_step(deployment, "migrate", outcome="passed", seconds=1.5, words="2 applied")
    note_facts(
        deployment,
        migrations={"ops": {"from": "0001_a", "to": "0002_b"}},
        backup_point="daily/1",
        smoke=[{"name": "alive", "outcome": "failed", "seconds": 0.25, "words": "answers 503"}],
    )
    back = begin_rollback(deployment, version="0.1.0", by="otto", why="Smoke test failed.")
    finish_deployment(back, succeeded=True, outcome="The old code answers.", by="otto")
    deployment.refresh_from_db()
    return deployment


def another_stage_says(stage: str, **more: object) -> None:
    running = {**what_runs_here().__dict__, "stage": stage, **more}
    word = {"form": 1, "said_at": (NOON - timedelta(days=3)).isoformat(), **running}
    backup_storage().save(f"deployments/{stage}/1.json", ContentFile(json.dumps(word).encode()))


def test_an_empty_page_says_what_will_be_there_and_what_makes_it_appear(operator: Client) -> None:
    body = page(operator, DEPLOYMENTS)
    assert "No deployment is on record here." in body
    assert "manage.py recorddeployment" in body
    assert body.count("not known: it has left no word in the storage of the backups") == 2
    assert "No checklist was gone through yet." in page(operator, RUNS)


def test_the_timeline_and_the_list_say_the_same_in_words(operator: Client) -> None:
    a_story()
    body = page(operator, DEPLOYMENTS)
    assert body.count("<title>0.2.0 to staging, rolled back, 2025-03-20 13:00 CET</title>") == 1
    assert body.count("<title>0.1.0 to staging, succeeded, 2025-03-20 13:00 CET</title>") == 1
    assert "← Rolled back" in body
    assert "● Succeeded" in body


def test_one_deployment_tells_its_whole_story(operator: Client) -> None:
    deployment = a_story()
    body = page(operator, f"{DEPLOYMENTS}{deployment.pk}/change/")
    for words in (
        "Taken back: Smoke test failed.", "Rolled back by", "daily/1", "0001_a", "0002_b",
        "2 applied", "answers 503", "No checklist was gone through for it.",
    ):  # fmt: skip
        assert words in body
    back = page(operator, f"{DEPLOYMENTS}{deployment.rolled_back_by_id}/change/")
    assert "Takes back" in back


def test_nobody_edits_a_deployment_or_a_run(operator: Client) -> None:
    deployment = a_story()
    run = open_checklist("before", by="olga")
    for address in (f"{DEPLOYMENTS}{deployment.pk}/", f"{RUNS}{run.pk}/"):
        assert operator.post(f"{address}change/", {"by": "x"}).status_code == 403
        assert operator.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert (Deployment.objects.count(), ChecklistRun.objects.count()) == (2, 1)


def test_the_ward_and_staff_without_the_right_see_nothing(nurse: Client, checks: None) -> None:
    run = open_checklist("before", by="olga")
    addresses = [DEPLOYMENTS, RUNS, f"{RUNS}{run.pk}/change/", f"{RUNS}open/"]
    addresses += [f"{RUNS}{run.pk}/{act}/?item=look" for act in ("run", "tick", "except", "close")]
    for browser in (nurse, staff()):
        for address in addresses:
            assert browser.get(address, follow=True).status_code == 403, address
            assert browser.post(address, {"note": "x"}, follow=True).status_code == 403, address
    assert ChecklistTick.objects.count() == 0


def test_who_may_only_look_sees_no_act_and_is_refused_it(checks: None) -> None:
    run = open_checklist("before", by="olga")
    viewer = staff("view_checklistrun")
    body = page(viewer, f"{RUNS}{run.pk}/change/")
    assert "Tick…" not in body
    assert viewer.post(f"{RUNS}{run.pk}/tick/?item=look", {"note": "x"}).status_code == 403
    assert ChecklistTick.objects.count() == 0


def test_who_may_tick_may_not_except(checks: None) -> None:
    run = open_checklist("before", by="olga")
    ticker = staff("view_checklistrun", "change_checklistrun")
    assert "Except…" not in page(ticker, f"{RUNS}{run.pk}/change/")
    assert ticker.post(f"{RUNS}{run.pk}/except/?item=bad", {"why": "x"}).status_code == 403
    assert ChecklistTick.objects.count() == 0


def test_a_run_is_opened_checked_ticked_excepted_and_closed(operator: Client, checks: None) -> None:
    assert "A run is opened in your name" in page(operator, f"{RUNS}open/")
    assert ChecklistRun.objects.count() == 0
    operator.post(f"{RUNS}open/", {"moment": "before"})
    run = ChecklistRun.objects.get()
    address = f"{RUNS}{run.pk}/"
    assert "0 of 3 settled" in page(operator, f"{address}change/")

    asked = page(operator, f"{address}run/?item=bad")
    assert "<code>false</code>" in asked
    assert ChecklistTick.objects.count() == 0

    said = operator.post(f"{address}run/?item=bad", follow=True).content.decode()
    assert "Red: bad." in said
    assert "1 red" in said
    assert "exit status 1" in said
    operator.post(f"{address}run/?item=good")
    operator.post(f"{address}tick/?item=look", {"note": "Review 12."})
    operator.post(f"{address}except/?item=bad", {"why": "Seen by eye."})
    said = page(operator, f"{address}change/")
    assert "3 of 3 settled" in said
    assert "1 earlier" in said
    operator.post(f"{address}close/")

    run.refresh_from_db()
    assert run.closed_by == "operator"
    assert list(AuditEvent.objects.order_by("pk").values_list("act", "who")) == [
        (f"checklist.{act}", "operator")
        for act in ("opened", "checked", "checked", "ticked", "excepted", "closed")
    ]
    assert "Run…" not in page(operator, f"{address}change/")


def test_a_tick_without_a_note_asks_again(operator: Client, checks: None) -> None:
    run = open_checklist("before", by="olga")
    answer = operator.post(f"{RUNS}{run.pk}/tick/?item=look", {"note": " "})
    assert "This field is required." in answer.content.decode()
    assert ChecklistTick.objects.count() == 0


def test_an_item_that_is_none_and_a_run_that_is_none_are_not_found(
    operator: Client, checks: None
) -> None:
    run = open_checklist("before", by="olga")
    assert operator.post(f"{RUNS}{run.pk}/tick/?item=what", {"note": "x"}).status_code == 404
    assert operator.post(f"{RUNS}99999/tick/?item=look", {"note": "x"}).status_code == 404


def test_what_takes_long_is_not_run_by_a_page(operator: Client) -> None:
    run = open_checklist("before", by="olga")
    body = page(operator, f"{RUNS}{run.pk}/change/")
    assert "manage.py checklist before --check migrations-linted" in body
    said = operator.post(f"{RUNS}{run.pk}/run/?item=migrations-linted", follow=True)
    assert "may take longer than a page can wait" in said.content.decode()
    assert ChecklistTick.objects.count() == 0


def test_evidence_is_shown_as_text_and_never_as_markup(operator: Client) -> None:
    command = Command((sys.executable, "-c", "print('<script>alert(1)</script>')"))
    with items(item("one", Moment.BEFORE, command)):
        run = open_checklist("before", by="olga")
        run_check(run, "one", by="olga")
        body = page(operator, f"{RUNS}{run.pk}/change/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body


def test_a_deployment_offers_the_checklist_of_its_moment(operator: Client, checks: None) -> None:
    deployment = planned("staging")
    body = page(operator, f"{DEPLOYMENTS}{deployment.pk}/change/")
    assert "Open the checklist before…" in body
    assert "checklist after" not in body
    given = {"moment": "before", "deployment": str(deployment.pk)}
    operator.post(f"{RUNS}open/", given)
    assert deployment.checklists.get().moment == "before"
    refused = operator.post(f"{RUNS}open/", {**given, "moment": "after"}, follow=True)
    assert "would have to be running" in refused.content.decode()
    assert ChecklistRun.objects.count() == 1


def test_stages_stand_beside_each_other_with_the_age_of_their_word(operator: Client) -> None:
    another_stage_says("production", version="0.0.9")
    body = page(operator, DEPLOYMENTS)
    assert re.search(r"<strong>3\xa0days old</strong>, of 2025-03-17 13:00 CET", body)
    assert re.search(
        r'<tr class="differs"><th scope="row">Version</th>\s*<td>0.1.0</td>\s*'
        r'<td class="quiet">not known</td>\s*<td>0.0.9</td>',
        body,
    )


@pytest.mark.parametrize("word", [b"{", b"[]", b'{"form": 2}', b"\xff"])
def test_a_word_that_cannot_be_read_is_not_known(operator: Client, word: bytes) -> None:
    backup_storage().save("deployments/production/1.json", ContentFile(word))
    assert "not known: its word cannot be read" in page(operator, DEPLOYMENTS)


def test_a_word_under_another_stages_name_is_not_believed(operator: Client) -> None:
    another_stage_says("staging")
    kept = backup_storage().open("deployments/staging/1.json").read()
    backup_storage().save("deployments/production/1.json", ContentFile(kept))
    assert word_of(Stage.PRODUCTION).running is None


def test_a_storage_that_fails_leaves_the_page_and_says_so(operator: Client, storage: Path) -> None:
    (storage / "deployments").mkdir()
    (storage / "deployments" / "production").write_text("no folder")
    assert "the storage of the backups failed (NotADirectoryError)" in page(operator, DEPLOYMENTS)


def test_no_value_of_a_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, storage: Path, operator: Client
) -> None:
    monkeypatch.setenv("HOSPITAL_SECRET_KEY", "correct-horse-battery")
    monkeypatch.setenv("HOSPITAL_FEED_INTERVAL_MINUTES", "17")
    assert tell_stages() is True

    (kept,) = (storage / "deployments" / "development").iterdir()
    told = json.loads(kept.read_text())["settings"]
    assert told["HOSPITAL_SECRET_KEY"] == told["DATABASE_URL"] == "set"
    assert re.fullmatch("[0-9a-f]{12}", told["HOSPITAL_FEED_INTERVAL_MINUTES"])
    assert "correct-horse-battery" not in kept.read_text()

    another_stage_says("production", settings={})
    body = page(operator, DEPLOYMENTS)
    assert ">HOSPITAL_FEED_INTERVAL_MINUTES</th>" in body
    assert told["HOSPITAL_FEED_INTERVAL_MINUTES"] not in body


def test_a_setting_with_another_value_differs_by_its_name_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOSPITAL_FEED_INTERVAL_MINUTES", "17")
    one = what_runs_here()
    monkeypatch.setenv("HOSPITAL_FEED_INTERVAL_MINUTES", "18")
    found = differences(one, what_runs_here())
    assert [(each.what, each.one, each.other) for each in found] == [
        ("setting HOSPITAL_FEED_INTERVAL_MINUTES", "set", "set")
    ]


def test_where_the_others_cannot_be_told_the_record_stands(storage: Path) -> None:
    (storage / "deployments").write_text("no folder")
    assert observe_place() is not None
    assert tell_stages() is False
    assert Deployment.objects.count() == 1


def queries_of(browser: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(address).status_code == 200
    return len(captured)


def test_pages_ask_as_often_for_many_as_for_few(operator: Client, checks: None) -> None:
    def more() -> tuple[Deployment, ChecklistRun]:
        deployment = planned("staging")
        run = open_checklist("before", by="olga", deployment=deployment)
        for key in ("good", "bad"):
            run_check(run, key, by="olga")
        begin_deployment(deployment, by="olga")
        note_step(deployment, "migrate", outcome="passed")
        finish_deployment(deployment, succeeded=True, outcome="", by="olga")
        return deployment, run

    first, run = more()
    one = f"{DEPLOYMENTS}{first.pk}/change/"
    addresses = [DEPLOYMENTS, RUNS, one, f"{RUNS}{run.pk}/change/"]
    operator.get(DEPLOYMENTS)
    few = [queries_of(operator, address) for address in addresses]
    for _ in range(6):
        more()
    assert [queries_of(operator, address) for address in addresses] == few
    assert few == [6, 5, 8, 6]
