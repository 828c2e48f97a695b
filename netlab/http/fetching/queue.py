"""Places for fetches: so many at a time for each origin, the others wait in order."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred

from netlab.fields import ProxyError

from .errors import FetchError


class Places:
    """``most`` places for each origin, and ``max_waiting`` who wait, for all of them."""

    def __init__(self, most: int, max_waiting: int) -> None:
        self._most = most
        self._max_waiting = max_waiting
        self._taken: dict[str, int] = {}
        self._queues: dict[str, deque[Deferred[None]]] = {}
        self._given_back: deque[str] = deque()
        self.waiting = 0

    @property
    def idle(self) -> bool:
        """Whether nobody has a place."""
        return not self._taken

    async def take(self, origin: str) -> None:
        """Waits for a place, which is to be given back. Raises ``FetchError`` if too many wait."""
        taken = self._taken.get(origin, 0)
        if taken < self._most:
            self._taken[origin] = taken + 1
            return
        if self.waiting >= self._max_waiting:
            raise FetchError(
                ProxyError.CONNECTION_LIMIT_REACHED,
                f"{self._max_waiting} requests wait for an upstream already",
            )
        turn: Deferred[None] = Deferred()
        queue = self._queues.setdefault(origin, deque())
        queue.append(turn)
        self.waiting += 1
        try:
            await turn  # the place comes with it
        except BaseException:
            queue.remove(turn)
            self._forget_empty(origin)
            raise
        finally:
            self.waiting -= 1

    def give_back(self, origin: str) -> None:
        """A place is free: it is the next one's."""
        # Who takes it may give it back at once, and so may the one after that.
        self._given_back.append(origin)
        if len(self._given_back) == 1:
            while self._given_back:
                self._hand_on(self._given_back[0])
                self._given_back.popleft()

    def _hand_on(self, origin: str) -> None:
        queue = self._queues.get(origin)
        if queue:
            turn = queue.popleft()
            self._forget_empty(origin)
            turn.callback(None)
        elif self._taken[origin] > 1:
            self._taken[origin] -= 1
        else:
            del self._taken[origin]

    def _forget_empty(self, origin: str) -> None:
        if not self._queues[origin]:
            del self._queues[origin]
