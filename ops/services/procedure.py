"""A procedure as a list of named steps: each told, timed and put on record, whatever comes of it.

What was done before there was a record is put there as soon as there is one. A database that fails
meanwhile stops no step: what could not be recorded is told at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from ops.choices import StepOutcome
from ops.errors import OpsError
from ops.models import Deployment
from ops.services.deployments import note_step

Say = Callable[[str], None]

# Their words are for whoever reads the record.
_SPEAKING = (OpsError, CommandError)


@dataclass(frozen=True)
class Came:
    """What came of a step."""

    name: str
    outcome: StepOutcome
    seconds: float
    words: str


class NotRun(Exception):
    """A step that has nothing to do here, or cannot be judged; says why."""


class Stopped(Exception):
    """A step failed, or was stopped; `words` say why."""

    def __init__(self, step: str, error: BaseException) -> None:
        self.step = step
        self.words = words_of(error)
        self.is_by_hand = isinstance(error, KeyboardInterrupt)
        super().__init__(f"{step}: {self.words}")


@dataclass
class Steps:
    """The steps as they are taken. `tell` is given each when it is over, `say` what it does."""

    say: Say
    tell: Callable[[Came], None]
    deployment: Deployment | None = None
    taken: list[Came] = field(default_factory=list)
    unrecorded: list[Came] = field(default_factory=list)

    def take(self, name: str, act: Callable[[], str]) -> None:
        """Take one step. Raises Stopped."""
        self.say(name)
        _connect_anew_if_broken()
        began = time.monotonic()
        try:
            words, outcome = act(), StepOutcome.PASSED
        except NotRun as error:
            words, outcome = str(error), StepOutcome.NOT_RUN
        except BaseException as error:
            self._keep(Came(name, StepOutcome.FAILED, _since(began), words_of(error)))
            raise Stopped(name, error) from error
        self._keep(Came(name, outcome, _since(began), words))

    def record_in(self, deployment: Deployment) -> None:
        """From now on, put steps on record there: those that were taken so far, too."""
        self.deployment = deployment
        self._record()

    def _keep(self, came: Came) -> None:
        self.taken.append(came)
        self.unrecorded.append(came)
        self.tell(came)
        _connect_anew_if_broken()
        self._record()

    def _record(self) -> None:
        """Put on record what is not yet; what cannot be is tried again after the next step."""
        while self.deployment is not None and self.unrecorded:
            came = self.unrecorded[0]
            try:
                note_step(
                    self.deployment,
                    came.name,
                    outcome=came.outcome,
                    seconds=came.seconds,
                    words=came.words,
                )
            except (DatabaseError, InterfaceError):
                connection.close()
                return
            del self.unrecorded[0]


def _connect_anew_if_broken() -> None:
    """While Zappa works for minutes, whatever lies between may forget our connection."""
    is_open = connection.connection is not None and not connection.in_atomic_block
    if is_open and not connection.is_usable():
        connection.close()


def words_of(error: BaseException) -> str:
    """Say what stopped a step. A database's message may quote rows: its names alone are told."""
    if isinstance(error, _SPEAKING):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "It was stopped by hand."
    if isinstance(error, (OperationalError, InterfaceError)) and _diagnosis(error) == "":
        return "The database cannot be reached, or broke off."
    if isinstance(error, DatabaseError):
        return f"The database refused it: {type(error).__name__}{_diagnosis(error)}."
    return f"It stopped at an error that nobody foresaw: {type(error).__name__}."


def _diagnosis(error: BaseException) -> str:
    cause = error.__cause__
    diagnosis, code = getattr(cause, "diag", None), getattr(cause, "pgcode", None)
    parts = [f"code {code}"] if code else []
    for part in ("table_name", "column_name", "constraint_name"):
        if value := getattr(diagnosis, part, None):
            parts.append(f"{part.removesuffix('_name')} {value}")
    return f" ({', '.join(parts)})" if parts else ""


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
