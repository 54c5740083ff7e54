"""Which layout a header fits, and why a file is refused."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.choices import RecordKind, RefusalReason
from ingestion.errors import FileRefused
from ingestion.layouts import (
    LAYOUTS,
    LIS_COMBINED,
    LIS_LAB_RESULTS,
    LIS_LAB_TESTS,
    PMS_ADMISSIONS,
    PMS_COMBINED,
    PMS_PATIENTS,
    Column,
    Layout,
    Making,
    recognise,
)

REQUIRED = {
    "pms.patients": "patient_id first_name last_name date_of_birth",
    "pms.admissions": "patient_id hospitalization_case_number admission_date admission_time",
    "pms.combined": ("patient_id first_name last_name date_of_birth admission_id admission_date"),
    "lis.lab_tests": "test_id patient_id test_name order_date order_time",
    "lis.lab_results": "result_id test_id result_value performed_date performed_time",
    "lis.combined": "test_id patient_id test_type test_date",
}
OPTIONAL = {
    "pms.patients": "gender primary_physician insurance_provider blood_type allergies",
    "pms.admissions": "release_date release_time department room_number",
    "pms.combined": (
        "gender primary_physician insurance_provider blood_type allergies"
        " ward bed_number status discharge_date"
    ),
    "lis.lab_tests": "ordering_physician status",
    "lis.lab_results": ("patient_id result_unit reference_range result_status reviewing_physician"),
    "lis.combined": "admission_id result status lab_location",
}
VITAL = {
    "pms.patients": "patient_id",
    "pms.admissions": REQUIRED["pms.admissions"],
    "pms.combined": "patient_id admission_id admission_date",
    "lis.lab_tests": REQUIRED["lis.lab_tests"],
    "lis.lab_results": "result_id test_id performed_date performed_time patient_id",
    "lis.combined": REQUIRED["lis.combined"],
}
TABLE = [pytest.param(layout, id=layout.name) for layout in LAYOUTS]


def refusal_of(header: list[str]) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        recognise(header)
    return refused.value


@pytest.mark.parametrize("layout", TABLE)
def test_a_layout_has_the_columns_of_the_contracts_table(layout: Layout) -> None:
    assert [column.name for column in layout.required] == REQUIRED[layout.name].split()
    assert [column.name for column in layout.optional] == OPTIONAL[layout.name].split()
    vital = {column.name for column in layout.columns if column.is_vital}
    assert vital == set(VITAL[layout.name].split())


@pytest.mark.parametrize("layout", TABLE)
def test_every_column_of_a_layout_feeds_a_record(layout: Layout) -> None:
    fed = {name for record in layout.records for each in record.attributes for name in each.columns}
    fed |= {name for record in layout.records for name in record.identity}
    assert fed == {column.name for column in layout.columns}


@pytest.mark.parametrize("layout", TABLE)
def test_exactly_one_record_of_a_layout_keeps_unknown_columns(layout: Layout) -> None:
    assert [record.kind for record in layout.records if record.keeps_unknown] == [
        RecordKind.ADMISSION if layout is PMS_COMBINED else layout.records[0].kind
    ]


@pytest.mark.parametrize("layout", TABLE)
def test_a_release_stands_behind_the_admission_that_it_is_held_against(layout: Layout) -> None:
    for record in layout.records:
        makings = [attribute.making for attribute in record.attributes]
        if Making.RELEASE in makings:
            assert record.attributes[0].name == "admitted_at"


@pytest.mark.parametrize("layout", TABLE)
def test_a_header_of_required_columns_is_recognised(layout: Layout) -> None:
    mapping = recognise(REQUIRED[layout.name].split())
    assert mapping.layout is layout
    assert mapping.missing_optional == tuple(OPTIONAL[layout.name].split())
    assert not mapping.unknown_columns


@pytest.mark.parametrize("layout", TABLE)
def test_each_required_column_is_required(layout: Layout) -> None:
    names = REQUIRED[layout.name].split()
    for lacking in names:
        header = [name for name in names if name != lacking]
        reason = refusal_of(header).reason
        if layout is PMS_COMBINED and lacking in ("admission_id", "admission_date"):
            # A renamed column must not turn admissions into mere patients.
            assert reason is RefusalReason.FOREIGN_COLUMN
        else:
            assert reason is RefusalReason.UNKNOWN_LAYOUT


@given(st.sampled_from(LAYOUTS), st.randoms())
def test_order_case_blanks_and_marks_do_not_matter(layout: Layout, chance: Random) -> None:
    names = f"{REQUIRED[layout.name]} {OPTIONAL[layout.name]}".split()
    chance.shuffle(names)
    header = [f" \ufeff  \ufeff {name.upper()}\t\ufeff" for name in names]
    mapping = recognise(header)
    assert mapping.layout is layout
    assert mapping.columns == {name: place for place, name in enumerate(names)}
    assert not mapping.missing_optional


def test_where_several_fit_the_one_with_most_required_columns_is_meant() -> None:
    header = REQUIRED["pms.combined"].split()
    assert set(REQUIRED["pms.patients"].split()) < set(header)
    assert recognise(header).layout is PMS_COMBINED


def test_unknown_columns_keep_their_name_and_place() -> None:
    mapping = recognise(["patient_id", " Ward Note ", *REQUIRED["pms.patients"].split()[1:], ""])
    assert mapping.layout is PMS_PATIENTS
    assert mapping.unknown_columns == (("Ward Note", 1), ("", 5))
    assert mapping.columns["first_name"] == 2


@pytest.mark.parametrize(
    ("layout", "foreign"),
    [
        (PMS_PATIENTS, "admission_id"),
        (PMS_PATIENTS, "Admission_Date"),
        (PMS_PATIENTS, "hospitalization_case_number"),
        (PMS_ADMISSIONS, "admission_id"),
        (PMS_ADMISSIONS, "last_name"),
        (PMS_COMBINED, "admission_time"),
        (LIS_LAB_TESTS, "test_date"),
        (LIS_LAB_TESTS, "result_value"),
        (LIS_LAB_RESULTS, "test_name"),
        (LIS_COMBINED, "order_time"),
    ],
)
def test_a_required_column_of_a_sibling_refuses_the_file(layout: Layout, foreign: str) -> None:
    refusal = refusal_of([*REQUIRED[layout.name].split(), foreign])
    assert refusal.reason is RefusalReason.FOREIGN_COLUMN
    assert foreign.lower() in refusal.detail
    assert layout.name in refusal.detail


@pytest.mark.parametrize(
    ("layout", "known"),
    [(LIS_LAB_RESULTS, "patient_id"), (LIS_COMBINED, "admission_id"), (LIS_LAB_TESTS, "last_name")],
)
def test_a_column_that_is_known_or_of_the_other_system_does_not(layout: Layout, known: str) -> None:
    assert recognise([*REQUIRED[layout.name].split(), known]).layout is layout


@pytest.mark.parametrize(
    ("more", "where"),
    [
        (["Patient_ID "], "columns 1 and 5 (patient_id)"),
        (["note", "NOTE"], "columns 5 and 6."),
        (["", ""], "columns 5 and 6."),
    ],
)
def test_a_column_named_twice_refuses_the_file(more: list[str], where: str) -> None:
    refusal = refusal_of([*REQUIRED["pms.patients"].split(), *more])
    assert refusal.reason is RefusalReason.DUPLICATE_COLUMN
    assert where in refusal.detail


def test_a_refusal_names_the_nearest_layout_and_what_it_lacks() -> None:
    refusal = refusal_of(["test_id", "patient_id", "test_name", "ordered", "status"])
    assert refusal.detail == (
        "No layout fits the header. The nearest is lis.lab_tests; it lacks order_date, order_time."
    )


@pytest.mark.parametrize(
    "header",
    [
        ["4711", "Ada", "Example", "1/2/1990"],
        ["4711", "Ada", "Ada", "1/2/1990"],
        ["patient_id", "first_name", "last_name", "Ada Example"],
        [*REQUIRED["pms.patients"].split(), "Ada Example", "ada example"],
    ],
)
def test_a_refusal_repeats_nothing_that_may_be_a_patient(header: list[str]) -> None:
    refusal = refusal_of(header)
    for text in (refusal.detail, str(refusal)):
        assert "ada" not in text.lower()
        assert "example" not in text.lower()
        assert "4711" not in text


def test_a_file_whose_lines_end_in_carriage_returns_is_told_so() -> None:
    header = ["patient_id", "first_name", "last_name", "date_of_birth\r1", "Ada", "1/2/1990"]
    assert refusal_of(header).detail.endswith(
        "lines end in a carriage return alone, not a line feed."
    )


def test_two_layouts_that_fit_equally_well_refuse_the_file() -> None:
    header = [*REQUIRED["pms.patients"].split(), "test_id", "test_type", "test_date"]
    refusal = refusal_of(header)
    assert refusal.reason is RefusalReason.UNKNOWN_LAYOUT
    assert refusal.detail == "The header fits pms.patients and lis.combined equally well."


def test_an_alias_is_a_change_to_one_declaration() -> None:
    test_id, *others = LIS_LAB_TESTS.required
    aliased = replace(
        LIS_LAB_TESTS, required=(replace(test_id, aliases=("specimen", "order_no")), *others)
    )
    layouts = [aliased, *(layout for layout in LAYOUTS if layout is not LIS_LAB_TESTS)]
    header = ["Order_No", *REQUIRED["lis.lab_tests"].split()[1:]]
    assert recognise(header, layouts=layouts).columns["test_id"] == 0
    with pytest.raises(FileRefused) as refused:
        recognise([*header, "specimen"], layouts=layouts)
    assert refused.value.reason is RefusalReason.DUPLICATE_COLUMN
    with pytest.raises(FileRefused) as foreign:
        recognise([*REQUIRED["lis.combined"].split(), "order_no"], layouts=layouts)
    assert foreign.value.reason is RefusalReason.FOREIGN_COLUMN


def test_an_optional_column_is_a_change_to_one_declaration() -> None:
    wider = replace(PMS_PATIENTS, optional=(*PMS_PATIENTS.optional, Column("language")))
    mapping = recognise([*REQUIRED["pms.patients"].split(), "Language"], layouts=[wider])
    assert mapping.columns["language"] == 4
    assert not mapping.unknown_columns


@given(st.lists(st.text(max_size=8), max_size=8))
def test_any_header_is_recognised_or_refused(header: list[str]) -> None:
    with pytest.raises(FileRefused):
        recognise(header)
