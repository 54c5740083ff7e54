"""From bytes to numbered rows: real bytes in, exact rows out."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.choices import RefusalReason, RejectReason
from ingestion.csvlines import LINE_LIMIT
from ingestion.csvrows import BadRow, Row, open_rows
from ingestion.errors import FileRefused

COLUMNS, ENCODING, QUOTE, TOO_LONG = (
    RejectReason.COLUMNS,
    RejectReason.ENCODING,
    RejectReason.QUOTE,
    RejectReason.TOO_LONG,
)


class Pieces(io.RawIOBase):
    """A stream that gives its bytes in pieces of given sizes, as a network does."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        super().__init__()
        self._content = content
        self._sizes = sizes
        self._turn = 0

    def read(self, size: int = -1) -> bytes:
        self._turn += 1
        size = min(size, self._sizes[self._turn % len(self._sizes)])
        piece, self._content = self._content[:size], self._content[size:]
        return piece


class Endless(io.RawIOBase):
    """A stream of so many times one byte, before and behind some others."""

    def __init__(self, before: bytes, *, times: int, behind: bytes) -> None:
        super().__init__()
        self._before, self._times, self._behind = before, times, behind

    def read(self, size: int = -1) -> bytes:
        if self._before:
            piece, self._before = self._before, b""
        elif self._times:
            piece = b"x" * min(size, self._times)
            self._times -= len(piece)
        else:
            piece, self._behind = self._behind, b""
        return piece


def rows_of(content: bytes, *, encoding: str | None = None) -> list[Row | BadRow]:
    return list(open_rows(io.BytesIO(content), encoding=encoding).rows)


def told(content: bytes) -> list[tuple[int, list[str] | RejectReason]]:
    """Each row's line, and its fields or why it has none."""
    return [
        (row.line, row.fields if isinstance(row, Row) else row.reason) for row in rows_of(content)
    ]


# -- the header


@pytest.mark.parametrize(
    ("content", "declared", "found"),
    [
        ("a,b\né,ü\n".encode(), None, "utf-8"),
        (b"\xef\xbb\xbf" + "a,b\né,ü\n".encode(), None, "utf-8"),
        (b"\xff\xfe" + "a,b\né,ü\n".encode("utf-16-le"), None, "utf-16-le"),
        (b"\xfe\xff" + "a,b\né,ü\n".encode("utf-16-be"), None, "utf-16-be"),
        ("a,b\né,ü\n".encode("cp1252"), "cp1252", "cp1252"),
        ("a,b\né,ü\n".encode("utf-16-le"), "UTF-16LE", "utf-16-le"),
        (b"\xef\xbb\xbf" + "a,b\né,ü\n".encode(), "cp1255", "utf-8"),
        (b"\xef\xbb\xbf" + "a,b\né,ü\n".encode(), "utf-8-sig", "utf-8"),
    ],
    ids=["plain", "bom", "little", "big", "declared", "declared-wide", "bom-first", "sig"],
)
def test_the_encoding_is_the_marked_one_then_the_declared_one_then_utf8(
    content: bytes, declared: str | None, found: str
) -> None:
    reading = open_rows(io.BytesIO(content), encoding=declared)
    assert (reading.encoding, reading.header) == (found, ["a", "b"])
    assert list(reading.rows) == [Row(2, ["é", "ü"], "é,ü")]


@pytest.mark.parametrize(
    ("header", "delimiter", "names"),
    [
        ("a,b;c,d", ",", ["a", "b;c", "d"]),
        ("a;b,c;d", ";", ["a", "b,c", "d"]),
        ("a\tb\tc,d", "\t", ["a", "b", "c,d"]),
        ("a,b;c", ",", ["a", "b;c"]),
        ("a;b\tc", ";", ["a", "b\tc"]),
        ("alone", ",", ["alone"]),
        ('"a;b",c', ",", ["a;b", "c"]),
        (' a , "b" ,\ufeffc\ufeff', ",", ["a", '"b"', "c"]),
        ('a,"b ""c""",', ",", ["a", 'b "c"', ""]),
    ],
)
def test_the_delimiter_is_what_the_header_has_most_of(
    header: str, delimiter: str, names: list[str]
) -> None:
    reading = open_rows(io.BytesIO(f"{header}\n".encode()))
    assert (reading.delimiter, reading.header) == (delimiter, names)


