"""The rights of the database's roles, as data: the one place that says who may do what.

The embedded server, `manage.py dbroles`, `manage.py migrate` and the operators' page take them from
here. Asks no database. Deny first: a table that nobody thought of is not read by reports.

- the *owner* owns every table and migrates;
- the *application* reads and writes rows and owns nothing, so that a hole in the web server cannot
  drop, truncate or alter a table, or remove a guard on it;
- *reports* read the record and the books, and nothing that opens a door or tells who looked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """What the database and its roles are called."""

    database: str = "vigil"
    owner: str = "vigil_owner"
    application: str = "vigil_app"
    reports: str = "vigil_reports"

    def into(self, statement: str) -> str:
        """Put the names into a statement, quoted."""
        return statement.format(**{name: quoted(value) for name, value in vars(self).items()})


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


# Made where they are missing; a role that is there keeps its password.
ROLES = {
    "owner": "CREATE ROLE {owner} LOGIN",
    "application": "CREATE ROLE {application} LOGIN",
    "reports": "CREATE ROLE {reports} LOGIN",
}

# A report that never ends, or takes every connection, must not cost the ward its board. A session
# could set the first two otherwise: what keeps it from writing is that it has no right to.
LIMITS = (
    "ALTER ROLE {reports} CONNECTION LIMIT 5",
    "ALTER ROLE {reports} SET default_transaction_read_only = on",
    "ALTER ROLE {reports} SET statement_timeout = '5min'",
)

# Of the schema and of what will be made in it. A copy of a database has these too.
SCHEMA = (
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {application}, {reports}",
    "GRANT USAGE, CREATE ON SCHEMA public TO {owner}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    *(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} GRANT {right} TO {{application}}"
        for right in (
            "SELECT, INSERT, UPDATE, DELETE ON TABLES",
            "USAGE, SELECT ON SEQUENCES",
            "EXECUTE ON FUNCTIONS",
        )
    ),
)

DATABASE = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {owner}, {application}",
    "GRANT CONNECT ON DATABASE {database} TO {reports}",
)

# Every server has these two, and lets everybody in. The owner makes scratch databases from them.
OTHER_DATABASES = tuple(
    statement
    for other in ("postgres", "template1")
    for statement in (
        # An earlier version gave the application rights on the second.
        f"REVOKE ALL ON DATABASE {other} FROM PUBLIC, {{application}}, {{reports}}",
        f"GRANT CONNECT ON DATABASE {other} TO {{owner}}",
    )
)

ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
# What the application may do to a table, where that is less than to read and write its rows. The
# trail's triggers can be told to look away by whoever may set a variable; a right cannot.
APPENDED = frozenset({"SELECT", "INSERT"})
NEVER_DELETED = frozenset({"SELECT", "INSERT", "UPDATE"})
LESS = {
    "ops_auditevent": APPENDED,
    "ops_auditseal": APPENDED,
    "ops_sealedevent": APPENDED,
    "ops_auditverification": APPENDED,
    "ops_auditreview": APPENDED,
    # The owner archives: a row here says of events that they may be gone.
    "ops_auditarchive": frozenset({"SELECT"}),
    "ops_legalhold": NEVER_DELETED,
    "ops_retentionrun": NEVER_DELETED,
    "django_migrations": frozenset({"SELECT"}),
}

# What reports read: all tables of these applications, and these.
REPORTED_APPLICATIONS = ("ingestion_", "alerts_")
REPORTED_TABLES = frozenset(
    {
        "ops_backup",
        "ops_deployment",
        "ops_deploymentstep",
        "ops_checklistrun",
        "ops_checklisttick",
        "ops_incident",
        "ops_incidentupdate",
        "ops_probesample",
        "ops_probeday",
        "ops_lastrun",
        "ops_legalhold",
        "ops_muting",
        "ops_restore",
        "ops_retentionrun",
        "ops_secretversion",
        "django_migrations",
    }
)
# What they do not, by a decision: sessions and sign-ins, hashes and second factors, who looked at
# whom, and the operators' own notes on what they changed. A test names a table
# that is in none of these lists, so that nobody forgets the question.
WITHHELD_TABLES = frozenset(
    {
        "account_emailaddress",
        "account_emailconfirmation",
        "auth_group",
        "auth_group_permissions",
        "auth_permission",
        "auth_user_groups",
        "auth_user_user_permissions",
        "axes_accessattempt",
        "axes_accessattemptexpiration",
        "axes_accessfailurelog",
        "axes_accesslog",
        "django_admin_log",
        "django_content_type",
        "django_session",
        "mfa_authenticator",
        "ops_auditarchive",
        "ops_auditevent",
        "ops_auditreview",
        "ops_auditseal",
        "ops_auditverification",
        "ops_cacheentry",
        "ops_sealedevent",
        "pghistory_context",
    }
)
# Of these, some columns alone: whoever acted can be named, and no hash is read.
REPORTED_COLUMNS = {"auth_user": ("id", "username", "is_active")}


def is_reported(table: str) -> bool:
    """Tell whether reports may read a whole table."""
    return table.startswith(REPORTED_APPLICATIONS) or table in REPORTED_TABLES


def rights_of_application(table: str) -> frozenset[str]:
    """Give what the application may do to a table."""
    return LESS.get(table, ROWS)


def table_rights(
    tables: Iterable[str], *, functions: Iterable[str] = (), with_reports: bool = True
) -> list[str]:
    """Give the rights on tables and functions that are there, to be said by whoever owns them.

    Taken first, then given, in one transaction: what a table's new rights do not name is gone.
    Functions come with their arguments, quoted as the server quotes them.
    """
    statements = [f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC" for function in functions]
    for table in sorted(tables):
        name = quoted(table)
        statements.append(f"REVOKE ALL ON {name} FROM PUBLIC")
        if table in LESS:
            given = ", ".join(sorted(LESS[table]))
            statements.append(f"REVOKE ALL ON {name} FROM {{application}}")
            statements.append(f"GRANT {given} ON {name} TO {{application}}")
        if not with_reports:
            continue
        statements.append(f"REVOKE ALL ON {name} FROM {{reports}}")
        if is_reported(table):
            statements.append(f"GRANT SELECT ON {name} TO {{reports}}")
        elif columns := REPORTED_COLUMNS.get(table):
            listed = ", ".join(map(quoted, columns))
            statements.append(f"GRANT SELECT ({listed}) ON {name} TO {{reports}}")
    return statements
