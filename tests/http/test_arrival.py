"""Request bodies through a connection: as fast as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from netlab.errors import ConnectionClosed
from netlab.fields import Fields
from netlab.http import (
    BodyIncomplete,
    HttpLimits,
    Request,
    Response,
)
from netlab.testing import Faults

from .support import GET, Reader, ServingCase, answers, echo, get, post, request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies(ServingCase):
    def test_whole(self) -> None:
        """With its head in one piece, byte by byte, and with the next request behind it."""
        chunks = b"2\r\nab\r\n4;x=y\r\n\r\n\r\n\r\n0\r\nA: b\r\n\r\n"
        for data, body in (
            (post(length=5) + b"hello", b"hello"),
            (post(length=5, version="1.0") + b"hello", b"hello"),
            (post(length=0), b""),
            (post() + chunks, b"ab\r\n\r\n"),
            (request("GET", "/", "Host: x", "Content-Length: 2") + b"ab", b"ab"),
            (request("BREW", "/", "Host: x", "Content-Length: 2") + b"ab", b"ab"),
        ):
            link = self.serve(echo)
            self.assertEqual(link.one(data).body, body)
            if b"1.0" not in data:
                first, second, third = link.ask(data, data, GET)
                self.assertEqual((first.body, second.body, third.body), (body, body, b""))
            peer = link.connect_raw()
            for octet in data:
                peer.send(bytes([octet]))
            self.assertEqual(answers(bytes(peer.received))[0].body, body)

    def test_there_already(self) -> None:
        """A body that came with its head is read without waiting."""
        made: list[Any] = []

        async def handle(request: Request) -> Response:
            made.append(request.body.size)
            return await echo(request)

        link = self.serve(handle)
        self.assertEqual(link.one(post(length=5) + b"hello").body, b"hello")
        self.assertEqual(made, [5])

    def test_trailers(self) -> None:
        seen: list[Fields] = []

        async def handle(request: Request) -> Response:
            seen.append(request.body.trailers)
            await request.body.read()
            seen.append(request.body.trailers)
            return Response(200, [], b"" if request.fields.get("a") is None else b"merged")

        link = self.serve(handle)
        peer = link.connect_raw()
        peer.send(post())
        peer.send(b"1\r\nx\r\n0\r\nA: b\r\nHost: y\r\n\r\n")
        self.assertEqual(seen, [Fields(), Fields([("A", "b"), ("Host", "y")])])
        self.assertEqual(answers(bytes(peer.received))[0].body, b"")

    def test_streamed_back(self) -> None:
        """The response may be the request's body, as it comes."""
        link = self.serve(lambda request: Response(200, [], request.body))
        peer = link.connect_raw()
        peer.send(post())
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 200"))
        for number in range(5):
            peer.send(b"1\r\n%d\r\n" % number)
            self.assertTrue(peer.received.endswith(b"1\r\n%d\r\n" % number))
        peer.send(b"0\r\n\r\n" + GET)
        first, second = answers(bytes(peer.received))
        self.assertEqual((first.body, first.whole, second.body), (b"01234", True, b""))

    def test_streamed_back_slowly(self) -> None:
        """A large one, to a client that reads slowly: little of it is in memory."""
        link = self.serve(
            lambda request: Response(200, [], request.body),
            faults=Faults(capacity=10_000),
            limits=HttpLimits(write_timeout=None),
        )
        peer = link.connect_raw()
        peer.send(post(length=1_000_000))
        peer.pause()
        sent = 0
        while sent < 1_000_000:
            try:
                sent += peer.socket.send(b"x" * min(9000, 1_000_000 - sent))
            except BlockingIOError:
                (stream,) = link.server.streams.streams
                self.assertLess(stream.buffered, 200_000)
                peer.resume()
                link.advance(0.1)
                peer.pause()
            link.advance()
        peer.resume()
        link.advance(1)
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((len(answer.body), answer.whole), (1_000_000, True))