def test_blank_lines_before_the_header_count_as_lines() -> None:
    assert told(b"\n \t\r\na,b\n\n1,2\n") == [(5, ["1", "2"])]


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("patients.csv", "patient_id,first_name\n1,Ada\n")
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\n \n\t\r\n",
        b"a,b\0,c\n1,2,3\n",
        b"\xe9,b\n1,2\n",
        "a,b\n1,2\n".encode("utf-16-le"),
        b'a,"b\nc",d\n1,2,3\n',
        b'a,"b"c\n1,2\n',
        b"a," * LINE_LIMIT + b"\n1,2\n",
        b" " * (LINE_LIMIT + 1) + b"\na,b\n",
        zipped(),
        bytes(range(256)) * 20,
    ],
    ids=[
        *("empty", "bom-alone", "wide-bom-alone", "blank", "nul", "undecodable"),
        *("unmarked-utf16", "two-lines", "quote", "long", "long-blank", "zip", "binary"),
    ],
)
def test_without_a_readable_header_the_file_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        open_rows(io.BytesIO(content))
    assert refused.value.reason is RefusalReason.NO_HEADER
    assert refused.value.is_permanent
    assert str(refused.value).endswith(".")


def test_a_control_character_in_a_column_name_refuses_no_file() -> None:
    reading = open_rows(io.BytesIO(b"a\x0b,b\x01,\x1fc\n1,2,3\n"))
    assert reading.header == ["a", "b\x01", "c"]
    assert [row.line for row in reading.rows] == [2]


@pytest.mark.parametrize(
    "encoding", ["klingon", "base64", "utf-7", "hz", "iso2022_jp", "unicode_escape", "a\0b"]
)
def test_an_encoding_that_cannot_be_read_line_by_line_refuses_the_file(encoding: str) -> None:
    with pytest.raises(FileRefused) as refused:
        open_rows(io.BytesIO(b"a,b\n"), encoding=encoding)
    assert refused.value.reason is RefusalReason.UNKNOWN_ENCODING


# -- lines


def test_lines_end_in_lf_or_crlf_and_keep_their_numbers() -> None:
    assert told(b"a,b\r\n1,2\n\r\n   \n3,4\r\n") == [(2, ["1", "2"]), (5, ["3", "4"])]


def test_a_carriage_return_alone_is_a_character() -> None:
    assert rows_of(b"a,b\r\n1\r2,3\r\n") == [Row(2, ["1\r2", "3"], "1\r2,3")]


