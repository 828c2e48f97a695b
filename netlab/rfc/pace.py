"""How often an upstream is asked that cannot cope, or does not want to."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock

_LONGEST = 300.0
"""Seconds that are waited when the upstream says so; it may say more, and then it is for a person
to come again."""
_MOST = 6
"""Failures in a row, with a longer and longer rest between, until nothing is asked any more."""


class Pace:
    """Lets several threads ask, and all of them rest when something fails.

    ``rest`` is how many seconds the first rest takes; each one more is twice as long, until
    something works. ``why`` says why nothing is asked any more, or is empty.
    """

    def __init__(self, rest: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.over = Event()
        self.why = ""
        self._rest = rest
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._until = 0.0

    def wait(self) -> bool:
        """Waits until asking is right; false if it never will be."""
        while not self.over.is_set():
            left = self._until - self._clock()
            if left <= 0:
                return True
            self.over.wait(left)
        return False

    def stop(self, why: str) -> None:
        """Nothing is asked any more."""
        with self._lock:
            self.why = self.why or why
        self.over.set()

    def succeeded(self) -> None:
        """The upstream copes."""
        self._failures = 0

    def failed(self, why: str, wait: float | None = None) -> None:
        """Something failed; ``wait`` is how many seconds the upstream wants to be left alone."""
        with self._lock:
            now = self._clock()
            if wait is not None and wait > _LONGEST:
                why = f"{why}, and asks to come again in {wait:.0f} seconds"
            elif now < self._until and wait is None:
                return  # the threads fail together: that is one failure
            else:
                self._failures += 1
                self._until = max(
                    self._until, now + max(wait or 0.0, self._rest * 2 ** (self._failures - 1))
                )
                if self._failures < _MOST:
                    return
                why = f"{_MOST} times in a row: {why}"
        self.stop(why)
