"""Whether a migration lets the version before go on, and whether going back over it loses data.

While a deployment lasts, and after one was taken back, two versions work on one schema. What cannot
be judged is refused: a migration may declare why it fits all the same, in words, as its attribute
`fits_the_version_before`; and why going back over it loses nothing, as `reverses_without_loss`.

Knows Django's operations, and no database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from django.contrib.postgres import operations as postgres
from django.db import models
from django.db.migrations import operations as plain
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

DECLARES_FIT = "fits_the_version_before"
DECLARES_NO_LOSS = "reverses_without_loss"

# They add, or give way, or change nothing in the database.
_HARMLESS = (
    plain.AddIndex,
    plain.AlterModelManagers,
    plain.AlterModelOptions,
    plain.AlterModelTableComment,
    plain.RemoveConstraint,
    plain.RemoveIndex,
    plain.RenameIndex,
    postgres.AddIndexConcurrently,
    postgres.CreateCollation,
    postgres.CreateExtension,
    postgres.RemoveIndexConcurrently,
    postgres.ValidateConstraint,
)
_RENAMES = (plain.RenameField, plain.RenameModel, plain.AlterModelTable)
_TEXTS = {"CharField", "TextField", "SlugField", "EmailField", "URLField"}
# Judged apart, or of no column's type.
_NOT_OF_THE_TYPE = frozenset(
    {"auto_now", "auto_now_add", "db_comment", "db_default", "db_index", "default", "max_length",
     "null", "unique"}
)  # fmt: skip
_CONSTRAINTS = (plain.AddConstraint, postgres.AddConstraintNotValid)


@dataclass(frozen=True)
class Judged:
    """One migration that is to be applied, and why it does not let the version before go on.

    `missing` is what it takes away although the version is on record as using it.
    """

    app: str
    name: str
    refusals: list[str] = field(default_factory=list)
    declared: str = ""
    missing: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Tell whether the version before goes on beside it."""
        return not self.refusals or bool(self.declared)

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


@dataclass(frozen=True)
class Dropped:
    """What going back over a migration drops: a table, or one column of it.

    `default` is what a column holds where nobody wrote anything; `is_known` says that it is known.
    `words` instead: nobody can tell.

    A column that stays, and becomes narrower, loses what it cannot hold any more: what is
    `longer_than` so many characters, has more than `digits` before its point and behind it, or
    `is_empty`.
    """

    table: str = ""
    column: str = ""
    default: object = None
    is_known: bool = True
    words: str = ""
    longer_than: int | None = None
    digits: tuple[int, int] | None = None
    is_empty: bool = False


def judge(
    migration: Migration,
    state: ProjectState,
    *,
    new_tables: set[str],
    used: Mapping[str, Collection[str]] | None,
) -> Judged:
    """Judge one migration, and bring `state` forward over it.

    `new_tables` are those that this deployment makes: no version before knows them; it is added to.
    `used` are tables and columns that the version before uses, where that is on record.
    """
    app, found, missing = migration.app_label, [], []
    for operation, before, after in _steps(migration, state):
        if words := _refusal(operation, app, before, after, new_tables, used):
            found.append(words)
            if used is not None and (words := _emptied(operation, app, before, used)):
                missing.append(words)
    declared = str(getattr(migration, DECLARES_FIT, "")).strip()
    return Judged(app, migration.name, found, declared, missing)


def dropped_by_reversing(
    migration: Migration,
    state: ProjectState,
    used: Mapping[str, Collection[str]] | None = None,
) -> list[Dropped]:
    """Tell what going back over a migration would drop, and bring `state` forward over it.

    What it took away comes back empty: that counts where the version is on record as using it.
    """
    is_declared = bool(str(getattr(migration, DECLARES_NO_LOSS, "")).strip())
    found: list[Dropped] = []
    for operation, before, after in _steps(migration, state):
        found += _dropped(operation, migration.app_label, before, after)
        if used is not None and (words := _emptied(operation, migration.app_label, before, used)):
            found.append(Dropped(words=words))
    return [] if is_declared else found


def _steps(
    migration: Migration, state: ProjectState
) -> Iterator[tuple[Operation, ProjectState, ProjectState]]:
    """Give each operation that touches the database, with the models before and after it."""
    app = migration.app_label
    for operation in migration.operations:
        before = state.clone()
        operation.state_forwards(app, state)
        if not isinstance(operation, plain.SeparateDatabaseAndState):
            yield operation, before, state
            continue
        inner = before.clone()
        for part in operation.database_operations:
            earlier = inner.clone()
            part.state_forwards(app, inner)
            yield part, earlier, inner


