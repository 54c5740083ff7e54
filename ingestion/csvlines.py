"""From bytes to physical lines, in portions and in bounded memory.

Knows encodings and line ends; a line of a gigabyte is passed over unread. Knows neither delimiters
nor quotes, which `csvrows` reads.

What the contract leaves open, and how it is decided here:

- A carriage return by itself ends no line: it is a character like any other. At the very end of a
  file it is half a line end.
- The byte order mark is believed before the encoding that a feed declares.
- 1 MiB is counted in bytes, the line's end aside.
- In raw text a NUL, which no text column can hold, reads as `␀`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ingestion.choices import RefusalReason, RejectReason
from ingestion.errors import FileRefused

LINE_LIMIT = 1024 * 1024  # bytes of one physical line, its end aside
RAW_LIMIT = 1000  # characters kept of a line that is rejected unread
BLOCK = 256 * 1024  # must not exceed LINE_LIMIT: only a block's first line can then be too long

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


class FaultyLine(str):
    """A line that rejects every row it is part of; its text is as much as could be read."""

    __slots__ = ("reason",)
    reason: RejectReason

    @classmethod
    def told(cls, text: str, *, reason: RejectReason) -> FaultyLine:
        line = cls(text.replace("\0", "␀"))
        line.reason = reason
        return line


class Portion(NamedTuple):
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

    def decode_beginning(self, line: bytes) -> Portion:
        """A line over the limit, of which no more than its beginning is read."""
        text = line[: RAW_LIMIT * 4].decode(self.name, "replace")[:RAW_LIMIT]
        return Portion([FaultyLine.told(text, reason=RejectReason.TOO_LONG)])

    def decode_line(self, data: bytes) -> str:
        """One line without its line feed."""
        try:
            text = data.decode(self.name)
        except UnicodeError:
            text = data.decode(self.name, "replace")
            return FaultyLine.told(text, reason=RejectReason.ENCODING)
        if "\0" in text:
            return FaultyLine.told(text, reason=RejectReason.ENCODING)
        return text

    def decode_lines(self, data: bytes) -> Portion:
        """Finished lines: all at once, or one by one if any of them is faulty."""
        try:
            text = data.decode(self.name)
        except UnicodeError:
            return Portion(self._decode_one_by_one(data))
        if "\0" in text:
            return Portion(self._decode_one_by_one(data))
        lines = text.split("\n")
        lines.pop()
        return Portion(lines, is_plain='"' not in text, has_returns="\r" in text)

    def _decode_one_by_one(self, data: bytes) -> list[str]:
        lines, start = [], 0
        while start < len(data):
            end = self.first_end(data, start=start)
            lines.append(self.decode_line(data[start : end - self.unit]))
            start = end
        return lines


class Lines:
    """The physical lines of a stream, in portions, in bounded memory."""

    def __init__(self, stream: BinaryIO, *, codec: _Codec, start: bytes) -> None:
        self.encoding = codec.name
        self.is_cut = False  # the last line has no end; known when all have been read
        self._stream = stream
        self._codec = codec
        self._start = start

    def portions(self) -> Iterator[Portion]:
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

    def _finished(self, data: bytes) -> Iterator[Portion]:
        """Only the first line can be too long: the others have come within one block."""
        if len(data) > LINE_LIMIT:
            end = self._codec.first_end(data)
            if self._codec.is_too_long(data[: end - self._codec.unit]):
                yield self._codec.decode_beginning(data)
                data = data[end:]
        if data:
            yield self._codec.decode_lines(data)

    def _unfinished(self, rest: bytes, *, is_long: bool) -> Iterator[Portion]:
        self.is_cut = bool(rest)
        if is_long or self._codec.is_too_long(rest):
            yield self._codec.decode_beginning(rest)
        elif rest:
            yield Portion([self._codec.decode_line(rest)])


def open_lines(stream: BinaryIO, *, encoding: str) -> Lines:
    """The lines of a stream in its marked encoding, or else in the one that is declared.

    Raises FileRefused if the declared encoding cannot be read line by line.
    """
    declared = _codec_declared(encoding)
    start = b""
    while len(start) < len(codecs.BOM_UTF8) and (block := stream.read(BLOCK)):
        start += block
    for mark, name in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return Lines(stream, codec=_Codec(name), start=start[len(mark) :])
    return Lines(stream, codec=declared, start=start)


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
