"""What is wished of TLS contexts: protocols, and the secrets that the client has too."""

from __future__ import annotations

import ssl
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

from netlab.transport.contexts import Wishes
from tests.transport.detours import detours
from tests.transport.support import (
    TWISTED_USES_X509,
    Foreign,
    Lines,
    dial,
    eventually,
    in_thread,
    read_exactly,
)
from tests.transport.tls import AUTHORITY, TLSCase

pytestmark = TWISTED_USES_X509

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Keys(TLSCase):
    def setUp(self) -> None:
        super().setUp()
        self.lines: list[bytes] = []

    def log(self, connection: Any, line: bytes) -> None:
        """See ``KeyLog``."""
        self.lines.append(line)

    def talk(self, port: int, version: ssl.TLSVersion) -> set[bytes]:
        """A connection of ``version``; the lines that the client logs of it."""
        path = self.folder / "keys.txt"
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        context.minimum_version = context.maximum_version = version
        context.keylog_filename = str(path)
        with (
            dial(port) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"hello")
            assert read_exactly(tls, 5) == b"hello"
            tls.unwrap()
        lines = path.read_bytes().splitlines()
        path.unlink()
        return {line for line in lines if not line.startswith(b"#")}

    async def test_secrets(self) -> None:
        """With ``ssl:`` and with ``tls:``, whose contexts depend on the name that is asked for."""
        for endpoint in (self.endpoint, f"tls:{self.folder}:0:interface=127.0.0.1"):
            for taken in (None, detours("delay 1ms")):
                server, port = await self.serve(endpoint, key_log=self.log, detours=taken)
                for version in VERSIONS:
                    expected = await in_thread(self.talk, port, version)
                    self.assertTrue(expected)
                    self.assertEqual(set(self.lines), expected)
                    self.lines.clear()
                await eventually(lambda: server.stats.active == 0)  # noqa: B023
                self.assertEqual(server.stats.errors, {}, (endpoint, taken))

    async def test_without(self) -> None:
        """Nobody is told who did not ask."""
        _, port = await self.serve(self.endpoint)
        self.assertTrue(await in_thread(self.talk, port, VERSIONS[1]))
        self.assertEqual(self.lines, [])

    async def test_foreign(self) -> None:
        """What netlab is not told it cannot tell; the log says so when the server starts."""
        said = Lines(self)
        await self.serve(self.endpoint, key_log=self.log)
        self.assertEqual(said.with_("key log"), [])
        await self.serve(Foreign(), key_log=self.log)
        self.assertEqual(len(said.with_("key log gets no secrets of connections to")), 1)


class Protocols(TLSCase):
    """ALPN (RFC 7301)."""

    def offer(self, port: int, protocols: list[str]) -> str | None:
        """What is chosen of ``protocols``; the connection works."""
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        context.set_alpn_protocols(protocols)
        with (
            dial(port) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"hello")
            assert read_exactly(tls, 5) == b"hello"
            chosen = tls.selected_alpn_protocol()
            tls.unwrap()
        return chosen

    async def test_chosen(self) -> None:
        """The first of the server's own; without one in common it goes on without."""
        offers = {
            ("h2", "http/1.1"): "http/1.1",
            ("http/1.1", "x"): "x",
            ("h2",): None,
        }
        for endpoint in (self.endpoint, f"tls:{self.folder}:0:interface=127.0.0.1"):
            for taken in (None, detours("delay 1ms")):
                _, port = await self.serve(endpoint, protocols=(b"x", b"http/1.1"), detours=taken)
                for offered, expected in offers.items():
                    chosen = await in_thread(self.offer, port, list(offered))
                    self.assertEqual(chosen, expected)

    async def test_none(self) -> None:
        """A server that names none takes whoever comes."""
        _, port = await self.serve(self.endpoint)
        self.assertIsNone(await in_thread(self.offer, port, ["h2", "http/1.1"]))

    async def test_two_servers(self) -> None:
        """Of one endpoint object, and so of one context: each as it wishes."""
        shared = serverFromString(reactor, self.endpoint)
        ports = {}
        for protocol in ("a", "b"):
            _, ports[protocol] = await self.serve(shared, protocols=(protocol.encode(),))
        for _ in range(2):
            for protocol, port in ports.items():
                chosen = await in_thread(self.offer, port, ["a", "b"])
                self.assertEqual(chosen, protocol)

    async def test_broken_context(self) -> None:
        """A context that cannot be used ends the connection, and nothing else."""
        server, port = await self.serve(self.endpoint)

        def fail(*_: object) -> None:
            raise SSL.Error([("", "", "no such thing")])

        patch = self.patch(Wishes, "prepare", fail)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            await in_thread(self.offer, port, ["a"])
        patch.restore()
        await eventually(lambda: not server.streams)
        self.assertIsNone(await in_thread(self.offer, port, ["a"]))
