"""What is told of an earlier moment is what was told at that moment, whatever has come since."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection
from django.utils import timezone

from alerts.models import Alert, AlertRule
from alerts.queries.past import known_at
from alerts.queries.standing import overdue_admissions, vision_at
from ingestion.models import (
    Admission,
    Department,
    Feed,
    FeedFile,
    LabResult,
    Patient,
    Reading,
    RejectedRow,
)
from ingestion.models.fields import Lines
from ingestion.queries import doubts_at, freshness_of_feeds, waiting_counts
from ingestion.queries.past import present
from ingestion.services.books import books
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
from tests.ingestion.terminal import Ran, run

pytestmark = pytest.mark.django_db

Step = Callable[[datetime], Any]


def lis(*rows: dict[str, str], **more: Any) -> Step:
    return lambda now: deliver(*rows, source="lis", at=now, **more)


def pms(*rows: dict[str, str], **more: Any) -> Step:
    return lambda now: deliver(*rows, at=now, **more)


def late(*rows: dict[str, str], hours: float, source: str = "pms") -> Step:
    """A file that speaks of an earlier time than those that came before it."""
    return lambda now: deliver(*rows, source=source, at=now - timedelta(hours=hours))


COMBINED = "test_id,patient_id,test_type,test_date,result,status"

# What comes, each a quarter of an hour after the last; times are hours before noon of the day.
STEPS: list[tuple[str, Step]] = [
    ("patients", pms(patient("P1"), patient("P2", "Fox, Otto"), patient("P3", "Grey, Ada"))),
    (
        "admissions, one of an unknown patient",
        pms(
            admission("C1", "P1", hours=90, department="ICU", room_number="1"),
            admission("C2", "P2", hours=80, department="ICU"),
            admission("C3", "P3", hours=70),
            admission("C9", "P9", hours=95),
        ),
    ),
    (
        "tests, one of an unknown patient",
        lis(
            lab_test("T1", "P1", "Sodium", hours=60, status="Ordered"),
            lab_test("T2", "P2", "Sodium", hours=59, status="Ordered"),
            lab_test("T9", "P9", "Sodium", hours=50, status="Ordered"),
        ),
    ),
    (
        "results, one of an unknown test, one whose time is in the future",
        lis(
            lab_result("R1", "T1", "5", hours=20),
            lab_result("R7", "T7", "5", hours=19),
            lab_result("R8", "T2", "5", hours=-9),
        ),
    ),
    ("a reused test number detaches a result", lis(lab_test("T1", "P3", "Urea", hours=55))),
    ("the unknown patient", pms(patient("P9", "Young, Max"))),
    ("a moved patient", pms(admission("C1", "P1", hours=90, department="Surgery"))),
    (
        "a cancelled test gives the result back",
        lis(lab_test("T1", "P3", "Urea", hours=55, status="Cancelled")),
    ),
    (
        "a late file changes the past: an attribute that nobody stated since",
        late(
            {"patient_id": "P2", "first_name": "Otto", "last_name": "Fuchs", "date_of_birth": ""}
            | {"gender": "male"},
            hours=1,
        ),
    ),
    ("a late admission", late(admission("C4", "P2", hours=85), hours=2)),
    ("the rejected result again, now it is settled", lis(lab_result("R8", "T2", "6", hours=1))),
    ("a file that cannot be read", lambda now: deliver_lines("Dear colleague,", at=now)),
    (
        "a combined test with its result",
        lambda now: deliver_lines(
            COMBINED,
            "T5,P3,Sodium,2025-03-18T09:00:00Z,140,Completed",
            source="lis-b",
            at=now,
        ),
    ),
    (
        "the combined result is taken back",
        lambda now: deliver_lines(
            COMBINED, "T5,P3,Sodium,2025-03-18T09:00:00Z,,Ordered", source="lis-b", at=now
        ),
    ),
    ("a discharge", pms(admission("C3", "P3", hours=70, **released(1)))),
    ("the discharge is withdrawn", pms(admission("C3", "P3", hours=70))),
    ("a case number of two patients", pms(admission("C1", "P2", hours=12))),
    ("a test is cancelled", lis(lab_test("T2", "P2", "Sodium", hours=59, status="Cancelled"))),
]


def told() -> dict[str, Any]:
    """Everything that screens and commands tell at the present of the question."""
    now = present()
    vision = vision_at(now)
    feeds = freshness_of_feeds(now)
    return {
        "overdue": [
            (
                one.patient_number,
                one.case_number,
                one.quiet,  # type: ignore[attr-defined]
                one.last_test,  # type: ignore[attr-defined]
                one.quiet_since,
                one.patient.name,  # type: ignore[union-attr]
                one.patient.last_test_name,  # type: ignore[union-attr]
                one.department and one.department.name,
                one.room,
                vision.judge(one.quiet, one.department_id),  # type: ignore[attr-defined]
            )
            for one in overdue_admissions(vision)
        ],
        "feeds": [(str(one.feed), one.freshness, one.newest_source_time) for one in feeds],
        "doubts": sorted(map(repr, doubts_at(now, feeds=feeds))),
        "waiting": waiting_counts(),
        "patients": sorted(Patient.objects.values_list("patient_id", "last_name", "gender")),
        "admissions": sorted(
            Admission.objects.values_list("case_number", "patient_number", "quiet_since", "pk")
        ),
        "results": sorted(LabResult.objects.values_list("pk", "lab_test", "waits_for", "value")),
        "files": sorted(FeedFile.objects.values_list("pk", "status", "feed", "rows", "reading")),
        "alerts": sorted(Alert.objects.values_list("admission", "status", "resolution")),
        "rejected": sorted(RejectedRow.objects.values_list("pk", "settled_at", "settlement")),
    }


@pytest.fixture
def history() -> list[tuple[datetime, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Every step at its own clock, and what was told right after it."""
    kept = []
    for at, (_, step) in enumerate(STEPS):
        now = NOON + timedelta(minutes=10 * at)
        with time_machine.travel(now, tick=False):
            step(now)
        with time_machine.travel(now + timedelta(minutes=5), tick=False):
            asked = timezone.now()
            overdue = run("overdue", "--at", asked.isoformat(), "--json").answer
            kept.append((asked, told(), overdue, books()))
    return kept


