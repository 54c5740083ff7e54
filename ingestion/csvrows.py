"""From physical lines to numbered rows, as the feed contract's section 2 has them.

Knows delimiters, quotes and what a row's form may be. Knows no layout, no patient and no database,
and holds only the lines that a quote may reach.

What the contract leaves open, and how it is decided here (encodings and line ends: `csvlines`):

- The header stands on one physical line: no stray quote can make a patient a column's name. A
  control character in it is part of a name, or a blank around one, and refuses no file.
- Delimiters are counted in the whole header row; of equally frequent ones the comma goes before the
  semicolon and that before the tab.
- A line of delimiters is no line of blanks, not even when the delimiter is the tab.
- No quoted field runs over a line of more than 1 MiB, which nobody has read.
- A line "read by itself" is counted as generously as it can be: an open quote's field reaches to
  the line's end, one that is closed amiss to the next delimiter. The line with the closing quote is
  such a line too. In doubt a row is rejected and seen, never swallowed and lost.
- A row over several lines is `encoding` if one of them is; so is a line whose quote is not closed
  and that has bad bytes too.
- A row that runs over more than 200 lines or 20 MiB altogether is a fault of its quotes: memory and
  time stay bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ingestion.choices import RefusalReason, RejectReason
from ingestion.csvlines import LINE_LIMIT, FaultyLine, Portion, open_lines
from ingestion.errors import FileRefused

QUOTED_LINES = 20  # lines that one quoted field may run over
ROW_LINES = 200
ROW_LIMIT = QUOTED_LINES * LINE_LIMIT
DELIMITERS = ",;\t"


class Row(NamedTuple):
    """A row with as many fields as the header, untrimmed; `line` is the one where it begins."""

    line: int
    fields: list[str]
    raw: str


class BadRow(NamedTuple):
    """One row whose form rejects it; the line after it is read as a row of its own."""

    line: int
    reason: RejectReason
    raw: str


class CsvReading:
    """One file being read: its header at once, its rows as they are asked for."""

    def __init__(self, stream: BinaryIO, *, encoding: str) -> None:
        self._lines = open_lines(stream, encoding=encoding)
        held = _HeldLines(self._lines.portions())
        header = _header_line(held)
        self.encoding = self._lines.encoding
        self.delimiter = max(DELIMITERS, key=header.count)
        self.header = _header_fields(header, self.delimiter)
        self.rows = _Rows(held, delimiter=self.delimiter, width=len(self.header)).rows()

    @property
    def possibly_cut(self) -> bool:
        """Whether the last line has no line end; known when all rows have been read."""
        return self._lines.is_cut


def open_rows(stream: BinaryIO, *, encoding: str | None = None) -> CsvReading:
    """Read the header of a file; `encoding` is the one that its feed declares.

    Raises FileRefused if it has no header that can be read. Errors of the stream pass through.
    """
    return CsvReading(stream, encoding=encoding or "utf-8")


class _QuoteFault(Exception):
    """A quoted field is not closed as it must be."""


class _HeldLines:
    """The lines that no row has used yet, as far as they had to be read."""

    def __init__(self, portions: Iterator[Portion]) -> None:
        self.portion = Portion([])
        self.number = 0  # of the last line used
        self._portions = portions
        self._next = 0  # of the portion's lines, the first that is unused

    def peek(self, ahead: int = 0) -> str | None:
        """The line `ahead` of the first unused one, read from the stream if need be."""
        while self._next + ahead >= len(self.portion.lines):
            portion = next(self._portions, None)
            if portion is None:
                return None
            unused = self.portion.lines[self._next :]
            self.portion = Portion(unused + portion.lines) if unused else portion
            self._next = 0
        return self.portion.lines[self._next + ahead]

    def use(self, count: int) -> list[str]:
        """Take so many lines, all of which have been peeked at."""
        lines = self.portion.lines[self._next : self._next + count]
        self._next += count
        self.number += count
        return lines

    def use_all(self) -> list[str]:
        """Take the lines that are held."""
        return self.use(len(self.portion.lines) - self._next)


class _Rows:
    """Rows out of lines."""

    def __init__(self, held: _HeldLines, *, delimiter: str, width: int) -> None:
        self._held = held
        self._delimiter = delimiter
        self._width = width
        self._hopeless: set[int] = set()  # lines at whose end a quote is open that no line closes

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row behind the header, in the order of the file."""
        delimiter, width, held = self._delimiter, self._width, self._held
        while (line := held.peek()) is not None:
            if held.portion.is_plain:
                yield from self._plain_rows()
                continue
            fields = _simple_fields(line, delimiter, width)
            if fields is not None and len(fields) == width > 1:
                held.use(1)
                yield Row(held.number, fields, line.removesuffix("\r"))
            elif (row := self._take_row(line)) is not None:
                yield row

    def _plain_rows(self) -> Iterator[Row | BadRow]:
        """All held lines: each is a row, and the delimiter alone divides it."""
        delimiter, width, number = self._delimiter, self._width, self._held.number
        lines = self._held.use_all()
        if self._held.portion.has_returns:
            lines = [line.removesuffix("\r") for line in lines]
        for line in lines:
            number += 1
            fields = line.split(delimiter, width)
            if len(fields) == width and (width > 1 or not _is_blank(line)):
                yield Row(number, fields, line)
            elif delimiter in line or not _is_blank(line):
                yield BadRow(number, RejectReason.COLUMNS, line)

    def _take_row(self, line: str) -> Row | BadRow | None:
        """Use the lines of the row that begins with `line`; a blank line is none."""
        number, fields = self._held.number + 1, None
        if _is_blank(line) and self._delimiter not in line:
            self._held.use(1)
            return None
        row = _RowAtHand(self._held, line, delimiter=self._delimiter, width=self._width)
        reason = _fault_of(line)
        if reason is not RejectReason.TOO_LONG:
            try:
                fields = row.split(hopeless=self._hopeless)
            except _QuoteFault:
                reason = reason or RejectReason.QUOTE
                self._give_up(row)
        lines = self._held.use(1 if fields is None else row.used)
        raw = "\n".join(lines).removesuffix("\r")
        for each in lines:
            reason = reason or _fault_of(each)
        if fields is None or reason is not None:
            return BadRow(number, reason or RejectReason.QUOTE, raw)
        if len(fields) != self._width:
            return BadRow(number, RejectReason.COLUMNS, raw)
        return Row(number, fields, raw)

    def _give_up(self, row: _RowAtHand) -> None:
        """Remember where the row's quotes were open, lest each line behind be read as far again."""
        if row.opened:
            self._hopeless = {line for line in self._hopeless if line > self._held.number}
            self._hopeless.update(row.opened)


