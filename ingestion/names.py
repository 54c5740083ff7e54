"""Names of objects: which are left alone, and how a name becomes a key that can be stored.

Plain Python. Must not know where objects lie, nor what is in them.
"""

from __future__ import annotations

import os
import re

# Files in the making, by the names that copying programs give them.
UNFINISHED = (".part", ".tmp")
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def is_left_alone(name: str) -> bool:
    """Tell whether a name is hidden or of a file in the making."""
    return name.startswith(".") or name.lower().endswith(UNFINISHED)


def is_no_file(key: str) -> bool:
    """Tell whether a bucket's key is a folder's marker, in a hidden folder, or left alone."""
    *folders, name = key.split("/")
    return not name or is_left_alone(name) or any(each.startswith(".") for each in folders)


def key_of(name: str) -> str:
    """Write a file's name as a text that can be stored.

    A name is bytes: those that are no UTF-8 are written as `\\xff`, or one such file would stop
    the whole folder.
    """
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def name_of(key: str) -> str:
    """Give back the name whose key this is, where that had bytes that are no UTF-8."""
    raw = _ESCAPED_BYTE.sub(lambda found: bytes([int(found[1], 16)]), key.encode())
    return os.fsdecode(raw)
