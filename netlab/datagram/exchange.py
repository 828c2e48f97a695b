"""A request on UDP and its answer: when to ask again, when to give up, what is no answer.

Neither socket nor clock is in here; times are in seconds, of a clock that never
steps back. The blocking client and the one on Twisted both go by these rules.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from netlab.errors import ConfigurationError, LocalProtocolError, NoReply
from netlab.escaping import escape

from .destination import Destination

LONGEST = 65507
"""The longest payload of a UDP datagram on IPv4 (RFC 768, RFC 791)."""
SPREAD = 1.5
"""ACK_RANDOM_FACTOR of RFC 7252, section 4.8."""
PORTS_KEPT = 1000

_LONGEST_TIMEOUT = 3600.0
_MOST_RETRIES = 16

Match = Callable[[bytes, bytes], bool]
"""Says of a request and a datagram that came from the peer whether this is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retransmission:
    """How long to wait for an answer, and how often to ask again (RFC 7252, section 4.2).

    timeout  seconds to wait for the answer to the first try; each further try
             waits twice as long as the one before it. For each request all of them
             are lengthened by the same random factor, 1 to 1.5, so that many
             clients do not ask in step.
    retries  how often the request is sent again

    Raises ``ConfigurationError`` for values that cannot work.
    """

    timeout: float = 1.0
    retries: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= _LONGEST_TIMEOUT:
            raise ConfigurationError(
                f"timeout must be seconds above 0, at most {_LONGEST_TIMEOUT:g}, "
                f"not {self.timeout!r}"
            )
        if not isinstance(self.retries, int) or not 0 <= self.retries <= _MOST_RETRIES:
            raise ConfigurationError(
                f"retries must be a whole number from 0 to {_MOST_RETRIES}, not {self.retries!r}"
            )

    def waits(self, rng: random.Random) -> list[float]:
        """The seconds to wait after each try; ``rng`` gives the jitter."""
        first = self.timeout * rng.uniform(1, SPREAD)
        return [first * 2**number for number in range(self.retries + 1)]


class Exchange:
    """One request, until it has its answer or is given up.

    Send ``request`` and call ``sent``; at the ``deadline`` call ``expired``, and send
    it again. Whatever comes from the peer meanwhile goes to ``accepts``.
    Raises ``LocalProtocolError`` when the request is too long for a datagram.
    """

    def __init__(
        self,
        request: bytes,
        destination: Destination,
        retransmission: Retransmission,
        match: Match | None,
        rng: random.Random,
    ) -> None:
        check_length(request)
        self.request = request
        self.tries = 0
        self.deadline = 0.0
        self._destination = destination
        self._match = match
        self._waits = retransmission.waits(rng)
        self._expired = 0
        self._began: float | None = None

    def sent(self, now: float) -> None:
        """The request was sent, for the first time or again."""
        if self._began is None:
            self._began = now
        self.tries += 1
        self.deadline = now + self._waits[self._expired]

    def expired(self, now: float) -> None:
        """No answer has come by the deadline: it is time to send again.

        Raises ``NoReply`` when that was the last try.
        """
        self._expired += 1
        if self._expired == len(self._waits):
            seconds = now - (now if self._began is None else self._began)
            tries = "1 try" if self.tries == 1 else f"{self.tries} tries"
            raise NoReply(
                f"no reply from {escape(str(self._destination))} after {tries} in {seconds:.3g} s",
                self.tries,
                seconds,
            )

    def accepts(self, datagram: bytes) -> bool:
        """Whether ``datagram``, which came from the peer, is the answer."""
        return self._match is None or self._match(self.request, datagram)


class UsedPorts:
    """This side's ports of the last requests.

    An answer that comes late goes to the port that its request was sent from. So
    a request must not get a port that another has just had.
    """

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._ports: set[int] = set()

    def take(self, port: int) -> bool:
        """Notes ``port`` for one more request; ``False`` if one had it a short while ago."""
        if port in self._ports:
            return False
        self._ports.add(port)
        self._order.append(port)
        if len(self._order) > PORTS_KEPT:
            self._ports.discard(self._order.popleft())
        return True


def check_length(data: bytes) -> None:
    """Raises ``LocalProtocolError`` when ``data`` does not fit into a datagram."""
    if len(data) > LONGEST:
        raise LocalProtocolError(
            f"a datagram holds at most {LONGEST} bytes, this one would have {len(data)}"
        )
