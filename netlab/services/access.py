"""An access log in a file, which may be moved away while it is written."""

from __future__ import annotations

import os
import sys
from typing import Any

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.http import Access, combined, json_line
from netlab.transport import Log

FORMATS = {"combined": combined, "json": json_line}
_WAIT = 0.5  # seconds that a line may wait for others
_MOST = 1 << 20  # bytes that may wait for a disk that is full


class AccessFile:
    """Writes a line for each response to the file ``path``; ``-`` is standard output.

    Lines are written half a second after they are told, in one piece. When the file was
    moved or deleted (by logrotate, say) a new one is begun. What cannot be written, as
    on a full disk, waits for a while, and the log tells once. Raises
    ``ConfigurationError`` for a format that is none.
    """

    log = Log()

    def __init__(self, path: str, written: str) -> None:
        line = FORMATS.get(written)
        if line is None:
            raise ConfigurationError(
                f"'{escape(written, 40)}' is no format: use {' or '.join(FORMATS)}"
            )
        self._line = line
        self._path = path
        self._name = f"access log '{escape(path)}'"
        self._descriptor = -1
        self._reactor: Any = None
        self._later: Any = None
        self._lines: list[str] = []
        self._waiting = b""
        self._failing = False

    def open(self, reactor: Any) -> None:
        """Opens the file. Raises ``ConfigurationError`` if it cannot be written."""
        self._reactor = reactor
        try:
            self._open()
        except OSError as error:
            raise ConfigurationError(
                f"{self._name}: {_said(error)}; name a file that can be written"
            ) from error

    def _open(self) -> None:
        if self._path == "-":
            # Not sys.stdout, which twistd turns into lines of its own log.
            self._descriptor = -1 if sys.__stdout__ is None else os.dup(sys.__stdout__.fileno())
        else:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags, 0o640)

    def __call__(self, entry: Access) -> None:
        """Takes the line of one response."""
        self._lines.append(self._line(entry))
        if self._later is None and self._reactor is not None:
            self._later = self._reactor.callLater(_WAIT, self._write)

    def _write(self) -> None:
        self._later = None
        try:
            self._write_lines()
        except OSError as error:
            if not self._failing:
                self._failing = True
                self.log.warn("{name}: {why}", name=self._name, why=_said(error))
        else:
            if self._failing:
                self._failing = False
                self.log.info("{name} is written again", name=self._name)

    def _write_lines(self) -> None:
        lines, self._lines = self._lines, []
        self._waiting += "".join([f"{each}\n" for each in lines]).encode("ascii")
        if len(self._waiting) > _MOST:  # the oldest go, in whole lines
            self._waiting = self._waiting[-_MOST:].partition(b"\n")[2]
        if self._path != "-" and (self._descriptor < 0 or self._moved()):
            self._let_go()
            self._open()
        while self._waiting and self._descriptor >= 0:
            self._waiting = self._waiting[os.write(self._descriptor, self._waiting) :]

    def _moved(self) -> bool:
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return True

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def close(self) -> None:
        """Writes what there is, and lets go of the file."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._lines or self._waiting:
            self._write()
        self._let_go()
        self._lines, self._waiting = [], b""


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
