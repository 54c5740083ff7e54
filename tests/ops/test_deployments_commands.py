"""The commands of deployments and checklists, as whoever types them sees them end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.test import override_settings

from ops.choices import Moment
from ops.models import AuditEvent, ChecklistRun, ChecklistTick, Deployment
from tests.deliveries import NOON
from tests.ingestion.terminal import Ran, run
from tests.ops.checks import GREEN, RED, excepting_user, item, items

pytestmark = pytest.mark.usefixtures("at_noon")
PLAN = ("plan", "--stage", "staging", "--release", "0.2.0", "--by", "ci")
PAST = (
    "past", "--stage", "staging", "--release", "0.2.0", "--by", "ci", "--outcome", "succeeded",
    "--started", "2025-03-20T12:30+01:00", "--finished", "2025-03-20T12:40+01:00",
)  # fmt: skip


@pytest.fixture(autouse=True)
def storage(tmp_path: Path) -> Iterator[Path]:
    """The backups' storage is a folder of this test."""
    place = {"BACKEND": "ops.storage.KeptFolder", "OPTIONS": {"location": str(tmp_path)}}
    with override_settings(STORAGES={**settings.STORAGES, "backups": place}):
        yield tmp_path


def record(*arguments: object) -> Ran:
    return run("recorddeployment", *arguments)


def changed(arguments: tuple[str, ...], name: str, value: str) -> tuple[str, ...]:
    """The same arguments, one of them with another value."""
    at = arguments.index(name) + 1
    return (*arguments[:at], value, *arguments[at + 1 :])


def test_a_pipeline_plans_begins_steps_and_finishes(
    at_noon: time_machine.Traveller, storage: Path
) -> None:
    said = record(*PLAN, "--commit", "abcdef1", "--frontend", "f1", "--backup", "daily/1")
    number = Deployment.objects.get().pk
    assert said.out == f"Deployment {number} is planned: 0.2.0 to staging.\n"
    assert record("begin", number).code == 0
    assert record("step", number, "migrate", "passed", "--seconds", "1.5").code == 0
    at_noon.shift(timedelta(minutes=2))
    ended = record(
        "finish", number, "--outcome", "succeeded", "--words", "All well.", "--by", "ci",
        "--smoke", "alive=passed:0.2", "--smoke", "pace=not_run",
    )  # fmt: skip
    assert ended.out == f"Deployment {number} is on record: 0.2.0 to staging, succeeded.\n"

    kept = Deployment.objects.get()
    assert (kept.status, kept.duration, kept.commit) == (
        "succeeded", timedelta(minutes=2), "abcdef1",
    )  # fmt: skip
    assert [(each["name"], each["outcome"], each["seconds"]) for each in kept.smoke] == [
        ("alive", "passed", 0.2), ("pace", "not_run", None),
    ]  # fmt: skip
    listed = run("deployments").out
    assert "2025-03-20 13:00 CET  staging      0.2.0 (abcdef1)  succeeded, 120 s, ci" in listed
    assert len(list((storage / "deployments" / "development").iterdir())) == 1


def test_what_was_planned_is_dropped_with_a_reason() -> None:
    record(*PLAN)
    number = Deployment.objects.get().pk
    assert record("drop", number, "--why", "Not today.").code == 0
    assert Deployment.objects.get().outcome == "Never begun: Not today."


