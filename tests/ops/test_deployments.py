"""The life of a deployment: one at a time, gated on production, on record, and taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from ops.choices import DeploymentStatus, Moment
from ops.errors import (
    AlreadyDeploying,
    ChecklistNotGreen,
    DeploymentIsElsewhere,
    NotDone,
    NotPermitted,
)
from ops.models import AuditEvent, Deployment, DeploymentStep, Incident
from ops.queries.deployments import deployment_before
from ops.queries.running import migrations_before, migrations_between
from ops.services.checklists import open_checklist, run_check, tick_item
from ops.services.deployments import (
    begin_deployment,
    begin_rollback,
    drop_plan,
    finish_deployment,
    note_facts,
    note_rollback,
    note_step,
    observe_place,
    plan_deployment,
    record_deployment,
)
from tests.deliveries import NOON
from tests.ops.checks import GREEN, RED, except_all, excepting_user, item, items, planned

pytestmark = pytest.mark.usefixtures("at_noon")


def running(stage: str = "staging", version: str = "0.2.0") -> Deployment:
    deployment = planned(stage, version)
    begin_deployment(deployment, by="olga")
    return deployment


def succeeded(stage: str = "staging", version: str = "0.2.0") -> Deployment:
    deployment = running(stage, version)
    finish_deployment(deployment, succeeded=True, outcome="All well.", by="olga")
    return deployment


def acts() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("act", flat=True))


def test_a_deployment_keeps_who_what_when_how_long_and_how_it_went(
    at_noon: time_machine.Traveller,
) -> None:
    deployment = running()
    note_step(deployment, "migrate", outcome="passed", seconds=1.5, words="2 applied")
    note_facts(
        deployment,
        migrations=migrations_between({"ops": "0001_a"}, {"ops": "0002_b"}),
        frontend_version="abc",
        backup_point="daily/1",
        smoke=[{"name": "alive", "outcome": "passed", "seconds": 0.25}],
    )
    at_noon.shift(timedelta(minutes=3))
    finish_deployment(deployment, succeeded=True, outcome="All well.", by="olga")

    kept = Deployment.objects.get()
    assert (kept.stage, kept.version, kept.commit, kept.by) == (
        "staging", "0.2.0", "a" * 40, "olga",
    )  # fmt: skip
    assert (kept.started_at, kept.duration) == (NOON, timedelta(minutes=3))
    assert (kept.status, kept.outcome) == ("succeeded", "All well.")
    assert (kept.frontend_version, kept.backup_point) == ("abc", "daily/1")
    assert kept.migrations == {"ops": {"from": "0001_a", "to": "0002_b"}}
    assert kept.smoke == [{"name": "alive", "outcome": "passed", "seconds": 0.25, "words": ""}]
    step = kept.steps.get()
    assert (step.name, step.outcome, step.seconds, step.words) == (
        "migrate", "passed", 1.5, "2 applied",
    )  # fmt: skip
    assert acts() == ["deployment.planned", "deployment.begun", "deployment.succeeded"]
    assert AuditEvent.objects.filter(object_key=str(kept.pk), who="olga").count() == 3


def test_a_second_deployment_of_a_stage_waits_for_the_first() -> None:
    running()
    second = planned("staging", "0.3.0")

    with pytest.raises(AlreadyDeploying, match="A deployment to staging is running already"):
        begin_deployment(second, by="olga")

    second.refresh_from_db()
    assert (second.status, second.started_at) == ("planned", None)
    assert acts().count("deployment.begun") == 1


def test_two_stages_deploy_at_once() -> None:
    running("staging")
    assert running("development").status == "running"


def test_the_database_itself_refuses_a_second_running_one() -> None:
    running()
    second = planned("staging")
    with pytest.raises(IntegrityError), transaction.atomic():
        Deployment.objects.filter(pk=second.pk).update(status="running", started_at=NOON)


def test_what_is_begun_twice_is_begun_once() -> None:
    deployment = planned("staging")
    stale = Deployment.objects.get(pk=deployment.pk)
    begin_deployment(deployment, by="olga")

    with pytest.raises(DeploymentIsElsewhere, match="is running; it would have to be planned"):
        begin_deployment(stale, by="otto")

    assert acts().count("deployment.begun") == 1


def test_what_is_over_is_not_finished_again_and_gets_no_more_steps() -> None:
    deployment = succeeded()
    with pytest.raises(DeploymentIsElsewhere):
        finish_deployment(deployment, succeeded=False, outcome="No.", by="otto")
    with pytest.raises(DeploymentIsElsewhere):
        note_step(deployment, "late", outcome="passed")
    with pytest.raises(DeploymentIsElsewhere):
        note_facts(deployment, backup_point="another")

    deployment.refresh_from_db()
    assert (deployment.status, deployment.outcome) == ("succeeded", "All well.")
    assert (deployment.backup_point, DeploymentStep.objects.count()) == ("", 0)


def test_steps_are_neither_changed_nor_removed() -> None:
    note_step(running(), "migrate", outcome="failed")
    for tamper in (
        lambda: DeploymentStep.objects.update(outcome="passed"),
        lambda: DeploymentStep.objects.all().delete(),
    ):
        with pytest.raises(InternalError), transaction.atomic():
            tamper()
    assert DeploymentStep.objects.get().outcome == "failed"


def test_secrets_in_the_words_of_a_step_are_not_kept() -> None:
    deployment = running()
    note_step(deployment, "migrate", outcome="failed", words="at postgres://u:hunter22@db/x")
    assert deployment.steps.get().words == "at postgres://u:•••@db/x"


def test_a_plan_that_is_dropped_never_ran() -> None:
    deployment = planned("staging")
    drop_plan(deployment, by="olga", why="Not today.")
    assert (deployment.status, deployment.outcome) == ("failed", "Never begun: Not today.")
    with pytest.raises(DeploymentIsElsewhere):
        begin_deployment(deployment, by="olga")


def test_a_rollback_that_succeeds_marks_what_it_took_back() -> None:
    bad = succeeded()
    back = begin_rollback(bad, version="0.1.0", by="olga", why="Errors.")
    bad.refresh_from_db()
    assert (bad.status, bad.rolled_back_by) == ("succeeded", None)

    finish_deployment(back, succeeded=True, outcome="The old code answers.", by="olga")

    bad.refresh_from_db()
    assert (bad.status, bad.rolled_back_by, back.rolls_back) == ("rolled_back", back, bad)
    begun = AuditEvent.objects.get(act="deployment.rollback_begun")
    assert (begun.why, begun.details["rolls_back"]) == ("Errors.", bad.pk)
    assert AuditEvent.objects.filter(act="deployment.rolled_back").count() == 1


def test_what_was_only_observed_is_taken_back_too() -> None:
    found = observe_place()
    assert found is not None
    back = begin_rollback(found, version="0.0.9", by="olga", why="Errors.")
    finish_deployment(back, succeeded=True, outcome="", by="olga")
    found.refresh_from_db()
    assert (found.status, found.rolled_back_by) == ("rolled_back", back)


def test_a_rollback_that_fails_marks_nothing() -> None:
    bad = succeeded()
    back = begin_rollback(bad, version="0.1.0", by="olga", why="Errors.")
    finish_deployment(back, succeeded=False, outcome="No.", by="olga")
    bad.refresh_from_db()
    assert (bad.status, bad.rolled_back_by, back.status) == ("succeeded", None, "failed")


def test_what_goes_wrong_while_it_runs_is_failed_and_taken_back_at_once() -> None:
    bad = running()
    back = begin_rollback(bad, version="0.1.0", by="olga", why="Smoke test failed.")
    assert (bad.status, bad.outcome) == ("failed", "Taken back: Smoke test failed.")
    assert back.status == "running"


def test_one_that_fails_is_an_incident_until_a_person_closes_it() -> None:
    deployment = running()

    finish_deployment(deployment, succeeded=False, outcome="The smoke test failed.", by="olga")

    incident = Incident.objects.get()
    assert incident.title == f"Deployment {deployment.pk} of staging failed"
    assert incident.updates.get().words == "The smoke test failed."


def test_what_was_taken_back_is_not_taken_back_again() -> None:
    bad = succeeded()
    back = begin_rollback(bad, version="0.1.0", by="olga", why="Errors.")
    finish_deployment(back, succeeded=True, outcome="", by="olga")
    with pytest.raises(DeploymentIsElsewhere):
        begin_rollback(bad, version="0.1.0", by="otto", why="Again.")
    assert Deployment.objects.count() == 2


@pytest.mark.parametrize("status", ["failed", "other stage", "earlier"])
def test_only_a_later_success_of_the_same_stage_takes_back(status: str) -> None:
    earlier = succeeded()
    bad = succeeded()
    if status == "failed":
        other = running()
        finish_deployment(other, succeeded=False, outcome="", by="olga")
    else:
        other = earlier if status == "earlier" else succeeded("development")
    with pytest.raises(NotDone):
        note_rollback(bad, rolled_back_by=other, by="olga")
    bad.refresh_from_db()
    assert bad.status == "succeeded"


def test_going_back_needs_a_reason() -> None:
    bad = succeeded()
    with pytest.raises(NotDone, match="Give a reason"):
        begin_rollback(bad, version="0.1.0", by="olga", why=" ")
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"stage": "prod"}, "There is no stage 'prod'"),
        ({"version": ""}, "is no version"),
        ({"version": "0.2.0; rm"}, "is no version"),
        ({"commit": "HEAD"}, "is no commit"),
        ({"by": "  "}, "Say who deploys"),
    ],
)
def test_what_makes_no_sense_is_not_planned(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(NotDone, match=words):
        plan_deployment(**{"stage": "staging", "version": "0.2.0", "by": "olga", **wrong})
    assert Deployment.objects.count() == 0


def test_production_is_not_begun_before_its_checklist_is_green() -> None:
    with items(item("look", Moment.BEFORE), item("run", Moment.BEFORE, RED)):
        deployment = planned()
        with pytest.raises(ChecklistNotGreen, match="not green: look, run"):
            begin_deployment(deployment, by="olga")
        run = open_checklist("before", by="olga", deployment=deployment)
        tick_item(run, "look", by="olga", note="Seen.")
        run_check(run, "run", by="olga")
        with pytest.raises(ChecklistNotGreen, match="not green: run"):
            begin_deployment(deployment, by="olga")

    deployment.refresh_from_db()
    assert (deployment.status, acts().count("deployment.begun")) == ("planned", 0)


def test_production_is_begun_and_succeeds_with_its_checklists_green() -> None:
    checks = [item("run", moment, GREEN) for moment in Moment]
    with items(*checks):
        deployment = planned()
        run_check(open_checklist("before", by="o", deployment=deployment), "run", by="o")
        begin_deployment(deployment, by="olga")
        with pytest.raises(ChecklistNotGreen, match="The checklist during is not green: run"):
            finish_deployment(deployment, succeeded=True, outcome="", by="olga")
        run_check(open_checklist("during", by="o", deployment=deployment), "run", by="o")
        with pytest.raises(ChecklistNotGreen, match="The checklist after is not green: run"):
            finish_deployment(deployment, succeeded=True, outcome="", by="olga")
        run_check(open_checklist("after", by="o", deployment=deployment), "run", by="o")
        finish_deployment(deployment, succeeded=True, outcome="", by="olga")

    assert deployment.status == "succeeded"
    assert deployment.checklists.filter(closed_at=None).count() == 0


def test_an_exception_with_a_reason_lets_production_pass_and_is_on_the_trail() -> None:
    with items(item("run", Moment.BEFORE, RED)):
        deployment = planned()
        except_all(deployment, Moment.BEFORE, by=excepting_user())
        begin_deployment(deployment, by="olga")

    assert deployment.status == "running"
    event = AuditEvent.objects.get(act="checklist.excepted")
    assert (event.who, event.why, event.details["item"]) == ("olga", "Seen by eye.", "run")


def test_what_was_checked_the_day_before_yesterday_does_not_count(
    at_noon: time_machine.Traveller,
) -> None:
    with items(item("run", Moment.BEFORE, GREEN)):
        deployment = planned()
        run = open_checklist("before", by="o", deployment=deployment)
        run_check(run, "run", by="o")
        at_noon.shift(timedelta(hours=25))
        with pytest.raises(ChecklistNotGreen):
            begin_deployment(deployment, by="olga")
        run_check(run, "run", by="o")
        begin_deployment(deployment, by="olga")
    assert deployment.status == "running"


def test_an_item_that_came_after_the_run_was_opened_is_asked_for() -> None:
    with items(item("run", Moment.BEFORE, GREEN)):
        deployment = planned()
        run_check(open_checklist("before", by="o", deployment=deployment), "run", by="o")
    with (
        items(item("run", Moment.BEFORE, GREEN), item("new", Moment.BEFORE)),
        pytest.raises(ChecklistNotGreen, match="not green: new"),
    ):
        begin_deployment(deployment, by="olga")


def test_no_checklist_holds_up_going_back_on_production() -> None:
    with items():
        deployment = planned()
        for moment in Moment:
            if moment == Moment.DURING:
                begin_deployment(deployment, by="olga")
            open_checklist(moment, by="olga", deployment=deployment)
        finish_deployment(deployment, succeeded=True, outcome="", by="olga")
    back = begin_rollback(deployment, version="0.1.0", by="olga", why="Errors.")
    finish_deployment(back, succeeded=True, outcome="", by="olga")
    deployment.refresh_from_db()
    assert deployment.status == "rolled_back"


def test_an_empty_checklist_that_nobody_opened_is_not_green() -> None:
    with items(), pytest.raises(ChecklistNotGreen, match="never gone through"):
        begin_deployment(planned(), by="olga")


def past(**more: object) -> Deployment:
    given = {
        "stage": "staging", "version": "0.2.0", "by": "ci", "succeeded": True, "outcome": "",
        "started_at": NOON - timedelta(minutes=9), "finished_at": NOON - timedelta(minutes=1),
    }  # fmt: skip
    return record_deployment(**{**given, **more})  # type: ignore[arg-type]


def test_what_went_by_other_means_is_recorded_when_it_is_over() -> None:
    assert past().duration == timedelta(minutes=8)
    assert acts() == ["deployment.recorded"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"finished_at": NOON - timedelta(hours=1)},
        {"finished_at": NOON + timedelta(hours=1)},
        {"started_at": (NOON - timedelta(minutes=9)).replace(tzinfo=None)},
    ],
    ids=["ends before it begins", "ends in the future", "no zone"],
)
def test_times_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(NotDone):
        past(**wrong)
    assert Deployment.objects.count() == 0


def test_production_is_not_recorded_afterwards_without_an_exception_by_who_may() -> None:
    with pytest.raises(NotDone, match="went past production's checklists"):
        past(stage="production")
    with pytest.raises(NotPermitted, match="ci may not except"):
        past(stage="production", exception="By hand, in the night.")
    assert Deployment.objects.count() == 0

    past(stage="production", exception="By hand, in the night.", by=excepting_user())

    assert Deployment.objects.get().stage == "production"
    assert AuditEvent.objects.get().why == "By hand, in the night."


def test_a_place_that_runs_something_new_says_so_once() -> None:
    first = observe_place()
    assert first is not None
    assert (first.stage, first.version, first.status, first.by) == (
        "development", "0.1.0", "observed", "vigil",
    )  # fmt: skip
    assert first.outcome == "The first that is known of this place."

    assert observe_place() is None
    assert Deployment.objects.count() == 1


def test_a_place_that_runs_another_version_than_was_deployed_says_so() -> None:
    succeeded("development", "0.0.9")
    found = observe_place()
    assert found is not None
    assert found.outcome == "Found in place of 0.0.9."


def test_a_failed_deployment_is_not_what_a_place_should_run() -> None:
    observe_place()
    failed = running("development", "0.9.0")
    finish_deployment(failed, succeeded=False, outcome="", by="olga")
    assert observe_place() is None


def test_what_has_no_end_has_no_duration() -> None:
    deployment = running()
    assert deployment.duration is None
    assert deployment.started_at == timezone.now()
    assert deployment.status == DeploymentStatus.RUNNING


def test_an_observation_says_which_migrations_came_with_what_it_found() -> None:
    succeeded("development", "0.0.9")
    later = timezone.now() + timedelta(minutes=1)
    applied = MigrationRecorder(connection).migration_qs
    applied.update(applied=timezone.now() - timedelta(days=1))
    applied.create(app="ops", name="9999_of_tomorrow", applied=later)
    before = migrations_before(timezone.now())["ops"]

    found = observe_place()

    assert found is not None
    assert found.migrations == {"ops": {"from": before, "to": "9999_of_tomorrow"}}
    earlier = deployment_before(found)
    assert earlier is not None
    assert earlier.version == "0.0.9"
