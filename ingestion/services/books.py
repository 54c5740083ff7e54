"""The books: what is on record, what waits, what was rejected, and whether it all adds up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, QuerySet

from ingestion import queries
from ingestion.choices import FileStatus, Settlement
from ingestion.models import (
    Admission,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    Patient,
    RejectedRow,
)
from ingestion.queries import past
from ingestion.queries.realms import patients_of
from ingestion.services.balance import unbalanced_files, unbalanced_ledgers
from ingestion.synthetic import Realm
from ops.queries.status import last_run
from ops.registry import Health
from ops.services.incidents import open_incident
from ops.services.sampling import note_run

__all__ = ["balance_if_due", "books", "unbalanced_files"]

# The name of the run under which the result is kept.
BALANCE = "books"


def books(*, known_at: datetime | None = None) -> dict[str, Any]:
    """Close the books: counts of everything, and whether they balance.

    Of a file that was read several times the latest reading counts. Smoke patients are among those
    whose rows must balance, and are not counted. With `known_at` every figure is
    as it was then, and `balanced` says whether the ledgers that stood then add up.
    """
    if known_at is None:
        return {**_figures(), "balanced": not unbalanced_files()}
    with past.known_at(known_at):
        return {
            "known_at": known_at.isoformat(),
            **_figures(),
            "balanced": not unbalanced_ledgers(),
        }


def _figures() -> dict[str, Any]:
    rejected = RejectedRow.objects.filter(reading=F("feed_file__reading"))
    hospital = patients_of(Realm.HOSPITAL)
    admissions = Admission.objects.filter(hospital, patient__isnull=False)
    results = LabResult.objects.filter(lab_test__isnull=False, is_taken_back=False)
    return {
        "patients": Patient.objects.filter(
            patients_of(Realm.HOSPITAL, through="patient_id")
        ).count(),
        "admissions": admissions.count(),
        "open_admissions": admissions.filter(released_at__isnull=True).count(),
        "lab_tests": LabTest.objects.filter(hospital, patient__isnull=False).count(),
        "lab_results": results.filter(
            patients_of(Realm.HOSPITAL, through="lab_test__patient_number")
        ).count(),
        "waiting": queries.waiting_counts(),
        "identity_conflicts": {
            "test_ids": queries.test_id_conflicts().count(),
            "case_numbers": queries.case_number_conflicts().count(),
        },
        "rejected": _by_reason(rejected),
        "dismissed": _by_reason(rejected.filter(settlement=Settlement.DISMISSED)),
        "flaws": _by_reason(Flaw.objects.filter(reading=F("feed_file__reading"))),
        "files": {
            "ingested": FeedFile.objects.filter(status=FileStatus.INGESTED).count(),
            "refused": FeedFile.objects.filter(status=FileStatus.REFUSED).count(),
        },
    }


def _by_reason(rows: QuerySet[Any]) -> dict[str, int]:
    counted = rows.order_by("reason").values("reason").annotate(n=Count("pk"))
    return {row["reason"]: row["n"] for row in counted}


def balance_if_due(at: datetime) -> bool:
    """Hold every row against the books, if that was long ago, and keep what came of it.

    Returns whether it was done. Dear: it reads every row there is.
    """
    last = last_run(BALANCE)
    if last is not None and at - last.at < timedelta(hours=settings.BALANCE_HOURS):
        return False
    unbalanced = len(unbalanced_files())
    figures = {"books_balanced": float(not unbalanced), "files_not_balanced": float(unbalanced)}
    if not unbalanced:
        note_run(BALANCE, at=at, health=Health.WELL, words="They balance.", figures=figures)
        return True
    words = f"They do NOT balance, in {unbalanced} files: stop ingesting, keep the data, report it."
    note_run(BALANCE, at=at, health=Health.DOWN, words=words, figures=figures)
    open_incident(component="books", title="The books do not balance", words=words)
    return True
