"""Tests for a connection to an upstream, in memory and on a clock of their own."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived

from netlab.errors import ConnectionAborted
from netlab.fields import Fields, ProxyError
from netlab.http.fetching import Fetched, FetchError, FetchLimits
from netlab.http.fetching.connection import Upstream
from netlab.http.fetching.fetched import HIGH_WATER
from netlab.http.fetching.sending import prepare
from netlab.http.fetching.uris import parse_uri

WHERE = parse_uri("http://x/")
OK = b"HTTP/1.1 200 OK\r\n"


class Transport(StringTransport):
    """A transport that says whether it was broken off."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class UpstreamCase(SynchronousTestCase):
    """A case with one connection."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.free: list[Upstream] = []
        self.gone: list[Upstream] = []

    def connect(self, **limits: Any) -> Upstream:
        """A connection on ``self.transport``."""
        self.transport = Transport()
        upstream = Upstream(
            self.clock,
            FetchLimits(**limits),
            self.free.append,
            lambda _: None,
            self.gone.append,
        )
        upstream.makeConnection(self.transport)
        return upstream

    def ask(self, upstream: Upstream, method: str = "GET", body: Any = None) -> Deferred[Fetched]:
        """A request on its way."""
        return upstream.request(prepare(method, WHERE, Fields(), body, "t"))

    def failed(self, asked: Deferred[Any], proxy_status: ProxyError) -> FetchError:
        """The error with which ``asked`` has failed."""
        error: Any = self.failureResultOf(asked, FetchError).value
        self.assertEqual(error.proxy_status, proxy_status)
        return error  # type: ignore[no-any-return]

    def reading(self, fetched: Fetched) -> Deferred[bytes]:
        """All of a body."""

        async def read() -> bytes:
            return b"".join([piece async for piece in fetched])

        return Deferred.fromCoroutine(read())

    def quiet(self) -> None:
        """No timer is left."""
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Framing(UpstreamCase):
    """Where a body ends."""

    def whole(self, data: bytes, at: list[int], method: str = "GET") -> tuple[Fetched, bytes]:
        """The answer ``data``, cut at ``at``."""
        upstream = self.connect()
        asked = self.ask(upstream, method)
        for begin, end in zip([0, *at], [*at, len(data)], strict=True):
            upstream.dataReceived(data[begin:end])
        fetched = self.successResultOf(asked)
        return fetched, self.successResultOf(self.reading(fetched))

    @given(
        st.sampled_from(
            [
                OK + b"Content-Length: 5\r\n\r\nhello",
                OK
                + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nT: x\r\n\r\n",
                b"HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
            ]
        ),
        st.data(),
    )
    def test_cut_anywhere(self, data: bytes, cuts: st.DataObject) -> None:
        """However the bytes come, the answer is the same and the connection is free again."""
        self.setUp()
        at = sorted(cuts.draw(st.lists(st.integers(0, len(data)), max_size=5)))
        fetched, body = self.whole(data, at)
        self.assertEqual((fetched.status, body), (200, b"hello"))
        self.assertEqual(len(self.free), 1)
        self.quiet()

    def test_many_interim_responses(self) -> None:
        """They are ignored (RFC 9110, 15.2), and bounded with the head."""
        interim = b"HTTP/1.1 100 C\r\n\r\n"
        _, body = self.whole(interim * 3000 + OK + b"Content-Length: 1\r\n\r\nx", [])
        self.assertEqual(body, b"x")
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(interim * 4000)
        self.failed(asked, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)

    def test_no_body(self) -> None:
        for head in (
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            OK + b"Content-Length: 0\r\n\r\n",
        ):
            self.assertEqual(self.whole(head, [])[1], b"")
        fetched, body = self.whole(OK + b"Content-Length: 9\r\n\r\n", [], "HEAD")
        self.assertEqual((fetched.length, body), (9, b""))
        self.assertEqual(len(self.free), 4)

    def test_body_after_no_body(self) -> None:
        """It is not taken for the next answer: the connection is not used again."""
        _, body = self.whole(b"HTTP/1.1 204 No Content\r\n\r\nGARBAGE", [])
        self.assertEqual((body, self.free), (b"", []))
        self.assertTrue(self.transport.disconnecting)

    def test_not_kept(self) -> None:
        for line in (b"Connection: close\r\n", b"Connection: x, close\r\n"):
            self.whole(OK + line + b"Content-Length: 1\r\n\r\nx", [])
            self.assertEqual(self.free, [])
            self.assertTrue(self.transport.disconnecting)

    def test_more_than_announced(self) -> None:
        """No such answer is ever whole: with its head it is none, else its body fails."""
        counted = OK + b"Content-Length: 2\r\n\r\nabc"
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"
        for answer, at_once in product((counted, chunked), (True, False)):
            upstream = self.connect()
            asked = self.ask(upstream)
            head, end, rest = answer.partition(b"\r\n\r\n")
            if at_once:
                upstream.dataReceived(answer)
                reading: Any = asked
            else:
                upstream.dataReceived(head + end)
                reading = self.reading(self.successResultOf(asked))
                upstream.dataReceived(rest)
            self.failed(reading, ProxyError.HTTP_PROTOCOL_ERROR)
            self.assertTrue(self.transport.aborted)
        self.assertEqual(self.free, [])

    def test_bad_chunks(self) -> None:
        for chunks in (
            *(b"x\r\n", b"-1\r\n", b"5\r\nhelloX", b"0x5\r\nhello\r\n", b"5 5\r\nhello\r\n"),
            *(b"5\nhello\n0\n\n", b"\r\n5\r\n", b"f" * 17 + b"\r\n"),
            *(b"1;" + b"x" * 70_000 + b"\r\na\r\n", b"0\r\n" + b"A: b\r\n" * 20_000),
        ):
            upstream = self.connect()
            asked = self.ask(upstream)
            upstream.dataReceived(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            self.failed(asked, ProxyError.HTTP_PROTOCOL_ERROR)
            self.assertTrue(self.transport.aborted)

    def test_until_close(self) -> None:
        """RFC 9112, 6.3: without a length the end of the connection is the end."""
        for reason, good in ((ConnectionDone(), True), (ConnectionLost(), False)):
            upstream = self.connect()
            asked = self.ask(upstream)
            upstream.dataReceived(b"HTTP/1.0 200 OK\r\n\r\nhello")
            reading = self.reading(self.successResultOf(asked))
            self.assertNoResult(reading)
            upstream.connectionLost(Failure(reason))
            if good:
                self.assertEqual(self.successResultOf(reading), b"hello")
            else:
                self.failed(reading, ProxyError.HTTP_RESPONSE_INCOMPLETE)
            self.assertEqual(self.gone[-1], upstream)
            self.quiet()

    def test_cut_short(self) -> None:
        for part in (
            OK + b"Content-Length: 5\r\n\r\nhell",
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ):
            upstream = self.connect()
            asked = self.ask(upstream)
            upstream.dataReceived(part)
            reading = self.reading(self.successResultOf(asked))
            upstream.connectionLost(Failure(ConnectionDone()))
            self.failed(reading, ProxyError.HTTP_RESPONSE_INCOMPLETE)
            self.quiet()

    def test_cut_short_in_the_head(self) -> None:
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(OK)
        upstream.connectionLost(Failure(ConnectionDone()))
        self.assertIn("head", str(self.failed(asked, ProxyError.HTTP_RESPONSE_INCOMPLETE)))

    def test_no_answer(self) -> None:
        """Then the pool may try again."""
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(asked, ResponseNeverReceived)
        self.failureResultOf(self.ask(upstream), ResponseNeverReceived)


class Size(UpstreamCase):
    def test_endless_head(self) -> None:
        """It is cut as soon as it is too long, however it comes."""
        for step in (1 << 16, 100, 1000):
            upstream = self.connect(max_head=4096)
            asked = self.ask(upstream)
            upstream.dataReceived(OK)
            sent = len(OK)
            while not self.transport.aborted:
                upstream.dataReceived(b"A: b\r\n" * (step // 6))
                sent += step // 6 * 6
            self.assertLessEqual(sent, 4096 + 2 * step)
            error = self.failed(asked, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)
            self.assertEqual(error.status, 502)
            self.quiet()

    def test_exact_head(self) -> None:
        """The limit is what a head may have."""
        for extra, good in ((0, True), (1, False)):
            upstream = self.connect(max_head=600)
            asked = self.ask(upstream)
            head = OK + b"Content-Length: 0\r\nA: "
            upstream.dataReceived(head + b"b" * (600 - len(head) - 4 + extra) + b"\r\n\r\n")
            if good:
                self.successResultOf(asked)
            else:
                self.failed(asked, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)

    def test_status_line(self) -> None:
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(b"HTTP/1.1 200 " + b"x" * 70_000)
        self.failed(asked, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)

    def test_body(self) -> None:
        """Announced or not, a body has its limit."""
        upstream = self.connect(max_body=10)
        asked = self.ask(upstream)
        upstream.dataReceived(OK + b"Content-Length: 11\r\n\r\n")
        self.failed(asked, ProxyError.HTTP_RESPONSE_BODY_SIZE)
        for head in (b"HTTP/1.0 200 OK\r\n\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\nb\r\n"):
            upstream = self.connect(max_body=10)
            asked = self.ask(upstream)
            upstream.dataReceived(head)
            reading = self.reading(self.successResultOf(asked))
            upstream.dataReceived(b"x" * 11)
            self.failed(reading, ProxyError.HTTP_RESPONSE_BODY_SIZE)
            self.assertTrue(self.transport.aborted)
        upstream = self.connect(max_body=10)
        asked = self.ask(upstream, "HEAD")
        upstream.dataReceived(OK + b"Content-Length: 11\r\n\r\n")
        self.assertEqual(self.successResultOf(asked).length, 11)

    def test_backpressure(self) -> None:
        """While nobody takes the body the connection is not read."""
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(OK + b"Content-Length: 50000000\r\n\r\n")
        fetched = self.successResultOf(asked)
        piece = b"x" * 65536
        came = 0
        while self.transport.producerState == "producing":
            upstream.dataReceived(piece)
            came += len(piece)
        self.assertEqual((came, fetched.size), (HIGH_WATER, HIGH_WATER))
        self.quiet()  # silence is no stall now
        self.successResultOf(Deferred.fromCoroutine(fetched.__anext__()))
        self.assertEqual(self.transport.producerState, "paused")
        self.successResultOf(Deferred.fromCoroutine(fetched.__anext__()))
        self.assertEqual(self.transport.producerState, "producing")
        upstream.dataReceived(piece)
        fetched.abort()
        self.assertTrue(self.transport.aborted)
        self.quiet()

    def test_whole_while_paused(self) -> None:
        """The connection is read again once it is free."""
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(OK + b"Content-Length: 200000\r\n\r\n" + b"x" * 150_000)
        self.assertEqual(self.transport.producerState, "paused")
        upstream.dataReceived(b"x" * 50_000)  # it was on its way
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(self.free, [upstream])
        body = self.successResultOf(self.reading(self.successResultOf(asked)))
        self.assertEqual(len(body), 200_000)


class Time(UpstreamCase):
    def test_silence(self) -> None:
        upstream = self.connect(head_timeout=3)
        asked = self.ask(upstream)
        self.clock.advance(2.9)
        self.assertNoResult(asked)
        self.clock.advance(0.2)
        error = self.failed(asked, ProxyError.HTTP_RESPONSE_TIMEOUT)
        self.assertEqual(
            (error.status, str(error)), (504, "the upstream did not answer within 3 s")
        )
        self.assertTrue(self.transport.aborted)
        self.quiet()

    def test_dripping_head(self) -> None:
        """A byte now and then does not help (nor do interim responses)."""
        upstream = self.connect(head_timeout=3)
        asked = self.ask(upstream)
        for each in (b"HTTP/1.1 100 C\r\n\r\n", b"HTTP", b"/1.1"):
            self.clock.advance(0.9)
            upstream.dataReceived(each)
        self.clock.advance(0.9)
        self.failed(asked, ProxyError.HTTP_RESPONSE_TIMEOUT)

    def test_stall(self) -> None:
        """Silence within a body; each piece of it starts the time again."""
        upstream = self.connect(body_stall=3)
        asked = self.ask(upstream)
        upstream.dataReceived(OK + b"Content-Length: 50\r\n\r\n")
        reading = self.reading(self.successResultOf(asked))
        for _ in range(5):
            self.clock.advance(2.9)
            upstream.dataReceived(b"x")
        self.clock.advance(3.1)
        error = self.failed(reading, ProxyError.CONNECTION_READ_TIMEOUT)
        self.assertEqual(error.status, 504)
        self.assertTrue(self.transport.aborted)
        self.quiet()

    def test_polite_close(self) -> None:
        """A peer that does not close its side is not waited for."""
        upstream = self.connect()
        upstream.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(2.1)
        self.assertTrue(self.transport.aborted)
        upstream = self.connect()
        upstream.close()
        upstream.connectionLost(Failure(ConnectionDone()))
        self.quiet()


class Ends(UpstreamCase):
    def test_unasked(self) -> None:
        """What comes on an idle connection is no answer to the next request."""
        upstream = self.connect()
        upstream.dataReceived(OK + b"Content-Length: 0\r\n\r\n")
        self.assertTrue(self.transport.aborted)
        self.assertNotEqual(upstream.state, "QUIESCENT")

    def test_cancel(self) -> None:
        upstream = self.connect()
        asked = self.ask(upstream)
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.assertTrue(self.transport.aborted)
        self.quiet()
        upstream.connectionLost(Failure(ConnectionLost()))

    def test_let_go(self) -> None:
        """Who lets go of an answer and reads it all the same is told so."""
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(OK + b"Content-Length: 2\r\n\r\na")
        fetched = self.successResultOf(asked)
        self.successResultOf(Deferred.fromCoroutine(fetched.aclose()))
        self.assertTrue(self.transport.aborted)
        self.failureResultOf(self.reading(fetched), ConnectionAborted)

    def test_let_go_of_a_whole_body(self) -> None:
        """Then the connection is kept."""
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(OK + b"Content-Length: 1\r\n\r\na")
        fetched = self.successResultOf(asked)
        fetched.abort()
        self.assertFalse(self.transport.aborted)
        self.assertEqual(self.free, [upstream])
        self.failureResultOf(self.reading(fetched), ConnectionAborted)

    def test_abort_says_when(self) -> None:
        """The Deferred of ``abort`` fires when the connection has ended."""
        upstream = self.connect()
        aborting = upstream.abort()
        self.assertNoResult(aborting)
        upstream.connectionLost(Failure(ConnectionLost()))
        self.successResultOf(aborting)
        self.successResultOf(upstream.abort())

    @given(st.lists(st.binary(max_size=40), max_size=4))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Whatever comes: no other error, and no timer is left."""
        self.setUp()
        upstream = self.connect()
        asked = self.ask(upstream)
        upstream.dataReceived(OK)
        for piece in pieces:
            if not self.transport.aborted and not self.transport.disconnecting:
                upstream.dataReceived(piece)
        upstream.connectionLost(Failure(ConnectionDone()))
        asked.addErrback(lambda failure: failure.trap(FetchError))
        self.successResultOf(asked)
        self.quiet()
