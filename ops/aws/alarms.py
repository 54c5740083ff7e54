"""The alarms of a stage, as CloudWatch has them."""

from __future__ import annotations

from ops.aws.asking import asking


def alarms_of(stage: str, topic: str, *, region: str) -> tuple[int, int]:
    """Count the stage's alarms: those that are armed and tell the topic, and all."""
    with asking("cloudwatch", region=region) as client:
        pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"vigil-{stage}-")
        found = [
            alarm
            for page in pages
            for alarm in [*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())]
        ]
    armed = [
        alarm
        for alarm in found
        if alarm.get("ActionsEnabled") and topic and topic in alarm.get("AlarmActions", ())
    ]
    return len(armed), len(found)
