"""Bytes through a socket, blocking: with a deadline, with or without TLS.

``Pipe`` moves bytes, and ``TLSPipe`` encrypts them. A ``Deadline`` is the one
moment by which a call must be done, however many system calls it takes: with a
time-out for each of them, a server that sends a byte every nine seconds would
never run into a time-out of ten.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from netlab.errors import (
    ConfigurationError,
    ConnectionClosed,
    ConnectionReset,
    DeadlineExceeded,
    TLSFailed,
)
from netlab.escaping import escape
from netlab.target import Target

_T = TypeVar("_T")

_CHUNK = 64 * 1024  # bytes asked of the kernel at a time
_LONGEST = 2_000_000.0  # seconds; poll(2) counts milliseconds in an int
_HOST_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

_HUNG_UP = "the server hung up during the TLS handshake: does it speak TLS?"


class Deadline:
    """The moment by which something must be done; ``what`` is said when it was not."""

    def __init__(self, timeout: float | None, what: str) -> None:
        if timeout is not None and not 0 <= timeout <= _LONGEST:
            raise ConfigurationError(
                f"timeout must be seconds from 0 to {_LONGEST:.0f}, or None, not {timeout!r}"
            )
        self._at = None if timeout is None else time.monotonic() + timeout
        self._text = f"{what} within {timeout or 0:g} s"
        self._asked = False

    def left(self) -> float | None:
        """Seconds that are left, for ``settimeout``; raises ``DeadlineExceeded`` at the end.

        The first time it returns 0 rather than raise: one look is always allowed.
        """
        if self._at is None:
            return None
        left = max(0.0, self._at - time.monotonic())
        if not left and self._asked:
            raise self.error()
        self._asked = True
        return left

    def error(self) -> DeadlineExceeded:
        """What to raise when the moment has passed."""
        return DeadlineExceeded(self._text)


class Pipe:
    """A connected socket: every call has a deadline, every error is one of netlab's."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def receive(self, deadline: Deadline) -> bytes:
        """Some bytes, as soon as there are any; ``b""`` when the server has finished."""
        self._socket.settimeout(deadline.left())
        try:
            return self._socket.recv(_CHUNK)
        except OSError as error:
            raise _broken(error, deadline) from error

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Sends all of ``data``, to the kernel at least."""
        # The kernel takes what it has room for, which may be less than there is.
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(deadline.left())
            try:
                sent = self._socket.send(rest)
            except OSError as error:
                raise _broken(error, deadline) from error
            rest = rest[sent:]

    def finish(self, deadline: Deadline) -> None:
        """Tells the server that nothing more will come."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise _broken(error, deadline) from error

    def close(self) -> None:
        """Gives the socket back to the system."""
        self._socket.close()

    def fileno(self) -> int:
        """The file descriptor, -1 after ``close``."""
        return self._socket.fileno()


