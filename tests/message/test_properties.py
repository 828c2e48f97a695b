"""Properties of the whole: whatever the network, the peers and the handlers do.

Stock Twisted loses them in one way or another: messages come twice after a
pause, or after ``loseConnection()``; an ``async def`` is never awaited; replies
are lost at a half-close; a peer that never reads keeps its connection for ever.
"""

from __future__ import annotations

import gc
import random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import Backoff, ConnectionClosed, DeadlineExceeded, Limits, MessageClient, NetlabError
from netlab.testing import Faults, RawPeer, pair, serve

from .support import ACTIONS, ANSWERING, BIG, FRAMING, Broken, Script, ScriptFactory, blank, logged

LIMITS = Limits(
    idle_timeout=60,
    frame_timeout=10,
    write_timeout=10,
    close_timeout=2,
    high_water=8 * 1024,
    low_water=2 * 1024,
    max_buffered=20 * 1024,
)

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # no long explanations

faults = st.builds(
    Faults,
    seed=st.integers(0, 1 << 16),
    chunk=st.none() | st.integers(10, 300),
    coalesce=st.sampled_from((0.0, 0.5, 1.0)),
    delay=st.sampled_from((0.0, 0.1)),
    jitter=st.sampled_from((0.0, 1.0)),
    capacity=st.sampled_from((500, 8 * 1024)),
)
times = st.sampled_from((0.0, 0.1, 0.5, 3.0, 11.0, 70.0))


def command(kind: bytes, number: int, size: int = 0) -> bytes:
    """A message for ``Script``: what to do, and a number to know it by."""
    return (kind + number.to_bytes(4, "big")).ljust(size, b".")


class Answers(SynchronousTestCase):
    """The right answers, once and in order, for any network and any mix of handlers."""

    @settings(max_examples=40, phases=PHASES)
    @given(
        faults=faults,
        script=st.lists(
            st.tuples(st.sampled_from(sorted(ANSWERING)), st.sampled_from((0, 100, 3000))),
            max_size=12,
        ),
        burst=st.integers(1, 60) | st.sampled_from((255, 256, 257, 400)),
    )
    def test_in_order(self, faults: Faults, script: list[tuple[bytes, int]], burst: int) -> None:
        messages = [command(kind, n, size) for n, (kind, size) in enumerate(script)]
        messages[1:1] = [command(b"s", 1000 + n) for n in range(burst)] if messages else []
        factory = ScriptFactory()
        with pair(factory, faults=faults) as link:
            factory.clock = link.clock

            async def send() -> None:
                for each in messages:
                    await link.client.send(each)

            sending = ensureDeferred(send())
            wanted = [each for each in messages if each[:1] not in (b"n", b"N")]
            got = [link.run(link.client.receive()) for _ in wanted]
            link.run(sending)
            link.advance(60)
            self.assertEqual(got, wanted)
            self.assertEqual(factory.made[0].calls, messages)
            self.assertEqual(factory.made[0].faults, [])
        link.advance(2)  # what is under way lands
        self.assertTrue(blank(link))


class Peer:
    """A client that does as it likes with what it has to send."""

    def __init__(self, raw: RawPeer, protocol: Script) -> None:
        self.raw = raw
        self.protocol = protocol
        self.wire = bytearray()
        self.sent: list[bytes] = []
        self.left = False

    def put(self, most: int) -> None:
        """Sends up to ``most`` bytes of what it has, as far as it goes."""
        while most > 0 and self.wire:
            try:
                sent = self.raw.socket.send(bytes(self.wire[:most]))
            except OSError:
                break
            del self.wire[:sent]
            most -= sent
        self.raw.server.advance()

    def half_close(self) -> None:
        if not self.raw.gone and not self.left:
            try:
                self.raw.half_close()
            except OSError:
                pass  # it was shut or lost already


