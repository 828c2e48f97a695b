"""Waiting for messages on Twisted: with a coroutine, or without one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from twisted.internet.defer import CancelledError, Deferred

from .model import Message
from .store import Feed


class Messages(AsyncIterator[Message]):
    """A ``Feed`` as an asynchronous iterator on Twisted. One at a time reads it.

    When the reading is cancelled it has ended. A server reads ``feed`` in its place: it
    can do without a coroutine for each of many readers.
    """

    __slots__ = ("feed",)

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message:
        """The next message, as soon as there is one."""
        feed = self.feed
        while (message := feed.take()) is None:
            if feed.ended:
                raise StopAsyncIteration
            waiter = _Waiter()
            feed.wait(waiter)
            try:
                await waiter.deferred
            except CancelledError:
                feed.close()
                raise
        return message

    async def aclose(self) -> None:
        """Ends it, as that of a generator does."""
        self.feed.close()


class _Waiter:
    """A ``wake`` to be awaited; who waits may have been cancelled when it is called."""

    __slots__ = ("deferred",)

    def __init__(self) -> None:
        self.deferred: Deferred[None] = Deferred()

    def __call__(self) -> None:
        if not self.deferred.called:
            self.deferred.callback(None)
