"""Every version of a record: when it was true at the source, when it became known here, from where.

A record's row is its latest version; what it was before each change was put aside; and what came
late and changed nothing is on record too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from ingestion.choices import RecordKind
from ingestion.models import (
    Admission,
    Department,
    FeedFile,
    LabResult,
    LabTest,
    LateVersion,
    Patient,
    Record,
)
from ingestion.queries.past import columns_kept_of, history_of

# What a version is not about: where it came from, and what a record is known by.
_NOT_SAID = {"id", "extra", "statements", "said_in_id", "said_line", "said_at", "known_at"} | {
    "created_in_id",
    "created_line",
    "is_stated_release_confirmed",
}
_IDENTITIES: Mapping[type[Record], tuple[RecordKind, tuple[str, ...]]] = {
    Patient: (RecordKind.PATIENT, ("patient_id",)),
    Admission: (RecordKind.ADMISSION, ("case_number", "patient_number")),
    LabTest: (RecordKind.LAB_TEST, ("test_id", "patient_number")),
    LabResult: (RecordKind.LAB_RESULT, ("result_id",)),
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """One attribute that a version changed, as text."""

    attribute: str
    before: str | None
    now: str | None


@dataclass(frozen=True)
class Version:
    """One version of one record. A late one changed nothing; `stated` is what it said.

    `said_at` is when it was true at the source, `known_at` when it became known here.
    """

    kind: RecordKind
    identifier: str
    said_at: datetime | None
    known_at: datetime | None
    file: FeedFile | None
    line: int
    changes: list[Change] = field(default_factory=list)
    is_late: bool = False
    stated: dict[str, str | None] = field(default_factory=dict)


def versions_of(record: Record, *, limit: int) -> list[Version]:
    """List the versions of one record, the newest known first."""
    return _newest(_told([record], limit), limit)


def history_of_patient(patient: Patient, *, limit: int) -> list[Version]:
    """List the versions of a patient's records of every kind, the newest known first."""
    tests = list(LabTest.objects.filter(patient=patient))
    records: tuple[list[Any], ...] = (
        [patient],
        list(Admission.objects.filter(patient=patient)),
        tests,
        list(LabResult.objects.filter(lab_test__in=tests)),
    )
    found = [one for some in records if some for one in _told(some, limit)]
    return _newest(found, limit)


def identity_of(record: Record) -> tuple[RecordKind, tuple[str, ...]]:
    """Say what kind of record it is, and by what the source knows it."""
    kind, names = _IDENTITIES[type(record)]
    if isinstance(record, LabResult) and record.result_id is None:
        names = ("test_id", "patient_number")
    return kind, tuple(getattr(record, name) for name in names)


def _newest(versions: Iterable[Version], limit: int) -> list[Version]:
    def place(one: Version) -> tuple[datetime, datetime, int]:
        return (one.known_at or _LONG_AGO, one.said_at or _LONG_AGO, one.line)

    return sorted(versions, key=place, reverse=True)[:limit]


def _told(records: list[Any], limit: int) -> list[Version]:
    """Read the versions of some records of one kind: what they were, and what came late."""
    model = type(records[0])
    earlier: dict[Any, list[Any]] = {record.pk: [] for record in records}
    for row in _put_aside(model, earlier, limit):
        earlier[row.pgh_obj_id].append(row)
    late = _late(records, limit)
    rows = [*records, *(row for some in earlier.values() for row in some)]
    files = FeedFile.objects.in_bulk(
        {row.said_in_id for row in rows} | {one.feed_file_id for one in late}
    )
    names = _Names(rows)
    versions = [
        version
        for record in records
        for version in _changes(record, earlier[record.pk], limit, files, names)
    ]
    return versions + [_late_version(one, files, names) for one in late]


def _put_aside(model: type[Record], keys: Collection[Any], limit: int) -> Iterable[Any]:
    """Read of each record the latest that it was, and one more to compare with; newest first."""
    history: Any = history_of(model)
    newest_first = [F("known_at").desc(nulls_last=True), F("pgh_id").desc()]
    age = Window(RowNumber(), partition_by=F("pgh_obj"), order_by=newest_first)
    rows: Iterable[Any] = (
        history.objects.filter(pgh_obj__in=list(keys))
        .annotate(age=age)
        .filter(age__lte=limit)
        .order_by("pgh_obj", "age")
    )
    return rows


def _changes(
    record: Record,
    earlier: list[Any],
    limit: int,
    files: Mapping[int, FeedFile],
    names: _Names,
) -> Iterator[Version]:
    kind, identity = identity_of(record)
    chain: list[Any] = [record, *earlier]
    # The eldest version of all has nothing before it; the eldest that was read may have.
    before = [*chain[1:], None] if len(earlier) < limit else chain[1:]
    for now, then in zip(chain, before, strict=False):
        yield Version(
            kind=kind,
            identifier=identity[0],
            said_at=now.said_at,
            known_at=now.known_at,
            file=files.get(now.said_in_id),
            line=now.said_line,
            changes=_differing(names.said(type(record), now), names.said(type(record), then)),
        )


def _differing(now: dict[str, str | None], then: dict[str, str | None]) -> list[Change]:
    return [
        Change(name, then.get(name), now.get(name))
        for name in {**now, **then}
        if now.get(name) != then.get(name)
    ]


class _Names:
    """Writes what a version says as text: of what it points at, the name and not the key."""

    def __init__(self, rows: Iterable[Any]) -> None:
        found = list(rows)
        self._departments = dict(Department.objects.values_list("pk", "name"))
        tests = [row.lab_test_id for row in found if getattr(row, "lab_test_id", None)]
        self._tests = dict(LabTest.objects.filter(pk__in=tests).values_list("pk", "test_id"))

    def said(self, model: type[Record], row: Any) -> dict[str, str | None]:
        """Give each attribute of a version; of none, nothing."""
        if row is None:
            return {}
        _, identity = _IDENTITIES[model]
        said = {
            name.removesuffix("_id") if name in _POINTERS else name: self._text(model, row, name)
            for name in columns_kept_of(model)
            if name not in _NOT_SAID and name not in identity
        }
        return said | {name: _plain(value) for name, value in row.extra.items()}

    def _text(self, model: type[Record], row: Any, name: str) -> str | None:
        value = getattr(row, name)
        if value is None:
            return None
        if name == "department_id":
            return self.department(value)
        if name == "lab_test_id":
            return self._tests.get(value, str(value))
        if name == "patient_id" and model is not Patient:
            return str(row.patient_number)
        return _plain(value)

    def department(self, key: int) -> str:
        """Name a department."""
        return self._departments.get(key, str(key))


_POINTERS = ("department_id", "lab_test_id", "patient_id")


def _plain(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _late(records: list[Any], limit: int) -> list[LateVersion]:
    kinds = [identity_of(record) for record in records]
    spoken = Q(kind=kinds[0][0], identity__in=[list(identity) for _, identity in kinds])
    return list(LateVersion.objects.filter(spoken).order_by("-known_at", "-pk")[:limit])


def _late_version(one: LateVersion, files: Mapping[int, FeedFile], names: _Names) -> Version:
    file = files.get(one.feed_file_id)
    return Version(
        kind=RecordKind(one.kind),
        identifier=one.identity[0],
        said_at=file.source_time if file else None,
        known_at=one.known_at,
        file=file,
        line=one.line,
        is_late=True,
        stated={
            name.removeprefix("x:"): names.department(value)
            if name == "department" and isinstance(value, int)
            else _plain(value)
            for name, value in one.stated.items()
        },
    )
