"""Work that takes long: in threads, a few at a time, and once for all who want the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThreadPool

from netlab.http import RequestError

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs functions in the threads of ``reactor``.

    What visitors ask for takes ``places`` of them at the most, so that some are left for
    others; ``waiting`` more may wait, and who comes then is told to come again.
    """

    def __init__(self, reactor: Any, *, places: int = 3, waiting: int = 200) -> None:
        self._reactor = reactor
        self._places = DeferredSemaphore(places)
        self._most = waiting
        self._waiting = 0
        self._working = 0
        self._idle: list[Deferred[None]] = []

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` returns: for what is done in the background."""
        result: T = await self._start(function, *args, **kwargs)
        return result

    async def serve(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a visitor, in turn. Raises ``RequestError`` if too many wait."""
        if self._waiting >= self._most:
            raise RequestError(503, "too many ask for the like at this moment: try again")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        work = self._start(function, *args, **kwargs)
        # The thread works on if the visitor goes away: its place is not free before it ends.
        done: Deferred[T] = Deferred()

        def ended(result: Any) -> None:
            self._places.release()
            done.callback(result)

        work.addBoth(ended)
        return await done

    def when_idle(self) -> Deferred[None]:
        """Fires when no thread works."""
        idle: Deferred[None] = Deferred()
        if self._working:
            self._idle.append(idle)
        else:
            idle.callback(None)
        return idle

    def _start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        pool = self._reactor.getThreadPool()
        inner = deferToThreadPool(self._reactor, pool, function, *args, **kwargs)
        self._working += 1
        outer: Deferred[T] = Deferred()

        def ended(result: Any) -> None:
            self._working -= 1
            outer.callback(result)  # which is passed over, if it was cancelled
            if not self._working:
                idle, self._idle = self._idle, []
                for each in idle:
                    each.callback(None)

        inner.addBoth(ended)
        return outer


class Once:
    """Does for all who want the same at the same time what one of them wants."""

    def __init__(self) -> None:
        self._wanted: dict[Hashable, list[Deferred[Any]]] = {}

    async def run(self, key: Hashable, function: Callable[[], Awaitable[T]]) -> T:
        """What ``function`` returns, or returned to who wanted ``key`` first. Raises what it does.

        Who is cancelled leaves; for the others, or the next to come, it is done to its end.
        """
        waiting: Deferred[T] = Deferred()
        others = self._wanted.get(key)
        if others is not None:
            others.append(waiting)
            return await waiting
        self._wanted[key] = [waiting]

        async def work() -> T:
            return await function()

        def over(result: Any) -> None:
            for each in self._wanted.pop(key):
                if not each.called:  # else it was cancelled
                    each.callback(result)

        Deferred.fromCoroutine(work()).addBoth(over)
        return await waiting
