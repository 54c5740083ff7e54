"""What the layers of the infrastructure handed over, by SSM parameters (infra/README.md).

Knows the parameters' names and the names by convention. Plain Python and boto3: it is read before
there are settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_ssm import SSMClient

STAGES = ("dev", "staging", "production")
# What the settings and the deployments' history call them.
STAGE_NAMES = {"dev": "development", "staging": "staging", "production": "production"}
QUEUES = ("notices", "tasks", "keeping", "long")
NONE = "none"


class HandoverIncomplete(Exception):
    """A stage, or something of it, was never handed over. Says what, and who makes it."""


class AwsRefused(Exception):
    """AWS did not answer, or does not know us. Says what to do next."""


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

        Raises HandoverIncomplete where there is nothing, and AwsRefused.
        """
        import boto3

        require_stage(stage)
        with as_refusals():
            client = boto3.client("ssm")
            values = dict(_below(client, f"/vigil/{stage}/"))
        if not values:
            raise HandoverIncomplete(
                f"Nothing is handed over below /vigil/{stage}/ in {client.meta.region_name}: make"
                " the infrastructure first (docs/deploying.md), or name its region in"
                " AWS_DEFAULT_REGION."
            )
        return cls(stage, client.meta.region_name, values)

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


class as_refusals:  # noqa: N801 - it is written like a function
    """Turn what boto3 raises into AwsRefused, with the next step. It repeats no secret."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        """Translate."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            NoRegionError,
        )

        if isinstance(error, NoCredentialsError):
            raise AwsRefused(
                "There are no credentials for AWS: sign in (aws sso login), or set AWS_PROFILE."
            ) from error
        if isinstance(error, NoRegionError):
            raise AwsRefused("Set AWS_DEFAULT_REGION to the stage's region.") from error
        if isinstance(error, ClientError):
            raise AwsRefused(_refusal(error)) from error
        if isinstance(error, BotoCoreError):
            raise AwsRefused(f"AWS could not be asked: {error}") from error


def _refusal(error: object) -> str:
    told = getattr(error, "response", {}).get("Error", {})
    code, words = str(told.get("Code", "")), str(told.get("Message", ""))
    operation = getattr(error, "operation_name", "an operation")
    if re.search("Expired", code):
        return "The credentials for AWS have expired: sign in again (aws sso login)."
    if code in {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}:
        return "AWS does not know these credentials: sign in again, or set AWS_PROFILE."
    if "AccessDenied" in code or code == "UnauthorizedOperation":
        return f"AWS refuses {operation}: these credentials may not do it. {words[:300]}"
    return f"AWS refuses {operation}: {code}, {words[:300]}"
