"""Properties of the whole: whatever the bytes, the network, the clients and the handlers do."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import Fields
from netlab.http import HttpLimits, Request, Response
from netlab.testing import Faults

from .support import Answer, Broken, MemoryHttp, answers, blank, get, logged, request

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # no long explanations

LIMITS = HttpLimits(
    idle_timeout=60,
    frame_timeout=10,
    body_timeout=10,
    write_timeout=10,
    max_head=2000,
    max_fields=10,
    max_target=500,
    max_body=5000,
    max_unread=1000,
    high_water=8 * 1024,
    low_water=2 * 1024,
    max_buffered=20 * 1024,
)


def any_faults(smallest: int) -> st.SearchStrategy[Faults]:
    """Networks that cut what is sent into pieces of ``smallest`` bytes and more.

    Kilobytes in single bytes keep the clock busy for minutes.
    """
    return st.builds(
        Faults,
        seed=st.integers(0, 1 << 16),
        chunk=st.none() | st.integers(smallest, 300),
        coalesce=st.sampled_from((0.0, 0.5, 1.0)),
        delay=st.sampled_from((0.0, 0.1)),
        jitter=st.sampled_from((0.0, 0.5)),
        capacity=st.sampled_from((500, 8 * 1024)),
    )


faults = any_faults(1)

WORDS = (
    *(b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"/", b"*", b"/a?b", b"http://x/", b" HTTP/1.1"),
    *(b" HTTP/1.0", b" HTTP/2.0", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0"),
    *(b"Host: x\r\n", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Connection: close\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Upgrade: x\r\n", b"abc"),
    *(
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nA: b\r\n\r\n",
        b";a=b",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
    ),
    *(b"POST / HTTP/1.1\r\nHost: x\r\n", b"\xff", b"A: b\r\n", b" A: b\r\n"),
)
streams = st.lists(st.sampled_from(WORDS) | st.binary(max_size=10), max_size=30).map(b"".join)


class Talk:
    """A handler that does what a request's path says, on a clock; and what it saw."""

    def __init__(self) -> None:
        self.link: MemoryHttp
        self.served: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []

    def handle(self, request: Request) -> Any:
        self.served.append((request.method, request.target))
        kind = request.path[1:2]
        return getattr(self, f"do_{kind}", self.do_n)(request)

    def answer(self, request: Request) -> Response:
        return Response(200, [], request.target.encode())

    def do_n(self, request: Request) -> Response:
        """Answers at once, reads nothing."""
        return self.answer(request)

    def do_d(self, request: Request) -> Deferred[Response]:
        return self.link.later(self.answer(request))

    async def do_r(self, request: Request) -> Response:
        """Reads the body whole."""
        self.bodies.append(await request.body.read())
        return self.answer(request)

    async def do_l(self, request: Request) -> Response:
        """Reads it slowly."""
        pieces = []
        async for piece in request.body:
            pieces.append(piece)
            await self.link.later(seconds=0.05)
        self.bodies.append(b"".join(pieces))
        return self.answer(request)

    def do_s(self, request: Request) -> Response:
        """Streams the answer."""

        async def generate() -> AsyncIterator[bytes]:
            yield request.target.encode()
            await self.link.later(seconds=0.05)
            yield b"x" * 3000

        return Response(200, [], generate(), trailers=Fields([("X-Sum", "1")]))

    def do_b(self, request: Request) -> Response:
        return Response(200, [], request.target.encode().ljust(3000, b"x"))

    def do_f(self, request: Request) -> Response:
        raise Broken(request.target)

    def do_0(self, request: Request) -> Response:
        return Response(204)


def talk(data: bytes, faults: Faults, seconds: float = 200.0) -> tuple[Talk, bytes, bool]:
    """What a server says to ``data``; and whether the connection was closed in the end."""
    handler = Talk()
    link = handler.link = MemoryHttp(handler, limits=LIMITS, faults=faults)
    peer = link.connect_raw()
    rest = data
    while rest and not peer.socket.closed:
        try:
            rest = rest[peer.socket.send(rest) :]
        except BlockingIOError:
            link.advance(0.05)
        except OSError:
            break
    link.advance(seconds)
    received, gone = bytes(peer.received), peer.gone
    link.close()
    link.advance(2)
    assert blank(link), "something is left"
    return handler, received, gone


