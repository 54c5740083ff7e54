"""Refused files and rejected rows are worked: read again after a fix, or dismissed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.files.storage import storages
from django.test import override_settings

from ingestion.choices import FileStatus
from ingestion.errors import NotCarriedOut
from ingestion.models import (
    ChangeCounter,
    Feed,
    FeedFile,
    Patient,
    Reading,
    RejectedRow,
    WaitingRow,
)
from ingestion.queries import doubts_at, freshness_of_feeds
from ingestion.services.quarantine import (
    Replayed,
    dismiss_file,
    dismiss_row,
    fate_of,
    files_to_replay,
    left_standing,
    replay_files,
)
from ingestion.services.receiving import ingest_all
from ingestion.signals import records_changed
from ingestion.storage import Inbox, local_object
from ops.models import AuditEvent
from tests.deliveries import NOON
from tests.ingestion.terminal import run

PEOPLE = "patient_id,first_name,last_name,date_of_birth\n"
TESTS = "test_id,patient_id,test_name,order_date,order_time\n"
WHY = "The feed's declaration was corrected."


@pytest.fixture
def inbox(tmp_path: Path, at_noon: time_machine.Traveller) -> Iterator[Path]:
    """An inbox folder, in which a test's files lie and stay."""
    setting = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    setting["OPTIONS"] = {"location": str(tmp_path)}  # type: ignore[assignment]
    with override_settings(STORAGES={**storages.backends, "inbox": setting}):
        yield tmp_path


def put(inbox: Path, content: str | bytes, *, key: str = "pms/20250320T110000Z.csv") -> FeedFile:
    """Lay a file into the inbox and ingest it."""
    path = inbox / key
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ingest_all([Inbox().object(key)])
    return FeedFile.objects.get(key=key)


def replay(feed_file: FeedFile, *, source_time: datetime | None = None) -> Replayed:
    done: list[Replayed] = []
    replay_files([feed_file], by="olga", why=WHY, source_time=source_time, on_done=done.append)
    return done[0]


def ledger(reading: Reading) -> tuple[int, ...]:
    """Rows, created, updated, unchanged, superseded, waiting, rejected."""
    return tuple(reading.ledger.values())


def doubts() -> list[tuple[str, int]]:
    return [(one.kind, one.count) for one in doubts_at(NOON, feeds=freshness_of_feeds(NOON))
            if one.kind != "feed_silent"]  # fmt: skip


def settlements() -> list[tuple[int, int, str]]:
    rows = RejectedRow.objects.order_by("reading", "line")
    return [(row.reading, row.line, row.settlement) for row in rows]


# --- Replay -------------------------------------------------------------------------------


def test_a_corrected_order_of_day_and_month_takes_in_what_was_rejected(inbox: Path) -> None:
    put(inbox, PEOPLE + "P1,Emma,Brown,\n")
    rows = "T1,P1,Sodium,19/3/2025,08:00\nT2,P1,Sodium,2/3/2025,08:00\n"
    file = put(inbox, TESTS + rows, key="lis/20250320T110500Z.csv")
    Feed.objects.filter(layout="lis.lab_tests").update(is_day_first=True)

    replayed = replay(file)

    assert replayed.before is not None
    assert (replayed.before.number, ledger(replayed.before)) == (1, (2, 1, 0, 0, 0, 0, 1))
    assert (replayed.after.number, ledger(replayed.after)) == (2, (2, 1, 1, 0, 0, 0, 0))
    assert replayed.file.ledger == replayed.after.ledger
    assert [str(each) for each in (replayed.after.lines_created, replayed.after.lines_updated)] == [
        "{[2,3)}",
        "{[3,4)}",
    ]
    patient = Patient.objects.get()
    assert [f"{one.ordered_at:%Y-%m-%d}" for one in patient.lab_tests.order_by("test_id")] == [
        "2025-03-19",
        "2025-03-02",
    ]
    assert settlements() == [(1, 2, "replayed")]
    assert doubts() == []


