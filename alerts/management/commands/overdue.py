"""List the open admissions whose hours without a test exceed their threshold."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from alerts.queries.past import known_at
from alerts.queries.standing import Vision, overdue_admissions, vision_at
from ingestion.management.instants import add_known_at, moment
from ingestion.models import Admission
from ingestion.queries.past import present
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py overdue [--department D] [--at ISO | --known-at ISO] [--json]`."""

    help = "List patients who have been in hospital without a new lab test beyond their threshold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare department, instant and the form of the answer."""
        parser.add_argument("--department", help="only this department, by its name")
        parser.add_argument("--at", type=moment, metavar="ISO", help="judge at this instant")
        add_known_at(parser)
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list, longest without a test first."""
        if options["at"] and options["known_at"]:
            raise CommandError(
                "--known-at judges at the moment that it names: leave --at away.",
                returncode=WRONG_ARGUMENTS,
            )
        with known_at(options["known_at"]):
            self._answer(**options)

    def _answer(self, **options: Any) -> None:
        vision = vision_at(options["at"] or present())
        overdue = overdue_admissions(vision)
        if options["department"] is not None:
            overdue = overdue.filter(department__name=options["department"])
        patients = [as_dict(admission, vision) for admission in overdue]
        if options["json"]:
            answer = {
                "at": vision.at.isoformat(),
                **({"known_at": vision.at.isoformat()} if options["known_at"] else {}),
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
