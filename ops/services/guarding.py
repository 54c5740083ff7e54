"""What stands on the trail's tables in the database, held against what was put there.

Knows each trigger and its function to the letter. Must change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pgtrigger
from django.db import connection

from ops.models import GUARDED, GUARDING, GUARDING_BODY, GUARDS, AuditEvent

# PostgreSQL's own bits of a trigger: for each row, before; on delete and update; on truncate.
_ON_CHANGE = 1 + 2 + 8 + 16
_ON_TRUNCATE = 2 + 32
_TYPES = dict(zip(GUARDS, (_ON_CHANGE, _ON_TRUNCATE), strict=True))

_TRIGGERS = """
    SELECT c.relname, t.tgname, t.tgenabled::text, t.tgtype,
           t.tgqual IS NULL AND t.tgattr::text = '' AND t.tgnargs = 0 AND t.tgconstraint = 0
               AND t.tgoldtable IS NULL AND t.tgnewtable IS NULL
               AND p.pronamespace = c.relnamespace AND l.lanname = 'plpgsql'
               AND NOT p.prosecdef AND p.proconfig IS NULL,
           p.proname, p.prosrc
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc p ON p.oid = t.tgfoid
    JOIN pg_language l ON l.oid = p.prolang
    WHERE t.tgrelid = ANY (%s::regclass[]) AND NOT t.tgisinternal
    ORDER BY c.relname, t.tgname
"""
_RULES = """
    SELECT c.relname, r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE c.oid = ANY (%s::regclass[]) ORDER BY 1, 2
"""
_ROW_SECURITY = """
    SELECT c.relname FROM pg_class c WHERE c.oid = ANY (%s::regclass[])
    AND (c.relrowsecurity OR c.relforcerowsecurity
         OR EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)) ORDER BY 1
"""


@dataclass(frozen=True)
class _Guard:
    """A trigger as it must be; `enabled` gives the ways in which it may be switched on."""

    enabled: str
    type: int
    function: str
    body: str


def what_is_amiss() -> list[str]:
    """Say which guard is missing, off or changed, and what stands there that is none of them."""
    return [*_of_triggers(), *_of_rules(), *_of_row_security()]


def _of_triggers() -> Iterator[str]:
    expected, seen, changed = _expected(), set[tuple[str, str]](), set[str]()
    for table, name, enabled, sort, is_plain, function, body in _asked(_TRIGGERS):
        guard = expected.get((table, name))
        if guard is None:
            yield f"the trigger {name} of {table} is none of the trail's: it runs {function}"
            continue
        if enabled not in guard.enabled:
            continue
        seen.add((table, name))
        if (sort, function, is_plain) != (guard.type, guard.function, True):
            yield f"the guard {name} of {table} is another one than was made: it runs {function}"
        elif _spaced(body) != _spaced(guard.body) and function not in changed:
            changed.add(function)
            yield f"the function {function}, which guards {table}, was changed"
    for table, name in expected:
        if (table, name) not in seen:
            yield f"the guard {name} of {table} is missing or switched off"


def _of_rules() -> Iterator[str]:
    for table, name in _asked(_RULES):
        yield f"the rule {name} of {table} is none of the trail's"


def _of_row_security() -> Iterator[str]:
    for (table,) in _asked(_ROW_SECURITY):
        yield f"row security of {table} hides or refuses rows: the trail has none"


def _expected() -> dict[tuple[str, str], _Guard]:
    own = {
        (table, name): _Guard("A", _TYPES[name], GUARDING, GUARDING_BODY)
        for table in GUARDED
        for name in GUARDS
    }
    return own | dict(_of_the_package())


def _of_the_package() -> Iterator[tuple[tuple[str, str], _Guard]]:
    """Those of the package that guards other tables too: the trail's own table has two."""
    for trigger in AuditEvent._meta.triggers:  # type: ignore[attr-defined]
        name = trigger.get_pgid(AuditEvent)
        body = re.findall(r"\$\$(.*?)\$\$", trigger.compile(AuditEvent).install_sql, re.DOTALL)[-1]
        sort = _ON_TRUNCATE if trigger.operation == pgtrigger.Truncate else _ON_CHANGE
        yield (AuditEvent._meta.db_table, name), _Guard("OA", sort, name, body)


def _spaced(body: str) -> str:
    return " ".join(body.split())


def _asked(question: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, [list(GUARDED)])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