def _refusal(
    operation: Operation,
    app: str,
    before: ProjectState,
    after: ProjectState,
    new_tables: set[str],
    used: Mapping[str, Collection[str]] | None,
) -> str:
    """Say why the version before would stumble over an operation; nothing if it would not."""
    if isinstance(operation, plain.CreateModel):
        new_tables.add(_table(after, app, operation.name))
        return ""
    if isinstance(operation, _HARMLESS) or _is_trigger_gone(operation):
        return ""
    model = str(getattr(operation, "model_name", "") or getattr(operation, "name", ""))
    table = _table(before, app, model) or _table(after, app, model)
    if table and table in new_tables:
        return ""
    said = operation.describe()
    if isinstance(operation, plain.AddField):
        return _of_added(operation, said)
    if isinstance(operation, plain.AlterField):
        return _of_altered(operation, app, before, after, said)
    if isinstance(operation, (plain.RemoveField, plain.DeleteModel)):
        gone = _taken_away(operation, app, before)
        return "" if _is_unused(used, *gone) else f"{said}: the version before reads it"
    if isinstance(operation, _RENAMES):
        return f"{said}: the version before knows the old name"
    if isinstance(operation, _CONSTRAINTS):
        return f"{said}: the version before may write what it forbids"
    if isinstance(operation, plain.AlterUniqueTogether) and not operation.option_value:
        return ""
    return f"{said}: nobody can judge it, unless the migration says {DECLARES_FIT}"


def _of_added(operation: plain.AddField, said: str) -> str:
    new = operation.field
    is_filled = (
        new.null
        or new.many_to_many
        or new.db_default is not NOT_PROVIDED
        or isinstance(new, models.GeneratedField)
    )
    if not is_filled:
        return f"{said}: it is NOT NULL without a db_default, and the version before leaves it out"
    return ""


def _of_altered(
    operation: plain.AlterField, app: str, before: ProjectState, after: ProjectState, said: str
) -> str:
    old = _field(before, app, operation.model_name, operation.name)
    new = _field(after, app, operation.model_name, operation.name)
    if old is None or new is None:
        return f"{said}: nobody can judge it"
    if (old.db_column or operation.name) != (new.db_column or operation.name):
        return f"{said}: the version before knows the old name of the column"
    if old.null and not new.null:
        return f"{said}: it becomes NOT NULL, and the version before may leave it empty"
    if new.unique and not old.unique:
        return f"{said}: it becomes unique, and the version before may write a second one"
    if _kind(old) != _kind(new) and not _is_widened(old, new):
        return f"{said}: its type changes, or what it refers to"
    if old.db_default is not NOT_PROVIDED and new.db_default is NOT_PROVIDED:
        return f"{said}: it loses its db_default, and the version before may leave it out"
    return ""


def _kind(one: models.Field[object, object]) -> tuple[object, ...]:
    """Give all of a field that its column's type and key depend on, as far as it is declared."""
    _, _, _, declared = one.deconstruct()
    parts = {
        name: _kind(value) if isinstance(value, models.Field) else value
        for name, value in declared.items()
        if name not in _NOT_OF_THE_TYPE and name not in one.non_db_attrs
    }
    return (one.get_internal_type(), one.max_length, parts)


def _is_widened(old: models.Field[object, object], new: models.Field[object, object]) -> bool:
    """A longer text takes in what a shorter one does, and a number with more digits likewise."""
    if isinstance(old, models.DecimalField) and isinstance(new, models.DecimalField):
        digits, places = _digits(old)
        more_digits, more_places = _digits(new)
        return more_digits >= digits and more_places >= places
    if not {old.get_internal_type(), new.get_internal_type()} <= _TEXTS:
        return False
    if new.max_length is None:
        return True
    return old.max_length is not None and new.max_length >= old.max_length


def _digits(one: models.DecimalField[object, object]) -> tuple[int, int]:
    """Give how many digits a number may have before its point, and behind it."""
    places = one.decimal_places or 0
    return (one.max_digits or 0) - places, places


def _is_trigger_gone(operation: Operation) -> bool:
    return type(operation).__name__ == "RemoveTrigger"


