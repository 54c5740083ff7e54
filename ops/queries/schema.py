"""The schema as it is, and as migrations would change it: what is not applied, what lies beyond a
release, and what going back over migrations would drop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from ops.compatibility import Dropped, Judged, dropped_by_reversing, judge

Key = tuple[str, str]

# What tells one schema from another: columns, constraints, indexes with whether they are whole,
# and triggers.
_SCHEMA = """
SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' '
       || coalesce(character_maximum_length::text, '') || ' ' || is_nullable || ' '
       || coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || convalidated
       || ' ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index ' || indexrelid::regclass || ' ' || indisvalid
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname
  FROM pg_trigger WHERE NOT tgisinternal
"""


@dataclass(frozen=True)
class Lost:
    """What going back over migrations would lose, in words; nothing where nothing would be."""

    words: list[str]

    def __bool__(self) -> bool:
        return bool(self.words)


def schema_as_it_is() -> frozenset[str]:
    """Describe every column, constraint, index and trigger: equal sets are equal schemas."""
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMA)
        return frozenset(str(line) for (line,) in cursor.fetchall())


def has_tables() -> bool:
    """Tell whether the place has its tables at all; a first deployment makes them."""
    with connection.cursor() as cursor:
        return "ops_deployment" in connection.introspection.table_names(cursor)


def applied_keys() -> frozenset[Key]:
    """Give every migration that is applied."""
    return frozenset(MigrationRecorder(connection).applied_migrations())


def known_migrations() -> list[str]:
    """List every migration that this code has, as `app.name`."""
    loader = MigrationLoader(connection)
    return sorted(f"{app}.{name}" for app, name in loader.disk_migrations)


def used_columns() -> dict[str, list[str]]:
    """List the tables and columns that this code's models use."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed:
            columns = sorted(str(field.column) for field in model._meta.concrete_fields)
            found[model._meta.db_table] = columns
    return found


def pending(used: Mapping[str, Collection[str]] | None = None) -> list[Judged]:
    """Judge the migrations that are not applied, in the order in which they would be.

    `used` is what the version that runs is known to use.
    """
    executor = MigrationExecutor(connection)
    state = _state_of(executor, applied_keys())
    new_tables: set[str] = set()
    return [judge(each, state, new_tables=new_tables, used=used) for each in unapplied(executor)]


def unapplied(executor: MigrationExecutor | None = None) -> list[Migration]:
    """List the migrations that this code knows and the database lacks, in their order."""
    executor = executor or MigrationExecutor(connection)
    return [each for each, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def beyond(known: Iterable[str]) -> list[Migration]:
    """List the applied migrations that a release does not know, the latest first.

    Of those that this code does not know either nothing can be said: see `strangers`.
    """
    kept = set(known)
    executor = MigrationExecutor(connection)
    wanted = [
        key
        for key in _in_order(executor)
        if key in applied_keys() and f"{key[0]}.{key[1]}" not in kept
    ]
    return [executor.loader.graph.nodes[key] for key in reversed(wanted)]


def strangers() -> list[str]:
    """List the applied migrations of our applications that this code does not have."""
    loader = MigrationLoader(connection)
    there = set(loader.disk_migrations or {})
    ours = {config.label for config in apps.get_app_configs()}
    return sorted(f"{app}.{name}" for app, name in applied_keys() - there if app in ours)


def lost_by_reversing(
    migrations: list[Migration], used: Mapping[str, Collection[str]] | None = None
) -> Lost:
    """Look what going back over these would lose of what is there now.

    `used` is what the version is on record as using that is gone back to.
    """
    executor = MigrationExecutor(connection)
    going = {(each.app_label, each.name) for each in migrations}
    state = _state_of(executor, applied_keys() - going)
    words = [f"{each} has no way back" for each in migrations if not _reverses(each)]
    tables = set(_tables())
    for each in reversed(migrations):
        for dropped in dropped_by_reversing(each, state, used):
            words += _loss(dropped, tables, str(each))
    return Lost(words)


def targets_of(migrations: list[Migration]) -> dict[str, str]:
    """Give for each application to which migration it goes back when these are reversed."""
    executor = MigrationExecutor(connection)
    going = {(each.app_label, each.name) for each in migrations}
    found = {}
    for app in dict.fromkeys(each.app_label for each in migrations):
        left = [key for key in _in_order(executor) if key[0] == app and key not in going]
        left = [key for key in left if key in applied_keys()]
        found[app] = left[-1][1] if left else "zero"
    return found


def _reverses(migration: Migration) -> bool:
    return all(operation.reversible for operation in migration.operations)


def _loss(dropped: Dropped, tables: set[str], migration: str) -> list[str]:
    if dropped.words:
        return [f"{migration}: {dropped.words}"]
    if not dropped.table or dropped.table not in tables:
        return []
    where = f"{dropped.table}.{dropped.column}" if dropped.column else dropped.table
    if dropped.column and dropped.column not in _columns(dropped.table):
        return [f"{migration}: {where} has another name by now: nobody can tell"]
    count = written_in(dropped)
    if not count:
        return []
    return [f"{migration}: {count:,} rows of {where}"]


def written_in(dropped: Dropped) -> int:
    """Count the rows in which somebody wrote something that would go, or would not fit."""
    quote = connection.ops.quote_name
    asked = f"SELECT count(*) FROM {quote(dropped.table)}"
    values: list[Any] = []
    column = quote(dropped.column) if dropped.column else ""
    if dropped.is_empty:
        asked += f" WHERE {column} IS NULL"
    elif dropped.longer_than is not None:
        asked += f" WHERE length({column}) > %s"
        values = [dropped.longer_than]
    elif dropped.digits is not None:
        digits, places = dropped.digits
        asked += f" WHERE {column} <> trunc({column}, %s) OR abs({column}) >= 10::numeric ^ %s"
        values = [places, digits]
    elif column and dropped.is_known:
        asked += f" WHERE {column} IS DISTINCT FROM %s"
        values = [dropped.default]
    with connection.cursor() as cursor:
        cursor.execute(asked, values)
        return int(cursor.fetchone()[0])


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def _columns(table: str) -> set[str]:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, table)
    return {column.name for column in described}


def _state_of(executor: MigrationExecutor, applied: Collection[Key]) -> ProjectState:
    """Give the models as these migrations leave them."""
    state = ProjectState(real_apps=executor.loader.unmigrated_apps)
    for key in _in_order(executor):
        if key in applied:
            state = executor.loader.graph.nodes[key].mutate_state(state, preserve=False)
    return state


def _in_order(executor: MigrationExecutor) -> list[Key]:
    graph = executor.loader.graph
    full = executor.migration_plan(graph.leaf_nodes(), clean_start=True)
    return [(migration.app_label, migration.name) for migration, _ in full]


def judged(migrations: list[Migration], used: Mapping[str, Collection[str]]) -> list[Judged]:
    """Judge applied migrations, the latest first, as if they were to be applied anew."""
    executor = MigrationExecutor(connection)
    going = {(each.app_label, each.name) for each in migrations}
    state = _state_of(executor, applied_keys() - going)
    new_tables: set[str] = set()
    return [judge(each, state, new_tables=new_tables, used=used) for each in reversed(migrations)]


def counted_rows() -> dict[str, int]:
    """Count the rows of the record and the trail, table by table."""
    kept = {"ingestion", "alerts"}
    tables = [
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and model._meta.app_label in kept
    ]
    there = set(_tables())
    found = {}
    for table in sorted({*tables, "ops_auditevent"} & there):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            found[table] = int(cursor.fetchone()[0])
    return found
