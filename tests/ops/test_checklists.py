"""Going through a checklist: what a command decides, what a person says, and what lets it pass."""

from __future__ import annotations

import sys

import pytest
from django.db import IntegrityError, InternalError, transaction

from ops.choices import Moment
from ops.errors import (
    ChecklistClosed,
    ChecklistNotGreen,
    DeploymentIsElsewhere,
    NotDone,
    NotPermitted,
)
from ops.evidence import Command
from ops.models import AuditEvent, ChecklistRun, ChecklistTick
from ops.queries.checklists import standings
from ops.services.checklists import (
    close_checklist,
    except_item,
    open_checklist,
    run_check,
    tick_item,
    unsettled,
)
from ops.services.deployments import begin_deployment
from tests.ops.checks import GREEN, RED, excepting_user, item, items, planned

pytestmark = pytest.mark.usefixtures("at_noon")


def python(program: str, *, seconds: float = 20) -> Command:
    return Command((sys.executable, "-c", program), seconds=seconds)


def opened(*commands: Command | None) -> ChecklistRun:
    """A free-standing run whose items are called one, two, …"""
    names = ("one", "two", "three")
    made = [item(name, Moment.BEFORE, each) for name, each in zip(names, commands, strict=False)]
    with items(*made):
        return open_checklist("before", by="olga")


def test_a_command_ticks_by_its_exit_status_and_leaves_its_output() -> None:
    says = python("print('seen'); raise SystemExit(3)")
    with items(item("good", Moment.BEFORE, GREEN), item("bad", Moment.BEFORE, says)):
        run = open_checklist("before", by="olga")
        good = run_check(run, "good", by="olga")
        bad = run_check(run, "bad", by="olga")

    assert (good.state, good.exit_status, good.command, good.by) == ("green", 0, "true", "olga")
    assert (bad.state, bad.exit_status, bad.output) == ("red", 3, "seen")
    assert unsettled(run) == ["bad"]
    acts = AuditEvent.objects.order_by("pk").values_list("act", "details__item")
    assert list(acts) == [
        ("checklist.opened", None), ("checklist.checked", "good"), ("checklist.checked", "bad"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        python("raise SystemExit(77)"),
        Command(("no-such-program-here",)),
        Command(("true",), needs="no_such_module_here"),
        Command(("scripts/no-such-script.py",)),
    ],
    ids=["says so", "no program", "no module", "no script"],
)
def test_what_was_not_run_is_open_and_never_green(command: Command) -> None:
    with items(item("one", Moment.BEFORE, command)):
        run = open_checklist("before", by="olga")
        assert run_check(run, "one", by="olga").state == "open"
    assert unsettled(run) == ["one"]


def test_a_command_that_hangs_is_cut_off_with_its_children_and_red() -> None:
    spawn = "import subprocess, time; print('begun', flush=True); subprocess.run(['sleep', '60'])"
    with items(item("one", Moment.BEFORE, python(spawn, seconds=0.5))):
        tick = run_check(open_checklist("before", by="olga"), "one", by="olga")
    assert (tick.state, tick.exit_status) == ("red", 124)
    assert tick.output == "begun\n\nCut off after 0.5 seconds."


def test_a_check_that_is_run_again_keeps_the_earlier_evidence() -> None:
    with items(item("one", Moment.BEFORE, RED)):
        run = open_checklist("before", by="olga")
        run_check(run, "one", by="olga")
    with items(item("one", Moment.BEFORE, GREEN)):
        run_check(run, "one", by="otto")

    (one,) = standings(run)
    assert (one.state, one.latest and one.latest.by) == ("green", "otto")
    assert [(tick.state, tick.by) for tick in one.earlier] == [("red", "olga")]
    assert unsettled(run) == []


def test_a_green_check_that_turns_red_is_red() -> None:
    with items(item("one", Moment.BEFORE, GREEN)):
        run = open_checklist("before", by="olga")
        run_check(run, "one", by="olga")
    with items(item("one", Moment.BEFORE, RED)):
        run_check(run, "one", by="olga")
    assert unsettled(run) == ["one"]


def test_evidence_is_neither_changed_nor_removed() -> None:
    with items(item("one", Moment.BEFORE, RED)):
        run_check(open_checklist("before", by="olga"), "one", by="olga")
    for tamper in (
        lambda: ChecklistTick.objects.update(state="green", exit_status=0),
        lambda: ChecklistTick.objects.all().delete(),
    ):
        with pytest.raises(InternalError), transaction.atomic():
            tamper()
    assert ChecklistTick.objects.get().state == "red"


def test_the_database_lets_no_command_be_green_that_failed() -> None:
    run = opened(GREEN)
    with pytest.raises(IntegrityError), transaction.atomic():
        ChecklistTick.objects.create(
            run=run, key="one", state="green", by="x", at=run.opened_at, command="true",
            exit_status=1,
        )  # fmt: skip


def test_output_is_cut_in_the_middle() -> None:
    with items(item("one", Moment.BEFORE, python("print('a' * 3000 + 'b' * 3000)"))):
        tick = run_check(open_checklist("before", by="olga"), "one", by="olga")
    assert tick.output == f"{'a' * 1000}\n… 2000 characters …\n{'b' * 3000}"


