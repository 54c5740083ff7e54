"""Which question may be answered from the database's replica, and whether the replica may answer.

A replica is a little old. It is asked only inside `slightly_old`, by a request that has not
written, of somebody whose own writes it has replayed already, and only while it is not far behind.
In every other case, and whenever it fails, the database that writes is asked: nobody notices but
the state page. Must not know addresses or cookies (hospital.replicas does).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections

log = logging.getLogger(__name__)
_T = TypeVar("_T")

READER = "reader"
# After a failure it is left in peace for so long: pages must not wait for it one by one.
_LEFT_ALONE_SECONDS = 10.0

_STATE = """
    SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp(),
        extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
        pg_last_wal_replay_lsn() >= %s::pg_lsn,
        (SELECT system_identifier FROM pg_control_system())
"""


@dataclass
class Asker:
    """Somebody whose request may be answered from the replica.

    `own_writes` is the place in the log behind what that person wrote last, "0/0" for nothing.
    """

    own_writes: str = "0/0"
    has_written: bool = False


@dataclass(frozen=True)
class State:
    """How the replica stands. `lag` is how old its newest transaction is, in seconds.

    While nothing is written anywhere that grows too, and readers go to the writer: it is idle.
    """

    is_replica: bool
    replayed_until: datetime | None
    lag: float | None
    has_own_writes: bool
    system: int


# Nobody by default: tasks, commands and whatever else is no request never ask the replica.
_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)
_answering: ContextVar[State | None] = ContextVar("answering", default=None)
_left_alone_until = 0.0
_system_of_writer: int | None = None


def is_set() -> bool:
    """Tell whether there is a replica to ask."""
    return READER in settings.DATABASES


def alias_for_reading() -> str:
    """Give the database that reads go to just now."""
    return READER if _answering.get() else DEFAULT_DB_ALIAS


def replayed_until() -> datetime | None:
    """Give the instant as of which the replica answers; None where the writer does."""
    state = _answering.get()
    return state.replayed_until if state else None


@contextmanager
def asked_by(asker: Asker | None) -> Iterator[None]:
    """Answer one request of somebody; None: from the writer alone."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def slightly_old(question: Callable[[], _T]) -> _T:
    """Answer a question that may be answered as of some seconds ago, from the replica if it can.

    The question must read all that it needs, write nothing, and be fit to be asked twice: what
    fails at the replica is asked of the writer. It may be no conditional one: its tag would say
    that an older answer is the newest.
    """
    state = _state_for_this()
    if state is None:
        return question()
    token = _answering.set(state)
    try:
        return question()
    except Error as error:
        leave_alone(error)
    finally:
        _answering.reset(token)
    return question()


def leave_alone(error: Exception) -> None:
    """Ask the replica no more for a while; what is open to it is closed."""
    global _left_alone_until  # pylint: disable=global-statement
    _left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
    log.warning("the replica does not answer", extra={"error": type(error).__name__})
    connections[READER].close()


def ask_state(own_writes: str = "0/0") -> State:
    """Ask the replica how it stands. Raises django.db.Error."""
    with connections[READER].cursor() as cursor:
        cursor.execute(_STATE, [own_writes])
        in_recovery, until, lag, has_own, system = cursor.fetchone()
    return State(in_recovery, until, lag, bool(has_own), system)


def is_of_the_writer(state: State) -> bool:
    """Tell whether it is a replica of our database, and of no other place's."""
    global _system_of_writer  # pylint: disable=global-statement
    if _system_of_writer is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT system_identifier FROM pg_control_system()")
            (_system_of_writer,) = cursor.fetchone()
    return state.is_replica and state.system == _system_of_writer


def _state_for_this() -> State | None:
    """Give the replica's state if it may answer this; None where the writer must."""
    asker = _asker.get()
    if asker is None or asker.has_written or not is_set() or _answering.get():
        return None
    # A transaction has begun: it may have written, or stand for an earlier moment.
    if connection.in_atomic_block or time.monotonic() < _left_alone_until:
        return None
    try:
        state = ask_state(asker.own_writes)
        may_answer = (
            is_of_the_writer(state)
            and state.has_own_writes
            and state.lag is not None
            and state.lag <= settings.DATABASE_READER_MAX_LAG_SECONDS
        )
    except Error as error:
        leave_alone(error)
        return None
    return state if may_answer else None
