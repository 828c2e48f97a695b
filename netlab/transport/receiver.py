"""What a service is to the transport: a ``Receiver`` for each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from netlab.errors import NetlabError

if TYPE_CHECKING:
    from .stream import Stream


class Receiver(Protocol):
    """A service's side of one connection."""

    def connected(self, stream: Stream) -> None:
        """The connection is ready to use."""

    def data_received(self, data: bytes) -> bytes | None:
        """``data`` came; it is never empty. What is returned is sent, behind what was written.

        Only a small answer to one message may be returned, and none after a ``close``
        or ``abort``; it is counted as one message in and one out. ``Stream.write`` is
        for all others, which the receiver counts itself. The time it takes is counted
        as the handler's; who measures that better moves ``Hub.mark`` on.
        """

    def end_received(self) -> None:
        """The peer will send nothing more, but may still read (a half-close)."""

    def can_write(self) -> None:
        """What waits to be sent has fallen to ``low_water`` after ``stream.full``."""

    def check(self, now: float) -> float:
        """Ends what is overdue at ``now``; returns when to look again (or ``NEVER``)."""

    def drain(self) -> None:
        """The server stops: finish what has begun, then ``close``."""

    def lost(self, reason: NetlabError | None) -> None:
        """The connection is gone; ``None`` is an orderly end."""
