"""A connection to an upstream: one request at a time, then back to the pool.

Twisted's pool keeps the connections. Of its own protocol for them nothing is
used: that accepts heads of any size, hides ``Content-Length`` and
``Connection``, and takes a connection back on which more came than was announced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionClosed, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived
from zope.interface import implementer

from netlab.fields import ProxyError

from .errors import FetchError, cut_short
from .fetched import HIGH_WATER, Fetched
from .head import END, Head, check_part, read_head, too_long_head
from .limits import FetchLimits
from .receiving import Receiving, receiving
from .sending import Outgoing, Sender

CLOSE_TIMEOUT = 2.0
"""Seconds from a polite close to an impolite one."""

_HEAD = "the head of the upstream's answer"


@implementer(IHandshakeListener)
class Upstream(Protocol):
    """A connection to an origin.

    quiescent  called with the connection when it is free for the next request
    arriving   called with it when it is there
    leaving    called with it when it has ended

    ``state`` is what the pool asks for: QUIESCENT, or another word.
    """

    def __init__(
        self,
        reactor: Any,
        limits: FetchLimits,
        quiescent: Callable[[Upstream], None],
        arriving: Callable[[Upstream], None],
        leaving: Callable[[Upstream], None],
    ) -> None:
        self.state = "QUIESCENT"
        self._reactor = reactor
        self._limits = limits
        self._quiescent = quiescent
        self._arriving = arriving
        self._leaving = leaving
        self._secure = True  # or not encrypted at all
        self._gone: list[Deferred[None]] = []
        self._timer: Any = None
        self._closing: Any = None
        self._forget()

    def _forget(self) -> None:
        """No request is under way."""
        self._outgoing: Outgoing | None = None
        self._asked: Deferred[Fetched] | None = None
        self._fetched: Fetched | None = None
        self._receiving: Receiving | None = None
        self._sender: Sender | None = None
        self._head = bytearray()
        self._heads = 0  # bytes of interim responses
        self._sent = False
        self._keep = False
        self._paused = False
        self._set_timer(None)

    # -- for the pool and the fetcher

    def request(self, outgoing: Outgoing) -> Deferred[Fetched]:
        """Sends a request. The Deferred fires with the answer when its head is there.

        It fails with ``FetchError``, with what the iterator of the request's body
        raises, or with the error on which the pool tries again,
        ``ResponseNeverReceived``. Cancelling it closes the connection.
        """
        if self.state != "QUIESCENT":
            return fail(ResponseNeverReceived([Failure(ConnectionLost())]))
        self.state = "BUSY"
        self._outgoing = outgoing
        asked = self._asked = Deferred(lambda _: self._drop())
        body = outgoing.body
        transport: Any = self.transport
        if body is None or isinstance(body, bytes):
            transport.write(outgoing.head + (body or b""))
            self._sent = True
        else:
            transport.write(outgoing.head)
            sender = self._sender = Sender(transport, self._reactor, self._limits.body_stall)
            sending = sender.start(body, outgoing.length)
            sending.addCallbacks(
                self._body_sent, self._body_failed, (sender,), errbackArgs=(sender,)
            )
        if self._asked is asked:  # nothing failed at once
            self._await_head()
        return asked

    def abort(self) -> Deferred[None]:
        """Ends the connection and what is under way; the Deferred fires when it has ended."""
        if self.state == "CONNECTION_LOST":
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self._gone.append(gone)
        self._fail(FetchError(ProxyError.CONNECTION_TERMINATED, "the fetcher was closed"))
        return gone

    def close(self) -> None:
        """Closes a connection that nobody uses, politely at first."""
        if self.state != "CONNECTION_LOST" and self._closing is None:
            self.state = "CLOSING"
            transport: Any = self.transport
            transport.loseConnection()
            # A TLS peer might never say goodbye.
            self._closing = self._reactor.callLater(CLOSE_TIMEOUT, transport.abortConnection)

    def let_go(self) -> None:
        """For the body: nobody wants the rest."""
        self._drop()

    def resume(self) -> None:
        """For the body: there is room for more of it."""
        if self._paused:
            self._paused = False
            self._set_timer(self._limits.body_stall, self._stalled)
            transport: Any = self.transport
            transport.resumeProducing()

    # -- for the transport

    def connectionMade(self) -> None:
        """The connection is there; with TLS, it begins to be encrypted."""
        transport: Any = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        self._secure = not ISSLTransport.providedBy(transport)
        self._arriving(self)

    def handshakeCompleted(self) -> None:
        """TLS is set up and the certificate verified."""
        self._secure = True
        if self._asked is not None:
            self._await_head()

    def dataReceived(self, data: bytes) -> None:
        """Bytes of an answer, or of something that nobody asked for."""
        try:
            if self._receiving is not None:
                self._body_came(data)
            elif self._asked is not None:
                self._head_came(data)
            else:  # it must not be taken for the answer to the next request
                self._drop()
        except FetchError as error:
            self._fail(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection has ended."""
        self.state = "CONNECTION_LOST"
        asked, fetched, took = self._asked, self._fetched, self._receiving
        error: Any = reason.value
        self._stop_sending()
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        if asked is not None and not self._secure and isinstance(error, ConnectionClosed):
            text = "the upstream hung up during the TLS handshake: does it speak TLS?"
            self._fail(FetchError(ProxyError.TLS_PROTOCOL_ERROR, text))
        elif asked is not None and not (self._head or self._heads):
            self._forget()
            asked.errback(Failure(ResponseNeverReceived([reason])))
        elif asked is not None:
            self._fail(cut_short(error, _HEAD))
        elif fetched is not None and took is not None:
            # With TLS a clean end is one that the upstream said itself.
            whole = took.may_end and isinstance(error, ConnectionDone)
            self._forget()
            if whole:
                fetched.end()
            else:
                fetched.fail(cut_short(error, "the body of the upstream's answer"))
        self._leaving(self)
        gone, self._gone = self._gone, []
        for each in gone:
            each.callback(None)

    # -- the request's body

    def _body_sent(self, _: object, sender: Sender) -> None:
        if self._sender is sender:
            self._sender = None
            self._sent = True
            if self._asked is not None:
                self._await_head()

    def _body_failed(self, failure: Failure, sender: Sender) -> None:
        if self._sender is sender:  # else it was stopped
            self._sender = None
            self._fail(failure.value)  # type: ignore[arg-type]

    def _stop_sending(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.stop()

    # -- the head

    def _await_head(self) -> None:
        """Begins to wait for the encryption, or for the head once the request is sent."""
        if not self._secure:
            self._set_timer(self._limits.connect_timeout, self._not_secure)
        elif self._sent:
            self._set_timer(self._limits.head_timeout, self._silent)
        else:
            self._set_timer(None)

    def _head_came(self, data: bytes) -> None:
        head = self._head
        seen = max(0, len(head) - len(END) + 1)
        head += data
        while True:
            room = self._limits.max_head - self._heads
            end = head.find(END, seen, room) + len(END)
            if end < len(END):
                check_part(head, seen)
                if len(head) >= room:
                    raise too_long_head(self._limits.max_head)
                return
            outgoing = self._outgoing
            assert outgoing is not None
            read = read_head(bytes(head[:end]), outgoing.name, self._limits.max_fields)
            del head[:end]
            if not read.interim:  # which are ignored (RFC 9110, 15.2)
                self._answer(read, outgoing, bytes(head))
                return
            self._heads += end
            seen = 0

    def _answer(self, head: Head, outgoing: Outgoing, rest: bytes) -> None:
        """The head is there: the answer is, and its body begins."""
        limit = self._limits.max_body
        if not head.bodiless and limit is not None and (head.length or 0) > limit:
            raise too_long_body(limit)
        asked, self._asked = self._asked, None
        assert asked is not None
        self._keep = head.keep_alive
        fetched = self._fetched = Fetched(head, str(outgoing.where), self)
        self._receiving = receiving(head, self._limits)
        self._set_timer(self._limits.body_stall, self._stalled)
        try:
            self._body_came(rest)
        except FetchError as error:  # while nobody has the answer yet
            self._drop()
            asked.errback(Failure(error))
        else:
            asked.callback(fetched)

    # -- the body

    def _body_came(self, data: bytes) -> None:
        took, fetched, limit = self._receiving, self._fetched, self._limits.max_body
        assert took is not None
        assert fetched is not None
        piece = took.feed(data)
        if limit is not None and took.size > limit:
            raise too_long_body(limit)
        if piece:
            fetched.add(piece)
        if took.complete:
            self._finish(clean=took.clean)
        elif fetched.size >= HIGH_WATER and not self._paused:
            self._paused = True
            self._set_timer(None)
            transport: Any = self.transport
            transport.pauseProducing()
        elif piece and self._timer is not None:
            self._timer.reset(self._limits.body_stall)

    def _finish(self, *, clean: bool) -> None:
        """All of the answer came."""
        fetched = self._fetched
        keep = self._keep and self._sent and clean
        paused = self._paused
        self._stop_sending()  # the upstream does not want the rest of the request
        self._forget()
        if keep:
            if paused:
                transport: Any = self.transport
                transport.resumeProducing()
            self.state = "QUIESCENT"
            self._quiescent(self)
        else:
            self.close()
        if fetched is not None:
            fetched.end()

    # -- the end

    def _drop(self) -> None:
        """Breaks the connection off; nobody waits for what is under way."""
        self._stop_sending()
        self._forget()
        if self.state != "CONNECTION_LOST":
            self.state = "CLOSING"
            transport: Any = self.transport
            transport.abortConnection()

    def _fail(self, error: Exception) -> None:
        """Ends the connection and tells whoever waits."""
        asked, fetched = self._asked, self._fetched
        self._drop()
        if asked is not None:
            asked.errback(Failure(error))
        elif fetched is not None:
            fetched.fail(error)

    # -- time

    def _set_timer(self, seconds: float | None, late: Callable[[], None] | None = None) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if seconds is not None:
            self._timer = self._reactor.callLater(seconds, late)

    def _not_secure(self) -> None:
        limit = self._limits.connect_timeout
        text = f"the upstream did not set up TLS within {limit:g} s"
        self._fail(FetchError(ProxyError.CONNECTION_TIMEOUT, text))

    def _silent(self) -> None:
        limit = self._limits.head_timeout
        text = f"the upstream did not answer within {limit:g} s"
        self._fail(FetchError(ProxyError.HTTP_RESPONSE_TIMEOUT, text))

    def _stalled(self) -> None:
        limit = self._limits.body_stall
        text = f"nothing more of the upstream's answer came for {limit:g} s"
        self._fail(FetchError(ProxyError.CONNECTION_READ_TIMEOUT, text))


def too_long_body(limit: int) -> FetchError:
    """For a body of more than ``limit`` bytes."""
    text = f"the body of the upstream's answer has more than {limit} bytes"
    return FetchError(ProxyError.HTTP_RESPONSE_BODY_SIZE, text)
