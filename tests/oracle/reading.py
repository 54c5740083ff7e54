"""From bytes to a header and numbered rows: section 2 of the contract, as far as the row's form.

Knows lines, quotes and delimiters. Must not know what a column means.
"""

from dataclasses import dataclass

LONGEST_LINE = 1024 * 1024  # bytes as sent, the line end aside
MOST_LINES_OF_A_FIELD = 20
DELIMITERS = ",;\t"
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Line:
    """A physical line, decoded by itself so that a bad byte harms no other line."""

    number: int
    text: str
    end: str
    is_too_long: bool
    is_allowed: bool


@dataclass(frozen=True)
class RawRow:
    """A row: its fields, or the fault of its form (`too_long`, `encoding`, `quote`, `columns`)."""

    line: int
    fields: tuple[str, ...]
    fault: str | None


@dataclass(frozen=True)
class Sheet:
    """A file that has a header: names lowered and trimmed, and all rows behind it."""

    columns: list[str]
    rows: list[RawRow]


class NoHeader(Exception):
    """The file has no header that could be read."""


def read_sheet(content: bytes, *, encoding: str | None = None) -> Sheet:
    """Read a whole file; `encoding` is what the feed declares, a BOM says more than it."""
    lines = _physical_lines(content, encoding)
    header = 0
    while header < len(lines) and _is_blank(lines[header], delimiter=""):
        header += 1
    if header == len(lines) or lines[header].is_too_long or not lines[header].is_allowed:
        raise NoHeader
    names = lines[header]
    delimiter = max(DELIMITERS, key=names.text.count)
    read = _fields_from([names], 0, delimiter, width=-1)
    if read is None:
        raise NoHeader
    columns = [_without_surroundings(field).lower() for field in read[0]]
    return Sheet(columns, _rows(lines[header + 1 :], delimiter, len(columns)))


def _without_surroundings(name: str) -> str:
    """Take blanks and byte order marks off both ends until there are none."""
    while name.strip() != name or name.strip("\ufeff") != name:
        name = name.strip().strip("\ufeff")
    return name


def _physical_lines(content: bytes, declared: str | None) -> list[Line]:
    encoding = declared or "utf-8"
    for bom, name in BOMS:
        if content.startswith(bom):
            content, encoding = content[len(bom) :], name
            break
    pieces = _split(content, "\n".encode(encoding))
    return [_line(number, piece, encoding) for number, piece in enumerate(pieces, start=1)]


def _split(content: bytes, newline: bytes) -> list[bytes]:
    """Split behind each line end; a code unit of UTF-16 is never cut in the middle."""
    pieces, start, position = [], 0, content.find(newline)
    while position != -1:
        if position % len(newline) == 0:
            position += len(newline)
            pieces.append(content[start:position])
            start = position
        else:
            position += 1
        position = content.find(newline, position)
    return [*pieces, content[start:]] if start < len(content) else pieces


def _line(number: int, piece: bytes, encoding: str) -> Line:
    newline, cr = "\n".encode(encoding), "\r".encode(encoding)
    body = piece.removesuffix(newline)
    end = "\n" if len(body) < len(piece) else ""
    if body.endswith(cr) and len(body) % len(cr) == 0:
        body, end = body.removesuffix(cr), "\r" + end
    if len(body) > LONGEST_LINE:
        return Line(number, "", end, is_too_long=True, is_allowed=True)
    try:
        text, is_allowed = body.decode(encoding), True
    except UnicodeDecodeError:
        text, is_allowed = body.decode(encoding, "replace"), False
    return Line(number, text, end, is_too_long=False, is_allowed=is_allowed and "\0" not in text)


def _is_blank(line: Line, *, delimiter: str) -> bool:
    """A line of tabs in a file of tabs is a row without values, not a blank line."""
    if line.is_too_long or (delimiter and delimiter in line.text):
        return False
    return line.text.strip() == ""


def _rows(lines: list[Line], delimiter: str, width: int) -> list[RawRow]:
    rows, index = [], 0
    while index < len(lines):
        line = lines[index]
        if _is_blank(line, delimiter=delimiter):
            index += 1
            continue
        if line.is_too_long:
            read = None
        else:
            read = _fields_from(lines, index, delimiter, width)
        behind = read[1] if read else index + 1
        fields = read[0] if read else []
        fault = _fault(lines[index:behind], is_closed=read is not None, fields=fields, width=width)
        rows.append(RawRow(line.number, tuple(fields), fault))
        index = behind
    return rows


def _fault(lines: list[Line], *, is_closed: bool, fields: list[str], width: int) -> str | None:
    """The first fault in the order of section 3's table."""
    if lines[0].is_too_long:
        return "too_long"
    if not all(line.is_allowed for line in lines):
        return "encoding"
    if not is_closed:
        return "quote"
    return "columns" if len(fields) != width else None


def _fields_from(
    lines: list[Line], first: int, delimiter: str, width: int
) -> tuple[list[str], int] | None:
    """The fields of the row that begins on `first` and the index behind its last line.

    None when a quote opens a field and does not close it as section 2 asks.
    """
    fields: list[str] = []
    index, position = first, 0
    while True:
        text = lines[index].text
        if text[position : position + 1] == '"':
            closed = _quoted(lines, index, position, delimiter, width)
            if closed is None:
                return None
            value, index, position = closed
            text = lines[index].text
        else:
            end = text.find(delimiter, position)
            end = len(text) if end == -1 else end
            value, position = text[position:end], end
        fields.append(value)
        if position == len(text):
            return fields, index + 1
        position += 1


def _quoted(
    lines: list[Line], opening: int, position: int, delimiter: str, width: int
) -> tuple[str, int, int] | None:
    """The value of a quoted field, the line that closes it and the place behind its quote."""
    value, index, position = "", opening, position + 1
    while True:
        text = lines[index].text
        quote = text.find('"', position)
        if quote == -1:
            value += text[position:] + lines[index].end
            index, position = index + 1, 0
            if index == len(lines) or index - opening >= MOST_LINES_OF_A_FIELD:
                return None
            if lines[index].is_too_long or _own_fields(lines[index].text, delimiter) == width:
                return None
        elif text[quote + 1 : quote + 2] == '"':
            value += text[position : quote + 1]
            position = quote + 2
        elif text[quote + 1 : quote + 2] in ("", delimiter):
            return value + text[position:quote], index, quote + 1
        else:
            return None


def _own_fields(text: str, delimiter: str) -> int:
    """How many fields the line has read by itself; an open quote runs to the line's end."""
    count, position = 0, 0
    while True:
        count += 1
        if text[position : position + 1] == '"':
            position = _behind_own_quote(text, position + 1)
        end = text.find(delimiter, position)
        if end == -1:
            return count
        position = end + 1


def _behind_own_quote(text: str, position: int) -> int:
    while True:
        quote = text.find('"', position)
        if quote == -1:
            return len(text)
        if text[quote + 1 : quote + 2] != '"':
            return quote + 1
        position = quote + 2
