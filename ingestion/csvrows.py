"""From bytes to numbered rows, as the feed contract's section 2 has them.

Knows encodings, delimiters, line ends and quotes. Knows no layout, no patient and no database, and
keeps only a little of the file at a time: a line of a gigabyte is passed over unread.

What the contract leaves open, and how it is decided here:

- A carriage return by itself ends no line: it is a character like any other. At the very end of a
  file it is half a line end.
- The byte order mark is believed before the encoding that a feed declares.
- The header stands on one physical line: no stray quote can make a patient a column's name.
- Delimiters are counted in the whole header row; of equally frequent ones the comma goes before the
  semicolon and that before the tab.
- A line of delimiters is no line of blanks, not even when the delimiter is the tab.
- 1 MiB is counted in bytes, the line's end aside. No quoted field runs over a line that is longer.
- A line "read by itself" is counted as generously as it can be: an open quote's field reaches to
  the line's end, one that is closed amiss to the next delimiter. The line with the closing quote is
  such a line too. In doubt a row is rejected and seen, never swallowed and lost.
- A row over several lines is `encoding` if one of them is; so is a line whose quote is not closed
  and that has bad bytes too.
- A row that runs over more than 200 lines or 20 MiB altogether is a fault of its quotes: memory and
  time stay bounded.
- In raw text a NUL, which no text column can hold, reads as `␀`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ingestion.choices import RefusalReason, RejectReason
from ingestion.errors import FileRefused

LINE_LIMIT = 1024 * 1024  # bytes of one physical line, its end aside
QUOTED_LINES = 20  # lines that one quoted field may run over
ROW_LINES = 200
ROW_LIMIT = QUOTED_LINES * LINE_LIMIT
RAW_LIMIT = 1000  # characters kept of a line that is rejected unread
BLOCK = 256 * 1024  # must not exceed LINE_LIMIT: only a block's first line can then be too long

DELIMITERS = ",;\t"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Their characters cannot be told apart line by line, or they are no encodings of text at all.
UNFIT_ENCODINGS = (
    "hz",
    "idna",
    "iso2022",
    "mbcs",
    "oem",
    "punycode",
    "undefined",
    "utf-7",
    "-escape",
)


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


class _FaultyLine(str):
    """A line that rejects every row it is part of; its text is as much as could be read."""

    __slots__ = ("reason",)
    reason: RejectReason

    @classmethod
    def told(cls, text: str, *, reason: RejectReason) -> _FaultyLine:
        line = cls(text.replace("\0", "␀"))
        line.reason = reason
        return line


class _Portion(NamedTuple):
    """Some lines in a row, without line feeds; a carriage return before one is still there."""

    lines: list[str]
    is_plain: bool = False  # no line has a quote or a fault
    has_returns: bool = True


class _Codec:
    """How one encoding writes characters and line ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.newline = "\n".encode(name)
        self.carriage_return = "\r".encode(name)
        self.unit = len(self.newline)

    def first_end(self, data: bytes, *, start: int = 0) -> int:
        """Where the line beginning at `start` ends, behind its line feed; 0 if it does not."""
        at = data.find(self.newline, start)
        while at > 0 and at % self.unit:
            at = data.find(self.newline, at + 1)
        return at + self.unit if at >= 0 else 0

    def last_end(self, data: bytes) -> int:
        """Where the last finished line of `data` ends, behind its line feed; 0 if none does."""
        at = data.rfind(self.newline)
        while at > 0 and at % self.unit:
            at = data.rfind(self.newline, 0, at + self.unit - 1)
        return at + self.unit if at >= 0 else 0

    def is_too_long(self, line: bytes) -> bool:
        return len(line.removesuffix(self.carriage_return)) > LINE_LIMIT

    def decode_beginning(self, line: bytes) -> _Portion:
        """A line over the limit, of which no more than its beginning is read."""
        text = line[: RAW_LIMIT * 4].decode(self.name, "replace")[:RAW_LIMIT]
        return _Portion([_FaultyLine.told(text, reason=RejectReason.TOO_LONG)])

    def decode_line(self, data: bytes) -> str:
        """One line without its line feed."""
        try:
            text = data.decode(self.name)
        except UnicodeError:
            text = data.decode(self.name, "replace")
            return _FaultyLine.told(text, reason=RejectReason.ENCODING)
        if "\0" in text:
            return _FaultyLine.told(text, reason=RejectReason.ENCODING)
        return text

    def decode_lines(self, data: bytes) -> _Portion:
        """Finished lines: all at once, or one by one if any of them is faulty."""
        try:
            text = data.decode(self.name)
        except UnicodeError:
            return _Portion(self._decode_one_by_one(data))
        if "\0" in text:
            return _Portion(self._decode_one_by_one(data))
        lines = text.split("\n")
        lines.pop()
        return _Portion(lines, is_plain='"' not in text, has_returns="\r" in text)

    def _decode_one_by_one(self, data: bytes) -> list[str]:
        lines, start = [], 0
        while start < len(data):
            end = self.first_end(data, start=start)
            lines.append(self.decode_line(data[start : end - self.unit]))
            start = end
        return lines