class _RowAtHand:
    """The row that begins on the first unused line, while it is divided into fields."""

    def __init__(self, held: _HeldLines, line: str, *, delimiter: str, width: int) -> None:
        self.used = 1  # lines that it runs over
        self.opened: list[int] = []  # numbers of the lines at whose end a quote was open
        self._held = held
        self._line = line  # the last of those lines
        self._at = 0  # the place in it that is read next
        self._size = len(line)
        self._delimiter = delimiter
        self._width = width

    def split(self, *, hopeless: set[int]) -> list[str]:
        """The fields, or enough of them to see that they are too many. Raises _QuoteFault."""
        fields: list[str] = []
        while True:
            if self._line.startswith('"', self._at):
                value = self._quoted(hopeless)
            else:
                value = self._unquoted()
            if len(fields) <= self._width:
                fields.append(value)
            if self._is_at_end():
                return fields
            if self._line[self._at] != self._delimiter:
                raise _QuoteFault
            self._at += 1

    def _is_at_end(self) -> bool:
        rest = len(self._line) - self._at
        return rest <= 0 or (rest == 1 and self._line[-1] == "\r")

    def _unquoted(self) -> str:
        start, end = self._at, self._line.find(self._delimiter, self._at)
        self._at = end if end >= 0 else len(self._line)
        value = self._line[start : self._at]
        return value if end >= 0 else value.removesuffix("\r")

    def _quoted(self, hopeless: set[int]) -> str:
        """The value of a field that a quote opens, which may end some lines below."""
        parts, start = [], self._at + 1
        while (end := _closing_quote(self._line, start)) < 0:
            parts.append(self._line[start:])
            if len(parts) == 1:
                self.opened.append(self._held.number + self.used)
                if self.opened[-1] in hopeless:
                    raise _QuoteFault
            if len(parts) == QUOTED_LINES:
                raise _QuoteFault
            self._go_on()
            start = 0
        parts.append(self._line[start:end])
        self._at = end + 1
        return "\n".join(parts).replace('""', '"')

    def _go_on(self) -> None:
        """Go on with the next line, if a quoted field may run over it."""
        line = self._held.peek(self.used) if self.used < ROW_LINES else None
        if line is None or _fault_of(line) is RejectReason.TOO_LONG:
            raise _QuoteFault
        if _has_fields(line, self._width, delimiter=self._delimiter):
            raise _QuoteFault
        self._size += len(line)
        if self._size > ROW_LIMIT:
            raise _QuoteFault
        self.used += 1
        self._line = line


