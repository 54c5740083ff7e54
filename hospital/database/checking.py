"""Whether the roles of a living database may do what they should, and nothing else.

Reads the server's catalogs alone, which every role may read. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from hospital.database import rights
from hospital.database.granting import Cursor, ask
from hospital.database.rights import Names

_PUBLIC = "everybody (PUBLIC)"


def differences(cursor: Cursor, names: Names) -> list[str]:
    """Say in one sentence each what differs from the rights; an empty list is least privilege."""
    missing = [*_missing_roles(cursor, names)]
    if missing:
        return missing
    return [
        *_same_roles(names),
        *_powers(cursor, names),
        *_memberships(cursor, names),
        *_owners(cursor, names),
        *_on_database(cursor, names),
        *_on_schemas(cursor, names),
        *_on_relations(cursor, names),
        *_on_columns(cursor, names),
        *_on_functions(cursor, names),
        *_on_what_will_be_made(cursor, names),
        *_other_databases(cursor, names),
    ]


def _missing_roles(cursor: Cursor, names: Names) -> Iterator[str]:
    there = {name for (name,) in ask(cursor, "SELECT rolname FROM pg_roles")}
    for role in (names.owner, names.application, names.reports):
        if role not in there:
            yield f"There is no role {role}: manage.py dbroles --apply makes it."


def _same_roles(names: Names) -> Iterator[str]:
    if len({names.owner, names.application, names.reports}) < 3:
        yield (
            "Two of owner, application and reports are the same role: the web server must not own "
            "the tables. Name another user in DATABASE_OWNER_URL."
        )


def _powers(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolreplication, rolcreatedb
        FROM pg_roles WHERE rolname IN (%s, %s, %s) ORDER BY rolname"""
    words = ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "REPLICATION", "CREATEDB")
    for role, *held in ask(cursor, question, names.owner, names.application, names.reports):
        for word, is_held in zip(words, held, strict=True):
            # The owner makes scratch databases, in which a backup is proven.
            if is_held and not (word == "CREATEDB" and role == names.owner):
                yield f"{role} has {word}: ALTER ROLE {role} NO{word}."


