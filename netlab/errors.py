"""Every exception of netlab, in one tree.

    NetlabError
    |-- ConfigurationError (ValueError)     an option that cannot work, said when it is built
    |-- ProtocolError
    |   |-- LocalProtocolError              this side's mistake: nothing was sent
    |   |   `-- OutgoingFrameTooLong
    |   |-- RemoteProtocolError             the peer's mistake: the stream cannot go on
    |   |   |-- IncomingFrameTooLong
    |   |   |-- CorruptedFrame
    |   |   `-- TruncatedFrame
    |   `-- FrameTooLong                    the base of Incoming- and OutgoingFrameTooLong
    |-- ListenFailed                        an endpoint could not be listened on
    |-- ConnectFailed                       no connection came about
    |-- Unreachable                         no datagram gets there
    `-- ConnectionClosed                    the connection has ended
        |-- ConnectionReset                 the peer or the network broke it off
        |-- ConnectionAborted               this side broke it off
        |   |-- ServerStopping              the server's grace ran out
        |   |-- SlowPeer                    more was sent to the peer than it reads
        |   `-- HandlerFailed               the application raised an error
        |-- TLSFailed                       the TLS handshake or stream broke
        `-- DeadlineExceeded (TimeoutError)
            |-- HandshakeTimeout
            |-- FrameTimeout
            |-- IdleTimeout
            |-- WriteTimeout
            |-- CloseTimeout
            `-- NoReply                     a request on UDP stayed without an answer

Local and Remote are split as in h11: a ``LocalProtocolError`` is a bug in the
program that calls netlab, a ``RemoteProtocolError`` is the peer's. Each class
has a ``kind``, the name under which ``stats`` counts it.
"""

from __future__ import annotations

from typing import ClassVar


class NetlabError(Exception):
    """The base of all errors that netlab raises."""

    kind: ClassVar[str] = "netlab_error"


class ConfigurationError(NetlabError, ValueError):
    """An option, or a combination of options, that cannot work."""

    kind = "configuration"


class ProtocolError(NetlabError):
    """Bytes or messages that break the rules of the protocol."""

    kind = "protocol_error"


class LocalProtocolError(ProtocolError):
    """This program broke the rules; nothing of it was sent."""

    kind = "local_protocol_error"


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules; the stream cannot be read any further."""

    kind = "remote_protocol_error"


class FrameTooLong(ProtocolError):
    """A frame is longer than ``max_message`` allows.

    ``announced`` is the payload's length in bytes as the frame announces it
    (or as much as was seen of it), ``limit`` is ``max_message``; ``hint`` says
    what may be behind it.
    """

    kind = "frame_too_long"

    def __init__(self, announced: int, limit: int, hint: str = "") -> None:
        self.announced = announced
        self.limit = limit
        self.hint = hint
        super().__init__(announced, limit, hint)

    def __str__(self) -> str:
        text = f"length {self.announced} exceeds {self.limit}"
        return f"{text}; {self.hint}" if self.hint else text


class IncomingFrameTooLong(FrameTooLong, RemoteProtocolError):
    """The peer announced or sent a frame above the limit."""


class OutgoingFrameTooLong(FrameTooLong, LocalProtocolError):
    """This program tried to send a message above the limit."""


class CorruptedFrame(RemoteProtocolError):
    """Bytes that cannot be a frame of the framing in use."""

    kind = "corrupted_frame"


class TruncatedFrame(RemoteProtocolError):
    """The stream ended in the middle of a frame."""

    kind = "truncated_frame"


class ListenFailed(NetlabError):
    """An endpoint could not be listened on: in use, not allowed, not there."""

    kind = "listen_failed"


class ConnectFailed(NetlabError):
    """No connection came about: refused, unreachable, unknown name or too slow."""

    kind = "connect_failed"


class Unreachable(NetlabError):
    """No datagram gets there: unknown name, no route, or nothing listens and the peer says so."""

    kind = "unreachable"


class ConnectionClosed(NetlabError):
    """The connection has ended, or ended before what was asked for."""

    kind = "connection_closed"


class ConnectionReset(ConnectionClosed):
    """The peer or the network broke the connection off."""

    kind = "connection_reset"


class ConnectionAborted(ConnectionClosed):
    """This side broke the connection off without waiting for the peer."""

    kind = "connection_aborted"


class ServerStopping(ConnectionAborted):
    """The server stopped and its grace ran out before the connection was done."""

    kind = "server_stopping"


class SlowPeer(ConnectionAborted):
    """The program sent more than ``max_buffered`` bytes ahead of the peer's reading."""

    kind = "slow_peer"


class HandlerFailed(ConnectionAborted):
    """The application's handler raised an error; the log has it."""

    kind = "handler_failed"


class TLSFailed(ConnectionClosed):
    """The TLS handshake failed, or the encrypted stream was broken."""

    kind = "tls_failed"


class DeadlineExceeded(ConnectionClosed, TimeoutError):
    """One of the limits in seconds has passed."""

    kind = "deadline_exceeded"


class HandshakeTimeout(DeadlineExceeded):
    """TLS (or the PROXY header) was not set up within ``handshake_timeout``."""

    kind = "handshake_timeout"


class FrameTimeout(DeadlineExceeded):
    """A frame that had begun was not complete within ``frame_timeout``."""

    kind = "frame_timeout"


class IdleTimeout(DeadlineExceeded):
    """Nothing came from the peer and nothing was sent to it for ``idle_timeout``."""

    kind = "idle_timeout"


class WriteTimeout(DeadlineExceeded):
    """The peer took nothing of what waits for it for ``write_timeout``."""

    kind = "write_timeout"


class CloseTimeout(DeadlineExceeded):
    """The peer did not finish a close within ``close_timeout``."""

    kind = "close_timeout"


class NoReply(DeadlineExceeded):
    """No answer to a datagram came, however often it was sent.

    ``tries`` is how often that was, ``seconds`` how long it took.
    """

    kind = "no_reply"

    def __init__(self, text: str, tries: int = 0, seconds: float = 0.0) -> None:
        self.tries = tries
        self.seconds = seconds
        super().__init__(text)
