"""What the database itself refuses, to the application's role and to everybody by mistake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import Error, InternalError, connection, transaction
from django.utils import timezone

from ops.models import (
    GUARDED,
    AuditArchive,
    AuditEvent,
    AuditReview,
    AuditSeal,
    AuditVerification,
    SealedEvent,
)
from ops.services.reviewing import sign_review
from ops.services.verifying import verify_trail
from tests.ops.seals import a_seal, act, findings

pytestmark = pytest.mark.usefixtures("at_noon", "seals")

# By a right, by our trigger, or by that of the package, whichever comes first.
_REFUSED = r"append-only|permission denied|Cannot update or delete"

COLUMN = {
    "ops_auditevent": "who",
    "ops_auditseal": "place",
    "ops_sealedevent": "position",
    "ops_auditverification": "by",
    "ops_auditreview": "note",
    "ops_auditarchive": "by",
}


@pytest.fixture(autouse=True)
def one_row_of_each(at_noon: object, seals: object) -> None:
    a_seal(1)
    verify_trail(by="sam")
    now = timezone.now()
    sign_review(now - timedelta(days=1), now, by="sam", note="Read all of it.")
    AuditArchive.objects.create(first_seal=0, last_seal=0, events=0, at=now, by="olga", why="x")


def but_for_the_archive() -> list[str]:
    """The row above is none that anything vouches for."""
    return [found for found in findings() if not found.startswith("archive ")]


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def counts() -> list[int]:
    models = (AuditEvent, AuditSeal, SealedEvent, AuditVerification, AuditReview, AuditArchive)
    return [model._default_manager.count() for model in models]


def as_application(statement: str) -> None:
    run("SET LOCAL ROLE vigil_app")
    run(statement)


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
@pytest.mark.parametrize("carry_out", [run, as_application], ids=["owner", "application"])
def test_no_row_is_changed_or_deleted(
    table: str, statement: str, carry_out: Callable[[str], None]
) -> None:
    before = counts()
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(Error, match=_REFUSED), transaction.atomic():
        carry_out(statement.format(table, COLUMN[table]))
    assert counts() == before


@pytest.mark.parametrize("table", GUARDED)
def test_no_table_with_rows_is_truncated(table: str) -> None:
    before = counts()
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(InternalError), transaction.atomic():
        run(f"TRUNCATE {table} CASCADE")
    assert counts() == before


def test_no_setting_of_a_session_switches_the_guards_off() -> None:
    """The package's own triggers heed this one: whoever may connect may set it."""
    names = "{pgtrigger_append_only_b3943,trail_is_append_only}"
    run(f"SELECT set_config('pgtrigger.ignore', '{names}', true)")
    with pytest.raises(Error, match=_REFUSED), transaction.atomic():
        as_application("UPDATE ops_auditevent SET who = 'nobody'")
    assert AuditEvent.objects.filter(who="nobody").count() == 0


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize(
    "attempt",
    [
        "ALTER TABLE {0} DISABLE TRIGGER ALL",
        "ALTER TABLE {0} DISABLE TRIGGER trail_is_append_only",
        "DROP TRIGGER trail_is_append_only ON {0}",
        "DROP TABLE {0} CASCADE",
        "TRUNCATE {0} CASCADE",
        "ALTER TABLE {0} RENAME TO elsewhere",
        "SET session_replication_role = replica",
        (
            "CREATE OR REPLACE FUNCTION ops_keep_the_trail() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN OLD; END'"
        ),
        "DROP FUNCTION ops_keep_the_trail() CASCADE",
    ],
)
def test_the_applications_role_gets_past_no_guard(table: str, attempt: str) -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(Error, match=r"must be owner|permission denied"), transaction.atomic():
        as_application(attempt.format(table))
    assert but_for_the_archive() == []


def test_the_application_seals_verifies_and_signs_with_its_own_rights() -> None:
    with transaction.atomic():
        run("SET LOCAL ROLE vigil_app")
        act(2)
        assert a_seal(3).count == 4
        assert but_for_the_archive() == []
        run("RESET ROLE")
