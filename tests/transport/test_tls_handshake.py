"""TLS handshakes: those that fail, those that never end, and names."""

from __future__ import annotations

import time
from typing import Any

from twisted.logger import LogLevel

from netlab import MessageProtocol
from netlab.errors import HandshakeTimeout, TLSFailed
from netlab.transport import Limits, log
from tests.transport.support import (
    TWISTED_USES_X509,
    Lines,
    dial,
    eventually,
    in_thread,
    read_all,
    read_exactly,
)
from tests.transport.tls import AUTHORITY, TLSCase, frame

pytestmark = TWISTED_USES_X509


class Handshake(TLSCase):
    def listen_closely(self) -> Lines:
        """The log, with all that can be had."""
        self.patch(log, "_threshold", LogLevel.debug)
        return Lines(self)

    async def test_stalled(self) -> None:
        """Who does not shake hands is let go. Stock Twisted has no time-out for it."""
        for sent in (b"", b"\x16\x03\x01\x02\0\x01\0"):
            server, port = await self.secure(Limits(handshake_timeout=0.3))
            sock = dial(port)
            self.addCleanup(sock.close)
            sock.sendall(sent)
            await eventually(lambda: server.stats.accepted == 1)  # noqa: B023
            await eventually(lambda: server.stats.active == 0, 5)  # noqa: B023
            self.assertEqual(server.stats.errors, {HandshakeTimeout.kind: 1})

    async def test_trickled(self) -> None:
        """A byte now and then does not put the deadline off."""
        server, port = await self.secure(Limits(handshake_timeout=1))
        with dial(port) as sock:
            sock.sendall(b"\x16\x03\x01\x02\0")
            for _ in range(100):
                await in_thread(time.sleep, 0.05)
                if server.stats.errors:
                    break
                sock.sendall(b"\x01")
        self.assertEqual(server.stats.errors, {HandshakeTimeout.kind: 1})

    async def test_plain_client(self) -> None:
        """Who speaks no TLS is told apart, in words; and harms nobody."""
        server, port = await self.secure()
        lines = self.listen_closely()
        for number, said in enumerate((b"GET / HTTP/1.1\r\n\r\n", frame(b"hello") * 10), 1):
            with dial(port) as sock:
                sock.sendall(said)
                await eventually(lambda: server.stats.errors[TLSFailed.kind] == number)  # noqa: B023
        self.assertEqual(len(lines.with_("the peer does not speak TLS")), 2)
        with await in_thread(self.dial, port) as tls:
            await in_thread(tls.sendall, b"fine")
            self.assertEqual(await in_thread(read_exactly, tls, 4), b"fine")

    async def test_never_connected(self) -> None:
        """An application hears nothing of a handshake that fails: neither begin nor end."""
        heard: list[str] = []

        class Notes(MessageProtocol):
            def connected(self) -> None:
                heard.append("connected")

            def disconnected(self, reason: object) -> None:
                heard.append("disconnected")

        server, port = await self.messages(Notes)
        with dial(port) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            await eventually(lambda: server.stats.errors[TLSFailed.kind] == 1)
        self.flushLoggedErrors()
        self.assertEqual(heard, [])

    async def test_failed_in_silence(self) -> None:
        """Nor does the log take it for a mistake of the application."""

        class Member(MessageProtocol):
            def connected(self) -> None:
                members.add(self)

            def disconnected(self, reason: object) -> None:
                members.remove(self)

        members: set[Any] = set()
        server, port = await self.messages(Member)
        with dial(port) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            await eventually(lambda: server.stats.errors[TLSFailed.kind] == 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_hung_up(self) -> None:
        """An end in the middle of the handshake."""
        server, port = await self.secure()
        lines = self.listen_closely()
        with dial(port) as sock:
            sock.sendall(b"\x16\x03\x01")
            await eventually(lambda: server.stats.active == 1)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {TLSFailed.kind: 1})
        self.assertEqual(len(lines.with_("the peer hung up during the TLS handshake")), 1)

    async def test_stop(self) -> None:
        """A stop does not wait for who is still shaking hands."""
        server, port = await self.secure()
        sock = dial(port)
        self.addCleanup(sock.close)
        await eventually(lambda: server.stats.active == 1)
        begun = time.monotonic()
        await self.stop(server, 60)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(server.stats.errors, {})

    async def test_broken_later(self) -> None:
        """Garbage in the stream ends it as TLS that failed; the others go on."""
        server, port = await self.secure()
        other, raw = await in_thread(self.dial_openssl, port)
        self.addCleanup(raw.close)
        _, sock = await in_thread(self.dial_openssl, port)
        self.addCleanup(sock.close)
        sock.sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32)
        await eventually(lambda: server.stats.errors[TLSFailed.kind] == 1)
        await in_thread(other.sendall, b"fine")
        self.assertEqual(await in_thread(other.recv, 4), b"fine")

    async def test_names(self) -> None:
        """``tls:`` with a folder: each name has its own certificate."""
        names = ("localhost", "other.example")
        for name in names:
            made = AUTHORITY.issue_cert(name)
            made.private_key_and_cert_chain_pem.write_to_path(self.folder / f"{name}.pem")
        _, port = await self.serve(f"tls:{self.folder}:0:interface=127.0.0.1")
        for name in names:
            with await in_thread(self.dial, port, None, None, name) as sock:
                await in_thread(sock.sendall, b"hello")
                self.assertEqual(await in_thread(read_exactly, sock, 5), b"hello")
                certificate: Any = sock.getpeercert()
                self.assertEqual(certificate["subjectAltName"], (("DNS", name),))

    async def test_no_context(self) -> None:
        """An endpoint that has no certificate to show loses that connection, not the server."""
        server, port = await self.secure()
        factory: Any = server.ports[0].factory
        self.patch(factory, "_creatorCallable", lambda protocol: 1 / 0)
        with dial(port) as sock:
            self.assertEqual(await in_thread(read_all, sock), b"")
        self.assertEqual(server.stats.errors, {TLSFailed.kind: 1})
        self.assertEqual(server.streams, set())
