"""How often an upstream is asked that cannot cope, or does not want to."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGEST = 300.0
"""Seconds that are waited when the upstream says so; it may say more, and then it is for a person
to come again."""
_MOST = 6
"""Failures in a row, with a longer and longer rest between, until nothing is asked any more."""


class Pace:
    """Lets somebody ask, several things at a time, and rest when something fails.

    ``rest`` is how many seconds the first rest takes; each one more is twice as long, until
    something works. ``why`` says why nothing is asked any more, or is empty.
    """

    def __init__(self, rest: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.why = ""
        self._rest = rest
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing is asked any more."""
        return bool(self.why)

    @property
    def left(self) -> float:
        """For how many seconds is rested."""
        return max(self._until - self._clock(), 0.0) if self._until else 0.0

    def stop(self, why: str) -> None:
        """Nothing is asked any more."""
        self.why = self.why or why

    def succeeded(self) -> None:
        """The upstream copes."""
        self._failures = 0

    def failed(self, why: str, wait: float | None = None) -> None:
        """Something failed; ``wait`` is how many seconds the upstream wants to be left alone."""
        wait = wait or 0.0
        if wait > _LONGEST:
            self.stop(f"{why}, and asks to come again in {wait:.0f} seconds")
            return
        if not self.left:  # else all that was asked fails together: that is one failure
            self._failures += 1
            if self._failures == _MOST:
                self.stop(f"{_MOST} times in a row: {why}")
            wait = max(wait, self._rest * 2 ** (self._failures - 1))
        self._until = max(self._until, self._clock() + wait)