class Flow(ServingCase):
    def test_reader_that_waits(self) -> None:
        """The client is held up; what is in memory is bounded."""
        reader = Reader()
        link = self.serve(reader)
        peer = link.connect_raw()
        peer.send(post(length=1_000_000))
        with self.assertRaises(AssertionError):  # "the server takes no more"
            peer.send(b"x" * 1_000_000)
        self.assertLess(reader.request.body.size, 200_000)
        link.advance(1000)  # no deadline while it is the handler's turn
        self.assertFalse(peer.gone)
        before = reader.request.body.size
        while reader.request.body.size > 16_000:
            reader.read()
            link.advance()
        self.assertLess(reader.request.body.size, before)
        peer.send(b"x" * 10_000)

    def test_too_long(self) -> None:
        """413, as soon as it is clear."""
        limits = HttpLimits(max_body=1000)
        for data in (
            post(length=1001),
            post() + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
            post() + b"1\r\nx\r\n" * 1001,
        ):
            link = self.serve(echo, limits=limits)
            answer = link.one(data)
            self.assertEqual((answer.status, answer.fields.get("connection")), (413, "close"))
        self.assertEqual(
            len(self.serve(echo, limits=limits).one(post(length=1000) + b"x" * 1000).body), 1000
        )

    def test_too_long_for_the_handler(self) -> None:
        async def handle(request: Request) -> Response:
            return Response(200, [], await request.body.read(10))

        for data in (post(length=11) + b"x" * 11, post() + b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"):
            link = self.serve(handle)
            self.assertEqual([each.status for each in link.ask(data, GET)], [413, 200])

    def test_bad_chunks(self) -> None:
        """400, also when the handler waits; its error is the client's."""
        for data, later in (
            (post() + b"x\r\n", b""),
            (post() + b"1\r\nx", b"y\r\n"),
            (post(), b"1\nx\r\n0\r\n\r\n"),
        ):
            reader = Reader()
            for handler in (echo, reader):
                link = self.serve(handler)
                peer = link.connect_raw()
                peer.send(data)
                if handler is reader and hasattr(reader, "go"):
                    reader.read()
                    link.advance()
                    if not reader.go.called:
                        reader.read()
                if later and not peer.gone:
                    peer.send(later)
                (answer,) = answers(bytes(peer.received))
                self.assertEqual((answer.status, answer.fields.get("connection")), (400, "close"))
                self.assertTrue(peer.ended)
                self.assertEqual(link.stats.errors, {"bad_request": 1})

    def test_bad_chunks_unread(self) -> None:
        """A handler that does not read them may answer as it likes; then it is over."""
        reader = Reader()
        link = self.serve(reader)
        peer = link.connect_raw()
        peer.send(post() + b"1\r\nx\r\n")
        peer.send(b"nonsense")
        link.advance(100)
        self.assertFalse(peer.gone)
        reader.go.callback("answer")
        link.advance()
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((answer.status, answer.fields.get("connection")), (201, "close"))
        self.assertTrue(peer.ended)

    def test_gone(self) -> None:
        """A reader hears that its client is gone."""
        reader = Reader()
        link = self.serve(reader)
        peer = link.connect_raw()
        peer.send(post(length=5))
        reader.read()
        peer.reset()
        self.assertIsInstance(reader.errors[0], (ConnectionClosed, CancelledError))

    def test_cut_short(self) -> None:
        """An end in the middle is 400, if the handler has not answered."""
        for data in (post(length=5) + b"abc", post() + b"3\r\nabc\r\n"):
            reader = Reader()
            link = self.serve(reader)
            peer = link.connect_raw()
            peer.send(data)
            reader.read()
            reader.read()
            peer.half_close()
            self.assertIsInstance(reader.errors[0], BodyIncomplete)
            self.assertEqual(self.statuses(peer), [400])
            self.assertTrue(peer.ended)


class Unread(ServingCase):
    """Bodies that nobody reads are in the way of the next request."""

    def handle(self, request: Request) -> Response:
        return Response(200, [], request.target.encode())

    def test_little(self) -> None:
        """It is read and thrown away."""
        for data in (
            post(length=5) + b"hello",
            post() + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n",
            post(length=200_000) + b"x" * 200_000,
        ):
            link = self.serve(self.handle, faults=Faults(capacity=1 << 20))
            found = link.ask(data, get("/next"))
            self.assertEqual([each.body for each in found], [b"/", b"/next"])

    def test_later(self) -> None:
        """The response does not wait for it; the next request does."""
        link = self.serve(self.handle)
        peer = link.connect_raw()
        peer.send(post(length=6) + b"abc")
        self.assertEqual(len(answers(bytes(peer.received))), 1)
        peer.send(b"def" + get("/next"))
        self.assertEqual(answers(bytes(peer.received))[1].body, b"/next")

    def test_much(self) -> None:
        """The connection is closed, and says so when it is known in time."""
        limits = HttpLimits(max_unread=1000)
        link = self.serve(self.handle, limits=limits)
        answer = link.one(post(length=2000))
        self.assertEqual(answer.fields.get("connection"), "close")
        peer = link.connect_raw()
        peer.send(post())
        self.assertFalse(peer.gone)
        peer.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        self.assertFalse(peer.gone)
        peer.send(b"1\r\nx\r\n")
        self.assertTrue(peer.ended)
        self.assertEqual(self.statuses(peer), [200])
        self.assertEqual(link.stats.errors, {})

    def test_paused(self) -> None:
        """Of a body that waited for its reader the rest is taken, too."""
        data = b"3e8\r\n%b\r\n" % (b"x" * 1000) * 500
        for more, kept in ((20_000, True), (60_000, False)):
            reader = Reader()
            link = self.serve(reader, limits=HttpLimits(max_unread=100_000))
            peer = link.connect_raw()
            peer.send(post())
            sent = 0
            while peer.socket.ready() & 4:
                sent += peer.socket.send(data[sent : sent + 1000])
                link.advance()
            reader.go.callback("answer")
            link.advance()
            end = sent + more
            while sent < end and not peer.gone:
                sent += peer.socket.send(data[sent : sent + 1000])
                link.advance()
            self.assertEqual(self.statuses(peer), [201])
            self.assertEqual(peer.ended, not kept)

    def test_much_behind_a_stream(self) -> None:
        """A response that is still to be made may read the body; if not, it is over."""

        def handle(request: Request) -> Response:
            async def generate() -> AsyncIterator[bytes]:
                yield b"x"

            return Response(200, [], generate())

        link = self.serve(handle, limits=HttpLimits(max_unread=1000))
        for length, kept in ((1000, True), (1001, False)):
            peer = link.connect_raw()
            peer.send(post(length=length))
            (answer,) = answers(bytes(peer.received))
            self.assertEqual((answer.body, answer.whole), (b"x", True))
            self.assertEqual(answer.fields.get("connection"), None)
            self.assertEqual(peer.ended, not kept)

    def test_reader_left_behind(self) -> None:
        """Who goes on reading behind the response hears that it is too late."""
        reading: list[Deferred[bytes]] = []

        def handle(request: Request) -> Response:
            reading.append(ensureDeferred(request.body.read()))
            return Response(200, [("Connection", "close")] if request.query else [])

        for target in ("/", "/?close"):
            peer = self.serve(handle).connect_raw()
            peer.send(request("POST", target, "Host: x", "Content-Length: 5"))
            self.failureResultOf(reading.pop(), ConnectionClosed)
            self.assertEqual(self.statuses(peer), [200])

    def test_bad(self) -> None:
        link = self.serve(self.handle)
        peer = link.connect_raw()
        peer.send(post())
        peer.send(b"nonsense")
        self.assertTrue(peer.ended)
        self.assertEqual(self.statuses(peer), [200])
        self.assertEqual(link.stats.errors, {"bad_request": 1})

    def test_slow(self) -> None:
        link = self.serve(self.handle)
        peer = link.connect_raw()
        peer.send(post(length=5))
        link.advance(32)
        self.assertTrue(peer.ended)
        self.assertEqual(self.statuses(peer), [200])
        self.assertEqual(link.stats.errors, {"frame_timeout": 1})

    def test_cut_short(self) -> None:
        link = self.serve(self.handle)
        peer = link.connect_raw()
        peer.send(post(length=5))
        peer.half_close()
        self.assertTrue(peer.ended)
        self.assertEqual(self.statuses(peer), [200])

    def test_half_read(self) -> None:
        """Also one that a handler began to read, and that is paused."""
        bodies: list[Any] = []

        async def handle(request: Request) -> Response:
            bodies.append(request.body)
            async for _ in request.body:
                return Response(200, [], b"enough")
            return Response(200, [], b"nothing")

        link = self.serve(handle, faults=Faults(capacity=1 << 20))
        found = link.ask(post(length=250_000) + b"x" * 250_000, GET)
        self.assertEqual([each.body for each in found], [b"enough", b"nothing"])
        reading: list[Any] = []
        late = bodies[0].read(1 << 20)
        try:
            while True:
                late.send(None)
        except (StopIteration, ConnectionClosed) as error:
            reading.append(error)
        self.assertEqual(len(reading), 1)
