"""How a file is damaged: some thirty kinds of damage, each told from a random generator alone.

Knows cells, lines and bytes. A draft passes through three stages, so that several kinds can meet in
one file. Must not know what a reader makes of the damage. Most damage spares the header: a file
that is refused at once tells little of how rows are read.
"""

from __future__ import annotations

import codecs
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from tests.exports.files import line_of
from tests.torture.bases import LOCAL, Table

_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE)
_FORMS = {  # how Python writes an encoding, and the mark before it
    "utf-8": b"",
    "utf-8-sig": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}
DELIMITERS = ",;\t"
DATES = (
    *("13/45/2025", "2025-02-30", "20.3.2025", "yesterday", "2025-3-20", "3/20/25", "0/1/2025"),
    *("12/31/1899", "1/1/1900", "1900-01-01", "5/5/0900", "0000-01-01", "1/1/0001", "9999-12-31"),
    *("2025-03-19T23:59", "2025-03-19 23:59:60", "2025-03-19T24:00", "2025-03-19T10:00+14:00"),
    *("2025-03-19T10:00:00.123456789Z", "2025-03-19T10:00:00,5Z", "2025-03-19t10:00z", "20250319"),
    *("2025-03-19T10", "2025-03-19T10:00-0300", "2025-03-19T10:00+3", "2025-03-19T10:00+25:00"),
    *("10/27/2024", "3/29/2024", "2025-03-28", "2025-03-22", "3/22/2025", "2030-01-01"),
    *("٢٠٢٥-٠٣-١٩", "２０２５-03-19", "2025‑03‑19", "3/ 9/2025", "-3/9/2025", "03/009/2025"),
    *("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2025-03-19T10:00 Z", "2024-02-29"),
)
TIMES = (
    *("25:00", "24:00", "13:00 PM", "0:30 AM", "12:00 AM", "12:00 PM", "8", "08:60", "noon"),
    *("8:00AM", "8:00  AM", "8:00 am", "8:00 Pm", "8:00 A.M.", "08:00:60", "08:00:00.5", "8:5"),
    *("1:30", "2:30", "23:59:59", "0:00", "00:00:00", "008:00", "8:00 ", "٨:٠٠", "８:00", "-8:00"),
)
MISSING = (
    *("", " ", "NULL", "null", "NA", "n/a", "N/A "),
    *("Nan", "None", "-", "\u00a0", "NULL\t", "ﬀ"),
)
STATUSES = (
    *("Cancelled", "CANCELED", "Entered in error", "ENTERED IN  ERROR", "Lost", "?", "discharged"),
    *("DISCHARGED", "Rejected", "not performed", "FİNAL", "ﬁnal", "Final.", "Active ", "deleted"),
)
NUMBERS = (
    *("-0", "+5", ".5", "5.", "1e5", "1E+2", "<", "<<5", "≤ 5", "> =5", ">=  5.0", "≥007.50", "−5"),
    *("٣", "1,5", "1 000", "0x10", "NaN", "inf", "<0", "5\u00a0", "= 5", "<\t5", "9" * 400),
    *("½", "²", "mmol/L; mg/dL", "mmol/L;", "; ,", "%"),
)
ODD = (
    *("\u200b", "\u00a0", "\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\x1f", "\x01", "\x7f"),
    *(
        "\ufeff",
        "\U0001f3e5",
        "e\u0301",
        "\u202e",
        "\ufffd",
        "\u3000",
        "'",
        "\\",
        "\\N",
        "%s",
        "{}",
    ),
    *("İ", "ß", "ﬀ", "\ud7ff", "\ue000", "=1+1", "\x1a", "\x00", "\r", "\u2066", "ſ", "K"),
)
BREAKS = ("\n", "\r\n", "\n\n", "\r", "\n\r\n", '"\n"', '\n"')
ENDS = (
    "\n",
    "\r\n",
    "\r",
    "\n\r",
    "\r\r\n",
    "\n\n",
    "\u2028",
    "\x0b",
    "\x0c",
    "\x1e",
    "\u0085",
    "",
)


