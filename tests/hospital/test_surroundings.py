"""What a stage on AWS tells its processes, before there are settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from hospital import surroundings
from ops.errors import CloudRefused, HandoverIncomplete
from tests.ingestion.clouds import REGION, made_up_credentials

PROJECT = Path(__file__).resolve().parents[2]
TOLD = {
    "database/host": "db.internal",
    "database/reader-host": "none",
    "database/port": "5432",
    "database/name": "vigil",
    "database/instance": "vigil-dev",
    "database/passwords": "vigil/dev/database/",
    "application/buckets": "pms=vigil-dev-pms",
    "application/notice-queue": "https://sqs.example/notices",
    "application/task-queues": "celery=https://sqs.example/tasks",
    "application/backup-bucket": "vigil-dev-backups",
    "application/seal-bucket": "vigil-dev-seals",
    "application/address": "https://vigil.example",
    "application/secret": "vigil/dev/application",
    "application/origin-secret": "vigil/dev/origin",
    "application/settings/HOSPITAL_TIME_ZONE": "Europe/Berlin",
}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The stage dev as its layers handed it over, and an environment that holds nothing of it."""
    kept = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("HOSPITAL_", "DATABASE_", "CELERY_", "CACHE_")):
            del os.environ[name]
    roots = tmp_path / "rds.pem"
    roots.write_text("certificates")
    os.environ["HOSPITAL_DATABASE_ROOTS"] = str(roots)
    try:
        with made_up_credentials(), mock_aws():
            for name, value in TOLD.items():
                tell(name, value)
            keep("vigil/dev/application", json.dumps({"HOSPITAL_SECRET_KEY": "long and random"}))
            keep("vigil/dev/origin", "only CloudFront knows it")
            yield monkeypatch
    finally:
        os.environ.clear()
        os.environ.update(kept)


def tell(name: str, value: str) -> None:
    """Hand over one parameter."""
    boto3.client("ssm", region_name=REGION).put_parameter(
        Name=f"/vigil/dev/{name}", Value=value, Type="String", Overwrite=True
    )


def keep(name: str, text: str) -> None:
    """Keep one secret."""
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name=name, SecretString=text)


def test_parameters_and_secrets_become_settings(stage: object) -> None:
    surroundings.load("dev")

    assert os.environ["HOSPITAL_STAGE"] == "development"
    assert os.environ["HOSPITAL_TIME_ZONE"] == "Europe/Berlin"
    assert os.environ["HOSPITAL_SECRET_KEY"] == "long and random"
    assert os.environ["DATABASE_PASSWORDS"] == "secretsmanager:vigil/dev/database/"
    assert os.environ["DATABASE_URL"].startswith("postgres://vigil_app@db.internal:5432/vigil?")
    assert "sslmode=verify-full" in os.environ["DATABASE_URL"]
    assert os.environ["DATABASE_OWNER_URL"].startswith("postgres://vigil_owner@db.internal")
    assert "DATABASE_READER_URL" not in os.environ
    assert os.environ["HOSPITAL_ALLOWED_HOSTS"] == "vigil.example"


def test_no_password_stands_in_an_address(stage: object) -> None:
    surroundings.load("dev")

    assert ":" not in os.environ["DATABASE_URL"].removeprefix("postgres://").split("@")[0]


def test_only_who_answers_people_learns_cloudfronts_key(stage: object) -> None:
    surroundings.load("dev")
    assert "HOSPITAL_ORIGIN_KEY" not in os.environ

    surroundings.load("dev", answers_people=True)
    assert os.environ["HOSPITAL_ORIGIN_KEY"] == "only CloudFront knows it"


def test_what_the_environment_says_already_stands(stage: object) -> None:
    os.environ["HOSPITAL_TIME_ZONE"] = "Europe/Vienna"

    surroundings.load("dev")

    assert os.environ["HOSPITAL_TIME_ZONE"] == "Europe/Vienna"


def test_a_tunnel_leads_to_the_database_under_its_own_name_and_to_no_reader(
    stage: object,
) -> None:
    tell("database/reader-host", "reader.internal")
    os.environ |= {"HOSPITAL_DATABASE_HOSTADDR": "127.0.0.1", "HOSPITAL_DATABASE_PORT": "15432"}

    surroundings.load("dev")

    assert "@db.internal:15432/vigil?" in os.environ["DATABASE_URL"]
    assert "hostaddr=127.0.0.1" in os.environ["DATABASE_URL"]
    assert "DATABASE_READER_URL" not in os.environ


