"""Connections: deadlines, half-close and drain. On a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred

from netlab.http import HttpLimits, Request, Response
from netlab.testing import Faults

from .support import (
    GET,
    ServingCase,
    Waiting,
    answers,
    get,
    request,
)

CLOSE = ("Connection: close",)


class Deadlines(ServingCase):
    """All times are from the first byte, not the last one."""

    def test_slow_head(self) -> None:
        """A byte a second lives for ten seconds, not for ever."""
        link = self.serve()
        peer = link.connect_raw()
        link.advance(30)
        head = get("/", "A: " + "b" * 100)
        sent = 0
        while not peer.gone and sent < 60:
            peer.send(head[sent : sent + 1])
            sent += 1
            link.advance(1)
        self.assertEqual(self.statuses(peer), [408])
        self.assertIn(sent, (10, 11))
        link.advance(3)
        self.assertEqual(link.stats.errors, {"frame_timeout": 1})

    def test_slow_second_head(self) -> None:
        link = self.serve()
        peer = link.connect_raw()
        peer.send(GET + GET[:5])
        link.advance(9)
        self.assertFalse(peer.gone)
        link.advance(2)
        self.assertEqual(self.statuses(peer), [200, 408])

    def test_head_behind_a_slow_handler(self) -> None:
        """Its clock starts when it is its turn."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(GET + GET[:5])
        link.advance(60)
        handler.waiting[0].callback(Response())
        link.advance(9)
        self.assertFalse(peer.gone)
        peer.send(GET[5:])
        self.assertEqual(len(handler.waiting), 2)

    def test_empty_lines(self) -> None:
        """They do not keep a connection open, in whatever pieces they come."""
        for pieces in ((b"\r\n",), (b"\r", b"\n"), (b"\r", b"\n\r", b"\n"), (b"\r\n\r",)):
            link = self.serve()
            peer = link.connect_raw()
            peer.send(GET)
            seconds = 0
            while not peer.gone and seconds < 1000:
                for piece in pieces:
                    if not peer.gone:
                        peer.send(piece)
                        link.advance(1)
                        seconds += 1
            self.assertLess(seconds, 90, pieces)
            self.assertIn(self.statuses(peer), ([200], [200, 400], [200, 408]))

    def test_empty_line_and_head(self) -> None:
        """A head behind an empty line has as much time as any other, and so has what follows."""
        link = self.serve()
        peer = link.connect_raw()
        peer.send(b"\r\n")
        link.advance(70)
        peer.send(GET[:5])
        link.advance(9)
        peer.send(GET[5:])
        link.advance(70)
        peer.send(GET)
        self.assertEqual(self.statuses(peer), [200, 200])
        link.advance(70)
        self.assertFalse(peer.gone)
        link.advance(10)
        self.assertTrue(peer.gone)

    def test_idle(self) -> None:
        """Silence between requests; it is no error, and nothing is said."""
        link = self.serve()
        silent, used = link.connect_raw(), link.connect_raw()
        link.advance(60)
        used.send(GET)
        link.advance(16)
        self.assertTrue(silent.ended)
        self.assertEqual(silent.received, b"")
        self.assertFalse(used.gone)
        link.advance(60)
        self.assertTrue(used.ended)
        self.assertEqual(self.statuses(used), [200])
        self.assertEqual(link.stats.errors, {})

    def test_slow_handler(self) -> None:
        """No deadline is on the handler, and the idle one starts after it."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(GET)
        link.advance(1000)
        handler.waiting[0].callback(Response())
        link.advance(70)
        self.assertEqual(self.statuses(peer), [200])
        self.assertFalse(peer.gone)
        link.advance(10)
        self.assertTrue(peer.ended)

    def test_none(self) -> None:
        limits = HttpLimits(idle_timeout=None, frame_timeout=None, body_timeout=None)
        link = self.serve(limits=limits)
        peer = link.connect_raw()
        link.advance(10_000)
        peer.send(GET[:5])
        link.advance(10_000)
        peer.send(GET[5:])
        self.assertEqual(self.statuses(peer), [200])
        peer.send(request("POST", "/", "Host: x", "Content-Length: 3"))
        link.advance(10_000)
        self.assertFalse(peer.gone)


class HalfClose(ServingCase):
    """``printf ... | nc -N``: a client that has said all it wants to say still listens."""

    def test_answered(self) -> None:
        for faults in (Faults(), Faults(chunk=3, seed=1), Faults(delay=0.1)):
            link = self.serve(faults=faults)
            peer = link.connect_raw()
            peer.socket.send(get("/1") + get("/2"))
            peer.half_close()
            link.advance(5)
            found = answers(bytes(peer.received))
            self.assertEqual([each.body for each in found], [b"/1\n", b"/2\n"])
            self.assertTrue(peer.ended)
            self.assertEqual(link.stats.errors, {})

    def test_slow_handler(self) -> None:
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(get("/1") + get("/2"))
        peer.half_close()
        link.advance(5)
        handler.waiting[0].callback(Response())
        link.advance(5)
        handler.waiting[1].callback(Response())
        link.advance()
        first, second = answers(bytes(peer.received))
        self.assertEqual(first.fields.get("connection"), None)
        self.assertEqual(second.fields.get("connection"), "close")
        self.assertTrue(peer.ended)

    def test_nothing(self) -> None:
        link = self.serve()
        peer = link.connect_raw()
        peer.half_close()
        self.assertEqual((peer.ended, peer.received), (True, b""))
        self.assertEqual(link.stats.errors, {})

    def test_empty_line_forgotten(self) -> None:
        """As ``printf 'GET / HTTP/1.0\\r\\n' | nc -N``."""
        link = self.serve()
        peer = link.connect_raw()
        peer.send(get("/1") + b"GET / HTTP/1.0\r\n")
        peer.half_close()
        link.advance()
        found = answers(bytes(peer.received))
        self.assertEqual([each.status for each in found], [200, 400])
        self.assertIn(b"before the empty line", found[1].body)

    def test_within_a_body(self) -> None:
        link = self.serve()
        peer = link.connect_raw()
        peer.send(request("POST", "/", "Host: x", "Content-Length: 5") + b"abc")
        peer.half_close()
        link.advance()
        self.assertEqual(self.statuses(peer), [200])
        self.assertTrue(peer.ended)

    def test_gone(self) -> None:
        """The client went away: its handler is told, and nothing is left."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(GET)
        peer.reset()
        self.assertEqual(handler.cancelled, [0])
        self.assertEqual(link.stats.active, 0)


