"""A dry run says what would become of a file, and writes nothing."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import time_machine
from django.apps import apps
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from ingestion.layouts import LAYOUTS, PMS_PATIENTS, Column, Layout
from ingestion.models import Feed
from ingestion.services.trial import try_object
from ingestion.storage import local_object
from tests.ingestion.terminal import Ran, run

TESTS = "Test_ID;patient_id;test_name;order_date;order_time;priority;status\n"
ROWS = (
    "T1;P1;Sodium;19/3/2025;08:00;high;Ordered\n"
    "T2;P1;;19/3/2025;08:00;low;Sent\n"
    "T3;P2;Potassium;2/3/2025;08:00;low;Cancelled\n"
    "T4;P2\n"
    "T5;P2;Sodium;1/3/2025;08:00;low;Sent"
)


@pytest.fixture
def folder(tmp_path: Path, at_noon: time_machine.Traveller) -> Path:
    return tmp_path


def write(folder: Path, content: str | bytes, *, name: str = "20250320T110000Z.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of_everything() -> dict[str, int]:
    return {
        model._meta.db_table: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
    }


@pytest.fixture
def nothing_is_written(db: None) -> Iterator[None]:
    """No row in any table comes or goes, and the database is asked and told nothing else."""
    before = rows_of_everything()
    with CaptureQueriesContext(connection) as asked:
        yield
    assert [one["sql"] for one in asked if not one["sql"].startswith("SELECT")] == []
    assert rows_of_everything() == before


dry = pytest.mark.usefixtures("folder", "nothing_is_written")


def trial(path: Path, *options: str) -> Ran:
    return run("ingest", "--dry-run", path, *options)


@dry
def test_a_dry_run_tells_a_script_everything(folder: Path) -> None:
    done = trial(write(folder, TESTS + ROWS), "--source", "lab-north", "--json")

    (one,) = done.answer["files"]
    first_rows = one.pop("first_rows")
    assert done.code == 0
    assert one == {
        "key": "20250320T110000Z.csv",
        "layout": "lis.lab_tests",
        "feed": "lis.lab_tests · lab-north",
        "is_new_feed": True,
        "refusal": None,
        "reason": None,
        "encoding": "utf-8",
        "delimiter": ";",
        "day_first": False,
        "source_time": "2025-03-20T11:00:00+00:00",
        "source_time_from": "name",
        "columns": {
            "Test_ID": "test_id",
            "patient_id": "patient_id",
            "test_name": "test_name",
            "order_date": "order_date",
            "order_time": "order_time",
            "priority": None,
            "status": "status",
        },
        "unknown_columns": ["priority"],
        "missing_optional": ["ordering_physician"],
        "unlisted_statuses": {"status: Sent": 1},
        "is_possibly_cut": True,
        "rows": 5,
        "rejected": [
            {"reason": "bad_date", "column": "order_date", "count": 2, "lines": [2, 3]},
            {"reason": "columns", "column": None, "count": 1, "lines": [5]},
        ],
        "dates_other_way_round": 2,
        "flaws": [],
    }
    assert first_rows[0] == {
        "line": 4,
        "records": [
            {
                "kind": "lab_test",
                "values": {
                    "identity": "T3 · P2",
                    "name": "Potassium",
                    "ordered_at": "2025-02-03 08:00:00",
                    "status": "Cancelled",
                    "is_cancelled": "yes",
                    "priority": "low",
                },
            }
        ],
    }
    assert [row["line"] for row in first_rows] == [4, 6]


@dry
def test_the_day_first_is_tried_before_it_is_declared(folder: Path) -> None:
    done = trial(write(folder, TESTS + ROWS), "--day-first", "--json")

    (one,) = done.answer["files"]
    assert one["day_first"] is True
    assert one["rejected"] == [
        {"reason": "missing", "column": "test_name", "count": 1, "lines": [3]},
        {"reason": "columns", "column": None, "count": 1, "lines": [5]},
    ]
    assert one["first_rows"][0]["records"][0]["values"]["ordered_at"] == "2025-03-19 08:00:00"


@dry
def test_a_dry_run_tells_a_person_the_same(folder: Path) -> None:
    done = trial(write(folder, TESTS + ROWS), "--day-first")

    assert done.code == 0
    for said in (
        "  layout       lis.lab_tests: its 5 required columns are all there\n",
        "  feed         lis.lab_tests · local, a new feed\n",
        "  read as      utf-8, semicolon, the day first\n",
        "  source time  2025-03-20T11:00:00+00:00 (the stamp in its name)\n",
        "    priority                        (unknown: kept as extra data)\n",
        "    –                               ordering_physician (optional, missing)\n",
        "  rows         5: 3 would be applied, 2 rejected\n",
        "    1 × rejected missing in test_name: a vital value is missing\n      lines 3\n",
        "    1 × unlisted status, says nothing: status: Sent\n",
        "    The last line has no line end: it may have been cut.\n",
        "    ordered_at            2025-03-19 08:00:00   2025-03-02 08:00:00",
        "\nNothing was written.\n",
    ):
        assert said in done.out


@dry
def test_dates_that_need_the_other_order_are_told_and_never_read_so(folder: Path) -> None:
    assert (
        "    2 of the rejected rows hold dates with the day first.\n"
        in trial(write(folder, TESTS + ROWS)).out
    )
    assert "of the rejected rows" not in trial(write(folder, TESTS + ROWS), "--day-first").out


@dry
def test_a_refused_file_is_told_with_the_nearest_layout_and_exit_code_1(folder: Path) -> None:
    write(folder, "patient_id,first_name,last_name,dob\nP1,Emma,Brown,\n")

    done = trial(folder)

    assert done.code == 1
    assert (
        "would be refused: No layout fits the header. The nearest is pms.patients; it lacks"
        " date_of_birth.\n" in done.out
    )


@dry
def test_a_file_from_the_future_is_read_on_and_told(folder: Path) -> None:
    path = write(folder, TESTS + ROWS, name="20260320T110000Z.csv")

    done = trial(path, "--json")

    (one,) = done.answer["files"]
    assert (done.code, one["refusal"], one["rows"]) == (1, "from_the_future", 5)


@dry
def test_an_encoding_is_tried_before_it_is_declared(folder: Path) -> None:
    header = "patient_id,first_name,last_name,date_of_birth,שם\n"
    path = write(folder, (header + "P1,אמה,כהן,,x\n").encode("cp1255"))

    (without,) = trial(path, "--json").answer["files"]
    (tried,) = trial(path, "--encoding", "cp1255", "--json").answer["files"]

    assert without["refusal"] == "no_header"
    assert (tried["refusal"], tried["encoding"]) == (None, "cp1255")
    assert tried["first_rows"][0]["records"][0]["values"]["last_name"] == "כהן"


def test_what_the_feed_declares_holds_in_a_dry_run_too(folder: Path) -> None:
    Feed.objects.create(source="lab", layout="lis.lab_tests", is_day_first=True, encoding="cp1255")
    before = rows_of_everything()

    done = trial(write(folder, (TESTS + ROWS).encode("cp1255")), "--source", "lab", "--json")

    (one,) = done.answer["files"]
    assert (one["is_new_feed"], one["encoding"], one["day_first"]) == (False, "cp1255", True)
    assert sum(found["count"] for found in one["rejected"]) == 2
    assert rows_of_everything() == before


@dry
def test_of_a_file_that_is_no_text_nothing_but_the_refusal_is_told(folder: Path) -> None:
    done = trial(write(folder, b"\x89PNG\r\n\x1a\n\x00\x00"))

    assert done.code == 1
    assert "would be refused: The header row" in done.out
    assert "layout" not in done.out


@override_settings(HOSPITAL_TIME_ZONE="")
@dry
def test_without_a_time_zone_a_dry_run_says_which_setting_is_missing(folder: Path) -> None:
    done = trial(write(folder, TESTS + ROWS), "--day-first")

    assert done.code == 1
    assert "Set HOSPITAL_TIME_ZONE to the hospital's IANA time zone" in done.err


@dry
def test_what_is_only_tried_is_refused_without_a_dry_run(folder: Path) -> None:
    path = write(folder, TESTS + ROWS)

    for option in (("--source", "lab"), ("--encoding", "cp1255"), ("--day-first",)):
        done = run("ingest", path, *option)
        assert (done.code, "are for --dry-run" in done.err) == (2, True)


@dry
def test_a_long_file_is_read_in_little_memory(folder: Path) -> None:
    row = "T{0};P{0};Sodium;20/3/2025;08:00;low;Ordered {0}\n"
    path = write(folder, TESTS + "".join(row.format(number) for number in range(60_000)))
    assert path.stat().st_size > 2_500_000

    tracemalloc.start()
    found = try_object(local_object(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    finding = found.rejected["bad_date", "order_date"]
    assert (found.rows, finding.count, finding.lines) == (60_000, 60_000, [2, 3, 4, 5, 6])
    assert peak < 6_000_000


def with_an_alias(layout: Layout, name: str, alias: str) -> Layout:
    """The same layout, with one declaration changed as a developer would change it."""

    def aliased(column: Column) -> Column:
        return replace(column, aliases=(alias,)) if column.name == name else column

    return replace(
        layout,
        required=tuple(map(aliased, layout.required)),
        optional=tuple(map(aliased, layout.optional)),
    )


@dry
def test_an_alias_that_is_declared_takes_in_what_was_refused(folder: Path) -> None:
    stored = local_object(
        write(folder, "patient_id,first_name,last_name,dob\nP1,Emma,Brown,1990-01-31\n")
    )
    patients = with_an_alias(PMS_PATIENTS, "date_of_birth", "dob")
    layouts = tuple(patients if one is PMS_PATIENTS else one for one in LAYOUTS)

    before, after = try_object(stored), try_object(stored, layouts=layouts)

    assert before.refusal is not None
    assert before.refusal.reason == "unknown_layout"
    assert after.refusal is None
    assert after.columns[3] == ("dob", "date_of_birth")
    (line, (statement,)) = after.first_rows[0]
    assert (line, str(statement.values["date_of_birth"])) == (2, "1990-01-31")


def test_the_page_on_connecting_shows_what_a_dry_run_says(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "connecting.md").read_text()
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", page, flags=re.MULTILINE)
    blocks = [re.sub(r"^ {4}", "", one.strip("\n"), flags=re.MULTILINE) + "\n" for one in found]
    exports = [block for block in blocks if block.startswith("Test")]
    shown = [block for block in blocks if "manage.py ingest --dry-run" in block]

    said = [
        trial(
            write(folder, export, name="tests-20250320T050000Z.csv"),
            *("--source", "lab-north"),
            *(["--day-first"] if "--day-first" in block.partition("\n")[0] else []),
        ).out
        for block, export in zip(shown, [exports[0], exports[1], exports[1]], strict=True)
    ]
    assert [block.partition("\n")[2] for block in shown] == said
