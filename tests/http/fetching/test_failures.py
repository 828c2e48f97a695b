"""Tests for upstreams that fail: the right error, in time, and nothing wrong is whole."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer

from netlab.fields import ProxyError
from tests.transport.support import reactor

from .support import Connection, FetchingCase, ok, read

HEAD = b"HTTP/1.1 200 OK\r\n"


class Connecting(FetchingCase):
    async def test_refused(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{unused.getsockname()[1]}/"
            error = await self.refused(self.fetcher().fetch("GET", uri), "was refused", uri[:-1])
        self.assertEqual((error.proxy_status, error.status), (ProxyError.CONNECTION_REFUSED, 502))

    async def test_never_accepted(self) -> None:
        """A connection that does not come about ends in time."""
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for each in fillers:
                self.addCleanup(each.close)
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            uri = f"http://127.0.0.1:{full.getsockname()[1]}/"
            error = await self.refused(
                self.fetcher(connect_timeout=0.2).fetch("GET", uri), "within 0.2 s"
            )
        self.assertEqual((error.proxy_status, error.status), (ProxyError.CONNECTION_TIMEOUT, 504))

    async def test_no_way(self) -> None:
        """An address that has no route here."""
        error = await self.refused(
            self.fetcher(connect_timeout=0.5).fetch("GET", "http://255.255.255.255/")
        )
        self.assertEqual(error.proxy_status, ProxyError.DESTINATION_IP_UNROUTABLE)

    async def test_no_name(self) -> None:
        """A host that cannot be one is not looked up."""
        for host in ("a..b", "x" * 64, "[1:2]", "a%00b", "a.-.b~", "[::1:]", "x." * 127 + "x"):
            for scheme in ("http", "https"):
                error = await self.refused(
                    self.fetcher().fetch("GET", f"{scheme}://{host}:1/"),
                    host[:90],
                    "host name is not",
                )
                self.assertEqual(error.proxy_status, ProxyError.DNS_ERROR)

    def resolving(self, *, ever: bool) -> None:
        """Has no name found: at once, or never."""

        @implementer(IHostnameResolver)
        class Resolver:
            def resolveHostName(  # type: ignore[override]
                self, receiver: Any, name: str, *_: Any, **__: Any
            ) -> Any:
                receiver.resolutionBegan(None)
                if ever:
                    receiver.resolutionComplete()

        before = reactor.installNameResolver(Resolver())
        self.addCleanup(reactor.installNameResolver, before)

    async def test_unknown_name(self) -> None:
        self.resolving(ever=True)
        error = await self.refused(
            self.fetcher().fetch("GET", "http://no.such.name/x"), "no.such.name", "not known"
        )
        self.assertEqual((error.proxy_status, error.status), (ProxyError.DNS_ERROR, 502))

    async def test_resolver_is_silent(self) -> None:
        self.resolving(ever=False)
        error = await self.refused(
            self.fetcher(connect_timeout=0.05).fetch("GET", "http://slow.name/"), "not found within"
        )
        self.assertEqual((error.proxy_status, error.status), (ProxyError.DNS_TIMEOUT, 504))


class Answering(FetchingCase):
    async def test_silent(self) -> None:
        origin = await self.origin()
        error = await self.refused(
            self.fetcher(head_timeout=0.05).fetch("GET", origin.uri()), "within 0.05 s"
        )
        self.assertEqual(
            (error.proxy_status, error.status), (ProxyError.HTTP_RESPONSE_TIMEOUT, 504)
        )
        await origin.until(lambda: not origin.open)

    async def test_overall(self) -> None:
        """All of a fetch has its time: without an answer, in the queue, in the body."""
        origin = await self.origin()
        fetcher = self.fetcher(total_timeout=0.1, max_connections=1)
        for each in [fetcher.fetch("GET", origin.uri()) for _ in range(2)]:
            error = await self.refused(each, "not complete within 0.1 s")
            self.assertEqual(error.proxy_status, ProxyError.HTTP_RESPONSE_TIMEOUT)

        def drip(connection: Connection) -> None:
            connection.send(HEAD + b"\r\n")
            drop(connection)

        def drop(connection: Connection) -> None:
            connection.send(b"x")
            drops[:] = [reactor.callLater(0.01, drop, connection)]

        drops: list[Any] = []

        origin.answer = drip
        fetched = await fetcher.fetch("GET", origin.uri())
        await self.refused(read(fetched), "not complete within 0.1 s")
        drops[0].cancel()
        await origin.until(lambda: not origin.open)

    async def test_stall(self) -> None:
        error = await self.answered(ok(b"hello")[:-1], body_stall=0.05)
        self.assertEqual(
            (error.proxy_status, error.status), (ProxyError.CONNECTION_READ_TIMEOUT, 504)
        )

    async def test_cut_short(self) -> None:
        chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        for part in (ok(b"hello")[:-1], chunked, HEAD):
            error = await self.answered(part, end=True)
            self.assertEqual(
                (error.proxy_status, error.status), (ProxyError.HTTP_RESPONSE_INCOMPLETE, 502)
            )

    async def test_wrong(self) -> None:
        for answer in (
            HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            HEAD + b"Content-Length: -5\r\n\r\nhello",
            HEAD + b"A: \x00\r\n\r\nhello",
            HEAD + b"Content-Length: 2\r\n\r\nhello",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello",
            b"SSH-2.0-OpenSSH_9\r\n",
            b"hello",
        ):
            error = await self.answered(answer)
            self.assertEqual(
                (error.proxy_status, error.status), (ProxyError.HTTP_PROTOCOL_ERROR, 502)
            )

    async def test_60_mb_of_head(self) -> None:
        """They are cut at once: the origin does not get rid of them."""
        sent = 0

        class Producer:
            def __init__(self, transport: Any) -> None:
                self.transport = transport

            def resumeProducing(self) -> None:
                nonlocal sent
                if sent < 60_000_000:
                    sent += 100_000
                    self.transport.write(b"X-Junk: " + b"x" * 99_990 + b"\r\n")

            def stopProducing(self) -> None:
                pass

        def answer(connection: Connection) -> None:
            connection.send(HEAD)
            connection.transport.registerProducer(Producer(connection.transport), False)

        origin = await self.origin(answer)
        error = await self.refused(self.fetcher().fetch("GET", origin.uri()), "more than 65536")
        self.assertEqual(error.proxy_status, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)
        await origin.until(lambda: not origin.open)
        self.assertLess(sent, 30_000_000)

    async def test_many_fields(self) -> None:
        error = await self.answered(HEAD + b"A: b\r\n" * 201 + b"\r\n")
        self.assertEqual(error.proxy_status, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)

    async def test_endless_body(self) -> None:
        error = await self.answered(HEAD + b"\r\n" + b"x" * 2_000_000, max_body=1_000_000)
        self.assertEqual(
            (error.proxy_status, error.status), (ProxyError.HTTP_RESPONSE_BODY_SIZE, 502)
        )
