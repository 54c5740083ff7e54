"""Templates as they are written, read by tests: one synthesis of each stage for all of them."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = PROJECT / ".cache" / "tools"
PYTHON = TOOLS / "infra" / "bin" / "python"
STAGES = ("dev", "staging", "production")
ACCOUNT, REGION = "111122223333", "eu-central-1"
_FACTS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True)
class Template:
    """One template of a stage."""

    text: str

    @functools.cached_property
    def body(self) -> dict[str, Any]:
        """Its JSON."""
        read: dict[str, Any] = json.loads(self.text)
        return read

    def all_of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of a type, by logical name, references written out."""
        return {
            name: self.plain(each.get("Properties", {}))
            for name, each in self.body["Resources"].items()
            if each["Type"] == kind
        }

    def one_of(self, kind: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        (found,) = self.all_of(kind).values()
        return found

    def plain(self, value: Any) -> Any:
        """Write out what CloudFormation would: names by Sub and Join, parameters by their path."""
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((how, what),) = value.items()
            if how == "Fn::Sub" and isinstance(what, str):
                return re.sub(r"\$\{([^}]+)\}", lambda found: _FACTS[found[1]], what)
            if how == "Fn::Join":
                return str(what[0]).join(str(self.plain(each)) for each in what[1])
            if how == "Ref":
                return _FACTS.get(what) or self._referred(what)
            if how == "Fn::GetAtt" and what[1] in {"Arn", "QueueUrl"}:
                return self._referred(what[0])
        return {key: self.plain(each) for key, each in value.items()}

    def _referred(self, name: str) -> str:
        parameter = self.body.get("Parameters", {}).get(name, {})
        if str(parameter.get("Type", "")).startswith("AWS::SSM"):
            return f"<{parameter['Default']}>"
        properties = self.body["Resources"].get(name, {}).get("Properties", {})
        for named in ("QueueName", "BucketName", "LogGroupName", "Name"):
            if named in properties:
                return str(self.plain(properties[named]))
        return name


@functools.cache
def synthesised(stage: str) -> dict[str, Template]:
    """Write a stage's templates once, by the very command of operators, and read them."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [str(PYTHON), str(PROJECT / "infra/cdk/app.py"), "--stage", stage, "--out", out],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return {
            path.name.removesuffix(".template.json").removeprefix(f"vigil-{stage}-"): Template(
                path.read_text()
            )
            for path in Path(out).glob("*.template.json")
        }


def run_in_cdk(code: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Run a few lines beside the application's own modules, as `app.py` runs."""
    return subprocess.run(
        [str(PYTHON), "-c", code, str(out)],
        cwd=PROJECT / "infra" / "cdk",
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def statements_of(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every statement of every role with the role's name."""
    roles = template.all_of("AWS::IAM::Role")
    for role in roles.values():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield role["RoleName"], _listed(statement)
    for policy in template.all_of("AWS::IAM::Policy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield roles[policy["Roles"][0]]["RoleName"], _listed(statement)


def _listed(statement: dict[str, Any]) -> dict[str, Any]:
    return {
        key: each if key not in {"Action", "Resource"} or isinstance(each, list) else [each]
        for key, each in statement.items()
    }