@pytest.mark.parametrize(
    ("content", "is_cut"),
    [
        (b"a,b\n1,2\n", False),
        (b"a,b\n1,2\r\n", False),
        (b"a,b\n1,2", True),
        (b"a,b\n1,2\r", True),
        (b'a,b\n1,"2"\r', True),
        (b"a,b\n1,2\n ", True),
        (b"a,b", True),
        (b"a,b\n", False),
        (b"a,b\n" + b"x" * (LINE_LIMIT + 1), True),
        (b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le"), False),
        (b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le") + b"3", True),
    ],
)
def test_a_last_line_without_an_end_is_possibly_cut(content: bytes, is_cut: bool) -> None:
    reading = open_rows(io.BytesIO(content))
    list(reading.rows)
    assert reading.possibly_cut is is_cut


@pytest.mark.parametrize("end", [b"", b"\r"])
def test_the_last_row_is_read_without_its_line_end(end: bytes) -> None:
    assert rows_of(b'a,b\n1,"2"' + end) == [Row(2, ["1", "2"], '1,"2"')]


def test_more_or_fewer_fields_than_the_header_reject_the_row() -> None:
    assert told(b'a,b\n1\n1,2,3\n1,2\n"1",2,3\n') == [
        (2, COLUMNS),
        (3, COLUMNS),
        (4, ["1", "2"]),
        (5, COLUMNS),
    ]


def test_a_line_of_tabs_in_a_file_of_tabs_is_a_row() -> None:
    assert told(b'a\tb\n\t\n\t\t\n  \n"\t"\t\n') == [(2, ["", ""]), (3, COLUMNS), (5, ["\t", ""])]


def test_a_header_of_one_column_still_ignores_blank_lines() -> None:
    assert told(b'a\n1\n\n  \n"2"\n3,4\n') == [(2, ["1"]), (5, ["2"]), (6, COLUMNS)]


def test_bytes_that_the_encoding_does_not_allow_reject_their_row_alone() -> None:
    assert rows_of(b"a,b\n1,2\n\xe9,2\n3,4\n") == [
        Row(2, ["1", "2"], "1,2"),
        BadRow(3, ENCODING, "�,2"),
        Row(4, ["3", "4"], "3,4"),
    ]


def test_a_nul_rejects_its_row_and_can_be_kept_by_a_text_column() -> None:
    assert rows_of(b"a,b\n1\0,2\n3,4\n") == [
        BadRow(2, ENCODING, "1␀,2"),
        Row(3, ["3", "4"], "3,4"),
    ]


def test_half_a_character_in_utf16_rejects_its_row_alone() -> None:
    content = (
        b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le") + b"\x00\xd8" + "x,y\n".encode("utf-16-le")
    )
    assert [row.line for row in rows_of(content) if isinstance(row, BadRow)] == [3]


def test_characters_of_utf16_that_look_like_line_ends_are_none() -> None:
    """U+0A00 and U+010A hold the byte of a line feed; cut in the middle, all behind is rubbish."""
    text = "a,b\n਀Ċ,\u0a0a\n਀,Ċ\r\n"
    for mark, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert told(mark + text.encode(name)) == [(2, ["਀Ċ", "\u0a0a"]), (3, ["਀", "Ċ"])]


# -- lines over 1 MiB


def test_the_limit_is_one_mebibyte() -> None:
    assert LINE_LIMIT == 1_048_576


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_of_exactly_one_mebibyte_is_read(end: bytes) -> None:
    line = b"1," + b"x" * (LINE_LIMIT - 2)
    (row,) = rows_of(b"a,b\n" + line + end)
    assert isinstance(row, Row)
    assert len(row.raw) == LINE_LIMIT


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_of_one_byte_more_is_rejected_unread(end: bytes) -> None:
    line = b"1," + b"x" * (LINE_LIMIT - 1)
    behind = b"3,4\n" if end else b""
    rows = rows_of(b"a,b\n1,2\n" + line + end + behind)
    assert rows[1] == BadRow(3, TOO_LONG, "1," + "x" * 998)
    assert rows[2:] == ([Row(4, ["3", "4"], "3,4")] if end else [])


def test_the_limit_counts_bytes_also_in_utf16() -> None:
    line = "1," + "x" * (LINE_LIMIT // 2 - 2)
    content = f"a,b\n{line}\n{line}x\n3,4\n".encode("utf-16-le")
    rows = rows_of(b"\xff\xfe" + content)
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert rows[1] == BadRow(3, TOO_LONG, "1," + "x" * 998)


def test_a_blank_line_over_the_limit_is_rejected_since_nobody_read_it() -> None:
    assert told(b"a,b\n" + b" " * (LINE_LIMIT + 1) + b"\n1,2\n") == [(2, TOO_LONG), (3, ["1", "2"])]


def test_no_quoted_field_runs_over_a_line_that_is_too_long() -> None:
    long = b"x" * (LINE_LIMIT + 1)
    assert told(b'a,b\n1,"2\n' + long + b'\n",2\n3,4\n') == [
        (2, QUOTE),
        (3, TOO_LONG),
        (4, QUOTE),
        (5, ["3", "4"]),
    ]


@pytest.mark.parametrize("behind", [b"\n3,4\n", b""], ids=["inside", "at-the-end"])
def test_a_huge_line_is_passed_over_in_little_memory(behind: bytes) -> None:
    stream = Endless(b'a,b\n1,2\n"', times=96 * 1024 * 1024, behind=behind)
    tracemalloc.start()
    try:
        rows = list(open_rows(stream).rows)  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows[:2] == [Row(2, ["1", "2"], "1,2"), BadRow(3, TOO_LONG, '"' + "x" * 999)]
    assert rows[2:] == ([Row(4, ["3", "4"], "3,4")] if behind else [])
    assert peak < 6 * 1024 * 1024


def test_a_huge_header_is_refused_in_little_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FileRefused):
            open_rows(Endless(b"a,", times=96 * 1024 * 1024, behind=b"\n1,2\n"))  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * 1024 * 1024


def test_memory_does_not_grow_with_the_file() -> None:
    def peak_of(rows: int) -> int:
        content = b"a,b\n" + (b'1,"two\n' + b"x" * 900 + b'"\n3,4\n') * rows
        tracemalloc.start()
        try:
            count = sum(1 for _ in open_rows(io.BytesIO(content)).rows)
            assert count == 2 * rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_of(12_000) < 1.25 * peak_of(3_000)


# -- quotes: the header has three columns, so that a line of three fields could be a row

NINETEEN_MORE = "\n".join(f"line {number}" for number in range(2, 21))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('1,"a,b",3', [(2, ["1", "a,b", "3"])]),
        ('"1","2","3"', [(2, ["1", "2", "3"])]),
        ('"1","a""b","3"', [(2, ["1", 'a"b', "3"])]),
        ('"1","a"",""b","3"', [(2, ["1", 'a","b', "3"])]),
        ('1,"",3', [(2, ["1", "", "3"])]),
        ('1,"""",3', [(2, ["1", '"', "3"])]),
        ('1,2,"3"', [(2, ["1", "2", "3"])]),
        ("1,5'10\" tall,3", [(2, ["1", "5'10\" tall", "3"])]),
        ('1, "2",3', [(2, ["1", ' "2"', "3"])]),
        ('1,2"",3"', [(2, ["1", '2""', '3"'])]),
        ('1,"a\nb",3', [(2, ["1", "a\nb", "3"])]),
        ('1,"a\n\n  \nb",3\n4,5,6', [(2, ["1", "a\n\n  \nb", "3"]), (6, ["4", "5", "6"])]),
        ('1,"a\r\nb",3\r', [(2, ["1", "a\r\nb", "3"])]),
        ('1,"a\nb","c\nd"\n4,5,6', [(2, ["1", "a\nb", "c\nd"]), (5, ["4", "5", "6"])]),
        ('1,2,"a\n""b""\nc"', [(2, ["1", "2", 'a\n"b"\nc'])]),
        ('1,"a\nb",3,4,5\n5,6,7', [(2, COLUMNS), (4, ["5", "6", "7"])]),
        ('"a\nb",2\n5,6,7', [(2, COLUMNS), (4, ["5", "6", "7"])]),
    ],
)
def test_a_quoted_field_holds_delimiters_quotes_and_line_breaks(
    text: str, expected: list[tuple[int, object]]
) -> None:
    assert told(f"a,b,c\n{text}\n".encode()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Closed amiss.
        ('1,"2"x,3\n4,5,6', [(2, QUOTE), (3, ["4", "5", "6"])]),
        ('1,"2" ,3\n4,5,6', [(2, QUOTE), (3, ["4", "5", "6"])]),
        ('1,"2"\r,3\n4,5,6', [(2, QUOTE), (3, ["4", "5", "6"])]),
        # Never closed: the row behind is not swallowed.
        ('1,"2,3\n4,5,6', [(2, QUOTE), (3, ["4", "5", "6"])]),
        ('1,2,"3', [(2, QUOTE)]),
        ('"', [(2, QUOTE)]),
        ('1,2,"3\n4,5,"6', [(2, QUOTE), (3, QUOTE)]),
        # A line behind the opening one has three fields by itself: it may be somebody's row.
        ('1,"2\n4,5,6\n",3', [(2, QUOTE), (3, ["4", "5", "6"]), (4, QUOTE)]),
        ('1,"2\n"4","5,","6"\n",3', [(2, QUOTE), (3, ["4", "5,", "6"]), (4, QUOTE)]),
        ('1,"a\nx,y",3', [(2, QUOTE), (3, ["x", 'y"', "3"])]),
        ('"a\nb",2,3\n4,5,6', [(2, QUOTE), (3, ['b"', "2", "3"]), (4, ["4", "5", "6"])]),
        # Its own quote is open at its end: it may begin a row all the same.
        ('1,"2\n4,5,"\n6"', [(2, QUOTE), (3, ["4", "5", "\n6"])]),
        # The second quoted field of the row fails: the line where the row begins is rejected.
        ('1,"a\nb","c\n4,5,6', [(2, QUOTE), (3, QUOTE), (4, ["4", "5", "6"])]),
        # An opening quote behind a closing one on the same line.
        ('1,"2","3\n4,5,6', [(2, QUOTE), (3, ["4", "5", "6"])]),
    ],
)
def test_a_quote_that_is_not_closed_rejects_one_line_and_swallows_none(
    text: str, expected: list[tuple[int, object]]
) -> None:
    assert told(f"a,b,c\n{text}\n".encode()) == expected


