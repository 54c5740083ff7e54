"""The books balance because everything stored was counted again, and not because they say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from alerts.models import Alert
from ingestion.models import (
    Admission,
    ColumnSet,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    LateVersion,
    Patient,
    Reading,
    RejectedRow,
    WaitingRow,
)
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.models.fields import Lines
from ingestion.services.books import books, unbalanced_files
from tests.deliveries import NOON, admission, deliver, deliver_lines, lab_result, lab_test, patient

pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture(autouse=True)
def a_hospital(at_noon: object) -> None:
    """Something in every column of a ledger, a refused file, and both combined layouts."""
    deliver(patient("P1"), patient("P2", date_of_birth="soon"), patient("", "Nobody, Nora"))
    deliver(patient("P1", "Green, Emma"), patient("P2"), patient("P2"))
    deliver(admission("C1", "P1", hours=60), admission("C9", "P9", hours=1))
    deliver(
        lab_test("T1", "P1", "Sodium", hours=5),
        lab_test("T9", "P9", "Sodium", hours=5),
        lab_test("T2", "P1", "Sodium", hours=-1),
        source="lis",
    )
    deliver(
        lab_result("R1", "T1", "5", hours=4), lab_result("R9", "T9", "5", hours=4), source="lis"
    )
    deliver_lines("Dear colleague,")
    deliver_lines(
        "test_id,patient_id,test_type,test_date,result",
        "T7,P2,Sodium,2025-03-20T08:00:00Z,140",
        source="lis-b",
    )


def count(sql: str) -> Callable[[], None]:
    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            assert cursor.rowcount >= 1

    return act


def shift(one: str, other: str) -> Callable[[], None]:
    """Take a row out of one column of a ledger and put it into another: it still adds up."""
    return count(
        f"UPDATE ingestion_feedfile SET {one} = {one} - 1, {other} = {other} + 1"
        f" WHERE id = (SELECT min(id) FROM ingestion_feedfile WHERE {one} > 0)"
    )


def elsewhere(table: str, column: str, *, of: str = "TRUE") -> Callable[[], None]:
    return count(
        f"UPDATE {table} SET {column} = (SELECT max(id) FROM ingestion_feedfile"
        f" WHERE status = 'ingested' AND id <> {column}) WHERE {of}"
    )


PLANTED = {
    "a rejected row is gone": lambda: (
        count("DELETE FROM ingestion_rejectedsubject")(),
        RejectedRow.objects.order_by("pk").last().delete(),  # type: ignore[union-attr]
    ),
    "a flaw is gone": lambda: Flaw.objects.all().delete(),
    "a waiting row is gone": lambda: WaitingRow.objects.first().delete(),  # type: ignore[union-attr]
    "a result is gone": lambda: LabResult.objects.get(result_id="R1").delete(),
    "an admission is gone": lambda: (
        Alert.objects.all().delete(),
        Admission.objects.get(case_number="C1").delete(),
    ),
    "a waiting test is gone": lambda: (
        WaitingRow.objects.filter(kind="lab_test").delete(),
        LabTest.objects.get(test_id="T9").delete(),
    ),
    "an admission that waits is gone, and its line still waits": lambda: Admission.objects.get(
        case_number="C9"
    ).delete(),
    "a line that waits was called applied": count(
        "UPDATE ingestion_waitingrow SET applied_at = now() WHERE kind = 'admission'"
    ),
    "a patient was begun elsewhere": elsewhere(
        "ingestion_patient", "created_in_id", of="patient_id = 'P1'"
    ),
    "a test was begun by a file that is not there": count(
        "UPDATE ingestion_labtest SET created_in_id = 0 WHERE test_id = 'T1'"
    ),
    "a test was said last by a file that is not there": count(
        "UPDATE ingestion_labtest SET said_in_id = 0 WHERE test_id = 'T1'"
    ),
    "a record was begun by a line that was rejected": count(
        "UPDATE ingestion_patient SET created_line = 4 WHERE patient_id = 'P2'"
    ),
    "created became updated": shift("created", "updated"),
    "updated became created": shift("updated", "created"),
    "waiting became created": shift("waiting", "created"),
    "rejected became superseded": shift("rejected", "superseded"),
    "a flaw was counted that is not there": count(
        "UPDATE ingestion_feedfile SET flaws = flaws + 1 WHERE status = 'ingested'"
    ),
    "a refused file has a rejected row": count(
        "UPDATE ingestion_rejectedrow SET feed_file_id ="
        " (SELECT id FROM ingestion_feedfile WHERE status = 'refused') WHERE reason = 'future'"
    ),
    "a refused file has a flaw": count(
        'INSERT INTO ingestion_flaw (feed_file_id, line, "column", reason, value)'
        " SELECT id, 2, '', 'bad_date', '' FROM ingestion_feedfile WHERE status = 'refused'"
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_books_see_that(fault: str) -> None:
    assert books()["balanced"] is True
    with transaction.atomic():
        PLANTED[fault]()
        assert unbalanced_files() != []
        assert books()["balanced"] is False
        transaction.set_rollback(True)
    assert books()["balanced"] is True


def test_every_row_is_in_exactly_one_column_of_its_files_ledger() -> None:
    ledgers = [tuple(file.ledger.values()) for file in FeedFile.objects.order_by("pk")]

    # rows, created, updated, unchanged, superseded, waiting, rejected
    assert ledgers == [
        (3, 2, 0, 0, 0, 0, 1),
        (3, 0, 2, 1, 0, 0, 0),
        (2, 1, 0, 0, 0, 1, 0),
        (3, 1, 0, 0, 0, 1, 1),
        (2, 1, 0, 0, 0, 1, 0),
        (0, 0, 0, 0, 0, 0, 0),
        (1, 1, 0, 0, 0, 0, 0),
    ]


def test_the_books_count_what_waits_conflicts_and_was_refused() -> None:
    assert books() == {
        "patients": 2,
        "admissions": 1,
        "open_admissions": 1,
        "lab_tests": 2,
        "lab_results": 2,
        "waiting": {"admissions": 1, "lab_tests": 1, "lab_results": 1},
        "identity_conflicts": {"test_ids": 0, "case_numbers": 0},
        "rejected": {"future": 1, "missing": 1},
        "dismissed": {},
        "flaws": {"bad_date": 1},
        "files": {"ingested": 6, "refused": 1},
        "balanced": True,
    }


def test_what_was_superseded_is_counted_as_such_and_still_balances() -> None:
    deliver(patient("P1", "Older, Emma"), at=NOON - timedelta(hours=1))
    assert FeedFile.objects.latest("pk").ledger["superseded"] == 1
    assert Patient.objects.get(patient_id="P1").last_name == "Green"
    assert books()["balanced"] is True


# --- Each reading's ledger, line by line --------------------------------------------------


@pytest.fixture
def what_came_late() -> LateVersion:
    """One row that was superseded, one unchanged, and the late version that the first leaves."""
    deliver(
        patient("P1", "Older, Emma"),
        patient("P2"),
        at=NOON - timedelta(hours=1),
    )
    late = FeedFile.objects.latest("pk")
    assert (late.superseded, late.unchanged) == (1, 1)
    LateVersion.objects.filter(feed_file=late).delete()
    return LateVersion.objects.create(
        kind="patient",
        identity=["P1"],
        feed_file=late,
        line=2,
        column_set=ColumnSet.objects.filter(kind="patient").latest("pk"),
        outcome="superseded",
        stated={"last_name": "Older"},
        known_at=NOON,
    )


SHIFTS = [(one, other) for one in LEDGER_COLUMNS for other in LEDGER_COLUMNS if one != other]


@pytest.mark.usefixtures("what_came_late")
@pytest.mark.parametrize(("one", "other"), SHIFTS)
def test_the_books_see_a_row_that_was_put_into_another_column(one: str, other: str) -> None:
    assert unbalanced_files() == []
    of_file = f"{one} = {one} - 1, {other} = {other} + 1 WHERE {one} > 0"
    for tampered in (
        [f"UPDATE ingestion_feedfile SET {of_file}"],
        [f"UPDATE ingestion_reading SET {of_file}"],
        [f"UPDATE ingestion_feedfile SET {of_file}", f"UPDATE ingestion_reading SET {of_file}"],
    ):
        with transaction.atomic():
            for statement in tampered:
                count(statement)()
            assert unbalanced_files() != []
            transaction.set_rollback(True)


# What may have become of a line although it is said to be in `one`, as far as anything shows.
UNSEEN = {("updated", "unchanged"), ("unchanged", "updated"), ("unchanged", "superseded")}


@pytest.mark.usefixtures("what_came_late")
@pytest.mark.parametrize(("one", "other"), [each for each in SHIFTS if each not in UNSEEN])
def test_the_books_see_it_even_where_every_ledger_agrees(one: str, other: str) -> None:
    file = Reading.objects.filter(**{f"{one}__gt": 0}).latest("pk").feed_file_id
    shifted = f"{one} = {one} - 1, {other} = {other} + 1"
    line = f"(SELECT int4multirange(int4range(lower(lines_{one}), lower(lines_{one}) + 1)))"
    with transaction.atomic():
        count(f"UPDATE ingestion_feedfile SET {shifted} WHERE id = {file}")()
        count(
            f"UPDATE ingestion_reading SET {shifted}, lines_{one} = lines_{one} - {line},"
            f" lines_{other} = lines_{other} + {line} WHERE feed_file_id = {file}"
        )()
        assert unbalanced_files() == [file]
        transaction.set_rollback(True)


TAMPERED = {
    "a reading is gone": "DELETE FROM ingestion_reading WHERE rejected > 0",
    "a file names a reading that is not": "UPDATE ingestion_feedfile SET reading = 7"
    " WHERE status = 'ingested'",
    "one set of lines is gone": "UPDATE ingestion_reading SET lines_superseded = NULL"
    " WHERE status = 'ingested'",
    "a line is in two columns": "UPDATE ingestion_reading SET lines_updated = lines_created,"
    " updated = created, created = 0 WHERE created > 0 AND updated = 0",
    "other lines than those that wait": "UPDATE ingestion_reading SET"
    " lines_waiting = lines_created, lines_created = lines_waiting WHERE created = waiting"
    " AND waiting > 0",
    "a flaw belongs to another reading": "UPDATE ingestion_flaw SET reading = 2",
    "a rejected row belongs to another reading": "UPDATE ingestion_rejectedrow SET reading = 2",
    "a waiting row belongs to another reading": "UPDATE ingestion_waitingrow SET reading = 2",
    "a record was said last by a superseded line": "UPDATE ingestion_patient SET said_line = 2,"
    " said_in_id = (SELECT max(id) FROM ingestion_feedfile) WHERE patient_id = 'P1'",
    "a record was said last by a line beyond the file": "UPDATE ingestion_patient"
    " SET said_line = 99 WHERE patient_id = 'P1'",
    "a record was begun by a line that updated": "UPDATE ingestion_patient SET created_line = 2,"
    " created_in_id = said_in_id WHERE patient_id = 'P1'",
    "something came late in a line that was rejected": "UPDATE ingestion_lateversion SET line = 4,"
    " feed_file_id = (SELECT min(id) FROM ingestion_feedfile)",
    "something came late in a line that created": "UPDATE ingestion_lateversion SET line = 2,"
    " feed_file_id = (SELECT min(id) FROM ingestion_feedfile)",
    "something came late in a file that is not there": "UPDATE ingestion_lateversion"
    " SET feed_file_id = 0",
    "a line that waits is not in its reading": "UPDATE ingestion_waitingrow SET line = 99"
    " WHERE kind = 'admission'",
}


@pytest.mark.usefixtures("what_came_late")
@pytest.mark.parametrize("fault", TAMPERED)
def test_the_books_see_in_a_reading_that(fault: str) -> None:
    with transaction.atomic():
        count(TAMPERED[fault])()
        assert unbalanced_files() != []
        transaction.set_rollback(True)
    assert unbalanced_files() == []


@pytest.mark.usefixtures("what_came_late")
@pytest.mark.parametrize("fault", sorted(set(PLANTED) - {"a waiting row is gone"}))
def test_of_readings_from_before_lines_were_kept_the_books_see_that(fault: str) -> None:
    nulls = ", ".join(f"lines_{name} = NULL" for name in LEDGER_COLUMNS)
    count(f"UPDATE ingestion_reading SET {nulls}")()
    LateVersion.objects.all().delete()
    assert unbalanced_files() == []
    with transaction.atomic():
        PLANTED[fault]()
        assert unbalanced_files() != []
        transaction.set_rollback(True)


def test_of_a_file_that_was_read_again_the_latest_reading_counts() -> None:
    file = FeedFile.objects.earliest("pk")
    Reading.objects.create(
        feed_file=file,
        number=2,
        status="ingested",
        finished_at=NOON,
        rows=3,
        unchanged=2,
        rejected=1,
        lines_created=Lines(),
        lines_updated=Lines(),
        lines_unchanged=Lines([(2, 4)]),
        lines_superseded=Lines(),
        lines_waiting=Lines(),
        lines_rejected=Lines([(4, 5)]),
    )
    RejectedRow.objects.create(feed_file=file, reading=2, line=4, raw=",Nora", reason="bad_date")
    FeedFile.objects.filter(pk=file.pk).update(reading=2, created=0, unchanged=2, flaws=0)

    closed = books()

    assert closed["rejected"] == {"bad_date": 1, "future": 1}
    assert closed["flaws"] == {}
    assert closed["balanced"] is True


def test_a_dismissed_row_stays_rejected_and_is_listed_apart() -> None:
    RejectedRow.objects.filter(reason="future").update(
        settlement="dismissed", settled_at=NOON, settled_by="operator", settled_why="a test tube"
    )

    closed = books()

    assert closed["rejected"] == {"future": 1, "missing": 1}
    assert closed["dismissed"] == {"future": 1}
    assert closed["balanced"] is True


def test_of_an_earlier_moment_the_ledgers_are_held() -> None:
    assert books(known_at=NOON)["balanced"] is True
    with transaction.atomic():
        count(
            "UPDATE ingestion_reading SET updated = updated + 1, rows = rows + 1 WHERE rows > 0"
        )()
        assert books(known_at=NOON)["balanced"] is False
        assert books(known_at=NOON - timedelta(seconds=1))["balanced"] is True
        transaction.set_rollback(True)
