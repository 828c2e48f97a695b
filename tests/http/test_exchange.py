"""Exchanges: what handlers do, and what the client hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from netlab.errors import LocalProtocolError
from netlab.http import Request, RequestError, Response

from .support import (
    GET,
    Answer,
    Broken,
    MemoryHttp,
    ServingCase,
    answers,
    get,
    logged,
    pieces_of,
    request,
)

TRAILERS = get("/", "TE: trailers", "Connection: TE")


class Handlers(ServingCase):
    def test_kinds(self) -> None:
        """At once, as a coroutine, as a Deferred; now or later: the same answer."""
        response = Response(201, [], b"x")
        link: MemoryHttp

        def later(request: Request) -> Deferred[Response]:
            return link.later(response)

        async def coroutine(request: Request) -> Response:
            return response

        async def late(request: Request) -> Response:
            await link.later()
            await succeed(None)
            return response

        class Awaitable:
            def __await__(self) -> Any:
                return late(None).__await__()  # type: ignore[arg-type]

        for handler in (
            lambda request: response,
            coroutine,
            late,
            lambda request: succeed(response),
            later,
            lambda request: Awaitable(),
        ):
            link = self.serve(handler)
            for each in link.ask(GET, GET):
                self.assertEqual((each.status, each.body), (201, b"x"))

    def test_nothing_is_scheduled(self) -> None:
        """A handler that never waits makes no Deferred, not even as a coroutine."""
        ready = Response.prepared(200, [], b"x")

        async def handle(request: Request) -> Response:
            return ready

        link = self.serve(handle)
        link.one(GET)  # warm
        peer = link.connect_raw()
        made: list[Deferred[Any]] = []
        plain: Any = Deferred.__init__

        def counting(deferred: Deferred[Any], *arguments: Any) -> None:
            made.append(deferred)
            plain(deferred, *arguments)

        self.patch(Deferred, "__init__", counting)
        peer.send(GET * 5)
        self.assertEqual(len(answers(bytes(peer.received))), 5)
        self.assertEqual(made, [])

    def test_errors(self) -> None:
        """A 500 with a number that the log has too; nothing else of the error is sent."""

        async def late(request: Request) -> Response:
            await link.later()
            raise Broken("secret")

        def now(request: Request) -> Response:
            raise Broken("secret")

        def exiting(request: Request) -> Response:
            raise SystemExit("secret")

        for handler in (
            late,
            now,
            exiting,
            lambda request: fail(Broken("secret")),
            lambda request: None,
            lambda request: "secret",
            lambda request: Response(99),
            lambda request: Response(200, [], "secret"),  # type: ignore[arg-type]
            lambda request: Response(200, [], [b"secret"]),  # type: ignore[arg-type]
            lambda request: Response(200, [("Transfer-Encoding", "chunked")], b"secret"),
            lambda request: Response(200, [("Content-Length", "1")], b"secret"),
        ):
            link = self.serve(handler)
            with logged("incident") as lines:
                first, second = link.ask(get('/a"b'), GET)
            self.flushLoggedErrors()
            self.assertEqual((first.status, second.status), (500, 500))
            self.assertNotIn(b"secret", first.body)
            self.assertNotIn(b"Traceback", first.body)
            number = first.body.split()[-1].rstrip(b".").decode()
            self.assertRegex(number, "^[0-9a-f]{8}$")
            self.assertIn(f"http: incident {number}: the handler raised an error for GET", lines[0])
            self.assertEqual(link.stats.errors, {})  # the connection lives

    def test_said_errors(self) -> None:
        """A handler may say it with an exception."""

        async def handle(request: Request) -> Response:
            raise RequestError(404, "there is no such document")

        link = self.serve(handle)
        with logged("incident") as lines:
            first, second = link.ask(GET, GET)
        self.assertEqual((first.status, second.status), (404, 404))
        self.assertEqual(first.body, b"404 Not Found: there is no such document.\n")
        self.assertEqual(lines, [])

    def test_keyboard_interrupt(self) -> None:
        """Ctrl-C is not the client's."""

        def handle(request: Request) -> Response:
            raise KeyboardInterrupt

        link = self.serve(handle)
        peer = link.connect_raw()
        with self.assertRaises(KeyboardInterrupt):
            peer.send(GET)
        link.hub.turning = False

    def test_gone(self) -> None:
        """A handler whose client has gone is cancelled; what it says then matters to nobody."""
        seen: list[str] = []

        async def handle(request: Request) -> Response:
            try:
                await Deferred()
            except CancelledError:
                seen.append(request.path)
                if request.path == "/again":
                    await link.later(seconds=1)
                    return Response(200, [], pieces_of(b"x"))
                if request.path == "/bad":
                    raise Broken("after the end") from None
                raise
            return Response()

        link = self.serve(handle)
        with logged("client being gone") as lines:
            for path in ("/plain", "/again", "/bad"):
                peer = link.connect_raw()
                peer.send(get(path))
                peer.reset()
                link.advance(5)
        self.assertEqual(seen, ["/plain", "/again", "/bad"])
        self.assertEqual(len(lines), 1)
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_not_to_be_cancelled(self) -> None:
        """One that raises an error when it is cancelled: its own, and no other's."""

        def cancel(deferred: Deferred[Any]) -> None:
            raise Broken("not me")

        link = self.serve(lambda request: Deferred(cancel))
        peer = link.connect_raw()
        peer.send(GET)
        with logged("cannot be cancelled", "could not be cancelled") as lines:
            peer.reset()
        self.assertEqual(len(lines), 1)
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)
        self.assertEqual(link.stats.active, 0)

    def test_answer_after_the_end(self) -> None:
        """Also one that cannot be cancelled."""
        waiting: list[Deferred[Any]] = []

        def handle(request: Request) -> Deferred[Any]:
            waiting.append(Deferred(lambda deferred: None))
            return waiting[-1]

        link = self.serve(handle)
        peer = link.connect_raw()
        peer.send(GET)
        peer.reset()
        link.advance(1)
        self.flushLoggedErrors(CancelledError)
        self.assertEqual(link.stats.messages_out, 0)


