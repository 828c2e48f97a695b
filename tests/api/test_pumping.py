"""Items from iterators to subscribers: what becomes of an iterator, and of a bad item."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from netlab.api import Api, SessionLimits, subscription

from .support import Case, Feeding, Queue
from .test_server import Raw, items, request


class Closable(AsyncIterator[int]):
    """Counts how often it was closed; its items never come."""

    def __init__(self) -> None:
        self.closed = 0

    async def __anext__(self) -> int:
        return await Deferred[int]()

    async def aclose(self) -> None:
        self.closed += 1
        raise ValueError("a secret")


class Stubborn(Api):
    """Does not care whether anybody still wants what it makes."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.made = 0

    async def _unstoppable(self) -> None:
        try:
            await Deferred[None]()
        except CancelledError:
            pass

    async def _counting(self) -> AsyncIterator[int]:
        while self.made < 1000:
            self.made += 1
            yield self.made

    @subscription
    async def queued(self) -> AsyncIterator[int]:
        await self._unstoppable()
        return self.queue

    @subscription(when_slow="drop")
    async def counted(self) -> AsyncIterator[int]:
        await self._unstoppable()
        return self._counting()


class Unread(Case):
    """An iterator that is made for nothing is closed at once, not when the connection ends."""

    def test_refused(self) -> None:
        link = self.serve(Feeding)
        link.factory.limits = SessionLimits(max_subscriptions=1)
        raw = Raw(link)
        raw.send([request(1, "queued")])
        self.assertEqual(raw.news[0][0]["error"]["code"], -32600)
        self.assertEqual(link.api.queue.closed, 1)
        raw.call(2, "queued")
        raw.call(3, "queued")
        self.assertEqual(raw.results(), [(2, 1), (3, -32011)])
        self.assertEqual(link.api.queue.closed, 2)

    def test_that_cannot_be_closed(self) -> None:
        link = self.serve(Feeding)
        link.api.queue = closable = Closable()
        raw = Raw(link)
        raw.send([request(1, "queued")])
        self.assertEqual(raw.news[0][0]["error"]["code"], -32600)
        self.assertEqual((closable.closed, self.incidents()), (1, ["a secret"]))

    def test_made_too_late(self) -> None:
        link = self.serve(Stubborn)
        raw = Raw(link)
        raw.call(1, "queued")
        raw.call(2, "counted")
        raw.peer.reset()
        link.advance(1)
        self.assertEqual((link.api.queue.closed, link.api.made), (1, 0))


class Tidying(Api):
    """Takes its time when it is told to end."""

    def __init__(self) -> None:
        self.tidying: list[Deferred[None]] = []

    @subscription
    async def numbers(self) -> AsyncIterator[int]:
        try:
            yield 1
            await Deferred[None]()
        finally:
            self.tidying.append(Deferred())
            await self.tidying[-1]


class Ending(Case):
    def test_those_that_tidy_up_count(self) -> None:
        """Who subscribes and unsubscribes again and again does not fill the server."""
        link = self.serve(Tidying)
        link.factory.limits = SessionLimits(max_subscriptions=2)
        raw = Raw(link)
        for each in (1, 2):
            raw.call(each, "numbers")
            raw.notify("$/unsubscribe", {"subscription": each})
        self.assertEqual(items(raw.news), [1, ("end", None)] * 2)
        raw.call(3, "numbers")
        self.assertEqual(raw.results(), [(3, -32011)])
        link.api.tidying[0].callback(None)
        raw.call(4, "numbers")
        self.assertEqual(raw.news[0]["result"], 3)


class Wrong(Api):
    """Each subscription has a good item first."""

    def __init__(self) -> None:
        self.ended = 0

    async def _items(self, *made: Any) -> AsyncIterator[Any]:
        try:
            for each in made:
                yield each
            await Deferred[None]()
        finally:
            self.ended += 1

    @subscription(when_slow="drop")
    def typed(self) -> AsyncIterator[int]:
        return self._items(1, "text")

    @subscription(when_slow="drop")
    def long(self) -> AsyncIterator[str]:
        return self._items("a", "x" * (1 << 20))


class Kept(Case):
    """The newest item was kept for a subscriber that was slow: then it turns out to be wrong."""

    def test_it_ends_the_subscription(self) -> None:
        for method, code in (("typed", -32603), ("long", -32015)):
            link = self.serve(Wrong)
            raw = Raw(link)
            raw.notify("$/credit", {"items": 1})
            raw.call(1, method)
            raw.news  # noqa: B018
            raw.notify("$/credit", {"subscription": 1, "items": 1})
            self.assertEqual(items(raw.news), [("end", code)])
            self.assertFalse(raw.peer.ended)
            self.assertEqual(link.api.ended, 1)
        self.assertEqual(self.incidents(), ["typed gave a str: Expected `int`, got `str`"])