def test_a_quoted_field_may_run_over_twenty_lines() -> None:
    text = f'1,2,"line 1\n{NINETEEN_MORE}"\n4,5,6\n'
    assert told(f"a,b,c\n{text}".encode()) == [
        (2, ["1", "2", f"line 1\n{NINETEEN_MORE}"]),
        (22, ["4", "5", "6"]),
    ]


def test_a_quoted_field_may_not_run_over_twenty_one_lines() -> None:
    text = f'1,2,"line 1\n{NINETEEN_MORE}\nline 21"\n4,5,6\n'
    found = told(f"a,b,c\n{text}".encode())
    assert found[0] == (2, QUOTE)
    assert found[1:21] == [(line, COLUMNS) for line in range(3, 23)]
    assert found[21:] == [(23, ["4", "5", "6"])]


def test_each_quoted_field_has_twenty_lines_of_its_own() -> None:
    field = f'"line 1\n{NINETEEN_MORE}"'
    ((line, fields),) = told(f"a,b,c\n1,{field},{field}\n".encode())
    assert line == 2
    assert fields == ["1", f"line 1\n{NINETEEN_MORE}", f"line 1\n{NINETEEN_MORE}"]


def test_a_row_may_not_run_over_more_than_two_hundred_lines() -> None:
    """Quotes that close and open again on each line would hold a whole file in memory."""
    header = ",".join(f"c{number}" for number in range(300))
    found = told((header + '\n1,"\n' + 'x","\n' * 600).encode())
    assert found[0] == (2, QUOTE)
    assert [line for line, _ in found] == list(range(2, 603))