@dataclass
class Draft:
    """A file in the making. `cells` become `lines` (each with its end), and those `content`."""

    key: str
    table: Table
    at: datetime  # its source time
    delimiter: str = ","
    encoding: str = "utf-8"
    line_end: str = "\n"
    is_all_quoted: bool = False
    is_cut: bool = False
    lines: list[list[str]] = field(default_factory=list)
    content: bytes = b""

    @property
    def rows(self) -> list[list[str]]:
        return self.table.rows

    def write_lines(self) -> None:
        self.lines = [
            [self._written(row), self.line_end] for row in (self.table.header, *self.rows)
        ]
        if self.is_cut:
            self.lines[-1][1] = ""

    def write_content(self) -> None:
        codec = "utf-8" if self.encoding == "utf-8-sig" else self.encoding
        text = "".join(line + end for line, end in self.lines)
        self.content = _FORMS[self.encoding] + text.encode(codec)

    def _written(self, cells: list[str]) -> str:
        if self.is_all_quoted:
            return self.delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells)
        return line_of(cells, delimiter=self.delimiter)


class Stage(IntEnum):
    """What a kind of damage needs to lie before it."""

    CELLS = 1
    LINES = 2
    BYTES = 3


Damage = Callable[[random.Random, Draft], None]
KINDS: dict[str, tuple[Stage, Damage]] = {}
SEVERAL = "several at once"


def _kind(name: str, stage: Stage) -> Callable[[Damage], Damage]:
    def register(damage: Damage) -> Damage:
        KINDS[name] = (stage, damage)
        return damage

    return register


def damage(rng: random.Random, draft: Draft, kind: str) -> list[str]:
    """Write the draft with this kind of damage in it, once or more; says which kinds there were."""
    names = rng.sample(list(KINDS), rng.randint(2, 5)) if kind == SEVERAL else [kind]
    times = {name: rng.choice((1, 1, 1, 2, 4)) for name in names}
    for stage in Stage:
        if stage is Stage.LINES:
            draft.write_lines()
        if stage is Stage.BYTES:
            draft.write_content()
        for name in names:
            needed, inflict = KINDS[name]
            for _ in range(times[name] if needed is stage else 0):
                inflict(rng, draft)
    return names


def _cells_like(draft: Draft, *words: str) -> list[int]:
    """The places of the columns whose name holds one of these words; all where none does."""
    found = [
        n for n, name in enumerate(draft.table.header) if any(w in name.lower() for w in words)
    ]
    return found or list(range(len(draft.table.header)))


def _replace(
    rng: random.Random, draft: Draft, places: list[int], change: Callable[[str], str]
) -> None:
    """Change one cell, or one column of all rows."""
    if not draft.rows:
        return
    place = rng.choice(places)
    rows = draft.rows if rng.random() < 0.1 else [rng.choice(draft.rows)]
    for row in rows:
        if place < len(row):
            row[place] = change(row[place])


def _bent(rng: random.Random, text: str) -> str:
    """A text with one character changed, lost, doubled, or two of them exchanged."""
    if not text:
        return rng.choice(("0", " ", "/", ":"))
    at = rng.randrange(len(text))
    how = rng.randrange(5)
    if how == 0:
        return text[:at] + rng.choice("0123456789/-:. TZAPM+") + text[at + 1 :]
    if how == 1:
        return text[:at] + text[at + 1 :]
    if how == 2:
        return text[:at] + text[at] + text[at:]
    if how == 3:
        return text[at:] + text[:at]
    return text[:at] + rng.choice(" 0/-:+") + text[at:]


@_kind("dates and times scrambled", Stage.CELLS)
def _scramble_times(rng: random.Random, draft: Draft) -> None:
    def change(text: str) -> str:
        how = rng.random()
        return _bent(rng, text) if how < 0.4 else rng.choice(DATES if how < 0.7 else TIMES)

    _replace(rng, draft, _cells_like(draft, "date", "time"), change)


@_kind("times at the limits", Stage.CELLS)
def _set_times_to_limits(rng: random.Random, draft: Draft) -> None:
    """Date and time of one row, to the second: where one more second makes another verdict."""
    names = [name.lower().strip() for name in draft.table.header]
    dates = [name for name in names if "date" in name]
    if not draft.rows or not dates:
        return
    name, row = rng.choice(dates), rng.choice(draft.rows)
    clock, is_birth = name.replace("date", "time"), "birth" in name
    local = _birth_at_the_limit(rng, draft.at) if is_birth else _time_at_the_limit(rng, draft.at)
    values = {name: f"{local.year:04}-{local:%m-%d}", clock: f"{local:%H:%M:%S}"}
    if clock not in names and not is_birth:
        values[name] = local.isoformat(sep=rng.choice("T "))
    for column, value in values.items():
        if column in names and names.index(column) < len(row):
            row[names.index(column)] = value


