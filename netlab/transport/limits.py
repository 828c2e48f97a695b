"""The limits every stream connection lives under, and their defaults.

The defaults are meant for production: a server started with no options
survives slow, silent and hostile peers. All times are in seconds on a
monotonic clock, all sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from netlab.errors import ConfigurationError

TICK = 0.5
"""Seconds between two looks at the deadlines: each fires at most so much late."""


def default_max_connections() -> int:
    """Half of this process's descriptor limit, so that files and clients find room too."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 512
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 65536
    return max(1, soft // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may take of this process. A timeout may be ``None``, but for ``close_timeout``.

    max_connections    connections served at a time; the next one is accepted and closed.
                       ``None``: half of the descriptor limit.
    max_per_address    of these, how many from one address. ``None``: any number.
    idle_timeout       nothing came and nothing went for so long: closed.
    frame_timeout      from a frame's first byte to its last, however it trickles in.
    write_timeout      bytes wait for the peer and it takes none of them for so long.
    handshake_timeout  TLS, and the PROXY header, from connect to done.
    close_timeout      from ``close()`` to the end; then the connection is aborted.
    high_water         bytes waiting to be sent above which reading stops and ``send`` waits.
    low_water          and below which both go on.
    max_buffered       bytes waiting at which one more ``send`` cuts the connection.

    Raises ``ConfigurationError`` for values that cannot work.
    """

    max_connections: int | None = None
    max_per_address: int | None = None
    idle_timeout: float | None = 600.0
    frame_timeout: float | None = 30.0
    write_timeout: float | None = 30.0
    handshake_timeout: float | None = 5.0
    close_timeout: float = 2.0
    high_water: int = 64 * 1024
    low_water: int = 16 * 1024
    max_buffered: int = 256 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if not self.low_water < self.high_water <= self.max_buffered:
            raise ConfigurationError(
                "the water marks must rise: low_water < high_water <= max_buffered, "
                f"not {self.low_water}, {self.high_water}, {self.max_buffered}"
            )


_COUNTS = ("max_connections", "max_per_address", "high_water", "low_water", "max_buffered")
_NEEDED = ("close_timeout", "high_water", "low_water", "max_buffered")
_MOST = 10**9


def _check(name: str, value: Any) -> None:
    if value is None and name not in _NEEDED:
        return
    kinds, what = (int, "a whole number") if name in _COUNTS else ((int, float), "seconds")
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value <= _MOST:
        none = "" if name in _NEEDED else ", or None for no limit"
        raise ConfigurationError(
            f"{name} must be {what} above 0 and up to {_MOST}{none}, not {value!r}"
        )
