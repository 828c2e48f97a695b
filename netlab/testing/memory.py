"""A message server and its clients in memory: the whole of netlab, without a network.

::

    def test_shout(self) -> None:
        with pair(Shout, faults=Faults(seed=7, chunk=3)) as link:
            self.assertEqual(link.run(link.client.request(b"hello")), b"HELLO")

No time passes but what ``advance`` and ``run`` let pass, so a time-out of ten
minutes is tested in no time, and nothing depends on how busy the machine is.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from netlab.errors import ConnectFailed
from netlab.framing import Framing, LengthPrefix
from netlab.message.client import CLIENT_LIMITS, Backoff, MessageClient
from netlab.message.connection import MessageConnection
from netlab.message.protocol import MessageProtocol
from netlab.message.server import Application, MessageServer
from netlab.transport import Limits, Stats, Stream
from netlab.transport.sockets import SocketStream

from .network import Faults, MemoryHub, MemorySocket, socket_pair

R = TypeVar("R")
_PATIENCE = 24 * 3600.0


class MemoryServer:
    """A ``MessageServer`` in memory, and the clock that it and its clients live by."""

    def __init__(
        self,
        app: Application,
        *,
        framing: Framing | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        self.faults = faults or Faults()
        self.server = MessageServer(
            app, reactor=self.clock, framing=framing, limits=limits, hub=self.hub
        )
        self.server.start()
        self.listening = True  # False: as if nobody were there, for clients that come back
        self.raw_peers: list[RawPeer] = []
        self.sockets: list[MemorySocket] = []

    @property
    def stats(self) -> Any:
        """The server's counters."""
        return self.server.stats

    @property
    def protocols(self) -> list[MessageProtocol]:
        """The protocols of the connections open now."""
        receivers: list[Any] = [each.receiver for each in self.server.streams.streams]
        return [each.app for each in receivers]

    # -- clients

    def connect(
        self,
        *,
        faults: Faults | None = None,
        limits: Limits = CLIENT_LIMITS,
        reconnect: Backoff | None = None,
        timeout: float = 10.0,
    ) -> MessageClient:
        """A connected ``MessageClient``; see ``netlab.connect`` for the options."""
        framing = self.server.framing

        def dial(connection: MessageConnection) -> Deferred[Stream]:
            return self._dial(connection, client.stats, faults, limits)

        client = MessageClient(
            self.clock,
            dial,
            framing=framing,
            limits=limits,
            timeout=timeout,
            backoff=reconnect,
            hub=self.hub,
            rng=random.Random(self.faults.seed),
        )
        self.run(client.open())
        return client

    def connect_raw(self, *, faults: Faults | None = None) -> RawPeer:
        """A peer that sends and reads plain bytes, as well or as badly as the test wants."""
        if self.server.streams.stopping:
            raise ConnectFailed("cannot connect: the server has stopped")
        peer = RawPeer(self, self._socket(faults))
        self.raw_peers.append(peer)
        return peer

    def _dial(
        self, connection: MessageConnection, stats: Stats, faults: Faults | None, limits: Limits
    ) -> Deferred[Stream]:
        """What a client's ``Dial`` does: the server is reached at once, or not at all."""
        if self.server.streams.stopping or not self.listening:
            return fail(ConnectFailed("cannot connect: the server has stopped"))
        here = self._socket(faults)
        end: Any = here
        stream = SocketStream(
            self.hub,
            end,
            connection,
            limits=limits,
            stats=stats,
            peer=here.peer.address,
            on_lost=lambda stream, reason: self.hub.stop_ticking(sweep),
            reads_when_full=True,
        )

        def sweep(now: float) -> None:
            if stream.next_check <= now:
                stream.check(now)

        self.hub.start_ticking(sweep)
        stream.start()
        return succeed(stream)

    def _socket(self, faults: Faults | None) -> MemorySocket:
        here, there = socket_pair(self.hub, faults or self.faults)
        end: Any = there
        self.server.streams.accepted(end, here.address)
        self.sockets.append(here)
        return here

    # -- time

    def advance(self, seconds: float = 0.0) -> None:
        """Lets ``seconds`` pass, each timer at its time; 0 does what is due now."""
        clock = self.clock
        target = clock.seconds() + seconds
        while True:
            calls = clock.getDelayedCalls()
            due = min((each.getTime() for each in calls), default=None)
            if due is None or due > target:
                break
            clock.advance(max(0.0, due - clock.seconds()))
        clock.advance(max(0.0, target - clock.seconds()))

    def run(self, waiting: Deferred[R] | Coroutine[Any, Any, R]) -> R:
        """Lets as much time pass as ``waiting`` needs; returns its result or raises its error.

        Raises ``AssertionError`` when a day has passed without one.
        """
        deferred = waiting if isinstance(waiting, Deferred) else ensureDeferred(waiting)
        results: list[Any] = []
        deferred.addBoth(results.append)
        self.advance()
        limit = self.clock.seconds() + _PATIENCE
        while not results:
            calls = self.clock.getDelayedCalls()
            if not calls or self.clock.seconds() > limit:
                raise AssertionError("it waits for something that never happens")
            soonest = min(each.getTime() for each in calls)
            self.advance(max(0.0, soonest - self.clock.seconds()))
        if isinstance(results[0], Failure):
            results[0].raiseException()
        result: R = results[0]
        return result

    def close(self) -> None:
        """Stops the server at once; afterwards nothing is left on the clock."""
        self.run(self.server.stop(0))
        for peer in self.raw_peers:
            peer.let_go()
        for sock in self.sockets:
            sock.drop()
            sock.peer.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Pair(MemoryServer):
    """A server with one client connected: ``client`` asks, ``server`` counts."""

    def __init__(self, app: Application, **options: Any) -> None:
        super().__init__(app, **options)
        self.client = self.connect()

    @property
    def protocol(self) -> MessageProtocol:
        """The server's protocol of the one connection."""
        (protocol,) = self.protocols
        return protocol

    @property
    def socket(self) -> MemorySocket:
        """The client's end of the latest connection: ``reset()`` it, or have a look at it."""
        return self.sockets[-1]

    def close(self) -> None:
        """Closes the client and stops the server."""
        self.run(self.client.close())
        super().close()