def test_what_went_by_other_means_is_recorded_and_takes_back_another() -> None:
    record(*PAST)
    first = Deployment.objects.get()
    ran = record(*changed(PAST, "--release", "0.1.0"), "--takes-back", first.pk)
    assert ran.code == 0
    first.refresh_from_db()
    assert (first.status, first.rolled_back_by and first.rolled_back_by.version) == (
        "rolled_back", "0.1.0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (changed(PLAN, "--release", "0.2 beta"), "is no version"),
        ((*PLAN, "--commit", "main"), "is no commit"),
        (changed(PAST, "--finished", "2025-03-20T12:00+01:00"), "ended before it began"),
        (changed(PAST, "--finished", "2025-03-21T12:00+01:00"), "cannot end in the future"),
        (changed(PAST, "--stage", "production"), "went past production's checklists"),
        ((*PAST, "--takes-back", "99"), "There is no deployment 99"),
        (("begin", "99"), "There is no deployment 99"),
        (("step", "99", "x", "passed"), "There is no deployment 99"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_trace(
    arguments: tuple[str, ...], words: str
) -> None:
    ran = record(*arguments)
    assert ran.code == 2
    assert words in ran.err
    assert (Deployment.objects.count(), AuditEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("plan",),
        changed(PLAN, "--stage", "prod"),
        changed(PAST, "--started", "yesterday"),
        changed(PAST, "--outcome", "fine"),
        (*PAST, "--smoke", "alive=good"),
        (*PAST, "--smoke", "alive=passed:soon"),
        ("begin", "first"),
        ("drop", "1"),
    ],
)
def test_wrong_arguments_are_told_by_the_parser(arguments: tuple[str, ...]) -> None:
    ran = record(*arguments)
    assert ran.code != 0
    assert Deployment.objects.count() == 0


def test_two_at_once_are_refused() -> None:
    record(*PLAN)
    record(*PLAN)
    first, second = Deployment.objects.order_by("pk").values_list("pk", flat=True)
    record("begin", first)
    ran = record("begin", second)
    assert (ran.code, "is running already" in ran.err) == (2, True)
    assert Deployment.objects.filter(status="running").count() == 1


def test_where_the_other_stages_cannot_be_told_it_says_so_and_the_record_stands(
    storage: Path,
) -> None:
    (storage / "deployments").write_text("no folder")
    ran = record(*PAST)
    assert (ran.code, "The other stages were not told" in ran.err) == (0, True)
    assert Deployment.objects.count() == 1


def test_a_place_is_observed_once() -> None:
    assert "0.1.0 to development, observed." in record("observe").out
    assert record("observe").out == "This place runs what is on record.\n"
    assert Deployment.objects.count() == 1


def test_the_list_is_empty_by_stage_or_in_json() -> None:
    assert run("deployments").out == "No deployment is on record here.\n"
    record(*PAST)
    assert run("deployments", "--stage", "production").out == "No deployment is on record here.\n"
    (told,) = json.loads(run("deployments", "--json").out)
    assert (told["version"], told["status"], told["seconds"]) == ("0.2.0", "succeeded", 600.0)
    assert run("deployments", "--last", "0").code == 2
    assert run("deployments", "--stage", "prod").code != 0


def test_stages_of_which_nothing_is_known_are_not_said_to_be_alike() -> None:
    ran = run("deployments", "--diff", "development", "production")
    assert ran.code == 1
    assert "production   not known: it has left no word" in ran.out
    assert ran.err == "Whether they differ is not known."


def test_differences_are_told_by_name(storage: Path) -> None:
    record("observe")
    (told,) = (storage / "deployments" / "development").iterdir()
    word = json.loads(told.read_text())
    word |= {"stage": "production", "version": "0.0.9", "settings": {"HOSPITAL_NEW": "set"}}
    word["migrations"]["ops"] = "0001_the_trail"
    (storage / "deployments" / "production").mkdir()
    (storage / "deployments" / "production" / "1.json").write_text(json.dumps(word))

    ran = run("deployments", "--diff", "production", "development")

    assert ran.code == 0
    assert "version: 0.0.9 | 0.1.0\n" in ran.out
    assert "migrations of ops: 0001_the_trail | " in ran.out
    assert "setting HOSPITAL_NEW: set | not set\n" in ran.out
    assert run("deployments", "--diff", "development", "development").out.endswith(
        "They do not differ in anything that is told.\n"
    )


# --- Checklists ---------------------------------------------------------------------------


@pytest.fixture
def checks() -> Iterator[None]:
    with items(
        item("good", Moment.BEFORE, GREEN),
        item("bad", Moment.BEFORE, RED),
        item("look", Moment.BEFORE),
        item("after", Moment.AFTER, GREEN),
    ):
        yield


def test_a_checklist_runs_its_commands_and_says_what_is_left(checks: None) -> None:
    ran = run("checklist", "before", "--by", "olga")
    assert (ran.code, ran.err) == (1, "Not green: bad, look.")
    assert "Green     good" in ran.out
    assert "Red       bad" in ran.out
    assert "manage.py checklist before --check bad" in ran.out
    assert 'manage.py checklist before --tick look --note "…"' in ran.out
    assert set(ChecklistTick.objects.values_list("key", "state", "by")) == {
        ("good", "green", "olga"), ("bad", "red", "olga"),
    }  # fmt: skip


def test_it_ends_well_once_everything_is_settled_and_closes_the_run(checks: None) -> None:
    run("checklist", "before")
    assert run("checklist", "before", "--tick", "look", "--note", "Review 12.").code == 1
    by = excepting_user()
    ran = run("checklist", "before", "--except", "bad", "--why", "Seen by eye.", "--by", by)
    assert ran.code == 0
    assert "olga: Seen by eye." in ran.out
    assert ChecklistRun.objects.get().closed_by == "olga"
    run("checklist", "before", "--show")
    assert ChecklistRun.objects.count() == 2


def test_one_check_is_run_alone_and_showing_runs_none(checks: None) -> None:
    assert run("checklist", "before", "--check", "good").code == 1
    assert run("checklist", "before", "--show").code == 1
    assert ChecklistTick.objects.get().key == "good"


def test_the_checklist_of_a_deployment_stays_open_until_it_is_over(checks: None) -> None:
    record(*PLAN)
    number = Deployment.objects.get().pk
    record("begin", number)
    assert run("checklist", "after", "--deployment", number).code == 0
    assert ChecklistRun.objects.get().closed_at is None
    record("finish", number, "--outcome", "succeeded")
    assert ChecklistRun.objects.get().closed_at == NOON


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tick", "look"), "needs a note"),
        (("--tick", "good", "--note", "Fine."), "decided by a command"),
        (("--tick", "what", "--note", "Fine."), "has no item 'what'"),
        (("--check", "look"), "No command decides look"),
        (("--check", "what"), "has no item 'what'"),
        (("--except", "bad", "--why", "So.", "--by", "nobody"), "nobody may not except"),
        (("--note", "Fine."), "--note goes with --tick KEY."),
        (("--why", "So."), "--why goes with --except KEY."),
        (("--deployment", "99"), "There is no deployment 99"),
    ],
)
def test_what_is_asked_wrongly_ticks_nothing(
    checks: None, arguments: tuple[str, ...], words: str
) -> None:
    ran = run("checklist", "before", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert ChecklistTick.objects.count() == 0


@pytest.mark.parametrize(
    "arguments", [(), ("now",), ("before", "--show", "--tick", "look"), ("before", "--check")]
)
def test_a_checklist_that_is_none_is_told_by_the_parser(arguments: tuple[str, ...]) -> None:
    assert run("checklist", *arguments).code != 0
    assert ChecklistRun.objects.count() == 0


def test_a_checklist_answers_in_json(checks: None) -> None:
    ran = run("checklist", "before", "--json")
    told = json.loads(ran.out)
    assert ran.code == 1
    assert {key: one["state"] for key, one in told["items"].items()} == {
        "good": "green", "bad": "red", "look": "open",
    }  # fmt: skip


def test_one_deployment_is_told_with_the_way_back() -> None:
    record(*PAST, "--commit", "abcdef1")
    record("plan", *changed(PLAN, "--release", "0.3.0")[1:], "--backup", "point/2026")
    first, second = Deployment.objects.order_by("pk")
    Deployment.objects.filter(pk=second.pk).update(
        migrations={"ops": {"from": "0006_a", "to": "0007_b"}, "new": {"from": "", "to": "0001_c"}}
    )

    said = run("deployments", second.pk).out
    assert said.splitlines()[1:] == [
        "outcome       –",
        "backup point  point/2026",
        "before it     0.2.0 (abcdef1)",
        "migrations    new: from nothing to 0001_c",
        "migrations    ops: from 0006_a to 0007_b",
        "to go back    manage.py migrate new zero",
        "to go back    manage.py migrate ops 0006_a",
    ]
    assert run("deployments", first.pk).out.splitlines()[-1] == "migrations    none is on record"
    assert run("deployments", 999_999).code == 2