def test_what_a_replay_rejects_and_leaves_on_record_is_told(inbox: Path) -> None:
    put(inbox, PEOPLE + "P1,Emma,Brown,\n")
    rows = "T1,P1,Sodium,3/19/2025,08:00\nT2,P1,Sodium,3/2/2025,08:00\n"
    file = put(inbox, TESTS + rows, key="lis/20250320T110500Z.csv")
    Feed.objects.filter(layout="lis.lab_tests").update(is_day_first=True)

    replayed = replay(file)

    assert ledger(replayed.after) == (2, 0, 1, 0, 0, 0, 1)
    assert left_standing(replayed).startswith("Still on record as an earlier reading had it: 1 of")

    Feed.objects.filter(layout="lis.lab_tests").update(is_day_first=False)
    assert left_standing(replay(file)) == ""


def test_a_declared_encoding_takes_in_what_was_refused(inbox: Path) -> None:
    header = PEOPLE.replace("\n", ",שם\n").encode("cp1255")
    file = put(inbox, header + "P1,אמה,כהן,,x\n".encode("cp1255"))
    assert (file.status, file.refusal) == ("refused", "no_header")
    Feed.objects.create(source="pms", layout="pms.patients", encoding="cp1255")

    replayed = replay(file)

    assert [(one.number, one.status, ledger(one)) for one in file.readings.order_by("number")] == [
        (1, "refused", (0, 0, 0, 0, 0, 0, 0)),
        (2, "ingested", (1, 1, 0, 0, 0, 0, 0)),
    ]
    assert (replayed.file.status, replayed.file.refusal) == ("ingested", "")
    assert Patient.objects.get().last_name == "כהן"
    assert doubts() == []


def test_a_replay_says_who_asked_for_it_and_why(inbox: Path) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\nP2\n")

    replay(file)

    reading = file.readings.get(number=2)
    assert (reading.asked_by, reading.why) == ("olga", WHY)
    act = AuditEvent.objects.get()
    assert (act.act, act.who, act.why, act.object_key) == (
        "file.replayed",
        "olga",
        WHY,
        str(file.pk),
    )
    assert act.details == {
        "status": "ingested",
        "reading": 2,
        "rows": 2,
        "created": 0,
        "updated": 0,
        "unchanged": 1,
        "superseded": 0,
        "waiting": 0,
        "rejected": 1,
        "settled": 1,
    }
    row = RejectedRow.objects.get(reading=1)
    assert (row.settled_at, row.settled_by, row.settled_why) == (NOON, "olga", WHY)


def test_what_is_rejected_again_is_work_again_once(inbox: Path) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\nP2\n")

    replayed = replay(file)

    assert settlements() == [(1, 3, "replayed"), (2, 3, "")]
    assert fate_of(replayed, 3) == (
        "Line 3 is rejected again: More or fewer fields than the header."
    )
    assert fate_of(replayed, 2) == "Line 2: unchanged."
    assert fate_of(replayed, 9) == "No row begins on line 9 any more."


def test_a_row_that_waits_again_is_counted_in_the_new_ledger_alone(inbox: Path) -> None:
    file = put(inbox, TESTS + "T1,P1,Sodium,2025-03-19,08:00\n", key="lis/20250320T110500Z.csv")

    replay(file)

    file.refresh_from_db()
    assert [(row.reading, row.line, row.applied_at) for row in WaitingRow.objects.all()] == [
        (1, 2, None),
        (2, 2, None),
    ]
    assert (file.reading, file.waiting) == (2, 1)


def test_a_refused_replay_leaves_what_was_ingested_as_it_was(inbox: Path) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\nP2\n")
    Feed.objects.update(encoding="utf-16-le")

    replayed = replay(file)

    file.refresh_from_db()
    assert (replayed.is_ingested, replayed.after.number) == (False, 2)
    assert (file.status, file.reading, file.ledger["created"]) == ("ingested", 1, 1)
    assert settlements() == [(1, 3, "")]
    act = AuditEvent.objects.get()
    assert (act.details["status"], act.details["refusal"]) == ("refused", replayed.after.refusal)


