"""``Bridge``: endpoints that netlab does not know, from end to end."""

from __future__ import annotations

import os
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)

from netlab.errors import CloseTimeout, ConnectionReset, ServerStopping, WriteTimeout
from netlab.transport import Limits, Stream
from tests.transport.support import (
    TWISTED_USES_X509,
    Foreign,
    Peer,
    Recorder,
    TransportCase,
    connect_peer,
    eventually,
    reactor,
)

pytestmark = TWISTED_USES_X509


class Bridging(TransportCase):
    """What every bridged connection does; ``Encrypted`` does it again on TLS."""

    def endpoint(self) -> Foreign:
        return Foreign()

    def connect(self, port: int) -> Deferred[Peer]:
        """A peer of the server on ``port``."""
        return connect_peer(port)

    async def join(self, port: int) -> tuple[Peer, Recorder]:
        """A peer, and the receiver that serves it."""
        before = len(self.receivers)
        peer = await self.connect(port)
        await eventually(lambda: len(self.receivers) > before)
        receiver = self.receivers[-1]
        await receiver.until(lambda: bool(receiver.calls))
        return peer, receiver

    async def gone(self, receiver: Recorder) -> None:
        """The server has done with it, and counted it."""
        await eventually(lambda: receiver.is_lost, 5)
        await eventually(lambda: all(receiver.stream not in s.streams for s in self.servers))

    async def leave(self, peer: Peer) -> None:
        """The peer is gone, whatever the server does."""
        if peer.lost is None:
            peer.transport.abortConnection()
            await peer.until(lambda: peer.lost is not None)

    async def test_echo(self) -> None:
        """Bytes both ways, counted; an orderly end."""
        server, port = await self.serve(self.endpoint())
        self.assertEqual([each.port for each in server.addresses], [port])  # type: ignore[attr-defined]
        peer, receiver = await self.join(port)
        self.assertEqual(receiver.stream.peer, peer.transport.getHost())
        self.assertEqual(receiver.stream.host, peer.transport.getPeer())
        data = os.urandom(300_000)
        peer.transport.write(data)
        await peer.until(lambda: len(peer.received) == len(data))
        self.assertEqual(bytes(peer.received), data)
        peer.transport.loseConnection()
        await self.gone(receiver)
        self.assertIsNone(receiver.reason)
        self.assertEqual(receiver.calls[0], "connected")
        self.assertEqual(receiver.calls[-2:], ["end", "lost"])
        stats = server.stats
        self.assertEqual((stats.accepted, stats.active), (1, 0))
        self.assertEqual((stats.bytes_in, stats.bytes_out), (len(data), len(data)))
        await self.leave(peer)

    async def test_close(self) -> None:
        """What was written goes out, then the end."""
        _, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        receiver.stream.write(b"bye")
        receiver.stream.close()
        await peer.until(lambda: peer.over)
        self.assertEqual(bytes(peer.received), b"bye")
        peer.transport.loseConnection()
        await self.gone(receiver)
        self.assertIsNone(receiver.reason)
        await peer.until(lambda: peer.lost is not None)
        self.assertIsInstance(peer.lost, ConnectionDone)

    async def test_abort(self) -> None:
        """The peer sees that it was broken off."""
        _, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        receiver.stream.abort()
        await self.gone(receiver)
        await peer.until(lambda: peer.lost is not None)
        self.assertNotIsInstance(peer.lost, ConnectionDone)

    async def test_peer_aborts(self) -> None:
        """A reset is told as one."""
        server, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        peer.transport.write(b"x")
        await peer.until(lambda: peer.received == b"x")
        peer.transport.abortConnection()
        await self.gone(receiver)
        self.assertIsInstance(receiver.reason, ConnectionReset)
        self.assertEqual(server.stats.errors["connection_reset"], 1)
        await peer.until(lambda: peer.lost is not None)

    async def test_peer_aborts_while_held(self) -> None:
        """A receiver that reads nothing at the moment hears of a reset all the same.

        On a socket of netlab's own it does: a handler that still waits for
        something is cancelled when nobody is left to hear its answer.
        """
        _, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        receiver.stream.pause()
        await self.leave(peer)
        await self.gone(receiver)
        self.assertIsInstance(receiver.reason, ConnectionReset)

    async def test_slow_peer(self) -> None:
        """Output stops at the high-water mark, goes on when the peer reads, and is whole."""
        limits = Limits(max_buffered=64 << 20)
        _, port = await self.serve(self.endpoint(), limits)
        peer, receiver = await self.join(port)
        peer.transport.pauseProducing()
        stream, piece = receiver.stream, os.urandom(32 * 1024)
        written = 0
        while not stream.full:
            stream.write(piece)
            written += 1
            self.assertLess(written, 2000)
            if written % 16 == 0:
                await eventually(lambda: not stream._out or stream.full)
        self.assertLessEqual(stream.buffered, limits.high_water + 17 * len(piece))
        receiver.calls.clear()
        peer.transport.resumeProducing()
        await receiver.until(lambda: "can_write" in receiver.calls)
        self.assertFalse(stream.full)
        await peer.until(lambda: len(peer.received) == written * len(piece))
        self.assertEqual(bytes(peer.received), piece * written)
        await self.leave(peer)

    async def test_slow_receiver(self) -> None:
        """A receiver that reads nothing holds the peer back; then all comes, in order."""
        _, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        receiver.echo = False
        receiver.stream.pause()
        data = os.urandom(1 << 20) * 24
        peer.transport.write(data)
        bridge: Any = receiver.stream._sock
        await eventually(lambda: not bridge._reading)
        self.assertEqual(bytes(receiver.received), b"")
        self.assertLess(bridge._waiting, 1 << 20)
        receiver.stream.resume()
        await receiver.until(lambda: len(receiver.received) == len(data))
        self.assertEqual(bytes(receiver.received), data)
        await self.leave(peer)

    async def fill(self, stream: Stream) -> None:
        """Writes one piece that is more than the system takes for a peer that does not read."""
        stream.write(bytes(24 << 20))

    async def test_write_timeout(self) -> None:
        """A peer that never reads is cut, also when all was handed to the transport.

        Stock Twisted keeps the connection and its buffer for ever.
        """
        limits = Limits(write_timeout=0.5, max_buffered=64 << 20, idle_timeout=None)
        server, port = await self.serve(self.endpoint(), limits)
        peer, receiver = await self.join(port)
        peer.transport.pauseProducing()
        await self.fill(receiver.stream)
        try:
            await self.gone(receiver)
        finally:
            await self.leave(peer)
        self.assertIsInstance(receiver.reason, WriteTimeout)
        self.assertEqual(server.stats.errors["write_timeout"], 1)

    async def test_close_timeout(self) -> None:
        """A close with output that the peer does not read ends in time, and not as orderly."""
        limits = Limits(close_timeout=0.5, max_buffered=64 << 20)
        _, port = await self.serve(self.endpoint(), limits)
        peer, receiver = await self.join(port)
        peer.transport.pauseProducing()
        await self.fill(receiver.stream)
        receiver.stream.close()
        await self.gone(receiver)
        await self.leave(peer)
        self.assertIsInstance(receiver.reason, CloseTimeout)

    async def test_full(self) -> None:
        """Above ``max_connections`` the next one is refused and counted."""
        server, port = await self.serve(self.endpoint(), Limits(max_connections=1))
        peer, _ = await self.join(port)
        other = await connect_peer(port)
        try:
            await eventually(lambda: other.over, 2)
        finally:
            for each in (peer, other):
                await self.leave(each)
        self.assertEqual(server.stats.refused["max_connections"], 1)
        self.assertEqual(len(self.receivers), 1)

    async def test_stop(self) -> None:
        """A stop drains; grace aborts what is not done."""
        server, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        stopped = server.stop(5)
        await peer.until(lambda: peer.over)
        peer.transport.loseConnection()
        await stopped
        self.servers.remove(server)
        self.assertEqual(receiver.calls, ["connected", "drain", "lost"])
        await peer.until(lambda: peer.lost is not None)

    async def test_stop_at_once(self) -> None:
        """Without grace it aborts."""
        server, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        await self.stop(server)
        self.assertIsInstance(receiver.reason, ServerStopping)
        await peer.until(lambda: peer.lost is not None)
        self.assertIsInstance(peer.lost, (ConnectionLost, SSL.Error))


