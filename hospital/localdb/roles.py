"""The database's roles. The owner migrates; the application reads and writes rows and owns nothing,
so that a hole in the web server cannot drop, truncate or alter a table, or remove a guard on it."""

from psycopg2 import sql

from hospital.localdb.postgres import Postgres

DATABASE = "vigil"
OWNER = "vigil_owner"
APPLICATION = "vigil_app"

ROLES = (
    "CREATE ROLE {owner} LOGIN CREATEDB",
    "CREATE ROLE {application} LOGIN",
    # Lets a test, connected as the owner, try what the application may do.
    "GRANT {application} TO {owner} WITH INHERIT FALSE, SET TRUE",
)

# Given in template1 too: a test database is a copy of it and has the same rights.
RIGHTS = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {application}, {owner}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {application}",
    "GRANT USAGE, CREATE ON SCHEMA public TO {owner}",
    *(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {{owner}} GRANT {right} TO {{application}}"
        for right in (
            "SELECT, INSERT, UPDATE, DELETE ON TABLES",
            "USAGE, SELECT ON SEQUENCES",
            "EXECUTE ON FUNCTIONS",
        )
    ),
)


def ensure_roles(server: Postgres) -> None:
    """Make roles, database and rights. Finished work costs nothing, interrupted work is resumed."""
    made = server.place.data_dir / "postgres" / "roles-made"
    if made.exists():
        return
    owner, application = server.place.password("owner"), server.place.password("application")
    if not _exists(server, "SELECT 1 FROM pg_roles WHERE rolname = %s", APPLICATION):
        _say(server, "postgres", *ROLES)
    _set_password(server, OWNER, owner)
    _set_password(server, APPLICATION, application)
    _say(server, "template1", *RIGHTS, database="template1")
    if not _exists(server, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
        _say(server, "postgres", "CREATE DATABASE {database} OWNER {owner}")
    _say(server, DATABASE, *RIGHTS)
    made.touch()


def _say(server: Postgres, where: str, *statements: str, database: str = DATABASE) -> None:
    names = {
        name: sql.Identifier(value)
        for name, value in {
            "owner": OWNER,
            "application": APPLICATION,
            "database": database,
        }.items()
    }
    connection = server.connect(where)
    try:
        # CREATE DATABASE runs in no transaction; everything else is all or nothing.
        connection.autocommit = any(line.startswith("CREATE DATABASE") for line in statements)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(sql.SQL(statement).format(**names))
        connection.commit()
    finally:
        connection.close()


def _set_password(server: Postgres, role: str, password: str) -> None:
    connection = server.connect("postgres")
    try:
        with connection, connection.cursor() as cursor:
            statement = sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(role))
            cursor.execute(statement, [password])
    finally:
        connection.close()


def _exists(server: Postgres, question: str, name: str) -> bool:
    connection = server.connect("postgres")
    try:
        with connection.cursor() as cursor:
            cursor.execute(question, [name])
            return cursor.fetchone() is not None
    finally:
        connection.close()
