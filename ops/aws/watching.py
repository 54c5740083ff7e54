"""How often a stage's functions fail, and its API answers with an error, as CloudWatch counted.

CloudWatch is some minutes behind: what it does not tell yet is not counted as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from ops.aws.asking import asking
from ops.aws.handover import Handover
from ops.queries.answers import Answers

_MINUTE = 60


def failures_since(handed: Handover, since: datetime, until: datetime) -> dict[str, Answers]:
    """Count calls and failures of each function and of the API, by whole minutes.

    Raises CloudRefused, CloudUnreachable.
    """
    asked = dict(_asked(handed))
    since = since.replace(second=0, microsecond=0)
    until = max(until, since).replace(second=0, microsecond=0) + timedelta(seconds=_MINUTE)
    with asking("cloudwatch", region=handed.region) as client:
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=list(_queries(asked)), StartTime=since, EndTime=until
        )
        found: dict[str, float] = {}
        for page in pages:
            for each in page["MetricDataResults"]:
                found[each["Id"]] = found.get(each["Id"], 0) + sum(each["Values"])
    return {
        what: Answers(int(found.get(f"count{number}", 0)), int(found.get(f"failed{number}", 0)))
        for number, what in enumerate(asked)
    }


def _asked(handed: Handover) -> Iterator[tuple[str, tuple[str, str, str, str, str]]]:
    """Give what is counted: namespace, dimension and its value, and the names of both counts."""
    for name in handed.functions.values():
        yield name, ("AWS/Lambda", "FunctionName", name, "Invocations", "Errors")
    if api := handed.get("application/api"):
        yield "the API", ("AWS/ApiGateway", "ApiId", api, "Count", "5xx")


def _queries(asked: dict[str, tuple[str, str, str, str, str]]) -> Iterator[dict[str, Any]]:
    for number, (namespace, dimension, value, count, failed) in enumerate(asked.values()):
        for key, metric in (("count", count), ("failed", failed)):
            yield {
                "Id": f"{key}{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": metric,
                        "Dimensions": [{"Name": dimension, "Value": value}],
                    },
                    "Period": _MINUTE,
                    "Stat": "Sum",
                },
            }
