"""Of what was taken in, only the text of settled rejected rows may go; the books stay whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from ingestion.models import Admission, LabTest, Patient, RejectedRow
from ingestion.queries import past
from ingestion.services.books import books
from ingestion.services.quarantine import dismiss_row
from ops.choices import HoldScope
from ops.models import AuditEvent, RetentionRun
from ops.registry import RetentionKind, retention_kinds
from ops.services.holding import place_hold
from ops.services.retention import Line, apply, report
from tests import cast
from tests.deliveries import (
    NOON,
    admission,
    deliver,
    deliver_lines,
    lab_result,
    lab_test,
    patient,
    released,
)
from tests.ingestion.terminal import run
from tests.ops.seals import empty_the_trail

KIND = "ingestion.rejected_text"
A_YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)
BAD_DAY = {"order_date": "yesterday"}


@pytest.fixture(autouse=True)
def a_year(at_noon: time_machine.Traveller) -> Iterator[None]:
    """A hospital that keeps the text of settled rows for a year."""
    with override_settings(RETENTION_DAYS={KIND: 365}):
        yield


def kinds() -> list[RetentionKind]:
    return [one for one in retention_kinds() if one.name == KIND]


def told() -> Line:
    return report(kinds(), now=timezone.now())[0]


def remove() -> int:
    return apply(kinds(), by="olga", why="Nightly.", now=timezone.now()).gone


def reject_test(test: str, number: str) -> None:
    """Deliver a test whose row is rejected, since its day cannot be read."""
    deliver(lab_test(test, number, "Sodium", hours=5) | BAD_DAY, source="lis")


def dismiss_all() -> None:
    for row in RejectedRow.objects.filter(settled_at__isnull=True):
        dismiss_row(row, by="olga", why="Known to the laboratory.")


def texts() -> dict[int, str]:
    """Give the text of each rejected row, in their order."""
    return dict(enumerate(RejectedRow.objects.order_by("pk").values_list("raw", flat=True), 1))


def with_text() -> list[bool]:
    return [text != "" for text in texts().values()]


def test_the_text_of_a_settled_row_goes_a_second_after_its_year_and_the_row_stays(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("P1"))
    reject_test("T1", "P1")
    dismiss_all()
    closed = books()

    at_noon.move_to(NOON + A_YEAR, tick=False)
    assert (told().over, remove(), with_text()) == (0, 0, [True])
    at_noon.move_to(NOON + A_YEAR + SECOND, tick=False)
    assert (told().over, remove()) == (1, 1)

    row = RejectedRow.objects.get()
    assert (row.raw, row.raw_removed_at) == ("", NOON + A_YEAR + SECOND)
    assert (row.reason, row.settlement, row.settled_by) == ("bad_date", "dismissed", "olga")
    assert (books(), books()["balanced"]) == (closed, True)
    assert remove() == 0


def test_a_dry_run_leaves_every_text(at_noon: time_machine.Traveller) -> None:
    reject_test("T1", "P1")
    dismiss_all()
    before = texts()

    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)
    assert told().would_go == 1

    assert (texts(), RejectedRow.objects.get().raw_removed_at) == (before, None)


def test_a_row_that_is_still_work_keeps_its_text_for_ever(at_noon: time_machine.Traveller) -> None:
    reject_test("T1", "P1")

    at_noon.move_to(NOON + 40 * A_YEAR, tick=False)

    assert (told().over, remove(), with_text()) == (0, 0, [True])


def test_without_a_period_of_the_hospital_nothing_goes(at_noon: time_machine.Traveller) -> None:
    reject_test("T1", "P1")
    dismiss_all()

    at_noon.move_to(NOON + 40 * A_YEAR, tick=False)
    with override_settings(RETENTION_DAYS={}):
        assert (told().days, told().would_go, remove()) == (None, 0, 0)

    assert with_text() == [True]


@pytest.mark.parametrize("is_patient_known", [True, False])
def test_a_row_of_a_patient_in_a_bed_keeps_its_text(
    at_noon: time_machine.Traveller, is_patient_known: bool
) -> None:
    if is_patient_known:
        deliver(patient("P1"))
    deliver(admission("C1", "P1", hours=10))
    reject_test("T1", "P1")
    reject_test("T2", "P2")
    dismiss_all()
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)

    assert (told().over, remove(), with_text()) == (1, 1, [True, False])

    deliver(admission("C1", "P1", hours=10) | released(5), at=NOON + A_YEAR)
    assert (remove(), with_text()) == (1, [False, False])


def test_a_rejected_result_is_that_of_its_tests_patient(at_noon: time_machine.Traveller) -> None:
    """Its row names no patient: its number leads there, also where it looks like a patient's."""
    deliver(patient("P1"), patient("R1"))
    deliver(admission("C1", "P1", hours=10))
    deliver(lab_test("T1", "P1", "Sodium", hours=9), source="lis")
    deliver(lab_result("R1", "T1", "140", hours=8), source="lis")
    deliver(lab_result("R1", "T1", "141", hours=7) | {"performed_date": ""}, source="lis")
    dismiss_all()
    assert RejectedRow.objects.count() == 1

    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)

    assert (told().over, remove(), with_text()) == (0, 0, [True])


