"""The schema is brought forward and back, as its owner, and what came of it is looked at.

A migration that fails half-way leaves the schema as it was: those before it are gone back over, and
the whole schema is held against what it was.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.core.management import call_command
from django.db import connection
from django.db.migrations.migration import Migration

from ops.errors import MigrationFailed, WouldLose
from ops.queries.schema import (
    Key,
    applied_keys,
    beyond,
    lost_by_reversing,
    schema_as_it_is,
    targets_of,
)
from ops.services.procedure import Say, words_of


@dataclass(frozen=True)
class Schema:
    """How the schema stood at a moment: which migrations were applied, and what there was."""

    applied: frozenset[Key]
    parts: frozenset[str]

    @property
    def names(self) -> list[str]:
        """The migrations as `app.name`."""
        return [f"{app}.{name}" for app, name in self.applied]


def schema_now() -> Schema:
    """Look how the schema stands."""
    return Schema(applied_keys(), schema_as_it_is())


def migrate(before: Schema, say: Say) -> str:
    """Apply what is not applied. Raises MigrationFailed, which says how the schema stands then."""
    try:
        _migrate(say)
    except BaseException as error:
        raise MigrationFailed(f"{words_of(error)} {_after_failure(before, say)}") from error
    done = sorted(applied_keys() - before.applied)
    if not done:
        return "There was nothing to apply."
    return f"Applied {len(done)}: {', '.join(f'{app}.{name}' for app, name in done)}."


def go_back_to(before: Schema, say: Say) -> str:
    """Go back over what was applied since, if nothing is lost by it; else leave it as it is.

    Returns how the schema stands. Raises MigrationFailed where it cannot be told or brought back.
    """
    since = beyond(before.names)
    try:
        if since:
            reverse(since, say)
    except WouldLose as error:
        return (
            f"{_names(since)} stay applied, since going back would lose {error}."
            " The version before works with them."
        )
    return _require_as_it_was(before)


def reverse(
    migrations: list[Migration], say: Say, used: Mapping[str, Collection[str]] | None = None
) -> str:
    """Go back over these, for a version that uses these columns.

    Raises WouldLose, with nothing changed, or MigrationFailed.
    """
    # Whoever looked before the code was switched looked too early: it wrote on until then.
    if lost := lost_by_reversing(migrations, used):
        raise WouldLose("; ".join(lost.words))
    for app, target in targets_of(migrations).items():
        say(f"going back to {app} {target}")
        try:
            _migrate(say, app, target)
        except BaseException as error:
            raise MigrationFailed(
                f"Going back to {app} {target} failed. {words_of(error)} Do it by hand, as the"
                f" owner, with this version's code: manage.py migrate {app} {target}"
            ) from error
    return f"Went back over {_names(migrations)}."


def _after_failure(before: Schema, say: Say) -> str:
    """Say how the schema stands after a migration failed; what went before it is taken back."""
    connection.close()
    try:
        return go_back_to(before, say)
    except MigrationFailed as error:
        return str(error)
    except Exception as error:  # pylint: disable=broad-exception-caught
        return (
            f"How the schema stands could not be found out: {words_of(error)} Look with manage.py"
            " showmigrations as soon as the database answers."
        )


def _require_as_it_was(before: Schema) -> str:
    now = schema_now()
    if now == before:
        return "The schema is as it was before."
    differing = sorted(now.parts ^ before.parts)
    told = "; ".join(part.strip() for part in differing[:5])
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    raise MigrationFailed(
        f"The schema is not as it was before: {told}{more}. A migration that is not atomic left"
        " this: look at it, and remove it by hand or restore the backup point."
    )


def _migrate(say: Say, *words: str) -> None:
    said = io.StringIO()
    say("migrating")
    call_command("migrate", *words, interactive=False, verbosity=0, stdout=said, stderr=said)


def _names(migrations: list[Migration]) -> str:
    return ", ".join(str(each) for each in migrations)
