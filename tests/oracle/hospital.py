"""The whole contract over a set of objects, recomputed from all that was ever said.

Keeps nothing between two questions but the objects, so that order of arrival cannot matter.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.judging import Context, Identity, Release, Statement, judge
from tests.oracle.layouts import HeaderRefused, Layout, layout_of
from tests.oracle.objects import Declaration, ExportObject
from tests.oracle.reading import NoHeader, Sheet, read_sheet
from tests.oracle.values import is_several_units

CLOCK_ERROR = timedelta(minutes=10)
Feed = tuple[str, str]
Rank = tuple[datetime, str, datetime, str, str, int]
PATIENT_TEXTS = (
    "first_name",
    "last_name",
    "gender",
    "primary_physician",
    "insurance_provider",
    "blood_type",
    "allergies",
)
RESULT_TEXTS = ("unit", "reference_range", "status", "reviewing_physician")


@dataclass
class FileReading:
    """What one file comes to by itself: refused with a reason, or its rows judged."""

    object: ExportObject
    layout: str | None = None
    refusal: str | None = None
    rows: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)
    flaws: list[tuple[int, str, str]] = field(default_factory=list)
    said: list[tuple[Rank, Statement]] = field(default_factory=list)


class Hospital:
    """Every object that the two systems ever sent, and what the contract makes of them."""

    def __init__(
        self,
        zone: str,
        *,
        thresholds: Mapping[str, float] | None = None,
        declarations: Mapping[Feed, Declaration] | None = None,
    ) -> None:
        self.zone = ZoneInfo(zone)
        self.thresholds = dict(thresholds or {})
        self.declarations = dict(declarations or {})
        self._objects: list[ExportObject] = []

    def ingest(self, objects: Iterable[ExportObject]) -> "Hospital":
        """Add objects, in any order, any of them any number of times."""
        self._objects.extend(objects)
        self.__dict__.pop("_record", None)
        self.__dict__.pop("files", None)
        return self

    @cached_property
    def files(self) -> list[FileReading]:
        """Every distinct file, in the order of which version wins."""
        readings = [self._read(each) for each in _distinct(self._objects)]
        return sorted(readings, key=lambda reading: _rank(reading.object, 0))

    def file(self, key: str) -> FileReading:
        """The one file under this key."""
        (reading,) = (each for each in self.files if each.object.key == key)
        return reading

    def books(self) -> dict[str, Any]:
        """What `manage.py books --json` says."""
        return _books(self.files, self._record)

    def record(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Every patient, admission, test and result, for a deep comparison."""
        record = self._record
        return {
            "patients": record.patients,
            "admissions": {"|".join(key): each for key, each in record.admissions.items()},
            "lab_tests": {"|".join(key): each for key, each in record.tests.items()},
            "lab_results": record.results,
        }

    def overdue(self, at: datetime, *, department: str | None = None) -> list[dict[str, Any]]:
        """The `patients` of `manage.py overdue --at`, longest without a test first."""
        state = "cannot_know" if self.silent_lab_feeds(at) else "due"
        found = [
            item | {"state": state}
            for key, admission in self._record.admissions.items()
            for item in self._overdue(key, admission, at)
            if department is None or item["department"] == department
        ]
        return sorted(
            found,
            key=lambda item: (
                -item["hours_without_test"],
                item["patient_id"],
                item["case_number"],
            ),
        )

    def silent_lab_feeds(self, at: datetime) -> list[Feed]:
        """The LIS feeds that ever delivered, are not retired and were silent at this instant."""
        spoken: dict[Feed, list[datetime]] = defaultdict(list)
        for reading in self.files:
            if reading.layout and not reading.refusal and reading.layout.startswith("lis."):
                feed = (reading.layout, reading.object.source)
                spoken[feed].append(reading.object.source_time)
        return sorted(feed for feed, times in spoken.items() if self._is_silent(feed, times, at))

    def _is_silent(self, feed: Feed, times: list[datetime], at: datetime) -> bool:
        declared = self.declarations.get(feed, Declaration())
        heard = [time for time in times if time <= at]
        return not declared.is_retired and (not heard or at - max(heard) > declared.interval)

    def _overdue(
        self, key: Identity, admission: dict[str, Any], at: datetime
    ) -> Iterable[dict[str, Any]]:
        case_number, patient_id = key
        admitted_at = datetime.fromisoformat(admission["admitted_at"])
        if admission["waiting"] or admission["released_at"] or admitted_at > at:
            return
        tested_at = [time for time in self._record.test_times(patient_id) if time <= at]
        last_test_at = max(tested_at, default=None)
        hours = (at - max([admitted_at, *tested_at])) / timedelta(hours=1)
        if hours > self.thresholds.get(admission["department"], 48):
            yield {
                "patient_id": patient_id,
                "case_number": case_number,
                "name": _full_name(self._record.patients[patient_id]),
                "department": admission["department"],
                "room": admission["room"],
                "admitted_at": admission["admitted_at"],
                "last_test_at": _iso(last_test_at),
                "hours_without_test": hours,
            }

    @cached_property
    def _record(self) -> "_Record":
        said = [each for reading in self.files for each in reading.said]
        return _Record(said)

    def _read(self, each: ExportObject) -> FileReading:
        reading = FileReading(each)
        try:
            sheet, layout = self._sheet(each)
        except NoHeader:
            reading.refusal = "no_header"
        except HeaderRefused as refused:
            reading.refusal = str(refused)
        else:
            reading.layout = layout.name
            if each.source_time > each.received_at + CLOCK_ERROR:
                reading.refusal = "source_time_in_the_future"
            else:
                self._judge(reading, sheet, layout)
        return reading

    def _sheet(self, each: ExportObject) -> tuple[Sheet, Layout]:
        """Read with a declared encoding only what belongs to the feed that declares it."""
        for (layout_name, source), declared in self.declarations.items():
            if source == each.source and declared.encoding:
                try:
                    sheet = read_sheet(each.content, encoding=declared.encoding)
                    layout = layout_of(sheet.columns)
                except (NoHeader, HeaderRefused):
                    continue
                if layout.name == layout_name:
                    return sheet, layout
        sheet = read_sheet(each.content)
        return sheet, layout_of(sheet.columns)

    def _judge(self, reading: FileReading, sheet: Sheet, layout: Layout) -> None:
        declared = self.declarations.get((layout.name, reading.object.source), Declaration())
        context = Context(layout, reading.object.source_time, self.zone, declared.is_day_first)
        for row in sheet.rows:
            reading.rows += 1
            if row.fault:
                reading.rejected.append((row.line, row.fault))
                continue
            verdict = judge(dict(zip(sheet.columns, row.fields, strict=True)), context)
            if verdict.rejection:
                reading.rejected.append((row.line, verdict.rejection.reason))
            for flaw in verdict.flaws:
                reading.flaws.append((row.line, flaw.column, flaw.reason))
            rank = _rank(reading.object, row.line)
            reading.said += [(rank, statement) for statement in verdict.statements]