class _Lines:
    """The physical lines of a stream, in portions, in bounded memory."""

    def __init__(self, stream: BinaryIO, *, codec: _Codec, start: bytes) -> None:
        self.is_cut = False
        self._stream = stream
        self._codec = codec
        self._start = start

    def portions(self) -> Iterator[_Portion]:
        """All lines, in order. Of a line over the limit its beginning alone is held."""
        codec, rest, beginning = self._codec, self._start, b""
        limit = LINE_LIMIT + len(codec.carriage_return)
        while True:
            if beginning and (end := codec.first_end(rest)):
                yield codec.decode_beginning(beginning)
                rest, beginning = rest[end:], b""
            if not beginning and (end := codec.last_end(rest)):
                yield from self._finished(rest[:end])
                rest = rest[end:]
            if beginning or len(rest) > limit:
                beginning = beginning or rest[: RAW_LIMIT * 4]
                rest = rest[len(rest) - len(rest) % codec.unit :]  # half a character may have come
            block = self._stream.read(BLOCK)
            if not block:
                break
            rest += block
        yield from self._unfinished(beginning or rest, is_long=bool(beginning))

    def _finished(self, data: bytes) -> Iterator[_Portion]:
        """Only the first line can be too long: the others have come within one block."""
        if len(data) > LINE_LIMIT:
            end = self._codec.first_end(data)
            if self._codec.is_too_long(data[: end - self._codec.unit]):
                yield self._codec.decode_beginning(data)
                data = data[end:]
        if data:
            yield self._codec.decode_lines(data)

    def _unfinished(self, rest: bytes, *, is_long: bool) -> Iterator[_Portion]:
        self.is_cut = bool(rest)
        if is_long or self._codec.is_too_long(rest):
            yield self._codec.decode_beginning(rest)
        elif rest:
            yield _Portion([self._codec.decode_line(rest)])


class _QuoteFault(Exception):
    """A quoted field is not closed as it must be."""