def test_a_file_that_is_gone_is_refused_again_and_that_is_on_record(inbox: Path) -> None:
    file = put(inbox, "what,is,this\n")
    (inbox / file.key).unlink()

    replayed = replay(file)

    assert (replayed.is_ingested, replayed.after.refusal) == (False, "vanished")
    assert [one.refusal for one in file.readings.order_by("number")] == [
        "unknown_layout",
        "vanished",
    ]
    assert FeedFile.objects.count() == 1
    # It must still be found by why it was refused, once that is mended.
    file.refresh_from_db()
    assert file.refusal == "unknown_layout"
    assert [one.pk for one in files_to_replay(is_refused=True, reason="unknown_layout")] == [
        file.pk
    ]


def test_an_object_with_other_content_by_now_is_not_taken_for_the_file(inbox: Path) -> None:
    file = put(inbox, "what,is,this\n")
    (inbox / file.key).write_text(PEOPLE + "P1,Emma,Brown,\n")

    replayed = replay(file)

    assert (replayed.after.status, replayed.after.refusal) == ("refused", "vanished")
    assert "other content" in replayed.after.reason
    assert Patient.objects.count() == 0


def test_a_copy_that_changed_nothing_is_replayed_as_itself(inbox: Path) -> None:
    first = put(inbox, PEOPLE + "P1,Emma,Brown,\n", key="pms/people.csv")
    os.utime(inbox / "pms/people.csv", (NOON.timestamp(), NOON.timestamp()))
    ingest_all([Inbox().object("pms/people.csv")])
    copy = FeedFile.objects.exclude(pk=first.pk).get()

    replayed = replay(copy)

    assert replayed.file == copy
    assert (first.readings.count(), copy.readings.count()) == (1, 2)


def test_listeners_are_told_once_whom_a_replay_touched(inbox: Path) -> None:
    told: list[set[uuid.UUID] | None] = []
    put(inbox, PEOPLE + "P1,Emma,Brown,\nP2,Otto,Fox,\n")
    file = put(inbox, TESTS + "T1,P1,Sodium,19/3/2025,08:00\n", key="lis/20250320T110500Z.csv")
    other = put(inbox, TESTS + "T2,P2,Sodium,19/3/2025,08:00\n", key="lis/20250320T110600Z.csv")
    Feed.objects.update(is_day_first=True)

    def listen(patients: set[uuid.UUID] | None, **_: object) -> None:
        told.append(patients)

    records_changed.connect(listen)
    try:
        replay_files([other, file], by="olga", why=WHY)
    finally:
        records_changed.disconnect(listen)

    assert told == [{one.pk for one in Patient.objects.all()}]


def test_nothing_is_replayed_without_a_reason(inbox: Path) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\n")

    for by, why in (("olga", "  "), ("", WHY)):
        with pytest.raises(NotCarriedOut):
            replay_files([file], by=by, why=why)

    assert (Reading.objects.count(), AuditEvent.objects.count()) == (1, 0)


def test_refused_files_are_found_by_their_source_and_their_reason(inbox: Path) -> None:
    lost = put(inbox, "what,is,this\n")
    empty = put(inbox, "", key="lis/20250320T110500Z.csv")
    put(inbox, PEOPLE + "P1,Emma,Brown,\n", key="pms/20250320T110100Z.csv")
    dismissed = put(inbox, "and,this,too\n", key="pms/20250320T110200Z.csv")
    dismiss_file(dismissed, by="olga", why="Nobody's.")

    assert files_to_replay(is_refused=True) == [lost, empty]
    assert files_to_replay(is_refused=True, feed="pms") == [lost]
    assert files_to_replay(is_refused=True, reason="no_header") == [empty]


