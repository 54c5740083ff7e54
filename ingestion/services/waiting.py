"""Linking children to parents, whichever came first.

Knows when an admission or a test belongs to a patient and when a result belongs to a test.
Identity is never guessed: a result that names only a reused test_id belongs to nobody.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from psycopg2.extras import execute_values

from ingestion.choices import RecordKind, WaitReason
from ingestion.models import Admission, LabResult, LabTest, WaitingRow


class Candidate(NamedTuple):
    """A test that a result may belong to. `patient` is None while the test itself waits."""

    key: int
    patient_number: str
    patient: uuid.UUID | None
    is_cancelled: bool


class Belonging(NamedTuple):
    """Where a result belongs: its test, or why it waits. Exactly one of the two is None."""

    test: Candidate | None
    waits_for: WaitReason | None


def belonging_of(patient_number: str | None, candidates: Collection[Candidate]) -> Belonging:
    """Decide which of the tests with its test_id a result belongs to.

    A result that names its patient waits for that patient's test alone. Another belongs to the
    one test that is not cancelled; where there is none, to the one cancelled; where several
    patients' tests share the id, to nobody.
    """
    if patient_number is not None:
        fitting = [test for test in candidates if test.patient_number == patient_number]
    else:
        fitting = [test for test in candidates if not test.is_cancelled] or list(candidates)
    if len(fitting) > 1:
        return Belonging(None, WaitReason.AMBIGUOUS_TEST)
    if not fitting or fitting[0].patient is None:
        return Belonging(None, WaitReason.TEST)
    return Belonging(fitting[0], None)


def _rows(query: str, wanted: list[Any]) -> list[tuple[Any, ...]]:
    """Ask for many keys at once, as one array: the ORM's IN costs more than the query itself."""
    with connection.cursor() as cursor:
        cursor.execute(query, [wanted])
        return list(cursor.fetchall())


def patients_known(patient_numbers: Iterable[str]) -> dict[str, uuid.UUID]:
    """Give the keys of those patients that are on record."""
    return dict(
        _rows(
            "SELECT patient_id, id FROM ingestion_patient WHERE patient_id = ANY(%s)",
            sorted(set(patient_numbers)),
        )
    )


def candidates_for(test_ids: Iterable[str]) -> dict[str, list[Candidate]]:
    """Give all tests with these ids, of whichever patient, waiting ones too."""
    found: dict[str, list[Candidate]] = defaultdict(list)
    rows = _rows(
        "SELECT test_id, id, patient_number, patient_id, is_cancelled FROM ingestion_labtest"
        " WHERE test_id = ANY(%s)",
        sorted(set(test_ids)),
    )
    for test_id, key, patient_number, patient, is_cancelled in rows:
        found[test_id].append(Candidate(key, patient_number, patient, is_cancelled))
    return found


def patients_of(tests: Collection[int]) -> set[uuid.UUID]:
    """Give the patients of these tests."""
    if not tests:
        return set()
    rows = _rows(
        "SELECT DISTINCT patient_id FROM ingestion_labtest"
        " WHERE id = ANY(%s) AND patient_id IS NOT NULL",
        list(tests),
    )
    return {patient for (patient,) in rows}


class Linked(NamedTuple):
    """The identities of the admissions and tests whose patient has come."""

    admissions: list[tuple[str, ...]]
    tests: list[tuple[str, ...]]


class Attached(NamedTuple):
    """The patients who gained or lost a result, and the results that found their test."""

    patients: set[uuid.UUID]
    results: list[tuple[str, ...]]


def link_children(patients: Mapping[str, uuid.UUID], *, now: datetime) -> Linked:
    """Link the admissions and tests that waited for these new patients."""
    if not patients:
        return Linked([], [])
    admissions = _link(Admission, ("case_number", "patient_number"), patients, now)
    tests = _link(LabTest, ("test_id", "patient_number"), patients, now)
    mark_applied(RecordKind.ADMISSION, admissions, now=now)
    mark_applied(RecordKind.LAB_TEST, tests, now=now)
    return Linked(admissions, tests)


def _link(
    model: type[Admission] | type[LabTest],
    identity: tuple[str, str],
    patients: Mapping[str, uuid.UUID],
    now: datetime,
) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {model._meta.db_table} t SET patient_id = parent.id,"
            " known_at = greatest(t.known_at, %s)"
            " FROM unnest(%s::text[], %s::uuid[]) AS parent(number, id)"
            " WHERE t.patient_number = parent.number AND t.patient_id IS NULL"
            f" RETURNING t.{identity[0]}, t.{identity[1]}",
            [now, list(patients), [str(key) for key in patients.values()]],
        )
        return list(cursor.fetchall())


def attach_results(test_ids: Collection[str], *, now: datetime) -> Attached:
    """Decide anew where the results with these test_ids belong.

    A second test with the same id detaches what was attached to the first.
    """
    results = _rows(
        "SELECT id, result_id, test_id, patient_number, lab_test_id, waits_for"
        " FROM ingestion_labresult WHERE test_id = ANY(%s)",
        sorted(test_ids),
    )
    candidates = candidates_for(result[2] for result in results) if results else {}
    patient_of = {test.key: test.patient for tests in candidates.values() for test in tests}
    moved: list[tuple[int, int | None, WaitReason | None]] = []
    found: list[tuple[str, ...]] = []
    patients: set[uuid.UUID] = set()
    for key, result_id, test_id, patient_number, test, waits_for in results:
        belonging = belonging_of(patient_number, candidates.get(test_id, ()))
        new_test = belonging.test.key if belonging.test else None
        # A test that was linked or cancelled touches its patient even where nothing moves.
        patients.update(filter(None, map(patient_of.get, filter(None, (test, new_test)))))
        if (new_test, belonging.waits_for) == (test, waits_for):
            continue
        moved.append((key, new_test, belonging.waits_for))
        if new_test is not None:
            found.append((result_id,) if result_id else (test_id, str(patient_number)))
    _move(moved, now)
    mark_applied(RecordKind.LAB_RESULT, found, now=now)
    return Attached(patients, found)


def _move(moved: list[tuple[int, int | None, WaitReason | None]], now: datetime) -> None:
    if moved:
        with connection.cursor() as cursor:
            execute_values(
                cursor.cursor,
                f"UPDATE {LabResult._meta.db_table} r SET lab_test_id = new.test::bigint,"
                " waits_for = new.waits_for, known_at = greatest(r.known_at, new.at)"
                " FROM (VALUES %s) AS new(id, test, waits_for, at) WHERE r.id = new.id",
                [(key, test, str(reason) if reason else None, now) for key, test, reason in moved],
                template="(%s, %s::bigint, %s::text, %s::timestamptz)",
            )


def mark_applied(
    kind: RecordKind, identities: Collection[tuple[str, ...]], *, now: datetime
) -> None:
    """Say on the waiting lines of these records that they have been applied."""
    if not identities:
        return
    with connection.cursor() as cursor:
        execute_values(
            cursor.cursor,
            f"UPDATE {WaitingRow._meta.db_table} w SET applied_at = new.at"
            " FROM (VALUES %s) AS new(kind, identity, at)"
            " WHERE w.kind = new.kind AND w.identity = new.identity AND w.applied_at IS NULL",
            [(str(kind), list(identity), now) for identity in identities],
            template="(%s, %s::text[], %s::timestamptz)",
        )