def _time_at_the_limit(rng: random.Random, at: datetime) -> datetime:
    seconds = rng.choice((300, 301, 299, 0, 1, -1, 24 * 3600))
    limits = (
        datetime(1900, 1, 1),
        datetime(1899, 12, 31, 23, 59, 59),
        datetime(2024, 10, 27, 1, rng.randint(0, 59)),  # occurs twice
        datetime(2024, 3, 29, 2, rng.randint(0, 59)),  # is skipped
        datetime(9999, 12, 31, 23, 59, 59),
        datetime(1, 1, 1),
    )
    near = (at + timedelta(seconds=seconds)).astimezone(LOCAL).replace(tzinfo=None)
    return near if rng.random() < 0.5 else rng.choice(limits)


def _birth_at_the_limit(rng: random.Random, at: datetime) -> datetime:
    today = at.astimezone(LOCAL)
    born = datetime(today.year - rng.choice((130, 131, 0)), today.month, today.day)
    return born + timedelta(days=rng.choice((-1, 0, 1)))


@_kind("values blanked", Stage.CELLS)
def _blank_values(rng: random.Random, draft: Draft) -> None:
    _replace(rng, draft, list(range(len(draft.table.header))), lambda _: rng.choice(MISSING))


@_kind("columns moved", Stage.CELLS)
def _move_columns(rng: random.Random, draft: Draft) -> None:
    """Header and cells together, or one without the other."""
    moves_header, moves_cells = rng.choice(((True, True), (False, True), (True, False)))
    old, new = (rng.randrange(len(draft.table.header)) for _ in range(2))
    for cells in [draft.table.header] * moves_header + draft.rows * moves_cells:
        if old < len(cells):
            cells.insert(new, cells.pop(old))


@_kind("columns duplicated", Stage.CELLS)
def _duplicate_columns(rng: random.Random, draft: Draft) -> None:
    old = rng.randrange(len(draft.table.header))
    in_header, in_cells = rng.choice(((True, True), (False, True), (False, True), (True, False)))
    some = draft.rows if rng.random() < 0.3 else draft.rows[: rng.randint(0, 2)]
    new_name = rng.random() < 0.5
    for cells in some * in_cells:
        if old < len(cells):
            cells.append(cells[old])
    if in_header:
        name = draft.table.header[old]
        draft.table.header.append(f"{name}_2" if new_name else name)


@_kind("columns dropped or added", Stage.CELLS)
def _drop_or_add_columns(rng: random.Random, draft: Draft) -> None:
    header = draft.table.header
    how = rng.randrange(5)
    if how == 0 and len(header) > 1:
        place = rng.randrange(len(header))
        for cells in (header, *draft.rows):
            del cells[place : place + 1]
    elif how == 1 and draft.rows:
        row = rng.choice(draft.rows)
        del row[rng.randrange(len(row) + 1) :]
    elif how == 2 and draft.rows:
        rng.choice(draft.rows).extend(rng.choice(([""], ["x"], ["", "", ""], ["x"] * 40)))
    else:
        names = ("note", "Shoe_Size", "admission_id", "test_date", "result", "status", "ward", "")
        name = rng.choice(names)
        header.append(name)
        for row in draft.rows:
            row.append(rng.choice(("x", "", "NULL", "y" * 1001)))


@_kind("headers cased or blanked", Stage.CELLS)
def _bend_header(rng: random.Random, draft: Draft) -> None:
    header = draft.table.header
    if rng.random() < 0.4:
        dress = rng.choice((str.upper, str.title, str.swapcase, lambda name: f"  {name}\u00a0"))
        header[:] = [dress(name) for name in header]
        return
    place = rng.randrange(len(header))
    name = header[place]
    dresses = (
        *(
            f" {name} ",
            f"\ufeff{name}",
            f" \ufeff {name}",
            f"{name}\ufeff",
            f'"{name}"',
            f"\t{name}",
        ),
        *("", name.replace("_", " "), name.replace("i", "İ"), _bent(rng, name), f"{name}\x01"),
        *(f"{name}\u200b", f"\x1f{name}", f"{name}\r", name + "\x0b", f"{name}\n"),
    )
    header[place] = rng.choice(dresses)