class Plain(Bridging):
    """On TCP, where half a connection can be closed."""

    async def test_half_close(self) -> None:
        """A request and an end: the answer still comes.

        Stock Twisted closes at the peer's end, and the answer is lost.
        """
        _, port = await self.serve(self.endpoint())
        for _ in range(20):
            peer, receiver = await self.join(port)
            peer.transport.write(b"hello")
            peer.transport.loseWriteConnection()
            await peer.until(lambda: peer.over)  # noqa: B023
            self.assertEqual(bytes(peer.received), b"hello")
            await self.gone(receiver)
            self.assertIsNone(receiver.reason)
            await self.leave(peer)

    async def test_lingering(self) -> None:
        """A close is a half-close: what the peer still says is read, not answered by a reset."""
        server, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        receiver.stream.write(b"bye")
        receiver.stream.close()
        await peer.until(lambda: peer.over)
        peer.transport.write(b"late")
        await eventually(lambda: server.stats.bytes_in == 4, 5)
        peer.transport.loseConnection()
        await self.gone(receiver)
        self.assertEqual((bytes(peer.received), bytes(receiver.received)), (b"bye", b""))

    async def test_reset_with_bytes_unread(self) -> None:
        """Also when something was left unread: a reset takes it away."""
        _, port = await self.serve(self.endpoint())
        peer, receiver = await self.join(port)
        receiver.stream.pause()
        peer.transport.write(b"x")
        await eventually(lambda: receiver.stream.get_handle()._waiting > 0)
        await self.leave(peer)
        await self.gone(receiver)
        self.assertIsInstance(receiver.reason, ConnectionReset)

    async def test_half_close_and_deaf(self) -> None:
        """A peer that has ended its side and reads nothing does not stay for ever.

        Stock Twisted's ``loseConnection`` waits for it without end.
        """
        limits = Limits(close_timeout=0.5, write_timeout=0.5, max_buffered=64 << 20)
        server, port = await self.serve(self.endpoint(), limits)
        peer, receiver = await self.join(port)
        transport = receiver.stream._sock.transport  # type: ignore[attr-defined]
        peer.transport.pauseProducing()
        await self.fill(receiver.stream)
        peer.transport.loseWriteConnection()
        try:
            await self.gone(receiver)
            self.assertEqual(server.stats.active, 0)
            await eventually(lambda: transport not in reactor.getWriters(), 5)
        finally:
            await self.leave(peer)
            await eventually(lambda: transport not in reactor.getReaders())


