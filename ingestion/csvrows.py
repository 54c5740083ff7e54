"""From bytes to numbered rows, as the feed contract's section 2 has them.

Knows encodings, delimiters, line ends and quotes. Knows no layout, no patient and no database, and
keeps only a little of the file at a time: a line of a gigabyte is passed over unread.

What the contract leaves open, and how it is decided here:

- A carriage return alone ends no line; a header that holds one is refused, since the whole file
  would be its header.
- The byte order mark is believed before the encoding that a feed declares.
- Of delimiters that occur equally often in the header row, comma goes before semicolon, semicolon
  before tab.
- A line of delimiters is no line of blanks, not even when the delimiter is the tab.
- A continuation line "read by itself" is counted as generously as it can be (a faulty field counts
  as one field), and the line with the closing quote is such a line too: in doubt a row is rejected
  and seen, never swallowed and lost.
- A row that runs over more than 200 lines or 20 MiB altogether is a fault of its quotes: memory and
  time stay bounded.
- Line breaks inside a value are kept as line feeds. In raw text a NUL, which no text column can
  hold, reads as `␀`.
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


class _Codec:
    """How one encoding writes characters and line ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.newline = "\n".encode(name)
        self.unit = len(self.newline)
        self.limit = LINE_LIMIT + len("\r".encode(name))

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

    def decode_beginning(self, data: bytes) -> _FaultyLine:
        text = data[: RAW_LIMIT * 4].decode(self.name, "replace")[:RAW_LIMIT]
        return _FaultyLine.told(text, reason=RejectReason.TOO_LONG)

    def decode_line(self, data: bytes) -> str:
        """One line without its line feed."""
        try:
            text = data.decode(self.name)
        except UnicodeError:
            text = data.decode(self.name, "replace").removesuffix("\r")
            return _FaultyLine.told(text, reason=RejectReason.ENCODING)
        text = text.removesuffix("\r")
        if "\0" in text:
            return _FaultyLine.told(text, reason=RejectReason.ENCODING)
        return text

    def decode_lines(self, data: bytes) -> tuple[list[str], bool]:
        """Finished lines at once, and whether every one of them is without quote and fault."""
        try:
            text = data.decode(self.name)
        except UnicodeError:
            return self._decode_one_by_one(data), False
        if "\0" in text:
            return self._decode_one_by_one(data), False
        lines = text.replace("\r\n", "\n").split("\n")
        lines.pop()
        return lines, '"' not in text

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

    def portions(self) -> Iterator[tuple[list[str], bool]]:
        """Lists of lines, each with whether all its lines are without quote and fault."""
        codec, rest, beginning = self._codec, self._start, b""
        while True:
            if beginning:
                end = codec.first_end(rest)
                if end:
                    yield [codec.decode_beginning(beginning)], False
                    rest, beginning = rest[end:], b""
                else:
                    rest = self._half_unit(rest)
            if not beginning:
                end = codec.last_end(rest)
                if end:
                    yield from self._finished(rest[:end])
                    rest = rest[end:]
                if len(rest) > codec.limit:
                    rest, beginning = self._half_unit(rest), rest[: RAW_LIMIT * 4]
            block = self._stream.read(BLOCK)
            if not block:
                break
            rest += block
        yield from self._unfinished(rest, beginning)

    def _half_unit(self, data: bytes) -> bytes:
        """The last byte of a two-byte character that has come by half; all before it is dropped."""
        return data[len(data) - len(data) % self._codec.unit :]

    def _finished(self, data: bytes) -> Iterator[tuple[list[str], bool]]:
        if len(data) > LINE_LIMIT:
            end = self._codec.first_end(data)
            if self._is_too_long(data[: end - self._codec.unit]):
                yield [self._codec.decode_beginning(data)], False
                data = data[end:]
        if data:
            yield self._codec.decode_lines(data)

    def _unfinished(self, rest: bytes, beginning: bytes) -> Iterator[tuple[list[str], bool]]:
        self.is_cut = bool(rest or beginning)
        if beginning or self._is_too_long(rest):
            yield [self._codec.decode_beginning(beginning or rest)], False
        elif rest:
            yield [self._codec.decode_line(rest)], False

    def _is_too_long(self, line: bytes) -> bool:
        return len(line.removesuffix("\r".encode(self._codec.name))) > LINE_LIMIT


