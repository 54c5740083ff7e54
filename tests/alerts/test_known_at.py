"""What is told of an earlier moment is what was told at that moment, whatever has come since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from alerts.models import Alert
from alerts.queries.past import known_at
from alerts.queries.standing import overdue_admissions, vision_at
from ingestion.models import (
    Admission,
    Feed,
    FeedFile,
    LabResult,
    Patient,
    Reading,
    RejectedRow,
)
from ingestion.models.fields import Lines
from ingestion.queries import doubts_at, freshness_of_feeds, waiting_counts
from ingestion.queries.past import present
from ingestion.services.books import books
from tests.deliveries import (
    NOON,
    admission,
    deliver,
    deliver_lines,
    lab_result,
    lab_test,
    patient,
    released,
)
from tests.ingestion.terminal import Ran, run

pytestmark = pytest.mark.django_db

Step = Callable[[datetime], Any]


def lis(*rows: dict[str, str], **more: Any) -> Step:
    return lambda now: deliver(*rows, source="lis", at=now, **more)


def pms(*rows: dict[str, str], **more: Any) -> Step:
    return lambda now: deliver(*rows, at=now, **more)


def late(*rows: dict[str, str], hours: float, source: str = "pms") -> Step:
    """A file that speaks of an earlier time than those that came before it."""
    return lambda now: deliver(*rows, source=source, at=now - timedelta(hours=hours))


COMBINED = "test_id,patient_id,test_type,test_date,result,status"

# What comes, each a quarter of an hour after the last; times are hours before noon of the day.
STEPS: list[tuple[str, Step]] = [
    ("patients", pms(patient("P1"), patient("P2", "Fox, Otto"), patient("P3", "Grey, Ada"))),
    (
        "admissions, one of an unknown patient",
        pms(
            admission("C1", "P1", hours=90, department="ICU", room_number="1"),
            admission("C2", "P2", hours=80, department="ICU"),
            admission("C3", "P3", hours=70),
            admission("C9", "P9", hours=95),
        ),
    ),
    (
        "tests, one of an unknown patient",
        lis(
            lab_test("T1", "P1", "Sodium", hours=60, status="Ordered"),
            lab_test("T2", "P2", "Sodium", hours=59, status="Ordered"),
            lab_test("T9", "P9", "Sodium", hours=50, status="Ordered"),
        ),
    ),
    (
        "results, one of an unknown test, one whose time is in the future",
        lis(
            lab_result("R1", "T1", "5", hours=20),
            lab_result("R7", "T7", "5", hours=19),
            lab_result("R8", "T2", "5", hours=-9),
        ),
    ),
    ("a reused test number detaches a result", lis(lab_test("T1", "P3", "Urea", hours=55))),
    ("the unknown patient", pms(patient("P9", "Young, Max"))),
    ("a moved patient", pms(admission("C1", "P1", hours=90, department="Surgery"))),
    (
        "a cancelled test gives the result back",
        lis(lab_test("T1", "P3", "Urea", hours=55, status="Cancelled")),
    ),
    (
        "a late file changes the past: an attribute that nobody stated since",
        late(
            {"patient_id": "P2", "first_name": "Otto", "last_name": "Fuchs", "date_of_birth": ""}
            | {"gender": "male"},
            hours=1,
        ),
    ),
    ("a late admission", late(admission("C4", "P2", hours=85), hours=2)),
    ("the rejected result again, now it is settled", lis(lab_result("R8", "T2", "6", hours=1))),
    ("a file that cannot be read", lambda now: deliver_lines("Dear colleague,", at=now)),
    (
        "a combined test with its result",
        lambda now: deliver_lines(
            COMBINED,
            "T5,P3,Sodium,2025-03-18T09:00:00Z,140,Completed",
            source="lis-b",
            at=now,
        ),
    ),
    (
        "the combined result is taken back",
        lambda now: deliver_lines(
            COMBINED, "T5,P3,Sodium,2025-03-18T09:00:00Z,,Ordered", source="lis-b", at=now
        ),
    ),
    ("a discharge", pms(admission("C3", "P3", hours=70, **released(1)))),
    ("the discharge is withdrawn", pms(admission("C3", "P3", hours=70))),
    ("a case number of two patients", pms(admission("C1", "P2", hours=12))),
    ("a test is cancelled", lis(lab_test("T2", "P2", "Sodium", hours=59, status="Cancelled"))),
]


def told() -> dict[str, Any]:
    """Everything that screens and commands tell at the present of the question."""
    now = present()
    vision = vision_at(now)
    feeds = freshness_of_feeds(now)
    return {
        "overdue": [
            (
                one.patient_number,
                one.case_number,
                one.quiet,  # type: ignore[attr-defined]
                one.last_test,  # type: ignore[attr-defined]
                one.quiet_since,
                one.patient.name,  # type: ignore[union-attr]
                one.patient.last_test_name,  # type: ignore[union-attr]
                one.department and one.department.name,
                one.room,
                vision.judge(one.quiet, one.department_id),  # type: ignore[attr-defined]
            )
            for one in overdue_admissions(vision)
        ],
        "feeds": [(str(one.feed), one.freshness, one.newest_source_time) for one in feeds],
        "doubts": sorted(map(repr, doubts_at(now, feeds=feeds))),
        "waiting": waiting_counts(),
        "patients": sorted(Patient.objects.values_list("patient_id", "last_name", "gender")),
        "admissions": sorted(
            Admission.objects.values_list("case_number", "patient_number", "quiet_since", "pk")
        ),
        "results": sorted(LabResult.objects.values_list("pk", "lab_test", "waits_for", "value")),
        "files": sorted(FeedFile.objects.values_list("pk", "status", "feed", "rows", "reading")),
        "alerts": sorted(Alert.objects.values_list("admission", "status", "resolution")),
        "rejected": sorted(RejectedRow.objects.values_list("pk", "settled_at", "settlement")),
    }


@pytest.fixture
def history() -> list[tuple[datetime, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Every step at its own clock, and what was told right after it."""
    kept = []
    for at, (_, step) in enumerate(STEPS):
        now = NOON + timedelta(minutes=10 * at)
        with time_machine.travel(now, tick=False):
            step(now)
        with time_machine.travel(now + timedelta(minutes=5), tick=False):
            asked = timezone.now()
            overdue = run("overdue", "--at", asked.isoformat(), "--json").answer
            kept.append((asked, told(), overdue, books()))
    return kept


def test_every_moment_is_told_afterwards_as_it_was_told_then(
    history: list[tuple[datetime, dict[str, Any], dict[str, Any], dict[str, Any]]],
) -> None:
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        for at, then, overdue, closed in history:
            with known_at(at):
                assert told() == then
            asked = run("overdue", "--known-at", at.isoformat(), "--json").answer
            assert asked == {**overdue, "known_at": at.isoformat()}
            assert run("books", "--known-at", at.isoformat(), "--json").answer == {
                **closed,
                "known_at": at.isoformat(),
            }