def test_files_with_rejected_rows_are_found_by_their_feed_and_the_reason(inbox: Path) -> None:
    torn = put(inbox, PEOPLE + "P1\n")
    put(inbox, PEOPLE + "P1,Emma,Brown,\n", key="pms/20250320T110100Z.csv")

    for feed in ("", "pms", "pms.patients", "pms.patients · pms"):
        assert files_to_replay(feed=feed, reason="columns") == [torn]
    assert files_to_replay(reason="bad_date") == []
    assert files_to_replay(feed="lis") == []


# --- A file from the future ---------------------------------------------------------------


def from_the_future(inbox: Path) -> FeedFile:
    return put(inbox, PEOPLE + "P1,Emma,Brown,\n", key="pms/20260320T110000Z.csv")


def test_a_file_from_the_future_needs_a_source_time_that_an_operator_gives(inbox: Path) -> None:
    file = from_the_future(inbox)
    assert replay(file).after.refusal == "from_the_future"
    given = NOON - timedelta(hours=1)

    replayed = replay(file, source_time=given)

    assert replayed.is_ingested
    assert replayed.file.source_time == given
    assert Patient.objects.get().said_at == given
    assert replayed.after.why == f"{WHY} (source time given: 2025-03-20T11:00:00+00:00)"
    act = AuditEvent.objects.order_by("pk")[1]
    assert act.details["source_time"] == "2025-03-20T11:00:00+00:00"


def test_the_time_that_was_given_stays_at_every_later_replay(inbox: Path) -> None:
    file = from_the_future(inbox)
    replay(file, source_time=NOON - timedelta(hours=1))
    file.refresh_from_db()

    replayed = replay(file)

    assert (replayed.is_ingested, replayed.file.source_time) == (True, NOON - timedelta(hours=1))
    assert ledger(replayed.after) == (1, 0, 0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "given",
    [NOON + timedelta(minutes=1), NOON.replace(tzinfo=None) - timedelta(hours=1)],
    ids=["in the future", "without an offset"],
)
def test_a_source_time_that_cannot_be_is_refused(inbox: Path, given: datetime) -> None:
    file = from_the_future(inbox)

    with pytest.raises(NotCarriedOut):
        replay(file, source_time=given)

    assert (file.readings.count(), AuditEvent.objects.count()) == (1, 0)


def test_no_other_file_is_given_another_source_time(inbox: Path) -> None:
    file = put(inbox, PEOPLE + "P1,Emma,Brown,\n")

    with pytest.raises(NotCarriedOut, match="source time of its own"):
        replay(file, source_time=NOON - timedelta(hours=1))

    file.refresh_from_db()
    assert (file.source_time, file.readings.count()) == (NOON - timedelta(hours=1), 1)


# --- Dismissal ----------------------------------------------------------------------------


def a_rejected_row(inbox: Path) -> RejectedRow:
    put(inbox, TESTS + "T1\n", key="lis/20250320T110500Z.csv")
    return RejectedRow.objects.get()


def test_a_dismissed_row_leaves_the_work_list_and_stays_in_its_ledger(inbox: Path) -> None:
    row = a_rejected_row(inbox)
    before = ChangeCounter.objects.get().count
    assert doubts() == [("lab_rows_rejected", 1)]

    dismiss_row(row, by="olga", why="A line of the sender's footer.")

    row.refresh_from_db()
    assert (row.settlement, row.settled_by, row.settled_why, row.settled_at) == (
        "dismissed",
        "olga",
        "A line of the sender's footer.",
        NOON,
    )
    assert doubts() == []
    assert FeedFile.objects.get().rejected == 1
    assert ChangeCounter.objects.get().count == before + 1
    act = AuditEvent.objects.get()
    assert (act.act, act.who, act.object_key) == ("rejected_row.dismissed", "olga", str(row.pk))
    assert act.details == {"file": row.feed_file_id, "line": 2, "reason": "columns"}


def test_a_second_dismissal_is_refused_and_leaves_no_trace(inbox: Path) -> None:
    row = a_rejected_row(inbox)
    dismiss_row(row, by="olga", why="A footer.")

    with pytest.raises(NotCarriedOut, match="settled already"):
        dismiss_row(row, by="omar", why="Another reason.")

    row.refresh_from_db()
    assert (row.settled_by, row.settled_why) == ("olga", "A footer.")
    assert AuditEvent.objects.count() == 1


