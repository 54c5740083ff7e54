"""The stacks come up, by the command that operators use, on an AWS of one's own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from ops.aws.handover import Handover
from scripts import stacks
from tests.aws.emulator import TOOL, Emulator, emulated
from tests.infra.templates import PROJECT, synthesised

# What Terraform hands over where it is Terraform's turn.
STAND_IN = {
    "network/vpc": "vpc-0a1b2c3d",
    "network/private-subnets": "subnet-0a1b2c3d,subnet-1a1b2c3d",
    "network/zones": "eu-central-1a,eu-central-1b",
    "network/function-security-group": "sg-0a1b2c3d",
    "network/worker-security-group": "sg-1a1b2c3d",
    "database/host": "127.0.0.1",
    "database/reader-host": "none",
    "database/port": "5432",
    "database/name": "vigil",
    "database/instance": "vigil-dev",
    "database/passwords": "vigil/dev/database/",
    "database/master-secret": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:master",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulated(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def made(aws: Emulator, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every stack of dev, made after what Terraform would have handed over."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in aws.environment.items():
            environment.setenv(name, value)
        key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        for name, value in {**STAND_IN, "keys/data": key}.items():
            aws.client("ssm").put_parameter(Name=f"/vigil/dev/{name}", Value=value, Type="String")
        out = tmp_path_factory.mktemp("templates")
        for name, template in synthesised("dev").items():
            (out / f"vigil-dev-{name}.template.json").write_text(template.text)
        return list(stacks.apply("dev", out, endpoint=aws.address))


@pytest.fixture
def handed(aws: Emulator, made: list[str], monkeypatch: pytest.MonkeyPatch) -> Handover:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Handover.read("dev")


def test_every_stack_of_a_stage_is_made_in_its_order(aws: Emulator, made: list[str]) -> None:
    assert made == [
        "vigil-dev-edge: made",
        "vigil-dev-application: made",
        "vigil-dev-compute: made",
        "vigil-dev-monitoring: made",
    ]
    client = aws.client("cloudformation")
    for name in ("application", "compute", "monitoring"):
        (stack,) = client.describe_stacks(StackName=f"vigil-dev-{name}")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        found = client.describe_stack_resources(StackName=f"vigil-dev-{name}")["StackResources"]
        assert {each["ResourceStatus"] for each in found} == {"CREATE_COMPLETE"}


def test_a_file_put_into_a_feeds_bucket_is_told_of_in_the_queue(
    aws: Emulator, handed: Handover
) -> None:
    bucket = handed["application/buckets"].split(",")[0].partition("=")[2]
    aws.client("s3").put_object(Bucket=bucket, Key="north/census.csv", Body=b"x")
    told = []
    for _ in range(10):
        answer = aws.client("sqs").receive_message(
            QueueUrl=handed["application/notice-queue"], MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        told += [json.loads(each["Body"]) for each in answer.get("Messages", [])]
        if any("Records" in each for each in told):
            break
    (record,) = [one for each in told for one in each.get("Records", [])]
    assert record["s3"]["bucket"]["name"] == bucket
    assert record["s3"]["object"]["key"] == "north/census.csv"


def test_what_is_kept_cannot_be_removed_before_its_time(aws: Emulator, handed: Handover) -> None:
    seals, buckets = handed["application/seal-bucket"], aws.client("s3")
    put = buckets.put_object(
        Bucket=seals, Key="seals/one", Body=b"x", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(days=1),
    )  # fmt: skip
    with pytest.raises(ClientError):
        buckets.delete_object(Bucket=seals, Key="seals/one", VersionId=put["VersionId"])
    assert buckets.get_object(Bucket=seals, Key="seals/one")["Body"].read() == b"x"


def test_the_origin_key_of_the_site_is_the_secrets(aws: Emulator, handed: Handover) -> None:
    secret = aws.client("secretsmanager").get_secret_value(
        SecretId=handed["application/origin-secret"]
    )["SecretString"]
    site = aws.client("cloudfront").get_distribution(Id=handed["application/distribution"])
    told = [
        each["HeaderValue"]
        for origin in site["Distribution"]["DistributionConfig"]["Origins"]["Items"]
        for each in origin.get("CustomHeaders", {}).get("Items", [])
    ]
    assert told == [secret]
    assert len(secret) == 48


def test_the_application_finds_all_that_it_reads(handed: Handover) -> None:
    assert handed.release_bucket == "vigil-dev-releases-000000000000-eu-central-1"
    assert handed.task_queue_arns == {
        "celery": "arn:aws:sqs:eu-central-1:000000000000:vigil-dev-tasks",
        "keeping": "arn:aws:sqs:eu-central-1:000000000000:vigil-dev-keeping",
        "long": "arn:aws:sqs:eu-central-1:000000000000:vigil-dev-long",
    }
    assert (
        handed["monitoring/alarm-topic"] == "arn:aws:sns:eu-central-1:000000000000:vigil-dev-alarms"
    )
    assert handed.settings == {
        "HOSPITAL_TIME_ZONE": "Europe/Berlin",
        "HOSPITAL_TLS": "1",
        "HOSPITAL_SECOND_FACTOR": "1",
        "HOSPITAL_OBJECT_LOCK_MODE": "GOVERNANCE",
    }
    assert handed.address.startswith("https://")


def test_made_a_second_time_nothing_changes(
    aws: Emulator, handed: Handover, tmp_path: Path
) -> None:
    for name, template in synthesised("dev").items():
        (tmp_path / f"vigil-dev-{name}.template.json").write_text(template.text)
    assert list(stacks.apply("dev", tmp_path, endpoint=aws.address)) == [
        "vigil-dev-edge: nothing to change",
        "vigil-dev-application: nothing to change",
        "vigil-dev-compute: nothing to change",
        "vigil-dev-monitoring: nothing to change",
    ]


def test_a_stack_that_aws_takes_back_is_told_with_its_first_cause(
    aws: Emulator, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    wrong = {"Resources": {"Odd": {"Type": "AWS::Odd::Thing", "Properties": {}}}}
    one = stacks.Made("vigil-dev-odd", json.dumps(wrong), "eu-central-1")
    with pytest.raises(stacks.StackFailed, match="AWS::Odd::Thing"):
        stacks.make(aws.client("cloudformation"), one)


def test_what_the_emulator_leaves_out_is_exactly_what_it_does_not_know() -> None:
    listed = (
        "from ministack.services.cloudformation import provisioners as known;"
        "print(*known._RESOURCE_HANDLERS)"
    )
    done = subprocess.run([str(TOOL), "-c", listed], capture_output=True, text=True, check=True)
    known = done.stdout.split()
    kinds = {
        each["Type"]
        for template in synthesised("dev").values()
        for each in template.body["Resources"].values()
    }
    assert kinds - set(known) == set(stacks.UNKNOWN_TO_EMULATOR)


def test_the_container_starts_with_what_its_stage_hands_over_or_not_at_all(aws: Emulator) -> None:
    task = synthesised("dev")["compute"].one_of("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    told = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert told["HOSPITAL_AWS_STAGE"] == "dev"
    done = subprocess.run(
        [str(PROJECT / ".venv/bin/celery"), *container["Command"][1:3], "report"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
        env=os.environ | aws.environment
        | {"HOSPITAL_AWS_STAGE": "staging", "DATABASE_URL": ""},
    )  # fmt: skip
    assert done.returncode != 0
    assert "Nothing is handed over below /vigil/staging/" in done.stdout + done.stderr
