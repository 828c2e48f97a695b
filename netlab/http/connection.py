"""The machine between a stream and a handler of HTTP requests.

Everything that decides *when* a request is read and handled is here. One request is
under way at a time, an ``Exchange``. Those that a client sent ahead wait, unread,
in ``_buffer`` and in the kernel, so the answers go out in order (RFC 9112, 9.3.2).

A connection is in one of these states:

* idle: the next bytes are a head, or a part of one;
* in an exchange: what comes is the body of its request;
* queued: the turn's budget is used up, or the client is slow to take answers;
  ``_continue`` goes on when it is this connection's turn again;
* stopped: nothing is read or answered any more; the stream closes, or is gone.

The common case, a request without a body that is answered at once, passes through
``data_received`` and ``_serve`` alone: mind the cost of every line there.
"""

from __future__ import annotations

import re
from time import monotonic, time
from typing import TYPE_CHECKING

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from netlab.errors import FrameTimeout, NetlabError
from netlab.transport import NEVER, Hub, Stream
from netlab.transport.answers import begin

from .access import Access
from .errors import RequestError
from .exchange import Exchange
from .head import END, Section
from .incoming import Incoming
from .message import Request, Response, kind_of, last_words

if TYPE_CHECKING:
    from .server import HttpServer

BUDGET = 64
"""Requests answered for one connection before the others have their turn."""
_DRAIN_READS = 64
_REMEMBERED = 2048
"""Bytes of a header section up to which it is kept, to know it again."""
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_CR = END[0]


