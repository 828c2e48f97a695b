"""TLS on the socket itself, against Python's own TLS and OpenSSL's clients."""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred

from netlab import MessageProtocol
from netlab.errors import ServerStopping
from netlab.transport import Limits
from netlab.transport.tls import TLSStream
from tests.transport.support import (
    TWISTED_USES_X509,
    Recorder,
    dial,
    eventually,
    in_thread,
    read_all,
)
from tests.transport.tls import AUTHORITY, MIB, TLSCase, frame, read_frame

pytestmark = TWISTED_USES_X509


class Talking(TLSCase):
    async def test_messages(self) -> None:
        """0 bytes to 1 MiB both ways, with TLS 1.2 and 1.3."""

        def talk(port: int, version: ssl.TLSVersion, sizes: list[int]) -> str | None:
            with self.dial(port, version) as sock:
                for size in sizes:
                    message = os.urandom(size)
                    sock.sendall(frame(message))
                    assert read_frame(sock) == message, size
                return sock.version()

        server, port = await self.messages()
        sizes = [0, 1, 16379, 16380, 16381, 16384, 16385, 65536, 131072, MIB]
        for version, name in (("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")):
            spoken = await in_thread(talk, port, ssl.TLSVersion[version], sizes)
            self.assertEqual(spoken, name)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.messages_in, 2 * len(sizes))
        self.assertEqual(server.stats.bytes_in, 2 * sum(4 + size for size in sizes))
        self.assertEqual(server.stats.errors, {})

    async def test_byte_by_byte(self) -> None:
        """A byte to a record; and a record a byte at a time."""

        def records(port: int) -> bytes:
            with self.dial(port) as sock:
                for byte in frame(b"slowly"):
                    sock.sendall(bytes([byte]))
                return read_frame(sock)

        def segments(port: int) -> bytes:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context()
            AUTHORITY.configure_trust(context)
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with dial(port) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                steps = [tls.do_handshake, lambda: tls.write(frame(b"slowly")), lambda: tls.read(4)]
                for step in [*steps, lambda: tls.read(6)]:
                    while True:
                        try:
                            result = step()
                        except ssl.SSLWantReadError:
                            result = None
                        for byte in outgoing.read():
                            sock.sendall(bytes([byte]))
                        if result is not None or (step == steps[0] and tls.version()):
                            break
                        incoming.write(sock.recv(65536))
                return bytes(result or b"")

        server, port = await self.messages()
        self.assertEqual(await in_thread(records, port), b"slowly")
        self.assertEqual(await in_thread(segments, port), b"slowly")
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.messages_in, 2)

    async def test_pipelined(self) -> None:
        """Thousands of small messages at once, answered in order."""

        def talk(port: int) -> None:
            with self.dial(port) as sock:
                sock.sendall(b"".join(frame(b"%d" % number) for number in range(5000)))
                for number in range(5000):
                    assert read_frame(sock) == b"%d" % number

        server, port = await self.messages()
        await in_thread(talk, port)
        self.assertEqual(server.stats.messages_out, 5000)

    async def test_slow_reader(self) -> None:
        """Output of many MiB to one who reads slowly: bounded, retried, and whole."""
        data = os.urandom(8 * MIB)

        class Pour(MessageProtocol):
            async def message_received(self, message: bytes) -> None:
                for at in range(0, len(data), 50_000):
                    await self.send(data[at : at + 50_000])
                    (stream,) = server.streams.streams
                    highest.append(stream.buffered)

        def read(port: int) -> bytes:
            received: list[bytes] = []
            with self.dial(port, receive_buffer=8192) as sock:
                sock.sendall(frame(b"pour"))
                while sum(map(len, received)) < len(data):
                    received.append(read_frame(sock))
                    if len(received) % 20 == 1:
                        time.sleep(0.01)  # slow, not lucky: nothing depends on how long
            return b"".join(received)

        highest: list[int] = []
        server, port = await self.messages(Pour)
        self.assertTrue(await in_thread(read, port) == data)
        self.assertLess(max(highest), 65536 + 2 * 50_004)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {})

    async def test_large(self) -> None:
        """Messages that no buffer holds, one after the other."""
        data = os.urandom(4 * MIB)

        def talk(port: int) -> None:
            with self.dial(port) as sock:
                for _ in range(3):
                    sock.sendall(frame(data))
                    assert read_frame(sock) == data

        server, port = await self.messages()
        await in_thread(talk, port)
        self.assertEqual(server.stats.bytes_out, 3 * (4 + len(data)))

    async def test_handle(self) -> None:
        """The handle is OpenSSL's, for those who want to know the peer's certificate."""
        _, port = await self.secure()
        with await in_thread(self.dial, port):
            await eventually(lambda: bool(self.receivers) and bool(self.receivers[0].calls))
            self.assertIsInstance(self.receivers[0].stream, TLSStream)
            self.assertIsInstance(self.receivers[0].stream.get_handle(), SSL.Connection)


