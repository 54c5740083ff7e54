"""List the open admissions whose hours without a test exceed their threshold."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.utils import timezone

from alerts.queries.standing import Vision, overdue_admissions, vision_at
from ingestion.management.manners import MannerlyCommand
from ingestion.models import Admission


def moment(text: str) -> datetime:
    """Read an instant. Raises ArgumentTypeError where it is none, or has no offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not an ISO 8601 time like 2025-03-20T05:20:00Z"
        ) from None
    if at.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset: add Z for UTC, or one like +01:00")
    return at


class Command(MannerlyCommand):
    """`manage.py overdue [--department D] [--at ISO] [--json]`."""

    help = "List patients who have been in hospital without a new lab test beyond their threshold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare department, instant and the form of the answer."""
        parser.add_argument("--department", help="only this department, by its name")
        parser.add_argument("--at", type=moment, metavar="ISO", help="judge at this instant")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list, longest without a test first."""
        vision = vision_at(options["at"] or timezone.now())
        overdue = overdue_admissions(vision)
        if options["department"] is not None:
            overdue = overdue.filter(department__name=options["department"])
        patients = [as_dict(admission, vision) for admission in overdue]
        if options["json"]:
            answer = {
                "at": vision.at.isoformat(),
                "threshold_hours": vision.rulebook.default.threshold_hours,
                "patients": patients,
            }
            self.stdout.write(json.dumps(answer))
            return
        for one in patients:
            self.stdout.write(
                f"{one['room'] or '–':>8}  {one['department'] or '–':<20}"
                f" {one['hours_without_test']:>7.1f} h  {one['state'].replace('_', ' '):<12}"
                f" {one['patient_id']}  {one['name']}"
            )
        self.stdout.write(f"{len(patients)} beyond their threshold at {vision.at.isoformat()}.")
        if vision.is_blind:
            feeds = ", ".join(str(one.feed) for one in vision.silent)
            self.stdout.write(self.style.WARNING(f"Cannot know: nothing new from {feeds}."))


def as_dict(admission: Admission, vision: Vision) -> dict[str, Any]:
    """Describe one admission, in the shape that scripts rely on."""
    quiet, last_test = admission.quiet, admission.last_test  # type: ignore[attr-defined]
    judgement = vision.judge(quiet, admission.department_id)
    patient = admission.patient
    assert patient is not None
    return {
        "patient_id": patient.patient_id,
        "case_number": admission.case_number,
        "name": patient.name,
        "department": admission.department.name if admission.department else None,
        "room": admission.room,
        "admitted_at": admission.admitted_at.isoformat(),
        "last_test_at": last_test.isoformat() if last_test else None,
        "hours_without_test": judgement.hours,
        "state": judgement.standing.value,
    }
