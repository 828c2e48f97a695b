"""What a server counts. Plain data: read it, print it, export it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Stats:
    """Counters since the server started, and the number of connections now.

    accepted         connections taken on
    active           connections open now
    refused          connections turned away, by cause: ``max_connections``,
                     ``max_per_address``, ``accept_error`` (of the operating system)
    messages_in      messages read whole and handed to the application
    messages_out     messages handed over for sending
    bytes_in         bytes received, framing included (decrypted, on TLS)
    bytes_out        bytes given to the operating system, framing included (before encryption)
    errors           connections that ended badly, by ``NetlabError.kind``
    handler_seconds  time spent in the application's handlers; for a handler that
                     waits, the time until its answer
    """

    accepted: int = 0
    active: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    handler_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """A copy of all counters, made of numbers, strings and plain dicts (for JSON)."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {k: dict(v) if isinstance(v, Counter) else v for k, v in values.items()}
