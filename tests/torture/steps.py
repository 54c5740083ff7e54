"""What a worker is doing, as its connection shows it to the server: the name of a step.

Knows the tables and the words of statements, and nothing of the code that sends them: it has to
hold when that is written anew.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import psycopg2

from tests.torture.crew import worker_name

_CLAIM = 0x5649_4701  # the first half of a claim's lock

_LOOK = """
    SELECT a.pid, a.state, a.xact_start IS NOT NULL, a.query, f.id, f.attempts
    FROM pg_stat_activity a
    LEFT JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'advisory' AND l.granted
        AND l.classid = %s AND l.objsubid = 2
    LEFT JOIN ingestion_feedfile f ON f.id = l.objid
    WHERE a.application_name = %s
"""
_ACTION = re.compile(
    r"\b(COPY|INSERT\s+INTO|UPDATE|DELETE\s+FROM|CREATE\s+TEMP\w*\s+TABLE|FROM|JOIN)\s+"
    r'(?:ONLY\s+|IF NOT EXISTS\s+)?"?(\w+)"?',
    re.IGNORECASE,
)
_RECORDS = {
    "patient": "patients",
    "admission": "admissions",
    "labtest": "tests",
    "labresult": "results",
    "department": "departments",
}
_BOOKKEEPING = {
    "reading": "writing the ledger",
    "feedfile": "the file's own row: taking it, writing its ledger",
    "waitingrow": "keeping rows that wait",
    "rejectedrow": "keeping rejected rows",
    "rejectedsubject": "keeping rejected rows",
    "flaw": "keeping flaws",
    "drift": "reporting drift",
    "changecounter": "counting the change",
    "columnset": "naming column sets",
    "lateversion": "keeping versions that came late",
    "feed": "finding the feed",
}


class Glance(NamedTuple):
    """A worker as the server sees it at one moment.

    `tries`: how often its file may count as begun if it is killed now. A worker outside of its
    transaction may just be about to count one more.
    """

    backend: int
    is_in_transaction: bool
    step: str
    file: int | None
    tries: int


def look_at(watch: psycopg2.extensions.connection, worker: int) -> Glance | None:
    """See what a worker's connection is doing; None where it has none."""
    with watch.cursor() as cursor:
        cursor.execute(_LOOK, [_CLAIM, worker_name(worker)])
        row = cursor.fetchone()
    if row is None or row[1] is None:
        return None
    backend, _state, is_in_transaction, query, file, attempts = row
    step = step_of(query, is_in_transaction=is_in_transaction, has_claim=file is not None)
    is_counted = is_in_transaction and "attempts" not in query.partition("WHERE")[0]
    tries = 0 if file is None else attempts + (not is_counted)
    return Glance(backend, is_in_transaction, step, file, tries)


def step_of(query: str, *, is_in_transaction: bool, has_claim: bool) -> str:
    """Name the step of a connection whose last statement is `query`."""
    if not is_in_transaction:
        return "reading and judging, no transaction" if has_claim else "between two files"
    text = " ".join(query.split())
    if text.upper().startswith(("COMMIT", "RELEASE")):
        return "committing"
    if text.upper().startswith(("BEGIN", "SAVEPOINT")):
        return "beginning"
    if "advisory" in text:
        return "taking locks"
    if "quiet_since" in text or "last_test_at" in text:
        return "recomputing since when somebody is without a test"
    if not has_claim or "alerts_" in text:
        return "evaluating alerts"
    return _step_of_statement(text)


def _step_of_statement(text: str) -> str:
    actions = [(" ".join(verb.upper().split()), table) for verb, table in _ACTION.findall(text)]
    writes = [action for action in actions if action[0] not in ("FROM", "JOIN")]
    for verb, table in writes or actions:
        kind = table.lower().removeprefix("ingestion_")
        if kind in _RECORDS:
            does = "merging" if verb in ("FROM", "JOIN") else "writing"
            return f"{does} {_RECORDS[kind]}"
        if kind in _BOOKKEEPING:
            return _BOOKKEEPING[kind]
        if verb == "COPY" or verb.startswith("CREATE"):
            return "copying rows to the stage"
    for kind in re.findall(r"ingestion_(\w+)", text):
        if kind in _RECORDS:
            return f"merging {_RECORDS[kind]}"
    if "stage_" in text:
        return "working out on the stage what is new"
    words = text.split()
    return f"other: {words[0].upper()}" if words else "other"
