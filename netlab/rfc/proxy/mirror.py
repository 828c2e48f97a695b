"""A folder of RFCs, as ``rsync`` or ``netlab rfc mirror`` makes one, as an origin."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.fields import Fields, format_date, split_list
from netlab.rfc.texts import read_text, text_number

_PIECE = 256 * 1024
_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "xml": "application/xml",
    "pdf": "application/pdf",
}


class Found:
    """A file as a response, like ``netlab.http.fetching.Fetched``."""

    version = "1.1"

    def __init__(self, status: int, fields: Fields, descriptor: int) -> None:
        self.status = status
        self.reason = ""
        self.fields = fields
        self._descriptor = descriptor

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        try:
            while self._descriptor >= 0 and (piece := os.read(self._descriptor, _PIECE)):
                yield piece
        finally:
            self.abort()

    def abort(self, reason: Exception | None = None) -> None:
        """Lets go of the rest."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Mirror:
    """The folder ``path``; documents lie in it, or in its folder ``rfc``.

    What a symbolic link leads to is a document only if that is in the folder, too: who
    filled it, as over ``rsync``, must not have other files of this machine served.

    Raises ``ConfigurationError`` if it is no folder that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            names = os.listdir(path)
        except OSError as error:
            raise ConfigurationError(
                f"mirror '{escape(str(path))}': {(error.strerror or str(error)).lower()}; "
                "name a folder with files such as rfc2324.txt"
            ) from error
        self._folders = [path, path / "rfc"] if "rfc" in names else [path]
        self._root = os.path.join(os.path.realpath(path), "")

    def holds(self, relative: str) -> bool:
        """Whether it has this file."""
        places = (folder / relative for folder in self._folders)
        return any(os.path.isfile(place) and self._is_inside(place) for place in places)

    def open(self, relative: str, fields: Fields) -> Found | None:
        """The file as the response to a request with ``fields``; ``None`` if it is not there.

        ``relative`` is made of a parsed name, never of what a client sent.
        """
        for folder in self._folders:
            if not self._is_inside(folder / relative):
                continue
            try:  # without waiting for somebody at the other end, should it be a pipe
                flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
                descriptor = os.open(folder / relative, flags)
            except OSError:
                continue
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                os.close(descriptor)
                continue
            tag = f'"{about.st_size:x}-{about.st_mtime_ns:x}"'
            kind = _TYPES.get(relative.rpartition(".")[2], "application/octet-stream")
            found = Fields(
                [
                    ("Content-Type", kind),
                    ("ETag", tag),
                    ("Last-Modified", format_date(about.st_mtime)),
                ]
            )
            if tag in split_list(fields.get("if-none-match") or ""):
                os.close(descriptor)
                return Found(304, found, -1)
            length = ("Content-Length", str(about.st_size))
            return Found(200, found.adding(length), descriptor)
        return None

    def texts(self) -> Iterator[tuple[int, Path]]:
        """The numbers and files of all texts, in no order."""
        for folder in self._folders:
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                number = text_number(name)
                if number is not None and self._is_inside(folder / name):
                    yield number, folder / name

    def text(self, number: int) -> bytes | None:
        """The text of an RFC, if it is there; may be called from any thread."""
        for folder in self._folders:
            place = folder / f"rfc{number}.txt"
            data = read_text(place) if self._is_inside(place) else None
            if data is not None:
                return data
        return None

    def _is_inside(self, place: Path) -> bool:
        """Whether no link leads out of the folder."""
        return os.path.realpath(place).startswith(self._root)
