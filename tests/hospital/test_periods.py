"""How long kinds of data are kept is read from one line, or the start is stopped."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from hospital.settings import _periods as periods_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" , ", {}),
        ("ops.sessions=30", {"ops.sessions": 30}),
        ("alerts.resolved = 5479,ops.drills=ever", {"alerts.resolved": 5479, "ops.drills": None}),
    ],
)
def test_periods_are_read(text: str, expected: dict[str, int | None]) -> None:
    assert periods_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ops.sessions",
        "ops.sessions=",
        "=30",
        "ops.sessions=0",
        "ops.sessions=-1",
        "ops.sessions=1.5",
        "ops.sessions=never",
        "ops.sessions=٣٠",
        "ops.sessions=30,ops.sessions=40",
    ],
)
def test_a_period_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HOSPITAL_RETENTION_DAYS holds"):
        periods_in(text)
