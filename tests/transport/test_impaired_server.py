"""Servers whose connections take a detour, on real sockets: limits, listeners and the end."""

from __future__ import annotations

import gc
import socket
import ssl
import struct
import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import PrivateCertificate

from netlab.errors import (
    ConnectionReset,
    HandshakeTimeout,
    ServerStopping,
    WriteTimeout,
)
from netlab.impair import StreamLink, parse_stream
from netlab.transport import Limits, hub_for
from netlab.transport.impaired import ImpairedStream
from tests.transport.detours import Tape, detours
from tests.transport.support import (
    DEADLINE,
    LOOPBACK,
    TWISTED_USES_X509,
    Foreign,
    Lazy,
    Recorder,
    ServerCase,
    dial,
    eventually,
    in_thread,
    reactor,
    read_all,
    read_exactly,
)
from tests.transport.tls import AUTHORITY, TLSCase

pytestmark = TWISTED_USES_X509

DATA = bytes(range(256)) * 200  # far more than the links with a limit hold
WORDS = (
    None,
    "delay 5ms 4ms",
    "in delay 2ms 2ms out delay 2ms 2ms",
    "in rate 50mbit limit 5k out rate 80mbit limit 3k",
    "in segment 2000 9000 out segment 1000 20000",
    "in stall 2% 5ms out stall 2% 5ms",
)
SOMEWHERE = "reset 10% seed 7"
_RESET = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
"""What a client is told: by the call that it is in, and by TLS in another way."""


def ask(sock: Any, data: bytes) -> bytes:
    """Sends ``data``, reading the answer meanwhile, and ends; returns what came back."""

    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        return read_exactly(sock, len(data))
    finally:
        sending.join()


def ask_by_turns(sock: Any, data: bytes) -> bytes:
    """The same by one thread and without an end: Python's TLS can do neither."""
    came = bytearray()
    for at in range(0, len(data), 20_000):
        sock.sendall(data[at : at + 20_000])
        came += read_exactly(sock, len(data[at : at + 20_000]))
    return bytes(came)


class Sitting(Lazy):
    """Echoes for ever, whatever it is told."""

    def __init__(self) -> None:
        super().__init__(echo=True)


class Bytes(TLSCase):
    """None lost, none changed, none out of order, on each kind of listener."""

    async def check(self, server: Any) -> None:
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual((server.stats.accepted, server.stats.errors), (1, {}))
        self.assertEqual((server.stats.bytes_in, server.stats.bytes_out), (len(DATA),) * 2)
        self.assertEqual(bytes(self.receivers.pop().received), DATA)
        await self.stop(server)
        self.assertEqual(hub_for(reactor).descriptors, {})

    async def test_tcp(self) -> None:
        for words in WORDS:
            tape = Tape()
            server, port = await self.serve(detours=detours(words, tape))
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
                name = sock.getsockname()
                self.assertEqual(await in_thread(ask, sock, DATA), DATA)
                self.assertEqual(await in_thread(read_all, sock), b"")
            await self.check(server)
            (flow,) = tape.flows
            self.assertEqual(flow.said, {"in": DATA, "out": DATA})
            self.assertEqual((flow.peer, flow.host), (name, ("127.0.0.1", port)))
            self.assertEqual(flow.end, ("", False, "in"))

    async def test_tls(self) -> None:
        for words in WORDS:
            tape = Tape()
            server, port = await self.serve(self.endpoint, detours=detours(words, tape))
            sock = await in_thread(self.dial, port)
            with sock:
                self.assertEqual(await in_thread(ask_by_turns, sock, DATA), DATA)
                sock = await in_thread(sock.unwrap)
                self.assertEqual(await in_thread(read_all, sock), b"")
            await self.check(server)
            self.assertEqual(tape.flows[0].said, {"in": DATA, "out": DATA})

    async def test_unix(self) -> None:
        """Connections have no addresses there; the record tells them apart all the same."""
        tape = Tape()
        path = f"{self.folder}/socket"
        server, _ = await self.serve(f"unix:{path}", detours=detours(WORDS[1], tape))
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(DEADLINE)
                sock.connect(path)
                self.assertEqual(await in_thread(ask, sock, DATA), DATA)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual([flow.said["in"] for flow in tape.flows], [DATA, DATA])
        self.assertEqual([flow.peer for flow in tape.flows], [("0.0.0.0", 1), ("0.0.0.0", 2)])

    async def test_foreign(self) -> None:
        """Endpoints that bring transports of their own are impaired as well, on TLS too."""
        for tls in (None, twisted_tls()):
            for words in WORDS:
                tape = Tape()
                server, port = await self.serve(Foreign(tls), detours=detours(words, tape))
                if tls is None:
                    sock: Any = socket.create_connection(("127.0.0.1", port), DEADLINE)
                else:
                    sock = await in_thread(self.dial, port)
                with sock:
                    asking = ask if tls is None else ask_by_turns
                    self.assertEqual(await in_thread(asking, sock, DATA), DATA)
                    if tls is not None:
                        sock = await in_thread(sock.unwrap)
                await self.check(server)
                self.assertEqual(tape.flows[0].said, {"in": DATA, "out": DATA})

    async def test_behind_a_balancer(self) -> None:
        """The address that counts, for the seed and the record, is the one in the header."""
        tape = Tape()
        server, port = await self.serve(
            f"haproxy:{LOOPBACK}", detours=detours(f"in {SOMEWHERE}", tape)
        )
        sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
        with sock:
            sock.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.9 4007 8032\r\nhello")
            await eventually(lambda: len(self.receivers) == 1)
            receiver = self.receivers[0]
            await receiver.until(lambda: bytes(receiver.received) == b"hello")
            sock.sendall(DATA)
            await receiver.until(lambda: receiver.is_lost)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(len(receiver.received), place("in", "192.0.2.7"))
        (flow,) = tape.flows
        self.assertEqual((flow.peer, flow.host), (("192.0.2.7", 4007), ("192.0.2.9", 8032)))
        self.assertTrue(flow.said["in"].startswith(b"hello\x00\x01"))