def test_every_moment_is_told_afterwards_as_it_was_told_then(
    history: list[tuple[datetime, dict[str, Any], dict[str, Any], dict[str, Any]]],
) -> None:
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        for at, then, overdue, closed in history:
            with known_at(at):
                assert told() == then
            asked = run("overdue", "--known-at", at.isoformat(), "--json").answer
            assert asked == {**overdue, "known_at": at.isoformat()}
            assert run("books", "--known-at", at.isoformat(), "--json").answer == {
                **closed,
                "known_at": at.isoformat(),
            }


def test_the_moments_differ_and_nothing_of_a_look_back_stays(
    history: list[tuple[datetime, dict[str, Any], dict[str, Any], dict[str, Any]]],
) -> None:
    assert all(one[1] != other[1] for one, other in itertools.pairwise(history))
    last = history[-1]
    with time_machine.travel(last[0], tick=False):
        with known_at(history[0][0]):
            assert Admission.objects.count() == 0
        assert told() == last[1]


# Tables that are no answer to anything: keys, a counter, and what is put aside itself.
NOT_SHOWN = {"ChangeCounter", "ColumnSet", "RejectedSubject"}


def test_every_table_that_holds_what_is_told_is_looked_back_at(at_noon: object) -> None:
    tables = {
        model._meta.db_table
        for app in ("ingestion", "alerts")
        for model in apps.get_app_config(app).get_models()
        if model.__name__ not in NOT_SHOWN and not model.__name__.endswith("Before")
    }
    with known_at(NOON), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()"
            " AND relkind = 'v'"
        )
        shown = {name for (name,) in cursor.fetchall()}
    assert shown == tables


def test_nothing_can_be_written_while_looking_back(at_noon: time_machine.Traveller) -> None:
    deliver(patient("P1"))
    with pytest.raises(Exception, match="cannot insert into view"), known_at(NOON):
        Patient.objects.create(
            patient_id="P2", said_in_id=1, said_line=2, created_in_id=1, created_line=2
        )
    assert list(Patient.objects.values_list("patient_id", flat=True)) == ["P1"]


def test_what_became_known_later_is_not_known_although_it_was_true_before(
    at_noon: time_machine.Traveller,
) -> None:
    deliver(patient("P1"))
    deliver(admission("C1", "P1", hours=60))
    deliver(lab_test("T0", "P9", "Sodium", hours=1), source="lis")
    at_noon.shift(timedelta(minutes=10))
    deliver(lab_test("T1", "P1", "Sodium", hours=50), source="lis", at=NOON + timedelta(minutes=10))

    def judged(option: str) -> list[tuple[float, str | None]]:
        answer = run("overdue", option, NOON.isoformat(), "--json").answer
        return [(one["hours_without_test"], one["last_test_at"]) for one in answer["patients"]]

    assert judged("--known-at") == [(60.0, None)]
    assert judged("--at") == [(50.0, "2025-03-18T10:00:00+00:00")]


def test_a_replay_later_does_not_count(at_noon: time_machine.Traveller) -> None:
    deliver(patient("P1"), patient(""))
    before = told()
    at_noon.shift(timedelta(minutes=5))
    file = FeedFile.objects.get()
    _read_again(file, status="ingested", rows=2, updated=1, unchanged=1)
    RejectedRow.objects.update(settled_at=timezone.now(), settlement="replayed")

    assert FeedFile.objects.get().ledger["rejected"] == 0
    with known_at(NOON):
        assert told() == before
        assert FeedFile.objects.get().ledger == {
            "rows": 2,
            "created": 1,
            "updated": 0,
            "unchanged": 0,
            "superseded": 0,
            "waiting": 0,
            "rejected": 1,
        }
    assert books(known_at=NOON)["rejected"] == {"missing": 1}
    assert books()["rejected"] == {}


