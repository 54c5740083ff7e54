"""manage.py alarms: whether the stage's alarms are armed and reach somebody."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from ops.aws.alarms import alarms_of
from ops.aws.handover import Handover
from ops.aws.whereabouts import stage_here
from ops.evidence import NOT_RUN
from ops.management.manners import MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py alarms`, on a stage on AWS."""

    help = (
        "Look whether every alarm of this stage is armed and tells the stage's topic. Exits with 1"
        f" if one is not, or there is none; with {NOT_RUN} where this is no stage on AWS."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, and say."""
        stage = stage_here()
        if not stage:
            raise CommandError(
                "Not run: this is no stage on AWS (HOSPITAL_AWS_STAGE is not set). See that your"
                " own alarms reach somebody, and tick the item with what was seen.",
                returncode=NOT_RUN,
            )
        handed = Handover.read(stage)
        topic = handed.get("monitoring/alarm-topic")
        armed, there = alarms_of(stage, topic, region=handed.region)
        words = f"{armed} of {there} alarms of {stage} are armed and tell {topic or 'nobody'}."
        if not there or armed < there:
            raise CommandError(
                f"{words} Deploy the monitoring stack again, and see who subscribes to its topic."
            )
        self.stdout.write(words)
