"""A stage is brought back: code, board and database together, and nothing is lost in silence."""

from __future__ import annotations

import io
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ops.databases import held_lock
from ops.errors import AlreadyDeploying, DeployFailed, DeployRefused, OpsError
from ops.models import AuditEvent, Deployment, Incident
from ops.queries.schema import applied_keys, schema_as_it_is
from ops.services import rolling_back
from ops.services.deploying import LOCK
from ops.services.procedure import Came
from tests.deliveries import deliver, patient
from tests.deploying.acts import deployed, quiet, rolled_back, to_go_back
from tests.deploying.places import Place
from tests.deploying.planted import DROPPED_COLUMN, NEW_COLUMN, NEW_TABLE, planted
from tests.deploying.test_faults import a_dead_one

FREE = 'migrations.RunSQL("SELECT 1", "SELECT 1")'


@pytest.fixture(autouse=True)
def _sealed(seals: Path) -> None:
    """The trail has a storage of its own."""


def refusal(place: Place, kind: type[OpsError], **asked: Any) -> str:
    with pytest.raises(kind) as failed:
        rolled_back(place, **asked)
    assert failed.type is kind
    return str(failed.value)


def two_releases(place: Place) -> str:
    """Deploy one, then two. Returns the name of the first."""
    deployed(place)
    first = place.release
    place.write("two")
    deployed(place)
    return first


