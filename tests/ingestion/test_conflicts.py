"""An operator's decision about a shared number holds for the sides that it saw, and no longer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from ingestion.choices import ConflictKind
from ingestion.errors import NotCarriedOut
from ingestion.models import ChangeCounter, ConflictDecision, LabResult, Patient
from ingestion.services.books import books
from ingestion.services.conflicts import NOBODY, conflicts_at_hand, decide_conflict
from ingestion.signals import records_changed
from ops.models import AuditEvent
from tests.deliveries import NOON, admission, deliver, lab_result, lab_test, patient
from tests.ingestion.terminal import run

pytestmark = pytest.mark.usefixtures("at_noon")

BEFORE = NOON - timedelta(minutes=30)
WHY = "The laboratory confirmed it by telephone."


def order(test: str, number: str, *, hours: float = 9, **more: str) -> None:
    deliver(lab_test(test, number, "Sodium", hours=hours, **more), source="lis", at=BEFORE)


def cancel(test: str, number: str) -> None:
    deliver(lab_test(test, number, "Sodium", hours=9, status="Cancelled"), source="lis")


def where(result: str) -> tuple[str | None, str | None]:
    """The patient to whom a result belongs, and what it waits for."""
    one = LabResult.objects.select_related("lab_test").get(result_id=result)
    return (one.lab_test.patient_number if one.lab_test else None, one.waits_for)


def hours_since_last_test(number: str) -> float | None:
    at = Patient.objects.get(patient_id=number).last_test_at
    return None if at is None else (NOON - at) / timedelta(hours=1)


def decide(belongs_to: str, *sides: str, by: str = "olga", why: str = WHY) -> ConflictDecision:
    return decide_conflict(
        ConflictKind.TEST_ID, "T1", sides=sides, belongs_to=belongs_to, by=by, why=why
    )


@pytest.fixture
def shared_number(at_noon: object) -> None:
    """Two patients' tests bear the number T1, and a result names only that."""
    deliver(patient("P1"), patient("P2"), patient("P3"))
    order("T1", "P1")
    order("T1", "P2")
    deliver(lab_result("R1", "T1", "5", hours=4), source="lis", at=BEFORE)
    assert where("R1") == (None, "ambiguous_test")


shared = pytest.mark.usefixtures("shared_number")


@shared
def test_results_that_name_only_the_number_belong_to_whom_was_decided_at_once() -> None:
    told: list[set[uuid.UUID] | None] = []
    before = ChangeCounter.objects.get().count

    def listen(patients: set[uuid.UUID] | None, **_: object) -> None:
        told.append(patients)

    records_changed.connect(listen)
    try:
        decide("P2", "P1", "P2")
    finally:
        records_changed.disconnect(listen)

    assert where("R1") == ("P2", None)
    assert (hours_since_last_test("P1"), hours_since_last_test("P2")) == (9, 4)
    assert ChangeCounter.objects.get().count == before + 1
    both = Patient.objects.filter(patient_id__in=("P1", "P2"))
    assert told == [set(both.values_list("pk", flat=True))]


@shared
def test_results_that_come_later_heed_the_decision_too() -> None:
    decide("P2", "P1", "P2")

    deliver(
        lab_result("R2", "T1", "5", hours=3),
        lab_result("R3", "T1", "5", hours=2, patient_id="P1"),
        source="lis",
    )

    assert (where("R2"), where("R3")) == (("P2", None), ("P1", None))


@shared
def test_a_decision_for_nobody_leaves_the_results_waiting_and_the_list_of_open_ones() -> None:
    decision = decide(NOBODY, "P1", "P2")

    assert where("R1") == (None, "ambiguous_test")
    assert [one.decision for one in conflicts_at_hand(limit=9)] == [decision]


@shared
def test_a_third_side_opens_the_conflict_again_and_its_end_brings_the_decision_back() -> None:
    decide("P2", "P1", "P2")

    order("T1", "P3")
    assert where("R1") == (None, "ambiguous_test")
    assert [(one.sides, one.decision) for one in conflicts_at_hand(limit=9)] == [
        (["P1", "P2", "P3"], None)
    ]

    cancel("T1", "P3")
    assert where("R1") == ("P2", None)


@shared
def test_newer_data_from_the_source_wins_over_the_decision() -> None:
    decide("P2", "P1", "P2")

    cancel("T1", "P2")

    assert where("R1") == ("P1", None)
    assert conflicts_at_hand(limit=9) == []
    assert (hours_since_last_test("P1"), hours_since_last_test("P2")) == (4, None)


@shared
def test_the_newest_decision_holds() -> None:
    decide("P2", "P1", "P2")
    decide("P1", "P1", "P2", by="omar")
    assert where("R1") == ("P1", None)

    decide(NOBODY, "P1", "P2")
    assert where("R1") == (None, "ambiguous_test")
    assert ConflictDecision.objects.count() == 3


@shared
def test_a_later_decision_on_more_sides_replaces_the_earlier_one_for_good() -> None:
    decide("P2", "P1", "P2")
    order("T1", "P3")
    decide(NOBODY, "P1", "P2", "P3")

    cancel("T1", "P3")

    assert where("R1") == (None, "ambiguous_test")
    assert [one.decision for one in conflicts_at_hand(limit=9)] == [None]


