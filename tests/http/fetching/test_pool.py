"""Tests for connections: kept, tried again, queued for, cancelled, closed."""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults

from netlab.errors import ConnectionAborted
from netlab.fields import Fields, ProxyError
from tests.transport.support import eventually

from .support import Connection, FetchingCase, ok, read


class Kept(FetchingCase):
    async def test_used_again(self) -> None:
        origin = await self.origin(ok())
        fetcher = self.fetcher()
        for _ in range(3):
            await read(await fetcher.fetch("GET", origin.uri()))
        self.assertEqual((len(origin.connections), len(origin.requests)), (1, 3))

    async def test_closed_by_the_origin(self) -> None:
        """A closed connection is not used again."""
        origin = await self.origin(ok())
        fetcher = self.fetcher()
        await read(await fetcher.fetch("GET", origin.uri()))
        origin.connections[0].transport.loseConnection()
        await origin.until(lambda: not origin.open)
        await read(await fetcher.fetch("GET", origin.uri()))
        self.assertEqual(len(origin.requests), 2)

    def closes_on_the_second(self, connection: Connection) -> None:
        """Answers the first request of a connection; the second finds it closed."""
        if len(connection.requests) == 1:
            connection.send(ok())
        else:
            connection.transport.abortConnection()

    async def test_close_race(self) -> None:
        """What may be repeated is sent once more when the connection turns out to be closed."""
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            origin = await self.origin(self.closes_on_the_second)
            fetcher = self.fetcher()
            await read(await fetcher.fetch("GET", origin.uri()))
            fetched = await fetcher.fetch(method, origin.uri())
            self.assertEqual(fetched.status, 200)
            fetched.abort()
            self.assertEqual((len(origin.connections), len(origin.requests)), (2, 3))

    async def test_never_repeated(self) -> None:
        """Anything else goes on a connection of its own, once (RFC 9110, 9.2.2)."""
        origin = await self.origin(self.closes_on_the_second)
        fetcher = self.fetcher()
        await read(await fetcher.fetch("GET", origin.uri()))
        for method, body in (("POST", None), ("PUT", b"x"), ("GET", b"x"), ("PATCH", None)):
            fetched = await fetcher.fetch(method, origin.uri(), Fields(), body)
            self.assertEqual(fetched.status, 200)
            fetched.abort()
        self.assertEqual(len(origin.requests), 5)
        self.assertEqual([len(each.requests) for each in origin.connections], [1] * 5)

    async def test_not_for_ever(self) -> None:
        """A new connection that is closed is not tried again."""
        for method in ("GET", "POST"):
            origin = await self.origin(b"", end=True)
            error = await self.refused(self.fetcher().fetch(method, origin.uri()), "without an")
            self.assertEqual(error.proxy_status, ProxyError.CONNECTION_TERMINATED)
            self.assertEqual(len(origin.requests), 1)

    async def test_more_than_announced(self) -> None:
        """A second answer that nobody asked for is never given to anybody."""
        origin = await self.origin(lambda connection: connection.send(ok(b"a") + ok(b"evil")))
        fetcher = self.fetcher()
        for _ in range(2):
            await self.refused(fetcher.fetch("GET", origin.uri()), "more than the 1 bytes")
        self.assertEqual(len(origin.connections), 2)


class Queue(FetchingCase):
    async def test_waiting(self) -> None:
        """So many at a time for an origin; the others wait, in order."""
        held: list[Connection] = []
        origin = await self.origin(held.append)
        other = await self.origin(ok())
        fetcher = self.fetcher(max_connections=2, max_waiting=3)
        fetching = [fetcher.fetch("GET", origin.uri(f"/{n}")) for n in range(5)]
        error = await self.refused(fetcher.fetch("GET", origin.uri("/6")), "3 requests wait")
        self.assertEqual(
            (error.proxy_status, error.status), (ProxyError.CONNECTION_LIMIT_REACHED, 503)
        )
        await read(await fetcher.fetch("GET", other.uri()))  # another origin has its own
        await origin.until(lambda: len(held) == 2)
        fetching[3].cancel()
        await self.assertFailure(fetching.pop(3), CancelledError)
        for number in range(4):
            await origin.until(lambda: len(held) > number)  # noqa: B023
            held[number].send(ok())
        for each in fetching:
            await read(await each)
        paths = [each.split(b" ")[1] for each in origin.requests]
        self.assertEqual((sorted(paths[:2]), paths[2:]), ([b"/0", b"/1"], [b"/2", b"/4"]))
        self.assertEqual(len(origin.connections), 2)

    async def test_place_given_back(self) -> None:
        """However a fetch ends, the next one gets its place."""
        origin = await self.origin(lambda connection: connection.send(ok(b"x" * 10)[:-1]))
        fetcher = self.fetcher(max_connections=1, head_timeout=0.05)
        fetched = await fetcher.fetch("GET", origin.uri())
        waiting = fetcher.fetch("GET", origin.uri())
        fetched.abort()
        fetched = await waiting
        origin.answer = lambda connection: connection.transport.abortConnection()
        waiting = fetcher.fetch("GET", origin.uri())
        await fetched.aclose()
        await self.refused(waiting)
        origin.answer = lambda _: None
        await self.refused(fetcher.fetch("GET", origin.uri()), "did not answer")
        origin.answer = lambda connection: connection.send(ok())
        self.assertEqual(await read(await fetcher.fetch("GET", origin.uri())), b"hello")