def test_no_secret_stays_in_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSPITAL_SECRET_KEY", "correct-horse-battery")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:brokerpass99@127.0.0.1:1/0")
    program = (
        "import os; print(os.environ['HOSPITAL_SECRET_KEY']);"
        "print(os.environ['CELERY_BROKER_URL'], 'brokerpass99');"
        "print('password=hunter2, token: abc123 postgres://vigil:xyzzy@db/v')"
    )
    with items(item("one", Moment.BEFORE, python(program))):
        tick = run_check(open_checklist("before", by="olga"), "one", by="olga")
    assert tick.output == (
        "•••\nredis://:•••@127.0.0.1:1/0 •••\npassword=•••, token: ••• postgres://vigil:•••@db/v"
    )


def test_a_command_sees_neither_the_databases_owner_nor_strange_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://o:p@h/d")
    monkeypatch.setenv("LD_PRELOAD_OF_MINE", "1")
    program = (
        "import os; print([n for n in ('DATABASE_OWNER_URL', 'LD_PRELOAD_OF_MINE', 'PATH')"
        " if n in os.environ])"
    )
    with items(item("one", Moment.BEFORE, python(program))):
        tick = run_check(open_checklist("before", by="olga"), "one", by="olga")
    assert tick.output == "['PATH']"


def test_a_person_ticks_with_name_and_note() -> None:
    run = opened(None)
    tick = tick_item(run, "one", by="olga", note=" Review 12. ")
    assert (tick.state, tick.by, tick.note) == ("green", "olga", "Review 12.")
    assert unsettled(run) == []


def test_a_tick_without_a_note_is_no_tick() -> None:
    run = opened(None)
    with pytest.raises(NotDone, match="needs a note"):
        tick_item(run, "one", by="olga", note="  ")
    assert ChecklistTick.objects.count() == 0


def test_what_a_command_decides_no_person_ticks() -> None:
    run = opened(RED)
    with pytest.raises(NotDone, match="decided by a command"):
        tick_item(run, "one", by="olga", note="It is fine, trust me.")
    assert ChecklistTick.objects.count() == 0


def test_what_is_not_on_the_list_is_not_ticked() -> None:
    run = opened(None)
    with pytest.raises(NotDone, match=r"has no item 'two'\. It has: one\."):
        tick_item(run, "two", by="olga", note="Seen.")
    assert ChecklistTick.objects.count() == 0


@pytest.mark.parametrize("who", ["nobody", "nora", "gone"])
def test_who_may_not_except_does_not(who: str) -> None:
    from django.contrib.auth.models import User

    User.objects.create(username="nora")
    excepting_user("gone")
    User.objects.filter(username="gone").update(is_active=False)
    run = opened(RED)
    with pytest.raises(NotPermitted):
        except_item(run, "one", by=who, why="Because.")
    assert (ChecklistTick.objects.count(), unsettled(run)) == (0, ["one"])


def test_an_exception_without_a_reason_is_none() -> None:
    run = opened(RED)
    with pytest.raises(NotDone, match="needs a reason"):
        except_item(run, "one", by=excepting_user(), why="")
    assert ChecklistTick.objects.count() == 0


def test_a_run_closes_once_when_everything_is_settled() -> None:
    run = opened(None, RED)
    tick_item(run, "one", by="olga", note="Seen.")
    with pytest.raises(ChecklistNotGreen, match="not green: two"):
        close_checklist(run, by="olga")
    run.refresh_from_db()
    assert run.closed_at is None
    except_item(run, "two", by=excepting_user(), why="Seen by eye.")
    close_checklist(run, by="olga")
    assert run.closed_by == "olga"
    with pytest.raises(ChecklistClosed):
        close_checklist(run, by="otto")
    with pytest.raises(ChecklistClosed):
        tick_item(run, "one", by="otto", note="Once more.")
    assert ChecklistTick.objects.count() == 2


def test_the_open_run_is_gone_on_with_and_a_closed_one_is_followed_by_a_new_one() -> None:
    first = opened(None)
    assert opened(None) == first
    tick_item(first, "one", by="olga", note="Seen.")
    close_checklist(first, by="olga")
    assert opened(None) != first


def test_each_moment_of_a_deployment_has_its_time() -> None:
    with items():
        deployment = planned("staging")
        with pytest.raises(DeploymentIsElsewhere, match="is planned; it would have to be running"):
            open_checklist("after", by="olga", deployment=deployment)
        before = open_checklist("before", by="olga", deployment=deployment)
        assert open_checklist("before", by="olga", deployment=deployment) == before
        begin_deployment(deployment, by="olga")
        during = open_checklist("during", by="olga", deployment=deployment)
        with pytest.raises(NotDone, match="closed by the deployment itself"):
            close_checklist(during, by="olga")
    before.refresh_from_db()
    assert (before.closed_by, during.closed_at) == ("olga", None)


def test_an_old_run_still_says_what_it_asked() -> None:
    run = opened(None)
    (one,) = standings(ChecklistRun.objects.get(pk=run.pk))
    assert (one.title, one.why, one.state) == ("Title of one", "Why of one", "open")
