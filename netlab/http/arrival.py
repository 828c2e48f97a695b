"""A request's body on its way from the connection to the handler that reads it.

It is read no faster than the handler takes it, and no slower than its deadline
allows. When the response is written first, the rest is in the way of the next
request: a little of it is thrown away, for more the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable

from netlab.errors import ConnectionClosed, NetlabError
from netlab.transport import NEVER, Stream

from .body import Body
from .errors import BodyIncomplete, BodyTimeout, RequestError
from .head import Section
from .incoming import Incoming
from .limits import HttpLimits
from .outgoing import CONTINUE

_HIGH, _LOW = 64 * 1024, 16 * 1024
"""Bytes that wait for the handler, above which no more is read, and below which it is."""


class Arrival:
    """The ``body`` of one request, coming in on ``stream``.

    over       is called once after ``discard``: ``over(True)`` when the body has come
               whole, ``over(False)`` when the rest of it will not
    error      what is wrong with the body, if anything is
    expecting  whether the client waits to be told to send it (RFC 9110, 10.1.1)
    receiving  whether what comes belongs to it
    """

    __slots__ = (
        *("_incoming", "_limits", "_over", "_paused_at", "_since", "_stream", "_thrown"),
        *("body", "error", "expecting", "receiving"),
    )

    def __init__(
        self,
        stream: Stream,
        section: Section,
        incoming: Incoming,
        limits: HttpLimits,
        over: Callable[[bool], None],
    ) -> None:
        self.body = Body(self, section.length)
        self.error: RequestError | None = None
        self.expecting = section.expects
        self.receiving = True
        self._stream = stream
        self._incoming = incoming
        self._limits = limits
        self._over: Callable[[bool], None] | None = over
        self._thrown: int | None = None  # how much had come when the rest was not wanted
        self._paused_at: float | None = None
        self._since = NEVER
        if not self.expecting:
            self._start_clock()

    def reusable(self, *, wanted: bool) -> bool:
        """Whether the connection can be used again behind a response that begins now.

        That is when the rest of the body is little enough to be thrown away, or is
        ``wanted``: the response is still to be made, perhaps of it.
        """
        if self.expecting or self.error is not None:  # it may come, or not
            return False
        return wanted or self._fits

    @property
    def _fits(self) -> bool:
        return not self.receiving or self._incoming.announced <= self._limits.max_unread

    def feed(self, data: bytes, at: int) -> int:
        """Takes the body's part of ``data``; returns where that ends. ``deliver`` follows."""
        if self.expecting:  # the client did not wait to be asked
            self._start_clock()
        try:
            return self._incoming.feed(data, at)
        except RequestError as error:
            self.error = error
            return len(data)

    def deliver(self) -> None:
        """Hands on what ``feed`` found."""
        incoming, body = self._incoming, self.body
        if self.error is not None:
            self._fail(self.error)
            return
        self.receiving = not incoming.complete
        pieces = incoming.take()
        if self._thrown is not None:
            if incoming.complete:
                self._finish(True)
            elif incoming.size - self._thrown > self._limits.max_unread:
                self._finish(False)
            return
        if pieces:
            body.add(pieces)
        if incoming.complete:
            body.end(incoming.trailers)
        elif body.size > _HIGH and self._paused_at is None:
            self._paused_at = self._stream.hub.now
            self._stream.pause()

    def discard(self) -> None:
        """The response is written: what still comes of the body is not wanted."""
        if not self.receiving:
            self._finish(self.error is None)
            return
        self._thrown = self._incoming.size
        self.body.fail(ConnectionClosed("the response has been sent"))
        if not self._fits:
            self._finish(False)
        elif self._paused_at is not None:
            self._go_on()

    def end_received(self) -> None:
        """The client will send nothing more."""
        if self.receiving:
            self._fail(BodyIncomplete())

    def lost(self, error: NetlabError) -> None:
        """The connection is gone."""
        self.receiving = False
        self._over = None
        self.body.fail(error)

    def _fail(self, error: RequestError) -> None:
        self.error = error
        self.receiving = False
        if self._thrown is not None:
            self._finish(False)
        else:
            self._stream.pause()
            self.body.fail(error)

    def _finish(self, whole: bool) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(whole)

    # -- for the body: see ``netlab.http.body.Source``

    def body_wanted(self) -> None:
        """Somebody waits for it."""
        if self.expecting:
            self._start_clock()
            self._stream.write(CONTINUE)

    def body_taken(self) -> None:
        """Some of it has been read."""
        if self._paused_at is not None and self.body.size <= _LOW:
            self._since += self._stream.hub.now - self._paused_at
            self._go_on()

    def _go_on(self) -> None:
        self._paused_at = None
        if self.receiving:
            self._stream.resume()

    # -- time

    def do_not_expect(self) -> None:
        """The response begins: it is too late to ask for the body."""
        if self.expecting:
            self._start_clock()

    def _start_clock(self) -> None:
        """The body is to come from now on."""
        self.expecting = False
        stream = self._stream
        self._since = stream.hub.now
        due = self._since + (self._limits.body_timeout or NEVER)
        stream.next_check = min(stream.next_check, due)

    def check(self, now: float) -> float:
        """Acts on the deadline; returns when to look again."""
        timeout = self._limits.body_timeout
        if not self.receiving or self.expecting or timeout is None:
            return NEVER
        if self._paused_at is not None:  # it waits for us
            return now + timeout
        if self._stream.blocked:
            self._since = now
        due = self._since + timeout + self._incoming.size / self._limits.min_body_rate
        if now >= due:
            self._fail(BodyTimeout())
            return NEVER
        return due