def place(direction: str, host: str) -> int:
    """Where ``SOMEWHERE`` resets the connections from ``host``, in bytes."""
    impairment = parse_stream(f"{direction} {SOMEWHERE}")
    conditions: Any = impairment.inward if direction == "in" else impairment.outward
    link = StreamLink(conditions, seed=7, direction=direction, host=host)
    link.offer(0.0, bytes(1 << 20))
    return sum(map(len, link.take(0.0)))


class Resets(TLSCase):
    """The client is told, whatever kind of listener it is; what came before is not lost."""

    async def client(self, endpoint: Any, secure: bool, words: str) -> tuple[Any, Any]:
        """A server impaired by ``words``, and a client of it."""
        server, port = await self.serve(endpoint, detours=detours(words))
        sock = await in_thread(self.dial if secure else dial, port)
        self.addCleanup(sock.close)
        await eventually(lambda: len(self.receivers) == 1 and bool(self.receivers[0].calls))
        return server, sock

    def endpoints(self) -> tuple[tuple[Any, bool], ...]:
        """Each kind of listener, and whether it takes TLS."""
        return (
            (LOOPBACK, False),
            (self.endpoint, True),
            (Foreign(), False),
            (Foreign(twisted_tls()), True),
        )

    async def check(self, server: Any) -> Recorder:
        """The connection ended by a reset, which is counted; returns its receiver."""
        receiver = self.receivers.pop()
        await receiver.until(lambda: receiver.is_lost)
        self.assertIsInstance(receiver.reason, ConnectionReset)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {"connection_reset": 1})
        return receiver

    async def test_out(self) -> None:
        """All that comes before is read first, be it after the reset came."""
        for endpoint, secure in self.endpoints():
            for late in (False, True):
                server, sock = await self.client(endpoint, secure, SOMEWHERE)
                reading = None if late else Deferred.fromCoroutine(in_thread(read_to_reset, sock))
                self.receivers[0].stream.write(DATA)
                await self.check(server)
                size = await (reading or in_thread(read_to_reset, sock))
                self.assertEqual(size, place("out", "127.0.0.1"))

    async def test_in(self) -> None:
        for endpoint, secure in self.endpoints():
            server, sock = await self.client(endpoint, secure, f"in {SOMEWHERE}")
            size = await in_thread(send_to_reset, sock, DATA)
            receiver = await self.check(server)
            self.assertEqual(len(receiver.received), place("in", "127.0.0.1"))
            self.assertLessEqual(size, len(receiver.received))


def read_to_reset(sock: Any) -> int:
    """How many bytes come before the reset."""
    size = 0
    try:
        while data := sock.recv(1000):
            size += len(data)
    except _RESET:
        return size
    raise AssertionError("no reset")


def send_to_reset(sock: Any, data: bytes) -> int:
    """Sends what it can of ``data``; how many bytes come before the reset."""
    try:
        sock.sendall(data)
    except _RESET:
        return 0  # it was quick, and who has been told is not told again
    return read_to_reset(sock)


