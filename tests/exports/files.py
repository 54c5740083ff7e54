"""How a table of texts becomes the bytes of an export file.

Knows quoting, encodings and names of objects. Must not know what a column means.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.oracle import ExportObject

# Stands in a text for bytes that the file's encoding does not allow.
BAD_BYTES = "\ue000"
_BAD = {"utf-8": b"\xff", "utf-8-sig": b"\xff", "utf-16-le": b"\x00\xdc", "cp1255": b"\xff"}
_BOM = {"utf-8-sig": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe"}


def line_of(fields: Iterable[str], *, delimiter: str = ",") -> str:
    """Write one row, quoting where a field needs it; no line end."""
    return delimiter.join(
        '"' + field.replace('"', '""') + '"' if {delimiter, '"', "\n"} & set(field) else field
        for field in fields
    )


def bytes_of(
    lines: Sequence[str], *, encoding: str = "utf-8", line_end: str = "\n", is_cut: bool = False
) -> bytes:
    """Encode lines that are written already; `is_cut` leaves out the last line's end."""
    text = line_end.join(lines) + ("" if is_cut or not lines else line_end)
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    pieces = [piece.encode(codec) for piece in text.split(BAD_BYTES)]
    return _BOM.get(encoding, b"") + _BAD[encoding].join(pieces)


def local_file(
    name: str,
    content: bytes,
    *,
    last_modified: datetime,
    received_at: datetime,
    source: str = "local",
) -> ExportObject:
    """A file on the command line: its SHA-256 is its version."""
    return ExportObject(
        key=name,
        version=hashlib.sha256(content).hexdigest(),
        last_modified=last_modified,
        content=content,
        received_at=received_at,
        source=source,
    )
