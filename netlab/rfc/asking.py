"""Asking an upstream, or a server of ours, over HTTP and waiting for the answer.

For programs that have nothing else to do meanwhile; a server has ``netlab.http.fetching``.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import SplitResult, urlsplit

from netlab.cache.policy.uris import resolve
from netlab.errors import NetlabError, ProtocolError
from netlab.escaping import escape
from netlab.fields import Fields
from netlab.rfc.answers import Answer, Reply
from netlab.rfc.coding import asking as as_upstream_knows
from netlab.rfc.coding import validated
from netlab.rfc.freshness import is_upstream

CONNECT = 10.0
"""Seconds until a connection must be there, and"""
SILENCE = 30.0
"""seconds that nothing may come, and"""
WHOLE = 600.0
"""seconds that a whole answer may take."""

_REDIRECTIONS = 5
_PIECE = 1 << 18  # bytes: most documents come at once
_REDIRECTING = (301, 302, 303, 307, 308)
_TARGET = re.compile(r"[!-~]+", re.ASCII)


class OutOfReach(NetlabError):
    """No answer came, or none that can be understood. The message says from where, and why."""

    kind = "out_of_reach"


class NotThere(NetlabError):
    """There is no such document, as far as the upstream knows."""

    kind = "not_there"


class _Gone(ConnectionError):
    """The connection has ended before anything of an answer came."""


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
        self._sock: socket.socket | None = None
        self._whom: tuple[str, str] = ("", "")
        self._tls: ssl.SSLContext | None = None
        self._over = False

    def close(self) -> None:
        """Ends the connection."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def break_off(self) -> None:
        """Ends what another thread waits for, which gets ``OutOfReach``; this is of no more use."""
        self._over = True
        sock = self._sock
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
        if whom != self._whom or not self._is_quiet():
            self.close()
            self._whom = whom
        try:
            request = _request(parts, fields)
            reused = self._sock is not None
            while True:
                sock = self._sock or self._connect(parts)
                try:
                    sock.sendall(request)
                    return self._receive(sock)
                except ConnectionError:
                    self.close()
                    if not reused or self._over:
                        raise
                    reused = False  # it was closed while nothing was asked: not an error
                except BaseException:
                    self.close()
                    raise
        except (OSError, ValueError, ProtocolError) as error:
            raise OutOfReach(f"{_host(uri)}: {_why(error)}") from error

    def _is_quiet(self) -> bool:
        """Whether nothing came that nobody asked for; the connection's end is that, too."""
        return self._sock is None or not select.select([self._sock], [], [], 0)[0]

    def _connect(self, parts: SplitResult) -> socket.socket:
        is_secure = parts.scheme == "https"
        where = (parts.hostname or "", parts.port or (443 if is_secure else 80))
        sock = socket.create_connection(where, self._connect_timeout)
        try:
            if is_secure:
                self._tls = self._tls or _tls()
                sock = self._tls.wrap_socket(
                    sock, server_hostname=where[0], suppress_ragged_eofs=False
                )
            sock.settimeout(self._silence)
        except BaseException:
            sock.close()
            raise
        self._sock = sock
        return sock

    def _receive(self, sock: socket.socket) -> Reply:
        until = time.monotonic() + WHOLE
        answer = Answer()
        while not answer.complete:
            clean = True
            try:
                data = sock.recv(_PIECE)
            except ssl.SSLEOFError:  # it ended without a word
                data, clean = b"", False
            if data:
                answer.feed(data)
            elif answer.begun:
                answer.end(clean=clean)
            else:
                raise _Gone
            if time.monotonic() > until:
                raise TimeoutError
        if answer.is_last:
            self.close()
        return answer.reply()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _request(parts: SplitResult, fields: Fields) -> bytes:
    """What is sent (RFC 9112, 3). Raises ``ValueError`` for what cannot be."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (_TARGET.fullmatch(target) and _TARGET.fullmatch(parts.netloc)):
        raise ValueError("a character that no address has")
    head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode("ascii")
    return head + fields.to_bytes() + b"\r\n"


def _host(uri: str) -> str:
    return escape(urlsplit(uri).netloc, 80)


def _why(error: Exception) -> str:
    """Why there is no answer, in words."""
    if isinstance(error, _Gone):
        return "it closes the connection without an answer"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ProtocolError):
        return str(error)
    if not isinstance(error, OSError):
        return "that is no address"
    said = getattr(error, "verify_message", "") or error.strerror or str(error)
    said = escape(said[:1].lower() + said[1:], 120)
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {said}"
    return f"{said}; is there a network?" if isinstance(error, socket.gaierror) else said
