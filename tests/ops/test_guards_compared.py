"""What an owner of the database puts on the trail's tables, and that a verification names it."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection

from ops.models import GUARDED, GUARDING_BODY, GUARDS
from tests.ops.seals import a_seal, findings

pytestmark = pytest.mark.usefixtures("at_noon", "seals")

MINE = "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
APPEND_ONLY = "CREATE TRIGGER trail_is_append_only BEFORE UPDATE OR DELETE ON ops_auditevent"
REPLACED = "DROP TRIGGER trail_is_append_only ON ops_auditevent;"
ALWAYS = ";ALTER TABLE ops_auditevent ENABLE ALWAYS TRIGGER trail_is_append_only"
ANOTHER = "the guard trail_is_append_only of ops_auditevent is another one than was made: it runs"
OFF = "the guard trail_is_append_only of ops_auditevent is missing or switched off"
OURS = "EXECUTE FUNCTION ops_keep_the_trail()"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            (
                f"{MINE} CREATE TRIGGER x BEFORE INSERT ON ops_auditevent FOR EACH ROW"
                " EXECUTE FUNCTION mine()"
            ),
            "the trigger x of ops_auditevent is none of the trail's: it runs mine",
        ),
        (
            (
                f"{MINE} CREATE CONSTRAINT TRIGGER x AFTER INSERT ON ops_auditseal"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mine()"
            ),
            "the trigger x of ops_auditseal is none of the trail's: it runs mine",
        ),
        (
            f"{REPLACED} {APPEND_ONLY} FOR EACH ROW WHEN (OLD.who = 'nobody') {OURS} {ALWAYS}",
            f"{ANOTHER} ops_keep_the_trail",
        ),
        (
            (
                f"{REPLACED} {APPEND_ONLY.replace('UPDATE', 'UPDATE OF who')} FOR EACH ROW {OURS}"
                f" {ALWAYS}"
            ),
            f"{ANOTHER} ops_keep_the_trail",
        ),
        (
            f"{REPLACED} {APPEND_ONLY.replace(' OR DELETE', '')} FOR EACH ROW {OURS} {ALWAYS}",
            f"{ANOTHER} ops_keep_the_trail",
        ),
        (
            f"{REPLACED} {APPEND_ONLY} FOR EACH STATEMENT {OURS} {ALWAYS}",
            f"{ANOTHER} ops_keep_the_trail",
        ),
        (
            f"{MINE} {REPLACED} {APPEND_ONLY} FOR EACH ROW EXECUTE FUNCTION mine() {ALWAYS}",
            f"{ANOTHER} mine",
        ),
        (f"{REPLACED} {APPEND_ONLY} FOR EACH ROW {OURS}", OFF),
        ("ALTER TABLE ops_auditevent ENABLE REPLICA TRIGGER trail_is_append_only", OFF),
        (
            (
                "CREATE OR REPLACE FUNCTION ops_keep_the_trail() RETURNS trigger LANGUAGE plpgsql"
                " AS 'BEGIN RETURN OLD; END'"
            ),
            "the function ops_keep_the_trail, which guards ops_auditarchive, was changed",
        ),
        (
            "DROP TRIGGER pgtrigger_append_only_b3943 ON ops_auditevent",
            "the guard pgtrigger_append_only_b3943 of ops_auditevent is missing or switched off",
        ),
        (
            (
                "CREATE OR REPLACE FUNCTION pgtrigger_append_only_b3943() RETURNS trigger"
                " LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'"
            ),
            "the function pgtrigger_append_only_b3943, which guards ops_auditevent, was changed",
        ),
        (
            "CREATE RULE x AS ON INSERT TO ops_auditreview DO INSTEAD NOTHING",
            "the rule x of ops_auditreview is none of the trail's",
        ),
        (
            "ALTER TABLE ops_sealedevent ENABLE ROW LEVEL SECURITY",
            "row security of ops_sealedevent hides or refuses rows: the trail has none",
        ),
        (
            "CREATE POLICY x ON ops_auditevent FOR SELECT USING (who <> 'olga')",
            "row security of ops_auditevent hides or refuses rows: the trail has none",
        ),
    ],
)
def test_what_is_none_of_the_trails_is_named(statement: str, found: str) -> None:
    a_seal(1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)
    assert findings() == [found]


def test_a_function_that_runs_with_other_rights_or_settings_is_named() -> None:
    a_seal(1)
    with connection.cursor() as cursor:
        cursor.execute("ALTER FUNCTION ops_keep_the_trail() SET search_path = elsewhere")
    assert sorted(findings()) == sorted(
        f"the guard {guard} of {table} is another one than was made: it runs ops_keep_the_trail"
        for table in GUARDED
        for guard in GUARDS
    )


@pytest.mark.parametrize("table", ["ops_auditevent", "ops_auditverification"])
def test_what_swallows_new_rows_does_not_swallow_what_was_found(table: str) -> None:
    a_seal(1)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{MINE.replace('NEW', 'NULL')} CREATE TRIGGER x BEFORE INSERT ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION mine()"
        )
    named, unrecorded = findings()
    assert named == f"the trigger x of {table} is none of the trail's: it runs mine"
    assert unrecorded.startswith("this verification could not be put on record")


def test_the_guarding_function_is_the_migrations() -> None:
    made = import_module("ops.migrations.0002_looks_and_seals").FUNCTION
    assert made.split("$$")[1] == GUARDING_BODY
