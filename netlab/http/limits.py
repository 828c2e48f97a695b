"""What a client may take of an HTTP server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlab.errors import ConfigurationError
from netlab.transport import Limits

_COUNTS = ("max_head", "max_fields", "max_target", "max_body", "max_unread", "min_body_rate")
_MOST = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits(Limits):
    """The limits of ``netlab.transport.Limits``, two with other defaults, and those of HTTP.

    idle_timeout   between two requests, silence for so long: closed.
    frame_timeout  a request's head, from its first byte to its last, however it
                   trickles in: 408.
    body_timeout   a request's body may take so long, and
    min_body_rate  a second more for every so many bytes that came: else 408. Time in
                   which the handler does not read does not count.
    max_head       bytes of a request's head: 431. Its trailers have as much room.
    max_fields     field lines of a head: 431.
    max_target     bytes of a request's target: 414.
    max_body       bytes of a request's body: 413. ``None``: any number; a body is
                   never kept whole, unless the handler reads it so.
    max_unread     bytes of a body that nobody read which are read and thrown away, so
                   that the connection can be used again; beyond that it is closed.

    Raises ``ConfigurationError`` for values that cannot work.
    """

    idle_timeout: float | None = 75.0
    frame_timeout: float | None = 10.0
    body_timeout: float | None = 30.0
    min_body_rate: int = 500
    max_head: int = 32 * 1024
    max_fields: int = 100
    max_target: int = 8 * 1024
    max_body: int | None = 16 * 1024 * 1024
    max_unread: int = 256 * 1024

    def __post_init__(self) -> None:
        for name in _COUNTS:
            _check(name, getattr(self, name))
        # Not super(): a dataclass with slots is another class than the one written here.
        Limits.__post_init__(self)
        if self.max_target >= self.max_head:
            raise ConfigurationError(
                f"max_target must be below max_head, not {self.max_target} and {self.max_head}"
            )


def _check(name: str, value: Any) -> None:
    if value is None and name == "max_body":
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
        none = ", or None for no limit" if name == "max_body" else ""
        raise ConfigurationError(
            f"{name} must be a whole number above 0 and up to {_MOST}{none}, not {value!r}"
        )