def test_a_file_refused_first_and_ingested_later_was_refused_in_between(
    at_noon: time_machine.Traveller,
) -> None:
    deliver_lines("Dear colleague,")
    at_noon.shift(timedelta(minutes=5))
    feed = Feed.objects.create(source="pms", layout="pms.patients")
    file = FeedFile.objects.get()
    file.feed = feed
    _read_again(file, status="ingested")

    with known_at(NOON):
        assert freshness_of_feeds(present()) == []
        assert FeedFile.objects.get().status == "refused"
        assert FeedFile.objects.get().feed is None
    assert [one.freshness for one in freshness_of_feeds(NOON + timedelta(minutes=5))] == ["fresh"]
    with known_at(NOON - timedelta(seconds=1)):
        assert FeedFile.objects.count() == 0


def _read_again(file: FeedFile, **more: Any) -> None:
    """What a replay leaves behind."""
    number = file.readings.count() + 1
    Reading.objects.create(
        feed_file=file,
        number=number,
        finished_at=timezone.now(),
        **{f"lines_{name}": Lines() for name in ("created", "superseded", "waiting", "rejected")},
        lines_updated=Lines([(2, 3)] if more.get("updated") else []),
        lines_unchanged=Lines([(3, 4)] if more.get("unchanged") else []),
        **more,
    )
    ledger = dict.fromkeys(file.ledger, 0) | {
        name: more[name] for name in file.ledger if name in more
    }
    FeedFile.objects.filter(pk=file.pk).update(
        status="ingested",
        feed=file.feed,
        refusal="",
        reason="",
        reading=number,
        finished_at=timezone.now(),
        **ledger,
    )


# --- What operators declare, dated by the database's clock --------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_rule_is_judged_as_it_stood() -> None:
    now = timezone.now()
    with time_machine.travel(NOON, tick=False):
        deliver(patient("P1"), patient("P2"))
        deliver(
            admission("C1", "P1", hours=30, department="ICU"),
            admission("C2", "P2", hours=30),
        )
        deliver(lab_test("T9", "P9", "Sodium", hours=1), source="lis")
    moments = [_database_clock()]
    default = AlertRule.objects.get(department=None)
    default.threshold_hours = 24
    default.save()
    moments.append(_database_clock())
    icu = AlertRule.objects.create(
        department=Admission.objects.get(case_number="C1").department,
        threshold_hours=100,
        second_tier_hours=None,
    )
    moments.append(_database_clock())
    icu.threshold_hours = 12
    icu.save()
    moments.append(_database_clock())
    icu.delete()
    moments.append(_database_clock())

    def limits(at: datetime) -> list[float]:
        with known_at(at):
            book = vision_at(present()).rulebook
            key = Department.objects.get().pk
            return [book.limits_for(None).threshold, book.limits_for(key).threshold]

    assert moments[0] > now
    assert [limits(at) for at in moments] == [[48, 48], [24, 24], [24, 100], [24, 12], [24, 24]]


@pytest.mark.django_db(transaction=True)
def test_a_feed_is_judged_by_what_it_declared() -> None:
    now = timezone.now()
    deliver(patient("P1"), at=now - timedelta(minutes=20))
    moments = [_database_clock()]
    Feed.objects.update(interval_minutes=30)
    moments.append(_database_clock())
    Feed.objects.update(retired_at=timezone.now())
    moments.append(_database_clock())

    def freshness(at: datetime) -> list[str]:
        with known_at(at):
            return [one.freshness for one in freshness_of_feeds(present())]

    assert [freshness(at) for at in moments] == [["silent"], ["fresh"], []]


def _database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at


# --- The command line ---------------------------------------------------------------------


@pytest.mark.parametrize("command", ["overdue", "books"])
@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("2025-03-20T12:00:01Z", "lies in the future: nothing is known of it yet"),
        ("2025-03-20T11:00:00", "has no offset: add Z for UTC, or one like +01:00"),
        ("noon", "is not an ISO 8601 time like 2025-03-20T05:20:00Z"),
        ("0001-01-01T00:00:00+14:00", "is not an ISO 8601 time like 2025-03-20T05:20:00Z"),
    ],
)
def test_a_moment_that_cannot_be_asked_about_is_refused(
    at_noon: time_machine.Traveller, command: str, moment: str, why: str
) -> None:
    done = run(command, "--known-at", moment)

    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: argument --known-at: {moment!r} {why}"


def test_known_at_judges_at_its_own_moment_and_at_no_other(at_noon: object) -> None:
    now = NOON.isoformat()

    done: Ran = run("overdue", "--known-at", now, "--at", now)

    assert (done.code, done.out) == (2, "")
    assert done.err == "--known-at judges at the moment that it names: leave --at away."
