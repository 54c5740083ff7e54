"""Every version of a record can be told, and every row of a file can be found again."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from ingestion.models import (
    Admission,
    ColumnSet,
    FeedFile,
    LabResult,
    LabTest,
    LateVersion,
    Patient,
    RejectedRow,
)
from ingestion.queries import Change, Version, history_of_patient, versions_of
from tests.api.schema import assert_answers
from tests.deliveries import NOON, admission, deliver, lab_result, lab_test, order, patient
from tests.ingestion.terminal import run

pytestmark = [pytest.mark.django_db]


def brief(versions: list[Version]) -> list[tuple[object, ...]]:
    return [
        (
            one.known_at and (one.known_at - NOON).total_seconds() / 60,
            one.file and one.file.key,
            one.line,
            {each.attribute: (each.before, each.now) for each in one.changes},
        )
        for one in versions
    ]


def came_late(kind: str, identity: list[str], **stated: object) -> LateVersion:
    return LateVersion.objects.create(
        kind=kind,
        identity=identity,
        feed_file=FeedFile.objects.earliest("pk"),
        line=7,
        column_set=ColumnSet.objects.filter(kind=kind).latest("pk"),
        outcome="superseded",
        stated=stated,
        known_at=NOON + timedelta(minutes=3),
    )


def test_versions_come_newest_known_first_each_with_what_it_changed(
    at_noon: time_machine.Traveller,
) -> None:
    first = deliver(patient("P1", shoe="38"), at=NOON - timedelta(hours=1))
    at_noon.shift(timedelta(minutes=5))
    second = deliver(patient("P1", "Green, Emma", shoe="39"))
    at_noon.shift(timedelta(minutes=5))
    third = deliver({"patient_id": "P1", **_names("Green"), "gender": "F"})

    versions = versions_of(Patient.objects.get(), limit=10)

    assert brief(versions) == [
        (10, third, 2, {"date_of_birth": ("1990-01-31", None), "gender": (None, "F")}),
        (5, second, 2, {"last_name": ("Brown", "Green"), "shoe": ("38", "39")}),
        (
            0,
            first,
            2,
            {
                "first_name": (None, "Emma"),
                "last_name": (None, "Brown"),
                "date_of_birth": (None, "1990-01-31"),
                "shoe": (None, "38"),
            },
        ),
    ]
    assert [one.said_at for one in versions] == [NOON, NOON, NOON - timedelta(hours=1)]
    assert brief(versions_of(Patient.objects.get(), limit=2)) == brief(versions)[:2]
    assert brief(versions_of(Patient.objects.get(), limit=1)) == brief(versions)[:1]


def _names(last: str) -> dict[str, str]:
    return {"first_name": "Emma", "last_name": last, "date_of_birth": ""}


def test_a_late_version_is_told_among_the_others_and_changed_nothing(
    at_noon: time_machine.Traveller,
) -> None:
    key = deliver(patient("P1"))
    deliver(admission("C1", "P1", hours=9, department="ICU"))
    at_noon.shift(timedelta(minutes=5))
    deliver(admission("C1", "P1", hours=9, department="Surgery"))
    icu = Admission.objects.get().department_id
    came_late("admission", ["C1", "P1"], room="7", department=icu and icu - 1, **{"x:shoe": None})
    came_late("admission", ["C1", "P2"], room="8")

    moved, late, begun = versions_of(Admission.objects.get(), limit=10)

    assert moved.changes == [Change("department", "ICU", "Surgery")]
    assert (late.is_late, late.changes, late.line) == (True, [], 7)
    assert late.file is not None
    assert (late.file.key, late.said_at) == (key, NOON)
    assert late.stated == {"room": "7", "department": "ICU", "shoe": None}
    assert (begun.is_late, begun.stated) == (False, {})


def test_what_a_record_belongs_to_is_part_of_its_history(at_noon: time_machine.Traveller) -> None:
    deliver(lab_test("T1", "P1", "Sodium", hours=3), source="lis")
    deliver(lab_result("R1", "T1", "5", hours=2), source="lis")
    at_noon.shift(timedelta(minutes=5))
    deliver(patient("P1"))
    at_noon.shift(timedelta(minutes=5))
    deliver(lab_test("T1", "P2", "Sodium", hours=3), source="lis")

    test = versions_of(LabTest.objects.get(patient_number="P1"), limit=10)
    result = versions_of(LabResult.objects.get(), limit=10)

    assert [one.changes for one in test[:1]] == [[Change("patient", None, "P1")]]
    assert [one.changes for one in result[:2]] == [
        [Change("lab_test", "T1", None), Change("waits_for", None, "ambiguous_test")],
        [Change("lab_test", None, "T1"), Change("waits_for", "test", None)],
    ]


def test_a_patients_history_holds_every_kind_of_record_in_the_order_in_which_it_became_known(
    physician: Client, at_noon: time_machine.Traveller
) -> None:
    keys = [deliver(patient("P1")), deliver(patient("P2"))]
    at_noon.shift(timedelta(minutes=1))
    keys.append(deliver(admission("C1", "P1", hours=9)))
    at_noon.shift(timedelta(minutes=1))
    keys.append(deliver(lab_test("T1", "P1", "Sodium", hours=3), source="lis"))
    at_noon.shift(timedelta(minutes=1))
    keys.append(deliver(lab_result("R1", "T1", "5", hours=2), source="lis"))
    someone = Patient.objects.get(patient_id="P1")

    address = f"/api/v1/patients/{someone.pk}/history/"
    body = physician.get(address).json()
    short = physician.get(address, {"limit": "2"}).json()

    assert_answers("/api/v1/patients/{id}/history/", body)
    assert [(one["kind"], one["identifier"], one["file"]) for one in body["results"]] == [
        ("lab_result", "R1", keys[4]),
        ("lab_test", "T1", keys[3]),
        ("admission", "C1", keys[2]),
        ("patient", "P1", keys[0]),
    ]
    assert body["results"][2]["changes"][0] == {
        "attribute": "patient",
        "before": None,
        "now": "P1",
    }
    assert body["results"][2]["known_at"] == "2025-03-20T12:01:00Z"
    assert (body["has_more"], short["has_more"]) == (False, True)
    assert short["results"] == body["results"][:2]
    assert len(history_of_patient(someone, limit=9)) == 4


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_limit_out_of_bounds_is_refused(physician: Client, at_noon: object, limit: str) -> None:
    deliver(patient("P1"))
    address = f"/api/v1/patients/{Patient.objects.get().pk}/history/"
    assert physician.get(address, {"limit": limit}).status_code == 400


def test_operators_see_the_versions_on_the_page_of_each_record(
    operator: Client, at_noon: time_machine.Traveller
) -> None:
    deliver(patient("P1", "<b>Brown</b>, Emma"))
    deliver(admission("C1", "P1", hours=3))
    order("T1", "P1", "Sodium", hours=3)
    deliver(lab_result("R1", "T1", "5", hours=2), source="lis")
    came_late("patient", ["P1"], gender="F")

    for model, said in (
        (Patient, "last_name: – → &lt;b&gt;Brown&lt;/b&gt;"),
        (Patient, "Came late and changed nothing; it said gender: F"),
        (Admission, "admitted_at: – → 2025-03-20T09:00:00+00:00"),
        (LabTest, "name: – → Sodium"),
        (LabResult, "lab_test: – → T1"),
    ):
        name = f"admin:ingestion_{model._meta.model_name}_change"
        answer = operator.get(reverse(name, args=[model.objects.get().pk]))
        assert answer.status_code == 200
        assert said in answer.content.decode(), model


def test_operators_see_how_fresh_each_feed_is(
    operator: Client, at_noon: time_machine.Traveller
) -> None:
    deliver(patient("P1"))
    order("T1", "P1", "Sodium", hours=3, at=NOON - timedelta(minutes=13))
    at_noon.shift(timedelta(minutes=1))
    deliver(admission("C1", "P1", hours=3), source="other", at=NOON - timedelta(minutes=15))

    page = operator.get(reverse("admin:ingestion_feed_changelist")).content.decode()

    cells = [
        page.split(f'field-freshness">{word}')[0].count("field-freshness")
        for word in ("late", "silent", "fresh")
    ]
    assert cells == [0, 1, 2]
    times = [cell.split("<")[0][-23:] for cell in page.split("newest_source_time")[-3:]]
    assert times == [
        "2025-03-20 12:47:00 CET",
        "2025-03-20 12:45:00 CET",
        "2025-03-20 13:00:00 CET",
    ]


# --- Where one row is ---------------------------------------------------------------------


def test_a_row_says_which_record_it_began_and_who_has_spoken_of_it_since(
    at_noon: time_machine.Traveller,
) -> None:
    first = deliver(patient("P1"))
    second = deliver(patient("P1", "Green, Emma"), at=NOON + timedelta(minutes=1))
    files = dict(FeedFile.objects.values_list("key", "pk"))
    record = {
        "kind": "patient",
        "identity": ["P1"],
        "said_in": files[second],
        "said_line": 2,
        "said_at": "2025-03-20T12:01:00+00:00",
        "known_at": "2025-03-20T12:00:00+00:00",
    }

    assert run("row", first, 2, "--json").answer == {
        "file": {
            "id": files[first],
            "key": first,
            "feed": "pms.patients · pms",
            "status": "ingested",
            "source_time": "2025-03-20T12:00:00+00:00",
        },
        "line": 2,
        "reading": 1,
        "column": "created",
        "records": [{**record, "began_here": True, "is_latest": False}],
        "waiting": [],
        "rejected": None,
        "flaws": [],
        "late": [],
    }
    told = run("row", second, 2, "--json").answer
    assert told["column"] == "updated"
    assert told["records"] == [{**record, "began_here": False, "is_latest": True}]
    assert run("row", files[first], 2).out == (
        f"{first} (file {files[first]}), line 2: created\n"
        f"  patient P1: began here; said since by file {files[second]}, line 2\n"
    )


def test_a_row_that_was_overtaken_before_still_knows_its_record(
    at_noon: time_machine.Traveller,
) -> None:
    keys = [
        deliver(patient("P1", name), at=NOON + timedelta(minutes=at))
        for at, name in enumerate(("Brown, Emma", "Green, Emma", "Grey, Emma"))
    ]
    (found,) = run("row", keys[1], 2, "--json").answer["records"]
    assert (found["identity"], found["began_here"], found["is_latest"]) == (["P1"], False, False)


def test_a_rejected_row_says_why_and_shows_its_text_only_when_asked(at_noon: object) -> None:
    key = deliver(patient("P1", date_of_birth="soon"), patient("", "Nobody, Nora"))
    RejectedRow.objects.update(
        settlement="dismissed", settled_at=NOON, settled_by="operator", settled_why="a test"
    )

    plain, raw = run("row", key, 3), run("row", key, 3, "--raw")
    flawed, flawed_raw = run("row", key, 2), run("row", key, 2, "--raw")

    assert plain.out.splitlines()[1:] == [
        "  rejected: missing in patient_id; dismissed at 2025-03-20T12:00:00+00:00"
    ]
    assert "Nora" in raw.out
    assert "  flaw in date_of_birth: bad_date\n" in flawed.out
    assert "soon" not in flawed.out
    assert "  flaw in date_of_birth: bad_date: soon\n" in flawed_raw.out


def test_a_row_that_waits_says_for_what_and_since_when(at_noon: time_machine.Traveller) -> None:
    key = deliver(admission("C1", "P1", hours=3))
    assert run("row", key, 2).out.splitlines() == [
        f"{key} (file {FeedFile.objects.get().pk}), line 2: waiting",
        "  admission C1 of patient P1: began here; this is still its latest statement",
        "  waits for its parent (patient) since 2025-03-20T12:00:00+00:00: still waiting",
    ]
    at_noon.shift(60)
    deliver(patient("P1"))
    assert run("row", key, 2).out.splitlines()[2] == (
        "  waits for its parent (patient) since 2025-03-20T12:00:00+00:00:"
        " applied at 2025-03-20T12:01:00+00:00"
    )


def test_a_late_row_says_that_it_changed_nothing(at_noon: object) -> None:
    key = deliver(patient("P1"))
    came_late("patient", ["P1"], gender="F")
    told = run("row", key, 7)
    assert told.out.splitlines() == [
        f"{key} (file {FeedFile.objects.get().pk}), line 7: in no column of its ledger",
        "  came late, at 2025-03-20T12:03:00+00:00, and changed nothing: patient",
    ]


def test_a_file_that_is_not_on_record_or_not_told_apart_is_refused(at_noon: object) -> None:
    key = deliver(patient("P1"))
    file = FeedFile.objects.get()
    other = FeedFile.objects.create(
        **{
            **{
                name: getattr(file, name)
                for name in ("bucket", "key", "source", "last_modified", "source_time", "size")
            },
            "received_at": NOON,
            "version": "another",
        }
    )

    nowhere, either = run("row", "nowhere.csv", 2), run("row", key, 2)

    assert (nowhere.code, nowhere.err) == (2, "No file on record has this key or id.")
    assert either.code == 2
    assert either.err == (
        f"Several versions of this object are on record. Name one by its id: {file.pk}, {other.pk}."
    )
    assert run("row", other.pk, 2, "--json").answer["column"] is None
