"""What is remembered of sets of columns, while other workers make new ones."""

from __future__ import annotations

import pytest

from ingestion.choices import RecordKind
from ingestion.services.tables import ColumnSets

SAYS = frozenset({"patient_id", "first_name"})


@pytest.mark.django_db
def test_a_set_that_another_worker_made_meanwhile_is_looked_up() -> None:
    ours, theirs = ColumnSets(), ColumnSets()
    key = theirs.key_of(RecordKind.PATIENT, SAYS, ["first_name"])
    assert ours.columns_of[key] == SAYS
    assert ours.attributes_of[key] == {"first_name"}
    assert ours.key_of(RecordKind.PATIENT, SAYS, ["first_name"]) == key
