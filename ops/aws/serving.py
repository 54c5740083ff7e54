"""Which code the functions of a stage run and how, and how another is put there.

A function's code is told by its SHA-256 in hexadecimal, as the packages of the releases are named.
With it goes how it is started: code of before, started as the next one is, may not start at all.
"""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from ops.aws.asking import asking
from ops.aws.functions import Function, Functions
from ops.aws.handover import Handover
from ops.aws.releases import package_key
from ops.errors import CloudRefused, CloudUnreachable

_SECONDS = 60
_START = ("Handler", "Runtime", "MemorySize", "Timeout")


@dataclass(frozen=True)
class Code:
    """What one function runs: the hash of its package, which published version that is, and how
    it is started: handler, runtime, memory and time-out, as AWS names them."""

    sha256: str
    version: str
    start: dict[str, Any] = field(default_factory=dict)


def running_codes(handed: Handover) -> dict[str, Code | None]:
    """Give what each function of the stage runs; None where there is no such function.

    Raises CloudRefused, CloudUnreachable.
    """
    functions = Functions(handed.region)
    found = {name: functions.find(name) for name in handed.functions.values()}
    return {name: _code(each) if each else None for name, each in found.items()}


def _code(function: Function) -> Code:
    return Code(
        base64.b64decode(function.sha256).hex(),
        function.version,
        {part: function.configuration[part] for part in _START if part in function.configuration},
    )


def set_code(handed: Handover, wanted: dict[str, Code]) -> dict[str, str]:
    """Let functions run kept packages, each started as is said with it.

    All are tried. Returns what became of those that failed, by name; raises nothing of AWS's.
    """
    functions = Functions(handed.region)
    failed: dict[str, str] = {}
    for name, code in wanted.items():
        try:
            functions.wait(name)
            with asking("lambda", region=handed.region) as client:
                if code.start:
                    client.update_function_configuration(FunctionName=name, **code.start)
                    functions.wait(name)
                client.update_function_code(
                    FunctionName=name,
                    S3Bucket=handed.release_bucket,
                    S3Key=package_key(code.sha256),
                    Publish=True,
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