class Anything(SynchronousTestCase):
    """Any bytes: an answer or a close, never an exception."""

    def check(self, data: bytes, faults: Faults) -> tuple[Talk, bytes]:
        with logged("internal error", "incident", "Unhandled") as lines:
            handler, received, gone = talk(data, faults)
        self.assertEqual(lines, [])
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertTrue(gone)  # the idle deadline, at the latest
        return handler, received

    @settings(max_examples=100, phases=PHASES)
    @given(data=streams, faults=faults)
    @example(b"", Faults())
    @example(b"\r", Faults())
    @example(b"\r\n\r\n", Faults())
    def test_never_an_exception(self, data: bytes, faults: Faults) -> None:
        handler, received = self.check(data, faults)
        heads = tuple(n for n, (method, _) in enumerate(handler.served) if method == "HEAD")
        for each in answers(received, heads=heads):
            self.assertIn(each.status, (100, 200, 204, 400, 408, 413, 414, 417, 431, 501, 505))

    @settings(max_examples=40, phases=PHASES)
    @given(data=streams, cut=st.integers(0, 400), end=st.sampled_from(("reset", "half", "close")))
    def test_client_goes_away(self, data: bytes, cut: int, end: str) -> None:
        with logged("internal error", "incident", "Unhandled") as lines:
            handler = Talk()
            link = handler.link = MemoryHttp(handler, limits=LIMITS)
            peer = link.connect_raw()
            peer.socket.send(data[:cut])
            link.advance(0.01)
            if not peer.socket.closed:
                {"reset": peer.reset, "half": peer.half_close, "close": peer.close}[end]()
            link.advance(100)
            self.assertEqual(link.stats.active, 0)
            link.close()
            link.advance(2)
        self.assertEqual(lines, [])
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertTrue(blank(link))


class Cuts(SynchronousTestCase):
    """However the network cuts the bytes, the requests and the answers are the same."""

    def said(self, data: bytes, faults: Faults) -> tuple[list[Any], list[Any]]:
        handler, received, _ = talk(data, faults)
        heads = tuple(n for n, (method, _) in enumerate(handler.served) if method == "HEAD")
        found = [
            (each.status, each.body, each.whole, each.fields.get("connection"))
            for each in answers(received, heads=heads)
            if each.status != 100  # is sent or not, as the body is there or not
        ]
        return found, handler.served

    @settings(max_examples=100, phases=PHASES)
    @given(data=streams, faults=faults)
    def test_any_cuts(self, data: bytes, faults: Faults) -> None:
        whole = self.said(data, Faults(capacity=1 << 20))
        cut = self.said(data, faults)
        self.assertEqual(cut[1], whole[1])
        # The last answer may be another complaint, or none: of a head that is bad in
        # several ways the server sees one first, and of one that is never complete it
        # may see what is wrong with it, or that it never comes.
        self.assertEqual(cut[0][:-1], whole[0][:-1])
        if whole[0] and whole[0][-1][0] < 400:
            self.assertEqual(cut[0], whole[0])

    def test_each_octet(self) -> None:
        """A long conversation, octet by octet."""
        data = b"".join(
            (
                get("/n1"),
                request("POST", "/r2", "Host: x", "Content-Length: 5") + b"hello",
                b"\r\n",
                request("HEAD", "/b3", "Host: x"),
                request("PUT", "/l4", "Host: x", "Transfer-Encoding: chunked"),
                b"3;a=b\r\nabc\r\n2\r\n\r\n\r\n0\r\nA: b\r\n\r\n",
                get("/s5"),
                request("POST", "/n6", "Host: x", "Content-Length: 7") + b"ignored",
                get("/d7", "Connection: close"),
                get("/never"),
            )
        )
        wanted = self.said(data, Faults(capacity=1 << 20))
        self.assertEqual(
            [target for _, target in wanted[1]], ["/n1", "/r2", "/b3", "/l4", "/s5", "/n6", "/d7"]
        )
        self.assertEqual(self.said(data, Faults(chunk=1, capacity=1 << 20)), wanted)