def _is_unused(used: Mapping[str, Collection[str]] | None, table: str, column: str) -> bool:
    """Tell whether the version before is known not to use a table, or a column of it."""
    if used is None:
        return False
    return table not in used or bool(column and column not in used[table])


def _dropped(
    operation: Operation, app: str, before: ProjectState, after: ProjectState
) -> list[Dropped]:
    """Tell what of the database an operation's reversal drops."""
    if isinstance(operation, plain.CreateModel):
        return [Dropped(_table(after, app, operation.name))]
    if isinstance(operation, plain.AddField):
        model = operation.model_name
        return [_dropped_column(operation.field, _table(after, app, model), operation.name)]
    if isinstance(operation, plain.AlterField):
        return _narrowed(operation, app, before, after)
    if isinstance(operation, (plain.RunPython, plain.RunSQL)):
        return [Dropped(words=f"{operation.describe()}: nobody can tell what its way back does")]
    return []


def _narrowed(
    operation: plain.AlterField, app: str, before: ProjectState, after: ProjectState
) -> list[Dropped]:
    """Tell what a column cannot hold any more when it is again as it was."""
    said, model = operation.describe(), operation.model_name
    old, new = _field(before, app, model, operation.name), _field(after, app, model, operation.name)
    if old is None or new is None:
        return [Dropped(words=f"{said}: nobody can tell what its way back does")]
    table, column = _table(after, app, model), _column(after, app, model, operation.name)
    found = []
    if new.null and not old.null:
        found.append(Dropped(table, column, is_empty=True))
    if old.unique and not new.unique:
        found.append(Dropped(words=f"{said}: it becomes unique again"))
    if _kind(old) == _kind(new):
        return found
    if not _is_widened(old, new):
        found.append(Dropped(words=f"{said}: its type goes back"))
    elif isinstance(old, models.DecimalField):
        found.append(Dropped(table, column, digits=_digits(old)))
    elif old.max_length is not None:
        found.append(Dropped(table, column, longer_than=old.max_length))
    return found


def _emptied(
    operation: Operation, app: str, before: ProjectState, used: Mapping[str, Collection[str]]
) -> str:
    """Say what of that which the version uses an operation's reversal brings back empty."""
    if not isinstance(operation, (plain.RemoveField, plain.DeleteModel)):
        return ""
    table, column = _taken_away(operation, app, before)
    if _is_unused(used, table, column):
        return ""
    where = f"{table}.{column}" if column else table
    return f"what {where} held; it comes back empty, and the version before uses it"


def _taken_away(
    operation: plain.RemoveField | plain.DeleteModel, app: str, before: ProjectState
) -> tuple[str, str]:
    """Give the table that goes, or the column of it that does; links have a table of their own."""
    if isinstance(operation, plain.DeleteModel):
        return _table(before, app, operation.name), ""
    table = _table(before, app, operation.model_name)
    field = _field(before, app, operation.model_name, operation.name)
    if isinstance(field, models.ManyToManyField):
        return str(getattr(field, "db_table", "") or f"{table}_{operation.name}"), ""
    return table, _column(before, app, operation.model_name, operation.name)


def _dropped_column(added: models.Field[object, object], table: str, name: str) -> Dropped:
    column = added.db_column or added.get_attname() if added.name else name
    if isinstance(added, models.GeneratedField):
        return Dropped()
    if added.many_to_many:
        return Dropped(words=f"the links of {table}.{name}")
    if isinstance(added, models.ForeignKey):
        column = added.db_column or f"{name}_id"
    if added.db_default is not NOT_PROVIDED:
        value = added.db_default
        is_known = not hasattr(value, "resolve_expression")
        return Dropped(table, column, value if is_known else None, is_known=is_known)
    if added.has_default():
        return Dropped(table, column, added.default, is_known=not callable(added.default))
    return Dropped(table, column)


def _field(
    state: ProjectState, app: str, model: str, name: str
) -> models.Field[object, object] | None:
    found = state.models.get((app, model.lower()))
    return found.fields.get(name) if found is not None else None


def _column(state: ProjectState, app: str, model: str, name: str) -> str:
    found = _field(state, app, model, name)
    if found is None:
        return name
    return found.db_column or (f"{name}_id" if isinstance(found, models.ForeignKey) else name)


def _table(state: ProjectState, app: str, model: str) -> str:
    """Give a model's table; nothing where there is no such model then."""
    found = state.models.get((app, model.lower()))
    if found is None:
        return ""
    return str(found.options.get("db_table") or f"{app}_{model.lower()}")
