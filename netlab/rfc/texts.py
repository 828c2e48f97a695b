"""The texts of RFCs in a folder, as ``rsync`` or ``netlab rfc mirror`` makes one."""

from __future__ import annotations

import stat
from pathlib import Path

from netlab.rfc.names import NotAName, Series, parse_name

LONGEST_TEXT = 32 << 20
"""Bytes; what is longer is no text of an RFC."""


def read_text(path: Path) -> bytes | None:
    """A text, if the file can be read and is not longer than any text is."""
    try:
        about = path.stat()
        if stat.S_ISREG(about.st_mode) and about.st_size <= LONGEST_TEXT:
            return path.read_bytes()
    except OSError:
        pass
    return None


def text_number(file_name: str) -> int | None:
    """The number of the RFC whose text a file is by its name; ``None`` for any other file."""
    if not (file_name.startswith("rfc") and file_name.endswith(".txt")):
        return None
    try:
        name = parse_name(file_name)
    except NotAName:
        return None
    is_text = name.series is Series.RFC and name.file_name == file_name
    return name.number if is_text else None