class _QuoteFault(Exception):
    """A quoted field is not closed as it must be."""


class _Rows:
    """Rows out of lines. Lines that a quote may reach are held until that is known."""

    def __init__(self, portions: Iterator[tuple[list[str], bool]]) -> None:
        self.delimiter = ","
        self.width: int | None = None  # fields of the header; None while it is read itself
        self._portions = portions
        self._held: list[str] = []
        self._next = 0  # of the held lines, the first that no row has used yet
        self._is_plain = False  # the held lines are without quote and fault
        self._number = 0  # of the last line used

    def read_header(self) -> list[str]:
        """The first line that is not blank, as a row of any width."""
        line = self._line(0)
        while line is not None and _is_blank(line):
            self._use(1)
            line = self._line(0)
        if line is None:
            raise FileRefused(RefusalReason.NO_HEADER, "The file is empty: it has no header row.")
        _refuse_unreadable_header(line)
        self.delimiter = max(DELIMITERS, key=line.count)
        try:
            fields, used = self._split(line)
        except _QuoteFault:
            raise FileRefused(
                RefusalReason.NO_HEADER,
                "The header row has a quote that is not closed as it must be.",
            ) from None
        for each in self._held[self._next : self._next + used]:
            _refuse_unreadable_header(each)
        self._use(used)
        self.width = len(fields)
        return fields

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row behind the header, in the order of the file."""
        while self._line(0) is not None:
            if self._is_plain:
                yield from self._plain_rows()
            else:
                yield from self._next_row()

    def _plain_rows(self) -> Iterator[Row | BadRow]:
        """All held lines: each is a row, and the delimiter alone divides it."""
        delimiter, width, number = self.delimiter, self.width or 0, self._number
        lines = self._held[self._next :] if self._next else self._held
        self._use(len(lines))
        for line in lines:
            number += 1
            fields = line.split(delimiter, width)
            if len(fields) == width and (width > 1 or not _is_blank(line)):
                yield Row(number, fields, line)
            elif not _is_blank(line) or delimiter in line:
                yield BadRow(number, RejectReason.COLUMNS, line)

    def _next_row(self) -> Iterator[Row | BadRow]:
        line = self._held[self._next]
        number = self._number + 1
        if isinstance(line, _FaultyLine) and line.reason is RejectReason.TOO_LONG:
            self._use(1)
            yield BadRow(number, line.reason, str(line))
            return
        if _is_blank(line) and self.delimiter not in line:
            self._use(1)
            return
        try:
            fields, used = self._split(line)
        except _QuoteFault:
            self._use(1)
            reason = line.reason if isinstance(line, _FaultyLine) else RejectReason.QUOTE
            yield BadRow(number, reason, str(line))
            return
        lines = self._held[self._next : self._next + used]
        self._use(used)
        yield self._judged(number, fields, lines)

    def _judged(self, number: int, fields: list[str], lines: list[str]) -> Row | BadRow:
        raw = str(lines[0]) if len(lines) == 1 else "\n".join(lines)
        if any(isinstance(line, _FaultyLine) for line in lines):
            return BadRow(number, RejectReason.ENCODING, raw)
        if len(fields) != self.width:
            return BadRow(number, RejectReason.COLUMNS, raw)
        return Row(number, fields, raw)

    def _split(self, line: str) -> tuple[list[str], int]:
        """The fields of the row that begins with `line`, and how many lines it runs over."""
        delimiter = self.delimiter
        if '"' not in line:
            return line.split(delimiter), 1
        fields: list[str] = []
        used, at = 1, 0
        while True:
            if line.startswith('"', at):
                value, line, used, at = self._quoted(line, used=used, start=at + 1)
                fields.append(value)
                if at == len(line):
                    return fields, used
                if line[at] != delimiter:
                    raise _QuoteFault
            else:
                end = line.find(delimiter, at)
                if end < 0:
                    fields.append(line[at:])
                    return fields, used
                fields.append(line[at:end])
                at = end
            at += 1

    def _quoted(self, line: str, *, used: int, start: int) -> tuple[str, str, int, int]:
        """The value of a quoted field, the line that closes it, the lines used, and the place
        behind the quote.
        """
        end = _closing_quote(line, start)
        if end >= 0:
            return line[start:end].replace('""', '"'), line, used, end + 1
        parts = [line[start:]]
        for _ in range(QUOTED_LINES - 1):
            line = self._continuation(used)
            used += 1
            end = _closing_quote(line, 0)
            if end >= 0:
                parts.append(line[:end])
                return "\n".join(parts).replace('""', '"'), line, used, end + 1
            parts.append(line)
        raise _QuoteFault

    def _continuation(self, used: int) -> str:
        """The line behind the first `used` ones of this row, if a quoted field may run over it."""
        line = self._line(used) if used < ROW_LINES else None
        if line is None or (isinstance(line, _FaultyLine) and line.reason is RejectReason.TOO_LONG):
            raise _QuoteFault
        if sum(map(len, self._held[self._next : self._next + used + 1])) > ROW_LIMIT:
            raise _QuoteFault
        if self.width is not None and _has_fields(line, self.width, delimiter=self.delimiter):
            raise _QuoteFault
        return line

    def _line(self, ahead: int) -> str | None:
        """The line `ahead` of the first unused one, read from the stream if need be."""
        while self._next + ahead >= len(self._held):
            portion = next(self._portions, None)
            if portion is None:
                return None
            lines, is_plain = portion
            if self._next == len(self._held):
                self._held, self._is_plain = lines, is_plain
            else:
                self._held = self._held[self._next :] + lines
                self._is_plain = self._is_plain and is_plain
            self._next = 0
        return self._held[self._next + ahead]

    def _use(self, lines: int) -> None:
        self._next += lines
        self._number += lines


class CsvReading:
    """One file being read: its header at once, its rows as they are asked for."""

    def __init__(self, stream: BinaryIO, *, codec: _Codec, start: bytes) -> None:
        self._lines = _Lines(stream, codec=codec, start=start)
        rows = _Rows(self._lines.portions())
        self.encoding = codec.name
        self.header = [_name(field) for field in rows.read_header()]
        self.delimiter = rows.delimiter
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
    elif "\r" in line.strip():
        detail = "Lines end in a carriage return alone; a line feed must end them."
    else:
        return
    raise FileRefused(RefusalReason.NO_HEADER, detail)


def _name(field: str) -> str:
    return field.strip(" \t\r\n\ufeff\xa0")


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _closing_quote(line: str, start: int) -> int:
    """The place of the first quote from `start` on that is not doubled, or -1."""
    at = line.find('"', start)
    while at >= 0 and line.startswith('"', at + 1):
        at = line.find('"', at + 2)
    return at


def _has_fields(line: str, width: int, *, delimiter: str) -> bool:
    """Whether the line, read by itself, has so many fields; a faulty one runs to the next
    delimiter.
    """
    if _is_blank(line) and delimiter not in line:
        return False
    if '"' not in line:
        return line.count(delimiter) + 1 == width
    count, at = 1, 0
    while count <= width:
        if line.startswith('"', at):
            at = _closing_quote(line, at + 1)
            if at < 0:
                break
        at = line.find(delimiter, at)
        if at < 0:
            break
        count, at = count + 1, at + 1
    return count == width
