"""What the database itself refuses, whoever writes; and that every migration goes both ways."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from alerts.models import AlertRule
from ingestion.models import Admission, Feed, FeedFile, LabResult, LabTest
from tests.deliveries import (
    NOON,
    admission,
    deliver,
    lab_result,
    lab_test,
    patient,
    released,
)


@pytest.fixture
def a_hospital(at_noon: object) -> None:
    deliver(patient("P1"), patient("P2"))
    deliver(admission("C1", "P1", hours=60, **released(10)), admission("C2", "P2", hours=9))
    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")
    deliver(lab_result("R1", "T1", "5", hours=4), source="lis")


# Each is one statement, and the guard that must refuse it.
REFUSED = {
    "ledger_balances": "UPDATE ingestion_feedfile SET created = created + 1",
    "only_ingested_files_have_rows": (
        "UPDATE ingestion_feedfile SET status = 'refused', refusal = 'no_header', reason = 'x'"
    ),
    "refused_files_say_why": (
        "UPDATE ingestion_feedfile SET status = 'refused', rows = 0, created = 0"
    ),
    "ingested_files_have_a_feed": "UPDATE ingestion_feedfile SET feed_id = NULL",
    "one_file_per_object_version": (
        "UPDATE ingestion_feedfile SET bucket = 'b', key = 'k', version = 'v'"
    ),
    "one_feed_per_source_and_layout": "UPDATE ingestion_feed SET source = 's', layout = 'l'",
    "release_not_before_admission": (
        "UPDATE ingestion_admission SET released_at = admitted_at - interval '1 second'"
    ),
    "planned_release_not_before_admission": (
        "UPDATE ingestion_admission SET released_at = NULL,"
        " planned_release_at = admitted_at - interval '1 second'"
    ),
    "a_release_is_confirmed_or_planned": (
        "UPDATE ingestion_admission SET planned_release_at = released_at"
        " WHERE released_at IS NOT NULL"
    ),
    "quiet_not_before_admission": (
        "UPDATE ingestion_admission SET quiet_since = admitted_at - interval '1 second'"
    ),
    "one_admission_per_case_and_patient": (
        "UPDATE ingestion_admission SET case_number = 'C', patient_number = 'P'"
    ),
    "ingestion_patient_patient_id_key": "UPDATE ingestion_patient SET patient_id = 'P'",
    "one_test_per_id_and_patient": (
        "INSERT INTO ingestion_labtest (extra, statements, said_in_id, said_line, created_in_id,"
        " created_line, test_id, patient_number, ordered_at, is_cancelled)"
        " SELECT extra, statements, said_in_id, said_line, created_in_id, created_line, test_id,"
        " patient_number, ordered_at, is_cancelled FROM ingestion_labtest"
    ),
    "one_result_per_id": (
        "INSERT INTO ingestion_labresult (extra, statements, said_in_id, said_line, result_id,"
        " test_id, waits_for, unit_is_ambiguous, is_withdrawn, is_taken_back)"
        " SELECT extra, statements, said_in_id, said_line, result_id, test_id, 'test', false,"
        " false, false FROM ingestion_labresult"
    ),
    "a_result_has_its_test_or_waits": "UPDATE ingestion_labresult SET lab_test_id = NULL",
    "only_combined_results_are_taken_back": "UPDATE ingestion_labresult SET is_taken_back = true",
    "one_open_alert_per_admission_and_rule": (
        "INSERT INTO alerts_alert (kind, admission_id, rule_id, status, tier, quiet_since,"
        " raised_at, resolution) SELECT 'no_new_test', a.id, r.id, 'open', 1, a.admitted_at,"
        " a.admitted_at, '' FROM alerts_alertrule r, ingestion_admission a, generate_series(1, 2)"
    ),
    "a_resolved_alert_says_when_and_why": (
        "INSERT INTO alerts_alert (kind, admission_id, rule_id, status, tier, quiet_since,"
        " raised_at, resolution) SELECT 'no_new_test', a.id, r.id, 'resolved', 1, a.admitted_at,"
        " a.admitted_at, '' FROM alerts_alertrule r, ingestion_admission a"
    ),
    "one_rule_per_kind_and_department": (
        "INSERT INTO alerts_alertrule (kind, threshold_hours) VALUES ('no_new_test', 1)"
    ),
    "second_tier_beyond_the_first": "UPDATE alerts_alertrule SET second_tier_hours = 48",
    "a_threshold_is_at_least_an_hour": "UPDATE alerts_alertrule SET threshold_hours = 0",
}


@pytest.mark.parametrize("guard", REFUSED)
def test_the_database_refuses(guard: str, a_hospital: None) -> None:
    AlertRule.objects.get_or_create(kind="no_new_test", department=None)
    with (
        pytest.raises(IntegrityError) as refused,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(REFUSED[guard])

    assert refused.value.__cause__.diag.constraint_name == guard  # type: ignore[union-attr]


def test_a_waiting_record_is_of_the_same_table_without_its_parent(at_noon: object) -> None:
    deliver(admission("C1", "P1", hours=9))
    deliver(lab_test("T1", "P1", "Sodium", hours=5), source="lis")
    deliver(lab_result("R1", "T9", "5", hours=4), source="lis")

    assert Admission.objects.get().patient is None
    assert LabTest.objects.get().patient is None
    assert (LabResult.objects.get().lab_test, LabResult.objects.get().waits_for) == (None, "test")


def test_a_file_that_came_twice_at_once_is_one_row(db: None) -> None:
    feed = Feed.objects.create(source="pms", layout="pms.patients")
    file = {
        "bucket": "inbox",
        "key": "k",
        "version": "v",
        "source": "pms",
        "feed": feed,
        "last_modified": NOON,
        "source_time": NOON,
        "received_at": NOON,
        "size": 1,
    }
    FeedFile.objects.create(**file)
    with pytest.raises(IntegrityError, match="one_file_per_object_version"), transaction.atomic():
        FeedFile.objects.create(**file)


# --- Migrations ---------------------------------------------------------------------------


def tables() -> set[str]:
    return {
        name
        for name in connection.introspection.table_names()
        if name.startswith(("ingestion_", "alerts_"))
    }


@pytest.mark.django_db(transaction=True)
def test_every_migration_goes_back_to_nothing_and_forth_again() -> None:
    before = tables()
    assert len(before) == 26
    try:
        for app in ("alerts", "ingestion"):
            call_command("migrate", app, "zero", verbosity=0)
        assert tables() == set()
    finally:
        call_command("migrate", verbosity=0)

    assert tables() == before
    assert MigrationExecutor(connection).loader.detect_conflicts() == {}
    assert AlertRule.objects.get().threshold_hours == 48


def test_the_models_and_the_migrations_agree(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
