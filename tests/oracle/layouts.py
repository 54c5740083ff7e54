"""The six layouts as section 1 of the contract tables them, and which one a header fits.

Knows column names and word lists. Must not know what a value means.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """One kind of file; `vital` are the columns in bold."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    vital: frozenset[str]

    @property
    def system(self) -> str:
        """`pms` or `lis`."""
        return self.name.partition(".")[0]

    @property
    def known(self) -> frozenset[str]:
        """Every column that the layout gives a meaning to."""
        return frozenset(self.required + self.optional)


class HeaderRefused(Exception):
    """The header belongs to no layout that could be trusted; the file is refused whole."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LAYOUTS = (
    Layout(
        "pms.patients",
        _words("patient_id first_name last_name date_of_birth"),
        _words("gender primary_physician insurance_provider blood_type allergies"),
        frozenset({"patient_id"}),
    ),
    Layout(
        "pms.admissions",
        _words("patient_id hospitalization_case_number admission_date admission_time"),
        _words("release_date release_time department room_number"),
        frozenset(_words("patient_id hospitalization_case_number admission_date admission_time")),
    ),
    Layout(
        "lis.lab_tests",
        _words("test_id patient_id test_name order_date order_time"),
        _words("ordering_physician status"),
        frozenset(_words("test_id patient_id test_name order_date order_time")),
    ),
    Layout(
        "lis.lab_results",
        _words("result_id test_id result_value performed_date performed_time"),
        _words("patient_id result_unit reference_range result_status reviewing_physician"),
        frozenset(_words("result_id test_id performed_date performed_time patient_id")),
    ),
    Layout(
        "pms.combined",
        _words("patient_id first_name last_name date_of_birth admission_id admission_date"),
        _words(
            "gender primary_physician insurance_provider blood_type allergies"
            " ward bed_number status discharge_date"
        ),
        frozenset(_words("patient_id admission_id admission_date")),
    ),
    Layout(
        "lis.combined",
        _words("test_id patient_id test_type test_date"),
        _words("admission_id result status lab_location"),
        frozenset(_words("test_id patient_id test_type test_date")),
    ),
)

CANCELLING = frozenset(
    {"cancelled", "canceled", "rejected", "deleted", "entered in error", "not performed"}
)
TEST_STATUSES = frozenset(
    {"ordered", "in progress", "completed"}
    | {"scheduled", "collected", "received", "pending", "resulted", "final"}
)
RESULT_STATUSES = frozenset(
    {"final", "preliminary", "corrected", "amended", "partial", "pending", "completed"}
    | {"in progress", "ordered", "normal", "abnormal", "high", "low", "critical"}
)


def layout_of(columns: list[str]) -> Layout:
    """Return the layout that a header (names already lowered and trimmed) belongs to."""
    held = set(columns)
    fitting = [layout for layout in LAYOUTS if held.issuperset(layout.required)]
    if not fitting:
        raise HeaderRefused("no_layout")
    if len(held) != len(columns):
        raise HeaderRefused("column_twice")
    most = max(len(layout.required) for layout in fitting)
    best = [layout for layout in fitting if len(layout.required) == most]
    if len(best) > 1:
        raise HeaderRefused("several_layouts")
    _refuse_columns_of_a_sibling(best[0], held)
    return best[0]


def _refuse_columns_of_a_sibling(layout: Layout, held: set[str]) -> None:
    for other in LAYOUTS:
        if other.system != layout.system:
            continue
        if held.intersection(other.required) - layout.known:
            raise HeaderRefused("column_of_another_layout")