class Orders(SynchronousTestCase):
    """Right requests get right answers, once and in order, for any mix of handlers."""

    @settings(max_examples=40, phases=PHASES)
    @given(
        faults=any_faults(30),
        script=st.lists(
            st.tuples(
                st.sampled_from("ndrlsb0f"),
                st.sampled_from((None, 0, 3, 900)),  # bytes of the body
                st.booleans(),  # in chunks
                st.sampled_from(("GET", "POST", "HEAD")),
            ),
            max_size=10,
        ),
    )
    def test_in_order(
        self, faults: Faults, script: list[tuple[str, int | None, bool, str]]
    ) -> None:
        data = b""
        for number, (kind, size, chunked, method) in enumerate(script):
            target = f"/{kind}{number}"
            body = b"" if size is None else bytes([number]) * size
            if size is None:
                data += request(method, target, "Host: x")
            elif chunked:
                data += request(method, target, "Host: x", "Transfer-Encoding: chunked")
                data += b"%x\r\n%b\r\n" % (size, body) * bool(size) + b"0\r\n\r\n"
            else:
                data += request(method, target, "Host: x", f"Content-Length: {size}") + body
        with logged("incident") as lines:
            handler, received, _ = talk(data, faults)
        self.flushLoggedErrors(Broken)
        self.assertEqual(len(lines), sum(kind == "f" for kind, *_ in script))
        wanted = [(method, f"/{kind}{n}") for n, (kind, _, _, method) in enumerate(script)]
        self.assertEqual(handler.served, wanted)
        heads = tuple(n for n, (*_, method) in enumerate(script) if method == "HEAD")
        found = answers(received, heads=heads)
        self.assertEqual(len(found), len(script))
        for (kind, *_, method), (_, target), answer in zip(script, wanted, found, strict=True):
            self.check_answer(kind, method, target.encode(), answer)
        sizes = [size or 0 for kind, size, *_ in script if kind in "rl"]
        self.assertEqual([len(each) for each in handler.bodies], sizes)

    def check_answer(self, kind: str, method: str, target: bytes, answer: Answer) -> None:
        self.assertEqual(answer.status, {"0": 204, "f": 500}.get(kind, 200))
        self.assertTrue(answer.whole)
        if answer.status == 200 and method != "HEAD":
            self.assertTrue(answer.body.startswith(target))
            self.assertEqual(len(answer.body) >= 3000, kind in "sb")


class Crowds(SynchronousTestCase):
    """Many clients at once, most of them hostile: those that behave are served."""

    def test_crowd(self) -> None:
        rng = random.Random(8080)
        handler = Talk()
        link = handler.link = MemoryHttp(handler, limits=LIMITS, faults=Faults(seed=1))
        hostile = [link.connect_raw() for _ in range(50)]
        served = 0
        for round_ in range(40):
            for number, peer in enumerate(hostile):
                if peer.socket.closed:
                    hostile[number] = link.connect_raw()
                    continue
                kind = number % 5
                try:
                    if kind == 0:  # a byte at a time
                        peer.socket.send(get("/slow")[round_ % 20 :][:1])
                    elif kind == 1:  # noise
                        peer.socket.send(rng.randbytes(200))
                    elif kind == 2:  # never reads
                        peer.pause()
                        peer.socket.send(get("/b") * 20)
                    elif kind == 3:  # a flood
                        peer.socket.send(get("/n") * 50)
                    else:  # a body that never comes
                        peer.socket.send(request("POST", "/r", "Host: x", "Content-Length: 9"))
                except OSError:
                    pass
            good = link.connect_raw()
            good.send(get("/n"))
            link.advance(0.5)
            served += [each.status for each in answers(bytes(good.received))] == [200]
            good.close()
        self.assertEqual(served, 40)
        link.advance(200)
        self.assertEqual(link.stats.active, 0)
        link.close()
        link.advance(2)
        self.assertTrue(blank(link))
        self.assertEqual(self.flushLoggedErrors(), [])