class RawPeer:
    """One end of a connection to a server in memory, in the hands of a test."""

    def __init__(self, server: MemoryServer, end: MemorySocket) -> None:
        self.server = server
        self.socket = end
        self.received = bytearray()
        self.ended = False
        self.reading = True
        server.hub.register(end.fileno(), self, 1)
        self.server.advance()

    def send(self, data: bytes) -> None:
        """Sends ``data``, all of it, letting no time pass; the server reacts at once."""
        rest = memoryview(data)
        while rest:
            try:
                sent = self.socket.send(rest.tobytes())
            except BlockingIOError:
                before = self.server.clock.seconds()
                self.server.advance()
                if self.socket.ready() & 4:
                    continue
                raise AssertionError(f"the server takes no more at {before} s") from None
            rest = rest[sent:]
        self.server.advance()

    def send_message(self, message: bytes) -> None:
        """Sends one message in the server's framing."""
        self.send(self.server.server.framing.encode(message))

    @property
    def messages(self) -> list[bytes]:
        """The whole messages received so far."""
        return self.server.server.framing.decoder().feed(bytes(self.received))

    def half_close(self) -> None:
        """Sends nothing more, but goes on reading."""
        self.socket.shutdown(1)
        self.server.advance()

    def reset(self) -> None:
        """Breaks the connection off."""
        self.socket.setsockopt(0, 13, b"")  # SO_LINGER
        self.let_go()
        self.server.advance()

    def close(self) -> None:
        """Closes; a reset if bytes are unread."""
        self.let_go()
        self.server.advance()

    def pause(self) -> None:
        """Reads nothing until ``resume``: a slow reader."""
        self.reading = False
        self.server.hub.unregister(self.socket.fileno())

    def resume(self) -> None:
        """Reads again."""
        if not self.reading and not self.socket.closed:
            self.reading = True
            self.server.hub.register(self.socket.fileno(), self, 1)
        self.server.advance()

    @property
    def was_reset(self) -> bool:
        """Whether the server (or the network) broke the connection off."""
        return self.socket.was_reset

    @property
    def gone(self) -> bool:
        """Whether the server has ended the connection, in one way or the other."""
        return self.ended or self.was_reset

    def let_go(self) -> None:
        """Closes its end without further ado."""
        self.server.hub.unregister(self.socket.fileno())
        self.socket.close()

    # -- as the hub's descriptor

    def readable(self) -> None:
        """Takes what is there."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self.let_go()
            return
        if not data:
            self.ended = True
            self.let_go()
        self.received += data

    def event(self, mask: int) -> None:
        """Errors and ends show themselves when read."""
        self.readable()

    def failed(self) -> None:
        """Never happens: nothing above raises."""

    def flush(self) -> None:
        """Nothing is queued here."""


def serve(app: Application, **options: Any) -> MemoryServer:
    """Serves ``app`` in memory; options are those of ``MemoryServer``."""
    return MemoryServer(app, **options)


def pair(
    app: Application,
    *,
    framing: Framing | None = None,
    limits: Limits | None = None,
    faults: Faults | None = None,
) -> Pair:
    """A server of ``app`` and one client, connected in memory.

    framing  of both; ``LengthPrefix()`` unless given
    limits   of the server
    faults   what happens to the bytes on their way, both ways
    """
    return Pair(app, framing=framing or LengthPrefix(), limits=limits, faults=faults)
