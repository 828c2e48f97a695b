"""The limits every stream connection lives under, and their defaults.

The defaults are meant for production: a server started with no options
survives slow, silent and hostile peers. All times are in seconds on a
monotonic clock, all sizes in bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

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
    """What a peer may take of this process. Any timeout may be ``None``: no limit.

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
            value = getattr(self, field.name)
            if value is None:
                if field.name == "close_timeout":
                    raise ConfigurationError("close_timeout must be a number: a close always ends")
                continue
            whole = field.name.startswith("max_") or field.name.endswith("_water")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise ConfigurationError(
                    f"{field.name} must be a {'whole number' if whole else 'number of seconds'}, "
                    f"not {value!r}"
                )
            if not math.isfinite(value) or value < (0 if field.name == "low_water" else 1e-9):
                raise ConfigurationError(f"{field.name} must be above 0, not {value!r}")
        if not self.low_water < self.high_water <= self.max_buffered:
            raise ConfigurationError(
                "the water marks must rise: low_water < high_water <= max_buffered, "
                f"not {self.low_water}, {self.high_water}, {self.max_buffered}"
            )
