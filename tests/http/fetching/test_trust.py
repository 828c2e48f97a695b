"""Tests for TLS: whom a fetcher believes, and what it says when it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from netlab.errors import ConfigurationError
from netlab.fields import ProxyError
from tests.transport.support import TWISTED_USES_X509

from .support import Connection, FetchingCase, ok, read

pytestmark = TWISTED_USES_X509
AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
OTHER = trustme.CA(key_type=trustme.KeyType.ECDSA)


def pem(*names: str, by: trustme.CA = AUTHORITY, **more: Any) -> bytes:
    """A key and a certificate for ``names``."""
    made = by.issue_cert(*names, key_type=trustme.KeyType.ECDSA, **more)
    return made.private_key_and_cert_chain_pem.bytes()


class Trust(FetchingCase):
    def authorities(self) -> str:
        """The file of those who are trusted: two, one of them ours."""
        path = self.folder / "ca.pem"
        second = trustme.CA(key_type=trustme.KeyType.ECDSA)
        path.write_bytes(second.cert_pem.bytes() + b"words between\n" + AUTHORITY.cert_pem.bytes())
        return str(path)

    async def test_verified(self) -> None:
        """By address and by name; the connection is kept, and a clean end is an end."""
        origin = await self.origin(ok(), tls=pem("127.0.0.1", "localhost"))
        fetcher = self.fetcher(self.authorities())
        for _ in range(2):
            self.assertEqual(await read(await fetcher.fetch("GET", origin.uri())), b"hello")
        self.assertEqual(len(origin.connections), 1)
        uri = origin.uri().replace("127.0.0.1", "localhost")
        self.assertEqual(await read(await fetcher.fetch("GET", uri)), b"hello")
        self.assertIn(b"\r\nHost: localhost:", origin.requests[-1])

    async def wrong(self, certificate: bytes, *words: str, trusted: bool = True) -> None:
        """A certificate that is refused, before anything is sent."""
        origin = await self.origin(ok(), tls=certificate)
        fetcher = self.fetcher(self.authorities() if trusted else None)
        error = await self.refused(fetcher.fetch("GET", origin.uri()), "127.0.0.1", *words)
        self.assertEqual(
            (error.proxy_status, error.status), (ProxyError.TLS_CERTIFICATE_ERROR, 502)
        )
        self.assertEqual(origin.requests, [])

    async def test_unknown_issuer(self) -> None:
        await self.wrong(pem("127.0.0.1", by=OTHER), "authority that is not trusted")

    async def test_platform(self) -> None:
        """Without a file of its own, the platform's authorities are asked."""
        await self.wrong(pem("127.0.0.1"), "authority that is not trusted", trusted=False)

    async def test_wrong_name(self) -> None:
        await self.wrong(pem("example.org", "127.0.0.2"), "not for that host name")

    async def test_expired(self) -> None:
        past = datetime.now(UTC) - timedelta(days=1)
        await self.wrong(pem("127.0.0.1", not_after=past), "its certificate has expired")

    async def test_self_signed(self) -> None:
        """The authority's own certificate, shown by a server."""
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        own = authority.private_key_pem.bytes() + authority.cert_pem.bytes()
        await self.wrong(own, "self-signed")

    async def test_not_tls(self) -> None:
        origin = await self.origin(ok())
        origin.answer = lambda _: None
        origin.raw = True
        origin.tls = True
        fetching = self.fetcher(self.authorities()).fetch("GET", origin.uri())
        await origin.until(lambda: any(each.received for each in origin.connections))
        origin.connections[0].send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        error = await self.refused(fetching, "does not speak TLS")
        self.assertEqual(error.proxy_status, ProxyError.TLS_PROTOCOL_ERROR)

    async def test_hangs_up(self) -> None:
        origin = await self.origin(raw=True)
        origin.tls = True
        fetching = self.fetcher(self.authorities()).fetch("GET", origin.uri())
        await origin.until(lambda: any(each.received for each in origin.connections))
        origin.connections[0].transport.loseConnection()
        error = await self.refused(fetching)
        self.assertEqual(error.status, 502)
        self.assertIn("TLS", str(error))

    async def test_handshake_never_ends(self) -> None:
        origin = await self.origin(raw=True)
        origin.tls = True
        error = await self.refused(
            self.fetcher(self.authorities(), connect_timeout=0.2).fetch("GET", origin.uri()),
            "set up TLS within 0.2 s",
        )
        self.assertEqual((error.proxy_status, error.status), (ProxyError.CONNECTION_TIMEOUT, 504))

    async def test_speaks_tls_to_http(self) -> None:
        origin = await self.origin(ok(), tls=pem("127.0.0.1"))
        uri = origin.uri().replace("https", "http")
        error = await self.refused(self.fetcher().fetch("GET", uri))
        self.assertEqual(error.status, 502)

    async def test_until_close(self) -> None:
        """RFC 9112, 9.8: only a clean end of TLS ends a body that nothing else ends."""

        def cleanly(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello", end=True)

        def cut(connection: Connection) -> None:
            connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
            connection.transport.transport.loseConnection()  # TCP's end without TLS's

        origin = await self.origin(cleanly, tls=pem("127.0.0.1"))
        fetcher = self.fetcher(self.authorities())
        self.assertEqual(await read(await fetcher.fetch("GET", origin.uri())), b"hello")
        origin.answer = cut
        error = await self.refused(read(await fetcher.fetch("GET", origin.uri())))
        self.assertEqual(error.proxy_status, ProxyError.HTTP_RESPONSE_INCOMPLETE)

    def test_authorities(self) -> None:
        """A file that holds none is said when the fetcher is made."""
        empty = self.folder / "empty.pem"
        empty.write_bytes(b"")
        damaged = self.folder / "damaged.pem"
        damaged.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for path, word in (
            (empty, "no certificate"),
            (damaged, "damaged"),
            (Path("/nonexistent"), "No such file"),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                self.fetcher(str(path))
            self.assertIn(word, str(caught.exception))
