"""What the pages show of the record."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from ingestion.models import Department, FeedFile, LabResult, LabTest, Patient, Record
from ingestion.queries.realms import departments_of, patients_of
from ingestion.queries.worklists import case_number_conflicts, test_id_conflicts
from ingestion.synthetic import Realm


def department_names(realm: Realm = Realm.HOSPITAL) -> list[str]:
    """Name every department that any admission of a realm has mentioned."""
    departments = Department.objects.filter(departments_of(realm))
    return list(departments.values_list("name", flat=True))


def patient_by_key(key: uuid.UUID, *, realm: Realm = Realm.HOSPITAL) -> Patient | None:
    """Find a patient of a realm by the key that addresses carry."""
    return Patient.objects.filter(patients_of(realm, through="patient_id"), pk=key).first()


def lab_tests_of(
    patient: Patient, *, since: datetime | None, after: tuple[datetime, int] | None
) -> QuerySet[LabTest]:
    """Tests of a patient with their results, newest order first.

    `since` keeps a test that was ordered, or has a result performed, at that time or later: an
    older order must not hide its new result. A result that was taken back is none.
    """
    results = LabResult.objects.filter(is_taken_back=False)
    tests = LabTest.objects.filter(patient=patient)
    if since is not None:
        newly = results.filter(lab_test=OuterRef("pk"), performed_at__gte=since)
        tests = tests.filter(Q(ordered_at__gte=since) | Exists(newly))
    if after is not None:
        moment, key = after
        tests = tests.filter(Q(ordered_at__lt=moment) | Q(ordered_at=moment, pk__lt=key))
    shown = results.order_by("-performed_at", "-pk").defer("extra", "statements")
    return (
        tests.order_by("-ordered_at", "-pk")
        .defer("extra", "statements")
        .prefetch_related(Prefetch("results", queryset=shown))
    )


def files_behind(records: Iterable[Record]) -> dict[int, FeedFile]:
    """Give the files that said these records last, by key; of tests, also of their results."""
    found = list(records)
    results = [one for test in found if isinstance(test, LabTest) for one in test.results.all()]
    return FeedFile.objects.in_bulk({record.said_in_id for record in [*found, *results]})


def shared_test_ids(test_ids: Collection[str]) -> set[str]:
    """Which of these test ids are in conflict."""
    found = test_id_conflicts().filter(test_id__in=test_ids)
    return {str(row["test_id"]) for row in found}


def shared_case_numbers(case_numbers: Collection[str]) -> set[str]:
    """Which of these case numbers are in conflict."""
    found = case_number_conflicts().filter(case_number__in=case_numbers)
    return {str(row["case_number"]) for row in found}
