"""One-off timers that keep to the monotonic clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from .hub import Hub


class Deadline:
    """Calls ``expired()`` once, ``seconds`` from now, unless cancelled.

    The reactor's timer is only the alarm clock: it follows the wall clock, so
    when it rings early (the clock was set ahead) it is set again, and when it
    would ring late (set back) the hub's tick notices.
    """

    def __init__(self, hub: Hub, reactor: Any, seconds: float, expired: Callable[[], None]) -> None:
        self._hub = hub
        self._reactor = reactor
        self._expired = expired
        self._at = hub.time() + seconds
        self._call = reactor.callLater(max(0.0, seconds), self._rang)
        hub.start_ticking(self._look)

    def cancel(self) -> None:
        """Does not expire any more; harmless afterwards."""
        if self._call.active():
            self._call.cancel()
        self._hub.stop_ticking(self._look)

    def _rang(self) -> None:
        remaining = self._at - self._hub.time()
        if remaining > 0.001:
            self._call = self._reactor.callLater(remaining, self._rang)
        else:
            self._hub.stop_ticking(self._look)
            self._expired()

    def _look(self, now: float) -> None:
        if now >= self._at:
            self.cancel()
            self._expired()


def sleep(hub: Hub, reactor: Any, seconds: float) -> Deferred[None]:
    """A Deferred that fires in ``seconds``; cancelling it cancels the timer."""
    timer: Deadline
    done: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = Deadline(hub, reactor, seconds, lambda: done.callback(None))
    return done
