"""How many queries a file may cost: as many for a thousand rows as for one.

What psycopg2's execute_values sends, one statement for a hundred rows or more, is not seen here.
"""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.services.receiving import ingest
from tests.deliveries import admission, deliver, lab_result, lab_test, patient
from tests.ingestion.test_receiving import people, stored

pytestmark = pytest.mark.usefixtures("at_noon")

KINDS = {
    "patients": lambda n: patient(f"P{n}"),
    "admissions": lambda n: admission(f"C{n}", f"P{n}", hours=9, department="ICU"),
    "tests": lambda n: lab_test(f"T{n}", f"P{n}", "Sodium", hours=5),
    "results": lambda n: lab_result(f"R{n}", f"T{n}", "5", hours=4),
    "rejected": lambda n: {**lab_test(f"T{n}", f"P{n}", "x", hours=5), "order_date": "soon"},
    "flawed": lambda n: patient(f"P{n}", date_of_birth="soon"),
}


def cost(kind: str, *, rows: int, start: int) -> int:
    """Count the queries of one file, evaluation of whom it touched included."""
    content = [KINDS[kind](number) for number in range(start, start + rows)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        deliver(*content, source="lis" if kind in ("tests", "results") else "pms")
    return len(queries)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_rows_cost_few_more_queries_than_one(kind: str) -> None:
    deliver(*(patient(f"P{number}") for number in range(1001)))
    deliver(*(lab_test(f"T{number}", f"P{number}", "x", hours=9) for number in range(1001)))
    deliver(KINDS[kind](2000))  # what is made on first sight is made now

    one = cost(kind, rows=1, start=0)
    thousand = cost(kind, rows=1000, start=1)

    assert one <= 37
    assert thousand <= one


def test_children_that_waited_are_linked_without_a_query_for_each() -> None:
    deliver(*(admission(f"C{number}", f"P{number}", hours=9) for number in range(1001)))
    deliver(*(lab_test(f"T{number}", f"P{number}", "x", hours=9) for number in range(1001)))
    deliver(*(lab_result(f"R{number}", f"T{number}", "5", hours=8) for number in range(1001)))
    deliver(patient("P2000"))

    one = cost("patients", rows=1, start=0)
    thousand = cost("patients", rows=1000, start=1)

    assert one <= 37
    assert thousand <= one


def test_a_notice_of_what_is_done_costs_next_to_nothing() -> None:
    ingest(stored(people("P1,Emma,Brown,")))
    with CaptureQueriesContext(connection) as queries:
        ingest(stored(people("P1,Emma,Brown,")))

    assert len(queries) <= 6