@shared
def test_a_decision_for_a_test_whose_patient_is_not_known_waits_for_that_test() -> None:
    order("T1", "P9")

    decide("P9", "P1", "P2", "P9")
    assert where("R1") == (None, "test")

    deliver(patient("P9"))
    assert where("R1") == ("P9", None)


@shared
def test_a_conflict_that_changed_while_somebody_looked_is_not_decided() -> None:
    order("T1", "P3")

    with pytest.raises(NotCarriedOut, match="not the one that was shown"):
        decide("P2", "P1", "P2")

    assert (ConflictDecision.objects.count(), AuditEvent.objects.count()) == (0, 0)
    assert where("R1") == (None, "ambiguous_test")


@shared
@pytest.mark.parametrize(
    ("belongs_to", "by", "why"),
    [("P2", "olga", " "), ("P2", "", WHY), ("P3", "olga", WHY)],
    ids=["no reason", "nobody", "a stranger"],
)
def test_a_decision_without_reason_person_or_side_is_refused(
    belongs_to: str, by: str, why: str
) -> None:
    with pytest.raises(NotCarriedOut):
        decide(belongs_to, "P1", "P2", by=by, why=why)

    assert (ConflictDecision.objects.count(), AuditEvent.objects.count()) == (0, 0)
    assert where("R1") == (None, "ambiguous_test")


@shared
def test_a_decision_is_on_the_trail_without_any_patients_number() -> None:
    decision = decide("P2", "P1", "P2")

    act = AuditEvent.objects.get()
    assert (act.act, act.who, act.why, act.object_kind, act.object_key) == (
        "conflict.decided",
        "olga",
        WHY,
        "conflict decision",
        str(decision.pk),
    )
    assert act.details == {"kind": "test_id", "sides": 2, "belongs_to": "one of them"}


@shared
def test_the_books_count_a_decided_conflict_as_a_conflict_still() -> None:
    decide("P2", "P1", "P2")

    assert books()["identity_conflicts"] == {"test_ids": 1, "case_numbers": 0}
    assert books()["waiting"]["lab_results"] == 0


def test_a_shared_case_number_can_only_be_seen_to_be_real() -> None:
    deliver(patient("P1"), patient("P2"))
    deliver(admission("C1", "P1", hours=9), admission("C1", "P2", hours=8))

    with pytest.raises(NotCarriedOut):
        decide_conflict(
            ConflictKind.CASE_NUMBER, "C1", sides=["P1", "P2"], belongs_to="P1", by="olga", why=WHY
        )
    decision = decide_conflict(
        ConflictKind.CASE_NUMBER, "C1", sides=["P1", "P2"], belongs_to=NOBODY, by="olga", why=WHY
    )

    assert [(one.kind, one.decision) for one in conflicts_at_hand(limit=9)] == [
        (ConflictKind.CASE_NUMBER, decision)
    ]
    assert ConflictDecision.objects.count() == 1


@pytest.mark.parametrize("first", ["the decision", "the result"])
def test_the_order_of_result_and_decision_plays_no_part(first: str) -> None:
    deliver(patient("P1"), patient("P2"))
    order("T1", "P1")
    order("T1", "P2")
    acts: list[Callable[[], object]] = [
        lambda: decide("P2", "P1", "P2"),
        lambda: deliver(lab_result("R1", "T1", "5", hours=4), source="lis"),
    ]
    for act in acts if first == "the decision" else reversed(acts):
        act()

    assert where("R1") == ("P2", None)


# --- From the command line ----------------------------------------------------------------


@shared
def test_the_command_lists_conflicts_and_decides_one() -> None:
    assert run("resolveconflict").out == "test_id T1: P1, P2; open\n1 open\n"

    done = run(
        "resolveconflict", "test_id", "T1", "--belongs-to", "P2", "--why", WHY, "--by", "olga"
    )

    assert (done.code, done.out) == (0, "Decided between P1, P2.\n")
    assert where("R1") == ("P2", None)
    assert run("resolveconflict", "--json").answer == {
        "conflicts": [
            {
                "kind": "test_id",
                "identifier": "T1",
                "sides": ["P1", "P2"],
                "waiting_results": 0,
                "decision": {
                    "belongs_to": "P2",
                    "by": "olga",
                    "why": WHY,
                    "at": "2025-03-20T12:00:00+00:00",
                },
            }
        ]
    }


@shared
def test_the_command_decides_nothing_by_halves() -> None:
    for arguments in (
        ("test_id", "T1", "--why", WHY),
        ("test_id", "T1", "--belongs-to", "P2"),
        ("test_id", "T1", "--belongs-to", "P3", "--why", WHY),
        ("test_id", "T9", "--nobody", "--why", WHY),
        ("case_number", "C1", "--nobody", "--why", WHY),
    ):
        assert run("resolveconflict", *arguments).code == 2
    assert ConflictDecision.objects.count() == 0
