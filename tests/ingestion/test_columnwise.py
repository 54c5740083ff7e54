"""Rows judged a column at a time are judged as they are one by one."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.errors import FileRefused
from ingestion.models import ColumnSet
from ingestion.services.loading import Load
from ingestion.services.tables import TABLES
from tests.exports import quirks, strategies
from tests.oracle import ExportObject

pytestmark = pytest.mark.django_db
NEVER, ALWAYS = 1_000_000, 1
AT = datetime(2025, 3, 20, 12, 0, tzinfo=UTC)


# The same instant may be written with another offset.
INSTANT = re.compile(r"(?<=\t)\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d(?=\t|$)")


def as_utc(found: re.Match[str]) -> str:
    try:
        return datetime.fromisoformat(found[0]).astimezone(UTC).isoformat()
    except ValueError:  # as it came, in a row that was rejected for it
        return found[0]


def told(content: bytes, *, few_rows: int, at: datetime = AT) -> dict[str, list[str]]:
    """Everything that a file is staged as, each row as COPY takes it."""
    try:
        load = Load(io.BytesIO(content), source="lab", source_time=at, few_rows=few_rows)
    except FileRefused as refusal:
        return {"refused": [str(refusal.reason)]}
    stage = load.stage
    spools = {table.stage: stage.records[table] for table in TABLES}
    spools |= {"rejected": stage.rejected, "subjects": stage.subjects, "flaws": stage.flaws}
    rows = {
        name: sorted(INSTANT.sub(as_utc, row) for row in spool.rows())
        for name, spool in spools.items()
    }
    rows["judged"] = [str(stage.judged.lines)]
    rows["not applied"] = [str(stage.not_applied.lines)]
    rows["unlisted"] = sorted(stage.unlisted)
    rows["departments"] = sorted(stage.departments)
    stage.close()
    return rows


def assert_both_ways_are_one(objects: Sequence[ExportObject], zone: str) -> None:
    with override_settings(HOSPITAL_TIME_ZONE=zone):
        for each in objects:
            at = each.source_time
            quick = told(each.content, few_rows=ALWAYS, at=at)
            assert quick == told(each.content, few_rows=NEVER, at=at)


def test_every_quirk_is_told_alike_both_ways() -> None:
    with time_machine.travel(AT):
        assert_both_ways_are_one(quirks.split_set() + quirks.combined_set(), quirks.ZONE)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_exports_of_any_hospital_are_told_alike_both_ways(data: st.DataObject) -> None:
    layouts = strategies.SPLIT + strategies.COMBINED
    objects = data.draw(strategies.exports(layouts=layouts, sources=("local",)))
    assert_both_ways_are_one(objects, strategies.ZONE)


def column_sets(content: bytes, *, few_rows: int) -> dict[tuple[str, ...], list[str]]:
    """Which attributes each set of columns that a file brings is said to state."""
    with transaction.atomic():
        Load(io.BytesIO(content), source="lab", source_time=AT, few_rows=few_rows).stage.close()
        found = {
            (each.kind, *sorted(each.columns)): sorted(each.attributes)
            for each in ColumnSet.objects.exclude(attributes=[])
        }
        transaction.set_rollback(True)
    return found


# What a cell may hold, for every sort of column, plain and odd.
CELLS = (
    *("", " ", "NULL", "na", "N/A", "None", "P1", " P2 ", "0007", "x" * 65, "y" * 1001, "a\\b"),
    *("3/20/2025", "2025-03-20", "20/3/2025", "2025-02-30", "1/1/1899", "3/30/2025", "1/1/1969"),
    *("5:20 AM", "05:20:59", "24:00", "0:00", "2:30", "13:06", "13:05:00", "13:05:01", "5:20PM"),
    *("2025-03-20T05:20:00Z", "2025-03-20 05:20", "2025-03-20T05:20:00+25:00", "2025-03-21 09:00"),
    *("Completed", "cancelled", "Discharged", "Active", "Odd word", "Final", "Entered in error"),
    *("4.5", "<0.1", "> 7", "4,5", "1e5", "mmol/L", "mmol/L, mg/dL", "Ünïcode ☃", "O'Neil"),
    *('"', "a|b", "a;b", "\\N", "t\tx", "1/31/1970", "1870-01-01"),
)
HEADERS = (
    "patient_id,first_name,last_name,date_of_birth,gender,allergies",
    (
        "patient_id,hospitalization_case_number,admission_date,admission_time,release_date,"
        "release_time,department,room_number"
    ),
    "patient_id,hospitalization_case_number,admission_date,admission_time,odd column,Other",
    "patient_id,hospitalization_case_number,admission_date,admission_time,release_time",
    "test_id,patient_id,test_name,order_date,order_time,ordering_physician,status",
    (
        "result_id,test_id,result_value,performed_date,performed_time,patient_id,result_unit,"
        "result_status"
    ),
    "result_id,test_id,result_value,performed_date,performed_time",
    (
        "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,ward,bed_number,"
        "status,discharge_date"
    ),
    "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,status",
    "test_id,patient_id,test_type,test_date,admission_id,result,status,lab_location,extra",
    "test_id,patient_id,test_type,test_date",
)
FITTING = {
    "date": ("3/20/2025", "2025-03-19", "3/1/2025"),
    "time": ("5:20 AM", "05:20:59", "13:04"),
    "moment": ("2025-03-20T05:20:00Z", "2025-03-20 05:20", "2025-03-01T00:00:00+02:00"),
    "text": ("P1", "0007", "Brown"),
}
MOMENTS = {"test_date", "discharge_date"}


def fitting(column: str, header: str) -> str:
    if column in MOMENTS or (column == "admission_date" and "admission_time" not in header):
        return "moment"
    return next((kind for kind in ("date", "time") if column.endswith(f"_{kind}")), "text")


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])
def test_odd_cells_among_plain_ones_are_told_alike_both_ways(header: str, zone: str) -> None:
    draw = random.Random(f"{header} {zone}")
    names = header.split(",")
    rows = [
        [
            draw.choice(CELLS if draw.random() < 0.15 else FITTING[fitting(name, header)])
            for name in names
        ]
        for _ in range(400)
    ]
    lines = [header, *("|".join(row) for row in rows)]
    # A delimiter that no cell holds: the cells are at stake here, not the quotes.
    content = "\n".join(line.replace(",", "\t").replace("|", "\t") for line in lines[:1])
    content += "\n" + "\n".join("\t".join(cell.replace("\t", " ") for cell in row) for row in rows)
    with override_settings(HOSPITAL_TIME_ZONE=zone):
        quick = told(content.encode(), few_rows=ALWAYS)
        assert quick == told(content.encode(), few_rows=NEVER)
        assert len(quick["judged"][0]) > 2


STATED = {
    "a status alone that is missing": (
        "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,status",
        "P1,A,B,,C{},2025-03-19 08:00,{}",
        ("Active", ""),
    ),
    "a result's patient": (
        "result_id,test_id,result_value,performed_date,performed_time,patient_id",
        "R{},T1,5,3/19/2025,8:00,{}",
        ("P1", ""),
    ),
    "a combined result": (
        "test_id,patient_id,test_type,test_date,result",
        "T{},P1,Sodium,2025-03-19 08:00,{}",
        ("5", ""),
    ),
    "a test's status": (
        "test_id,patient_id,test_name,order_date,order_time,status",
        "T{},P1,Sodium,3/19/2025,8:00,{}",
        ("Ordered", ""),
    ),
}


@pytest.mark.parametrize("case", STATED)
def test_both_ways_say_alike_what_a_set_of_columns_states(case: str) -> None:
    header, row, values = STATED[case]
    lines = [header, *(row.format(n, values[n % 2]) for n in range(40))]
    content = "\n".join([*lines, ""]).encode()
    with override_settings(HOSPITAL_TIME_ZONE="Europe/Berlin"):
        slow = column_sets(content, few_rows=NEVER)
        assert column_sets(content, few_rows=ALWAYS) == slow
        assert slow
