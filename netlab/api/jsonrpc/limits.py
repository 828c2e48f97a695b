"""What a peer may take of a session."""

from __future__ import annotations

from dataclasses import dataclass, fields

from netlab.errors import ConfigurationError
from netlab.framing import DEFAULT_MAX_MESSAGE

MAX_CREDIT = (1 << 31) - 1
"""The most credit that a subscription can have, in items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Limits of one connection.

    max_in_flight      requests of the peer that may wait for their answer at a time; more
                       are answered with -32010
    max_calls          calls of this side that may wait for their answer at a time
    max_subscriptions  subscriptions at a time, each way
    max_batch          requests in one batch
    max_depth          arrays and objects within each other, the outermost counted
    max_message        bytes of a message that is sent; the framing's own
    """

    max_in_flight: int = 256
    max_calls: int = 1024
    max_subscriptions: int = 256
    max_batch: int = 100
    max_depth: int = 64
    max_message: int = DEFAULT_MAX_MESSAGE

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigurationError(f"{each.name} is a number of 1 or more, not {value!r}")
        if not 4 <= self.max_depth <= 500:
            raise ConfigurationError(
                f"max_depth is from 4 to 500, not {self.max_depth}: a request with "
                "arguments has 2, and deeper than 500 nothing can be read"
            )
