"""A message client for scripts and classrooms: plain blocking calls, no reactor, no Twisted.

>>> from netlab.blocking import connect
>>> with connect("tcp:localhost:8032") as client:           # doctest: +SKIP
...     print(client.request(b"hello"))
b'hello'

It is also an example of how a client on a stream is written. There are three
layers, and each does one thing:

- ``Client`` turns messages into bytes and back, by the framing.
- ``_Pipe`` moves bytes through a socket, and ``_TLSPipe`` encrypts them.
- ``_Deadline`` is the one moment by which a call must be done, however many
  system calls it takes. A time-out for each system call is not enough: a server
  that sends one byte every nine seconds would never run into one of ten.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import EllipsisType, TracebackType
from typing import TypeAlias, TypeVar

from netlab import target
from netlab.errors import (
    ConfigurationError,
    ConnectFailed,
    ConnectionAborted,
    ConnectionClosed,
    ConnectionReset,
    DeadlineExceeded,
    LocalProtocolError,
    NetlabError,
    RemoteProtocolError,
    TLSFailed,
)
from netlab.escaping import escape
from netlab.framing import Framing, LengthPrefix

CLOSE_TIMEOUT = 2.0
"""Seconds that ``close`` gives the server to finish."""

Timeout: TypeAlias = float | EllipsisType | None
"""Seconds, ``None`` for no limit, or ``...`` for what ``connect`` was told."""

_T = TypeVar("_T")

_CHUNK = 64 * 1024  # bytes asked of the kernel at a time
_LONGEST = 2_000_000.0  # seconds; poll(2) counts milliseconds in an int
_HOST_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def connect(
    endpoint: str = target.DEFAULT,
    *,
    framing: Framing | None = None,
    timeout: float | None = 10.0,
    ca_file: str | None = None,
) -> Client:
    """Connects to a message server; the ``Client`` is best used in a ``with`` statement.

    endpoint  ``tcp:HOST:PORT``, ``tls:HOST:PORT`` or ``unix:PATH``
    framing   ``LengthPrefix()`` unless given; it must be the server's
    timeout   seconds for connecting, TLS included, and for each later call that is not
              told otherwise; ``None``: no limit. (To look up a name takes as long as
              the system's resolver takes.)
    ca_file   a PEM file of authorities to trust instead of the system's, with ``tls:``

    Raises ``ConfigurationError`` when an argument cannot work, ``ConnectFailed``
    when no connection came about.
    """
    where = target.parse_target(endpoint)
    deadline = _Deadline(timeout, "no answer")
    context = _tls_context(endpoint, where, ca_file)
    try:
        pipe = _Pipe(_open(where, deadline))
    except (DeadlineExceeded, OSError, ValueError) as error:
        raise ConnectFailed(f"cannot connect to {escape(endpoint)}: {_why(error)}") from error
    if context is not None:
        try:
            pipe = _TLSPipe(pipe, context, where.host, deadline)
        except ConnectionClosed as error:
            pipe.close()
            raise ConnectFailed(f"cannot connect to {escape(endpoint)}: {error}") from error
        except BaseException:
            pipe.close()
            raise
    return Client(pipe, framing or LengthPrefix(), timeout)


class Client:
    """A connection to a message server, made by ``connect``.

    Use it from one thread at a time. Each call ends within its ``timeout``
    (seconds; ``None``: no limit; by default what ``connect`` was told) or raises
    ``DeadlineExceeded``.
    """

    def __init__(self, pipe: _Pipe, framing: Framing, timeout: float | None) -> None:
        self._pipe = pipe
        self._framing = framing
        self._decoder = framing.decoder()
        self._timeout = timeout
        self._inbox: deque[bytes] = deque()  # complete messages, not yet taken
        self._unwanted = 0  # answers still to come to requests that were given up
        self._input_over: NetlabError | None = None  # why nothing more can be received
        self._output_over: NetlabError | None = None  # why nothing more can be sent
        self._closed = False

    def send(self, message: bytes, timeout: Timeout = ...) -> None:
        """Sends ``message``; waits while the server is slow to read.

        Raises ``OutgoingFrameTooLong``, ``ConnectionClosed`` or ``DeadlineExceeded``.
        After the last two nothing more can be sent, as the server may have part
        of a message; what it sent can still be received.
        """
        self._send(message, self._deadline(timeout, "the server did not read the message"))

    def receive(self, timeout: Timeout = ...) -> bytes:
        """The next message from the server.

        Raises ``ConnectionClosed`` when none can come any more (``TruncatedFrame``
        and other ``RemoteProtocolError`` when the server broke the protocol), and
        ``DeadlineExceeded`` after ``timeout``; a message that comes later is for
        the next call. A ``timeout`` of 0 takes what is there.
        """
        return self._receive(self._deadline(timeout, "no message came"))

    def request(self, message: bytes, timeout: Timeout = ...) -> bytes:
        """Sends ``message`` and returns the answer: the next message from the server.

        An answer that comes too late is dropped, so that the next request does
        not get it. Raises as ``send`` and ``receive``, and ``LocalProtocolError``
        when there are messages that have not been received.
        """
        if self._inbox and not self._unwanted:
            raise LocalProtocolError(
                f"{len(self._inbox)} messages wait to be received: they would be taken "
                "for the answer"
            )
        deadline = self._deadline(timeout, "no answer came")
        self._send(message, deadline)
        try:
            return self._receive(deadline)
        except BaseException:  # Ctrl-C as well: whoever goes on after it must not be misled
            self._unwanted += 1
            raise

    def __iter__(self) -> Client:
        """The messages that come until the server closes the connection."""
        return self

    def __next__(self) -> bytes:
        """The next message, as ``receive`` returns it; the server's orderly end is the end."""
        try:
            return self.receive()
        except ConnectionClosed as error:
            if type(error) is ConnectionClosed:
                raise StopIteration from None
            raise

    def finish(self) -> None:
        """Tells the server that nothing more will be sent; its answers can still be received.

        It is what ``nc -N`` does at the end of its input. Calling it twice does nothing.
        """
        if self._output_over is None:
            self._output_over = LocalProtocolError("nothing can be sent after finish()")
            self._pipe.finish(self._deadline(..., "the server did not read what was sent"))

    def close(self) -> None:
        """Closes in good order: what was sent arrives, what comes now is dropped.

        Waits up to ``CLOSE_TIMEOUT`` seconds for the server to close as well.
        Calling it twice does nothing; no error is raised.
        """
        if self._closed:
            return
        self._closed = True
        # Closing a socket that holds unread bytes makes the kernel send a reset,
        # which may destroy what is still on its way to the server. So first say
        # that this side is done, then read until the server is done too.
        deadline = _Deadline(CLOSE_TIMEOUT, "the server did not close")
        with suppress(NetlabError):
            if self._output_over is None:
                self._pipe.finish(deadline)
            while self._pipe.receive(deadline):
                pass
        self.abort()

    def abort(self) -> None:
        """Closes at once and waits for nothing; what is on its way may be lost."""
        self._closed = True
        self._inbox.clear()
        self._input_over = self._output_over = ConnectionClosed("the client is closed")
        self._pipe.close()

    def fileno(self) -> int:
        """The socket's file descriptor, for ``selectors``; -1 when it is closed.

        Messages that have come already do not make it readable: call
        ``receive(0)`` until it raises ``DeadlineExceeded``, and only then wait.
        """
        return self._pipe.fileno()

    def __enter__(self) -> Client:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes: in good order, or at once when there was an error (Ctrl-C is one)."""
        if error is None:
            self.close()
        else:
            self.abort()

    # -- what the calls above are made of

    def _deadline(self, timeout: Timeout, what: str) -> _Deadline:
        return _Deadline(self._timeout if isinstance(timeout, EllipsisType) else timeout, what)

    def _send(self, message: bytes, deadline: _Deadline) -> None:
        if self._output_over is not None:
            raise self._output_over.with_traceback(None)
        buffers = self._framing.buffers([message])
        # Stays so if this is interrupted: half a message may have been sent.
        self._output_over = ConnectionAborted("an earlier message was sent only in part")
        for each in buffers:
            self._pipe.send(each, deadline)
        self._output_over = None

    def _receive(self, deadline: _Deadline) -> bytes:
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if not self._unwanted:
                    return message
                self._unwanted -= 1
            if self._input_over is not None:
                raise self._input_over.with_traceback(None)
            try:
                self._read(deadline)
            except DeadlineExceeded:
                raise
            except (ConnectionClosed, RemoteProtocolError) as error:
                self._input_over = error

    def _read(self, deadline: _Deadline) -> None:
        """Reads once and puts what is complete into the inbox."""
        if self._decoder.error is not None:
            raise self._decoder.error
        data = self._pipe.receive(deadline)
        if not data:
            self._decoder.eof()
            raise ConnectionClosed("the server closed the connection")
        self._inbox += self._decoder.feed(data)


class _Deadline:
    """The moment by which something must be done; ``what`` is said when it was not."""

    def __init__(self, timeout: float | None, what: str) -> None:
        if timeout is not None and not 0 <= timeout <= _LONGEST:
            raise ConfigurationError(
                f"timeout must be seconds from 0 to {_LONGEST:.0f}, or None, not {timeout!r}"
            )
        self._at = None if timeout is None else time.monotonic() + timeout
        self._text = f"{what} within {timeout} s"
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


class _Pipe:
    """A connected socket: every call has a deadline, every error is one of netlab's."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def receive(self, deadline: _Deadline) -> bytes:
        """Some bytes, as soon as there are any; ``b""`` when the server has finished."""
        try:
            self._socket.settimeout(deadline.left())
            return self._socket.recv(_CHUNK)
        except OSError as error:
            raise _broken(error, deadline) from error

    def send(self, data: bytes, deadline: _Deadline) -> None:
        """Sends all of ``data``, to the kernel at least."""
        # Not sendall(): it takes a time-out too, but this shows what it does.
        rest = memoryview(data)
        try:
            while rest:
                self._socket.settimeout(deadline.left())
                rest = rest[self._socket.send(rest) :]
        except OSError as error:
            raise _broken(error, deadline) from error

    def finish(self, deadline: _Deadline) -> None:
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


class _TLSPipe(_Pipe):
    """A pipe with TLS in it.

    OpenSSL has no socket here, only two buffers of encrypted bytes, from the
    server and to it; ``_run`` moves them. ``ssl.SSLSocket`` would be shorter, but
    its time-outs are per system call and it cannot finish in one direction only.
    """

    def __init__(
        self, plain: _Pipe, context: ssl.SSLContext, host: str, deadline: _Deadline
    ) -> None:
        super().__init__(plain._socket)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._early: deque[bytes] = deque()  # received while finishing
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        except ValueError as error:
            raise TLSFailed(f"no certificate can be for that host name ({error})") from error
        try:
            self._run(self._tls.do_handshake, deadline)
        except ConnectionReset as error:
            raise TLSFailed(f"the server hung up during the TLS handshake ({error})") from error

    def receive(self, deadline: _Deadline) -> bytes:
        """See ``_Pipe.receive``; the end must be TLS's own, or something may be missing."""
        if self._early:
            return self._early.popleft()
        return self._run(lambda: self._tls.read(_CHUNK), deadline)

    def send(self, data: bytes, deadline: _Deadline) -> None:
        """See ``_Pipe.send``."""
        rest = memoryview(data)
        while rest:
            part = rest[:_CHUNK]
            rest = rest[self._run(lambda part=part: self._tls.write(part), deadline) :]  # type: ignore[misc]

    def finish(self, deadline: _Deadline) -> None:
        """See ``_Pipe.finish``: TLS's goodbye, then TCP's."""
        # What has come must be read first: OpenSSL gives up when it finds data
        # where it looks for the server's own goodbye.
        with suppress(ssl.SSLError):
            while data := self._tls.read(_CHUNK):
                self._early.append(data)
        with suppress(ssl.SSLError):
            self._tls.unwrap()  # wants to read the server's goodbye: that is for receive()
        self._flush(deadline)
        super().finish(deadline)

    def _run(self, operation: Callable[[], _T], deadline: _Deadline) -> _T:
        """Does ``operation``, giving it bytes from the server for as long as it wants some."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush(deadline)
            except ssl.SSLError as error:
                with suppress(ConnectionClosed):
                    self._flush(deadline)  # the alert that tells the server why
                raise TLSFailed(_tls_reason(error)) from error
            else:
                self._flush(deadline)
                return result
            if data := super().receive(deadline):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self, deadline: _Deadline) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read(), deadline)


def _open(where: target.Target, deadline: _Deadline) -> socket.socket:
    """A socket that is connected; raises ``OSError``, ``ValueError`` or ``DeadlineExceeded``."""
    if where.kind == "unix":
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(deadline.left())
            connected.connect(where.path)
        except BaseException:
            connected.close()
            raise
        return connected
    found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    # A name may have several addresses (localhost: ::1 and 127.0.0.1), and one
    # that never answers must not use up the time of the others.
    for remaining in range(len(found), 0, -1):
        address = found[-remaining][4]
        left = deadline.left()
        share = None if left is None else left / remaining
        try:
            connected = socket.create_connection((str(address[0]), where.port), share)
        except OSError:
            if remaining == 1:
                raise
        else:
            # Without this, the end of a message may wait for the acknowledgement of
            # its beginning, which the server's kernel delays (Nagle's algorithm).
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
    raise OSError("the host has no address")


def _tls_context(endpoint: str, where: target.Target, ca_file: str | None) -> ssl.SSLContext | None:
    if where.kind != "tls":
        if ca_file is not None:
            raise ConfigurationError(
                f"a CA file goes with tls:HOST:PORT, not with '{escape(endpoint)}'"
            )
        return None
    try:
        # Verifies the certificate and the host name; with cafile, trusts nobody else.
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else _reason(error)
        raise ConfigurationError(f"CA file '{escape(str(ca_file))}': {why}") from error


# -- errors in words for people


def _broken(error: OSError, deadline: _Deadline) -> ConnectionClosed:
    """What ``error``, raised by a connected socket, is in netlab's terms."""
    if _timed_out(error):
        return deadline.error()
    return ConnectionReset(f"the connection broke off: {_reason(error)}")


def _timed_out(error: OSError) -> bool:
    # Not ETIMEDOUT: that comes from the kernel, which has given the connection up.
    return isinstance(error, BlockingIOError) or (
        isinstance(error, TimeoutError) and error.errno is None
    )


def _why(error: Exception) -> str:
    """Why no connection came about."""
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return f"{_reason(error)}; is the server running? Start one: twistd -n netlab"
    if isinstance(error, socket.gaierror):
        unknown = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        return "the host name is not known" if unknown else _reason(error)
    if isinstance(error, UnicodeError):
        return "the host name is not one"
    return _reason(error)


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _HOST_MISMATCH:
            return "its certificate is not for that host name"
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "the server hung up without TLS's goodbye: something may be missing"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if reason in ("wrong version number", "record layer failure"):
        return f"the server does not speak TLS ({reason})"
    return f"TLS failed: {reason}"


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # "Connection refused" reads on after a colon; "AF_UNIX path too long" keeps its capitals.
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