def _memberships(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT pg_get_userbyid(member), pg_get_userbyid(roleid) FROM pg_auth_members
        WHERE pg_get_userbyid(member) IN (%s, %s, %s) ORDER BY 1, 2"""
    for member, of in ask(cursor, question, names.owner, names.application, names.reports):
        # As the owner one may try what the others may do, which is less.
        if member != names.owner or of not in {names.application, names.reports}:
            yield f"{member} is a member of {of}: REVOKE {of} FROM {member}."


def _owners(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        WITH own AS (
            SELECT nspowner AS owner, 'the schema ' || nspname AS what FROM pg_namespace
            WHERE nspname NOT LIKE 'pg\\_%%' AND nspname NOT IN ('information_schema', 'public')
            UNION ALL
            SELECT datdba, 'the database ' || datname FROM pg_database
            WHERE datname = current_database()
            UNION ALL
            SELECT relowner, relname::text FROM pg_class c JOIN pg_namespace n
                ON n.oid = relnamespace
            WHERE nspname NOT LIKE 'pg\\_%%' AND nspname <> 'information_schema'
              AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
              AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
            UNION ALL
            SELECT proowner, proname || '()' FROM pg_proc p JOIN pg_namespace n
                ON n.oid = pronamespace
            WHERE nspname NOT LIKE 'pg\\_%%' AND nspname <> 'information_schema'
              AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
        )
        SELECT what, pg_get_userbyid(owner) FROM own
        WHERE pg_get_userbyid(owner) <> %s ORDER BY what"""
    for what, owner in ask(cursor, question, names.owner):
        yield f"{what} belongs to {owner} and not to {names.owner}."


def _on_database(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT a.grantee, pg_get_userbyid(a.grantee), a.privilege_type, a.is_grantable
        FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
        WHERE datname = current_database()"""
    wanted = {
        (names.application, "CONNECT"),
        (names.application, "TEMPORARY"),
        (names.reports, "CONNECT"),
    }
    yield from _compared("the database", _given(cursor, names, question), wanted)


def _on_schemas(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT a.grantee, pg_get_userbyid(a.grantee), a.privilege_type, a.is_grantable
        FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
        WHERE nspname = 'public' AND a.grantee <> nspowner"""
    wanted = {(names.application, "USAGE"), (names.reports, "USAGE")}
    yield from _compared("the schema public", _given(cursor, names, question), wanted)


def _on_relations(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT c.relname, c.relkind = 'S', a.grantee, pg_get_userbyid(a.grantee), a.privilege_type,
               a.is_grantable
        FROM pg_class c LEFT JOIN LATERAL aclexplode(c.relacl) a ON true
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
        ORDER BY c.relname"""
    found: dict[str, set[tuple[str, str]]] = {}
    sequences = set()
    for relation, is_sequence, oid, grantee, right, may_pass_on in ask(cursor, question):
        given = found.setdefault(relation, set())
        if is_sequence:
            sequences.add(relation)
        if oid is not None and grantee != names.owner:
            given.add(_entry(oid, grantee, right, may_pass_on))
    for relation, given in found.items():
        if relation in sequences:
            wanted = {(names.application, right) for right in ("USAGE", "SELECT")}
        else:
            allowed = rights.rights_of_application(relation)
            wanted = {(names.application, right) for right in allowed}
            wanted |= {(names.reports, "SELECT")} if rights.is_reported(relation) else set()
        yield from _compared(relation, given, wanted)


def _on_columns(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT relname, attname, a.grantee, pg_get_userbyid(a.grantee), a.privilege_type,
               a.is_grantable
        FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
        WHERE c.relnamespace = 'public'::regnamespace ORDER BY relname, attnum"""
    there = ask(cursor, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    given: dict[str, set[tuple[str, str]]] = {
        f"{table}.{column}": set()
        for (table,) in there
        for column in rights.REPORTED_COLUMNS.get(table, ())
    }
    wanted = {name: {(names.reports, "SELECT")} for name in given}
    for table, column, oid, grantee, right, may_pass_on in ask(cursor, question):
        given.setdefault(f"{table}.{column}", set()).add(_entry(oid, grantee, right, may_pass_on))
    for name, entries in given.items():
        yield from _compared(name, entries, wanted.get(name, set()))


def _on_functions(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT proname, a.grantee, pg_get_userbyid(a.grantee), a.privilege_type, a.is_grantable
        FROM pg_proc p LEFT JOIN LATERAL
             aclexplode(coalesce(proacl, acldefault('f', proowner))) a ON a.grantee <> proowner
        WHERE pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
        ORDER BY proname"""
    found: dict[str, set[tuple[str, str]]] = {}
    for function, oid, grantee, right, may_pass_on in ask(cursor, question):
        given = found.setdefault(f"{function}()", set())
        if oid is not None:
            given.add(_entry(oid, grantee, right, may_pass_on))
    for name, given in found.items():
        yield from _compared(name, given, {(names.application, "EXECUTE")})


def _on_what_will_be_made(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT defaclobjtype, a.grantee, pg_get_userbyid(a.grantee), a.privilege_type,
               a.is_grantable
        FROM pg_default_acl, aclexplode(defaclacl) a
        WHERE pg_get_userbyid(defaclrole) = %s AND a.grantee <> defaclrole"""
    wanted = {
        "r": ("tables", {(names.application, right) for right in rights.ROWS}),
        "S": ("sequences", {(names.application, right) for right in ("USAGE", "SELECT")}),
        "f": ("functions", {(names.application, "EXECUTE")}),
    }
    found: dict[str, set[tuple[str, str]]] = {kind: set() for kind in wanted}
    for kind, oid, grantee, right, may_pass_on in ask(cursor, question, names.owner):
        found.setdefault(kind, set()).add(_entry(oid, grantee, right, may_pass_on))
    for kind, given in found.items():
        what, expected = wanted.get(kind, (f"objects of kind {kind}", set()))
        yield from _compared(f"{what} that will be made", given, expected)
    if not ask(
        cursor,
        """SELECT FROM pg_default_acl
           WHERE pg_get_userbyid(defaclrole) = %s AND defaclobjtype = 'f' AND defaclnamespace = 0
             AND NOT EXISTS (SELECT FROM aclexplode(defaclacl) a WHERE a.grantee = 0)""",
        names.owner,
    ):
        yield f"EXECUTE on functions that will be made is given to {_PUBLIC}."


def _other_databases(cursor: Cursor, names: Names) -> Iterator[str]:
    question = """
        SELECT rolname, datname FROM pg_roles, pg_database
        WHERE rolname IN (%s, %s) AND datname <> current_database() AND datallowconn
          AND has_database_privilege(rolname, datname, 'CONNECT') ORDER BY rolname, datname"""
    for role, database in ask(cursor, question, names.application, names.reports):
        yield (
            f"{role} may connect to the database {database}: REVOKE ALL ON DATABASE {database} "
            "FROM PUBLIC, and from this role."
        )


def _given(cursor: Cursor, names: Names, question: str) -> set[tuple[str, str]]:
    rows = ask(cursor, question)
    return {_entry(*row) for row in rows if row[1] != names.owner}


def _entry(oid: int, grantee: str, right: str, may_pass_on: bool) -> tuple[str, str]:
    who = grantee if oid else _PUBLIC
    return who, f"{right} WITH GRANT OPTION" if may_pass_on else right


def _compared(
    what: str, given: set[tuple[str, str]], wanted: set[tuple[str, str]]
) -> Iterator[str]:
    for who, right in sorted(given - wanted):
        yield f"{right} on {what} is given to {who}."
    for who, right in sorted(wanted - given):
        yield f"{right} on {what} is missing for {who}."