class Ends(FetchingCase):
    async def test_cancel(self) -> None:
        """Whatever a fetch waits for, cancelling it ends it and its connection."""
        origin = await self.origin()
        fetcher = self.fetcher()
        early = fetcher.fetch("GET", origin.uri())
        early.cancel()
        await self.assertFailure(early, CancelledError)
        asked = fetcher.fetch("GET", origin.uri())
        await origin.until(lambda: bool(origin.requests))
        asked.cancel()
        await self.assertFailure(asked, CancelledError)
        await origin.until(lambda: not origin.open)

    async def test_let_go(self) -> None:
        """The rest of a body that nobody wants is not fetched."""
        origin = await self.origin(ok(b"x" * 10)[:-1])
        fetched = await self.fetcher().fetch("GET", origin.uri())
        await fetched.aclose()
        await origin.until(lambda: not origin.open)
        await self.assertFailure(Deferred.fromCoroutine(read(fetched)), ConnectionAborted)

    async def test_close(self) -> None:
        """All ends: idle, asking, reading, waiting, connecting."""
        part = ok(b"x" * 10)[:-1]
        answers = iter([ok(), part, b""])
        origin = await self.origin(lambda connection: connection.send(next(answers)))
        idle = await self.origin(ok())
        fetcher = self.fetcher(max_connections=2)
        await read(await fetcher.fetch("GET", idle.uri()))
        await read(await fetcher.fetch("GET", origin.uri()))
        fetched = await fetcher.fetch("GET", origin.uri())
        waiting = [fetcher.fetch("GET", origin.uri()) for _ in range(3)]
        await origin.until(lambda: len(origin.requests) == 3)
        connecting = fetcher.fetch("GET", idle.uri())
        posting = fetcher.fetch("POST", idle.uri())
        failing = [
            Deferred.fromCoroutine(self.refused(each, "closed")) for each in [*waiting, posting]
        ]
        connecting.addErrback(lambda _: None)
        await fetcher.close()
        await gatherResults(failing)
        await self.refused(read(fetched), "closed")
        await self.refused(fetcher.fetch("GET", origin.uri()), "closed")
        await origin.until(lambda: not origin.open)
        await idle.until(lambda: not idle.open)

    async def test_unread_body(self) -> None:
        """While nobody reads, no more than a little is kept, however much the origin sends."""
        size = 50_000_000
        piece = bytes(1 << 20)
        sent = 0

        class Producer:
            def __init__(self, transport: Any) -> None:
                self.transport = transport

            def resumeProducing(self) -> None:
                nonlocal sent
                sent += len(piece)
                self.transport.write(piece)

            def stopProducing(self) -> None:
                pass

        def answer(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            connection.transport.registerProducer(Producer(connection.transport), False)

        origin = await self.origin(answer)
        fetcher = self.fetcher()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        fetched = await fetcher.fetch("GET", origin.uri())
        await eventually(lambda: fetched.size >= 128 * 1024)
        self.assertLess(fetched.size, 256 * 1024)
        self.assertLess(sent, 20_000_000)  # which the kernel keeps
        taken = 0
        async for data in fetched:
            taken += len(data)
            if taken > 1_000_000:
                break
        self.assertLess(fetched.size, 256 * 1024)
        # The origin, in the same process, keeps a piece and what of it is not sent.
        self.assertLess(tracemalloc.get_traced_memory()[0], 4_000_000)
        fetched.abort()
        await origin.until(lambda: not origin.open)