def test_quotes_that_open_again_and_again_do_not_hold_the_reading_up() -> None:
    """Were each line read to the end of the chain anew, these would take minutes."""
    content = b"a,b,c\n" + b'x","\n' * 30_000 + b"1,2,3\n"
    began = time.process_time()
    found = told(content)
    assert time.process_time() - began < 10
    assert found[0] == (2, QUOTE)
    assert found[-1] == (30_002, ["1", "2", "3"])
    assert len(found) == 30_001


def test_a_rejected_row_keeps_all_its_lines_as_sent() -> None:
    assert rows_of(b'a,b,c\n1,"x\r\ny",3,4,5\r\n') == [BadRow(2, COLUMNS, '1,"x\r\ny",3,4,5')]


def test_a_row_over_several_lines_is_rejected_for_the_bytes_of_any_of_them() -> None:
    assert rows_of(b'a,b,c\n1,"x\n\xe9",3\n4,5,6\n') == [
        BadRow(2, ENCODING, '1,"x\n�",3'),
        Row(4, ["4", "5", "6"], "4,5,6"),
    ]


def test_bad_bytes_come_before_a_bad_quote_but_only_on_its_own_line() -> None:
    assert told(b'a,b,c\n\xe9,"2,3\n4,5,6\n') == [(2, ENCODING), (3, ["4", "5", "6"])]
    assert told(b'a,b,c\n1,"2,3\n\xe9,5,6\n') == [(2, QUOTE), (3, ENCODING)]


