"""Calls at a time to come, for what the tick is too coarse for."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush


class Alarm:
    """One call to come. ``cancel`` it, or let it ring once."""

    __slots__ = ("_alarms", "function", "when")

    def __init__(self, alarms: Alarms, when: float, function: Callable[[], None]) -> None:
        self._alarms = alarms
        self.when = when
        self.function: Callable[[], None] | None = function

    def __lt__(self, other: Alarm) -> bool:
        return self.when < other.when

    def __repr__(self) -> str:
        return f"<Alarm for {self.function}>"

    def ring(self) -> None:
        """Makes the call, if it was not cancelled."""
        function, self.function = self.function, None
        if function is not None:
            function()

    def cancel(self) -> None:
        """Takes the call back; harmless when it was made."""
        if self.function is not None:
            self.function = None
            self._alarms.cancelled()


class Alarms:
    """All calls to come. Whoever has them looks again at ``next_time``."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._cancelled = 0

    @property
    def next_time(self) -> float:
        """When the first one is due; infinity when there is none."""
        return self._heap[0].when if self._heap else float("inf")

    def add(self, when: float, function: Callable[[], None]) -> Alarm:
        """One more call, at ``when``."""
        alarm = Alarm(self, when, function)
        heappush(self._heap, alarm)
        return alarm

    def due(self, now: float) -> list[Alarm]:
        """Takes out the calls whose time has come, in their order."""
        heap = self._heap
        due: list[Alarm] = []
        while heap and (heap[0].when <= now or heap[0].function is None):
            due.append(heappop(heap))
        return due

    def cancelled(self) -> None:
        """One was taken back; when most were, they are let go of."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled > len(self._heap) // 2:
            self._heap = [each for each in self._heap if each.function is not None]
            heapify(self._heap)
            self._cancelled = 0

    def clear(self) -> None:
        """Forgets all of them."""
        self._heap.clear()
        self._cancelled = 0