def twisted_tls() -> Any:
    """What an endpoint needs to speak TLS as Twisted does."""
    made = AUTHORITY.issue_cert("localhost")
    pem = made.private_key_pem.bytes() + made.cert_chain_pems[0].bytes()
    return PrivateCertificate.loadPEM(pem).options()


class Limited(ServerCase):
    async def test_max_connections(self) -> None:
        """A connection counts once, and as long as anything of it is under way."""
        limits = Limits(max_connections=2, close_timeout=0.1)
        server, port = await self.serve(limits=limits, detours=detours("delay 60s"))
        first, _ = self.dial(port), self.dial(port)
        await eventually(lambda: server.stats.active == 2)
        self.assertIn(await self.ends(self.dial(port)), (b"", "reset"))
        self.receivers[0].stream.write(b"bye")
        self.receivers[0].stream.close()
        await self.receivers[0].until(lambda: self.receivers[0].is_lost)
        self.assertEqual(server.stats.active, 2)
        self.assertIn(await self.ends(self.dial(port)), (b"", "reset"))
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        first.close()
        await eventually(lambda: server.stats.active == 1)
        self.assertEqual(server.stats.refused, {"max_connections": 2})

    async def test_write_timeout(self) -> None:
        """A peer that reads nothing is cut, one that reads a little is not."""
        timeout = 1000.0  # the test tells when it is over
        limits = Limits(write_timeout=timeout, high_water=1 << 20, max_buffered=1 << 25)
        server, port = await self.serve(limits=limits, detours=detours("delay 1ms limit 1m"))

        def overdue(receiver: Recorder) -> bool:
            """Whether it is cut when nothing has moved for so long."""
            receiver.stream.check(server._hub.time() + timeout)
            return receiver.is_lost

        sock = self.dial(port)
        await eventually(lambda: len(self.receivers) == 1)
        (receiver,) = self.receivers
        stream = receiver.stream
        stream.write(bytes(1 << 24))
        await eventually(lambda: 0 < stream._in_kernel() < stream._unread)
        for _ in range(3):
            while stream._in_kernel() >= stream._unread:
                await in_thread(sock.recv, 100_000)
            self.assertFalse(overdue(receiver))
        await eventually(lambda: overdue(receiver))
        self.assertIsInstance(receiver.reason, WriteTimeout)

    async def test_crowd(self) -> None:
        """Many at once, and nothing of them is left."""
        words = "in delay 20ms 10ms segment 10 20 out delay 20ms 10ms stall 10% 50ms"
        limits = Limits()
        server, port = await self.serve(
            "tcp:0:backlog=300:interface=127.0.0.1", limits, detours=detours(words)
        )
        hub = hub_for(reactor)
        count = 200

        def ask_all() -> list[bytes]:
            """All send before any of them reads."""
            socks = [dial(port) for _ in range(count)]
            try:
                for number, sock in enumerate(socks):
                    sock.sendall(b"%6d" % number * 10)
                return [read_exactly(sock, 60) for sock in socks]
            finally:
                for sock in socks:
                    sock.close()

        answers = await in_thread(ask_all)
        self.assertEqual(answers, [b"%6d" % number * 10 for number in range(count)])
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.accepted, count)
        self.assertEqual(server.streams, set())
        self.assertEqual(server.stats.errors, {})
        await self.stop(server)
        await eventually(lambda: not hub._soon)
        self.assertEqual((hub.descriptors, hub._tickers, hub.dirty), ({}, set(), []))
        self.assertEqual(hub._alarms._heap, [])
        self.receivers.clear()
        gc.collect()
        streams = [each for each in gc.get_objects() if isinstance(each, ImpairedStream)]
        self.assertEqual([each for each in streams if each.limits is limits], [])


