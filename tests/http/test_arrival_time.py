"""Request bodies through a connection: asked for, and no slower than allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from netlab.http import (
    BodyTimeout,
    BodyTooLong,
    HttpLimits,
    Request,
    RequestError,
    Response,
)
from netlab.testing import Faults, RawPeer

from .support import GET, Reader, ServingCase, answers, echo, get, post

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Expecting(ServingCase):
    """RFC 9110, 10.1.1."""

    def ask(self, handler: Any, *sent: bytes, **options: Any) -> RawPeer:
        peer = self.serve(handler, **options).connect_raw()
        for each in sent:
            peer.send(each)
        return peer

    def test_asked_for(self) -> None:
        """100 (Continue) goes out when the handler reads, and not before."""
        reader = Reader()
        link = self.serve(reader)
        peer = link.connect_raw()
        peer.send(post("Expect: 100-continue", length=3))
        link.advance(60)  # nor is there a deadline before it
        self.assertEqual(peer.received, b"")
        reader.read()
        link.advance()
        self.assertEqual(peer.received, CONTINUE)
        peer.send(b"abc")
        reader.go.callback("answer")
        link.advance()
        first, second = answers(bytes(peer.received))
        self.assertEqual((first.status, second.status), (100, 201))
        self.assertEqual(second.fields.get("connection"), None)
        peer.send(GET)
        self.assertEqual(len(answers(bytes(peer.received))), 2)  # the reader has not answered

    def test_once(self) -> None:
        peer = self.ask(echo, post("Expect: 100-Continue"), b"1\r\nx\r\n", b"0\r\n\r\n")
        self.assertEqual(peer.received.count(CONTINUE), 1)
        self.assertEqual(self.statuses(peer), [100, 200])

    def test_not_needed(self) -> None:
        """The client did not wait, or has no body, or cannot know it."""
        for data in (
            post("Expect: 100-continue", length=3) + b"abc",
            get("/", "Expect: 100-continue"),
            post("Expect: 100-continue", length=3, version="1.0") + b"abc",
        ):
            self.assertEqual(self.statuses(self.ask(echo, data)), [200], data)

    def test_not_wanted(self) -> None:
        """A response instead, and the end: the body may come, or not."""

        def handle(request: Request) -> Response:
            return Response(403)

        for length in (3, None):
            peer = self.ask(handle, post("Expect: 100-continue", length=length))
            (answer,) = answers(bytes(peer.received))
            self.assertEqual((answer.status, answer.fields.get("connection")), (403, "close"))
            self.assertTrue(peer.ended)

    def test_too_late(self) -> None:
        """Behind the head of a response there is no asking any more."""

        def handle(request: Request) -> Response:
            async def generate() -> AsyncIterator[bytes]:
                yield b"begun"
                async for piece in request.body:
                    yield piece

            return Response(200, [], generate())

        peer = self.ask(handle, post("Expect: 100-continue", length=3))
        self.assertNotIn(CONTINUE, peer.received)
        peer.send(b"abc")
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((answer.body, answer.whole), (b"begunabc", True))

    def test_other(self) -> None:
        peer = self.ask(echo, post("Expect: 200-maybe", length=3))
        self.assertEqual(self.statuses(peer), [417])
        self.assertTrue(peer.ended)


class Deadlines(ServingCase):
    """30 s and a second more for every 500 bytes: however it trickles in."""

    def test_silent(self) -> None:
        reader = Reader()
        link = self.serve(reader)
        peer = link.connect_raw()
        peer.send(post(length=5) + b"ab")
        reader.read()
        reader.read()
        link.advance(29)
        self.assertFalse(peer.gone)
        link.advance(2)
        self.assertIsInstance(reader.errors[0], BodyTimeout)
        self.assertEqual(self.statuses(peer), [408])
        self.assertTrue(peer.ended)
        self.assertEqual(link.stats.errors, {"frame_timeout": 1})

    def test_drip(self) -> None:
        """A byte a second is too slow."""
        link = self.serve(echo)
        peer = link.connect_raw()
        peer.send(post(length=500))
        sent = 0
        while not peer.gone and sent < 100:
            peer.send(b"x")
            sent += 1
            link.advance(1)
        self.assertEqual(self.statuses(peer), [408])
        self.assertIn(sent, (30, 31))

    def test_slow_but_steady(self) -> None:
        """At 1000 bytes a second it may take as long as it needs."""
        link = self.serve(echo)
        peer = link.connect_raw()
        peer.send(post(length=200_000))
        for _ in range(200):
            peer.send(b"x" * 1000)
            link.advance(1)
        self.assertEqual(len(answers(bytes(peer.received))[0].body), 200_000)

    def test_slow_reader(self) -> None:
        """The time in which the handler does not read is not the client's."""
        reader = Reader()
        link = self.serve(reader)
        peer = link.connect_raw()
        peer.send(post(length=300_000))
        for _ in range(3):
            while reader.request.body.size < 65_000:
                peer.send(b"x" * 10_000)
            link.advance(100)
            while reader.request.body.size:
                reader.read()
                link.advance()
        reader.read()
        link.advance(400)
        self.assertFalse(peer.gone)
        link.advance(100)  # a second for each 500 of them is over
        self.assertEqual(self.statuses(peer), [408])

    def test_slow_reader_of_the_answer(self) -> None:
        """Nor is it the client's fault that we read nothing while it does not."""
        limits = HttpLimits(write_timeout=None)
        link = self.serve(
            lambda request: Response(200, [], request.body),
            limits=limits,
            faults=Faults(capacity=10_000),
        )
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(post(length=500_000))
        left = 500_000
        while left and peer.socket.ready() & 4:
            left -= peer.socket.send(b"x" * min(5000, left))
            link.advance()
        link.advance(2000)
        self.assertFalse(peer.gone)
        peer.resume()
        while left:
            left -= peer.socket.send(b"x" * min(5000, left))
            link.advance(0.1)
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((len(answer.body), answer.whole), (500_000, True))

    def test_refused_by_handler(self) -> None:
        async def handle(request: Request) -> Response:
            try:
                await request.body.read()
            except BodyTimeout:
                raise RequestError(400, "slow") from None
            return Response()

        link = self.serve(handle)
        peer = link.connect_raw()
        peer.send(post(length=5))
        link.advance(32)
        self.assertEqual(self.statuses(peer), [400])
        self.assertTrue(peer.ended)

    def test_none(self) -> None:
        link = self.serve(echo, limits=HttpLimits(body_timeout=None, max_body=None))
        peer = link.connect_raw()
        peer.send(post(length=3))
        link.advance(100_000)
        peer.send(b"abc")
        self.assertEqual(answers(bytes(peer.received))[0].body, b"abc")


class Reading(ServingCase):
    def test_wrong_limit(self) -> None:
        """What ``read`` raises is the handler's to handle."""

        async def handle(request: Request) -> Response:
            try:
                return Response(200, [], await request.body.read(2))
            except BodyTooLong as error:
                return Response(200, [], b"more than %d" % error.limit)

        link = self.serve(handle)
        first, second = link.ask(post(length=3) + b"abc", post(length=2) + b"ab")
        self.assertEqual((first.body, second.body), (b"more than 2", b"ab"))
