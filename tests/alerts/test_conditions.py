"""Due, not due, or cannot know: the rule by itself, on a table of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.conditions import Judgement, Limits, judge

AT = datetime(2025, 3, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "is_blind", "standing", "tier"),
    [
        (-3.0, False, "not_due", 0),
        (0.0, False, "not_due", 0),
        (48.0, False, "not_due", 0),
        (48.5, False, "due", 1),
        (72.0, False, "due", 1),
        (72.5, False, "due", 2),
        (48.0, True, "not_due", 0),
        (48.5, True, "cannot_know", 0),
        (500.0, True, "cannot_know", 0),
    ],
)
def test_hours_and_silence_make_a_standing(
    hours: float, is_blind: bool, standing: str, tier: int
) -> None:
    judged = judge(AT - timedelta(hours=hours), at=AT, limits=Limits(48, 72), is_blind=is_blind)

    assert judged == Judgement(max(hours, 0.0), judged.standing, tier)
    assert judged.standing == standing


def test_a_rule_without_a_second_tier_never_gets_worse() -> None:
    judged = judge(AT - timedelta(days=90), at=AT, limits=Limits(48), is_blind=False)

    assert (judged.standing, judged.tier) == ("due", 1)