class Handshakes(TLSCase):
    """Who only shakes hands is a connection as any other."""

    async def connecting(self, limits: Limits | None = None) -> tuple[Any, int, socket.socket]:
        """A server, its port, and a client that says nothing."""
        limits = limits or Limits(handshake_timeout=60)
        server, port = await self.serve(self.endpoint, limits, detours=detours("delay 1ms", Tape()))
        sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.addCleanup(sock.close)
        await eventually(lambda: server.stats.accepted == 1)
        return server, port, sock

    async def test_timeout(self) -> None:
        server, _, sock = await self.connecting(Limits(handshake_timeout=0.3))
        with self.assertRaises(ConnectionResetError):
            await in_thread(read_all, sock)
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {HandshakeTimeout.kind: 1})
        self.assertEqual(self.receivers[0].calls, [])

    async def test_hangs_up(self) -> None:
        server, _, sock = await self.connecting()
        sock.close()
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {"tls_failed": 1})
        self.assertEqual(self.receivers[0].calls, [])

    async def test_stop(self) -> None:
        """It is not waited for."""
        server, _, sock = await self.connecting()
        await self.stop(server, 60)
        self.assertEqual(await in_thread(read_all, sock), b"")
        self.assertEqual(server.stats.errors, {})

    async def test_stop_at_once(self) -> None:
        server, _, sock = await self.connecting()
        await self.stop(server, 0)
        with self.assertRaises(ConnectionResetError):
            await in_thread(read_all, sock)

    async def test_counts(self) -> None:
        """For ``max_per_address`` too."""
        for limit in ("max_per_address", "max_connections"):
            limits = Limits(handshake_timeout=60, **{limit: 1})
            server, port, sock = await self.connecting(limits)
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as more:
                self.assertEqual(await in_thread(read_all, more), b"")
            self.assertEqual(sum(server.stats.refused.values()), 1)
            sock.close()
            await eventually(lambda: server.stats.active == 0)  # noqa: B023
            sock = await in_thread(self.dial, port)
            sock.close()


class Stopping(ServerCase):
    """What is under way is waited for, as long as the grace lasts."""

    async def answering(self, words: str) -> tuple[Any, socket.socket]:
        """A server that has answered, and a client who waits for it."""
        server, port = await self.serve(limits=Limits(close_timeout=60), detours=detours(words))
        sock = self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        self.receivers[0].stream.write(b"answer")
        return server, sock

    async def test_drained(self) -> None:
        server, sock = await self.answering("delay 500ms")
        stopped = server.stop(60)
        self.servers.remove(server)
        self.assertEqual(await self.ends(sock), b"answer")
        self.assertFalse(stopped.called)
        sock.close()
        await stopped
        self.assertEqual((self.receivers[0].reason, server.stats.errors), (None, {}))

    async def test_longer_than_a_close(self) -> None:
        """Nor does ``close_timeout`` end it, which is over before."""
        server, port = await self.serve(
            limits=Limits(close_timeout=0.1), detours=detours("delay 400ms")
        )
        sock = self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        self.receivers[0].stream.write(b"answer")
        stopped = server.stop(20)
        self.servers.remove(server)
        await self.receivers[0].until(lambda: self.receivers[0].is_lost)
        self.assertIsNone(self.receivers[0].reason)
        self.assertEqual(await self.ends(sock), b"answer")
        await stopped

    async def test_grace(self) -> None:
        server, sock = await self.answering("delay 60s")
        await self.stop(server, 0.3)
        self.assertIsInstance(self.receivers[0].reason, ServerStopping)
        self.assertEqual(server.stats.errors, {"server_stopping": 1})
        self.assertEqual(await self.ends(sock), "reset")

    async def test_grace_for_what_is_left(self) -> None:
        """Also when the receiver's own end was long ago."""
        server, port = await self.serve(
            limits=Limits(close_timeout=0.1), detours=detours("delay 60s")
        )
        sock = self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        self.receivers[0].stream.write(b"answer")
        self.receivers[0].stream.close()
        await self.receivers[0].until(lambda: self.receivers[0].is_lost)
        await self.stop(server, 0.1)
        self.assertIsNone(self.receivers[0].reason)
        self.assertEqual(server.stats.errors, {"server_stopping": 1})
        self.assertEqual(await self.ends(sock), "reset")

    async def test_second_stop(self) -> None:
        server, sock = await self.answering("delay 60s")
        stopped = server.stop(60)
        await eventually(lambda: server.stopping)
        await self.stop(server, 0)
        await stopped
        self.assertEqual(await self.ends(sock), "reset")

    async def test_not_done(self) -> None:
        """A receiver that does not finish."""
        sitting = Sitting()
        server, port = await self.serve(make_receiver=lambda: sitting, detours=detours("delay 1ms"))
        sock = self.dial(port)
        await sitting.until(lambda: bool(sitting.calls))
        await self.stop(server, 0.2)
        self.assertIsInstance(sitting.reason, ServerStopping)
        self.assertEqual(await self.ends(sock), "reset")

    async def test_no_receiver(self) -> None:
        """An application that fails to build one costs a connection, nothing else."""

        def fail() -> Recorder:
            raise ZeroDivisionError("on purpose")

        server, port = await self.serve(make_receiver=fail, detours=detours("delay 1ms"))
        self.assertIn(await self.ends(self.dial(port)), (b"", "reset"))
        self.assertEqual(server.stats.errors, {"handler_failed": 1})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