class _Record:
    """All statements merged, parents found, conflicts told."""

    def __init__(self, said: list[tuple[Rank, Statement]]) -> None:
        merged: dict[str, dict[Identity, dict[str, Any]]] = defaultdict(dict)
        for _, statement in sorted(said, key=lambda each: each[0]):
            merged[statement.kind].setdefault(statement.identity, {}).update(statement.attributes)
        self.patients = {key[0]: _patient(each) for key, each in merged["patient"].items()}
        self.admissions = {
            key: _admission(each, waiting=key[1] not in self.patients)
            for key, each in merged["admission"].items()
        }
        self.tests = {
            key: _test(each, waiting=key[1] not in self.patients)
            for key, each in merged["test"].items()
        }
        self.results = {
            f"r:{key[0]}": _result(each, *self._parent(each))
            for key, each in merged["result"].items()
        } | {
            f"t:{'|'.join(key)}": _result(each, *self._exactly(key))
            for key, each in merged["combined_result"].items()
            if each["value"] is not None
        }

    def test_times(self, patient_id: str) -> list[datetime]:
        """All order and performed times of the patient's tests that count."""
        counting = {
            "|".join(key): test["ordered_at"]
            for key, test in self.tests.items()
            if key[1] == patient_id and not test["waiting"] and not test["is_cancelled"]
        }
        performed = [
            result["performed_at"]
            for result in self.results.values()
            if result["attached_to"] in counting and not result["is_withdrawn"]
        ]
        return [datetime.fromisoformat(time) for time in [*counting.values(), *performed]]

    def contested_test_ids(self) -> set[str]:
        """The test ids under which tests of several patients are known, cancelled ones aside."""
        active = Counter(key[0] for key, test in self.tests.items() if not test["is_cancelled"])
        return {test_id for test_id, patients in active.items() if patients > 1}

    def contested_case_numbers(self) -> set[str]:
        """The case numbers under which admissions of several patients are known."""
        known = Counter(case_number for case_number, _ in self.admissions)
        return {case_number for case_number, patients in known.items() if patients > 1}

    def _parent(self, result: dict[str, Any]) -> tuple[str | None, Identity | None]:
        """What a result waits for, or the test that it belongs to."""
        if "patient_id" in result:
            return self._exactly((result["test_id"], result["patient_id"]))
        known = [key for key in self.tests if key[0] == result["test_id"]]
        active = [key for key in known if not self.tests[key]["is_cancelled"]]
        candidates = active or known
        if len(candidates) > 1:
            return "ambiguous_test", None
        return self._exactly(candidates[0]) if candidates else ("test", None)

    def _exactly(self, key: Identity) -> tuple[str | None, Identity | None]:
        if key in self.tests and not self.tests[key]["waiting"]:
            return None, key
        return "test", None


