"""The torture in short: some thousand damaged files, some ingested, and six kills.

The whole of it is `make torture`.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings

from tests.exports.files import bytes_of, local_file
from tests.torture import verdicts
from tests.torture.bases import LAYOUTS, ZONE
from tests.torture.cases import CLOCK, TookTooLong, a_limit, case
from tests.torture.mutations import ALL_KINDS
from tests.torture.sample import ingest_sample
from tests.torture.scratch import PROJECT
from tests.torture.steps import step_of
from tests.torture.storm import rage
from tests.torture.terminal import Progress

SEED = 2


@pytest.fixture
def zone() -> Iterator[None]:
    with override_settings(HOSPITAL_TIME_ZONE=ZONE):
        yield


def test_damaged_files_are_read_as_the_oracle_reads_them() -> None:
    storm = rage(SEED, range(3_700), processes=1, progress=Progress("damaged files"))
    assert storm.wrongs == []
    assert storm.recognised_share >= 0.5
    assert storm.total.files == 3_700
    assert all(count.files >= 100 for count in storm.counts.values())


@pytest.mark.django_db
def test_damaged_files_end_in_the_oracles_record_and_books(zone: None) -> None:
    sample = ingest_sample(SEED, range(0, 3_700, 100))
    assert sample.wrongs == []
    assert sample.files == 37


def test_a_case_is_the_same_file_for_ever() -> None:
    assert case(SEED, 4711) == case(SEED, 4711)
    assert case(SEED, 4711).object.content != case(SEED + 1, 4711).object.content


def test_every_layout_meets_every_kind_of_damage() -> None:
    met = {(one.kind, one.object.key.split("-")[0]) for one in (case(1, n) for n in range(600))}
    assert met == {(kind, layout) for kind in ALL_KINDS for layout in LAYOUTS}


def test_a_product_that_read_times_in_another_zone_would_be_noticed() -> None:
    lines = [
        "test_id,patient_id,test_name,order_date,order_time",
        "T1,P1,Sodium,2025-03-19,8:00",
    ]
    file = local_file("a.csv", bytes_of(lines), last_modified=CLOCK, received_at=CLOCK)
    expected = verdicts.of_the_oracle(file, zone=ZONE)
    for by_columns in (False, True):
        right, wrong = (
            verdicts.of_the_product(file, zone=ZoneInfo(zone), by_columns=by_columns)
            for zone in (ZONE, "UTC")
        )
        assert right == expected
        (difference,) = wrong.differences(expected)
        assert difference.startswith("line 2: ")


def test_a_product_that_lost_a_row_would_be_noticed() -> None:
    found, expected = (verdicts.Verdict(layout="pms.patients", rows=rows) for rows in (1, 2))
    assert found.differences(expected) == ["1 rows ≠ 2 rows"]


def spin() -> None:
    for _ in itertools.count():
        pass


def test_a_reading_without_end_is_stopped() -> None:
    with pytest.raises(TookTooLong), a_limit(0.05):
        spin()


@pytest.mark.parametrize(
    ("query", "inside", "claimed", "step"),
    [
        ("SELECT 1", False, True, "reading and judging, no transaction"),
        ("SELECT pg_advisory_unlock(1, 2)", False, False, "between two files"),
        ("SELECT pg_advisory_xact_lock(1)", True, True, "taking locks"),
        ("COMMIT", True, True, "committing"),
        ('SELECT "a"."id" FROM "ingestion_patient" "a"', True, True, "merging patients"),
        ("COPY ingestion_labtest (id) FROM STDIN", True, True, "writing tests"),
        ("COPY a_stage (line) FROM STDIN", True, True, "copying rows to the stage"),
        ("WITH x AS (SELECT 1) UPDATE ingestion_labresult r SET", True, True, "writing results"),
        ('INSERT INTO "ingestion_reading" ("id")', True, True, "writing the ledger"),
        ('UPDATE "alerts_alert" SET', True, False, "evaluating alerts"),
        ("SELECT DISTINCT p FROM stage_x", True, True, "working out on the stage what is new"),
        ("SAVEPOINT a", True, True, "beginning"),
    ],
)
def test_a_statement_tells_the_step(query: str, inside: bool, claimed: bool, step: str) -> None:
    assert step_of(query, is_in_transaction=inside, has_claim=claimed) == step


def test_six_kills_lose_nothing() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.torture",
        "kills",
        "--kills=6",
        "--scale=0.2",
        "--quick",
    ]
    done = subprocess.run(
        [*command, "--minutes=4"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Passed." in done.stdout, done.stdout + done.stderr
    assert done.stdout.startswith("6 kills (seed 1)")
    assert done.returncode == 0