peers = st.integers(0, 2)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("queue"), peers, st.sampled_from(sorted(ACTIONS)), st.integers(1, 3)),
        st.tuples(st.just("queue"), peers, st.just(b"s"), st.sampled_from((255, 257, 600))),
        st.tuples(st.just("put"), peers, st.sampled_from((1, 3, 7, 100, 1 << 20))),
        st.tuples(st.just("put"), peers, st.just(1 << 20)),
        st.tuples(st.just("garbage"), peers),
        st.tuples(st.sampled_from(("pause", "resume", "half_close", "reset", "close")), peers),
        st.tuples(st.just("send"), peers, st.sampled_from((0, 100, 5000, 30000))),
        st.tuples(st.sampled_from(("server close", "server abort")), peers),
        st.tuples(st.just("advance"), times),
        st.tuples(st.just("stop"), times),
    ),
    max_size=25,
)


class Run:
    """One random life of a server and its clients."""

    def __init__(self, faults: Faults) -> None:
        self.factory = ScriptFactory()
        self.link = serve(self.factory, limits=LIMITS, faults=faults)
        self.factory.clock = self.link.clock
        self.peers = [self.connect() for _ in range(3)]
        self.count = 0
        self.stops: list[Deferred[None]] = []

    def connect(self) -> Peer:
        raw = self.link.connect_raw()
        return Peer(raw, self.factory.made[-1])

    def do(self, name: str, *arguments: Any) -> None:
        if name == "advance":
            self.link.advance(*arguments)
        elif name == "stop":
            self.stops.append(self.link.server.stop(*arguments))
            self.link.advance()
        else:
            self.with_peer(name, self.peers[arguments[0]], *arguments[1:])
        for stream in self.link.server.streams.streams:
            most = LIMITS.max_buffered + 30000 + 8
            assert stream.buffered <= most, f"{stream.buffered} bytes wait"

    def with_peer(self, name: str, peer: Peer, *arguments: Any) -> None:
        raw, protocol = peer.raw, peer.protocol
        if name == "queue":
            kind, times = arguments
            for _ in range(times):
                message = command(kind, self.count)
                self.count += 1
                peer.sent.append(message)
                peer.wire += FRAMING.encode(message)
        elif name == "garbage":
            peer.wire += b"\xff" * 8
        elif name == "put":
            peer.put(*arguments)
        elif name == "half_close":
            peer.half_close()
        elif name in ("pause", "resume", "reset", "close"):
            if not raw.gone and not peer.left:
                peer.left = name in ("reset", "close")
                getattr(raw, name)()
        elif name == "send":
            if not protocol.over and not protocol.reasons:
                protocol.push(bytes(arguments[0]))
        else:
            protocol.end(protocol.close if name == "server close" else protocol.abort)
        self.link.advance()

    def finish(self) -> None:
        for peer in self.peers:
            if not peer.raw.gone and not peer.left:
                peer.raw.resume()
        self.link.advance(3600)
        self.link.close()
        self.link.advance(1)  # a handler may have more to do when it is cancelled

    def check(self) -> None:
        for peer in self.peers:
            protocol = peer.protocol
            assert protocol.faults == [], protocol.faults
            assert len(protocol.reasons) == 1, f"disconnected {len(protocol.reasons)} times"
            assert protocol.calls == peer.sent[: len(protocol.calls)], "messages out of order"
            got = peer.raw.messages
            assert got == protocol.answers[: len(got)], "answers out of order"
        assert all(each.called for each in self.stops), "stop() never ended"
        assert blank(self.link), "something is left"


class Life(SynchronousTestCase):
    """Any sequence of operations ends well: no error of netlab's own, nothing left behind."""

    def live(self, faults: Faults, operations: list[Any]) -> None:
        with logged("internal error", "Unhandled") as lines:
            run = Run(faults)
            for each in operations:
                run.do(*each)
            run.finish()
            run.check()
        self.assertEqual(lines, [])
        self.flushLoggedErrors(Broken, TypeError)

    @settings(max_examples=80, phases=PHASES)
    @given(faults=faults, operations=operations)
    def test_ends_well(self, faults: Faults, operations: list[Any]) -> None:
        self.live(faults, operations)


