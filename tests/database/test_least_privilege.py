"""What each role of the database may do, tried as that role, and what the check says of the rest.

Everything happens in the test's own transaction: rights are rows too, and go back with it.
"""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction

from hospital.database import rights
from hospital.database.checking import differences
from hospital.database.granting import ask, give_schema_rights, give_table_rights
from hospital.database.rights import Names
from ops import audit
from tests.deliveries import admit

pytestmark = pytest.mark.django_db
NAMES = Names()
# One server for all tests: the databases of other tests are none of this one's.
ELSEWHERE = re.compile(r"vigil_\w+ may connect to the database (test_)?vigil\w*: ")


@pytest.fixture(autouse=True)
def rights_given(db: None) -> None:
    """Give the test's database what `manage.py run` gives to a hospital's."""
    with connection.cursor() as cursor:
        here = Names(database=connection.settings_dict["NAME"])
        for statement in rights.DATABASE:
            cursor.execute(here.into(statement))
        give_schema_rights(cursor, here)
        give_table_rights(cursor, here)


def said() -> list[str]:
    """What the check says of the test's database."""
    with connection.cursor() as cursor:
        found = differences(cursor, NAMES)
    return [sentence for sentence in found if not ELSEWHERE.match(sentence)]


def refused(role: str, statement: str) -> bool:
    """Try a statement as a role, and tell whether the server refused it for want of a right."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {role}")
            cursor.execute(statement)
    except ProgrammingError as error:
        return "permission denied" in str(error) or "must be owner" in str(error)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
    return False


# --- What each may do -------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE ops_auditevent",
        "TRUNCATE ingestion_patient CASCADE",
        "DROP TABLE ops_auditevent",
        "ALTER TABLE ops_auditevent DISABLE TRIGGER ALL",
        "ALTER TABLE ingestion_patient ADD COLUMN mine text",
        "CREATE TABLE mine (name text)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE INDEX ON ingestion_patient (first_name)",
        "CREATE TRIGGER mine BEFORE INSERT ON ingestion_patient EXECUTE FUNCTION now()",
        "ALTER ROLE vigil_app SUPERUSER",
        "COPY ingestion_patient TO PROGRAM 'cat'",
        "COPY ingestion_patient TO '/tmp/mine'",
        "SELECT pg_read_file('/etc/hostname')",
        "SELECT rolpassword FROM pg_authid",
        "UPDATE django_migrations SET name = name",
        "SET session_replication_role = replica",
        "INSERT INTO ops_auditarchive (first_seal) VALUES (1)",
    ],
)
def test_the_application_is_refused(statement: str) -> None:
    assert refused(NAMES.application, statement)


def test_the_trail_cannot_be_changed_by_an_application_that_makes_its_guards_look_away() -> None:
    with transaction.atomic():
        audit.record("a.thing", by="olga", kind="thing", key=1)
    look_away = "SELECT set_config('pgtrigger.ignore', 'ops_auditevent:append_only', true);"
    assert refused(NAMES.application, f"{look_away} DELETE FROM ops_auditevent")
    assert refused(NAMES.application, f"{look_away} UPDATE ops_auditevent SET who = 'somebody'")
    assert not refused(NAMES.application, "SELECT who FROM ops_auditevent")


def test_the_application_reads_and_writes_rows() -> None:
    for statement in (
        "SELECT count(*) FROM ingestion_patient",
        "INSERT INTO ingestion_department (name) VALUES ('Cardiology')",
        "UPDATE ingestion_department SET name = 'Oncology'",
        "DELETE FROM ingestion_department",
        "CREATE TEMPORARY TABLE arriving (name text)",
        "INSERT INTO ops_cacheentry VALUES ('guess', 'x', now())",
        "DELETE FROM ops_cacheentry WHERE expires <= now()",
    ):
        assert not refused(NAMES.application, statement), statement


@pytest.mark.usefixtures("at_noon")
def test_reports_read_the_record_and_name_who_acted() -> None:
    admit("0042", "Brown, Emma", hours=81, department="Cardiology")
    for statement in (
        "SELECT * FROM ingestion_patient",
        "SELECT * FROM ingestion_feedfile",
        "SELECT * FROM alerts_alert",
        "SELECT id, username, is_active FROM auth_user",
    ):
        assert not refused(NAMES.reports, statement), statement


@pytest.mark.parametrize("table", sorted(rights.WITHHELD_TABLES))
def test_reports_do_not_read_what_opens_a_door_or_tells_who_looked(table: str) -> None:
    if not exists(table):
        pytest.skip("its application is not here yet")
    assert refused(NAMES.reports, f"SELECT * FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password FROM auth_user",
        "SELECT * FROM auth_user",
        "SELECT a FROM auth_user a",
        "INSERT INTO ingestion_department (name) VALUES ('Mine')",
        "UPDATE ingestion_patient SET last_name = ''",
        "DELETE FROM alerts_alert",
        "TRUNCATE alerts_alert",
        "SELECT * FROM ingestion_patient FOR UPDATE",
        "LOCK TABLE ingestion_patient IN ACCESS EXCLUSIVE MODE",
        "SELECT nextval('ingestion_department_id_seq')",
        "CREATE TEMPORARY TABLE mine (name text)",
        "CREATE TABLE mine (name text)",
        "ALTER TABLE ingestion_patient DISABLE TRIGGER ALL",
    ],
)
def test_reports_change_nothing_and_read_no_hash(statement: str) -> None:
    assert refused(NAMES.reports, statement)


@pytest.mark.parametrize("role", [NAMES.application, NAMES.reports])
def test_nobody_passes_on_what_he_may_do_himself(role: str) -> None:
    # The server only warns of it.
    refused(role, "GRANT SELECT ON ingestion_patient TO PUBLIC")
    assert said() == []


def exists(table: str) -> bool:
    with connection.cursor() as cursor:
        return bool(ask(cursor, "SELECT FROM pg_class WHERE relname = %s", table))


def test_of_each_table_it_is_decided_whether_reports_read_it() -> None:
    undecided = {
        table
        for table in connection.introspection.table_names()
        if not rights.is_reported(table)
        and table not in rights.WITHHELD_TABLES
        and table not in rights.REPORTED_COLUMNS
    }
    assert undecided == set()


def test_no_table_is_both_read_and_withheld() -> None:
    assert {table for table in rights.WITHHELD_TABLES if rights.is_reported(table)} == set()
    assert rights.WITHHELD_TABLES & set(rights.REPORTED_COLUMNS) == set()
    assert apps.get_model("auth", "User")._meta.db_table in rights.REPORTED_COLUMNS


# --- What the check says ----------------------------------------------------------------


def test_a_database_with_the_rights_as_they_should_be_has_no_difference() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "GRANT TRUNCATE ON ops_auditevent TO vigil_app",
            "TRUNCATE on ops_auditevent is given to vigil_app.",
        ),
        (
            "GRANT UPDATE ON ops_auditevent TO vigil_app",
            "UPDATE on ops_auditevent is given to vigil_app.",
        ),
        (
            "GRANT SELECT ON django_session TO vigil_reports",
            "SELECT on django_session is given to vigil_reports.",
        ),
        (
            "GRANT SELECT (password) ON auth_user TO vigil_reports",
            "SELECT on auth_user.password is given to vigil_reports.",
        ),
        (
            "REVOKE SELECT ON alerts_alert FROM vigil_reports",
            "SELECT on alerts_alert is missing for vigil_reports.",
        ),
        (
            "REVOKE INSERT ON ops_auditevent FROM vigil_app",
            "INSERT on ops_auditevent is missing for vigil_app.",
        ),
        (
            "GRANT SELECT ON ingestion_patient TO PUBLIC",
            "SELECT on ingestion_patient is given to everybody (PUBLIC).",
        ),
        (
            "GRANT SELECT ON ingestion_patient TO vigil_app WITH GRANT OPTION",
            "SELECT WITH GRANT OPTION on ingestion_patient is given to vigil_app.",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO vigil_app",
            "CREATE on the schema public is given to vigil_app.",
        ),
        (
            "GRANT USAGE ON SCHEMA public TO PUBLIC",
            "USAGE on the schema public is given to everybody (PUBLIC).",
        ),
        (
            "GRANT UPDATE ON SEQUENCE ingestion_department_id_seq TO vigil_app",
            "UPDATE on ingestion_department_id_seq is given to vigil_app.",
        ),
        (
            """CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
               GRANT EXECUTE ON FUNCTION mine() TO vigil_reports""",
            "EXECUTE on mine() is given to vigil_reports.",
        ),
        (
            "ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO vigil_app",
            "TRUNCATE on tables that will be made is given to vigil_app.",
        ),
        (
            "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM vigil_app",
            "SELECT on tables that will be made is missing for vigil_app.",
        ),
        (
            "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
            "EXECUTE on functions that will be made is given to everybody (PUBLIC).",
        ),
    ],
)
def test_a_right_too_much_or_too_little_is_named(statement: str, sentence: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert sentence in said()


def test_the_rights_given_again_take_back_what_was_too_much() -> None:
    with connection.cursor() as cursor:
        cursor.execute("GRANT ALL ON ops_auditevent, django_session TO vigil_reports, PUBLIC")
        cursor.execute("GRANT ALL ON ops_auditevent TO vigil_app")
        give_table_rights(cursor, NAMES)
    assert said() == []


def test_a_place_whose_web_server_owns_the_tables_is_told_so() -> None:
    with connection.cursor() as cursor:
        found = differences(cursor, Names(application=NAMES.owner))
    assert found[0].startswith("Two of owner, application and reports are the same role")


def test_a_role_that_is_missing_is_named_with_the_next_step() -> None:
    with connection.cursor() as cursor:
        found = differences(cursor, Names(reports="nobody_here"))
    assert found == ["There is no role nobody_here: manage.py dbroles --apply makes it."]
