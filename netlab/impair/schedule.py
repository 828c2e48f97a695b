"""What leaves when: a calendar of things under way."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from operator import itemgetter

_DAYS = 2048
"""Days in a second. What leaves on the same day is put in order only when that has come."""

Entry = tuple[float, bytes, object]

_due = itemgetter(0)


class Schedule:
    """Packets by the time at which they leave; those of one moment in the order they came.

    A heap of some thousand packets costs a dozen comparisons of objects that are
    scattered over memory, for each that comes or goes. In a calendar (Brown, 1988)
    each is appended to the list of its day, and a day is sorted once.
    """

    def __init__(self) -> None:
        self._calendar: dict[int, list[Entry]] = {}
        self._days: list[int] = []  # a heap
        self.count = 0
        """How many are under way."""
        self.next_due = inf
        """When the next one leaves; infinity when there is none."""

    def put(self, due: float, data: bytes, cargo: object) -> None:
        """One more, to leave at ``due``, in seconds."""
        self.count += 1
        day = int(due * _DAYS)
        entries = self._calendar.get(day)
        if entries is None:
            self._calendar[day] = [(due, data, cargo)]
            heappush(self._days, day)
        else:
            entries.append((due, data, cargo))
        if due < self.next_due:
            self.next_due = due

    def take(self, now: float) -> list[tuple[bytes, object]]:
        """What leaves by ``now``, in order."""
        taken: list[tuple[bytes, object]] = []
        if now < self.next_due:
            return taken
        days = self._days
        today = now * _DAYS
        while days and days[0] <= today:
            entries = self._calendar[days[0]]
            entries.sort(key=_due)
            left = None
            if entries[-1][0] > now:
                first = next(n for n, entry in enumerate(entries) if entry[0] > now)
                left = entries[first:]
                del entries[first:]
            taken += [(data, cargo) for _, data, cargo in entries]
            if left is not None:
                self._calendar[days[0]] = left
                break
            del self._calendar[heappop(days)]
        self.count -= len(taken)
        self.next_due = min(map(_due, self._calendar[days[0]])) if days else inf
        return taken

    def clear(self) -> None:
        """Forgets all of them."""
        self._calendar.clear()
        self._days.clear()
        self.count = 0
        self.next_due = inf
