"""A request on its way out: its head as bytes, its body piece by piece (RFC 9112, 3 and 6)."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from netlab.errors import LocalProtocolError
from netlab.fields import Fields, ProxyError, end_to_end, is_token, parse_content_length

from .errors import FetchError
from .uris import Where

REPEATABLE = ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")
"""Methods that are sent again, once, when a connection from the pool turns out to be closed.

They are idempotent (RFC 9110, 9.2.2). PUT is too, but has a body.
"""

_CONTENT_EXPECTED = ("POST", "PUT", "PATCH")
_OURS = ("host", "content-length", "expect", "trailer")
"""Fields that are made here, or said of the message that was received."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as a connection sends it. ``method`` and ``bodyProducer`` are for Twisted's pool.

    name    of the method
    head    the request line and the header section
    body    what follows: bytes that are there, or an iterable of them
    length  of the body in bytes; ``None``: it goes in chunks
    """

    where: Where
    name: str
    head: bytes
    body: AsyncIterable[bytes] | bytes | None
    length: int | None

    @property
    def method(self) -> bytes:
        """The method, for the pool."""
        return self.name.encode("ascii")

    @property
    def bodyProducer(self) -> object:
        """Whether there is a body, for the pool."""
        return self.body

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent twice."""
        return self.name in REPEATABLE and self.body is None


def prepare(
    method: str,
    where: Where,
    fields: Fields,
    body: AsyncIterable[bytes] | bytes | None,
    user_agent: str,
) -> Outgoing:
    """The request for ``where`` with those of ``fields`` that are forwarded (RFC 9110, 7.6).

    Raises ``LocalProtocolError`` for a method that is none.
    """
    if not is_token(method) or method == "CONNECT":
        raise LocalProtocolError(f"{method!a} is no method that can be fetched: use GET")
    length, framing = _framing(method, fields, body)
    lines = end_to_end(fields).without(*_OURS)
    if "user-agent" not in lines:
        lines = lines.adding(("User-Agent", user_agent))
    target = "*" if where.target == "" and method == "OPTIONS" else where.target or "/"
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: {where.host_field}\r\n".encode("ascii")
        + lines.to_bytes()
        + framing
        + b"\r\n"
    )
    return Outgoing(where, method, head, body, length)


def _framing(
    method: str, fields: Fields, body: AsyncIterable[bytes] | bytes | None
) -> tuple[int | None, bytes]:
    """How many bytes the body has, and the line that says so (RFC 9112, 6)."""
    if body is None:
        return 0, b"Content-Length: 0\r\n" if method in _CONTENT_EXPECTED else b""
    announced = fields.get("content-length")
    length = None if announced is None else parse_content_length(announced)
    if isinstance(body, bytes):
        length = len(body)
    if length is None:
        return None, b"Transfer-Encoding: chunked\r\n"
    return length, b"Content-Length: %d\r\n" % length


@implementer(IPushProducer)
class Sender:
    """Sends a body through ``transport``, no faster than it goes.

    stall  seconds for which the upstream may take nothing; then ``FetchError``

    ``start`` fails with what the body's iterator raises, and with ``LocalProtocolError`` if
    that gives more or fewer bytes than were announced.
    """

    def __init__(self, transport: Any, reactor: Any, stall: float) -> None:
        self._transport = transport
        self._reactor = reactor
        self._stall = stall
        self._choked: Deferred[None] | None = None
        self._stopped = False
        self._sending: Deferred[None] | None = None

    def start(self, body: AsyncIterable[bytes], length: int | None) -> Deferred[None]:
        """Sends all of ``body``: ``length`` bytes, or in chunks. Fires when it is sent."""
        self._sending = Deferred.fromCoroutine(self._send(body, length))
        return self._sending

    def stop(self) -> None:
        """Nobody takes the rest."""
        self._stopped = True
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, body: AsyncIterable[bytes], length: int | None) -> None:
        self._transport.registerProducer(self, True)
        try:
            left = length
            async for piece in body:
                if self._stopped:
                    return
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        raise _mistaken(length)
                    self._transport.write(piece)
                elif piece:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if self._choked is not None:
                    await self._room(self._choked)
            if left:
                raise _mistaken(length)
            if left is None:
                self._transport.write(b"0\r\n\r\n")
        finally:
            self._transport.unregisterProducer()

    async def _room(self, choked: Deferred[None]) -> None:
        def late() -> None:
            choked.errback(
                FetchError(
                    ProxyError.CONNECTION_WRITE_TIMEOUT,
                    f"the upstream took nothing of the request's body for {self._stall:g} s",
                )
            )

        timer = self._reactor.callLater(self._stall, late)
        try:
            await choked
        finally:
            self._choked = None
            if timer.active():
                timer.cancel()

    # -- for the transport

    def pauseProducing(self) -> None:
        """The upstream does not keep up."""
        if self._choked is None:
            self._choked = Deferred()

    def resumeProducing(self) -> None:
        """There is room again."""
        choked = self._choked
        if choked is not None and not choked.called:
            self._choked = None
            choked.callback(None)

    def stopProducing(self) -> None:
        """The connection is gone; whoever waits hears it from the connection."""
        self._stopped = True


def _mistaken(length: int | None) -> LocalProtocolError:
    return LocalProtocolError(
        f"the request's body does not have the {length} bytes that Content-Length announces"
    )