def test_code_board_and_schema_go_back_together_and_it_is_on_record(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    before = schema_as_it_is()
    place.write("two")
    with planted(tmp_path, (NEW_COLUMN, "")):
        deployed(place)
        back = rolled_back(place)

    assert place.codes() == {"one"}
    assert place.served("app/vigil.svg") == b"<svg>one</svg>"
    assert schema_as_it_is() == before
    assert place.outcome("migrations") == ("passed", "Went back over alerts.9001_planted.")
    assert place.outcome("backup-point")[1].startswith("point-")
    over = Deployment.objects.all()[1]
    assert (back.status, back.rolls_back, over.status) == ("succeeded", over, "rolled_back")
    assert back.outcome.startswith("0.1.0+")
    assert AuditEvent.objects.get(act="deployment.rollback_begun").why == "It failed."


def test_code_of_before_is_started_as_it_was_then(place: Place) -> None:
    deployed(place)
    place.start_otherwise("hospital.functions.moved.handler")
    place.write("two")
    deployed(place)
    moved = place.handlers()

    rolled_back(place)

    assert moved == {"hospital.functions.moved.handler"}
    assert place.handlers() == {"hospital.functions.handler"}
    assert place.codes() == {"one"}


def test_a_second_time_it_goes_further_back_and_then_there_is_nothing(place: Place) -> None:
    two_releases(place)
    place.write("three")
    deployed(place)

    rolled_back(place)
    once = place.codes()
    rolled_back(place)
    twice = place.codes()
    words = refusal(place, DeployRefused)

    assert (once, twice, place.codes()) == ({"two"}, {"one"}, {"one"})
    assert words.startswith("There is nothing before 0.1.0+")


def test_a_release_is_named_by_its_name_or_commit(place: Place) -> None:
    first = two_releases(place)
    place.write("three")
    deployed(place)

    back = rolled_back(place, to=first)

    assert place.codes() == {"one"}
    assert back.outcome == f"{first} runs again."


def test_what_is_named_wrongly_or_runs_already_is_refused(place: Place) -> None:
    first = two_releases(place)

    unknown = refusal(place, DeployRefused, to="0.9.0")
    runs = refusal(place, DeployRefused, to=place.release)

    assert unknown.startswith("No release 0.9.0 is on record for development. There are: 0.1.0+")
    assert first in unknown
    assert runs == f"{place.release} is what runs: name an earlier one with --to."
    assert Deployment.objects.count() == 2
    assert place.codes() == {"two"}


def test_a_release_that_is_not_kept_any_more_is_told_with_its_commit(place: Place) -> None:
    first = two_releases(place)
    place.s3.delete_object(Bucket=place.handed.release_bucket, Key=f"releases/{first}.json")

    words = refusal(place, DeployRefused)

    assert words.startswith(f"{first} is not kept in the release bucket")
    assert place.codes() == {"two"}


def test_what_going_back_would_lose_stays_if_the_release_before_works_with_it(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")
    with planted(tmp_path, (NEW_TABLE, "")):
        deployed(place)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO alerts_idea (words) VALUES ('Kept.')")
        rolled_back(place)
        with connection.cursor() as cursor:
            cursor.execute("SELECT words FROM alerts_idea")
            kept = cursor.fetchall()

    assert kept == [("Kept.",)]
    outcome, words = place.outcome("migrations")
    assert outcome == "not_run"
    assert "would lose alerts.9001_planted: 1 rows of alerts_idea" in words
    assert place.codes() == {"one"}


def idea_before_the_switch(what: str) -> None:
    """Let the version that runs write just before its code is switched."""
    if what == "functions":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO alerts_idea (words) VALUES ('Kept.')")


def ideas() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT words FROM alerts_idea")
        return [words for (words,) in cursor.fetchall()]


def test_what_is_written_until_the_code_is_switched_is_not_lost(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")
    with planted(tmp_path, (NEW_TABLE, "")):
        deployed(place)
        back = rolling_back.roll_back(
            to_go_back(place), say=idea_before_the_switch, tell=place.tell
        )
        kept = ideas()

    assert kept == ["Kept."]
    outcome, words = place.outcome("migrations")
    assert outcome == "not_run"
    assert "would lose alerts.9001_planted: 1 rows of alerts_idea" in words
    assert (back.status, place.codes()) == ("succeeded", {"one"})


def test_what_is_written_until_then_and_does_not_fit_stops_with_the_next_step(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    first = place.release
    place.write("two")
    free = (FREE, 'reverses_without_loss = "It reads alone."')
    with planted(tmp_path, (NEW_TABLE, ""), free):
        deployed(place, despite_lint="Read with pia.")
        with pytest.raises(DeployFailed) as failed:
            rolling_back.roll_back(to_go_back(place), say=idea_before_the_switch, tell=place.tell)
        kept = ideas()
        rolling_back.look(to_go_back(place, to=first, restores=True), quiet)

    words = str(failed.value)
    assert kept == ["Kept."]
    assert "wrote what going back would lose: alerts.9001_planted: 1 rows of alerts_idea." in words
    assert "Next: the same with --restore" in words
    assert place.codes() == {"one"}


def test_a_column_that_the_release_before_uses_does_not_come_back_empty_in_silence(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")
    declared = 'fits_the_version_before = "Nobody reads it."'
    with planted(tmp_path, (DROPPED_COLUMN, declared)):
        deployed(place)
        words = refusal(place, DeployRefused)
        applied = ("alerts", "9001_planted") in applied_keys()

    assert "what alerts_alertrule.second_tier_hours held; it comes back empty" in words
    assert "Roll back with --restore" in words
    assert (applied, place.codes()) == (True, {"two"})
    assert Deployment.objects.count() == 2


def test_what_would_be_lost_and_does_not_fit_is_refused_with_the_way_out(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")
    with planted(tmp_path, (FREE, "")):
        deployed(place, despite_lint="Read with pia.")
        words = refusal(place, DeployRefused)
        applied = ("alerts", "9001_planted") in applied_keys()

    assert "Roll back with --restore: that restores point-" in words
    assert applied
    assert place.codes() == {"two"}
    assert Deployment.objects.count() == 2


def test_without_its_backup_point_nothing_is_restored(place: Place) -> None:
    two_releases(place)
    Deployment.objects.update(backup_point="point-20200101T000000Z")

    words = refusal(place, DeployRefused, restores=True)

    assert words.startswith("The backup point cannot be used: No backup point-20200101T000000Z")
    assert place.codes() == {"two"}


def test_one_whose_process_died_is_set_back(place: Place) -> None:
    two_releases(place)
    dead = a_dead_one()
    name = place.handed.functions["api"]
    place.write("half")
    half = place.folder / "half.zip"
    place.ask().zappa.package("dev", half)
    place.functions.update_function_code(FunctionName=name, ZipFile=half.read_bytes(), Publish=True)

    rolled_back(place)

    dead.refresh_from_db()
    assert place.codes() == {"two"}
    assert dead.status == "rolled_back"


def test_while_one_is_at_work_nothing_is_taken_back(place: Place) -> None:
    two_releases(place)

    with held_lock(LOCK):
        refusal(place, AlreadyDeploying)

    assert place.codes() == {"two"}
    assert Deployment.objects.count() == 2


def test_rows_that_are_gone_afterwards_make_it_fail_and_open_an_incident(
    place: Place,
) -> None:
    two_releases(place)
    deliver(patient("1001"), patient("1002"))

    def tell(came: object) -> None:
        if getattr(came, "name", "") == "frontend":
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM ingestion_patient WHERE patient_id = '1002'")

    with pytest.raises(DeployFailed, match="ingestion_patient has 1 rows, 2 before"):
        rolling_back.roll_back(to_go_back(place), say=quiet, tell=tell)

    assert Deployment.objects.all()[0].status == "failed"
    assert Incident.objects.get(component="deployment").status == "open"


def test_a_table_that_is_gone_afterwards_makes_it_fail_as_well(place: Place) -> None:
    two_releases(place)
    deliver(patient("1001"), patient("1002"))

    def tell(came: Came) -> None:
        place.tell(came)
        if came.name == "frontend":
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE ingestion_patient RENAME TO gone")

    try:
        with pytest.raises(DeployFailed):
            rolling_back.roll_back(to_go_back(place), say=quiet, tell=tell)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO ingestion_patient")

    assert "ingestion_patient has 0 rows, 2 before" in place.outcome("integrity")[1]


def calls(place: Place, what: str, *, count: int, failed: int) -> None:
    """Let CloudWatch have counted calls of a function."""
    for name, value in (("Invocations", count), ("Errors", failed)):
        boto3.client("cloudwatch").put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": name,
                    "Value": value,
                    "Timestamp": datetime.now(UTC),
                    "Dimensions": [{"Name": "FunctionName", "Value": place.handed.functions[what]}],
                }
            ],
        )


def test_an_error_rate_that_rises_makes_it_fail_with_the_code_of_before_in_place(
    place: Place,
) -> None:
    two_releases(place)

    def say(what: str) -> None:
        if what == "error-rate":
            calls(place, "api", count=100, failed=5)

    with pytest.raises(DeployFailed, match="More than 1 % of the calls fail at vigil-dev: "):
        rolling_back.roll_back(
            to_go_back(place, watch=timedelta(seconds=1)), say=say, tell=place.tell
        )

    assert place.codes() == {"one"}
    assert Deployment.objects.all()[0].status == "failed"


def watched(place: Place, counted: dict[str, tuple[int, int]]) -> None:
    """Roll back, while functions are called so often, and fail so often."""

    def say(what: str) -> None:
        if what == "error-rate":
            for function, (count, failed) in counted.items():
                calls(place, function, count=count, failed=failed)

    rolling_back.roll_back(to_go_back(place, watch=timedelta(0)), say=say, tell=place.tell)


def test_few_calls_that_all_fail_make_it_fail(place: Place) -> None:
    two_releases(place)

    with pytest.raises(DeployFailed, match="vigil-dev-alerts 5 of 5"):
        watched(place, {"api": (100, 0), "alerts": (5, 5)})

    assert Deployment.objects.all()[0].status == "failed"


def test_of_too_few_calls_nothing_is_passed(place: Place) -> None:
    two_releases(place)

    watched(place, {"api": (19, 1)})

    outcome, words = place.outcome("error-rate")
    assert outcome == "not_run"
    assert "vigil-dev 1 of 19" in words
    assert "Fewer than 20 calls say nothing" in words


def test_a_rehearsal_of_the_way_back_changes_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    first = two_releases(place)
    events = AuditEvent.objects.count()

    call_command("rollback", "dev", "--why", "It failed.", "--dry-run")

    said = capsys.readouterr().out
    assert f"({first}); now vigil-dev" in said
    assert said.splitlines()[-1] == "Nothing was changed."
    assert AuditEvent.objects.count() == events
    assert Deployment.objects.count() == 2
    assert place.codes() == {"two"}


class CutShort(io.StringIO):
    """What a command writes to; its process is told to end as soon as the board is switched."""

    def write(self, words: str) -> int:
        if " frontend " in words:
            signal.raise_signal(signal.SIGTERM)
        return super().write(words)


def test_a_way_back_that_is_told_to_end_does_so_in_order_and_is_made_up_for(place: Place) -> None:
    first = two_releases(place)
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(CommandError) as failed:
        call_command("rollback", "dev", "--why", "It failed.", "--watch", "0", stdout=CutShort())
    cut = Deployment.objects.all()[0]
    again = rolled_back(place, to=first)
    two = Deployment.objects.get(rolls_back=None, status="rolled_back")

    assert failed.value.returncode == 3
    assert (cut.rolls_back, again.rolls_back) == (two, two)
    assert "is not wholly back. frontend: It was stopped by hand." in str(failed.value)
    assert (cut.status, again.status) == ("failed", "succeeded")
    assert signal.getsignal(signal.SIGTERM) == before
    assert place.codes() == {"one"}


def test_the_command_takes_back_and_says_what_runs(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    two_releases(place)

    call_command("rollback", "dev", "--why", "It failed.", "--watch", "0", "--by", "olga")

    assert capsys.readouterr().out.splitlines()[-1].endswith("0.1.0 to development, succeeded.")
    assert place.codes() == {"one"}
