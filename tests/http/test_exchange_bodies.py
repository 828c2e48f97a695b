"""Exchanges: the bodies of responses, for each kind of request, and for slow clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from netlab.errors import LocalProtocolError
from netlab.fields import Fields
from netlab.http import Request, Response
from netlab.testing import Faults

from .support import (
    GET,
    Broken,
    ServingCase,
    Waiting,
    answers,
    get,
    logged,
    pieces_of,
    request,
)

TRAILERS = get("/", "TE: trailers", "Connection: TE")


class Bodies(ServingCase):
    """What is sent behind the head, and what is not."""

    def test_bytes(self) -> None:
        for size in (0, 1, 16 * 1024, 16 * 1024 + 1, 300_000):
            data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            answer = self.serve(lambda request, data=data: Response(200, [], data)).one(GET)
            self.assertEqual((answer.body, answer.whole), (data, True))
            self.assertEqual(answer.fields.get("content-length"), str(size))

    def test_pieces(self) -> None:
        pieces = (b"a", b"", b"b" * 5000, b"c" * 100_000, b"\r\n\r\n0\r\n\r\n")

        def handle(request: Request) -> Response:
            return Response(200, [], pieces_of(*pieces))

        wanted = b"".join(pieces)
        for asked, coding in (
            (GET, "chunked"),
            (get("/", "Connection: close"), "chunked"),
            (get("/", version="1.0"), None),
            (get("/", "Connection: keep-alive", version="1.0"), None),
        ):
            answer = self.serve(handle).one(asked)
            self.assertEqual(answer.fields.get("transfer-encoding"), coding)
            self.assertEqual((answer.body, answer.whole), (wanted, True))
        self.assertEqual([each.body for each in self.serve(handle).ask(GET, GET)], [wanted] * 2)

    def test_length_known(self) -> None:
        def handle(request: Request) -> Response:
            return Response(200, [("Content-Length", "6")], pieces_of(b"abc", b"def"))

        for asked in (GET, get("/", version="1.0")):
            (answer,) = self.serve(handle).ask(asked)
            self.assertEqual((answer.body, answer.fields.get("content-length")), (b"abcdef", "6"))
            self.assertNotIn("transfer-encoding", answer.fields)

    def test_head(self) -> None:
        """All but the body (RFC 9110, 9.3.2); bodies that nobody wants are let go."""
        closed: list[str] = []

        async def generate() -> AsyncIterator[bytes]:
            raise AssertionError("nobody asked for it")
            yield b""

        class Lazy:
            def __aiter__(self) -> Any:
                raise AssertionError("nobody asked for it")

            async def aclose(self) -> None:
                closed.append("closed")

        asked = request("HEAD", "/", "Host: x")
        for body, length in ((b"abc", "3"), (None, None), (generate(), None), (Lazy(), None)):
            link = self.serve(lambda request, body=body: Response(200, [("A", "b")], body))
            first, second = link.ask(asked, asked, heads=(0, 1))
            self.assertEqual(first.fields.get("content-length"), length)
            self.assertEqual((first.fields.get("a"), second.status), ("b", 200))
        self.assertEqual(closed, ["closed", "closed"])

    def test_closing_fails(self) -> None:
        """A body that cannot be let go of is worth a line, and nothing else."""

        class Bad:
            def __init__(self, wait: bool) -> None:
                self.wait = wait

            def __aiter__(self) -> Any:
                raise AssertionError("nobody asked for it")

            async def aclose(self) -> None:
                if self.wait:
                    await link.later()
                raise Broken("when closed")

        asked = request("HEAD", "/", "Host: x")
        for wait in (False, True):
            link = self.serve(lambda request, wait=wait: Response(200, [], Bad(wait)))
            with logged("when it was closed") as lines:
                self.assertEqual(len(link.ask(asked, asked, heads=(0, 1))), 2)
            self.assertEqual(len(lines), 2)
            self.assertEqual(len(self.flushLoggedErrors(Broken)), 2)

    def test_none_allowed(self) -> None:
        """A client would take it for the next response."""
        for status in (204, 304):
            for body in (b"abc", None, pieces_of(b"abc")):
                link = self.serve(lambda request, s=status, b=body: Response(s, [], b))
                self.assertEqual([each.status for each in link.ask(GET, GET)], [status] * 2)

    def test_trailers(self) -> None:
        """To clients that said they take them (RFC 9110, 6.5.1)."""

        def handle(request: Request) -> Response:
            async def generate() -> AsyncIterator[bytes]:
                yield b"abc"
                response.trailers = Fields([("X-Sum", "6")])

            response = Response(200, [], generate())
            return response

        answer = self.serve(handle).one(TRAILERS)
        self.assertEqual((answer.body, answer.trailers), (b"abc", Fields([("X-Sum", "6")])))
        for asked in (GET, get("/", "TE: trailer"), get("/", "TE: trailers", version="1.0")):
            self.assertEqual(self.serve(handle).one(asked).trailers, Fields())

    def test_trailers_announced(self) -> None:
        def handle(request: Request) -> Response:
            return Response(200, [], pieces_of(b"a"), trailers=Fields([("X-Sum", "6")]))

        self.assertEqual(self.serve(handle).one(TRAILERS).fields.get("trailer"), "x-sum")
        self.assertEqual(self.serve(handle).one(GET).fields.get("trailer"), None)

    def test_wrong_trailers(self) -> None:
        def handle(request: Request) -> Response:
            trailers = Fields([("Content-Length", "5")])
            return Response(200, [], pieces_of(b"a"), trailers=trailers)

        with logged("incident"):
            answer = self.serve(handle).one(TRAILERS)
        self.flushLoggedErrors(LocalProtocolError)
        self.assertFalse(answer.whole)


class Slow(ServingCase):
    """Clients that read slowly are not written to faster."""

    def test_backpressure(self) -> None:
        made: list[int] = []

        async def generate() -> AsyncIterator[bytes]:
            for number in range(100):
                made.append(number)
                yield b"x" * 10_000

        link = self.serve(
            lambda request: Response(200, [], generate()), faults=Faults(capacity=10_000)
        )
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET)
        link.advance(5)
        self.assertLess(len(made), 15)
        peer.resume()
        link.advance(5)
        self.assertEqual(len(made), 100)
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((len(answer.body), answer.whole), (1_000_000, True))

    def test_gone(self) -> None:
        """The body is told, wherever it is, and cleans up."""
        ended: list[str] = []

        async def generate(kind: str) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 10_000
                    if kind == "/waiting":
                        await Deferred()
            finally:
                ended.append(kind)

        link = self.serve(
            lambda request: Response(200, [], generate(request.path)),
            faults=Faults(capacity=10_000),
        )
        for path in ("/waiting", "/blocked"):
            peer = link.connect_raw()
            peer.pause()
            peer.socket.send(get(path))
            link.advance(1)
            peer.reset()
            link.advance(1)
        self.assertEqual(ended, ["/waiting", "/blocked"])
        self.assertEqual(link.stats.active, 0)

    def test_server_stops(self) -> None:
        """It is told as well, without ado, even if it stopped the server itself."""
        got: list[str] = []

        def handle(request: Request) -> Response:
            async def generate() -> AsyncIterator[bytes]:
                try:
                    yield b"x"
                    link.server.stop(0)
                    yield b"x"
                finally:
                    got.append("ended")

            return Response(200, [], generate())

        link = self.serve(handle)
        with logged("incident") as lines:
            peer = link.connect_raw()
            peer.send(GET)
            link.advance(1)
        self.assertTrue(peer.was_reset)
        self.assertEqual((got, lines), (["ended"], []))

    def test_next_request_waits(self) -> None:
        """Requests behind a large answer are handled when there is room for more."""
        handler = Waiting()
        link = self.serve(handler, faults=Faults(capacity=10_000))
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET + GET)
        link.advance()
        handler.waiting[0].callback(Response(200, [], b"x" * 500_000))
        link.advance(1)
        self.assertEqual(len(handler.waiting), 1)
        peer.resume()
        link.advance(1)
        self.assertEqual(len(handler.waiting), 2)