def _header_line(held: _HeldLines) -> str:
    """The first line that is not blank."""
    while (line := held.peek()) is not None and _is_blank(line):
        held.use(1)
    if line is None:
        detail = "The file is empty: it has no header row."
    elif (fault := _fault_of(line)) is None:
        held.use(1)
        return line
    elif fault is RejectReason.TOO_LONG:
        detail = "The header row is longer than 1 MiB: this is no CSV export."
    elif any(character < " " and character not in "\t\r" for character in line) or "␀" in line:
        detail = "The header row holds control characters: this is a binary file, no CSV export."
    else:
        detail = "The header row is not in this feed's encoding, or this is a binary file."
    raise FileRefused(RefusalReason.NO_HEADER, detail)


def _header_fields(line: str, delimiter: str) -> list[str]:
    """The names in the header, trimmed. No line continues it."""
    row = _RowAtHand(_HeldLines(iter(())), line, delimiter=delimiter, width=len(line))
    try:
        fields = row.split(hopeless=set())
    except _QuoteFault:
        detail = "The header row has a quote that is not closed on its line as it must be."
        raise FileRefused(RefusalReason.NO_HEADER, detail) from None
    return [bare_name(field) for field in fields]


def bare_name(name: str) -> str:
    """A column's name without the blanks and byte order marks around it, however they are mixed."""
    while name != (bare := name.strip().strip("\ufeff")):
        name = bare
    return name


def _is_blank(line: str) -> bool:
    """Blanks alone; of a line that is too long nobody knows."""
    return (not line or line.isspace()) and not isinstance(line, FaultyLine)


def _fault_of(line: str) -> RejectReason | None:
    return line.reason if isinstance(line, FaultyLine) else None


def _simple_fields(line: str, delimiter: str, width: int) -> list[str] | None:
    """The fields of a line where no field is quoted, or where all are and none holds a quote."""
    if isinstance(line, FaultyLine):
        return None
    line = line.removesuffix("\r")
    if '"' not in line:
        return line.split(delimiter, width)
    if line[0] == '"' == line[-1]:
        fields = line[1:-1].split(f'"{delimiter}"', width)
        if line.count('"') == 2 * len(fields):
            return fields
    return None


def _closing_quote(line: str, start: int) -> int:
    """The place of the first quote from `start` on that is not doubled, or -1."""
    at = line.find('"', start)
    while at >= 0 and line.startswith('"', at + 1):
        at = line.find('"', at + 2)
    return at


def _has_fields(line: str, width: int, *, delimiter: str) -> bool:
    """Whether the line, read by itself, has so many fields."""
    if '"' not in line:
        return line.count(delimiter) + 1 == width
    count, at = 1, 0
    while count <= width:
        if line.startswith('"', at):
            at = _closing_quote(line, at + 1)
        at = line.find(delimiter, at) if at >= 0 else -1
        if at < 0:
            break
        count, at = count + 1, at + 1
    return count == width
