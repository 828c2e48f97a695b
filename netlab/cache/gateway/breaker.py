"""When to leave an origin alone: back-off, and a circuit breaker for each origin."""

from __future__ import annotations

from collections import OrderedDict

FAILURES = 3
"""Failures in a row after which nothing is sent for a while."""
FIRST = 1.0
LONGEST = 60.0
"""Seconds of rest: twice as many after each further failure, up to so many."""
_MOST_ASKED_FOR = 3600.0  # Retry-After may ask for more: then somebody should look again anyway
KNOWN = 4096
"""Names that are remembered."""


class Breaker:
    """Counts the failures of one thing; all times are in seconds, on any steady clock.

    Closed at first: everything is allowed. After ``patience`` failures in a row it is
    open, and one attempt is allowed after each rest (half-open); the first that succeeds
    closes it. One that takes longer than the rest did does not hold up the next: it may be
    that nothing is wrong but with this one. Of many attempts that were under way when it
    opened, each fails: that says no more than the first, and the rest gets no longer.
    """

    __slots__ = ("_failures", "_held_until", "_patience", "_trying", "until")

    def __init__(self, patience: int = FAILURES) -> None:
        self._patience = patience
        self._failures = 0
        self._trying = False
        self._held_until = 0.0
        self.until = 0.0
        """When the next attempt is allowed, if it is open."""

    @property
    def open(self) -> bool:
        """Whether attempts are held back."""
        return self._failures >= self._patience

    def allows(self, now: float) -> bool:
        """Whether to make an attempt now. One that is made has to end in one of the next three."""
        if not self.open:
            return True
        if now < self.until or (self._trying and now < self._held_until):
            return False
        self._trying = True
        self._held_until = now + self._rest
        return True

    @property
    def _rest(self) -> float:
        doublings = max(0, min(self._failures - self._patience, 16))
        return float(min(LONGEST, FIRST * 2**doublings))

    def succeeded(self) -> None:
        """An attempt went well."""
        self._failures = 0
        self._trying = False

    def failed(self, now: float, retry_after: float = 0.0) -> None:
        """An attempt failed; the other side may have said for how long to leave it alone."""
        if self._trying or not self.open:
            self._failures += 1
            if retry_after > 0:
                self._failures = max(self._failures, self._patience)
            self.until = now + self._rest
        self._trying = False
        self.until = max(self.until, now + min(retry_after, _MOST_ASKED_FOR))

    def given_up(self) -> None:
        """An attempt was broken off, and says nothing."""
        self._trying = False


class Breakers:
    """A breaker for each name: for the names that failed last."""

    def __init__(self, patience: int = FAILURES) -> None:
        self._patience = patience
        self._found: OrderedDict[str, Breaker] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, name: str) -> Breaker | None:
        """The breaker of ``name``, if it has failed of late."""
        return self._found.get(name)

    def allows(self, name: str, now: float) -> bool:
        """See ``Breaker``."""
        found = self._found.get(name)
        return found is None or found.allows(now)

    def succeeded(self, name: str) -> None:
        """See ``Breaker``."""
        self._found.pop(name, None)

    def failed(self, name: str, now: float, retry_after: float = 0.0) -> None:
        """See ``Breaker``."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = Breaker(self._patience)
            if len(self._found) > KNOWN:
                self._found.popitem(last=False)
        self._found.move_to_end(name)
        found.failed(now, retry_after)

    def given_up(self, name: str) -> None:
        """See ``Breaker``."""
        found = self._found.get(name)
        if found is not None:
            found.given_up()
