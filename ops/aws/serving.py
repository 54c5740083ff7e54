"""Which code the functions of a stage run, and how another is put there.

Knows Lambda. A function's code is told by its SHA-256, as AWS itself counts it.
"""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.aws.handover import AwsRefused, Handover, as_refusals

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_SECONDS = 60
# A function is being changed for some seconds; on the network that it is in, for a minute.
_WAIT = {"Delay": 1, "MaxAttempts": 180}


@dataclass(frozen=True)
class Code:
    """What one function runs: the hash of its package, in hexadecimal, and its latest version."""

    sha256: str
    version: str


def running_codes(handed: Handover) -> dict[str, Code | None]:
    """Give what each function of the stage runs; None where there is no such function.

    Raises AwsRefused.
    """
    with as_refusals():
        client = _client(handed)
        return {name: _code(client, name) for name in handed.functions.values()}


def _code(client: LambdaClient, name: str) -> Code | None:
    try:
        found = client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        return None
    return Code(_hexadecimal(found["CodeSha256"]), _latest_version(client, name))


def _latest_version(client: LambdaClient, name: str) -> str:
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    numbers = [
        int(each["Version"])
        for page in pages
        for each in page["Versions"]
        if each["Version"].isdigit()
    ]
    return str(max(numbers, default=0))


def _hexadecimal(sha256: str) -> str:
    return base64.b64decode(sha256).hex()


def set_code(handed: Handover, wanted: dict[str, str]) -> dict[str, str]:
    """Let functions run packages of the release bucket: `wanted` gives each function's key.

    All are tried. Returns what became of those that failed, by name; raises nothing of AWS's.
    """
    failed: dict[str, str] = {}
    for name, key in wanted.items():
        try:
            with as_refusals():
                _set(_client(handed), name, handed.release_bucket, key)
        except AwsRefused as error:
            failed[name] = str(error)
    return failed


def _set(client: LambdaClient, name: str, bucket: str, key: str) -> None:
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_WAIT)  # type: ignore[arg-type]
    client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key=key, Publish=True)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_WAIT)  # type: ignore[arg-type]


def package_that_runs(handed: Handover, name: str) -> bytes:
    """Fetch the package that a function runs, from where Lambda keeps it. Raises AwsRefused."""
    with as_refusals():
        found = _client(handed).get_function(FunctionName=name)
    try:
        with urllib.request.urlopen(found["Code"]["Location"], timeout=_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except (OSError, KeyError, ValueError) as error:
        raise AwsRefused(
            f"The package that {name} runs cannot be fetched ({type(error).__name__})."
        ) from error


def _client(handed: Handover) -> LambdaClient:
    import boto3

    return boto3.client("lambda", region_name=handed.region)
