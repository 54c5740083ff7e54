"""What the layers of the infrastructure handed over, by SSM parameters (infra/README.md).

Knows the parameters' names and the names by convention. Plain Python and boto3: it is read before
there are settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ops.aws.asking import asking
from ops.errors import HandoverIncomplete

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_ssm import SSMClient

STAGES = ("dev", "staging", "production")
# What the settings and the deployments' history call them.
STAGE_NAMES = {"dev": "development", "staging": "staging", "production": "production"}
QUEUES = ("notices", "tasks", "keeping", "long")
NONE = "none"


def function_names(stage: str) -> dict[str, str]:
    """Give the three functions of a stage, each by what it does; the first serves the API."""
    name = f"vigil-{stage}"
    return {"api": name, "ingestion": f"{name}-ingestion", "alerts": f"{name}-alerts"}


def require_stage(stage: str) -> str:
    """Give the stage back. Raises HandoverIncomplete where there is no such stage."""
    if stage not in STAGES:
        raise HandoverIncomplete(f"There is no stage {stage!r}: there are {', '.join(STAGES)}.")
    return stage


def pairs(text: str) -> dict[str, str]:
    """Read `name=value` pairs, divided by commas."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


@dataclass(frozen=True)
class Handover:
    """All parameters of one stage, each without the stage's prefix: `database/host`."""

    stage: str
    region: str
    values: Mapping[str, str]

    @classmethod
    def read(cls, stage: str) -> Handover:
        """Ask SSM for everything below `/vigil/STAGE/`.

        Raises HandoverIncomplete where there is nothing, CloudRefused, CloudUnreachable.
        """
        require_stage(stage)
        with asking("ssm") as client:
            values = dict(_below(client, f"/vigil/{stage}/"))
            region = client.meta.region_name
        if not values:
            raise HandoverIncomplete(
                f"Nothing is handed over below /vigil/{stage}/ in {region}: make the infrastructure"
                " first (docs/deploying.md), or name its region in AWS_DEFAULT_REGION."
            )
        return cls(stage, region, values)

    def __getitem__(self, name: str) -> str:
        """Give one parameter. Raises HandoverIncomplete, naming it."""
        try:
            return self.values[name]
        except KeyError:
            raise HandoverIncomplete(
                f"/vigil/{self.stage}/{name} is not there: infra/README.md says which layer makes"
                " it."
            ) from None

    def get(self, name: str) -> str:
        """Give one parameter, or nothing."""
        value = self.values.get(name, "")
        return "" if value == NONE else value

    @property
    def functions(self) -> dict[str, str]:
        """The three functions' names, each by what it does."""
        return function_names(self.stage)

    @cached_property
    def settings(self) -> dict[str, str]:
        """Settings that are no secret, by their names."""
        prefix = "application/settings/"
        return {
            name.removeprefix(prefix): value
            for name, value in self.values.items()
            if name.startswith(prefix)
        }

    @property
    def release_bucket(self) -> str:
        """Where packages lie."""
        return self["application/release-bucket"]

    @property
    def frontend_bucket(self) -> str:
        """The bucket behind CloudFront."""
        return self["application/frontend-bucket"]

    @property
    def distribution(self) -> str:
        """CloudFront's distribution; empty where there is none."""
        return self.get("application/distribution")

    @property
    def address(self) -> str:
        """Where people find the place: scheme and host."""
        return self["application/address"].rstrip("/")

    @property
    def task_queue_arns(self) -> dict[str, str]:
        """The queues of tasks, by Celery's names."""
        return pairs(self["application/task-queue-arns"])


def _below(client: SSMClient, path: str) -> Iterator[tuple[str, str]]:
    pages = client.get_paginator("get_parameters_by_path").paginate(
        Path=path, Recursive=True, WithDecryption=True
    )
    for page in pages:
        for each in page["Parameters"]:
            yield each["Name"].removeprefix(path), each["Value"]
