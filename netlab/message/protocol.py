"""What an author of a message service writes: a ``MessageProtocol``, and perhaps a factory."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from netlab.errors import ConnectionClosed, NetlabError
from netlab.framing import Framing, LengthPrefix
from netlab.transport import Stats

if TYPE_CHECKING:
    from .connection import MessageConnection

Reply = bytes | Awaitable[bytes | None] | None
"""What ``message_received`` may return."""


class MessageProtocol:
    """One connection that carries messages. Subclass it and say what they mean.

    ::

        class Shout(MessageProtocol):
            def message_received(self, message: bytes) -> bytes:
                return message.upper()

    Messages come whole, exactly once and in order; the next one is handed on
    when the answer to the last is there. An error that a hook raises is logged
    and ends this connection, never the server.
    """

    factory: MessageFactory
    """Shared by all connections of a server: state that they share lives there."""

    _connection: MessageConnection

    # -- hooks, for you to write

    def connected(self) -> Awaitable[None] | None:
        """The connection is there. May be a coroutine; messages wait for its end."""
        return None

    def message_received(self, message: bytes) -> Reply:
        """``message`` came. Returns the answer, ``None`` for none, or an awaitable of either.

        While an awaitable is pending, reading from this connection pauses; the
        others go on.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what a message means")

    def disconnected(self, reason: NetlabError | None) -> None:
        """The connection is gone, called once; ``None`` is an orderly end."""

    def ending(self, reason: NetlabError | None) -> None:
        """The connection closes when everything that came is answered.

        ``None``: the peer sends nothing more, but may still read; ``ServerStopping``: the
        server stops. Write it if you send by yourself, to end what would never end.
        """

    # -- calls, for you to use

    def send(self, message: bytes) -> Awaitable[None]:
        """Sends ``message``. Awaiting the result waits while the peer is slow to read.

        Not awaiting is fine for a little; a connection with more than
        ``max_buffered`` bytes waiting is cut (``SlowPeer``). Raises
        ``OutgoingFrameTooLong`` or ``TypeError`` at once; ``ConnectionClosed``
        when awaited after the end.
        """
        return self._connection.send(message)

    def close(self) -> None:
        """Sends what waits, then closes.

        No message is delivered after this, and what a handler returns after it
        is not sent: ``send`` a last word first.
        """
        self._connection.close()

    def abort(self) -> None:
        """Breaks the connection off at once; what waits to be sent is lost."""
        self._connection.abort()

    @property
    def peer(self) -> IAddress:
        """The address of the other end, as Twisted knows addresses."""
        return self._connection.stream.peer

    @property
    def host(self) -> IAddress:
        """The address of this end."""
        return self._connection.stream.host

    @property
    def stats(self) -> Stats:
        """The counters of the server that this connection belongs to."""
        return self._connection.stream.stats

    def get_handle(self) -> Any:
        """The socket, or on TLS the ``OpenSSL.SSL.Connection`` (for the peer's certificate)."""
        return self._connection.stream.get_handle()


class MessageFactory:
    """Makes the protocol of each connection, and holds what they share.

    Subclass it, name the ``protocol``, and keep shared state in attributes::

        class Room(MessageFactory):
            protocol = Member

            def __init__(self) -> None:
                self.members: set[Member] = set()

    ``framing`` is what ``serve`` uses unless it is told otherwise (``twistd netlab``
    goes by its ``--framing``). The server sets ``framing`` and ``stats`` to what is
    in use before ``started`` is called.
    """

    protocol: type[MessageProtocol] = MessageProtocol
    framing: Framing = LengthPrefix()
    stats: Stats

    def build(self) -> MessageProtocol:
        """The protocol for a new connection; by default ``self.protocol()``."""
        return self.protocol()

    def started(self) -> None:
        """The server is about to listen."""

    def stopped(self) -> None:
        """The server has stopped; no connection is left."""


class Echo(MessageProtocol):
    """Answers each message with itself: the default application."""

    def message_received(self, message: bytes) -> bytes:
        """Returns ``message``."""
        return message


class Sending(Awaitable[None]):
    """What ``send`` returns: await it to wait until the peer has read enough."""

    __slots__ = ("_connection",)

    def __init__(self, connection: MessageConnection) -> None:
        self._connection = connection

    def __await__(self) -> Generator[Any, Any, None]:
        """Waits while output is above the high-water mark; raises ``ConnectionClosed``."""
        room = self._connection.wait_for_room()
        if room is not None:
            yield from room.__await__()


class Sent(Awaitable[None]):
    """The outcome of a ``send`` that needs no waiting: it is done, or came too late."""

    __slots__ = ("_closed",)

    def __init__(self, *, closed: bool = False) -> None:
        self._closed = closed

    def __await__(self) -> Generator[Deferred[None], Any, None]:
        """Returns at once, or raises ``ConnectionClosed``."""
        if self._closed:
            raise ConnectionClosed("the connection is closed")
        return
        yield