def test_a_dismissal_without_reason_is_refused(inbox: Path) -> None:
    row = a_rejected_row(inbox)

    with pytest.raises(NotCarriedOut, match="Say why"):
        dismiss_row(row, by="olga", why=" ")

    row.refresh_from_db()
    assert (row.settled_at, AuditEvent.objects.count()) == (None, 0)


def test_a_dismissed_refused_file_leaves_the_boards_doubts_and_stays_refused(inbox: Path) -> None:
    file = put(inbox, "Dear colleague,\n")
    assert doubts() == [("files_refused", 1)]

    dismiss_file(file, by="olga", why="A letter.")

    file.refresh_from_db()
    assert doubts() == []
    assert file.status == FileStatus.REFUSED
    assert (file.dismissed_at, file.dismissed_by, file.dismissed_why) == (
        NOON,
        "olga",
        "A letter.",
    )
    act = AuditEvent.objects.get()
    assert (act.act, act.object_key, act.details) == (
        "file.dismissed",
        str(file.pk),
        {"refusal": "unknown_layout"},
    )


def test_a_file_that_is_not_refused_or_dismissed_already_is_not_dismissed(inbox: Path) -> None:
    good = put(inbox, PEOPLE + "P1,Emma,Brown,\n")
    bad = put(inbox, "Dear colleague,\n", key="pms/20250320T110100Z.csv")
    dismiss_file(bad, by="olga", why="A letter.")

    for file in (good, bad):
        with pytest.raises(NotCarriedOut):
            dismiss_file(file, by="omar", why="Another reason.")

    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.dismissed_at, bad.dismissed_by) == (None, "olga")
    assert AuditEvent.objects.count() == 1


# --- From the command line ----------------------------------------------------------------


def test_replay_prints_the_new_ledger_beside_the_old(inbox: Path) -> None:
    put(inbox, PEOPLE + "P1,Emma,Brown,\n")
    file = put(inbox, TESTS + "T1,P1,Sodium,19/3/2025,08:00\n", key="lis/20250320T110500Z.csv")
    Feed.objects.update(is_day_first=True)

    done = run("replay", file.pk, "--why", WHY, "--by", "olga", "--line", "2")

    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"file {file.pk}, lis/20250320T110500Z.csv\n"
        "  before  1 rows (1 rejected)\n"
        "  now     1 rows (1 created)\n"
        "  Line 2: created.\n"
        "1 ingested, 0 refused\n"
    )


def test_replay_answers_in_the_shape_that_scripts_rely_on(inbox: Path) -> None:
    file = put(inbox, "what,is,this\n")

    done = run("replay", "--refused", "--why", WHY, "--json")

    nothing = dict.fromkeys(
        ("rows", "created", "updated", "unchanged", "superseded", "waiting", "rejected"), 0
    )
    assert done.code == 1
    assert done.answer == {
        "files": [
            {
                "file": file.pk,
                "key": "pms/20250320T110000Z.csv",
                "feed": None,
                "status": "refused",
                "reason": file.reason,
                "reading": 2,
                "before": {"status": "refused", "reading": 1, **nothing},
                "now": {"status": "refused", "reading": 2, **nothing},
            }
        ],
        "left_out": [],
    }


def test_a_file_of_the_command_line_is_replayed_from_where_it_lies_now(inbox: Path) -> None:
    path = inbox / "20250320T110000Z.csv"
    path.write_text(PEOPLE + "P1\n")
    ingest_all([local_object(path)])
    elsewhere = path.rename(inbox / "elsewhere.csv")

    without = run("replay", path.name, "--why", WHY)
    other = inbox / "other.csv"
    other.write_text("another\n")
    wrong = run("replay", path.name, "--why", WHY, "--path", other)
    right = run("replay", path.name, "--why", WHY, "--path", elsewhere)

    assert (without.code, wrong.code, right.code) == (2, 2, 0)
    assert "say where it lies now (--path)" in without.err
    assert "its content differs" in wrong.err
    assert FeedFile.objects.get().readings.count() == 2


