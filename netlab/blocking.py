"""Clients for scripts and classrooms: plain blocking calls, no reactor, no Twisted.

    from netlab.blocking import connect

    with connect("tcp:localhost:8032") as client:
        print(client.request(b"hello"))

For datagrams there is ``DatagramClient``, which is used in the same way. With the class
of an ``Api``, ``connect("tcp:localhost:8032", Calculator)``, the server's methods are
called as if they were here: see ``netlab.api.blocking``.

This is also an example of how a client on a stream is written. The framing turns
messages into bytes and back, a ``Pipe`` moves the bytes, and what is between the
two is here: which message answers which, and what is still possible when a call
has failed.
"""

from __future__ import annotations

from collections import deque
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, TypeAlias, overload

from netlab import target
from netlab.blocking_datagram import DatagramClient as DatagramClient
from netlab.errors import (
    ConnectFailed,
    ConnectionAborted,
    ConnectionClosed,
    DeadlineExceeded,
    LocalProtocolError,
    NetlabError,
    RemoteProtocolError,
)
from netlab.escaping import escape
from netlab.framing import Framing, LengthPrefix
from netlab.pipe import Deadline, Pipe, TLSPipe, open_socket, tls_context, why

if TYPE_CHECKING:
    from netlab.api import Api
    from netlab.api.blocking import ApiClient

CLOSE_TIMEOUT = 2.0
"""Seconds that ``close`` gives the server to finish."""

Timeout: TypeAlias = float | EllipsisType | None
"""Seconds, ``None`` for no limit, or ``...`` for what ``connect`` was told."""


@overload
def connect(
    endpoint: str = ...,
    api: None = None,
    *,
    framing: Framing | None = ...,
    timeout: float | None = ...,
    ca_file: str | None = ...,
) -> Client: ...
@overload
def connect(
    endpoint: str,
    api: type[Api],
    *,
    framing: Framing | None = ...,
    timeout: float | None = ...,
    ca_file: str | None = ...,
    codec: str = ...,
) -> ApiClient: ...
def connect(
    endpoint: str = target.DEFAULT,
    api: type[Api] | None = None,
    *,
    framing: Framing | None = None,
    timeout: float | None = 10.0,
    ca_file: str | None = None,
    codec: str = "json",
) -> Client | ApiClient:
    """Connects to a message server; what is returned is best used in a ``with`` statement.

    endpoint  ``tcp:HOST:PORT``, ``tls:HOST:PORT`` or ``unix:PATH``
    api       the class that the server serves, or ``netlab.api.Api`` itself to call by
              name: an ``ApiClient`` is returned. Without it, a ``Client``
    framing   ``LengthPrefix()`` unless given; it must be the server's
    timeout   seconds for connecting, TLS included, and for each later call that is not
              told otherwise; ``None``: no limit. (To look up a name takes as long as
              the system's resolver takes.)
    ca_file   a PEM file of authorities to trust instead of the system's, with ``tls:``
    codec     how calls are written, ``json`` or ``msgpack``; it must be the server's

    Raises ``ConfigurationError`` when an argument cannot work, ``ConnectFailed``
    when no connection came about.
    """
    cutting = framing or LengthPrefix()
    if api is None:
        return Client(_open(endpoint, timeout, ca_file), cutting, timeout)
    from netlab.api import blocking  # whoever sends bytes does without it

    chosen = blocking.check(api, cutting, codec)
    client = Client(_open(endpoint, timeout, ca_file), cutting, timeout)
    return blocking.ApiClient(blocking.Caller(client, cutting, chosen), api, timeout)


def _open(endpoint: str, timeout: float | None, ca_file: str | None) -> Pipe:
    where = target.parse_target(endpoint)
    deadline = Deadline(timeout, "no answer")
    context = tls_context(endpoint, where, ca_file)
    try:
        connected = open_socket(where, deadline)
        try:
            if context is None:
                return Pipe(connected)
            return TLSPipe(connected, context, where.host, deadline)
        except BaseException:
            connected.close()
            raise
    except (NetlabError, OSError, ValueError) as error:
        text = f"cannot connect to {escape(endpoint)}: {why(error, deadline)}"
        raise ConnectFailed(text) from error


class Client:
    """A connection to a message server, made by ``connect``.

    Use it from one thread at a time. Each call ends within its ``timeout``
    (seconds; ``None``: no limit; by default what ``connect`` was told) or raises
    ``DeadlineExceeded``.
    """

    def __init__(self, pipe: Pipe, framing: Framing, timeout: float | None) -> None:
        self._pipe = pipe
        self._framing = framing
        self._decoder = framing.decoder()
        self._timeout = timeout
        self._inbox: deque[bytes] = deque()  # complete messages, not yet taken
        self._unwanted = 0  # answers still to come to requests that were given up
        self._input_over: NetlabError | None = None  # why nothing more can be received
        self._output_over: NetlabError | None = None  # why nothing more can be sent
        self._finished = False
        self._closed = False

    def send(self, message: bytes, timeout: Timeout = ...) -> None:
        """Sends ``message``; waits while the server is slow to read.

        (Few servers read on while their answers are not received: do not send
        megabytes without a ``receive`` in between.)

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
        if self._inbox:
            raise LocalProtocolError(
                f"messages wait to be received ({len(self._inbox)}): they would be taken "
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
        if not self._finished and not self._closed:
            self._finished = True
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
        deadline = Deadline(CLOSE_TIMEOUT, "the server did not close")
        try:
            if not self._finished:
                self._pipe.finish(deadline)
            while self._pipe.receive(deadline):
                pass
        except NetlabError:
            pass  # whatever is wrong with the connection, it is over
        finally:
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

    def _deadline(self, timeout: Timeout, what: str) -> Deadline:
        return Deadline(self._timeout if isinstance(timeout, EllipsisType) else timeout, what)

    def _send(self, message: bytes, deadline: Deadline) -> None:
        if self._output_over is not None:
            raise self._output_over.with_traceback(None)
        buffers = self._framing.buffers([message])
        # Stays so if this is interrupted: half a message may have been sent.
        self._output_over = ConnectionAborted("an earlier message was sent only in part")
        try:
            for each in buffers:
                self._pipe.send(each, deadline)
        except DeadlineExceeded:
            raise
        except ConnectionClosed as error:
            self._output_over = error
            raise
        self._output_over = None

    def _receive(self, deadline: Deadline) -> bytes:
        while True:
            if self._inbox:
                return self._inbox.popleft()
            if self._input_over is not None:
                raise self._input_over.with_traceback(None)
            try:
                self._read(deadline)
            except DeadlineExceeded:
                raise
            except (ConnectionClosed, RemoteProtocolError) as error:
                self._input_over = error

    def _read(self, deadline: Deadline) -> None:
        """Reads once and puts what is complete into the inbox."""
        if self._decoder.error is not None:
            raise self._decoder.error
        data = self._pipe.receive(deadline)
        if not data:
            self._decoder.eof()
            raise ConnectionClosed("the server closed the connection")
        messages = self._decoder.feed(data)
        late = min(self._unwanted, len(messages))
        self._unwanted -= late
        self._inbox += messages[late:]
