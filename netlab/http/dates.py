"""The lines ``Date`` and ``Server``: written once a second, not once a response."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from time import time

from netlab.fields import format_date


@cache
def server_line() -> bytes:
    """The line ``Server`` (RFC 9110, 10.2.4): ``netlab/1.2.3``."""
    try:
        name = f"netlab/{version('netlab')}"
    except PackageNotFoundError:  # run from a tree that was never installed
        name = "netlab"
    return f"Server: {name}\r\n".encode("latin-1")


class Dates:
    """Knows what time it is, to the second."""

    __slots__ = ("_from", "_line", "_until")

    def __init__(self) -> None:
        self._line = b""
        self._from = self._until = 0.0

    def line(self) -> bytes:
        """The line ``Date`` (RFC 9110, 6.6.1): the same object, for as long as it is the same."""
        now = time()
        if not self._from <= now < self._until:  # the clock may have been set back
            self._from = now // 1
            self._until = self._from + 1
            self._line = f"Date: {format_date(now)}\r\n".encode()
        return self._line
