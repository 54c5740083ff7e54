"""The command line's promises: exit codes, shapes, and never a traceback."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.management import load_command_class
from django.test import override_settings

from ingestion.management.commands.ingest import Progress
from ingestion.models import Feed, FeedFile, Patient
from ops.management.manners import MannerlyCommand
from tests.deliveries import NOON, admission, admit, deliver, lab_result, lab_test, patient
from tests.ingestion.terminal import PROJECT, environment, manage, run

PATIENTS = "patient_id,first_name,last_name,date_of_birth\n"
NOWHERE = "postgres://vigil:secret-word@127.0.0.1:1/vigil"


@pytest.fixture
def exports(tmp_path: Path, at_noon: time_machine.Traveller) -> Path:
    (tmp_path / "b-20250320T110000Z.csv").write_text(PATIENTS + "P1,Emma,Brown,\nP2,Otto\n")
    (tmp_path / "a-20250320T113000Z.csv").write_text(PATIENTS + "P1,Emma,Browne,\n")
    return tmp_path


# --- ingest -------------------------------------------------------------------------------


def test_ingest_answers_in_the_shape_that_scripts_rely_on(exports: Path) -> None:
    assert run("ingest", exports, "--json").answer == {
        "files": [
            {
                "key": "b-20250320T110000Z.csv",
                "feed": "pms.patients",
                "status": "ingested",
                "reason": None,
                "rows": 2,
                "created": 1,
                "updated": 0,
                "unchanged": 0,
                "superseded": 0,
                "waiting": 0,
                "rejected": 1,
            },
            {
                "key": "a-20250320T113000Z.csv",
                "feed": "pms.patients",
                "status": "ingested",
                "reason": None,
                "rows": 1,
                "created": 0,
                "updated": 1,
                "unchanged": 0,
                "superseded": 0,
                "waiting": 0,
                "rejected": 0,
            },
        ]
    }


def test_ingest_exits_with_0_now_and_again(exports: Path) -> None:
    first = run("ingest", exports)
    second = run("ingest", exports, "--json")

    assert (first.code, second.code) == (0, 0)
    assert first.out == (
        "b-20250320T110000Z.csv: ingested as pms.patients, 2 rows (1 created, 1 rejected)\n"
        "a-20250320T113000Z.csv: ingested as pms.patients, 1 rows (1 updated)\n"
        "2 ingested\n"
    )
    assert [(file["status"], file["rows"]) for file in second.answer["files"]] == [
        ("already ingested", 2),
        ("already ingested", 1),
    ]


def test_ingest_exits_with_1_if_any_file_was_refused_and_ingests_the_others(exports: Path) -> None:
    (exports / "c-20250320T110000Z.txt").write_text(
        "Dear colleague,\nplease find enclosed nothing.\n"
    )

    done = run("ingest", exports, "--json")

    assert done.code == 1
    assert [(file["status"], file["feed"]) for file in done.answer["files"]].count(
        ("ingested", "pms.patients")
    ) == 2
    (refused,) = (file for file in done.answer["files"] if file["status"] == "refused")
    assert (refused["key"], refused["feed"], refused["rows"]) == ("c-20250320T110000Z.txt", None, 0)
    assert "colleague" not in refused["reason"]


def test_ingest_exits_with_2_for_a_path_that_is_not_there_and_ingests_nothing(
    exports: Path,
) -> None:
    done = run("ingest", exports, exports / "nowhere", "--json")

    assert (done.code, done.out) == (2, "")
    assert done.err == f"There is no file or folder {exports}/nowhere. Nothing was ingested."
    assert FeedFile.objects.count() == 0


def test_an_empty_path_does_not_mean_the_folder_one_stands_in(db: None) -> None:
    done = run("ingest", "")

    assert done.code != 0
    assert "an empty path names nothing" in done.err


def test_an_empty_folder_has_no_files(tmp_path: Path, db: None) -> None:
    assert run("ingest", tmp_path, "--json").answer == {"files": []}
    assert run("ingest", tmp_path).out == "No files to ingest.\n"


@override_settings(HOSPITAL_TIME_ZONE="")
def test_without_a_time_zone_a_file_that_needs_one_stops_and_nothing_of_it_is_applied(
    tmp_path: Path, at_noon: time_machine.Traveller
) -> None:
    (tmp_path / "a-20250320T100000Z.csv").write_text(PATIENTS + "P1,Emma,Brown,\n")
    rows = "patient_id,hospitalization_case_number,admission_date,admission_time\n"
    offset = "P1,C1,2025-03-19,08:00\n"
    (tmp_path / "b-20250320T110000Z.csv").write_text(rows + offset)

    done = run("ingest", tmp_path, "--json")

    assert done.code == 1
    assert "Set HOSPITAL_TIME_ZONE to the hospital's IANA time zone" in done.err
    assert [file["key"] for file in done.answer["files"]] == ["a-20250320T100000Z.csv"]
    assert list(FeedFile.objects.values_list("key", flat=True)) == ["a-20250320T100000Z.csv"]
    assert not Feed.objects.filter(layout="pms.admissions").exists()


def test_an_error_that_nobody_foresaw_is_a_sentence_too(db: None, tmp_path: Path) -> None:
    with override_settings(HOSPITAL_TIME_ZONE="Nowhere/Atlantis"):  # settings refuse it at start
        (tmp_path / "20250320T110000Z.csv").write_text(PATIENTS + "P1,Emma,Brown,\n")
        done = run("ingest", tmp_path)

    assert done.code == 3
    assert done.err == (
        "This stopped at an error that nobody foresaw (ZoneInfoNotFoundError). Nothing was left"
        " half-done. Please report it, with what --traceback shows."
    )
    assert Patient.objects.count() == 0


def test_the_progress_bar_shows_on_a_terminal_alone(
    exports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ingest", exports)
    assert capsys.readouterr().err == ""

    progress = Progress(2, is_shown=True)
    progress.step([], None)  # type: ignore[arg-type]
    progress.clear()
    assert "█" * 15 + "░" * 15 + " 1 of 2 files" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_on_a_real_terminal_the_bar_is_drawn_and_taken_away_again(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(PATIENTS + "P1,Emma,Brown,\n")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "manage.py", "ingest", str(tmp_path)],
        env=environment(),
        cwd=PROJECT,
        stderr=theirs,
        stdout=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    drawn = os.read(ours, 4096).decode() if select.select([ours], [], [], 5)[0] else ""
    for each in (ours, theirs):
        os.close(each)

    assert done.returncode == 0
    assert drawn.startswith("\r" + "█" * 30 + " 1 of 1 files, 0 s left \033[K")
    assert drawn.endswith("\r\033[K")
    assert "█" not in done.stdout.decode()


# --- Whatever goes wrong ------------------------------------------------------------------


def assert_plain(text: str) -> None:
    assert "Traceback" not in text
    assert "secret-word" not in text


@pytest.mark.parametrize("command", [("ingest", "."), ("watch",)])
def test_without_a_database_a_command_says_so_in_one_sentence(
    command: tuple[str, ...], db: None
) -> None:
    done = manage(*command, DATABASE_URL=NOWHERE)

    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "CommandError: The database at 127.0.0.1:1 cannot be reached, or failed. Start it or set"
        " DATABASE_URL, then run this again: nothing was left half-done.\n"
    )
    assert_plain(done.err)


def test_every_command_ends_as_politely(db: None) -> None:
    for app, name in (("ingestion", "books"), ("alerts", "overdue"), ("ingestion", "watch")):
        assert isinstance(load_command_class(app, name), MannerlyCommand)


def test_wrong_arguments_are_answered_with_the_usage(db: None) -> None:
    for arguments in (("ingest", "--jsn"), ("overdue", "--at", "noon")):
        done = manage(*arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"usage: manage.py {arguments[0]}")
        assert_plain(done.err)


@pytest.mark.django_db(transaction=True)
def test_names_that_the_terminal_cannot_write_do_not_stop_the_list() -> None:
    with time_machine.travel(NOON, tick=False):
        admit("P1", "לוי, נועה", hours=60)
        deliver(lab_test("T1", "P1", "Sodium", hours=59), source="lis")

    at = ("overdue", "--at", NOON.isoformat())
    plain = manage(*at, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    as_json = manage(*at, "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (plain.code, as_json.code) == (0, 0)
    assert as_json.answer["patients"][0]["name"] == "לוי, נועה"
    assert_plain(plain.err + as_json.err)


# --- books and overdue --------------------------------------------------------------------


def test_books_answer_in_the_shape_that_scripts_rely_on(
    at_noon: time_machine.Traveller, tmp_path: Path
) -> None:
    admit("P1", "Brown, Emma", hours=60)
    deliver(patient("P2", "Fox, Otto"), patient("P3", date_of_birth="31.1.1990"))
    deliver(admission("CP1", "P2", hours=10), admission("C9", "P9", hours=9))
    deliver(
        lab_test("T1", "P1", "Sodium", hours=5),
        lab_test("T1", "P2", "Sodium", hours=5),
        lab_test("T9", "P9", "Sodium", hours=5),
        lab_test("T2", "P1", "Sodium", hours=-9),
        lab_test("T3", "P1", "Sodium", hours=4),
        source="lis",
    )
    deliver(
        lab_result("R1", "T1", "5", hours=4), lab_result("R3", "T3", "5", hours=3), source="lis"
    )
    (tmp_path / "x").write_bytes(b"")
    run("ingest", tmp_path)

    assert run("books", "--json").answer == {
        "patients": 3,
        "admissions": 2,
        "open_admissions": 2,
        "lab_tests": 3,
        "lab_results": 1,
        "waiting": {"admissions": 1, "lab_tests": 1, "lab_results": 1},
        "identity_conflicts": {"test_ids": 1, "case_numbers": 1},
        "rejected": {"future": 1},
        "dismissed": {},
        "flaws": {"bad_date": 1},
        "files": {"ingested": 6, "refused": 1},
        "balanced": True,
    }
    assert "            balanced  yes" in run("books").out


def test_overdue_answers_in_the_shape_that_scripts_rely_on(
    at_noon: time_machine.Traveller,
) -> None:
    admit("P1", "Brown, Emma", hours=90, department="ICU", room_number="12-B")
    admit("P2", "Fox, Otto", hours=49)
    admit("P3", "Grey, Ada", hours=48)

    assert run("overdue", "--json").answer == {
        "at": "2025-03-20T12:00:00+00:00",
        "threshold_hours": 48,
        "patients": [
            {
                "patient_id": "P1",
                "case_number": "CP1",
                "name": "Brown, Emma",
                "department": "ICU",
                "room": "12-B",
                "admitted_at": "2025-03-16T18:00:00+00:00",
                "last_test_at": None,
                "hours_without_test": 90.0,
                "state": "due",
            },
            {
                "patient_id": "P2",
                "case_number": "CP2",
                "name": "Fox, Otto",
                "department": None,
                "room": None,
                "admitted_at": "2025-03-18T11:00:00+00:00",
                "last_test_at": None,
                "hours_without_test": 49.0,
                "state": "due",
            },
        ],
    }
    icu = run("overdue", "--json", "--department", "ICU").answer["patients"]
    assert [one["patient_id"] for one in icu] == ["P1"]
    assert run("overdue", "--department", "Icu", "--json").answer["patients"] == []


def test_overdue_judges_another_instant_with_what_was_known_of_it(
    at_noon: time_machine.Traveller,
) -> None:
    admit("P1", "Brown, Emma", hours=100)
    deliver(lab_test("T1", "P1", "Sodium", hours=60), source="lis")
    deliver(lab_test("T2", "P1", "Sodium", hours=1), source="lis", at=NOON - timedelta(minutes=1))
    earlier = (NOON - timedelta(hours=10)).isoformat()

    (one,) = run("overdue", "--at", earlier, "--json").answer["patients"]

    assert (one["hours_without_test"], one["state"]) == (50.0, "cannot_know")
    assert one["last_test_at"] == "2025-03-18T00:00:00+00:00"
    assert run("overdue", "--json").answer["patients"] == []


def test_overdue_says_which_feeds_are_silent(at_noon: time_machine.Traveller) -> None:
    admit("P1", "Brown, Emma", hours=100)
    deliver(lab_test("T1", "P1", "Sodium", hours=60), source="lis", at=NOON - timedelta(minutes=16))

    said = run("overdue")

    assert said.code == 0
    assert "60.0 h  cannot know  P1  Brown, Emma\n" in said.out
    assert said.out.endswith("Cannot know: nothing new from lis.lab_tests · lis.\n")


def test_a_file_of_the_command_line_lies_in_the_local_feed(exports: Path) -> None:
    (exports / "d-20250320T110000Z.csv").write_text(PATIENTS)
    run("ingest", exports)

    assert [str(feed) for feed in Feed.objects.all()] == ["pms.patients · local"]
