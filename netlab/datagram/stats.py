"""What a datagram server counts. Plain data: read it, print it, export it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class DatagramStats:
    """Counters since the server started.

    datagrams_in     datagrams received, refused ones included
    datagrams_out    datagrams given to the operating system
    bytes_in         their bytes, without headers
    bytes_out        likewise
    dropped          datagrams that went no further, by cause. What came: ``source_port``,
                     ``low_port``, ``broadcast``, ``multicast``, ``source_rate``,
                     ``total_rate``, ``busy`` (``max_pending``). Replies:
                     ``reply_too_long``, ``handler_failed``. Both, when impairments are
                     on: ``loss`` and ``limit``, with ``in_`` or ``out_`` before it
    errors           errors of the operating system, by name (``ENOBUFS``); one of a
                     reply that could not be sent means one datagram less
    pending          answers that are being waited for now
    handler_seconds  time spent in the application's handler, without waiting
    """

    datagrams_in: int = 0
    datagrams_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    handler_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """A copy of all counters, made of numbers, strings and plain dicts (for JSON)."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {k: dict(v) if isinstance(v, Counter) else v for k, v in values.items()}
