"""A release is brought to a stage: every step on record, and back by itself if one fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from ops.choices import Moment
from ops.errors import DeployFailed, DeployRefused
from ops.models import AuditEvent, Backup, Deployment, Incident
from ops.services.checklists import open_checklist, tick_item
from ops.services.deploying import rehearse
from tests.deploying.acts import deployed, quiet, refusal
from tests.deploying.places import FRONTEND, RELEASES, Place, a_place
from tests.deploying.planted import NEW_COLUMN, planted
from tests.ops.checks import GREEN, RED, item, items
from tests.ops.places import kept_place

STEPS = [
    "checklist-before", "package", "migration-plan", "backup-point", "static-files", "migrate",
    "functions", "settle", "frontend", "what-runs", "smoke", "checklist-during", "checklist-after",
]  # fmt: skip


def test_a_first_deployment_ends_with_code_files_and_every_step_on_record(place: Place) -> None:
    deployment = deployed(place)

    assert place.codes() == {"one"}
    assert place.served("app/assets/index-one.js") == b"board('one')"
    assert place.served("app/vigil.svg") == b"<svg>one</svg>"
    assert f"releases/{place.release}.json" in place.keys(RELEASES) & place.keys(FRONTEND)
    assert (deployment.status, deployment.version) == ("succeeded", "0.1.0")
    assert deployment.backup_point.startswith("point-")
    assert list(deployment.steps.values_list("name", flat=True)) == STEPS
    assert {each["outcome"] for each in deployment.smoke} == {"passed"}
    acts = AuditEvent.objects.filter(object_kind="deployment").order_by("pk")
    assert list(acts.values_list("act", flat=True)) == [
        "deployment.planned", "deployment.begun", "deployment.succeeded",
    ]  # fmt: skip


def test_a_release_is_built_once_and_taken_as_it_is_the_second_time(place: Place) -> None:
    deployed(place)
    packages = place.keys(RELEASES)

    deployed(place)

    assert place.outcome("package")[1].startswith(f"{place.release} was built before, and is kept")
    assert place.keys(RELEASES) == packages


def test_a_failing_smoke_test_brings_code_board_and_schema_of_before_back(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")
    place.is_broken = {"two"}

    with planted(tmp_path, (NEW_COLUMN, "")):
        words = refusal(place, DeployFailed)

    assert words.startswith("It failed at smoke: alive: /livez answers 500.")
    assert "It went back to 0.1.0." in words
    assert "migrations-back: The schema is as it was before." in words
    assert place.codes() == {"one"}
    assert place.served("app/vigil.svg") == b"<svg>one</svg>"
    # A board that is open since then still finds what it asks for.
    assert place.served("app/assets/index-two.js") == b"board('two')"
    back, failed, _ = Deployment.objects.all()
    assert (failed.status, failed.rolled_back_by) == ("rolled_back", back)
    assert failed.migrations["alerts"]["to"] == "9001_planted"
    assert (back.status, back.rolls_back, back.version) == ("succeeded", failed, "0.1.0")
    assert list(back.steps.values_list("name", "outcome")) == [
        ("functions-back", "passed"), ("frontend-back", "passed"), ("migrations-back", "passed"),
        ("what-runs", "passed"),
    ]  # fmt: skip
    assert Incident.objects.get(component="deployment").status == "open"


def test_a_rehearsal_shows_every_step_and_changes_nothing(place: Place, tmp_path: Path) -> None:
    deployed(place)
    place.write("two")
    place.told.clear()
    before = (place.keys(RELEASES), place.keys(FRONTEND), AuditEvent.objects.count())

    with planted(tmp_path, (NEW_COLUMN, "")):
        rehearse(place.ask(), say=quiet, tell=place.tell)

    assert [came.name for came in place.told] == [*STEPS, "finish"]
    assert place.outcome("static-files")[1] == "Add 3 of 3 static files; delete none."
    assert place.outcome("migrate")[1] == "Apply alerts.9001_planted, as the owner."
    assert place.outcome("package")[1].startswith(f"Build {place.release}, or take it")
    assert (place.keys(RELEASES), place.keys(FRONTEND), AuditEvent.objects.count()) == before
    assert (Deployment.objects.count(), Backup.objects.count()) == (1, 1)
    assert place.codes() == {"one"}


def test_the_command_prints_each_step_and_the_rehearsal_that_nothing_was_changed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    zappa = str(place.folder / "bin" / "zappa")
    call_command("deploy", "dev", "--zappa", zappa, "--by", "olga", "--dry-run")
    rehearsed = capsys.readouterr().out
    call_command("deploy", "dev", "--zappa", zappa, "--by", "olga")
    said = capsys.readouterr().out

    assert rehearsed.splitlines()[-1] == "Nothing was changed."
    assert "Not run  functions" in rehearsed
    assert "Passed   functions" in said
    number = Deployment.objects.get().pk
    assert said.splitlines()[-1] == f"Deployment {number}: 0.1.0 to development, succeeded."


def test_a_tree_with_changes_goes_to_dev_under_a_name_of_its_own(place: Place) -> None:
    place.write("changed", commits=False)

    deployment = deployed(place)

    assert place.codes() == {"changed"}
    assert deployment.version.startswith("0.1.0+changed.")


@pytest.fixture(name="production")
def _production(tmp_path: Path, transactional_db: None) -> object:
    with kept_place(tmp_path), a_place(tmp_path, "production") as found:
        yield found


def test_a_tree_with_changes_does_not_go_to_production(production: Place) -> None:
    production.write("changed", commits=False)

    words = refusal(production, DeployRefused)

    assert words.startswith("The work tree holds changes that are in no commit")
    assert Deployment.objects.count() == 0


def test_production_waits_for_its_checklist_and_goes_on_from_there(production: Place) -> None:
    with items(item("review", Moment.BEFORE), item("books", Moment.BEFORE, GREEN)):
        words = refusal(production, DeployRefused)
        planned = Deployment.objects.get()
        run = open_checklist("before", by="olga", deployment=planned)
        tick_item(run, "review", by="olga", note="Seen.")
        deployment = deployed(production)

    assert words.startswith("The checklist before is not green: review.")
    assert f"--deployment {planned.pk}" in words
    assert (deployment.pk, deployment.status) == (planned.pk, "succeeded")
    assert production.codes() == {"one"}


def test_what_is_red_afterwards_on_production_takes_it_back(production: Place) -> None:
    with items():
        deployed(production)
    production.write("two")

    with items(item("alerts", Moment.AFTER, RED)):
        words = refusal(production, DeployFailed)

    assert words.startswith("It failed at checklist-after: On the checklist after are red: alerts.")
    assert production.codes() == {"one"}


def test_what_nobody_could_judge_on_production_leaves_it_running_and_told(
    production: Place,
) -> None:
    with items(item("seen", Moment.AFTER)):
        deployment = deployed(production)

    assert deployment.status == "running"
    assert production.outcome("finish")[0] == "not_run"
    assert production.codes() == {"one"}
