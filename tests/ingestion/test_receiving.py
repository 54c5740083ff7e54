"""Objects become feed files: once, whole or not at all, in the order of their times."""

from __future__ import annotations

import io
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import time_machine
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError, connection
from django.test import override_settings

from alerts.models import Alert
from ingestion.choices import FileStatus, FoundBy
from ingestion.errors import TimeZoneNotSet
from ingestion.models import (
    Admission,
    ChangeCounter,
    Feed,
    FeedFile,
    LabResult,
    LabTest,
    Patient,
    WaitingRow,
)
from ingestion.services.books import books, unbalanced_files
from ingestion.services.draining import drain
from ingestion.services.receiving import ingest, ingest_all
from ingestion.services.registering import register
from ingestion.signals import records_changed
from ingestion.storage import Inbox, StoredObject
from tests.deliveries import NOON, admission, deliver, lab_test, patient
from tests.ingestion.terminal import python

HEADER = "patient_id,first_name,last_name,date_of_birth\n"
at_noon = pytest.mark.usefixtures("at_noon")


def people(*rows: str) -> bytes:
    return (HEADER + "".join(f"{row}\n" for row in rows)).encode()


def stored(
    content: bytes, *, key: str = "a.csv", at: datetime = NOON, opened: BinaryIO | None = None
) -> StoredObject:
    return StoredObject(
        "local", key, "local", at, len(content), lambda: opened or io.BytesIO(content)
    )


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


# --- One transaction for one file ---------------------------------------------------------


class Failing(io.BytesIO):
    """Content that cannot be read to its end; the first time round, to take its digest, it can."""

    rounds = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.rounds += 1
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        if self.rounds and self.tell() > 500_000:
            raise RuntimeError("half-way")
        return super().read(size)


def many_people(count: int = 20_000) -> bytes:
    return people(*(f"P{number},Emma,Brown,1990-01-31" for number in range(count)))


@at_noon
def test_an_error_half_way_leaves_nothing_of_the_file() -> None:
    content = many_people()
    assert len(content) > 500_000

    with pytest.raises(RuntimeError, match="half-way"):
        ingest(stored(content, opened=Failing(content)))

    assert (Patient.objects.count(), FeedFile.objects.count(), Feed.objects.count()) == (0, 0, 0)
    assert ingest(stored(people("P1,Emma,Brown,"))).file.created == 1
    assert books()["balanced"] is True


KILLED = """
import io, sys, time
from datetime import datetime, UTC
from django.db import connection
from ingestion.services.receiving import ingest
from ingestion.storage import StoredObject

def stop_before_the_end(execute, sql, params, many, context):
    if 'INSERT INTO "ingestion_reading"' in sql:
        with connection.connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM ingestion_patient")
            print(cursor.fetchone()[0], flush=True)
        time.sleep(60)
    return execute(sql, params, many, context)

content = sys.stdin.buffer.read()
stored = StoredObject("local", "a.csv", "local", datetime(2025, 3, 20, 12, tzinfo=UTC), 0,
    lambda: io.BytesIO(content))
with connection.execute_wrapper(stop_before_the_end):
    ingest(stored)
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_half_way_leaves_nothing_and_the_file_is_ingested_again() -> None:
    content = many_people()
    process = python(KILLED)
    assert process.stdin
    assert process.stdout
    process.stdin.write(content)
    process.stdin.close()
    written = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait(30)

    assert written == 20_000
    assert (Patient.objects.count(), FeedFile.objects.count()) == (0, 0)
    assert ingest(stored(content)).file.ledger == {
        "rows": 20_000,
        "created": 20_000,
        "updated": 0,
        "unchanged": 0,
        "superseded": 0,
        "waiting": 0,
        "rejected": 0,
    }
    assert books()["balanced"] is True


class Serialisation(Exception):
    """What the driver says of a transaction that must be done again."""

    pgcode = "40001"


@pytest.mark.django_db
def test_a_transaction_that_must_be_done_again_begins_its_feed_again() -> None:
    failed: list[str] = []

    def fail_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not failed and 'INSERT INTO "ingestion_reading"' in sql:
            failed.append(sql)
            raise OperationalError("try again") from Serialisation()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_once):
        receipt = ingest(stored(people("P1,Emma,Brown,")))

    assert (len(failed), receipt.status, receipt.file.created) == (1, "ingested", 1)
    assert Feed.objects.get() == receipt.file.feed
    assert books()["balanced"] is True


# --- Several workers at once --------------------------------------------------------------

BARRIER = """
import io, sys
from datetime import datetime, UTC
from django.db import connection
from ingestion.services.receiving import ingest_all
from ingestion.storage import StoredObject

