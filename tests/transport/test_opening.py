"""``Opening``: awaited, or entered."""

from __future__ import annotations

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.opening import Opening


class Door:
    """Something to open; it keeps a diary."""

    def __init__(self, ready: Deferred[None] | None = None) -> None:
        self.diary: list[str] = []
        self._ready = ready

    async def open(self) -> Door:
        if self._ready is not None:
            await self._ready
        self.diary.append("opened")
        return self

    async def close(self) -> None:
        self.diary.append("closed")

    def opening(self) -> Opening[Door]:
        return Opening(self.open(), lambda door: door.close())


class Openings(SynchronousTestCase):
    def test_awaited(self) -> None:
        door = Door()

        async def program() -> None:
            self.assertIs(await door.opening(), door)

        self.successResultOf(ensureDeferred(program()))
        self.assertEqual(door.diary, ["opened"])

    def test_entered(self) -> None:
        door = Door()

        async def program() -> None:
            async with door.opening() as opened:
                self.assertIs(opened, door)
                door.diary.append("used")

        self.successResultOf(ensureDeferred(program()))
        self.assertEqual(door.diary, ["opened", "used", "closed"])

    def test_closes_after_an_error(self) -> None:
        door = Door()

        async def program() -> None:
            async with door.opening():
                raise ZeroDivisionError

        self.failureResultOf(ensureDeferred(program()), ZeroDivisionError)
        self.assertEqual(door.diary, ["opened", "closed"])

    def test_waits(self) -> None:
        ready: Deferred[None] = Deferred()
        door = Door(ready)

        async def program() -> None:
            async with door.opening():
                pass

        running = ensureDeferred(program())
        self.assertNoResult(running)
        ready.callback(None)
        self.successResultOf(running)
        self.assertEqual(door.diary, ["opened", "closed"])

    def test_does_not_open(self) -> None:
        ready: Deferred[None] = Deferred()
        door = Door(ready)

        async def program() -> None:
            async with door.opening():
                door.diary.append("used")

        running = ensureDeferred(program())
        ready.errback(ZeroDivisionError())
        self.failureResultOf(running, ZeroDivisionError)
        self.assertEqual(door.diary, [])

    def test_cancelled_while_it_opens(self) -> None:
        ready: Deferred[None] = Deferred()
        door = Door(ready)

        async def program() -> None:
            await door.opening()

        running = ensureDeferred(program())
        running.cancel()
        self.failureResultOf(running)
        self.assertEqual(door.diary, [])
