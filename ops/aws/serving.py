"""Which code the functions of a stage run, and how another is put there.

A function's code is told by its SHA-256 in hexadecimal, as the packages of the releases are named.
"""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass

from ops.aws.asking import asking
from ops.aws.functions import Functions
from ops.aws.handover import Handover
from ops.errors import CloudRefused, CloudUnreachable

_SECONDS = 60


@dataclass(frozen=True)
class Code:
    """What one function runs: the hash of its package, and which published version that is."""

    sha256: str
    version: str


def running_codes(handed: Handover) -> dict[str, Code | None]:
    """Give what each function of the stage runs; None where there is no such function.

    Raises CloudRefused, CloudUnreachable.
    """
    functions = Functions(handed.region)
    found = {name: functions.find(name) for name in handed.functions.values()}
    return {
        name: Code(base64.b64decode(each.sha256).hex(), each.version) if each else None
        for name, each in found.items()
    }


def set_code(handed: Handover, wanted: dict[str, str]) -> dict[str, str]:
    """Let functions run packages of the release bucket: `wanted` gives each function's key.

    All are tried. Returns what became of those that failed, by name; raises nothing of AWS's.
    """
    functions = Functions(handed.region)
    failed: dict[str, str] = {}
    for name, key in wanted.items():
        try:
            functions.wait(name)
            with asking("lambda", region=handed.region) as client:
                client.update_function_code(
                    FunctionName=name, S3Bucket=handed.release_bucket, S3Key=key, Publish=True
                )
            functions.wait(name)
        except (CloudRefused, CloudUnreachable, TimeoutError) as error:
            failed[name] = str(error)
    return failed


def package_that_runs(handed: Handover, name: str) -> bytes:
    """Fetch the package that a function runs, from where Lambda keeps it.

    Raises CloudRefused, CloudUnreachable.
    """
    with asking("lambda", region=handed.region) as client:
        found = client.get_function(FunctionName=name)
    try:
        with urllib.request.urlopen(found["Code"]["Location"], timeout=_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except (OSError, KeyError, ValueError) as error:
        raise CloudUnreachable(
            f"The package that {name} runs cannot be fetched ({type(error).__name__})."
        ) from error
