"""What operators work on: records that wait, and identifiers that several patients share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, Func, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce

from ingestion.choices import FileStatus, RecordKind, WaitReason
from ingestion.models import Admission, FeedFile, LabResult, LabTest, RejectedRow, WaitingRow
from ingestion.queries.realms import patients_of
from ingestion.synthetic import Realm


def test_id_conflicts() -> QuerySet[LabTest, dict[str, object]]:
    """Test ids under which tests of several patients are known, cancelled ones aside."""
    return _shared(LabTest.objects.filter(is_cancelled=False), "test_id")


def case_number_conflicts() -> QuerySet[Admission, dict[str, object]]:
    """Case numbers under which admissions of several patients are known."""
    return _shared(Admission.objects.all(), "case_number")


def _shared(records: QuerySet[Any], identity: str) -> QuerySet[Any, dict[str, object]]:
    shared: QuerySet[Any, dict[str, object]] = (
        records.values(identity)
        .annotate(patients=Count("patient_number", distinct=True))
        .filter(patients__gt=1)
        .order_by(identity)
    )
    return shared


def waiting_counts() -> dict[str, int]:
    """Count waiting records, once each; a combined row's result waits with its test, uncounted."""
    hospital = patients_of(Realm.HOSPITAL)
    return {
        "admissions": Admission.objects.filter(hospital, patient__isnull=True).count(),
        "lab_tests": LabTest.objects.filter(hospital, patient__isnull=True).count(),
        "lab_results": LabResult.objects.filter(
            lab_test__isnull=True, result_id__isnull=False
        ).count(),
    }


def refused_files() -> QuerySet[FeedFile]:
    """Refused files that nobody has dismissed, the newest first."""
    refused = FeedFile.objects.filter(status=FileStatus.REFUSED, dismissed_at__isnull=True)
    return refused.order_by("-pk")


def open_rejected_rows() -> QuerySet[RejectedRow]:
    """Rejected rows that are still work, the newest first."""
    rows = RejectedRow.objects.filter(settled_at__isnull=True)
    return rows.select_related("feed_file").order_by("-pk")


@dataclass(frozen=True)
class WaitingRecord:
    """One record that waits, in its latest version, and since when it is known to."""

    kind: RecordKind
    identity: tuple[str, ...]
    reason: WaitReason
    since: datetime
    said_in: FeedFile
    said_line: int


def waiting_records(*, limit: int) -> list[WaitingRecord]:
    """List the waiting records once each, the longest waiting first."""
    admissions = Admission.objects.filter(patient__isnull=True)
    tests = LabTest.objects.filter(patient__isnull=True)
    results = LabResult.objects.filter(lab_test__isnull=True, result_id__isnull=False)
    found = [
        *_waiting(admissions, RecordKind.ADMISSION, ("case_number", "patient_number"), limit),
        *_waiting(tests, RecordKind.LAB_TEST, ("test_id", "patient_number"), limit),
        *_waiting(results, RecordKind.LAB_RESULT, ("result_id",), limit),
    ]
    return sorted(found, key=lambda one: (one.since, one.kind, one.identity))[:limit]


def _waiting(
    records: QuerySet[Any], kind: RecordKind, identity: tuple[str, ...], limit: int
) -> list[WaitingRecord]:
    lines = WaitingRow.objects.filter(
        kind=kind, identity=_array_of(identity), applied_at__isnull=True
    ).order_by("waiting_since")
    # A result that lost its test to a conflict never had a waiting line: its file's end is known.
    since = Coalesce(Subquery(lines.values("waiting_since")[:1]), "said_in__finished_at")
    return [
        WaitingRecord(
            kind=kind,
            identity=tuple(getattr(one, name) for name in identity),
            reason=WaitReason(getattr(one, "waits_for", WaitReason.PATIENT)),
            since=one.since,
            said_in=one.said_in,
            said_line=one.said_line,
        )
        for one in records.annotate(since=since)
        .select_related("said_in")
        .defer("extra", "statements")
        .order_by("since")[:limit]
    ]


def _array_of(identity: tuple[str, ...]) -> Func:
    parts = (Cast(OuterRef(name), TextField()) for name in identity)
    return Func(*parts, template="ARRAY[%(expressions)s]", output_field=ArrayField(TextField()))


@dataclass(frozen=True)
class Conflict:
    """One identifier that several patients' records bear, and each of those records."""

    identifier: str
    sides: list[Any]
    waiting_results: int = 0


def conflicting_tests(*, limit: int) -> list[Conflict]:
    """List the test ids that several patients share, with each test and how many results wait."""
    shared = [str(row["test_id"]) for row in test_id_conflicts()[:limit]]
    waiting = LabResult.objects.filter(test_id__in=shared, waits_for=WaitReason.AMBIGUOUS_TEST)
    counted = dict(waiting.order_by().values_list("test_id").annotate(Count("pk")))
    sides = _sides(LabTest.objects.filter(test_id__in=shared, is_cancelled=False), "test_id")
    return [Conflict(key, sides[key], counted.get(key, 0)) for key in shared]


def conflicting_admissions(*, limit: int) -> list[Conflict]:
    """List the case numbers that several patients share, with each admission."""
    shared = [str(row["case_number"]) for row in case_number_conflicts()[:limit]]
    sides = _sides(Admission.objects.filter(case_number__in=shared), "case_number")
    return [Conflict(key, sides[key]) for key in shared]


def _sides(records: QuerySet[Any], name: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in records.select_related("patient", "said_in").order_by(name, "patient_number"):
        found.setdefault(getattr(one, name), []).append(one)
    return found
