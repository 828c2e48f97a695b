"""A request's body, from its reader's side."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConnectionClosed, LocalProtocolError
from netlab.fields import Fields
from netlab.http import Body, BodyTooLong


class Source:
    """Counts what a body asks for."""

    def __init__(self) -> None:
        self.wanted = 0
        self.taken = 0

    def body_wanted(self) -> None:
        self.wanted += 1

    def body_taken(self) -> None:
        self.taken += 1


async def pieces(body: Body) -> list[bytes]:
    return [piece async for piece in body]


class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        self.source = Source()
        self.body = Body(self.source, None)

    def start(self, coroutine: Any) -> Deferred[Any]:
        return ensureDeferred(coroutine)

    def test_pieces(self) -> None:
        reading = self.start(pieces(self.body))
        self.assertEqual(self.source.wanted, 1)
        self.body.add([b"a", b"b"])
        self.assertEqual(self.source.wanted, 2)
        self.body.add([b"c"])
        self.assertNoResult(reading)
        self.body.end(Fields([("A", "b")]))
        self.assertEqual(self.successResultOf(reading), [b"a", b"b", b"c"])
        self.assertEqual(self.body.trailers, Fields([("A", "b")]))
        self.assertEqual((self.source.taken, self.body.size), (3, 0))

    def test_there_already(self) -> None:
        """Nothing is waited for, and nobody is asked."""
        self.body.add([b"a", b"b"])
        self.body.end(Fields())
        self.assertEqual(self.successResultOf(self.start(self.body.read())), b"ab")
        self.assertEqual(self.source.wanted, 0)
        self.assertEqual(self.successResultOf(self.start(self.body.read())), b"")

    def test_limit(self) -> None:
        self.body.add([b"abc"])
        reading = self.start(self.body.read(4))
        self.body.add([b"d"])
        self.assertNoResult(reading)
        self.body.add([b"e"])
        self.assertEqual(self.failureResultOf(reading, BodyTooLong).value.limit, 4)

    def test_limit_announced(self) -> None:
        """A length above the limit is refused before anything is read."""
        body = Body(self.source, 5)
        self.failureResultOf(self.start(body.read(4)), BodyTooLong)
        self.assertEqual(self.source.wanted, 0)

    def test_error(self) -> None:
        """What came before it can be read; then it is raised, again and again."""
        self.body.add([b"a"])
        self.body.fail(ConnectionClosed("gone"))
        self.body.fail(ConnectionClosed("again"))
        got: list[bytes] = []

        async def read() -> None:
            async for piece in self.body:
                got.append(piece)

        for _ in range(2):
            failure = self.failureResultOf(self.start(read()), ConnectionClosed)
            self.assertEqual(str(failure.value), "gone")
        self.assertEqual(got, [b"a"])

    def test_error_while_waiting(self) -> None:
        reading = self.start(self.body.read())
        self.body.fail(ConnectionClosed("gone"))
        self.failureResultOf(reading, ConnectionClosed)

    def test_error_after_the_end(self) -> None:
        self.body.end(Fields())
        self.body.fail(ConnectionClosed("gone"))
        self.assertEqual(self.successResultOf(self.start(self.body.read())), b"")

    def test_two_readers(self) -> None:
        first = self.start(self.body.read())
        self.failureResultOf(self.start(self.body.read()), LocalProtocolError)
        self.body.end(Fields())
        self.assertEqual(self.successResultOf(first), b"")

    def test_cancelled(self) -> None:
        """A reader that is cancelled does not keep the next one from reading."""
        first = self.start(self.body.read())
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second = self.start(self.body.read())
        self.body.add([b"a"])
        self.body.end(Fields())
        self.assertEqual(self.successResultOf(second), b"a")

    def test_made(self) -> None:
        for data in (b"", b"abc"):
            body = Body.of(data)
            self.assertEqual(body.length, len(data))
            self.assertEqual(self.successResultOf(self.start(body.read())), data)