def test_a_reader_that_was_handed_over_is_known(stage: object) -> None:
    tell("database/reader-host", "reader.internal")

    surroundings.load("dev")

    assert "@reader.internal:5432/vigil?" in os.environ["DATABASE_READER_URL"]


def test_without_rds_roots_nobody_connects(stage: object, tmp_path: Path) -> None:
    os.environ["HOSPITAL_DATABASE_ROOTS"] = str(tmp_path / "none.pem")

    with pytest.raises(HandoverIncomplete, match="root certificates"):
        surroundings.load("dev")

    assert "DATABASE_URL" not in os.environ


def test_a_secret_sets_nothing_but_the_hospitals_settings(stage: object) -> None:
    keep("vigil/dev/other", json.dumps({"PYTHONPATH": "/elsewhere"}))
    tell("application/secret", "vigil/dev/other")

    with pytest.raises(HandoverIncomplete, match="PYTHONPATH"):
        surroundings.load("dev")

    assert os.environ.get("PYTHONPATH") != "/elsewhere"


def test_a_secret_that_is_no_json_is_told_without_its_text(stage: object) -> None:
    keep("vigil/dev/other", "hunter2")
    tell("application/secret", "vigil/dev/other")

    with pytest.raises(HandoverIncomplete) as refused:
        surroundings.load("dev")

    assert "hunter2" not in str(refused.value)


def test_a_stage_that_there_is_not_is_named_with_those_that_there_are(stage: object) -> None:
    with pytest.raises(HandoverIncomplete, match="dev, staging, production"):
        surroundings.load_if_told(["manage.py", "deploy", "produktion"])


@pytest.mark.parametrize(
    "words",
    [
        ["deploy", "--by", "olga", "dev"],
        ["deploy", "dev", "--by", "olga"],
        ["rollback", "--why", "It failed.", "--to", "0.1.0", "dev"],
        ["beforedeploy", "--back", "dev"],
        ["afterdeploy", "dev"],
    ],
)
def test_the_stage_is_found_wherever_it_stands(stage: object, words: list[str]) -> None:
    surroundings.load_if_told(["manage.py", *words])

    assert os.environ[surroundings.VARIABLE] == "dev"


def manage(*words: str) -> subprocess.CompletedProcess[str]:
    """Type a command where nobody has credentials for AWS."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
    }
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [["deploy", "dev"], ["rollback", "dev", "--why", "It failed."], ["beforedeploy", "dev"]],
)
def test_without_credentials_nothing_is_begun_and_the_status_says_so(words: list[str]) -> None:
    done = manage(*words)

    assert done.returncode == 2
    assert done.stderr.startswith("There are no credentials for AWS: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["deploy", "produktion"], ["rollback"], ["deploy", "--by", "x"]])
def test_without_a_stage_nothing_is_begun_and_the_status_says_so(words: list[str]) -> None:
    done = manage(*words)

    words_of_it = f"No stage was named: say which, manage.py {words[0]} STAGE."
    assert done.returncode == 2
    assert done.stderr == f"{words_of_it} There are dev, staging, production.\n"


def test_a_stage_of_which_nothing_was_made_says_what_to_do(stage: object) -> None:
    with pytest.raises(HandoverIncomplete, match="make the infrastructure first"):
        surroundings.load("staging")


def test_two_stages_in_one_breath_are_refused(stage: object) -> None:
    os.environ[surroundings.VARIABLE] = "dev"

    with pytest.raises(HandoverIncomplete, match="unset one of them"):
        surroundings.load_if_told(["manage.py", "deploy", "production"])


def test_missing_credentials_are_told_with_the_next_step(
    stage: pytest.MonkeyPatch,
) -> None:
    stage.delenv("AWS_ACCESS_KEY_ID")
    stage.delenv("AWS_SECRET_ACCESS_KEY")
    stage.setenv("AWS_EC2_METADATA_DISABLED", "true")
    stage.setattr(boto3, "DEFAULT_SESSION", None)

    with pytest.raises(CloudRefused, match="no credentials for AWS"):
        surroundings.load("dev")


@pytest.mark.parametrize(
    ("name", "stage_of_it"),
    [
        ("vigil-dev", "dev"),
        ("vigil-staging-ingestion", "staging"),
        ("vigil-production-alerts", "production"),
    ],
)
def test_a_function_knows_its_stage_by_its_name(name: str, stage_of_it: str) -> None:
    assert surroundings.stage_of_function(name) == stage_of_it


def test_a_function_of_no_stage_does_not_start() -> None:
    with pytest.raises(HandoverIncomplete):
        surroundings.stage_of_function("vigil-production-copy")