calls = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(sorted(ANSWERING)), st.sampled_from((0, 3000))),
        st.tuples(st.just("request"), st.sampled_from((b"s", b"d", b"h", b"c", b"x")), times),
        st.tuples(st.just("receive"), times),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.sampled_from(("reset", "end", "close", "abort", "unplug", "plug"))),
        st.tuples(st.just("advance"), times),
    ),
    max_size=20,
)


class Clients(SynchronousTestCase):
    """Any use of a client ends well: every call returns, and no error is left unhandled."""

    @settings(max_examples=60, phases=PHASES)
    @given(faults=faults, calls=calls, attempts=st.sampled_from((None, 0, 3)))
    def test_ends_well(self, faults: Faults, calls: list[Any], attempts: int | None) -> None:
        with logged("internal error", "Unhandled") as lines:
            self.live(faults, calls, attempts)
            gc.collect(1)  # unhandled errors show when their Deferreds go
        self.flushLoggedErrors(Broken)
        self.assertEqual(lines, [])

    def live(self, faults: Faults, calls: list[Any], attempts: int | None) -> None:
        factory = ScriptFactory()
        link = serve(factory, limits=LIMITS, faults=faults)
        factory.clock = link.clock
        reconnect = None if attempts is None else Backoff(attempts=attempts)
        client = link.connect(limits=LIMITS, reconnect=reconnect, timeout=5)
        running: list[Deferred[Any]] = []
        results: list[Any] = []
        for n, (name, *arguments) in enumerate(calls):
            if name == "advance":
                link.advance(*arguments)
            elif name == "reset":
                link.sockets[-1].reset()
            elif name == "end" and link.protocols:
                link.protocols[-1].close()
            elif name in ("plug", "unplug"):
                link.listening = name == "plug"
            elif name == "abort":
                client.abort()
            elif name == "cancel" and running:
                running[arguments[0] % len(running)].cancel()
            elif name in ("send", "request", "receive", "close"):
                running.append(ensureDeferred(self.call(client, n, name, arguments)))
                running[-1].addBoth(results.append)
            link.advance()
        link.advance(100)
        link.run(client.close())
        link.advance(1)
        self.assertEqual(len(results), len(running), "a call never returned")
        self.assertFalse(client.connected)
        self.assertRaises(NetlabError, link.run, client.send(b"s"))
        link.close()
        self.assertTrue(blank(link), "something is left")

    async def call(self, client: MessageClient, n: int, name: str, arguments: list[Any]) -> None:
        try:
            if name == "send":
                await client.send(command(arguments[0], n, arguments[1]))
            elif name == "request":
                await client.request(command(arguments[0], n), timeout=arguments[1])
            elif name == "receive":
                await client.receive(timeout=arguments[0])
            else:
                await client.close()
        except (ConnectionClosed, DeadlineExceeded, NetlabError):
            pass


class Stampede(SynchronousTestCase):
    """Fifty clients, of whom some are cut off all the time: the others get their answers."""

    def test_others_are_served(self) -> None:
        rng = random.Random(5)
        factory = ScriptFactory()
        link = serve(factory, faults=Faults(seed=5, chunk=200, coalesce=0.3, jitter=0.05))
        factory.clock = link.clock
        crowd = [link.connect() for _ in range(50)]
        sockets = link.sockets[-50:]
        for turn in range(10):
            for victim in rng.sample(range(50), 2):
                if rng.random() < 0.7:
                    sockets[victim].reset()
                else:
                    link.run(crowd[victim].close())
                crowd[victim] = link.connect()
                sockets[victim] = link.sockets[-1]
            asked = [
                (
                    client,
                    command(rng.choice((b"s", b"r", b"f", b"d", b"w")), turn, 1 + n * BIG // 50),
                )
                for n, client in enumerate(crowd)
            ]
            running = [ensureDeferred(client.request(message)) for client, message in asked]
            for request, (_, message) in zip(running, asked, strict=True):
                self.assertEqual(link.run(request), message)
        self.assertEqual([each.faults for each in factory.made if each.faults], [])
        self.assertEqual(link.stats.active, 50)
        for client in crowd:
            link.run(client.close())
        link.close()
        self.assertTrue(blank(link))
        self.assertEqual({len(each.reasons) for each in factory.made}, {1})