class Encrypted(Bridging):
    """On TLS through Twisted's own wrappers."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = trustme.CA()
        made = self.authority.issue_cert("localhost")
        pem = made.private_key_pem.bytes() + made.cert_chain_pems[0].bytes()
        self.options: CertificateOptions = PrivateCertificate.loadPEM(pem).options()

    def endpoint(self) -> Foreign:
        return Foreign(self.options)

    def connect(self, port: int) -> Deferred[Peer]:
        root = Certificate.loadPEM(self.authority.cert_pem.bytes())
        options = optionsForClientTLS("localhost", trustRootFromCertificates([root]))
        endpoint = wrapClientTLS(options, HostnameEndpoint(reactor, b"127.0.0.1", port))
        connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Peer))
        return connecting

    async def test_stalled_handshake(self) -> None:
        """Who never shakes hands is let go. Stock Twisted has no time-out for it."""
        server, port = await self.serve(self.endpoint(), Limits(handshake_timeout=0.3))
        peer = await connect_peer(port)
        await peer.until(lambda: peer.over)
        await self.leave(peer)
        self.assertEqual(self.receivers, [])
        self.assertEqual(server.stats.accepted, 0)

    async def test_handshakes_count(self) -> None:
        """A handshake under way takes a place: the limit holds whatever clients do."""
        server, port = await self.serve(self.endpoint(), Limits(max_connections=2))
        peers = [await connect_peer(port) for _ in range(4)]
        try:
            await eventually(lambda: sum(each.over for each in peers) >= 2, 2)
        finally:
            for each in peers:
                await self.leave(each)
        self.assertEqual(server.stats.refused["max_connections"], 2)

    async def test_stop_in_a_handshake(self) -> None:
        """A stop ends those who are still shaking hands: they have asked for nothing yet."""
        server, port = await self.serve(self.endpoint(), Limits(handshake_timeout=30))
        peer = await connect_peer(port)
        await eventually(lambda: self.bridges(server) == 1)
        await self.stop(server, 5)
        try:
            await eventually(lambda: peer.over, 2)
        finally:
            await self.leave(peer)

    def bridges(self, server: Any) -> int:
        """How many connections wait for their handshake."""
        return sum(1 for each in server._hub._tickers if type(each.__self__).__name__ == "Bridge")

    async def test_plain_client(self) -> None:
        """Who speaks no TLS harms nobody."""
        _, port = await self.serve(self.endpoint())
        stranger = await connect_peer(port)
        stranger.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await stranger.until(lambda: stranger.over)
        await self.leave(stranger)
        peer, _ = await self.join(port)
        peer.transport.write(b"hello")
        await peer.until(lambda: peer.received == b"hello")
        await self.leave(peer)


del Bridging  # only its two kinds are run
