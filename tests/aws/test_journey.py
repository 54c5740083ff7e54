"""The way to AWS and back, on an emulator: as an operator types it, one step after the other.

The tests of this file tell one story and run in its order. What they cannot show, because no real
AWS stands behind it, is listed in docs/deploying.md.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.aws.stage import PYTHON, DevStage, Said, commit_to, head_of, soon

LOCAL = ZoneInfo("Europe/Berlin")
PASSWORD = "correct horse battery staple"
ADMISSIONS = (
    "patient_id,hospitalization_case_number,admission_date,admission_time,release_date,"
    "release_time,department,room_number"
)
DEPLOY = (PYTHON, "manage.py", "deploy", "dev", "--no-checks", "--by", "olga")
# How long files may take to be ingested on a machine of two cores that does other things, too.
PATIENCE = 180


def hours_ago(hours: float) -> tuple[str, str]:
    """Day and time of day as the hospital's systems write them."""
    moment = datetime.now(LOCAL) - timedelta(hours=hours)
    return f"{moment:%Y-%m-%d}", f"{moment:%H:%M}"


def stamp() -> str:
    """The beginning of a file's name, as systems stamp it."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z"


def put_patient(stage: DevStage, number: str, *, hours: float) -> None:
    """A patient and his admission, by the PMS."""
    people = f"patient_id,first_name,last_name,date_of_birth\n{number},Emma,Brown,1990-01-31\n"
    stage.put_file("pms", f"{stamp()}-people-{number}.csv", people.encode())
    day, clock = hours_ago(hours)
    stays = f"{ADMISSIONS}\n{number},C-{number},{day},{clock},,,CARD,12\n"
    stage.put_file("pms", f"{stamp()}-stays-{number}.csv", stays.encode())


def put_test(stage: DevStage, number: str, *, hours: float) -> None:
    """A test, by the LIS."""
    day, clock = hours_ago(hours)
    tests = (
        "test_id,patient_id,test_name,order_date,order_time,ordering_physician\n"
        f"T-{number},{number},Iron,{day},{clock},Dr. Who\n"
    )
    stage.put_file("lis", f"{stamp()}-tests-{number}.csv", tests.encode())


def patients_on_record(stage: DevStage) -> set[str]:
    """Ask the database of the stage."""
    told = stage.manage(
        "shell", "-v0", "-c",
        "from ingestion.models import Patient;"
        "print(','.join(Patient.objects.values_list('patient_id', flat=True)))",
    )  # fmt: skip
    return set(told.words.strip().splitlines()[-1].split(","))


def require_well(said: Said) -> None:
    assert said.status == 0, said.words


def test_deploy_dev_brings_the_whole_stage_up(stage: DevStage) -> None:
    said = stage.run(*DEPLOY)
    require_well(said)
    stage.first, stage.release = stage.hashes(), f"0.1.0+{head_of(stage.code)[:7]}"
    assert "All 7 checks of" in said.words
    assert len(set(stage.hashes().values())) == 1
    assert stage.browser().get("/readyz") == (200, "ready\n")


def test_afterdeploy_finds_nothing_left_to_do(stage: DevStage) -> None:
    said = stage.manage("afterdeploy", "dev")
    require_well(said)
    assert "FAILS" not in said.words
    assert "(set)" not in said.words
    assert "made" not in said.words


def test_files_of_both_systems_become_an_alert_that_is_seen_through_the_api(
    stage: DevStage,
) -> None:
    stage.manage(
        "shell", "-v0", "-c",
        "from django.contrib.auth import get_user_model as users;"
        f"users().objects.create_user('nora', '', '{PASSWORD}')",
    )  # fmt: skip
    put_patient(stage, "1001", hours=60)
    put_test(stage, "1001", hours=59)
    browser = stage.browser()
    assert browser.sign_in("nora", PASSWORD) == 302

    def board() -> dict[str, int]:
        counts: dict[str, int] = browser.json("/api/v1/board/")["counts"]
        return counts if counts["due"] else {}

    found = soon(board, "the alert on the board", seconds=PATIENCE)
    assert (found["due"], found["cannot_know"]) == (1, 0)
    dead = [stage.depth(queue) for queue in ("notices-dead", "tasks-dead", "keeping-dead")]
    assert dead == [0, 0, 0]


@pytest.mark.long
def test_an_update_under_load_loses_no_file(stage: DevStage) -> None:
    """Files come four a second while Zappa exchanges the functions."""
    before = stage.hashes()
    commit_to(stage.code, "docs/marker.txt", "another commit\n", "Say that it is another commit")
    sent: list[str] = []
    is_over = threading.Event()

    def send() -> None:
        while not is_over.is_set():
            number = f"2{len(sent):04}"
            put_patient(stage, number, hours=5)
            sent.append(number)
            time.sleep(0.5)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        said = stage.zappa("update", "dev")
    finally:
        is_over.set()
        sender.join()
    require_well(said)
    after = stage.hashes()
    assert "On record as observed" in said.words
    assert set(before.values()).isdisjoint(after.values())
    assert len(set(after.values())) == 1
    assert len(sent) > 10
    soon(lambda: set(sent) <= patients_on_record(stage), "every file on record", seconds=PATIENCE)
    books = stage.manage("books").words
    assert "balanced  yes" in books
    assert " ingested, 0 refused" in books
    assert stage.depth("notices-dead") == 0


@pytest.mark.long
def test_rollback_serves_the_code_of_a_release_before(stage: DevStage) -> None:
    commit_to(
        stage.code, "hospital/settings.py", ('VERSION = "0.1.0"', 'VERSION = "0.1.1"'),
        "Call it another version",
    )  # fmt: skip
    require_well(stage.run(*DEPLOY))
    assert set(stage.first.values()).isdisjoint(stage.hashes().values())
    said = stage.run(
        PYTHON, "manage.py", "rollback", "dev", "--to", stage.release, "--by", "olga",
        "--why", "It was tried.", "--watch", "0",
    )  # fmt: skip
    require_well(said)
    assert stage.hashes() == stage.first
    assert stage.browser().get("/readyz") == (200, "ready\n")


@pytest.mark.long
def test_a_failing_smoke_test_rolls_back_by_itself(stage: DevStage) -> None:
    before = stage.hashes()
    commit_to(
        stage.code, "hospital/pages.py", ('HttpResponse("alive\\n"', 'HttpResponse("dead\\n"'),
        "Break what says that it is alive",
    )  # fmt: skip
    said = stage.run(*DEPLOY)
    assert said.status == 3
    assert "It failed at smoke" in said.words
    assert stage.hashes() == before
    assert stage.browser().get("/livez") == (200, "alive\n")
    assert "rolled back" in stage.manage("deployments").words


@pytest.mark.long
def test_poison_ends_in_the_dead_letter_queue_and_raises_the_alarm(stage: DevStage) -> None:
    queues, metrics = stage.client("sqs"), stage.client("cloudwatch")
    url = stage.parameter("application/notice-queue")
    queues.send_message(QueueUrl=url, MessageBody='{"poison": 1}')
    soon(lambda: stage.depth("notices-dead") == 1, "the message put aside", seconds=PATIENCE)
    dead = queues.get_queue_url(QueueName="vigil-dev-notices-dead")["QueueUrl"]
    told = queues.receive_message(QueueUrl=dead, VisibilityTimeout=0)["Messages"]
    assert [each["Body"] for each in told] == ['{"poison": 1}']

    def is_raised() -> bool:
        # The emulator's SQS counts nothing for CloudWatch: what it would count is told for it.
        metrics.put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateNumberOfMessagesVisible",
                    "Dimensions": [{"Name": "QueueName", "Value": "vigil-dev-notices-dead"}],
                    "Value": stage.depth("notices-dead"),
                }
            ],
        )
        alarms = metrics.describe_alarms(AlarmNames=["vigil-dev-notices-dead"])
        return bool(alarms["MetricAlarms"][0]["StateValue"] == "ALARM")

    soon(is_raised, "the alarm", seconds=PATIENCE)


@pytest.mark.long
def test_zappa_as_typed_goes_back_with_all_three_functions(stage: DevStage) -> None:
    now = stage.hashes()
    require_well(stage.zappa("rollback", "dev", "-n", "1"))
    back = stage.hashes()
    assert len(set(back.values())) == 1
    assert set(back.values()).isdisjoint(now.values())


@pytest.mark.long
def test_zappa_undeploy_takes_all_three_away(stage: DevStage) -> None:
    require_well(stage.zappa("undeploy", "dev", "--yes"))
    assert stage.client("lambda").list_functions()["Functions"] == []
    assert stage.client("events").list_rules()["Rules"] == []
