"""Writes, judges and makes the stacks of a stage: `scripts/stacks.py synth|lint|apply --stage dev`.

Knows the order of the stacks, where each lies and what is told to it. What is in them stands in
`infra/`. `apply` makes or changes them, each in its region, and waits; it needs credentials that
may. A stack that AWS takes back is told of with the first cause, and ends with 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# pylint: disable=wrong-import-position
from ops.aws.asking import asking
from ops.errors import CloudRefused, CloudUnreachable

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = PROJECT / ".cache" / "tools" / "infra" / "bin"
STAGES = PROJECT / "infra" / "stages.json"
MONITORING = PROJECT / "infra" / "cloudformation" / "monitoring.yaml"
EDGE_REGION = "us-east-1"
# How a check says that it looked at nothing (scripts/check.py).
LOOKED_AT_NOTHING = 77
# Types that the emulator does not know: left out of its templates, and of no other. A test holds
# this list against the templates.
UNKNOWN_TO_EMULATOR = ("AWS::WAFv2::LoggingConfiguration",)


@dataclass
class Made:
    """A stack: its name, its template and where it is made; and what is told to it."""

    name: str
    template: str
    region: str
    told: dict[str, str] = field(default_factory=dict)


class StackFailed(Exception):
    """AWS did not make a stack, or took its change back. Says why."""


def synth(stage: str, out: Path) -> Path:
    """Write the templates of the application's layer; cdk-nag judges them on the way."""
    command = [str(TOOLS / "python"), str(PROJECT / "infra/cdk/app.py")]
    subprocess.run([*command, "--stage", stage, "--out", str(out)], check=True)
    return out


def lint(stage: str, out: Path) -> None:
    """Hold every template against AWS's own schemas."""
    templates = [str(path) for path in synth(stage, out).glob("*.template.json")]
    subprocess.run([str(TOOLS / "cfn-lint"), *templates, str(MONITORING)], check=True)


def stacks(stage: str, out: Path) -> list[Made]:
    """Give the stacks in the order in which they are made."""
    values = json.loads(STAGES.read_text())[stage]
    addresses = [*values["alarm_addresses"], "", ""][:2]
    settings = {
        "Stage": stage,
        "ApplicationStage": values["stage"],
        "Api": f"/vigil/{stage}/application/api",
        "DatabaseInstance": f"/vigil/{stage}/database/instance",
        "Replicas": str(values["database"]["replicas"]),
        "FirstAddress": addresses[0],
        "SecondAddress": addresses[1],
    }
    found = [
        Made(f"vigil-{stage}-{what}", _template(out, stage, what), region)
        for what, region in (
            ("edge", EDGE_REGION),
            ("application", values["region"]),
            ("compute", values["region"]),
        )
    ]
    monitoring = Made(f"vigil-{stage}-monitoring", MONITORING.read_text(), values["region"])
    monitoring.told = settings
    return [*found, monitoring]


def for_emulator(template: str) -> str:
    """Leave out what the emulator does not know, by the list above."""
    read = json.loads(template)
    read["Resources"] = {
        name: each
        for name, each in read["Resources"].items()
        if each["Type"] not in UNKNOWN_TO_EMULATOR
    }
    return json.dumps(read)


def apply(
    stage: str, out: Path, *, endpoint: str = "", image: str = "", is_written: bool = False
) -> Iterator[str]:
    """Make or change every stack of a stage, and wait for each. Gives words of what was done.

    The templates lie in `out` (`synth`). What is there already and has not changed is left as it
    is. Raises StackFailed.
    """
    acl = ""
    for one in stacks(stage, out):
        if endpoint and one.template.startswith("{"):
            one.template = for_emulator(one.template)
        if one.name.endswith("-application"):
            one.told = {"WebAclArn": acl}
        if one.name.endswith("-compute") and image:
            one.told = {"ImageTag": image}
        with asking("cloudformation", region=one.region, endpoint=endpoint, seconds=60) as client:
            words = make(client, one)
            if endpoint and one.name.endswith("-application"):
                _lock_buckets(client, one, endpoint)
            if one.name.endswith("-edge"):
                acl = _outputs(client, one.name)["WebAclArn"]
        yield f"{one.name}: {words}"