class Ending(TLSCase):
    async def end(self, how: str) -> tuple[Recorder, Any]:
        """A client asks and ends ``how``; the receiver that served it, and the answer."""

        def talk(port: int) -> bytes:
            tls, sock = self.dial_openssl(port)
            with sock:
                tls.sendall(b"hello")
                if how == "goodbye":
                    tls.shutdown()
                    sock.shutdown(socket.SHUT_WR)
                else:
                    sock.shutdown(socket.SHUT_WR)
                answer = b""
                try:
                    while True:
                        answer += tls.recv(100)
                except SSL.Error:
                    return answer

        server, port = await self.secure()
        answer = await in_thread(talk, port)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {})
        return self.receivers[0], answer

    async def test_half_close(self) -> None:
        """A request, close_notify and an end: the answer still comes.

        Stock Twisted loses it: its TLS has no half-closed state.
        """
        receiver, answer = await self.end("goodbye")
        self.assertEqual(answer, b"hello")
        self.assertEqual(receiver.calls, ["connected", "data", "end", "lost"])

    async def test_half_close_without_goodbye(self) -> None:
        """The same from one who ends the TCP connection only."""
        receiver, answer = await self.end("TCP")
        self.assertEqual(answer, b"hello")
        self.assertEqual(receiver.calls, ["connected", "data", "end", "lost"])

    async def test_goodbye(self) -> None:
        """Our close says close_notify: the peer knows that nothing is missing."""

        def talk(port: int) -> bytes:
            with self.dial(port) as sock:
                return read_all(sock)  # raises SSLEOFError without it

        server, port = await self.secure()
        answer = Deferred.fromCoroutine(in_thread(talk, port))
        await eventually(lambda: bool(self.receivers) and bool(self.receivers[0].calls))
        self.receivers[0].stream.write(b"bye")
        self.receivers[0].stream.close()
        self.assertEqual(await answer, b"bye")
        await eventually(lambda: server.stats.active == 0)
        self.assertIsNone(self.receivers[0].reason)
        self.assertEqual(server.stats.errors, {})

    async def test_withheld_goodbye(self) -> None:
        """A peer that answers no close_notify is let go after ``close_timeout``.

        Stock Twisted's ``loseConnection`` waits for it without end.
        """
        server, port = await self.secure(Limits(close_timeout=0.5))
        _, sock = await in_thread(self.dial_openssl, port)
        self.addCleanup(sock.close)
        await eventually(lambda: bool(self.receivers) and bool(self.receivers[0].calls))
        begun = time.monotonic()
        self.receivers[0].stream.close()
        await self.receivers[0].until(lambda: self.receivers[0].is_lost)
        self.assertLess(time.monotonic() - begun, 5)
        await eventually(lambda: server.stats.active == 0)

    async def test_drain(self) -> None:
        """A stop answers what was received, then says goodbye."""

        def ask(port: int) -> ssl.SSLSocket:
            sock = self.dial(port)
            sock.sendall(frame(b"first"))
            assert read_frame(sock) == b"first"
            return sock

        server, port = await self.messages()
        sock = await in_thread(ask, port)
        self.addCleanup(sock.close)
        sock.sendall(frame(b"last"))
        stopped = server.stop(10)
        self.servers.remove(server)
        self.assertEqual(await in_thread(read_all, sock), frame(b"last"))
        sock.close()
        await stopped
        self.assertEqual(server.stats.messages_out, 2)

    async def test_abort(self) -> None:
        """The grace is over."""
        server, port = await self.secure()
        _, sock = await in_thread(self.dial_openssl, port)
        self.addCleanup(sock.close)
        await eventually(lambda: bool(self.receivers) and bool(self.receivers[0].calls))
        await self.stop(server)
        self.assertIsInstance(self.receivers[0].reason, ServerStopping)
