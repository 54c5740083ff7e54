"""The drawn hospitals are worth drawing, and the oracle's answer does not hang on their order."""

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.exports.strategies import (
    CLOCK,
    COMBINED,
    SPLIT,
    THRESHOLDS,
    ZONE,
    exports,
    moments,
    noisy_exports,
    orders,
)
from tests.oracle import ExportObject, Hospital

ALL = SPLIT + COMBINED
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def hospital_of(objects: list[ExportObject]) -> Hospital:
    return Hospital(ZONE, thresholds=THRESHOLDS).ingest(objects)


@SLOW
@given(data=st.data(), at=moments(), is_local=st.booleans())
def test_any_order_with_any_repeats_ends_in_the_same_hospital(
    data: st.DataObject, at: datetime, is_local: bool
) -> None:
    objects = data.draw(exports(layouts=ALL, sources=("lab-a", "lab-b"), is_local=is_local))
    shuffled = data.draw(orders(objects))
    one, other = hospital_of(objects), hospital_of(shuffled)
    assert one.record() == other.record()
    assert one.books() == other.books()
    assert one.overdue(at) == other.overdue(at)


@SLOW
@given(objects=st.one_of(exports(layouts=ALL), noisy_exports(layouts=ALL)))
def test_every_row_is_rejected_or_speaks(objects: list[ExportObject]) -> None:
    for file in hospital_of(objects).files:
        spoken = {rank[-1] for rank, _ in file.said}
        rejected = [line for line, _ in file.rejected]
        assert len(rejected) == len(set(rejected))
        assert spoken.isdisjoint(rejected)
        assert {line for line, _, _ in file.flaws} <= spoken
        assert file.rows == (0 if file.refusal else len(spoken) + len(rejected))


@SLOW
@given(objects=exports(layouts=ALL), at=moments())
def test_everyone_listed_is_in_a_bed_and_long_without_a_test(
    objects: list[ExportObject], at: datetime
) -> None:
    hospital = hospital_of(objects)
    admissions = hospital.record()["admissions"]
    for item in hospital.overdue(at):
        admission = admissions[f"{item['case_number']}|{item['patient_id']}"]
        assert admission["released_at"] is None
        assert admission["waiting"] is False
        assert item["hours_without_test"] > THRESHOLDS.get(item["department"], 48)
        assert datetime.fromisoformat(item["admitted_at"]) <= at - timedelta(hours=24)


def test_the_draws_meet_every_rule() -> None:
    """A strategy that never draws a conflict would prove nothing about conflicts."""
    met: Counter[str] = Counter()

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(objects=exports(layouts=ALL))
    def meet(objects: list[ExportObject]) -> None:
        hospital = hospital_of(objects)
        books = hospital.books()
        met.update(f"rejected {reason}" for reason in books["rejected"])
        met.update(f"flaw {reason}" for reason in books["flaws"])
        met.update(f"refused {file.refusal}" for file in hospital.files if file.refusal)
        met.update(f"waiting {kind}" for kind, count in books["waiting"].items() if count)
        met.update(f"conflict {kind}" for kind, n in books["identity_conflicts"].items() if n)
        met.update(f"state {item['state']}" for item in hospital.overdue(CLOCK))
        record = hospital.record()
        met.update(f"result {result['waiting']}" for result in record["lab_results"].values())
        met.update("withdrawn" for each in record["lab_results"].values() if each["is_withdrawn"])
        met.update("cancelled" for each in record["lab_tests"].values() if each["is_cancelled"])
        met.update("released" for each in record["admissions"].values() if each["released_at"])
        met.update(
            "planned" for each in record["admissions"].values() if each["planned_release_at"]
        )

    meet()  # pylint: disable=no-value-for-parameter  # hypothesis draws it
    form = {"encoding", "quote", "columns"}
    vital = {"bad_date", "bad_time", "missing", "too_long", "future", "implausible"}
    flaws = {"bad_date", "bad_time", "too_long", "implausible", "release_before_admission"}
    refusals = {"column_twice", "no_layout", "column_of_another_layout"}
    assert set(met) >= (
        {f"rejected {reason}" for reason in form | vital}
        | {f"flaw {reason}" for reason in flaws}
        | {f"refused {reason}" for reason in refusals | {"source_time_in_the_future"}}
        | {"waiting admissions", "waiting lab_tests", "waiting lab_results"}
        | {"conflict test_ids", "conflict case_numbers", "state due", "state cannot_know"}
        | {"result None", "result test", "result ambiguous_test"}
        | {"withdrawn", "cancelled", "released", "planned"}
    )