class _Rows:
    """Rows out of lines. Lines that a quote may reach are held until that is known."""

    def __init__(self, portions: Iterator[_Portion]) -> None:
        self._portions = portions
        self._held = _Portion([], is_plain=True, has_returns=False)
        self._next = 0  # of the held lines, the first that no row has used yet
        self._number = 0  # of the last line used
        self._delimiter = ","
        self._width = 0  # while the header is read, which no second line continues

    def read_header(self) -> tuple[list[str], str]:
        """The fields of the first line that is not blank, and the delimiter that they show."""
        while (line := self._line(0)) is not None and _is_blank(line):
            self._use(1)
        if line is None:
            raise FileRefused(RefusalReason.NO_HEADER, "The file is empty: it has no header row.")
        _refuse_unreadable_header(line)
        self._use(1)
        self._delimiter = max(DELIMITERS, key=line.count)
        try:
            fields, _ = self._split(line)
        except _QuoteFault:
            detail = "The header row has a quote that is not closed on its line as it must be."
            raise FileRefused(RefusalReason.NO_HEADER, detail) from None
        self._width = len(fields)
        return fields, self._delimiter

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row behind the header, in the order of the file."""
        while self._line(0) is not None:
            if self._held.is_plain:
                yield from self._plain_rows()
            else:
                yield from self._other_rows()

    def _plain_rows(self) -> Iterator[Row | BadRow]:
        """All held lines: each is a row, and the delimiter alone divides it."""
        delimiter, width, number = self._delimiter, self._width, self._number
        lines = self._held.lines[self._next :]
        self._use(len(lines))
        if self._held.has_returns:
            lines = [line.removesuffix("\r") for line in lines]
        for line in lines:
            number += 1
            fields = line.split(delimiter, width)
            if len(fields) == width and (width > 1 or not _is_blank(line)):
                yield Row(number, fields, line)
            elif delimiter in line or not _is_blank(line):
                yield BadRow(number, RejectReason.COLUMNS, line)

    def _other_rows(self) -> Iterator[Row | BadRow]:
        """The held lines, and those that quotes on them reach."""
        delimiter, width = self._delimiter, self._width
        while self._next < len(self._held.lines):
            line = self._held.lines[self._next]
            fields = (
                None if isinstance(line, _FaultyLine) else _simple_fields(line, delimiter, width)
            )
            if fields is not None and len(fields) == width > 1:
                self._use(1)
                yield Row(self._number, fields, line.removesuffix("\r"))
            elif (row := self._take_row(line)) is not None:
                yield row

    def _take_row(self, line: str) -> Row | BadRow | None:
        """Use the lines of the row that begins with `line`; a blank line is none."""
        used, number = 1, self._number + 1
        fields: list[str] = []
        if _is_blank(line) and self._delimiter not in line:
            self._use(1)
            return None
        reason = _fault_of(line)
        if reason is not RejectReason.TOO_LONG:
            try:
                fields, used = self._split(line)
            except _QuoteFault:
                reason = reason or RejectReason.QUOTE
        lines = self._held.lines[self._next : self._next + used]
        self._use(used)
        raw = "\n".join(lines).removesuffix("\r")
        for each in lines:
            reason = reason or _fault_of(each)
        if reason is None and len(fields) != self._width:
            reason = RejectReason.COLUMNS
        return Row(number, fields, raw) if reason is None else BadRow(number, reason, raw)

    def _split(self, line: str) -> tuple[list[str], int]:
        """The fields of the row that begins with `line`, and how many lines it runs over."""
        fields: list[str] = []
        used, at = 1, 0
        while True:
            if line.startswith('"', at):
                value, line, used, at = self._quoted(line, used=used, start=at + 1)
                if line[at:] not in ("", "\r") and line[at] != self._delimiter:
                    raise _QuoteFault
            else:
                end = line.find(self._delimiter, at)
                value, at = (line[at:].removesuffix("\r"), -1) if end < 0 else (line[at:end], end)
            if len(fields) <= self._width or not self._width:
                fields.append(value)
            if at < 0 or line[at:] in ("", "\r"):
                return fields, used
            at += 1

    def _quoted(self, line: str, *, used: int, start: int) -> tuple[str, str, int, int]:
        """A quoted field's value, the line that closes it, the lines used, the place behind."""
        parts = []
        for _ in range(QUOTED_LINES):
            end = _closing_quote(line, start)
            if end >= 0:
                parts.append(line[start:end])
                return "\n".join(parts).replace('""', '"'), line, used, end + 1
            parts.append(line[start:])
            line, start = self._continuation(used), 0
            used += 1
        raise _QuoteFault

    def _continuation(self, used: int) -> str:
        """The line behind the first `used` ones of this row, if a quoted field may run over it."""
        line = self._line(used) if self._width and used < ROW_LINES else None
        if line is None or _fault_of(line) is RejectReason.TOO_LONG:
            raise _QuoteFault
        if _has_fields(line, self._width, delimiter=self._delimiter):
            raise _QuoteFault
        if sum(map(len, self._held.lines[self._next : self._next + used + 1])) > ROW_LIMIT:
            raise _QuoteFault
        return line

    def _line(self, ahead: int) -> str | None:
        """The line `ahead` of the first unused one, read from the stream if need be."""
        while self._next + ahead >= len(self._held.lines):
            portion = next(self._portions, None)
            if portion is None:
                return None
            unused = self._held.lines[self._next :]
            if unused:
                portion = _Portion(unused + portion.lines)
            self._held, self._next = portion, 0
        return self._held.lines[self._next + ahead]

    def _use(self, lines: int) -> None:
        self._next += lines
        self._number += lines