def stored(key, text):
    content = text.encode()
    return StoredObject("local", key, "local", datetime(2025, 3, 20, 12, tzinfo=UTC), len(content),
        lambda: io.BytesIO(content))
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
"""


def at_once(*programs: str) -> None:
    """Run programs as processes of their own that start their work together."""
    processes = [python(BARRIER + program) for program in programs]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err.decode()) == (0, "")


@pytest.mark.django_db(transaction=True)
def test_the_same_object_in_two_processes_at_once_has_one_ledger() -> None:
    text = many_people(3_000).decode()
    program = f"ingest_all([stored('a.csv', {text!r})])"
    at_once(program, program)

    (file,) = FeedFile.objects.all()
    assert (file.status, file.rows, file.created) == (FileStatus.INGESTED, 3_000, 3_000)
    assert Patient.objects.count() == 3_000
    assert books()["balanced"] is True


@pytest.mark.django_db(transaction=True)
def test_parents_and_children_in_two_processes_at_once_leave_nothing_waiting() -> None:
    patients, tests, results = "", "", ""
    for number in range(40):
        patients += f"ingest_all([stored('p{number}', '{HEADER[:-1]}\\nP{number},A,B,\\n')])\n"
        tests += (
            f"ingest_all([stored('t{number}', 'test_id,patient_id,test_name,order_date,order_time"
            f"\\nT{number},P{number},Sodium,2025-03-19,08:00\\n')])\n"
        )
        results += (
            f"ingest_all([stored('r{number}', 'result_id,test_id,result_value,performed_date,"
            f"performed_time\\nR{number},T{number},5,2025-03-19,09:00\\n')])\n"
        )
    at_once(patients, tests + results)

    assert Patient.objects.count() == 40
    assert LabTest.objects.filter(patient=None).count() == 0
    assert LabResult.objects.filter(lab_test=None).count() == 0
    assert LabResult.objects.count() == 40
    assert WaitingRow.objects.filter(applied_at=None).count() == 0
    assert books()["balanced"] is True
    assert set(Patient.objects.values_list("last_test_at", flat=True)) == {
        datetime.fromisoformat("2025-03-19T09:00:00+01:00")
    }


@pytest.mark.django_db(transaction=True)
def test_the_very_first_changes_at_once_are_both_counted() -> None:
    program = "from ingestion.services.changes import note_change\nfor _ in range(200):"
    at_once(f"{program} note_change()", f"{program} note_change()")

    assert ChangeCounter.objects.get().count == 400


# --- Source time --------------------------------------------------------------------------


@at_noon
def test_the_source_time_is_the_stamp_in_the_name_else_the_last_change() -> None:
    ingest(stored(people(), key="x-2025-03-20T05-20-00.25Z.csv", at=minutes(-1)))
    ingest(stored(people(), key="x-2025-13-20T05-20-00Z.csv", at=minutes(-2)))

    times = FeedFile.objects.order_by("pk").values_list("source_time", flat=True)
    assert list(times) == [datetime.fromisoformat("2025-03-20T05:20:00.25Z"), minutes(-2)]


@at_noon
def test_a_stamp_of_ten_minutes_ahead_is_taken_and_one_of_more_is_refused_until_its_time() -> None:
    ahead = stored(people("P1,Emma,Brown,"), key="2025-03-20T12-10-00Z.csv")
    beyond = stored(people("P1,Emma,Green,"), key="2025-03-20T12-10-01Z.csv")

    assert ingest(ahead).status == "ingested"
    refused = ingest(beyond).file
    assert (refused.status, refused.refusal, refused.rows) == ("refused", "from_the_future", 0)
    assert Patient.objects.get().last_name == "Brown"

    with time_machine.travel(minutes(1), tick=False):
        assert ingest(beyond).file.updated == 1
    assert Patient.objects.get().last_name == "Green"
    assert FeedFile.objects.get(pk=refused.pk).refusal == ""


@at_noon
def test_files_of_one_delivery_are_ingested_by_their_source_time() -> None:
    keys: list[str] = []
    objects = [
        stored(people("P1,Emma,Two,"), key="a-2025-03-20T02-00-00Z.csv"),
        stored(people("P1,Emma,Three,"), key="b.csv", at=minutes(-60)),
        stored(people("P1,Emma,One,"), key="c-2025-03-20T01-00-00Z.csv"),
    ]

    ingest_all(objects, on_done=lambda receipt: keys.append(receipt.file.key[:1]))

    assert keys == ["c", "a", "b"]
    assert Patient.objects.get().last_name == "Three"
    assert [file.updated for file in FeedFile.objects.order_by("pk")] == [0, 1, 1]


# --- The same content again ---------------------------------------------------------------


@at_noon
def test_a_second_notice_is_answered_from_the_ledger_and_changes_nothing() -> None:
    first = ingest(stored(people("P1,Emma,Brown,"), key="2025-03-20T10-00-00Z.csv"))
    counted = ChangeCounter.objects.get().count
    again = ingest(stored(people("P1,Emma,Brown,"), key="2025-03-20T10-00-00Z.csv"))

    assert (again.status, again.file.pk) == ("already ingested", first.file.pk)
    assert again.file.ledger == first.file.ledger
    assert again.patients == set()
    assert ChangeCounter.objects.get().count == counted


@at_noon
def test_the_same_bytes_with_a_later_time_state_everything_anew_as_of_then() -> None:
    old, new = people("P1,Emma,Brown,"), people("P1,Emma,Green,")
    ingest(stored(old, at=minutes(-9)))

    again = ingest(stored(old, at=minutes(-1)))
    # What comes between the two comes last: had the second been a mere notice, this would win.
    late = ingest(stored(new, at=minutes(-5)))

    assert again.status == "already ingested"
    assert late.file.superseded == 1
    assert Patient.objects.get().last_name == "Brown"


@at_noon
def test_content_that_was_superseded_and_comes_back_is_ingested_and_told_of() -> None:
    old, new = people("P1,Emma,Brown,"), people("P1,Emma,Green,")
    ingest(stored(old, at=minutes(-9)))
    ingest(stored(new, at=minutes(-6)))

    back = ingest(stored(old, at=minutes(-3)))
    again = ingest(stored(old, at=minutes(-3)))

    assert (back.status, back.file.updated, back.file.is_comeback) == ("ingested", 1, True)
    assert Patient.objects.get().last_name == "Brown"
    assert (again.status, again.file.pk) == ("already ingested", back.file.pk)
    assert list(FeedFile.objects.filter(is_comeback=True)) == [back.file]
    assert books()["balanced"] is True


@at_noon
def test_a_comeback_under_another_name_is_told_of_but_an_export_that_repeats_itself_is_not() -> (
    None
):
    old = people("P1,Emma,Brown,")
    ingest(stored(old, key="a.csv", at=minutes(-9)))
    repeated = ingest(stored(old, key="b.csv", at=minutes(-8)))
    ingest(stored(people("P1,Emma,Green,"), key="c.csv", at=minutes(-7)))
    back = ingest(stored(old, key="copy of a.csv", at=minutes(-6)))

    assert (repeated.file.unchanged, repeated.file.is_comeback) == (1, False)
    assert (back.file.updated, back.file.is_comeback) == (1, True)


@at_noon
def test_a_stamped_file_copied_in_again_is_no_comeback() -> None:
    old = people("P1,Emma,Brown,")
    ingest(stored(old, key="2025-03-20T10-00-00Z.csv", at=minutes(-9)))
    ingest(stored(people("P1,Emma,Green,"), key="2025-03-20T11-00-00Z.csv", at=minutes(-6)))

    again = ingest(stored(old, key="2025-03-20T10-00-00Z.csv", at=minutes(-3)))

    assert again.status == "already ingested"
    assert Patient.objects.get().last_name == "Green"


# --- The inbox ----------------------------------------------------------------------------


class Folder(Inbox):
    """An inbox that tells where it lies."""

    def __init__(self, place: Path) -> None:
        super().__init__(FileSystemStorage(location=str(place)))
        self.place = place


@pytest.fixture
def inbox(tmp_path: Path, at_noon: time_machine.Traveller) -> Folder:
    (tmp_path / "pms").mkdir()
    return Folder(tmp_path)


def put(inbox: Folder, key: str, content: bytes, *, at: datetime = NOON) -> Path:
    path = inbox.place / key
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def receive(inbox: Folder, key: str, content: bytes, *, at: datetime = NOON) -> Path:
    path = put(inbox, key, content, at=at)
    register(inbox.object(key), found_by=FoundBy.LOOKOUT)
    return path


@contextmanager
def told() -> Iterator[list[Any]]:
    """What the listeners are told, and how much was pending then."""
    heard: list[Any] = []

    def hear(*, patients: set[uuid.UUID] | None, **_: Any) -> None:
        pending = FeedFile.objects.filter(status=FileStatus.RECEIVED).count()
        heard.append((None if patients is None else len(patients), pending))

    records_changed.connect(hear)
    try:
        yield heard
    finally:
        records_changed.disconnect(hear)


def test_a_drain_takes_files_by_source_time_and_tells_once_when_all_are_applied(
    inbox: Folder,
) -> None:
    receive(inbox, "pms/a-2025-03-20T11-00-00Z.csv", people("P1,Emma,Three,"))
    receive(inbox, "pms/b.csv", people("P1,Emma,Two,"), at=minutes(-90))
    receive(inbox, "pms/c-2025-03-20T10-00-00Z.csv", people("P1,Emma,One,", "P2,Otto,Fox,"))

    with told() as heard:
        assert drain(inbox) == 3
        assert drain(inbox) == 0

    assert heard == [(2, 0)]
    assert [(file.created, file.updated) for file in FeedFile.objects.order_by("source_time")] == [
        (2, 0),
        (0, 1),
        (0, 1),
    ]
    assert Patient.objects.get(patient_id="P1").last_name == "Three"


def test_a_file_that_vanished_is_refused_once_and_the_others_are_ingested(inbox: Folder) -> None:
    receive(inbox, "pms/a.csv", people("P1,Emma,Brown,")).unlink()
    receive(inbox, "pms/b.csv", people("P2,Otto,Fox,"))

    assert drain(inbox) == 2
    assert [(file.key, file.status, file.refusal) for file in FeedFile.objects.order_by("pk")] == [
        ("pms/a.csv", "refused", "vanished"),
        ("pms/b.csv", "ingested", ""),
    ]


def test_a_file_replaced_before_it_was_read_is_refused_and_its_successor_ingested(
    inbox: Folder,
) -> None:
    receive(inbox, "pms/a.csv", people("P1,Emma,Brown,"))
    put(inbox, "pms/a.csv", people("P1,Emma,Green,"), at=minutes(1))

    assert drain(inbox) == 1
    old, new = FeedFile.objects.order_by("pk")
    assert (old.status, old.reason) == ("refused", "It was replaced before it could be read.")
    assert (new.status, new.created) == ("ingested", 1)
    assert drain(inbox) == 0


def test_a_comeback_through_the_inbox_is_told_of_too(inbox: Folder) -> None:
    for name, at in (("Brown", -9), ("Green", -6), ("Brown", -3)):
        receive(inbox, "pms/a.csv", people(f"P1,Emma,{name},"), at=minutes(at))
        drain(inbox)

    flags = FeedFile.objects.order_by("pk").values_list("status", "is_comeback")
    assert list(flags) == [("ingested", False), ("ingested", False), ("ingested", True)]
    assert Patient.objects.get().last_name == "Brown"


class Poisonous(Folder):
    """An inbox of which one object fails however often it is read."""

    error: BaseException = RuntimeError("poison")

    def object(self, key: str) -> StoredObject:
        if "poison" in key:
            raise self.error
        return super().object(key)


@pytest.fixture
def poisonous(inbox: Folder) -> Poisonous:
    receive(inbox, "pms/poison-2025-03-20T10-00-00Z.csv", people("P1,Emma,Brown,"))
    receive(inbox, "pms/b-2025-03-20T11-00-00Z.csv", people("P2,Otto,Fox,"))
    return Poisonous(inbox.place)


def test_a_file_that_fails_for_no_known_reason_is_refused_after_three_attempts(
    poisonous: Poisonous,
) -> None:
    drain(poisonous)

    poison, other = FeedFile.objects.order_by("source_time")
    assert (poison.status, poison.refusal, poison.attempts) == ("refused", "unreadable", 3)
    assert poison.reason == "Reading it failed 3 times (RuntimeError); please report this."
    assert (other.status, other.created) == ("ingested", 1)


class WorkerDied(BaseException):
    """Stands for a kill: nothing in the process has a chance to react."""


def test_a_file_that_takes_the_worker_down_with_it_ten_times_is_refused(
    poisonous: Poisonous,
) -> None:
    poisonous.error = WorkerDied()
    for _ in range(10):
        with pytest.raises(WorkerDied):
            drain(poisonous)
        assert FeedFile.objects.filter(status="refused").count() == 0
    drain(poisonous)

    poison, other = FeedFile.objects.order_by("source_time")
    assert poison.reason == "Reading it failed 10 times (the worker died); please report this."
    assert other.status == "ingested"


@pytest.mark.parametrize("error", [OperationalError("gone"), TimeZoneNotSet()])
def test_what_is_no_fault_of_the_file_never_gets_it_refused(
    poisonous: Poisonous, error: Exception
) -> None:
    poisonous.error = error
    with told() as heard:
        for _ in range(5):
            with pytest.raises(type(error)):
                drain(poisonous)

    assert heard == []
    assert set(FeedFile.objects.values_list("status", "attempts")) == {("received", 0)}
    assert drain(Folder(poisonous.place)) == 2
    assert books()["files"] == {"ingested": 2, "refused": 0}


class LimitExceeded(Exception):
    """How the database's driver says that a row is more than it can hold."""

    pgcode = "54000"