class Failing(ServingCase):
    """A body that ends in an error must not look whole."""

    def cut(self, link: MemoryHttp, asked: bytes = GET) -> Answer:
        with logged("incident") as lines:
            peer = link.connect_raw()
            peer.send(asked)
            link.advance(1)
        self.assertEqual(len(lines), 1)
        self.assertTrue(peer.gone)
        (answer,) = answers(bytes(peer.received))
        self.was_reset = peer.was_reset
        return answer

    def failing(self, *, late: bool, first: bool = True, length: int | None = None) -> MemoryHttp:
        async def generate() -> AsyncIterator[bytes]:
            if first:
                yield b"abc"
            if late:
                await link.later()
            raise Broken("within")

        fields = [("Content-Length", str(length))] if length is not None else []
        link = self.serve(lambda request: Response(200, fields, generate()))
        return link

    def test_in_chunks(self) -> None:
        for late in (False, True):
            answer = self.cut(self.failing(late=late))
            self.flushLoggedErrors(Broken)
            self.assertEqual((answer.status, answer.body, answer.whole), (200, b"abc", False))

    def test_with_length(self) -> None:
        answer = self.cut(self.failing(late=False, length=9))
        self.flushLoggedErrors(Broken)
        self.assertEqual((answer.body, answer.whole), (b"abc", False))

    def test_to_the_end_of_the_connection(self) -> None:
        """An orderly end would be the end of the body: it is a reset."""
        with logged("incident"):
            link = self.failing(late=True)
            peer = link.connect_raw()
            peer.send(get("/", version="1.0"))
            self.assertTrue(peer.received.endswith(b"abc"))
            link.advance(1)
        self.flushLoggedErrors(Broken)
        self.assertTrue(peer.was_reset)
        self.assertEqual(link.stats.errors, {"handler_failed": 1})

    def test_with_a_body_coming_in(self) -> None:
        """Nobody reads the rest of it."""

        def handle(request: Request) -> Response:
            async def generate() -> AsyncIterator[bytes]:
                async for piece in request.body:
                    yield piece
                    raise Broken("within")

            return Response(200, [], generate())

        link = self.serve(handle)
        answer = self.cut(link, request("POST", "/", "Host: x", "Content-Length: 5") + b"abc")
        self.flushLoggedErrors(Broken)
        self.assertEqual((answer.body, answer.whole), (b"abc", False))

    def test_before_the_first_piece(self) -> None:
        """Nothing has been sent yet: it is a 500, and the connection lives."""
        link = self.failing(late=False, first=False)
        with logged("incident") as lines:
            found = link.ask(GET, GET)
        self.flushLoggedErrors(Broken)
        self.assertEqual([each.status for each in found], [500, 500])
        self.assertEqual(len(lines), 2)
        self.assertEqual(link.stats.responses, {"5xx": 2})

    def test_head_is_not_held_back(self) -> None:
        """When the first piece takes its time, the head does not wait for it."""
        link = self.failing(late=True, first=False)
        with logged("incident"):
            peer = link.connect_raw()
            peer.send(GET)
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 200"))
            link.advance(1)
        self.flushLoggedErrors(Broken)
        self.assertFalse(answers(bytes(peer.received))[0].whole)

    def test_length_not_kept(self) -> None:
        for pieces, body, whole in (
            ((b"ab",), b"ab", False),
            ((b"abc", b"d"), b"abc", True),  # the rest is nobody's
            ((b"abcd",), None, True),
        ):
            link = self.serve(
                lambda request, pieces=pieces: Response(
                    200, [("Content-Length", "3")], pieces_of(*pieces)
                )
            )
            with logged("incident") as lines:
                (answer,) = link.ask(GET)
            self.assertEqual(len(self.flushLoggedErrors(LocalProtocolError)), 1)
            self.assertEqual(len(lines), 1)
            if body is None:
                self.assertEqual(answer.status, 500)
            else:
                self.assertEqual((answer.body, answer.whole), (body, whole))

    def test_no_bytes(self) -> None:
        async def generate() -> AsyncIterator[Any]:
            yield "text"

        link = self.serve(lambda request: Response(200, [], generate()))
        with logged("incident"):
            self.assertEqual(link.one(GET).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