class Drain(ServingCase):
    """``stop``: answers under way are finished, and they say that they are the last."""

    def test_idle(self) -> None:
        link = self.serve()
        peers = [link.connect_raw() for _ in range(3)]
        peers[0].send(GET)
        stopping = link.server.stop(10)
        link.advance()
        self.assertEqual([each.ended for each in peers], [True] * 3)
        self.successResultOf(stopping)
        self.assertEqual(link.stats.errors, {})

    def test_under_way(self) -> None:
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(get("/1") + get("/2"))
        stopping = link.server.stop(10)
        link.advance(5)
        self.assertNoResult(stopping)
        handler.waiting[0].callback(Response(200, [], b"x" * 100_000))
        link.advance(1)
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((answer.fields.get("connection"), answer.whole), ("close", True))
        self.assertEqual(len(handler.requests), 1)
        self.successResultOf(stopping)

    def test_not_read_yet(self) -> None:
        """A request that the system has received is answered."""
        link = self.serve()
        peer = link.connect_raw()
        peer.socket.send(GET)
        stopping = link.server.stop(10)
        link.advance(1)
        (answer,) = answers(bytes(peer.received))
        self.assertEqual(answer.fields.get("connection"), "close")
        self.successResultOf(stopping)

    def test_head_half_arrived(self) -> None:
        link = self.serve()
        peer, other = link.connect_raw(), link.connect_raw()
        peer.send(GET[:9])
        other.send(GET[:9])
        stopping = link.server.stop(20)
        link.advance(5)
        peer.send(GET[9:])
        self.assertEqual(self.statuses(peer), [200])
        self.assertTrue(peer.ended)
        link.advance(6)
        self.assertEqual(self.statuses(other), [408])
        self.successResultOf(stopping)

    def test_body_under_way(self) -> None:
        async def handle(request: Request) -> Response:
            return Response(200, [], await request.body.read())

        link = self.serve(handle)
        peer = link.connect_raw()
        peer.send(request("POST", "/", "Host: x", "Content-Length: 6") + b"abc")
        stopping = link.server.stop(10)
        link.advance(1)
        peer.send(b"def" + GET)
        (answer,) = answers(bytes(peer.received))
        self.assertEqual((answer.body, answer.fields.get("connection")), (b"abcdef", "close"))
        self.successResultOf(stopping)

    def test_stream_under_way(self) -> None:
        """A response that promised another one keeps its word, if the request is there."""
        go: list[Deferred[None]] = []

        def handle(request: Request) -> Response:
            async def generate() -> AsyncIterator[bytes]:
                yield b"x"
                go.append(Deferred())
                await go[-1]

            return Response(200, [], generate() if request.target == "/1" else b"y")

        for data in (b"", get("/2")):
            link = self.serve(handle)
            peer = link.connect_raw()
            peer.send(get("/1"))
            stopping = link.server.stop(10)
            link.advance(1)
            if data:
                peer.socket.send(data)
            go.pop().callback(None)
            link.advance(1)
            found = answers(bytes(peer.received))
            said = [(each.body, each.fields.get("connection")) for each in found]
            self.assertEqual(said, [(b"x", None), (b"y", "close")][: 1 + bool(data)])
            self.successResultOf(stopping)

    def test_grace_runs_out(self) -> None:
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(GET)
        stopping = link.server.stop(10)
        link.advance(11)
        self.successResultOf(stopping)
        self.assertEqual(handler.cancelled, [0])
        self.assertTrue(peer.was_reset)
        self.assertEqual(link.stats.errors, {"server_stopping": 1})

    def test_prepared(self) -> None:
        """The quick way out says that it is the last, too."""
        ready = Response.prepared(200, [], b"x")
        link = self.serve(lambda request: ready)
        peer = link.connect_raw()
        peer.send(GET[:9])
        link.server.stop(10)
        link.advance(1)
        peer.send(GET[9:])
        (answer,) = answers(bytes(peer.received))
        self.assertEqual(answer.fields.get("connection"), "close")