# --- Holds --------------------------------------------------------------------------------


def hold_patient(number: str) -> tuple[int, UUID]:
    key = Patient.objects.get(patient_id=number).pk
    return place_hold(HoldScope.PATIENT, by="sophie", why="A court asks.", patient=key).pk, key


def test_a_hold_on_a_patient_keeps_what_is_theirs_and_what_may_be(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("P1"), patient("P2"))
    reject_test("T1", "P1")
    reject_test("T2", "P2")
    reject_test("T3", "P3")  # of whom nobody knows
    deliver_lines("test_id,patient_id,test_name,order_date,order_time", "T4", source="lis")
    dismiss_all()
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)
    hold, _ = hold_patient("P1")

    line = told()
    assert (line.over, line.held, line.would_go) == (4, 3, 1)
    assert line.holds == [{"hold": hold, "count": 3}]
    assert (remove(), with_text()) == (1, [True, False, True, True])


def test_two_holds_that_keep_the_same_row_keep_it_once(at_noon: time_machine.Traveller) -> None:
    deliver(patient("P1"), patient("P2"))
    reject_test("T1", "P1")
    reject_test("T3", "P3")
    dismiss_all()
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)
    first, _ = hold_patient("P1")
    second, _ = hold_patient("P2")

    line = told()

    assert (line.over, line.held) == (2, 2)
    assert line.holds == [{"hold": first, "count": 2}, {"hold": second, "count": 1}]
    assert remove() == 0


# --- What is seen of it -------------------------------------------------------------------


def test_operators_see_that_the_text_was_removed_and_when(
    at_noon: time_machine.Traveller,
) -> None:
    key = deliver(lab_test("T1", "P1", "Sodium", hours=5) | BAD_DAY, source="lis")
    dismiss_all()
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)
    remove()

    row = RejectedRow.objects.get()
    operator = cast.olga_operator().browser
    page = operator.get(f"/admin/ingestion/rejectedrow/{row.pk}/change/").content.decode()
    assert "Removed 2027-03-20 13:00: its time was over (see Retention)." in page
    answer = run("row", key, "2", "--raw")
    assert "its text was removed at 2027-03-20T12:00:00+00:00" in answer.out


def test_what_was_known_before_the_text_went_is_told_as_ever(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("P1"), admission("C1", "P2", hours=9))
    reject_test("T1", "P1")
    at_noon.move_to(NOON + SECOND, tick=False)
    dismiss_all()
    closed = [books(known_at=NOON), books(known_at=NOON + SECOND)]
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)

    assert remove() == 1

    assert [books(known_at=NOON), books(known_at=NOON + SECOND)] == closed
    with past.known_at(NOON):
        assert RejectedRow.objects.get().settled_at is None


def test_an_overtaken_row_goes_like_a_dismissed_one_and_a_replay_reads_the_file_as_before(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("P1"))
    reject_test("T1", "P1")
    deliver(lab_test("T1", "P1", "Sodium", hours=5), at=NOON + SECOND, source="lis")
    assert RejectedRow.objects.get().settlement == "overtaken"
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)

    assert (remove(), with_text(), LabTest.objects.count()) == (1, [False], 1)


# --- Beside ingestion ---------------------------------------------------------------------


@pytest.fixture
def committed(transactional_db: None) -> Iterator[None]:
    """What these tests commit is gone afterwards, the trail by its owner."""
    yield
    empty_the_trail()


@pytest.mark.usefixtures("committed")
def test_removing_beside_a_live_feed_blocks_nobody_and_loses_nothing(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(*(patient(f"P{number}") for number in range(200)))
    rows = [lab_test(f"T{n}", f"P{n}", "Sodium", hours=5) | BAD_DAY for n in range(200)]
    deliver(*rows, source="lis")
    dismiss_all()
    at_noon.move_to(NOON + 2 * A_YEAR, tick=False)
    failures: list[BaseException] = []

    def feed() -> None:
        """The same tests come again, rejected and then right: rows are added and settled."""
        try:
            for turn in range(5):
                at = NOON + A_YEAR + turn * SECOND
                deliver(*rows, at=at, source="lis")
                good = [row | {"order_date": "2025-03-19"} for row in rows]
                deliver(*good, at=at + SECOND, source="lis")
        except BaseException as error:  # pylint: disable=broad-exception-caught
            failures.append(error)
        finally:
            connection.close()

    feeding = threading.Thread(target=feed)
    feeding.start()
    gone = 0
    while feeding.is_alive():
        gone += remove()
    feeding.join()
    gone += remove()

    assert failures == []
    assert set(RetentionRun.objects.values_list("status", flat=True)) == {"done"}
    assert (gone, RejectedRow.objects.filter(raw="").count()) == (200, 200)
    assert RejectedRow.objects.count() == 1_200
    assert sum(_details("rows")) == 200
    assert (books()["balanced"], LabTest.objects.count()) == (True, 200)
    assert Admission.objects.count() == 0


def _details(name: str) -> list[Any]:
    removed = AuditEvent.objects.filter(act="retention.removed")
    return [one.details[name] for one in removed]