# -- whatever bytes arrive

ALPHABET = st.sampled_from(
    [*'ab,,,;\t"""', '""', "\n", "\n", "\r\n", "\r", " ", "é", "\0", '","', '"\n', "\n1,2,3\n"]
)
TEXTS = st.lists(ALPHABET, max_size=80).map("".join)
CONTENTS = st.one_of(
    st.binary(max_size=300),
    TEXTS.map(lambda text: b"a,b,c\n" + text.encode()),
    TEXTS.map(lambda text: b"\xff\xfe" + f"a,b,c\n{text}".encode("utf-16-le")),
    TEXTS.map(lambda text: b"\xfe\xff" + f"a;b;c\n{text}".encode("utf-16-be")),
    st.tuples(TEXTS, st.binary(max_size=4), TEXTS).map(
        lambda parts: b"a,b,c\n" + parts[0].encode() + parts[1] + parts[2].encode()
    ),
)


def outcome(stream: object) -> object:
    try:
        reading = open_rows(stream)  # type: ignore[arg-type]
        return reading.header, list(reading.rows), reading.possibly_cut
    except FileRefused as refusal:
        return refusal.reason


@given(CONTENTS)
def test_any_bytes_are_rows_or_a_refusal(content: bytes) -> None:
    try:
        reading = open_rows(io.BytesIO(content))
    except FileRefused:
        return
    last = 0
    for row in reading.rows:
        assert row.line > last
        assert "\0" not in row.raw
        row.raw.encode()
        last = row.line
        if isinstance(row, Row):
            assert len(row.fields) == len(reading.header)
            assert "\0" not in "".join(row.fields)


@given(CONTENTS, st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=9))
def test_it_does_not_matter_in_which_pieces_a_file_arrives(
    content: bytes, sizes: list[int]
) -> None:
    assert outcome(Pieces(content, sizes)) == outcome(io.BytesIO(content))


@given(TEXTS)
def test_each_line_that_is_not_blank_is_in_exactly_one_row(text: str) -> None:
    text = text.replace("\0", "").replace("\r", "")
    lines = f"a,b,c\n{text}".split("\n")
    place = 1
    for row in rows_of(f"a,b,c\n{text}".encode()):
        assert not "".join(lines[place : row.line - 1]).strip(), "a line was passed over"
        behind = row.line + row.raw.count("\n")
        assert row.raw == "\n".join(lines[row.line - 1 : behind])
        place = behind
    assert not "".join(lines[place:]).strip(), "the last lines were passed over"


VALUES = st.text(st.sampled_from([*'ab ,"\n', "é"]), max_size=12)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=8))
def test_what_is_quoted_as_it_should_be_is_read_as_it_was(pairs: list[tuple[str, str]]) -> None:
    """With forty columns, no line of so short a value can pass for a row."""
    lines = [",".join(f"c{number}" for number in range(40))]
    for pair in pairs:
        quoted = ['"' + value.replace('"', '""') + '"' for value in pair]
        lines.append(",".join(["x"] * 38 + quoted))
    found = rows_of(("\n".join(lines) + "\n").encode())
    assert [row.fields[-2:] for row in found if isinstance(row, Row)] == [
        list(pair) for pair in pairs
    ]