def _books(files: list[FileReading], record: _Record) -> dict[str, Any]:
    ingested = [reading for reading in files if not reading.refusal]
    admissions = [each for each in record.admissions.values() if not each["waiting"]]
    return {
        "patients": len(record.patients),
        "admissions": len(admissions),
        "open_admissions": sum(not each["released_at"] for each in admissions),
        "lab_tests": sum(not each["waiting"] for each in record.tests.values()),
        "lab_results": sum(not each["waiting"] for each in record.results.values()),
        "waiting": {
            "admissions": sum(each["waiting"] for each in record.admissions.values()),
            "lab_tests": sum(each["waiting"] for each in record.tests.values()),
            # A waiting combined row counts as one waiting test, so its result is not counted.
            "lab_results": sum(
                bool(each["waiting"]) and key.startswith("r:")
                for key, each in record.results.items()
            ),
        },
        "identity_conflicts": {
            "test_ids": len(record.contested_test_ids()),
            "case_numbers": len(record.contested_case_numbers()),
        },
        "rejected": dict(Counter(reason for each in files for _, reason in each.rejected)),
        "dismissed": {},  # by operators, of whom no export tells
        "flaws": dict(Counter(reason for each in files for *_, reason in each.flaws)),
        "files": {"ingested": len(ingested), "refused": len(files) - len(ingested)},
        "balanced": True,
    }


def _distinct(objects: Iterable[ExportObject]) -> list[ExportObject]:
    """Drop second notices; the same content as of another time is a new statement."""
    return list(
        {
            (each.bucket, each.key, each.version, each.source_time): each
            for each in sorted(objects, key=lambda x: x.received_at, reverse=True)
        }.values()
    )


def _rank(each: ExportObject, line: int) -> Rank:
    """Which version wins. The bucket only settles a tie that the contract leaves open."""
    time = each.source_time
    return (time, each.key, each.last_modified, each.version, each.bucket, line)


def _patient(said: dict[str, Any]) -> dict[str, Any]:
    born = said["date_of_birth"]
    return {name: said.get(name) for name in PATIENT_TEXTS} | {
        "date_of_birth": born.isoformat() if born else None,
        "extra": _extra(said),
    }


def _admission(said: dict[str, Any], *, waiting: bool) -> dict[str, Any]:
    release: Release | None = said.get("release")
    if release and release.at < said["admitted_at"]:
        release = None  # it counts as missing also when two rows together say so
    return {
        "waiting": waiting,
        "admitted_at": _iso(said["admitted_at"]),
        "released_at": _iso(release.at) if release and release.is_confirmed else None,
        "planned_release_at": _iso(release.at) if release and not release.is_confirmed else None,
        "department": said.get("department"),
        "room": said.get("room"),
        "extra": _extra(said),
    }


def _test(said: dict[str, Any], *, waiting: bool) -> dict[str, Any]:
    return {
        "waiting": waiting,
        "name": said["name"],
        "ordered_at": _iso(said["ordered_at"]),
        "ordering_physician": said.get("ordering_physician"),
        "case_number": said.get("case_number"),
        "lab_location": said.get("lab_location"),
        "status": said.get("status"),
        "is_cancelled": said.get("is_cancelled", False),
        "extra": _extra(said),
    }


def _result(
    said: dict[str, Any], waiting: str | None, attached_to: Identity | None
) -> dict[str, Any]:
    value = said["value"]
    return {name: said.get(name) for name in RESULT_TEXTS} | {
        "waiting": waiting,
        "attached_to": "|".join(attached_to) if attached_to else None,
        "performed_at": _iso(said["performed_at"]),
        "value": value.text if value else None,
        "number": value.number if value else None,
        "comparator": value.comparator if value else None,
        "unit_is_ambiguous": is_several_units(said.get("unit") or ""),
        "is_withdrawn": said.get("is_cancelled", False),
        "extra": _extra(said),
    }


def _extra(said: dict[str, Any]) -> dict[str, str]:
    """Extra data that the latest version of each column states; what is missing is left out."""
    return {
        name.removeprefix("extra:"): text
        for name, text in said.items()
        if name.startswith("extra:") and text is not None
    }


def _full_name(patient: dict[str, Any]) -> str:
    return " ".join(part for part in (patient["first_name"], patient["last_name"]) if part)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
