"""A connection that is made worse on purpose, or is being recorded, or both.

Between a stream that has the socket (*below*) and the one that the receiver
sees (*above*) lies a detour: a network of one link for each direction
(``netlab.impair.StreamLink``). The one above runs on it as on a socket, so
all that ``netlab.transport.stream`` promises holds there as well.

It is the network of TCP. Bytes are neither lost nor changed: they come later,
in other pieces, or the connection breaks. What the stream above was rid of is
on its way, as if it were in the kernel: it arrives, however long that takes,
when the stream is closed, and only a reset takes it away. The end of a stream
stands behind its bytes, and takes a place of its own as a FIN does. A time
that the links take is a time in which nothing comes, so ``idle_timeout``,
``frame_timeout`` and ``write_timeout`` count it; ``close_timeout`` begins when
the last byte is out of its link. A TLS handshake is not touched.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL

from netlab.errors import NetlabError
from netlab.impair import StreamConditions, StreamImpairment, StreamLink

from .addresses import RawAddress, ip_of
from .detour import Detour, OnLost, Ways
from .hub import Hub
from .limits import Limits
from .sockets import SocketStream
from .stats import Stats
from .stream import CLOSING, Stream
from .way import Way

if TYPE_CHECKING:
    from netlab.ledger import Recorder

    from .receiver import Receiver
    from .tls import TLSStream


class Detours:
    """Makes the detour of each connection of a server.

    impair    what to do to their bytes; ``None``: nothing
    recorder  whom to tell what was read and written; ``None``: nobody
    """

    def __init__(self, impair: StreamImpairment | None, recorder: Recorder | None) -> None:
        self.impair = impair
        self.recorder = recorder
        self._unseen = Stats()  # of the streams below; those above are counted
        self._nameless = count()
        self._seed = secrets.randbits(64)  # of those for which nobody named one

    def stream(
        self,
        kind: type[SocketStream] | type[TLSStream],
        hub: Hub,
        sock: Any,
        receiver: Receiver,
        *,
        limits: Limits,
        stats: Stats,
        peer: RawAddress,
        host: RawAddress = None,
        on_lost: OnLost | None = None,
    ) -> ImpairedStream:
        """One more stream to ``receiver``; below is one of ``kind``, made with the same arguments.

        ``on_lost`` is called at the very end, when the stream below is gone too.
        """
        plug: Any = Detour(hub, limits, self._ways, on_lost)
        plug.below = kind(
            hub,
            sock,
            plug,
            limits=_with_low_marks(limits),
            stats=self._unseen,
            peer=peer,
            host=host,
            on_lost=plug.below_lost,
            reads_when_full=True,  # it is told when to read
        )
        plug.above = ImpairedStream(
            plug,
            plug,
            receiver,
            limits=limits,
            stats=stats,
            peer=peer,
            host=host,
            on_lost=plug.above_lost,
        )
        above: ImpairedStream = plug.above
        return above

    def _ways(self, stream: Stream) -> Ways:
        address, port = ip_of(stream.peer)
        if not port:  # a UNIX socket: a number stands for it
            port = next(self._nameless) % 65535 + 1
        impair = self.impair or StreamImpairment(None, None)

        def way(direction: str, conditions: StreamConditions | None) -> Way:
            if conditions is None:
                return Way(None)
            # Who names a seed wants the same again; without one each connection differs.
            if impair.seed is None:
                seed, host = self._seed, f"{address} {port}"
            else:
                seed, host = impair.seed, address
            return Way(StreamLink(conditions, seed=seed, direction=direction, host=host))

        flow = None
        if self.recorder is not None:
            flow = self.recorder.stream((address, port), ip_of(stream.host))
        return way("in", impair.inward), way("out", impair.outward), flow


@lru_cache
def _with_low_marks(limits: Limits) -> Limits:
    # What waits for the peer is to wait in the stream above, where it is seen.
    return replace(limits, high_water=2, low_water=1)


class ImpairedStream(SocketStream):
    """The stream above, which the receiver sees and the server keeps."""

    __slots__ = ("_next_check",)

    _sock: Detour  # type: ignore[assignment]

    def start(self) -> None:
        """See ``Stream.start``."""
        self._sock.below.start()

    def start_tls(self, context: SSL.Context) -> None:
        """See ``TLSStream.start_tls``: it is the stream below that speaks TLS."""
        below: Any = self._sock.below
        below.start_tls(context)

    def plug_in(self) -> None:
        """The stream below is connected: ``start``, really."""
        super().start()

    def get_handle(self) -> Any:
        """See ``Stream.get_handle``: that of the stream below."""
        return self._sock.below.get_handle()

    @property
    def next_check(self) -> float:
        """When one of the two streams must be looked at."""
        return min(self._next_check, self._sock.below.next_check)

    @next_check.setter
    def next_check(self, time: float) -> None:
        self._next_check = time

    def check(self, now: float) -> None:
        """See ``Stream.check``; the deadlines of the stream below are acted on too."""
        below = self._sock.below
        if below.next_check <= now:
            below.check(now)
            if below._ended:
                return  # this one will hear of it
        if not self._told or self._ended:
            return
        if now >= self._close_at:
            if not self._out and below.buffered:
                return  # the one below has a deadline of its own, and will say how it ended
            if self._out and self._sock.under_way:
                # Not the peer holds it up, but the link: what waits has had no way on.
                self._close_at = now + self.limits.close_timeout
        super().check(now)

    def drain(self) -> None:
        """See ``Stream.drain``."""
        if self._told:
            super().drain()
        else:
            self._sock.below.drain()

    def abort(self, reason: NetlabError | None = None) -> None:
        """See ``Stream.abort``; what is under way is lost as well."""
        super().abort(reason)
        self._sock.below.abort(reason)  # if this stream had ended before, what it sent had not

    def close(self, reason: NetlabError | None = None) -> None:
        """See ``Stream.close``."""
        self._sock.in_haste = self._sock.in_haste or not self.closing
        super().close(reason)

    def end(self, reason: NetlabError | None) -> None:
        """It is over before it began."""
        self._finish(reason)

    @property
    def reason(self) -> NetlabError | None:
        """What ``lost`` is told."""
        return self._reason

    def _in_kernel(self) -> int:
        return self._sock.unread

    def _broken(self, error: OSError) -> None:
        reason = self._sock.broken_by
        if reason is None or (self._hold & CLOSING and self._shut):
            super()._broken(error)
        else:
            self._finish(reason)