@_kind("identifiers bent", Stage.CELLS)
def _bend_identifiers(rng: random.Random, draft: Draft) -> None:
    def change(text: str) -> str:
        bent = (f"0{text}", f" {text} ", text.lower(), f"{text}\u200b", "9" * 64, "9" * 65, "٣٤")
        return rng.choice(
            (*bent, f"{text}.0", f"{text}'", "-1", _bent(rng, text), "ｅ" * 64, "1e3")
        )

    _replace(rng, draft, _cells_like(draft, "_id", "number"), change)


@_kind("very long fields", Stage.CELLS)
def _lengthen(rng: random.Random, draft: Draft) -> None:
    size = rng.choice((64, 64, 65, 65, 999, 1000, 1001, 1001, 5000))
    fill = rng.choice(("x", "9", "ä", '"', "\U0001f3e5"))
    _replace(rng, draft, list(range(len(draft.table.header))), lambda _: fill * size)


@_kind("statuses and numbers bent", Stage.CELLS)
def _bend_words(rng: random.Random, draft: Draft) -> None:
    if rng.random() < 0.5:
        _replace(rng, draft, _cells_like(draft, "status"), lambda _: rng.choice(STATUSES))
    else:
        _replace(rng, draft, _cells_like(draft, "result", "unit"), lambda _: rng.choice(NUMBERS))


@_kind("rows repeated or shuffled", Stage.CELLS)
def _repeat_rows(rng: random.Random, draft: Draft) -> None:
    if rng.random() < 0.5:
        rng.shuffle(draft.rows)
    again = [rng.choice((draft.table.header, *draft.rows)) for _ in range(rng.randint(1, 4))]
    for row in again:
        draft.rows.insert(rng.randint(0, len(draft.rows)), list(row))


@_kind("odd characters", Stage.CELLS)
def _sow_odd_characters(rng: random.Random, draft: Draft) -> None:
    def change(text: str) -> str:
        at = rng.randint(0, len(text))
        return text[:at] + rng.choice(ODD) * rng.choice((1, 1, 3)) + text[at:]

    _replace(rng, draft, list(range(len(draft.table.header))), change)


def _line(rng: random.Random, draft: Draft, *, spared: float = 0.92) -> list[str]:
    """One line and its end; mostly not the header."""
    if len(draft.lines) > 1 and rng.random() < spared:
        return draft.lines[rng.randrange(1, len(draft.lines))]
    return draft.lines[0] if draft.lines else ["", ""]


@_kind("lines cut", Stage.LINES)
def _cut_lines(rng: random.Random, draft: Draft) -> None:
    line = _line(rng, draft)
    at = rng.randint(0, len(line[0]))
    line[0] = line[0][:at] if rng.random() < 0.7 else line[0][at:]