class CsvReading:
    """One file being read: its header at once, its rows as they are asked for."""

    def __init__(self, stream: BinaryIO, *, codec: _Codec, start: bytes) -> None:
        self._lines = _Lines(stream, codec=codec, start=start)
        rows = _Rows(self._lines.portions())
        fields, self.delimiter = rows.read_header()
        self.header = [_name(field) for field in fields]
        self.encoding = codec.name
        self.rows: Iterator[Row | BadRow] = rows.rows()

    @property
    def possibly_cut(self) -> bool:
        """Whether the last line has no line end; known when all rows have been read."""
        return self._lines.is_cut


def open_rows(stream: BinaryIO, *, encoding: str | None = None) -> CsvReading:
    """Read the header of a file; `encoding` is the one that its feed declares.

    Raises FileRefused if there is no header that can be read. Errors of the stream itself pass
    through.
    """
    declared = _codec_declared(encoding or "utf-8")
    start = b""
    while len(start) < len(codecs.BOM_UTF8) and (block := stream.read(BLOCK)):
        start += block
    for mark, name in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return CsvReading(stream, codec=_Codec(name), start=start[len(mark) :])
    return CsvReading(stream, codec=declared, start=start)


def _codec_declared(encoding: str) -> _Codec:
    try:
        name = codecs.lookup(encoding).name
        if any(unfit in name.replace("_", "-") for unfit in UNFIT_ENCODINGS):
            raise LookupError(name)
        return _Codec(
            {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(name, name)
        )
    except (LookupError, ValueError):
        raise FileRefused(
            RefusalReason.UNKNOWN_ENCODING,
            "The encoding that this feed declares is not known or cannot be read line by line.",
        ) from None


def _refuse_unreadable_header(line: str) -> None:
    if isinstance(line, _FaultyLine) and line.reason is RejectReason.TOO_LONG:
        detail = "The header row is longer than 1 MiB: this is no CSV export."
    elif any(character < " " and character not in "\t\r" for character in line):
        detail = "The header row holds control characters: this is a binary file, no CSV export."
    elif isinstance(line, _FaultyLine):
        detail = "The header row is not in this feed's encoding, or this is a binary file."
    else:
        return
    raise FileRefused(RefusalReason.NO_HEADER, detail)


def _name(field: str) -> str:
    return field.strip().strip("\ufeff").strip()


def _is_blank(line: str) -> bool:
    """Blanks alone; of a line that is too long nobody knows."""
    return (not line or line.isspace()) and not isinstance(line, _FaultyLine)


def _fault_of(line: str) -> RejectReason | None:
    return line.reason if isinstance(line, _FaultyLine) else None


def _simple_fields(line: str, delimiter: str, width: int) -> list[str] | None:
    """The fields of a line where no field is quoted, or where all are and none holds a quote."""
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