def test_a_replay_of_many_leaves_out_files_of_the_command_line_and_says_so(inbox: Path) -> None:
    path = inbox / "20250320T110000Z.csv"
    path.write_text(PEOPLE + "P1\n")
    ingest_all([local_object(path)])
    there = put(inbox, PEOPLE + "P2\n", key="pms/20250320T110100Z.csv")
    local = FeedFile.objects.get(bucket="local")

    done = run("replay", "--rejected", "--why", WHY, "--json")

    assert (done.code, done.answer["left_out"]) == (1, [local.pk])
    assert [one["file"] for one in done.answer["files"]] == [there.pk]
    assert local.readings.count() == 1


def test_replay_needs_files_and_a_reason(inbox: Path) -> None:
    put(inbox, PEOPLE + "P1\n")

    for arguments in ((), ("--refused", "--rejected"), ("nowhere.csv",), ("9999",)):
        assert run("replay", *arguments, "--why", WHY).code == 2
    assert run("replay", "--refused", "--why", " ").code == 2
    assert Reading.objects.count() == 1


def test_dismiss_takes_all_or_nothing(inbox: Path) -> None:
    row = a_rejected_row(inbox)

    failed = run("dismiss", "--row", row.pk, 9999, "--why", "Footers.")
    assert (failed.code, AuditEvent.objects.count()) == (2, 0)
    assert failed.err == "There is no rejected row 9999. Nothing was dismissed."

    done = run("dismiss", "--row", row.pk, "--why", "A footer.", "--by", "olga")
    assert (done.code, done.out) == (0, "1 rows and 0 files dismissed\n")
    row.refresh_from_db()
    assert (row.settlement, row.settled_by) == ("dismissed", "olga")


def test_dismiss_alone_lists_what_is_work_by_number_and_reason_and_no_value(inbox: Path) -> None:
    lost = put(inbox, "what,is,this\n")
    gone = put(inbox, "and,this,too\n", key="pms/20250320T110200Z.csv")
    dismiss_file(gone, by="olga", why="Nobody's.")
    torn = put(inbox, PEOPLE + "P1\n", key="pms/20250320T110300Z.csv")
    row = RejectedRow.objects.get()

    said = run("dismiss")

    assert (said.code, said.out.splitlines()) == (
        0,
        [
            f"file {lost.pk}  {lost.key}  {lost.reason}",
            f"row {row.pk}  file {torn.pk}, {torn.key}, line 2  {row.get_reason_display()}",
            "1 refused files and 1 rejected rows",
        ],
    )
    assert run("dismiss", "--why", "Which?").code == 2


def test_what_came_since_a_moment_is_replayed_whether_rejected_or_not(inbox: Path) -> None:
    put(inbox, PEOPLE + "P1,Emma,Brown,\n")
    late = put(inbox, PEOPLE + "P2,Otto,Brown,\n", key="pms/20250320T110500Z.csv")
    refused = put(inbox, "what,is,this\n", key="lis/20250320T110500Z.csv")
    gone = put(inbox, "and,this,too\n", key="pms/20250320T110600Z.csv")
    dismiss_file(gone, by="olga", why="Nobody's.")
    later = NOON + timedelta(hours=1)
    FeedFile.objects.exclude(pk__in=[late.pk, refused.pk, gone.pk]).update(received_at=NOON)
    FeedFile.objects.filter(pk__in=[late.pk, refused.pk, gone.pk]).update(received_at=later)

    assert files_to_replay(since=later) == [refused, late]
    assert files_to_replay(since=later, feed="pms") == [late]
    both = run("replay", "--since", NOON.isoformat(), "--rejected", "--why", WHY)
    assert both.code == 2
    reason = run("replay", "--since", NOON.isoformat(), "--reason", "columns", "--why", WHY)
    assert reason.code == 2
    assert Reading.objects.count() == 4
