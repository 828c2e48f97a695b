"""Tests for what is sent and what comes back: requests, answers, redirects, on loopback."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from netlab.errors import ConfigurationError, LocalProtocolError
from netlab.fields import Fields, ProxyError
from netlab.http.fetching import FetchLimits
from tests.transport.support import reactor

from .support import END, Connection, FetchingCase, Origin, ok, read


class Requests(FetchingCase):
    async def sent(self, origin: Origin, method: str, *args: object, **more: object) -> bytes:
        """What a request looks like that ends in the word END."""
        fetching = self.fetcher().fetch(method, origin.uri(), *args, **more)  # type: ignore[arg-type]
        fetching.addErrback(lambda _: None)
        await origin.until(lambda: any(b"END" in each.received for each in origin.connections))
        received = bytes(origin.connections[0].received)
        fetching.cancel()
        return received.replace(str(origin.port.getHost().port).encode(), b"1")

    async def test_get(self) -> None:
        """RFC 9112, 2.1: the request is well-formed, and the answer comes as it was sent."""
        origin = await self.origin(ok(b"hello", "X-One: 1", "x-one:  2 ", "Connection: x-y"))
        fetched = await self.fetcher().fetch("GET", origin.uri("//a?#b"))
        self.assertEqual((fetched.status, fetched.reason, fetched.version), (200, "OK", "1.1"))
        self.assertEqual(
            list(fetched.fields),
            [("Content-Length", "5"), ("X-One", "1"), ("x-one", "2"), ("Connection", "x-y")],
        )
        self.assertEqual((fetched.length, fetched.uri), (5, origin.uri("//a?")))
        self.assertEqual(await read(fetched), b"hello")
        port = origin.port.getHost().port
        self.assertEqual(
            origin.requests,
            [f"GET //a? HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: t/1\r\n\r\n".encode()],
        )

    async def test_fields(self) -> None:
        """RFC 9110, 7.6.1: only what is end-to-end is sent on; Host and framing are ours."""
        origin = await self.origin(raw=True)
        fields = Fields(
            [
                *(("Host", "evil"), ("Connection", "x-hop, keep-alive"), ("X-Hop", "1")),
                *(("TE", "trailers"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c")),
                *(("Keep-Alive", "5"), ("Expect", "100-continue"), ("Content-Length", "99")),
                *(("Proxy-Authorization", "x"), ("User-Agent", "mine"), ("X-B", "1")),
                *(("Accept-Encoding", "br"), ("x-b", "2\xe9"), ("Trailer", "X")),
            ]
        )
        self.assertEqual(
            await self.sent(origin, "POST", fields, b"END"),
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nUser-Agent: mine\r\nX-B: 1\r\n"
            b"Accept-Encoding: br\r\nx-b: 2\xe9\r\nContent-Length: 3\r\n\r\nEND",
        )

    async def test_chunked(self) -> None:
        """RFC 9112, 7.1: a body of unknown length goes in chunks; an empty piece is not the end."""

        async def body() -> AsyncIterator[bytes]:
            yield b"a" * 20
            yield b""
            await deferLater(reactor, 0)
            yield b"END"

        origin = await self.origin(raw=True)
        received = await self.sent(origin, "PUT", Fields(), body())
        head, _, chunks = received.partition(END)
        self.assertIn(b"\r\nTransfer-Encoding: chunked", head)
        self.assertNotIn(b"Content-Length", head)
        self.assertEqual(chunks, b"14\r\n" + b"a" * 20 + b"\r\n3\r\nEND\r\n0\r\n\r\n")

    async def test_announced(self) -> None:
        """A body whose length the caller knows goes as it is."""

        async def body() -> AsyncIterator[bytes]:
            yield b"hello "
            yield b"END"

        origin = await self.origin(raw=True)
        received = await self.sent(origin, "PUT", Fields([("Content-Length", "9")]), body())
        self.assertTrue(received.endswith(b"\r\nContent-Length: 9\r\n\r\nhello END"))

    async def test_no_body(self) -> None:
        """RFC 9110, 8.6: a method that expects content says that there is none."""
        origin = await self.origin(ok())
        fetcher = self.fetcher()
        for method in ("POST", "PUT", "PATCH", "DELETE", "FROB", "OPTIONS"):
            await read(await fetcher.fetch(method, origin.uri("")))
            said = b"\r\nContent-Length: 0\r\n" in origin.requests[-1]
            self.assertEqual(said, method in ("POST", "PUT", "PATCH"))
        self.assertTrue(origin.requests[-1].startswith(b"OPTIONS * HTTP/1.1\r\n"))
        self.assertTrue(origin.requests[-2].startswith(b"FROB / HTTP/1.1\r\n"))

    async def test_wrong_length(self) -> None:
        """A body that is not what was announced never looks whole."""
        for length in ("2", "4"):

            async def body() -> AsyncIterator[bytes]:
                yield b"abc"

            origin = await self.origin(raw=True)
            fetching = self.fetcher().fetch(
                "PUT", origin.uri(), Fields([("Content-Length", length)]), body()
            )
            with self.assertRaises(LocalProtocolError):
                await fetching
            await origin.until(lambda: bool(origin.connections) and not origin.open)  # noqa: B023

    async def test_body_fails(self) -> None:
        """What the body's iterator raises is what the caller gets; the upstream gets no end."""

        async def body() -> AsyncIterator[bytes]:
            yield b"abc"
            raise KeyError("gone")

        origin = await self.origin(raw=True)
        with self.assertRaises(KeyError):
            await self.fetcher().fetch("PUT", origin.uri(), Fields(), body())
        await origin.until(lambda: bool(origin.connections) and not origin.open)
        self.assertNotIn(b"0\r\n\r\n", origin.connections[0].received)

    async def test_answered_early(self) -> None:
        """An upstream may answer before it has the body; the rest is not sent."""

        async def body() -> AsyncIterator[bytes]:
            yield b"abc"
            await Deferred()

        origin = await self.origin(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        fetched = await self.fetcher().fetch("PUT", origin.uri(), Fields(), body())
        self.assertEqual((fetched.status, await read(fetched)), (413, b"no"))
        await origin.until(lambda: not origin.open)

    async def test_upstream_takes_nothing(self) -> None:
        """RFC 9209, 2.3.11: a body that does not get through ends in time."""

        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536

        origin = await self.origin(lambda connection: connection.transport.pauseProducing())
        fetching = self.fetcher(body_stall=0.2).fetch("PUT", origin.uri(), Fields(), body())
        error = await self.refused(fetching, "took nothing")
        self.assertEqual(
            (error.proxy_status, error.status), (ProxyError.CONNECTION_WRITE_TIMEOUT, 504)
        )

    async def test_refused_here(self) -> None:
        """What cannot be asked for is not sent."""
        fetcher = self.fetcher()
        for method, uri in [
            *(("GET", "ftp://x/"), ("GET", "/path"), ("GET", "http://"), ("GET", "http://a b/")),
            *(("GET", "http://u:p@x/"), ("GET", "http://x/a b"), ("GET", "http://x/\r\nA: b")),
            *(("GET", "http://x:99999/"), ("G T", "http://x/"), ("CONNECT", "http://x/")),
            *(("GET", "http://x/\xe9"), ("GET", "http://[::1/"), ("GET", "http://b\xfccher/")),
        ]:
            with self.assertRaises(LocalProtocolError):
                await fetcher.fetch(method, uri)

    def test_limits(self) -> None:
        for wrong in (
            *({"connect_timeout": 0}, {"head_timeout": -1}, {"body_stall": float("nan")}),
            *({"total_timeout": None}, {"max_head": 10}, {"max_fields": 1.5}, {"max_body": 0}),
            *({"max_connections": 0}, {"max_connections": True}, {"max_waiting": -1}),
            {"max_body": "1"},
        ):
            self.assertRaises(ConfigurationError, FetchLimits, **wrong)
        FetchLimits(max_body=None, max_waiting=0, max_fields=1)


class Answers(FetchingCase):
    async def test_coded_content_is_left_alone(self) -> None:
        """Nothing is decoded: a small body stays small."""
        body = gzip.compress(bytes(1 << 20))
        fetched, found = await self.answered(ok(body, "Content-Encoding: gzip"))
        self.assertEqual(found, body)
        self.assertEqual(fetched.fields.get("content-encoding"), "gzip")

    async def test_head(self) -> None:
        origin = await self.origin(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        fetched = await self.fetcher().fetch("HEAD", origin.uri())
        self.assertEqual((fetched.length, await read(fetched)), (9, b""))

    async def test_until_close(self) -> None:
        fetched, body = await self.answered(b"HTTP/1.0 200 OK\r\n\r\nhello", end=True)
        self.assertEqual((fetched.length, fetched.version, body), (None, "1.0", b"hello"))

    async def test_large(self) -> None:
        """More than the buffers hold, taken piece by piece."""
        body = bytes(range(256)) * 8192
        _, found = await self.answered(ok(body))
        self.assertEqual(found, body)


class Redirects(FetchingCase):
    async def redirecting(self, location: str, status: int = 302) -> Origin:
        """An origin that redirects all but ``/end``."""

        def answer(connection: Connection) -> None:
            path = connection.requests[-1].split(b" ")[1]
            head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            connection.send(ok(path) if path == b"/end" else head.encode())

        return await self.origin(answer)

    async def test_not_followed(self) -> None:
        """Unless somebody says so."""
        origin = await self.redirecting("/end")
        asked: list[str] = []

        def no(uri: str) -> bool:
            asked.append(uri)
            return False

        for redirect_to in (None, no):
            fetched = await self.fetcher().fetch("GET", origin.uri("/a"), redirect_to=redirect_to)
            self.assertEqual((fetched.status, fetched.uri), (302, origin.uri("/a")))
        self.assertEqual(asked, [origin.uri("/end")])

    async def test_followed(self) -> None:
        """RFC 9110, 15.4: a relative Location is resolved; its fragment is not sent."""
        for status in (301, 302, 303, 307, 308):
            origin = await self.redirecting("../end#there", status)
            for method in ("GET", "HEAD"):
                fetched = await self.fetcher().fetch(
                    method, origin.uri("/a/b"), redirect_to=lambda _: True
                )
                self.assertEqual((fetched.status, fetched.uri), (200, origin.uri("/end")))
                fetched.abort()

    async def test_only_get_and_head(self) -> None:
        origin = await self.redirecting("/end")
        fetched = await self.fetcher().fetch("POST", origin.uri("/a"), redirect_to=lambda _: True)
        self.assertEqual(fetched.status, 302)
        fetched = await self.fetcher().fetch(
            "GET", origin.uri("/a"), Fields(), b"body", redirect_to=lambda _: True
        )
        self.assertEqual(fetched.status, 302)

    async def test_loop(self) -> None:
        """After five the redirect is the answer."""
        origin = await self.redirecting("/a")
        fetched = await self.fetcher().fetch("GET", origin.uri("/a"), redirect_to=lambda _: True)
        self.assertEqual((fetched.status, len(origin.requests)), (302, 6))

    async def test_nowhere(self) -> None:
        """A Location that is none is not followed, nor asked about."""
        for location in ("ftp://x/", "http://u@x/", "http://[", "javascript:1", "/a b", "\x7f"):
            head = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: "
            origin = await self.origin(head + location.replace("\x7f", "").encode() + END)
            fetched = await self.fetcher().fetch(
                "GET", origin.uri("/end"), redirect_to=lambda uri: "/end" not in uri
            )
            self.assertEqual(fetched.status, 302)

    async def test_other_origin(self) -> None:
        """Secrets stay where they were meant to go."""
        other = await self.origin(ok())
        origin = await self.redirecting(other.uri("/x"))
        fields = Fields([("Authorization", "s"), ("Cookie", "s"), ("Accept", "*/*")])
        fetched = await self.fetcher().fetch(
            "GET", origin.uri(), fields, redirect_to=lambda uri: uri == other.uri("/x")
        )
        self.assertEqual(fetched.uri, other.uri("/x"))
        self.assertIn(b"Cookie: s", origin.requests[0])
        self.assertNotIn(b": s", other.requests[0])
        self.assertIn(b"Accept: */*", other.requests[0])
