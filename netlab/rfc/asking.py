"""Asking an upstream, or a server of ours, over HTTP and waiting for the answer.

For programs that have nothing else to do meanwhile; a server has ``netlab.http.fetching``.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple
from urllib.parse import urlsplit

from netlab.cache.policy.uris import resolve
from netlab.errors import NetlabError, ProtocolError
from netlab.escaping import escape
from netlab.fields import Fields
from netlab.rfc.coding import LONGEST, Unpacking, is_packed, unpacked, validated
from netlab.rfc.coding import asking as as_upstream_knows
from netlab.rfc.freshness import is_upstream

CONNECT = 10.0
"""Seconds until a connection must be there, and"""
SILENCE = 30.0
"""seconds that nothing may come, and"""
WHOLE = 600.0
"""seconds that a whole answer may take."""

_REDIRECTIONS = 5
_PIECE = 1 << 16
_REDIRECTING = (301, 302, 303, 307, 308)


class OutOfReach(NetlabError):
    """No answer came, or none that can be understood. The message says from where, and why."""

    kind = "out_of_reach"


class NotThere(NetlabError):
    """There is no such document, as far as the upstream knows."""

    kind = "not_there"


class Reply(NamedTuple):
    """An answer: its head, and its content without any compression."""

    status: int
    reason: str
    fields: Fields
    content: bytes


@cache
def user_agent() -> str:
    """``netlab/1.2.3`` (RFC 9110, 10.1.5): the RFC Editor answers 403 to whom it does not know."""
    try:
        return f"netlab/{version('netlab')}"
    except PackageNotFoundError:  # run from a tree that was never installed
        return "netlab/0"


class Asker:
    """Asks the hosts of ``base``, a URL, one thing at a time; its connection stays open between.

    ``connect`` and ``silence`` are seconds: see ``CONNECT`` and ``SILENCE``.
    """

    def __init__(self, base: str, *, connect: float = CONNECT, silence: float = SILENCE) -> None:
        self._base = base
        self._connect_timeout = connect
        self._silence = silence
        self._connection: http.client.HTTPConnection | None = None
        self._whom: tuple[str, str] = ("", "")
        self._tls: ssl.SSLContext | None = None
        self._over = False

    def close(self) -> None:
        """Ends the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def break_off(self) -> None:
        """Ends what another thread waits for, which gets ``OutOfReach``; this is of no more use."""
        self._over = True
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            with suppress(OSError):  # it has ended already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def ask(self, uri: str, fields: Fields | None = None) -> Reply:
        """The answer to a GET of ``uri``; of redirections those are followed that stay at home.

        A compressed answer comes unpacked, with the tag that it is stored under: see
        ``netlab.rfc.coding``. Raises ``OutOfReach``.
        """
        fields, ours = as_upstream_knows(Fields() if fields is None else fields)
        fields = fields.setting("Accept-Encoding", "gzip").setting("User-Agent", user_agent())
        for _ in range(_REDIRECTIONS):
            reply = self._ask(uri, fields)
            to = reply.fields.get("location")
            if reply.status not in _REDIRECTING or to is None:
                if reply.status == 304 and ours:
                    return reply._replace(fields=validated(reply.fields))
                return reply
            uri = resolve(uri, to)
            if not is_upstream(self._base, uri):
                raise OutOfReach(
                    f"{_host(self._base)} sends to {escape(uri, 100)}, which is not its own"
                )
        raise OutOfReach(f"{_host(uri)} sends from one address to the next, without end")

    def _ask(self, uri: str, fields: Fields) -> Reply:
        parts = urlsplit(uri)
        whom = (parts.scheme, parts.netloc)
        if whom != self._whom:
            self.close()
            self._whom = whom
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            while True:
                reused = self._connection is not None
                connection = self._connection or self._connect(parts.scheme, parts.netloc)
                try:
                    connection.request("GET", target, headers=dict(fields))
                    response = connection.getresponse()
                except (http.client.RemoteDisconnected, ConnectionError):
                    self.close()
                    if not reused or self._over:
                        raise
                    continue  # it was closed while nothing was asked: not an error
                except BaseException:
                    self.close()
                    raise
                return self._read(response)
        except (OSError, http.client.HTTPException, ValueError, ProtocolError) as error:
            raise OutOfReach(f"{_host(uri)}: {_why(error)}") from error

    def _connect(self, scheme: str, authority: str) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                authority, timeout=self._connect_timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(authority, timeout=self._connect_timeout)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._silence)
        self._connection = connection
        return connection

    def _read(self, response: http.client.HTTPResponse) -> Reply:
        until = time.monotonic() + WHOLE
        pieces: list[bytes] = []
        size = 0
        try:
            fields = Fields.received(
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in response.getheaders()
            )
            unpacking = Unpacking() if is_packed(fields) else None
            while data := response.read(_PIECE):
                size += len(data)
                if size > LONGEST:
                    raise ProtocolError(f"its answer has more than {LONGEST} bytes")
                if time.monotonic() > until:
                    raise TimeoutError
                if unpacking is None:
                    pieces.append(data)
                else:
                    pieces += unpacking.feed(data)
            if response.length:  # of what was announced, some is missing
                raise http.client.IncompleteRead(b"", response.length)
            if unpacking is not None and response.status != 304:
                pieces += unpacking.end()
                fields = unpacked(fields)
        except BaseException:
            response.close()
            self.close()
            raise
        if response.will_close:
            self.close()
        return Reply(response.status, response.reason, fields, b"".join(pieces))


def _host(uri: str) -> str:
    return escape(urlsplit(uri).netloc, 80)


def _why(error: Exception) -> str:
    """Why there is no answer, in words."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closes the connection without an answer"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer breaks off"
    if isinstance(error, ProtocolError):
        return str(error)
    if not isinstance(error, OSError):
        return "what it answers is not HTTP"
    said = getattr(error, "verify_message", "") or error.strerror or str(error)
    said = escape(said[:1].lower() + said[1:], 120)
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {said}"
    return f"{said}; is there a network?" if isinstance(error, socket.gaierror) else said
