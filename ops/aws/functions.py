"""The functions as AWS Lambda has them: what runs, what wakes them, and who may.

Knows boto3. Raises CloudRefused and CloudUnreachable. Must not know why they should be so.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.aws.asking import asking
from ops.errors import CloudUnreachable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

_SECONDS_TO_SETTLE = 120
# What a function is asked after a deployment: it starts, and answers which commit it runs.
ROLL_CALL = {"vigil": "roll call"}
_SECONDS_TO_START = 120
FAILURES_IN_BATCHES = "ReportBatchItemFailures"


@dataclass(frozen=True)
class Function:
    """One function as it is: what would run if it were called now."""

    name: str
    arn: str
    sha256: str
    configuration: Mapping[str, Any]
    version: str
    """The newest published version with this code; empty where there is none."""
    concurrency: int | None
    principals: Sequence[tuple[str, str]]
    """Who may call it by its own policy: service and, where it is bound to one, the source."""


@dataclass(frozen=True)
class Version:
    """A published version: its number and its code's hash."""

    number: int
    sha256: str


class Functions:
    """The functions of one region."""

    def __init__(self, region: str) -> None:
        self._region = region

    def find(self, name: str) -> Function | None:
        """Describe a function, or nothing where there is none."""
        with self._asked() as functions:
            try:
                told = functions.get_function(FunctionName=name)
            except functions.exceptions.ResourceNotFoundException:
                return None
        configuration = told["Configuration"]
        sha256 = configuration["CodeSha256"]
        return Function(
            name=name,
            arn=configuration["FunctionArn"],
            sha256=sha256,
            configuration=configuration,
            version=next(
                (str(each.number) for each in self.versions(name) if each.sha256 == sha256), ""
            ),
            concurrency=told.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            principals=self._principals(name),
        )

    def versions(self, name: str) -> list[Version]:
        """Give the published versions of a function, the newest first."""
        found = []
        with self._asked() as functions:
            for page in functions.get_paginator("list_versions_by_function").paginate(
                FunctionName=name
            ):
                found += [
                    Version(int(each["Version"]), each["CodeSha256"])
                    for each in page["Versions"]
                    if each["Version"].isdecimal()
                ]
        return sorted(found, key=lambda each: each.number, reverse=True)

    def wait(self, name: str) -> None:
        """Wait until AWS has done what it was last asked. Raises TimeoutError."""
        for _ in range(_SECONDS_TO_SETTLE):
            with self._asked() as functions:
                told = functions.get_function_configuration(FunctionName=name)
            if told.get("LastUpdateStatus", "Successful") != "InProgress":
                return
            time.sleep(1)
        raise TimeoutError(f"{name} is still being changed after {_SECONDS_TO_SETTLE} s.")

    def keep_variables(self, name: str, variables: Mapping[str, str]) -> None:
        """Let these be the function's variables, and no others."""
        with self._asked() as functions:
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": dict(variables)}
            )
        self.wait(name)

    def put_aside(self, name: str, queue_arn: str) -> bool:
        """Let calls of the clock that fail for good go to a queue, where an alarm sees them.

        Tells whether something had to be done.
        """
        with self._asked() as functions:
            with contextlib.suppress(functions.exceptions.ResourceNotFoundException):
                is_now = functions.get_function_event_invoke_config(FunctionName=name)
                aims = is_now.get("DestinationConfig", {}).get("OnFailure", {})
                if aims.get("Destination") == queue_arn:
                    return False
            functions.put_function_event_invoke_config(
                FunctionName=name,
                MaximumRetryAttempts=1,
                # An old tick says nothing that the next one does not.
                MaximumEventAgeInSeconds=300,
                DestinationConfig={"OnFailure": {"Destination": queue_arn}},
            )
        return True

    def mappings(self, name: str) -> list[EventSourceMappingConfigurationTypeDef]:
        """Give what the function is fed from."""
        with self._asked() as functions:
            pages = functions.get_paginator("list_event_source_mappings").paginate(
                FunctionName=name
            )
            return [each for page in pages for each in page["EventSourceMappings"]]

    def feed(self, name: str, queue_arn: str, *, batch: int, most: int) -> str:
        """Feed the function from a queue, with failures told message by message.

        Zappa never sets that: AWS would then delete the messages that failed. `most` batches run
        at once; without a bound AWS takes out more than the function may run, counts each refusal
        as a try, and puts good messages aside. Returns what was done: `made`, `mended` or nothing.
        """
        wanted: Any = {
            "FunctionName": name,
            "Enabled": True,
            "BatchSize": batch,
            "FunctionResponseTypes": [FAILURES_IN_BATCHES],
            "ScalingConfig": {"MaximumConcurrency": most},
        }
        for mapping in self.mappings(name):
            if mapping.get("EventSourceArn") != queue_arn:
                continue
            if FAILURES_IN_BATCHES in (mapping.get("FunctionResponseTypes") or ()) and (
                mapping.get("BatchSize") == batch
                and mapping.get("ScalingConfig", {}).get("MaximumConcurrency") == most
                and _is_on(mapping)
            ):
                return ""
            with self._asked() as functions:
                functions.update_event_source_mapping(UUID=mapping["UUID"], **wanted)
            return "mended"
        with self._asked() as functions:
            functions.create_event_source_mapping(EventSourceArn=queue_arn, **wanted)
        return "made"

    def rules(self, arn: str) -> dict[str, Mapping[str, Any]]:
        """Give the rules of the clock that call a function, by their names."""
        with asking("events", region=self._region) as events:
            names = events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
            return {name: events.describe_rule(Name=name) for name in names}

    def call_roll(self, name: str) -> dict[str, str]:
        """Let a function start, if it has to, and say what it runs; what it says else is words."""
        answer, text = self._call(name)
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if answer.get("FunctionError") or not isinstance(told, dict):
            kind = told.get("errorType", "") if isinstance(told, dict) else ""
            return {"error": str(kind or answer.get("FunctionError") or "no answer")}
        return {str(key): str(value) for key, value in told.items()}

    def _call(self, name: str) -> tuple[Any, bytes]:
        """Call a function; one that works at full strength is asked again until it has room."""
        ends = time.monotonic() + _SECONDS_TO_START
        while True:
            try:
                with asking("lambda", region=self._region, seconds=_SECONDS_TO_START) as functions:
                    answer = functions.invoke(
                        FunctionName=name, Payload=json.dumps(ROLL_CALL).encode()
                    )
                    return answer, answer["Payload"].read()
            except CloudUnreachable:
                if time.monotonic() > ends:
                    raise
                time.sleep(2)

    def _asked(self) -> AbstractContextManager[LambdaClient]:
        return asking("lambda", region=self._region)

    def _principals(self, name: str) -> list[tuple[str, str]]:
        with self._asked() as functions:
            try:
                text = functions.get_policy(FunctionName=name)["Policy"]
            except functions.exceptions.ResourceNotFoundException:
                return []
        return list(_allowed(json.loads(text)))


def _allowed(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for statement in policy.get("Statement", ()):
        principal = statement.get("Principal", "*")
        if isinstance(principal, Mapping):
            principal = principal.get("Service") or principal.get("AWS") or "*"
        conditions = statement.get("Condition", {})
        source = next(
            (
                str(each["AWS:SourceArn"])
                for each in conditions.values()
                if isinstance(each, Mapping) and "AWS:SourceArn" in each
            ),
            "",
        )
        yield str(principal), source


def _is_on(mapping: EventSourceMappingConfigurationTypeDef) -> bool:
    return mapping.get("State", "") in {"Enabled", "Enabling", "Creating", "Updating"}
