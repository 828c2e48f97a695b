"""What an upstream may take of this process: time, bytes, connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlab.errors import ConfigurationError

_TIMES = ("connect_timeout", "head_timeout", "body_stall", "total_timeout")
_COUNTS = ("max_head", "max_fields", "max_body", "max_connections", "max_waiting")
_LEAST_HEAD = 512
_MOST = 10**15
_LONGEST = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """The limits of a ``Fetcher``. Times are in seconds, sizes in bytes.

    connect_timeout  looking up the name and connecting; TLS may take as long once more.
    head_timeout     from the end of the request to the end of the final response's head.
    body_stall       silence within a body that somebody wants; and how long the
                     upstream may take nothing of a request's body.
    total_timeout    all of a fetch, from the call to the last byte of the body; waiting
                     for a connection and for the reader counts.
    max_head         of a response's head with its status line and the interim
                     responses before it; its chunk extensions and trailers may have as
                     much once more.
    max_fields       field lines of a head.
    max_body         of a response's body. ``None``: any number; it is never kept whole.
    max_connections  fetches under way at a time for each origin; others wait.
    max_waiting      fetches that wait, for all origins together.

    Raises ``ConfigurationError`` for values that cannot work.
    """

    connect_timeout: float = 10.0
    head_timeout: float = 30.0
    body_stall: float = 30.0
    total_timeout: float = 600.0
    max_head: int = 64 * 1024
    max_fields: int = 200
    max_body: int | None = 1024 * 1024 * 1024
    max_connections: int = 16
    max_waiting: int = 1000

    def __post_init__(self) -> None:
        for name in _TIMES:
            _check(name, getattr(self, name), (int, float), "seconds", _LONGEST)
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None or name != "max_body":
                _check(name, value, int, "a whole number", _MOST)
        if self.max_head < _LEAST_HEAD:
            raise ConfigurationError(
                f"max_head must be at least {_LEAST_HEAD}, not {self.max_head}: "
                "no response would fit"
            )


def _check(name: str, value: Any, kinds: Any, what: str, most: int) -> None:
    may_be_0 = name == "max_waiting"
    good = isinstance(value, kinds) and not isinstance(value, bool)
    if not good or not 0 <= value <= most or (value == 0 and not may_be_0):
        bound = "from 0" if may_be_0 else "above 0 and"
        none = ", or None for no limit" if name == "max_body" else ""
        raise ConfigurationError(f"{name} must be {what} {bound} up to {most}{none}, not {value!r}")
