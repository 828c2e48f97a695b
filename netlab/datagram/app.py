"""What an author of a datagram service writes: a ``DatagramApp``."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import DatagramServer
    from .stats import DatagramStats

Peer = tuple[Any, ...]
"""Where a datagram came from: (host, port), on IPv6 with flow and scope behind them, as
Python's ``socket`` writes addresses."""
Reply = bytes | Awaitable[bytes | None] | None
"""What ``datagram_received`` may return."""


class DatagramApp:
    """A service on datagrams. Subclass it and say what they mean.

    ::

        class Shout(DatagramApp):
            def datagram_received(self, data: bytes, peer: Peer) -> bytes:
                return data.upper()

    There is one object for all peers. Datagrams come as they come: some never,
    some twice, some in another order, and the address of a peer may be forged.
    That is why a reply is never longer than its request: a server that answers
    more than it is asked can be made to flood somebody else. A protocol with
    long answers has its clients fill up their requests (as QUIC does, RFC 9000,
    section 8.1). An error that is raised here is logged and counted; the
    datagram goes unanswered.
    """

    server: DatagramServer
    """The server that this application belongs to; set before ``started`` is called."""

    def started(self) -> None:
        """The server is about to listen."""

    def datagram_received(self, data: bytes, peer: Peer) -> Reply:
        """``data`` came from ``peer``: 0 to 65,507 bytes.

        Returns the reply, ``None`` for none, or an awaitable of either. Other
        datagrams, also of this peer, are handed on while an awaitable is pending.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what a datagram means")

    def stopped(self) -> None:
        """The server has stopped."""

    def send(self, data: bytes, peer: Peer) -> None:
        """Sends a datagram that is no reply, from the first address that is listened on.

        Only to peers that have proved who they are: nobody checks it here. It may
        get lost like any other. Raises ``LocalProtocolError`` for data that is too
        long or an address that cannot be sent to.
        """
        self.server.send(data, peer)

    @property
    def stats(self) -> DatagramStats:
        """The counters of the server."""
        return self.server.stats


class Echo(DatagramApp):
    """Answers each datagram with itself (RFC 862): the default application."""

    def datagram_received(self, data: bytes, peer: Peer) -> bytes:
        """Returns ``data``."""
        return data