class TLSPipe(Pipe):
    """A pipe with TLS in it.

    OpenSSL has no socket here, only two buffers of encrypted bytes, from the
    server and to it; ``_run`` moves them. ``ssl.SSLSocket`` would be shorter, but
    its time-outs are per system call and it cannot finish in one direction only.
    """

    def __init__(
        self,
        connected: socket.socket,
        context: ssl.SSLContext,
        host: str,
        deadline: Deadline,
    ) -> None:
        super().__init__(connected)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._early: deque[bytes] = deque()  # received while finishing
        self._shaking_hands = True
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        try:
            self._run(self._tls.do_handshake, deadline)
        except ConnectionReset as error:
            raise TLSFailed(_HUNG_UP) from error
        self._shaking_hands = False

    def receive(self, deadline: Deadline) -> bytes:
        """See ``Pipe.receive``; the end must be TLS's own, or something may be missing."""
        if self._early:
            return self._early.popleft()
        return self._run(self._decrypt, deadline)

    def send(self, data: bytes, deadline: Deadline) -> None:
        """See ``Pipe.send``."""
        rest = memoryview(data)
        while rest:
            part = rest[:_CHUNK]
            rest = rest[self._run(partial(self._tls.write, part), deadline) :]

    def finish(self, deadline: Deadline) -> None:
        """See ``Pipe.finish``: TLS's goodbye, then TCP's."""
        # What has come must be read first: OpenSSL gives up when it finds data
        # where it looks for the server's own goodbye.
        with suppress(ssl.SSLError):
            while data := self._decrypt():
                self._early.append(data)
        with suppress(ssl.SSLError):
            self._tls.unwrap()  # wants to read the server's goodbye: that is for receive()
        self._flush(deadline)
        super().finish(deadline)

    def _decrypt(self) -> bytes:
        try:
            return self._tls.read(_CHUNK)
        except ssl.SSLZeroReturnError:  # the server's goodbye, when ours has been said
            return b""

    def _run(self, operation: Callable[[], _T], deadline: Deadline) -> _T:
        """Does ``operation``, giving it bytes from the server for as long as it wants some."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush(deadline)
            except ssl.SSLError as error:
                with suppress(ConnectionClosed):
                    self._flush(deadline)  # the alert that tells the server why
                raise TLSFailed(_tls_reason(error, self._shaking_hands)) from error
            else:
                self._flush(deadline)
                return result
            data = super().receive(deadline)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self, deadline: Deadline) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read(), deadline)


def open_socket(where: Target, deadline: Deadline) -> socket.socket:
    """A socket that is connected; raises ``OSError``, ``ValueError`` or ``DeadlineExceeded``."""
    if where.kind == "unix":
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(deadline.left())
            connected.connect(where.path)
        except BlockingIOError as error:  # here, unlike with TCP, it means no time-out
            connected.close()
            raise OSError("the server's queue of connections is full") from error
        except BaseException:
            connected.close()
            raise
        return connected
    found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    # A name may have several addresses (localhost: ::1 and 127.0.0.1), and one
    # that never answers must not use up the time of the others.
    for number, (*_, address) in enumerate(found):
        left = deadline.left()
        share = None if left is None else left / (len(found) - number)
        try:
            connected = socket.create_connection((str(address[0]), where.port), share)
        except OSError as error:
            failure = error
        else:
            # Without this, the end of a message may wait for the acknowledgement of
            # its beginning, which the server's kernel delays (Nagle's algorithm).
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
    raise failure


def tls_context(endpoint: str, where: Target, ca_file: str | None) -> ssl.SSLContext | None:
    """How to verify the server, ``None`` without TLS; raises ``ConfigurationError``.

    ``ca_file`` replaces the system's authorities; host names are verified always.
    """
    if where.kind != "tls":
        if ca_file is not None:
            raise ConfigurationError(
                f"a CA file goes with tls:HOST:PORT, not with '{escape(endpoint)}'"
            )
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else _reason(error)
        raise ConfigurationError(f"CA file '{escape(str(ca_file))}': {why}") from error


# -- errors in words for people


def _broken(error: OSError, deadline: Deadline) -> ConnectionClosed:
    """What ``error``, raised by a connected socket, is in netlab's terms."""
    if _timed_out(error):
        return deadline.error()
    return ConnectionReset(f"the connection broke off: {_reason(error)}")


def _timed_out(error: OSError) -> bool:
    # Not ETIMEDOUT: that comes from the kernel, which has given the connection up.
    return isinstance(error, BlockingIOError) or (
        isinstance(error, TimeoutError) and error.errno is None
    )


def why(error: Exception, deadline: Deadline) -> str:
    """Why no connection came about."""
    if isinstance(error, OSError) and _timed_out(error):
        return str(deadline.error())
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return f"{_reason(error)}; is the server running? Start one: twistd -n netlab"
    if isinstance(error, socket.gaierror):
        unknown = error.errno == socket.EAI_NONAME
        return "the host name is not known" if unknown else _reason(error)
    if isinstance(error, UnicodeError):
        return "the host name is not one"
    return _reason(error)


def _tls_reason(error: ssl.SSLError, shaking_hands: bool) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _HOST_MISMATCH:
            return "its certificate is not for that host name"
        return f"its certificate is not trusted ({error.verify_message}): is it the right CA file?"
    if isinstance(error, ssl.SSLEOFError):
        if shaking_hands:
            return _HUNG_UP
        return "the server hung up without TLS's goodbye: something may be missing"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if reason in ("wrong version number", "record layer failure"):
        return f"the server does not speak TLS ({reason})"
    return f"TLS failed: {reason}"


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # "Connection refused" reads on after a colon; "AF_UNIX path too long" keeps its capitals.
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