def test_a_file_beyond_a_limit_of_the_database_is_refused_and_holds_nobody_up(
    poisonous: Poisonous,
) -> None:
    error = OperationalError("index row size 3000 exceeds maximum 2704")
    error.__cause__ = LimitExceeded()

    class Beyond(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise error

    class Limited(Folder):
        def object(self, key: str) -> StoredObject:
            found = super().object(key)
            return replace(found, open=Beyond) if "poison" in key else found

    assert drain(Limited(poisonous.place)) == 2
    poison, other = FeedFile.objects.order_by("source_time")
    assert (poison.status, other.status) == ("refused", "ingested")
    assert poison.reason == (
        "A row of it could not be stored (OperationalError). Nothing of the file was applied;"
        " please report this."
    )


def test_a_file_that_vanishes_as_it_is_opened_has_one_refusal(poisonous: Poisonous) -> None:
    def gone() -> BinaryIO:
        raise FileNotFoundError(2, "gone")

    class Emptied(Folder):
        def object(self, key: str) -> StoredObject:
            return replace(super().object(key), open=gone)

    assert drain(Emptied(poisonous.place)) == 2
    assert [(file.status, file.refusal) for file in FeedFile.objects.all()] == [
        ("refused", "vanished"),
        ("refused", "vanished"),
    ]


@override_settings(HOSPITAL_TIME_ZONE="")
def test_without_a_time_zone_a_drain_stops_before_the_file_that_needs_one(inbox: Folder) -> None:
    columns = "patient_id,hospitalization_case_number,admission_date,admission_time"
    receive(inbox, "pms/a.csv", f"{columns}\nP1,C1,2025-03-19,08:00\n".encode())

    with pytest.raises(TimeZoneNotSet, match="Set HOSPITAL_TIME_ZONE"):
        drain(inbox)

    assert (FeedFile.objects.get().status, Admission.objects.count()) == ("received", 0)


# --- The application's role ---------------------------------------------------------------


@at_noon
def test_the_application_may_ingest_and_count_but_touch_no_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE vigil_app")
    deliver(patient("P1"), patient("P2", date_of_birth="soon"))
    deliver(admission("C1", "P1", hours=60, department="ICU"), admission("C9", "P9", hours=1))
    deliver(lab_test("T1", "P1", "Sodium", hours=50), lab_test("", "P1", "x", hours=1), source="l")
    assert books()["balanced"] is True
    assert unbalanced_files() == []
    assert Alert.objects.count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE own (id int)",
        "ALTER TABLE ingestion_feedfile DROP CONSTRAINT ledger_balances",
        "DROP TABLE ingestion_patient CASCADE",
        "TRUNCATE ingestion_labtest CASCADE",
        "DROP INDEX tests_of_patient",
        "CREATE SCHEMA own",
    ],
)
def test_the_application_may_not_change_what_guards_the_record(db: None, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE vigil_app")
        with pytest.raises(Exception, match=r"permission denied|must be owner") as refused:
            cursor.execute(statement)
    assert refused.value.__cause__.pgcode == "42501"  # type: ignore[union-attr]
