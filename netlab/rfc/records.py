"""What a mirror has: written down beside the documents, so that it can be gone on with.

``.netlab-mirror/`` in the folder holds ``lock``, ``records``, which has a line for each
file, and ``new/``, where files are until they are complete. ``search.sqlite`` is there, too:
see ``netlab.rfc.indexing``.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.fields import parse_entity_tag

_FOLDER = ".netlab-mirror"
_LINE = re.compile(r"([a-z0-9.-]{1,40}) ([0-9]{1,12}) ([0-9]{1,12}) ?(.*)", re.ASCII)


def search_of(folder: Path) -> Path:
    """Where the search over the mirror in ``folder`` is, if there is one."""
    return folder / _FOLDER / "search.sqlite"


class Record(NamedTuple):
    """A file: its name, its size in bytes, when the upstream was last asked, and its entity tag."""

    name: str
    size: int
    asked: int
    tag: str = ""


class Records:
    """The records of the mirror in ``folder``, which is made if it is not there.

    The folder is this process's until ``close``. Raises ``ConfigurationError`` if it is
    another's, or cannot be written in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._lock = -1
        self._found: dict[str, Record] = {}
        self._lines = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._take(folder)
            self.new = self._folder / "new"
            """Where files are until they are complete."""
            shutil.rmtree(self.new, ignore_errors=True)
            self.new.mkdir(exist_ok=True)
            self._read()
            self._file = open(self._folder / "records", "a", encoding="latin-1")  # noqa: SIM115
        except OSError as error:
            self._release()
            raise ConfigurationError(
                f"folder '{escape(str(folder))}': {(error.strerror or str(error)).lower()}; "
                "name one that this program may write in"
            ) from error

    def get(self, name: str) -> Record | None:
        """The record of a file."""
        return self._found.get(name)

    def add(self, records: Iterable[Record]) -> None:
        """Writes records down, in the place of those of the same files."""
        for record in records:
            self._found[record.name] = record
            self._lines += 1
            self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        """Lets another process have the folder."""
        try:
            with suppress(OSError):  # what is not written down is fetched again
                self._file.close()
                if self._lines > 2 * len(self._found):
                    self._rewrite()
                self.new.rmdir()
        finally:
            self._release()

    def _take(self, folder: Path) -> None:
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            raise ConfigurationError(
                f"folder '{escape(str(folder))}': another netlab rfc mirror is at work in it"
            ) from None

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _read(self) -> None:
        try:
            text = (self._folder / "records").read_text("latin-1")
        except FileNotFoundError:
            return
        for line in text.split("\n"):
            matched = _LINE.fullmatch(line)
            if matched:
                name, size, asked, tag = matched.groups()
                whole = not tag or parse_entity_tag(tag) is not None
                self._found[name] = Record(name, int(size), int(asked), tag if whole else "")
                self._lines += 1
        if text and not text.endswith("\n"):  # its writer was ended in the middle of a line
            self._rewrite()

    def _rewrite(self) -> None:
        aside = self.new / "records"
        aside.write_text("".join(map(_line, self._found.values())), "latin-1")
        os.replace(aside, self._folder / "records")
        self._lines = len(self._found)


def _line(record: Record) -> str:
    return f"{record.name} {record.size} {record.asked} {record.tag}\n"
