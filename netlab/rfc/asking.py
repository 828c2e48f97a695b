"""Asking an upstream, or a server of ours, over HTTP and waiting for the answer.

For programs that have nothing else to do meanwhile; a server has ``netlab.http.fetching``.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections.abc import Collection
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
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)
_FAILURES = (OSError, ValueError, ProtocolError)
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

    ``ask`` waits for the answer. Who asks several at a time calls ``begin``, and ``proceed``
    of those that ``wait`` returns, until there is an answer.
    """

    def __init__(self, base: str, *, connect: float = CONNECT, silence: float = SILENCE) -> None:
        self.deadline = 0.0
        """When ``proceed`` is to be called, though nothing has come: a ``time.monotonic``."""
        self._base = base
        self._connect_timeout = connect
        self._silence = silence
        self._sock: socket.socket | None = None
        self._whom: tuple[str, str] = ("", "")
        # Of what is asked:
        self._uri = ""
        self._lines = b""
        self._tag_is_ours = False
        self._redirections = 0
        self._request = b""
        self._reused = False
        self._until = 0.0
        self._answer = Answer()

    def close(self) -> None:
        """Ends the connection, and what is asked."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def fileno(self) -> int:
        """The descriptor on which the answer comes."""
        assert self._sock is not None
        return self._sock.fileno()

    def ask(self, uri: str, fields: Fields | None = None) -> Reply:
        """The answer to a GET of ``uri``; of redirections those are followed that stay at home.

        A compressed answer comes unpacked, with the tag that it is stored under: see
        ``netlab.rfc.coding``. Raises ``OutOfReach``.
        """
        try:
            self.begin(uri, fields)
            while True:
                wait([self], WHOLE)
                reply = self.proceed()
                if reply is not None:
                    return reply
        except BaseException:
            self.close()
            raise

    def begin(self, uri: str, fields: Fields | None = None) -> None:
        """Asks, as ``ask`` does. It waits until the connection is there, if there is none.

        Raises ``OutOfReach``.
        """
        self._lines, self._tag_is_ours = _usual(), False
        if fields is not None:
            fields, self._tag_is_ours = as_upstream_knows(fields)
            self._lines += fields.to_bytes()
        self._redirections = 0
        self._begin(uri)

    def proceed(self) -> Reply | None:
        """Takes what came; returns the answer when all of it has. Raises ``OutOfReach``."""
        try:
            reply = self._read()
        except ConnectionError as error:
            self.close()
            if not self._reused or self._answer.begun:
                raise self._out_of_reach(error) from error
            self._reused = False
            self._send()  # it was closed while nothing was asked: not an error
            return None
        except _FAILURES as error:
            self.close()
            raise self._out_of_reach(error) from error
        if reply is None:
            return None
        to = reply.fields.get("location")
        if reply.status not in _REDIRECTING or to is None:
            if reply.status == 304 and self._tag_is_ours:
                return reply._replace(fields=validated(reply.fields))
            return reply
        self._redirections += 1
        if self._redirections == _REDIRECTIONS:
            raise OutOfReach(f"{_host(self._uri)} sends from one address to the next, without end")
        uri = resolve(self._uri, to)
        if not is_upstream(self._base, uri):
            raise OutOfReach(
                f"{_host(self._base)} sends to {escape(uri, 100)}, which is not its own"
            )
        self._begin(uri)
        return None

    def _begin(self, uri: str) -> None:
        self._uri = uri
        parts = urlsplit(uri)
        whom = (parts.scheme, parts.netloc)
        if whom != self._whom or not self._is_quiet():
            self.close()
            self._whom = whom
        try:
            self._request = _request(parts, self._lines)
        except ValueError as error:
            raise self._out_of_reach(error) from error
        self._reused = self._sock is not None
        self._send()

    def _is_quiet(self) -> bool:
        """Whether nothing came that nobody asked for; the connection's end is that, too."""
        if self._sock is None:
            return True
        try:
            self._sock.recv(1)
        except _NOTHING_YET:
            return True
        except OSError:
            pass  # it is broken: that is the end, too
        return False

    def _send(self) -> None:
        try:
            sock = self._sock or self._connect()
            self._answer = Answer()
            now = time.monotonic()
            self._until = now + WHOLE
            self.deadline = now + self._silence
            sock.sendall(self._request)
        except ConnectionError as error:
            self.close()
            if not self._reused:
                raise self._out_of_reach(error) from error
            self._reused = False
            self._send()
        except _FAILURES as error:
            self.close()
            raise self._out_of_reach(error) from error

    def _connect(self) -> socket.socket:
        scheme, authority = self._whom
        parts = urlsplit(f"//{authority}")
        is_secure = scheme == "https"
        where = (parts.hostname or "", parts.port or (443 if is_secure else 80))
        sock = socket.create_connection(where, self._connect_timeout)
        try:
            if is_secure:
                sock = _tls().wrap_socket(
                    sock, server_hostname=where[0], suppress_ragged_eofs=False
                )
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        self._sock = sock
        return sock

    def _read(self) -> Reply | None:
        sock, answer = self._sock, self._answer
        assert sock is not None
        while not answer.complete:
            clean = True
            try:
                data = sock.recv(_PIECE)
            except _NOTHING_YET:
                if time.monotonic() >= self.deadline:
                    raise TimeoutError from None
                return None
            except ssl.SSLEOFError:  # it ended without a word
                data, clean = b"", False
            if data:
                answer.feed(data)
            elif answer.begun:
                answer.end(clean=clean)
            else:
                raise _Gone
            now = time.monotonic()
            if now >= self._until:
                raise TimeoutError
            self.deadline = min(now + self._silence, self._until)
        if answer.is_last:
            self.close()
        return answer.reply()

    def _out_of_reach(self, error: Exception) -> OutOfReach:
        return OutOfReach(f"{_host(self._uri)}: {_why(error)}")


def wait(askers: Collection[Asker], seconds: float) -> list[Asker]:
    """Those of some that ask of which ``proceed`` is to be called, at most ``seconds`` later."""
    poll = select.poll()
    by_number = {}
    for asker in askers:
        number = asker.fileno()
        by_number[number] = asker
        poll.register(number, select.POLLIN)
    late = min([asker.deadline for asker in askers])
    left = min(seconds, late - time.monotonic())
    found = [by_number[number] for number, _ in poll.poll(max(left, 0.0) * 1000)]
    now = time.monotonic()
    if now < late:
        return found
    return [asker for asker in askers if asker in found or asker.deadline <= now]


@cache
def _tls() -> ssl.SSLContext:
    """For all connections: to read whom the system trusts takes a while."""
    return ssl.create_default_context()


@cache
def _usual() -> bytes:
    """What all requests say."""
    return Fields([("Accept-Encoding", "gzip"), ("User-Agent", user_agent())]).to_bytes()


def _request(parts: SplitResult, lines: bytes) -> bytes:
    """What is sent (RFC 9112, 3). Raises ``ValueError`` for what cannot be."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (_TARGET.fullmatch(target) and _TARGET.fullmatch(parts.netloc)):
        raise ValueError("a character that no address has")
    head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode("ascii")
    return head + lines + b"\r\n"


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
    if not said[1:2].isupper():  # which is no abbreviation
        said = said[:1].lower() + said[1:]
    said = escape(said, 120)
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {said}"
    return f"{said}; is there a network?" if isinstance(error, socket.gaierror) else said