@_kind("very long lines", Stage.LINES)
def _lengthen_lines(rng: random.Random, draft: Draft) -> None:
    """Now and then to the byte at the limit; a mebibyte each time would be no test, but a wait."""
    size = rng.choice((1 << 18, 1 << 20, 1 << 20, 3 << 20)) if rng.random() < 0.03 else 1 << 14
    line = _line(rng, draft)
    codec = "utf-8" if draft.encoding == "utf-8-sig" else draft.encoding
    lacking = size + rng.choice((-2, 0, 1, 2)) - len(line[0].encode(codec))
    fields = line[0].split(draft.delimiter)
    fields[rng.randrange(len(fields))] += "x" * (lacking // len("x".encode(codec)))
    line[0] = draft.delimiter.join(fields)


@_kind("lines dropped or doubled", Stage.LINES)
def _drop_lines(rng: random.Random, draft: Draft) -> None:
    first = 0 if rng.random() < 0.08 else 1
    if len(draft.lines) <= first:
        return
    at = rng.randrange(first, len(draft.lines))
    if rng.random() < 0.6:
        del draft.lines[at : at + rng.randint(1, 3)]
    else:
        draft.lines[at:at] = [list(line) for line in draft.lines[at : at + rng.randint(1, 3)]]


@_kind("lines joined", Stage.LINES)
def _join_lines(rng: random.Random, draft: Draft) -> None:
    line = _line(rng, draft)
    line[1] = rng.choice(("", "", " ", draft.delimiter, "\r"))


@_kind("quotes planted", Stage.LINES)
def _plant_quotes(rng: random.Random, draft: Draft) -> None:
    for _ in range(rng.randint(1, 3)):
        line = _line(rng, draft, spared=0.97)
        text = line[0]
        starts = [0, *(n + 1 for n, letter in enumerate(text) if letter == draft.delimiter)]
        at = rng.choice(starts) if rng.random() < 0.6 else rng.randint(0, len(text))
        line[0] = text[:at] + rng.choice(('"', '"', '"', '""', '"""', '" ', '\\"')) + text[at:]


@_kind("delimiters swapped", Stage.LINES)
def _swap_delimiters(rng: random.Random, draft: Draft) -> None:
    new = rng.choice((*DELIMITERS, "|", ":", " "))
    if rng.random() < 0.3:
        for line in draft.lines:
            line[0] = line[0].replace(draft.delimiter, new)
        return
    line = _line(rng, draft)
    line[0] = line[0].replace(draft.delimiter, new, rng.choice((1, 1, 2, -1)))


@_kind("line ends mixed", Stage.LINES)
def _mix_line_ends(rng: random.Random, draft: Draft) -> None:
    for _ in range(rng.randint(1, 6)):
        _line(rng, draft, spared=0.96)[1] = rng.choice(ENDS)


@_kind("blank lines sown", Stage.LINES)
def _sow_blank_lines(rng: random.Random, draft: Draft) -> None:
    blanks = (
        "",
        " ",
        "\t",
        "\u00a0",
        "\u3000",
        "\x0b",
        "\x1f",
        "\ufeff",
        '""',
        "   \t  ",
        "\u200b",
    )
    for _ in range(rng.randint(1, 4)):
        text = rng.choice((*blanks, draft.delimiter, draft.delimiter * 3, f" {draft.delimiter} "))
        draft.lines.insert(rng.randint(0, len(draft.lines)), [text, draft.line_end])


@_kind("line breaks in quotes", Stage.LINES)
def _break_in_quotes(rng: random.Random, draft: Draft) -> None:
    """A quoted field over some lines; now and then over more than it may, or never closed."""
    line = _line(rng, draft, spared=0.97)
    fields = line[0].split(draft.delimiter)
    place = rng.randrange(len(fields))
    count = rng.choice((1, 1, 2, 18, 19, 20, 21))
    parts = [
        rng.choice(("x", "", '""', draft.delimiter, fields[place].strip('"'))) for _ in range(count)
    ]
    text = rng.choice(BREAKS[:3] if count > 2 else BREAKS).join([*parts, "y"])
    fields[place] = f'"{text}' + rng.choice(('"', '"', '"', "", '"z', '" '))
    line[0] = draft.delimiter.join(fields)


def _place(rng: random.Random, content: bytes, *, spared: float = 0.9) -> int:
    """A place among the bytes; mostly behind the header."""
    first = content.find(b"\n") + 1 if rng.random() < spared else 0
    return rng.randint(min(first, len(content)), len(content))


@_kind("bytes flipped", Stage.BYTES)
def _flip_bytes(rng: random.Random, draft: Draft) -> None:
    content = bytearray(draft.content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = _place(rng, draft.content, spared=0.93)
        if at < len(content):
            content[at] ^= 1 << rng.randrange(8)
    draft.content = bytes(content)


@_kind("bytes inserted or deleted", Stage.BYTES)
def _insert_bytes(rng: random.Random, draft: Draft) -> None:
    at = _place(rng, draft.content)
    lost = rng.choice((0, 0, 1, 2, 30))
    new = rng.choice((b"", rng.randbytes(1), rng.randbytes(3), b"\xff", b"\n", b'"', b"\xe2\x80"))
    draft.content = draft.content[:at] + new + draft.content[at + lost :]


@_kind("blocks of bytes moved", Stage.BYTES)
def _move_block(rng: random.Random, draft: Draft) -> None:
    old, size = _place(rng, draft.content), rng.choice((1, 5, 40, 200))
    block, rest = draft.content[old : old + size], draft.content[:old] + draft.content[old + size :]
    new = _place(rng, rest)
    draft.content = rest[:new] + block + rest[new:]


@_kind("encodings mixed", Stage.BYTES)
def _mix_encodings(rng: random.Random, draft: Draft) -> None:
    """Some lines as another program would have encoded them."""
    if rng.random() < 0.5:  # a letter beyond ASCII shows best what came from elsewhere
        word, codec = rng.choice(
            (("Müller", "latin-1"), ("דוד", "cp1255"), ("Łucja", "cp1250"), ("美", "utf-16-le"))
        )
        at = _place(rng, draft.content)
        draft.content = draft.content[:at] + word.encode(codec) + draft.content[at:]
        return
    pieces = draft.content.split(b"\n")
    at = rng.randrange(len(pieces)) if rng.random() < 0.1 else len(pieces) - 1 - rng.randrange(3)
    at = max(at, 0)
    text = pieces[at].decode("utf-8", "replace")
    codec = rng.choice(("utf-16-le", "utf-16-be", "utf-16", "cp1255", "latin-1", "utf-7", "utf-32"))
    pieces[at] = text.encode(codec, "replace")
    draft.content = b"\n".join(pieces)


@_kind("NULs planted", Stage.BYTES)
def _plant_nuls(rng: random.Random, draft: Draft) -> None:
    at = _place(rng, draft.content, spared=0.95)
    draft.content = draft.content[:at] + b"\0" * rng.choice((1, 1, 2, 512)) + draft.content[at:]


@_kind("byte order marks planted", Stage.BYTES)
def _plant_marks(rng: random.Random, draft: Draft) -> None:
    at = 0 if rng.random() < 0.4 else _place(rng, draft.content)
    mark = rng.choice((codecs.BOM_UTF8, codecs.BOM_UTF8, *_BOMS))
    draft.content = draft.content[:at] + mark + draft.content[at:]


@_kind("UTF-16", Stage.BYTES)
def _damage_utf_16(rng: random.Random, draft: Draft) -> None:
    """Written in UTF-16: whole, without a mark, shifted by one byte, or with half a character."""
    draft.encoding = rng.choice(("utf-16-le", "utf-16-be"))
    draft.write_content()
    content, how = draft.content, rng.randrange(7)
    at = max(2, _place(rng, content))
    if how == 0:
        content = content[2:]
    elif how == 1:
        content = content[:at] + content[at + 1 :]
    elif how == 2:
        even = at - at % 2
        content = (
            content[:even] + rng.choice((b"\xd8\x00", b"\x00\xd8", b"\xdc\xdc")) + content[even:]
        )
    elif how == 3:
        content = content[: len(content) - rng.randint(1, 3)]
    elif how == 4:
        even = at - at % 2
        content = (
            content[:even] + rng.choice((b"\x0a\x0a", b"\x0d\x0a", b"\x00\x0a")) + content[even:]
        )
    draft.content = content


@_kind("file truncated", Stage.BYTES)
def _truncate(rng: random.Random, draft: Draft) -> None:
    draft.content = draft.content[: _place(rng, draft.content, spared=0.94)]


@_kind("time stamp scrambled", Stage.BYTES)
def _scramble_stamp(rng: random.Random, draft: Draft) -> None:
    """The one in the object's name."""
    stem, dot, ending = draft.key.rpartition(".csv")
    at = rng.randrange(max(len(stem) - 20, 0), len(stem))
    how = rng.randrange(4)
    letter = rng.choice("0123456789-TZ.:")
    if how == 0:
        stem = stem[:at] + letter + stem[at + 1 :]
    elif how == 1:
        stem = stem[:at] + stem[at + 1 :]
    elif how == 2:
        stem = stem[:at] + letter + stem[at:]
    else:
        stem = f"{stem}-2025-03-17T01-02-03.{rng.randrange(10**9)}Z"
    draft.key = stem + dot + ending


ALL_KINDS = (*KINDS, SEVERAL)
# What meets in one file finds more than one kind alone: every sixth file has several.
ROTA = (*KINDS, *[SEVERAL] * (len(KINDS) // 5))
