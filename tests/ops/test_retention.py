"""What is over is removed to the day, in batches that are on the trail; what must stay, stays."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import InternalError, connection, transaction
from django.test import Client, override_settings
from django.utils import timezone

from ops.choices import HoldScope, RestoreKind, RestoreStatus
from ops.errors import PlaceMuted, RetentionRunning
from ops.models import AuditEvent, Incident, Muting, Restore, RetentionRun
from ops.registry import Removal, RetentionKind, retention_kinds
from ops.services.holding import place_hold
from ops.services.muting import mute
from ops.services.removing import counted
from ops.services.retention import (
    BATCH,
    Line,
    apply,
    apply_nightly,
    refuse_wrong_periods,
    report,
)
from ops.tasks import remove_what_is_over
from tests.deliveries import NOON
from tests.ingestion.terminal import environment
from tests.ops.seals import empty_the_trail

WHY = "The yearly clean-up."
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, at_noon: time_machine.Traveller) -> Iterator[None]:
    """A place at noon, whose backups go into a folder of the test."""
    kept = {"BACKEND": "ops.storage.KeptFolder", "OPTIONS": {"location": str(tmp_path)}}
    with override_settings(STORAGES={**settings.STORAGES, "backups": kept}):
        yield


def days(count: float) -> timedelta:
    return timedelta(days=count)


def kind(name: str) -> RetentionKind:
    return next(one for one in retention_kinds() if one.name == name)


def told(name: str) -> Line:
    return report([kind(name)], now=timezone.now())[0]


def remove(*names: str) -> RetentionRun:
    return apply([kind(name) for name in names], by="olga", why=WHY, now=timezone.now())


def a_session(key: str, *, ended: timedelta) -> None:
    Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() - ended)


def sessions(count: int) -> None:
    long_ago = timezone.now() - days(30)
    Session.objects.bulk_create(
        Session(session_key=f"s{number}", session_data="", expire_date=long_ago)
        for number in range(count)
    )


def acts() -> list[tuple[str, str, str, str, Any]]:
    return [
        (one.act, one.who, one.object_key, one.why, one.details.get("rows"))
        for one in AuditEvent.objects.order_by("pk")
    ]


# --- Boundaries ---------------------------------------------------------------------------


def test_a_session_goes_a_second_after_its_seventh_day_and_not_before() -> None:
    a_session("in use", ended=-days(1))
    a_session("seven days", ended=days(7))
    a_session("beyond", ended=days(7) + SECOND)

    line = told("ops.sessions")
    assert (line.count, line.over, line.held, line.would_go) == (2, 1, 0, 1)
    run = remove("ops.sessions")

    left = Session.objects.order_by("session_key").values_list("session_key", flat=True)
    assert list(left) == ["in use", "seven days"]
    assert (run.status, run.gone) == ("done", 1)
    assert acts() == [("retention.removed", "olga", "ops.sessions", WHY, 1)]


def _attempt(model: Any, ago: timedelta, **more: Any) -> None:
    made = model.objects.create(username="nora", user_agent=str(ago), **more)
    model.objects.filter(pk=made.pk).update(attempt_time=NOON - ago)


@pytest.mark.parametrize(
    ("name", "model", "more"),
    [
        ("ops.failed_sign_ins", AccessFailureLog, {}),
        ("ops.sign_in_counts", AccessAttempt, {"failures_since_start": 1}),
        ("ops.sign_ins", AccessLog, {}),
    ],
)
def test_sign_ins_go_after_a_year(name: str, model: Any, more: dict[str, Any]) -> None:
    for ago in (days(1), days(365), days(365) + SECOND, days(800)):
        _attempt(model, ago, **more)

    assert remove(name).gone == 2

    assert sorted(NOON - one.attempt_time for one in model.objects.all()) == [days(1), days(365)]


@override_settings(RETENTION_DAYS={"ops.sign_in_counts": 90}, AXES_COOLOFF_TIME=24 * 100)
def test_an_attempt_that_still_locks_somebody_out_stays() -> None:
    _attempt(AccessAttempt, days(95), failures_since_start=5)
    _attempt(AccessAttempt, days(101), failures_since_start=5)

    assert remove("ops.sign_in_counts").gone == 1

    assert NOON - AccessAttempt.objects.get().attempt_time == days(95)


def _drill(ago: timedelta, status: RestoreStatus, kind_: RestoreKind = RestoreKind.DRILL) -> None:
    Restore.objects.create(
        kind=kind_, status=status, source="a", target="b", by="vigil", started_at=NOON - ago
    )


def test_old_drills_go_but_never_the_newest_nor_the_newest_that_proved_a_backup() -> None:
    _drill(days(2300), RestoreStatus.FAILED)
    _drill(days(2310), RestoreStatus.PROVEN)
    _drill(days(2320), RestoreStatus.PROVEN)
    _drill(days(2330), RestoreStatus.FAILED)
    _drill(days(2340), RestoreStatus.RUNNING)
    _drill(days(2350), RestoreStatus.PROVEN, RestoreKind.RESTORE)

    assert remove("ops.drills").gone == 2

    left = [(NOON - one.started_at).days for one in Restore.objects.order_by("-started_at")]
    assert left == [2300, 2310, 2340, 2350]


def test_a_drill_of_six_years_to_the_day_stays() -> None:
    for ago in (days(2192) + SECOND, days(2192), days(1)):
        _drill(ago, RestoreStatus.PROVEN)

    assert remove("ops.drills").gone == 1
    assert [NOON - one.started_at for one in Restore.objects.all()] == [days(1), days(2192)]


def test_a_muting_goes_six_years_after_it_ended_and_never_before_it_ends() -> None:
    for ended in (days(2192), days(2192) + SECOND):
        Muting.objects.create(
            muted_at=NOON - days(3000), muted_by="olga", why=WHY, ended_at=NOON - ended
        )

    assert remove("ops.mutings").gone == 1
    assert [NOON - one.ended_at for one in Muting.objects.all() if one.ended_at] == [days(2192)]


# --- Periods ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("periods", "said"),
    [
        ({"ops.nothing": 400}, "names 'ops.nothing', which is no kind of data"),
        ({"ingestion.record": 4000}, "ingestion.record, which is kept for ever"),
        ({"ops.backups": 400}, "ops.backups, which is removed by the nightly backup"),
        ({"ops.sign_ins": 89}, "keeps ops.sign_ins for 89 days: set at least 90"),
        ({"ops.drills": 364}, "keeps ops.drills for 364 days: set at least 365"),
        ({"ops.mutings": 364}, "keeps ops.mutings for 364 days: set at least 365"),
        ({"ingestion.rejected_text": 364}, "for 364 days: set at least 365"),
        ({"alerts.resolved": 3652}, "for 3652 days: set at least 3653"),
    ],
)
def test_a_period_that_cannot_be_meant_is_refused_by_name(
    periods: dict[str, int], said: str
) -> None:
    with (
        override_settings(RETENTION_DAYS=periods),
        pytest.raises(ImproperlyConfigured, match="HOSPITAL_RETENTION_DAYS") as raised,
    ):
        refuse_wrong_periods()
    assert said in str(raised.value)


def test_the_shortest_periods_are_accepted() -> None:
    shortest = {one.name: one.least for one in retention_kinds() if one.removal}

    with override_settings(RETENTION_DAYS=shortest):
        refuse_wrong_periods()


def test_only_technical_kinds_are_removed_unless_the_hospital_says_more() -> None:
    removed = {line.kind: line.days for line in report(now=NOON) if line.days is not None}

    assert removed == {
        "ops.sessions": 7,
        "ops.failed_sign_ins": 365,
        "ops.sign_in_counts": 365,
        "ops.sign_ins": 365,
        "ops.drills": 2192,
        "ops.mutings": 2192,
    }


@override_settings(RETENTION_DAYS={"ops.sessions": None})
def test_what_the_hospital_keeps_for_ever_stays() -> None:
    a_session("old", ended=days(4000))

    assert remove("ops.sessions").gone == 0
    assert Session.objects.count() == 1


# --- Dry run, batches, faults -------------------------------------------------------------


def test_a_dry_run_changes_nothing() -> None:
    a_session("old", ended=days(30))
    answer = StringIO()

    call_command("retention", "--dry-run", stdout=answer)

    assert "Nothing was removed" in answer.getvalue()
    left = Session.objects.count(), RetentionRun.objects.count(), AuditEvent.objects.count()
    assert left == (1, 0, 0)


def test_removing_goes_in_batches_each_with_its_line_on_the_trail() -> None:
    sessions(2 * BATCH + 3)
    steps: list[str] = []

    run = apply([kind("ops.sessions")], by="olga", why=WHY, now=NOON, say=steps.append)

    assert [rows for *_, rows in acts()] == [BATCH, BATCH, 3]
    assert steps[-1] == f"Ended sign-in sessions: {2 * BATCH + 3} of {2 * BATCH + 3} removed"
    assert (Session.objects.count(), run.gone) == (0, 2 * BATCH + 3)
    assert run.report[0]["over"] == 2 * BATCH + 3


@dataclass(frozen=True)
class Interfering:
    """Removes sessions as ever, but something happens before a batch."""

    before_batch: Callable[[], None]

    def count_over(self, before: datetime) -> int:
        return self._real.count_over(before)

    def count_held(self, before: datetime, patients: Collection[UUID]) -> int:
        return self._real.count_held(before, patients)

    def remove_over(self, before: datetime, limit: int, patients: Collection[UUID]) -> int:
        gone = self._real.remove_over(before, limit, patients)
        self.before_batch()
        return gone

    @property
    def _real(self) -> Removal:
        removal = kind("ops.sessions").removal
        assert removal is not None
        return removal


def interfered(act: Callable[[], None]) -> RetentionKind:
    return RetentionKind(
        name="ops.sessions",
        title="Ended sign-in sessions",
        holds="",
        why="",
        tell=lambda: counted(Session.objects.all(), "expire_date"),
        days=7,
        removal=Interfering(act),
    )


def test_a_run_that_is_killed_half_way_keeps_true_counts_and_the_next_one_ends_it() -> None:
    sessions(2 * BATCH + 3)
    batches = iter(range(9))

    def die_in_the_third() -> None:
        if next(batches) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply([interfered(die_in_the_third)], by="olga", why=WHY, now=NOON)

    cut_off = RetentionRun.objects.get()
    assert (cut_off.status, cut_off.gone, Session.objects.count()) == ("running", 2 * BATCH, 3)
    assert [rows for *_, rows in acts()] == [BATCH, BATCH]

    assert remove("ops.sessions").gone == 3
    cut_off.refresh_from_db()
    assert (cut_off.status, cut_off.gone) == ("interrupted", 2 * BATCH)


@pytest.mark.django_db(transaction=True)
def test_a_process_that_is_killed_between_two_batches_leaves_what_it_says_it_has_removed() -> None:
    sessions(3 * BATCH)
    order = ["retention", "--kind", "ops.sessions", "--apply", "--why", WHY]
    _ask(f"SELECT pg_advisory_lock({_TURN})")
    with subprocess.Popen([sys.executable, "manage.py", *order], env=environment()) as process:
        _wait_for_so_many_waiting(1)
        # Turns are given in the order of asking: the process has one batch, then it is ours again.
        killing = threading.Thread(target=_kill_in_our_turn, args=[process])
        killing.start()
        _wait_for_so_many_waiting(2)
        _ask(f"SELECT pg_advisory_unlock({_TURN})")
        killing.join()

    run = RetentionRun.objects.get()
    assert (run.status, run.gone, Session.objects.count()) == ("running", BATCH, 2 * BATCH)
    assert [rows for *_, rows in acts()] == [BATCH]

    assert remove("ops.sessions").gone == 2 * BATCH
    assert [one.status for one in RetentionRun.objects.order_by("pk")] == ["interrupted", "done"]
    empty_the_trail()


_TURN = 0x5649_4749_4C30


def _ask(question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def _kill_in_our_turn(process: subprocess.Popen[bytes]) -> None:
    _ask(f"SELECT pg_advisory_lock({_TURN})")
    process.kill()
    process.wait(30)
    connection.close()


def _wait_for_so_many_waiting(count: int) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    for _ in range(600):
        if _ask(waiting) == count:
            return
        time.sleep(0.05)
    raise AssertionError(f"there are not {count} who wait for their turn")


def test_a_kind_that_fails_is_left_whole_and_does_not_stop_the_others() -> None:
    a_session("old", ended=days(30))
    Muting.objects.create(
        muted_at=NOON - days(3000), muted_by="olga", why=WHY, ended_at=NOON - days(2999)
    )

    def fail() -> None:
        raise ValueError("Emma Brown")

    run = apply([interfered(fail), kind("ops.mutings")], by="olga", why=WHY, now=NOON)

    assert (run.status, [line["gone"] for line in run.report]) == ("failed", [0, 1])
    assert "It met ValueError" in run.report[0]["failure"]
    incident = Incident.objects.get()
    assert incident.title == "The retention left something undone"
    assert incident.updates.get().words == (
        f"Run {run.pk} could not remove or tell: Ended sign-in sessions. See its report."
    )
    assert "Emma" not in json.dumps(run.report)
    assert (Session.objects.count(), Muting.objects.count()) == (1, 0)


def test_a_hold_that_is_placed_between_two_batches_keeps_the_rest() -> None:
    sessions(BATCH + 3)
    placed: list[int] = []

    def place_one() -> None:
        if not placed:
            placed.append(place_hold(HoldScope.EVERYTHING, by="sophie", why="A court asks.").pk)

    run = apply([interfered(place_one)], by="olga", why=WHY, now=NOON)

    assert (run.gone, Session.objects.count()) == (BATCH, 3)


def test_two_runs_at_once_are_refused() -> None:
    held, done = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [0x5649_4749_4C31])
            held.set()
            done.wait(30)
        connection.close()

    a_session("old", ended=days(30))
    other = threading.Thread(target=hold_the_lock)
    other.start()
    held.wait(30)
    try:
        with pytest.raises(RetentionRunning):
            remove("ops.sessions")
        assert apply_nightly(now=NOON) is None
    finally:
        done.set()
        other.join()
    assert (Session.objects.count(), RetentionRun.objects.count()) == (1, 0)


def test_a_muted_place_removes_nothing() -> None:
    a_session("old", ended=days(30))
    with transaction.atomic():
        mute(by="olga", why="Restored.")

    with pytest.raises(PlaceMuted):
        remove("ops.sessions")

    assert remove_what_is_over() == 0
    assert (Session.objects.count(), RetentionRun.objects.count()) == (1, 0)


def test_a_run_stays_on_record() -> None:
    run = remove("ops.sessions")

    with pytest.raises(InternalError), transaction.atomic():
        run.delete()

    assert RetentionRun.objects.count() == 1


# --- By the clock -------------------------------------------------------------------------


def test_what_is_over_goes_once_a_day_from_four_in_the_morning(
    at_noon: time_machine.Traveller,
) -> None:
    a_session("one", ended=days(30))
    assert remove_what_is_over() == 1
    a_session("two", ended=days(30))

    at_noon.move_to(NOON.replace(hour=23), tick=False)
    assert remove_what_is_over() == 0
    # 03:59 in Berlin, where this hospital is; then 04:00.
    at_noon.move_to(datetime.fromisoformat("2025-03-21T03:59+01:00"), tick=False)
    assert remove_what_is_over() == 0
    at_noon.move_to(datetime.fromisoformat("2025-03-21T04:00+01:00"), tick=False)
    assert remove_what_is_over() == 1

    assert [(run.by, run.gone) for run in RetentionRun.objects.all()] == [
        ("vigil", 1),
        ("vigil", 1),
    ]
    assert {line["kind"] for line in RetentionRun.objects.all()[0].report} == {
        one.name for one in retention_kinds()
    }


# --- The command --------------------------------------------------------------------------


def command(*arguments: str) -> str:
    answer = StringIO()
    call_command("retention", *arguments, stdout=answer)
    return answer.getvalue()


def test_the_command_lists_every_kind_with_its_period() -> None:
    a_session("old", ended=days(30))

    lines = {line.split()[0]: line.split() for line in command().splitlines() if line}

    assert {one.name for one in retention_kinds()} <= set(lines)
    assert lines["ops.sessions"] == [
        "ops.sessions", "7", "days", "1", "2025-02-18", "1", "0", "1"
    ]  # fmt: skip
    assert lines["ingestion.record"][1] == "ever"
    assert lines["ops.backups"][1:6] == ["its", "own", "rule", "0", "–"]


def test_the_command_removes_one_kind_with_a_reason_and_tells_so_in_json() -> None:
    a_session("old", ended=days(30))

    answer = command("--kind", "ops.sessions", "--apply", "--why", WHY, "--by", "olga", "--json")

    assert [(one["kind"], one["over"], one["gone"]) for one in json.loads(answer)] == [
        ("ops.sessions", 1, 1)
    ]
    assert Session.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--apply"], "Say why", 2),
        (["--apply", "--why", "  "], "Say why", 2),
        (["--kind", "sessions"], "No kind of data is named sessions. There are: ops.sessions,", 2),
    ],
)
def test_a_wrong_order_is_refused_and_removes_nothing(
    arguments: list[str], said: str, code: int
) -> None:
    a_session("old", ended=days(30))

    with pytest.raises(CommandError, match=said) as raised:
        command(*arguments)

    assert raised.value.returncode == code
    assert Session.objects.count() == 1


# --- Pages --------------------------------------------------------------------------------


def test_the_page_says_what_is_kept_and_why_before_there_was_a_run(operator: Client) -> None:
    page = operator.get("/admin/ops/retention/").content.decode()

    assert "No run yet, so there are no figures." in page
    assert "No legal hold is in force." in page
    assert "would leave the books open" in page
    assert "No run yet." in operator.get("/admin/ops/retentionrun/").content.decode()


def test_the_page_shows_of_each_kind_the_last_report(operator: Client) -> None:
    sessions(3)
    remove("ops.sessions")
    later = remove("ops.mutings")

    page = operator.get("/admin/ops/retention/").content.decode()

    row = next(one for one in page.split("<tr>") if "ops.sessions" in one)
    figures = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)]
    assert figures == ["7 days", "3", "2025-02-18", "3", "0", "3", "2025-03-20 13:00"]
    assert f"/admin/ops/retentionrun/{later.pk}/change/" in page
    assert "No run has told of it yet." in page


def test_a_run_is_shown_with_its_report_and_nobody_edits_it(
    operator: Client, nurse: Client
) -> None:
    sessions(3)
    run = remove("ops.sessions")
    address = f"/admin/ops/retentionrun/{run.pk}/change/"

    shown = operator.get(address).content.decode()

    assert "Ended sign-in sessions: 3 over, 0 held, 3 removed." in shown
    assert operator.post(address, {"why": "Another."}).status_code == 403
    assert nurse.get("/admin/ops/retention/", follow=True).status_code == 403


# --- The paper ----------------------------------------------------------------------------


def test_operators_read_of_every_kind_how_long_it_is_kept_and_no_other_kind_is_told_of() -> None:
    paper = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    section = paper.split("\n## Retention\n")[1].split("\n## ")[0]
    rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")
    ]
    written = {cells[0].strip("`"): cells[2:4] if len(cells) == 5 else [] for cells in rows}

    assert written == {
        one.name: [f"{one.days} days" if one.days else "ever", str(one.least)]
        if one.removal
        else []
        for one in retention_kinds()
    }