def make(client: CloudFormationClient, one: Made) -> str:
    """Make or change one stack and wait. Raises StackFailed, with the first cause."""
    from botocore.exceptions import ClientError

    exists = _status(client, one.name)
    act: Any = client.update_stack if exists else client.create_stack
    # What is not told now stays as it was told before.
    before = _parameters(client, one.name) if exists else []
    told = [{"ParameterKey": key, "ParameterValue": value} for key, value in one.told.items()]
    kept = [
        {"ParameterKey": key, "UsePreviousValue": True}
        for key in before
        if key not in one.told and f'"{key}"' in one.template
    ]
    try:
        act(
            StackName=one.name,
            TemplateBody=one.template,
            Parameters=told + kept,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return "nothing to change"
        raise StackFailed(f"{one.name}: {error}") from error
    waiter: Any = (
        client.get_waiter("stack_update_complete")
        if exists
        else client.get_waiter("stack_create_complete")
    )
    try:
        waiter.wait(StackName=one.name, WaiterConfig={"Delay": 2, "MaxAttempts": 1800})
    except Exception as error:
        raise StackFailed(f"{one.name}: {_first_cause(client, one.name)}") from error
    return "changed" if exists else "made"


def _lock_buckets(client: CloudFormationClient, one: Made, endpoint: str) -> None:
    """The emulator makes buckets without the lock that their template asks for, and then refuses
    what is to be locked."""
    import boto3

    buckets = boto3.client("s3", region_name=one.region, endpoint_url=endpoint)
    for name, each in json.loads(one.template)["Resources"].items():
        if lock := each.get("Properties", {}).get("ObjectLockConfiguration"):
            made = client.describe_stack_resource(StackName=one.name, LogicalResourceId=name)
            buckets.put_object_lock_configuration(
                Bucket=made["StackResourceDetail"]["PhysicalResourceId"],
                ObjectLockConfiguration=lock,
            )


def _first_cause(client: CloudFormationClient, name: str) -> str:
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each for each in events if each.get("ResourceStatus", "").endswith("FAILED")]
    if not failed:
        return f"it stands at {_status(client, name)}: see its events in the console."
    first = min(failed, key=lambda each: each["Timestamp"])
    return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason told')}"


def _status(client: CloudFormationClient, name: str) -> str:
    from botocore.exceptions import ClientError

    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in str(error):
            return ""
        raise


def _parameters(client: CloudFormationClient, name: str) -> list[str]:
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    return [each["ParameterKey"] for each in stack.get("Parameters", [])]


def _outputs(client: CloudFormationClient, name: str) -> dict[str, str]:
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _template(out: Path, stage: str, what: str) -> str:
    return (out / f"vigil-{stage}-{what}.template.json").read_text()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("act", choices=("synth", "lint", "apply"))
    parser.add_argument("--stage", required=True, choices=list(json.loads(STAGES.read_text())))
    parser.add_argument("--out", type=Path, help="where the templates go; else nowhere lasting")
    parser.add_argument("--image", default="", help="tag of the worker's image, once pushed")
    parser.add_argument("--endpoint", default="", help="of an emulator")
    told = parser.parse_args(arguments)
    if not TOOLS.is_dir():
        print("the tools of the infrastructure are missing: scripts/setup.py all")
        return LOOKED_AT_NOTHING
    with tempfile.TemporaryDirectory() as aside:
        out = told.out or Path(aside)
        try:
            if told.act == "apply":
                for words in apply(
                    told.stage, synth(told.stage, out), endpoint=told.endpoint, image=told.image
                ):
                    print(words, flush=True)
            else:
                (synth if told.act == "synth" else lint)(told.stage, out)
        except (
            StackFailed,
            subprocess.CalledProcessError,
            CloudRefused,
            CloudUnreachable,
        ) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
