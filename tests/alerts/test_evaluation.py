"""An alert is raised once, ends with its reason, and silence is never taken for an answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.models import Alert, AlertRule
from alerts.queries.standing import (
    open_admissions,
    overdue_admissions,
    standing_admissions,
    vision_at,
)
from alerts.services.evaluation import Evaluation, evaluate
from ingestion.choices import FileStatus
from ingestion.models import Admission, ChangeCounter, Department, Feed, FeedFile, Patient
from tests.deliveries import NOON, admission, admit, deliver, lab_result, lab_test, order, released
from tests.exports import strategies
from tests.ingestion.record import ingest_in_this_order
from tests.ingestion.test_orders import an_empty_hospital

pytestmark = pytest.mark.usefixtures("at_noon")


def a_living_lab(**at: Any) -> None:
    """A LIS file that says nothing of anybody on the board."""
    columns = "test_id patient_id test_name order_date order_time"
    deliver(source="lis", columns=columns, **at)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def alerts() -> list[tuple[str, str, str]]:
    return [
        (one.admission.case_number, one.status, one.resolution)
        for one in Alert.objects.select_related("admission").order_by("pk")
    ]


def alert() -> Alert:
    return Alert.objects.get()


def rule(**values: Any) -> None:
    default, _ = AlertRule.objects.get_or_create(kind="no_new_test", department=None)
    for name, value in values.items():
        setattr(default, name, value)
    default.save()


def rule_of(department: str, **values: Any) -> None:
    ward, _ = Department.objects.get_or_create(name=department)
    AlertRule.objects.update_or_create(department=ward, defaults=values)


# --- Raised and resolved ------------------------------------------------------------------


def test_an_alert_is_raised_once_however_often_one_evaluates() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == [("CP1", "open", "")]
    assert (alert().raised_at, alert().quiet_since, alert().tier) == (NOON, NOON - hours(49), 1)

    counted = ChangeCounter.objects.get().count
    assert [evaluate(), evaluate()] == [Evaluation(), Evaluation()]
    assert alerts() == [("CP1", "open", "")]
    assert ChangeCounter.objects.get().count == counted


def test_at_the_threshold_itself_nothing_is_due_and_a_second_later_it_is() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=48)
    assert alerts() == []

    evaluate(now=NOON + timedelta(seconds=1))
    assert alerts() == [("CP1", "open", "")]


def test_a_new_test_resolves_an_alert_with_that_reason() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    order("T1", "P1", "Sodium", hours=1)

    assert alerts() == [("CP1", "resolved", "new_test")]
    assert alert().resolved_at == NOON


def test_a_performed_result_resolves_an_alert_as_a_new_test_does() -> None:
    admit("P1", "Brown, Emma", hours=90)
    order("T1", "P1", "Sodium", hours=80)
    assert alerts() == [("CP1", "open", "")]

    deliver(lab_result("R1", "T1", "5", hours=2), source="lis")
    assert alerts() == [("CP1", "resolved", "new_test")]


def test_a_discharge_resolves_an_alert_with_that_reason() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    deliver(admission("CP1", "P1", hours=49, **released(1)))

    assert alerts() == [("CP1", "resolved", "discharged")]


def test_a_planned_release_resolves_nothing() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    deliver(admission("CP1", "P1", hours=49, **released(-5)))

    assert alerts() == [("CP1", "open", "")]


def test_a_test_too_old_to_help_leaves_the_alert_open() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=90)
    order("T1", "P1", "Sodium", hours=60)

    assert alerts() == [("CP1", "open", "")]
    assert open_admissions().get().quiet_since == NOON - hours(60)


def test_a_cancelled_test_brings_the_alert_back() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    order("T1", "P1", "Sodium", hours=1)
    deliver(lab_test("T1", "P1", "Sodium", hours=1, status="Cancelled"), source="lis")

    assert alerts() == [("CP1", "resolved", "new_test"), ("CP1", "open", "")]


def test_a_test_of_another_patient_resolves_nothing() -> None:
    admit("P1", "Brown, Emma", hours=49)
    admit("P2", "Fox, Otto", hours=49)
    order("T1", "P2", "Sodium", hours=1)

    assert alerts() == [("CP1", "open", ""), ("CP2", "resolved", "new_test")]


def test_a_corrected_admission_resolves_an_alert_as_a_change_of_the_record() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    deliver(admission("CP1", "P1", hours=40))

    assert alerts() == [("CP1", "resolved", "record_changed")]


def test_a_patient_who_is_not_known_yet_has_no_alert_until_their_row_comes() -> None:
    a_living_lab()
    deliver(admission("CP1", "P1", hours=49))
    evaluate()
    assert alerts() == []

    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == [("CP1", "open", "")]


# --- Silence ------------------------------------------------------------------------------


def test_while_a_lab_is_silent_nothing_is_raised_and_the_admission_cannot_be_known() -> None:
    a_living_lab(at=NOON - timedelta(minutes=15, seconds=1))
    admit("P1", "Brown, Emma", hours=49)

    assert evaluate() == Evaluation()
    assert alerts() == []
    vision = vision_at(NOON)
    (one,) = overdue_admissions(vision)
    assert vision.judge(one.quiet_since, one.department_id).standing == "cannot_know"


def test_at_its_interval_a_feed_is_still_alive() -> None:
    a_living_lab(at=NOON - timedelta(minutes=15))
    admit("P1", "Brown, Emma", hours=49)

    assert alerts() == [("CP1", "open", "")]


def test_an_open_alert_is_marked_in_silence_and_unmarked_when_the_feed_returns() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    later = NOON + timedelta(minutes=16)

    assert evaluate(now=later) == Evaluation(marked=1)
    assert (alert().status, alert().unknown_since) == ("open", later)
    assert evaluate(now=later + hours(1)) == Evaluation()
    assert alert().unknown_since == later

    assert evaluate(now=NOON + timedelta(minutes=1)) == Evaluation(marked=1)
    assert (alert().status, alert().unknown_since) == ("open", None)


def test_in_silence_a_discharge_and_a_test_that_did_arrive_still_resolve() -> None:
    a_living_lab()
    for number in ("P1", "P2"):
        admit(number, "Brown, Emma", hours=49)
    evaluate(now=NOON + timedelta(minutes=16))
    deliver(admission("CP1", "P1", hours=49, **released(1)))
    order("T1", "P2", "Sodium", hours=1, at=NOON - hours(1))  # from a second, silent lab

    evaluate(now=NOON + timedelta(minutes=16))

    assert alerts() == [("CP1", "resolved", "discharged"), ("CP2", "resolved", "new_test")]
    assert set(Alert.objects.values_list("unknown_since", flat=True)) == {None}


def test_within_the_threshold_an_admission_is_not_due_even_in_silence() -> None:
    a_living_lab(at=NOON - hours(5))
    admit("P1", "Brown, Emma", hours=47)

    vision = vision_at(NOON)
    one = standing_admissions(vision).get()
    assert vision.is_blind
    assert vision.judge(one.quiet_since, None).standing == "not_due"
    assert list(overdue_admissions(vision)) == []


def test_one_silent_lab_does_not_hide_behind_a_living_one() -> None:
    a_living_lab()
    deliver(
        source="lis-b",
        columns="test_id patient_id test_name order_date order_time",
        at=NOON - hours(2),
    )
    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == []

    Feed.objects.filter(source="lis-b").update(retired_at=NOON - hours(1))
    evaluate()
    assert alerts() == [("CP1", "open", "")]


def test_a_feeds_own_interval_counts_and_a_silent_pms_blinds_no_rule() -> None:
    a_living_lab(at=NOON - hours(2))
    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == []

    Feed.objects.filter(source="lis").update(interval_minutes=120)
    evaluate(now=NOON)
    assert alerts() == [("CP1", "open", "")]
    assert evaluate(now=NOON + timedelta(seconds=1)) == Evaluation(marked=1)


def test_a_refused_file_gives_no_sign_of_life() -> None:
    a_living_lab(at=NOON - hours(2))
    deliver(source="lis", columns="test_id patient_id test_name order_date order_time test_id")
    admit("P1", "Brown, Emma", hours=49)

    assert FeedFile.objects.filter(status=FileStatus.REFUSED).count() == 1
    assert alerts() == []


def test_a_feed_that_is_catching_up_is_not_alive() -> None:
    a_living_lab()
    FeedFile.objects.create(
        bucket="inbox",
        key="lis/waits.csv",
        version="v",
        source="lis",
        last_modified=NOON,
        source_time=NOON,
        received_at=NOON - timedelta(seconds=61),
        size=1,
    )
    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == []

    FeedFile.objects.filter(key="lis/waits.csv").update(
        status=FileStatus.REFUSED, refusal="vanished", reason="It was gone."
    )
    evaluate()
    assert alerts() == [("CP1", "open", "")]


def waits(key: str, *, source_time: datetime, seconds: float) -> None:
    """Put a file of the laboratory on record that is not ingested yet."""
    FeedFile.objects.create(
        bucket="inbox",
        key=key,
        version="v",
        source="lis",
        last_modified=source_time,
        source_time=source_time,
        received_at=NOON - timedelta(seconds=seconds),
        size=1,
    )


def test_a_file_that_later_ones_overtook_is_waited_for() -> None:
    a_living_lab()
    waits("lis/large.csv", source_time=NOON - timedelta(hours=1), seconds=3)
    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == []

    FeedFile.objects.filter(key="lis/large.csv").update(source_time=NOON + timedelta(minutes=1))
    evaluate()
    assert alerts() == [("CP1", "open", "")]


def test_many_files_that_came_at_once_are_all_waited_for() -> None:
    a_living_lab()
    for number in range(21):
        waits(f"lis/{number}.csv", source_time=NOON + timedelta(seconds=number + 1), seconds=0)
    admit("P1", "Brown, Emma", hours=49)
    assert alerts() == []

    FeedFile.objects.get(key="lis/20.csv").delete()
    evaluate()
    assert alerts() == [("CP1", "open", "")]


def test_a_hospital_whose_lab_never_delivered_has_no_silent_feed() -> None:
    admit("P1", "Brown, Emma", hours=49)

    assert alerts() == [("CP1", "open", "")]


# --- Thresholds ---------------------------------------------------------------------------


def test_a_departments_rule_counts_instead_of_the_default() -> None:
    rule_of("ICU", threshold_hours=12, second_tier_hours=None)
    rule_of("Rehab", threshold_hours=100, second_tier_hours=None)
    a_living_lab()
    admit("P1", "Brown, Emma", hours=13, department="ICU")
    admit("P2", "Fox, Otto", hours=99, department="Rehab")
    admit("P3", "Grey, Ada", hours=13, department="Surgery")

    assert alerts() == [("CP1", "open", "")]
    assert alert().rule.threshold_hours == 12


def test_the_tier_rises_with_the_hours_and_falls_with_the_rule() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=72)
    assert alert().tier == 1

    Feed.objects.update(interval_minutes=600)
    assert evaluate(now=NOON + timedelta(seconds=1)) == Evaluation(worsened=1)
    assert (alert().tier, alert().status) == (2, "open")
    assert evaluate(now=NOON + timedelta(seconds=2)) == Evaluation()

    rule(second_tier_hours=90)
    evaluate(now=NOON + timedelta(seconds=3))
    assert alert().tier == 1


def test_a_relaxed_rule_resolves_an_alert_as_a_change_of_the_rule() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=49)
    rule(threshold_hours=60)
    evaluate()

    assert alerts() == [("CP1", "resolved", "record_changed")]


def test_who_was_not_touched_is_not_evaluated_with_the_others() -> None:
    a_living_lab()
    admit("P1", "Brown, Emma", hours=40)
    admit("P2", "Fox, Otto", hours=40)
    Feed.objects.update(interval_minutes=60 * 24)
    one = Patient.objects.get(patient_id="P1").pk

    assert evaluate({one}, now=NOON + hours(9)) == Evaluation(raised=1)
    assert evaluate(set(), now=NOON + hours(9)) == Evaluation()
    assert evaluate(now=NOON + hours(9)) == Evaluation(raised=1)


# --- Another instant ----------------------------------------------------------------------


def test_an_earlier_instant_ignores_what_is_later_than_it() -> None:
    admit("P1", "Brown, Emma", hours=100)
    order("T1", "P1", "Sodium", hours=60)
    order("T2", "P1", "Sodium", hours=1)
    admit("P2", "Fox, Otto", hours=5)
    Feed.objects.update(interval_minutes=60 * 24 * 9)
    a_living_lab(at=NOON - hours(99))
    vision = vision_at(NOON - hours(10))

    (one,) = overdue_admissions(vision)
    assert (one.case_number, one.quiet, one.last_test) == (  # type: ignore[attr-defined]
        "CP1",
        NOON - hours(60),
        NOON - hours(60),
    )
    assert not vision.is_blind


def test_a_feed_that_delivered_only_later_was_silent_at_the_instant() -> None:
    admit("P1", "Brown, Emma", hours=100)
    a_living_lab()

    assert vision_at(NOON - hours(1)).is_blind
    assert not vision_at(NOON).is_blind


# --- What is kept equals what is computed -------------------------------------------------


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_since_when_somebody_is_quiet_is_kept_as_it_would_be_computed(data: st.DataObject) -> None:
    layouts = strategies.SPLIT + strategies.COMBINED
    objects = data.draw(strategies.exports(layouts=layouts, most_files=6))
    with an_empty_hospital(strategies.ZONE):
        ingest_in_this_order(data.draw(strategies.orders(objects)))
        for patient in Patient.objects.all():
            times = [
                time
                for test in patient.lab_tests.filter(is_cancelled=False)
                for time in (
                    test.ordered_at,
                    *test.results.filter(is_withdrawn=False, is_taken_back=False).values_list(
                        "performed_at", flat=True
                    ),
                )
                if time is not None
            ]
            assert patient.last_test_at == max(times, default=None)
            for one in patient.admissions.all():
                assert one.quiet_since == max([one.admitted_at, *times])
        waiting = Admission.objects.filter(patient=None)
        assert not waiting.exclude(quiet_since=F("admitted_at")).exists()
        evaluate(now=strategies.CLOCK)
        raised = set(Alert.objects.filter(status="open").values_list("admission", flat=True))
        vision = vision_at(strategies.CLOCK)
        due = {one.pk for one in overdue_admissions(vision)}
        assert raised == (raised & due if vision.is_blind else due)