class HttpConnection:
    """A ``netlab.transport.Receiver`` that serves the requests of one client."""

    __slots__ = (
        *("_access", "_at", "_blank_since", "_buffer", "_checked", "_dates", "_exchange"),
        *("_handler", "_head_since", "_last", "_limits", "_max_head", "_peer_ended", "_queued"),
        *("_reader", "_stats", "_working", "draining", "hub", "scheme", "server", "stopped"),
        "stream",
    )

    stream: Stream
    hub: Hub

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.scheme = "http"
        self.draining = False
        self.stopped = False
        self._handler = server.handler
        self._limits = server.limits
        self._max_head = server.limits.max_head
        self._reader = server.reader
        self._dates = server.dates
        self._stats = server.stats
        self._access = server.access_log
        self._exchange: Exchange | None = None
        self._last: Section | None = None
        self._buffer = b""  # what came and was not used yet
        self._at = 0  # how much of it is used by now: 0 but in _work
        self._checked = 0  # how much of a part of a head was looked at
        self._head_since: float | None = None
        self._blank_since: float | None = None  # nothing but empty lines came since
        self._peer_ended = False
        self._queued = False
        self._working = False

    # -- for the request and the exchange

    @property
    def peer(self) -> IAddress:
        """The client's address."""
        return self.stream.peer

    @property
    def last_request(self) -> bool:
        """Whether no other request will be served after the one under way."""
        return self.draining or (self._peer_ended and self._at == len(self._buffer))

    def exchange_over(self, *, keep: bool, reason: NetlabError | None = None) -> None:
        """The response is written, and the body has come or will not be waited for."""
        self._exchange = None
        if not keep:
            self.finish(reason)
        elif not self._working:  # else _work goes on
            self._go_on()

    def finish(self, reason: NetlabError | None = None) -> None:
        """Closes, when what was written is sent; reads no more."""
        if not self.stopped:
            self.stopped = True
            self._buffer = b""
            self._at = 0
            self.stream.finish(reason)

    # -- as the stream's receiver

    def connected(self, stream: Stream) -> None:
        """See ``Receiver``."""
        self.stream = stream
        self.hub = stream.hub
        if isinstance(stream.get_handle(), SSL.Connection):
            self.scheme = "https"

    def data_received(self, data: bytes) -> bytes | None:
        """See ``Receiver``: serves the requests in ``data``."""
        end = data.find(END)
        if (
            self._buffer
            or self._exchange is not None
            or self._blank_since is not None
            or end < 0
            or end + 4 != len(data)
            or end > self._max_head
            or data[0] == _CR
        ):
            self._take(data)
            return None
        return self._serve(data)

    def _serve(self, head: bytes) -> bytes | None:
        """Serves the request with this head; returns the answer if it is ready to be sent."""
        try:
            method, target, section = self._reader.read(head, self._last)
        except RequestError as error:
            self._refuse(error)
            return None
        self._last = section if len(head) < _REMEMBERED else None
        request = Request.received(method, target, section, self)
        if not section.usual or self.draining:
            self._begin(request, section)
            return None
        began = monotonic() if self._access is not None else 0.0
        try:
            response = self._handler(request)
            if response.__class__ is not Response:
                response = begin(response)
        except BaseException:  # sys.exit() in a handler must not end the server either
            self._exchange = Exchange(self, request, section)
            self._exchange.failed(Failure())
            return None
        prepared = response._prepared if response.__class__ is Response else None
        if prepared is None or method == "HEAD":
            self._exchange = Exchange(self, request, section)
            self._exchange.settle(response)
            return None
        line = self._dates.line()
        self._stats.responses[prepared.kind] += 1
        if self._access is not None:
            self._log(request, response, began)
        wire = prepared.wire if prepared.line is line else prepared.renew(line)
        if prepared.rest is None:
            return wire
        self._answer(wire)
        self.stream.write(prepared.rest)
        return None

    def _log(self, request: Request, response: Response, began: float) -> None:
        assert self._access is not None
        size = len(response.body) if isinstance(response.body, bytes) else 0
        seconds = monotonic() - began
        self._access(Access(self.peer, request, response.status, size, seconds, time()))

    def _answer(self, answer: bytes) -> None:
        self._stats.messages_in += 1
        self._stats.messages_out += 1
        self.stream.write(answer)

    def _begin(self, request: Request, section: Section) -> None:
        """Begins an exchange of any kind."""
        incoming = None
        limits = self._limits
        if not section.bodiless:
            try:
                incoming = Incoming(
                    section,
                    max_body=limits.max_body,
                    max_overhead=limits.max_head,
                    max_fields=limits.max_fields,
                )
            except RequestError as error:
                self._refuse(error)
                return
        exchange = self._exchange = Exchange(self, request, section, incoming)
        if exchange.arrival is not None and self._at < len(self._buffer):
            self._at = exchange.arrival.feed(self._buffer, self._at)
        exchange.start(self._handler)

    def end_received(self) -> None:
        """See ``Receiver``: answers what has come whole, then closes."""
        self._peer_ended = True
        if self._exchange is not None:
            self._exchange.end_received()
        elif not self._queued:
            self._end()

    def can_write(self) -> None:
        """See ``Receiver``: whoever waited for the client goes on."""
        if self._exchange is not None:
            self._exchange.can_write()
        else:
            self._go_on()

    def check(self, now: float) -> float:
        """See ``Receiver``: the deadlines of the state the connection is in."""
        limits = self._limits
        if self._exchange is not None:
            due = self._exchange.check(now)
            # It will be over at some time, and nobody looks at the clock then.
            return min(due, now + (limits.idle_timeout or NEVER))
        if self.stream.blocked:  # nothing is read, and the stream has a deadline for that
            return now + (limits.idle_timeout or NEVER)
        if self._head_since is not None:
            due = self._head_since + (limits.frame_timeout or NEVER)
            if now >= due:
                text = f"the head was not complete after {limits.frame_timeout:g} seconds"
                self._refuse(RequestError(408, text))
                return self.stream.next_check
            return due
        since = self.stream.last_activity if self._blank_since is None else self._blank_since
        due = since + (limits.idle_timeout or NEVER)
        if now >= due:
            self.finish()
            return self.stream.next_check
        return due

    def drain(self) -> None:
        """See ``Receiver``: one more answer, if there is a request to answer."""
        self.draining = True
        for _ in range(_DRAIN_READS):
            if self._exchange is not None or self._queued or not self.stream.read_more():
                break
        self._end()

    def lost(self, reason: NetlabError | None) -> None:
        """See ``Receiver``."""
        self.stopped = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost(reason)

    # -- the loop

    def _take(self, data: bytes) -> None:
        """Takes what is not one whole head."""
        self._buffer = self._buffer + data if self._buffer else data
        exchange = self._exchange
        if exchange is None:
            self._work()
        elif exchange.arrival is not None and exchange.arrival.receiving:
            self._at = exchange.arrival.feed(self._buffer, 0)
            self._drop_used()
            exchange.arrival.deliver()
            if self._buffer and self._exchange is not None:
                self.stream.pause()
        else:
            self.stream.pause()  # requests sent ahead: they have to wait

    def _drop_used(self) -> None:
        self._buffer = self._buffer[self._at :]
        self._at = 0

    def _work(self) -> None:
        """Serves what has come, as far as it goes in this turn."""
        self._working = True
        budget = BUDGET
        while budget and self._next():
            budget -= 1
        self._working = False
        if self.stopped:
            return
        self._drop_used()
        if not budget:
            self._queue()
        elif self._exchange is None:
            if not self._buffer:
                self._go_on()
        elif self._buffer:
            self.stream.pause()
        else:
            self.stream.resume()

    def _next(self) -> bool:
        """Serves one request of the buffer; whether there may be another one to serve."""
        if self.stopped or self._exchange is not None:
            return False
        if self.stream.full:
            self.stream.pause()  # ``can_write`` goes on
            return False
        buffer = self._buffer
        match = _EMPTY_LINES.match(buffer, self._at)  # RFC 9112, 2.2
        if match is not None:
            self._at = match.end()
            if self._blank_since is None:
                self._blank_since = self.hub.now
        at = self._at
        end = buffer.find(END, at)
        if end < 0 or end - at > self._max_head:
            if at < len(buffer):
                self._wait_for_head()
            return False
        self._at = end + len(END)
        self._head_since = self._blank_since = None
        self._checked = 0
        answer = self._serve(buffer[at : self._at])
        if answer is not None:
            self._answer(answer)
        return True

    def _wait_for_head(self) -> None:
        """A part of a head is there: is it worth waiting for the rest?"""
        if self._at:
            self._checked = 0
        self._drop_used()
        part = self._buffer
        try:
            self._reader.check_part(part, self._checked)
            if len(part) > self._max_head:
                raise RequestError(431, f"a request's head here may have {self._max_head} bytes")
            if self._peer_ended:
                raise RequestError(400, "the connection ended before the empty line after the head")
        except RequestError as error:
            self._refuse(error)
            return
        self._checked = len(part)
        if self._head_since is None and part != b"\r":
            since = self._head_since = self.hub.now
            due = since + (self._limits.frame_timeout or NEVER)
            self.stream.next_check = min(self.stream.next_check, due)
        self.stream.resume()

    def _queue(self) -> None:
        """Goes on in a later turn; until then nothing more is read."""
        self.stream.pause()
        if not self._queued and not self.stream.full:
            self._queued = True
            self.hub.soon(self._continue)

    def _continue(self) -> None:
        self._queued = False
        self.hub.mark = monotonic()
        if not self.stopped and self._exchange is None:
            self._work()

    def _go_on(self) -> None:
        """The exchange is over, or the client took enough of what was written."""
        if self._buffer:
            self._queue()
            return
        self._head_since = None
        self._checked = 0
        if self._peer_ended or self.draining:
            self.hub.soon(self._end)
        else:
            self.stream.resume()

    # -- the end

    def _refuse(self, error: RequestError) -> None:
        """Says what is wrong with a request that cannot be served, and closes."""
        self._stats.messages_out += 1
        self._stats.responses[kind_of(error.status)] += 1
        data, size = last_words(error.status, error.text, self._dates.line())
        self.stream.write(data)
        if self._access is not None:
            self._access(Access(self.peer, None, error.status, size, 0.0, time()))
        self.finish(FrameTimeout(error.text) if error.status == 408 else error)

    def _end(self) -> None:
        """Closes if everything is answered, after the client's end or the server's."""
        if self.stopped or self._exchange is not None or self._queued or self.stream.full:
            return
        if self._buffer:
            if self._peer_ended:
                self._work()
            return  # a draining server lets a head that has begun arrive
        if not self._peer_ended and self.stream.read_more():
            return  # more was there: its own end comes back here
        self.finish()
