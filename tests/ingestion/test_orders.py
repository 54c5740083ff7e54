"""Order of arrival plays no part: whatever comes first, the record is the same, and it is right.

Held against tests/oracle, a second writing of the feed contract that shares no code with the
product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.management.commands.overdue import as_dict
from alerts.queries.standing import overdue_admissions, vision_at
from ingestion.services.books import books
from tests.exports import quirks, strategies
from tests.ingestion.record import ingest_in_this_order, the_record
from tests.oracle import ExportObject, Hospital

pytestmark = pytest.mark.django_db
ALL_LAYOUTS = strategies.SPLIT + strategies.COMBINED
drawn = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def an_empty_hospital(zone: str) -> Iterator[None]:
    with override_settings(HOSPITAL_TIME_ZONE=zone), transaction.atomic():
        yield
        transaction.set_rollback(True)


def assert_as_the_contract_says(
    objects: Sequence[ExportObject], order: Sequence[ExportObject], zone: str, at: datetime
) -> None:
    with an_empty_hospital(zone):
        ingest_in_this_order(order)
        expected = Hospital(zone).ingest(objects)
        assert the_record() == expected.record()
        assert books() == expected.books()
        assert overdue(at) == [
            {name: value for name, value in item.items() if name != "name"}
            for item in expected.overdue(at)
        ]


def overdue(at: datetime) -> list[dict[str, Any]]:
    vision = vision_at(at)
    items = [as_dict(admission, vision) for admission in overdue_admissions(vision)]
    for item in items:
        del item["name"]
    return sorted(
        items,
        key=lambda item: (-item["hours_without_test"], item["patient_id"], item["case_number"]),
    )


@pytest.mark.parametrize("build", [quirks.split_set, quirks.combined_set])
@pytest.mark.parametrize("order", ["in order", "in reverse", "twice, the second time in reverse"])
def test_every_quirk_ends_in_the_same_record_in_any_order(build: Any, order: str) -> None:
    objects = sorted(build(), key=lambda each: each.source_time)
    reverse = objects[::-1]
    arrival = {"in order": objects, "in reverse": reverse}.get(order, objects + reverse)
    assert_as_the_contract_says(objects, arrival, quirks.ZONE, quirks.CLOCK)


@drawn
@given(data=st.data())
def test_every_quirk_shuffled_with_every_file_twice_ends_in_the_same_record(
    data: st.DataObject,
) -> None:
    objects = quirks.split_set() + quirks.combined_set()
    order = data.draw(st.permutations(objects + objects))
    assert_as_the_contract_says(objects, order, quirks.ZONE, quirks.CLOCK)


@drawn
@given(data=st.data(), at=strategies.moments())
def test_small_hospitals_end_in_the_record_of_the_contract_in_any_order(
    data: st.DataObject, at: datetime
) -> None:
    objects = data.draw(strategies.exports(layouts=ALL_LAYOUTS, sources=("local", "lis-b")))
    order = data.draw(strategies.orders(objects))
    assert_as_the_contract_says(objects, order, strategies.ZONE, at)
