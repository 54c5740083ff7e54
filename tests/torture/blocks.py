"""What the product told a column at a time, turned back into rows, as one by one it would be.

Knows how a block writes values (COPY's text). Must not judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal

from ingestion.columnwise import NOTHING, YES, Block
from ingestion.judging import Statement

_ESCAPED = re.compile(r"\\(.)")
_LETTERS = {"t": "\t", "n": "\n", "r": "\r"}


def rows_of(block: Block) -> Iterator[tuple[int, list[Statement]]]:
    """Each row that the block tells: its line and what it states."""
    for at, line in enumerate(block.lines):
        yield line, [_statement(block, number, at) for number in range(len(block.statements))]


def _statement(block: Block, number: int, at: int) -> Statement:
    told = block.statements[number]
    says = told.says[at]
    values = {name: _value(name, told.columns[name][at]) for name in told.attributes[says]}
    extra: dict[str, str | None] = {}
    if told.keeps_unknown and block.extra is not None:
        extra = json.loads(_ESCAPED.sub(_unescaped, block.extra[at]))
    return Statement(told.kind, tuple(column[at] for column in told.identity), says, values, extra)


def _value(name: str, text: str) -> object:
    return None if text == NOTHING else _READ.get(name, str)(text)


def _unescaped(found: re.Match[str]) -> str:
    return _LETTERS.get(found[1], found[1])


def _is_yes(text: str) -> bool:
    return text == YES


_READ: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("admitted_at", "ordered_at", "performed_at"), datetime.fromisoformat),
    "date_of_birth": date.fromisoformat,
    "number": Decimal,
    **dict.fromkeys(("is_cancelled", "is_withdrawn", "unit_is_ambiguous"), _is_yes),
}
