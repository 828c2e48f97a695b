"""Between two streams of one connection: what ``netlab.transport.impaired`` is made of."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from netlab.errors import ConnectionAborted, ConnectionReset, DeadlineExceeded, NetlabError

from .alarm import Alarm
from .bridge import Bridge
from .hub import READ, Hub
from .limits import Limits
from .plug import Plug
from .stream import NEVER, Stream
from .way import Way

if TYPE_CHECKING:
    from netlab.ledger import Flow

    from .impaired import ImpairedStream

OnLost: TypeAlias = Callable[[Stream, NetlabError | None], None]
Ways: TypeAlias = "tuple[Way, Way, Flow | None]"
"""The two directions of a connection, in and out, and its place in the record."""

_LOOK_AGAIN = 0.01
"""Seconds between two looks whether what was before a reset has arrived."""


class Detour(Plug):
    """Receiver of the stream ``below``; socket and hub of the stream ``above``."""

    below: Stream
    above: ImpairedStream

    def __init__(
        self, hub: Hub, limits: Limits, ways: Callable[[Stream], Ways], on_lost: OnLost | None
    ) -> None:
        super().__init__(hub)
        self._ways = ways
        self._limits = limits
        self._on_lost = on_lost
        self._in = Way(None)
        self._out = Way(None)
        self._flow: Flow | None = None
        self._first: Literal["in", "out"] = "out"  # who ended first
        self._alarm: Alarm | None = None
        self.in_haste = False
        """Whether the stream above was told to ``close``: the one below has no longer for it."""
        self._closed = False  # the stream above is done with its socket
        self._finished = False  # and the stream below is told to end
        self._gone = False  # and has
        self._below_reason: NetlabError | None = None
        self._above_gone = False
        self._resetting = False
        self._patient_until = NEVER
        self.broken_by: NetlabError | None = None
        """Why the stream above finds its connection broken."""

    # -- as the receiver of the stream below

    def connected(self, stream: Stream) -> None:
        """See ``Receiver``."""
        self._in, self._out, self._flow = self._ways(stream)
        self.above.plug_in()

    def data_received(self, data: bytes) -> None:
        """See ``Receiver``."""
        if self._flow is not None:
            self._flow.data("in", data)
        if not self._closed and not self._resetting:
            self._in.put(self._hub.time(), data)
            self._move()

    def end_received(self) -> None:
        """See ``Receiver``."""
        self._first = "in"
        self._in.end(self._hub.time())
        self._move()

    def can_write(self) -> None:
        """See ``Receiver``."""
        self._move()

    def check(self, now: float) -> float:
        """See ``Receiver``: it is the receiver of the stream above that has deadlines."""
        return NEVER

    def drain(self) -> None:
        """See ``Receiver``: it is the stream above that is drained."""

    def lost(self, reason: NetlabError | None) -> None:
        """See ``Receiver``; ``below_lost`` hears of all ends."""

    def below_lost(self, stream: Stream, reason: NetlabError | None) -> None:
        """The stream below is gone, whether it was ever connected or not."""
        self._gone = True
        if isinstance(reason, ConnectionReset) and self._had_sent_all():
            reason = None
        self._below_reason = reason
        self._out.clear()
        if self._flow is not None:
            by_peer = isinstance(reason, ConnectionReset) and self.broken_by is None
            text = "" if reason is None else str(reason)
            direction = "in" if by_peer else self._first
            self._flow.ended(text, reset=reason is not None, direction=direction)
        if self._above_gone:
            self._over()
        elif self._stream is None:  # it never began, or has just ended
            self.above.end(reason)
        elif isinstance(reason, (DeadlineExceeded, ConnectionAborted)):  # by this side
            self.above.abort(reason)
        elif self.broken_by is None:
            # An end, or a reset, comes as late as bytes do, and behind them.
            self.broken_by = reason
            self._in.end(self._hub.time())
            if self._ended and reason is not None:
                self._break()
            self._move()

    def _had_sent_all(self) -> bool:
        """Whether nothing was under way to the peer but the end, if that: then a reset costs
        nothing, and is none for a stream whose end is out (see ``Stream._broken``)."""
        out = self._out
        return self.broken_by is None and out.ended and out.under_way <= 1 and not self.below.full

    def above_lost(self, stream: Stream, reason: NetlabError | None) -> None:
        """The stream above is gone, and its receiver knows."""
        self._above_gone = True
        if self._gone:
            self._over()

    def _over(self) -> None:
        self._set_alarm(NEVER)
        if self._on_lost is not None:
            self._on_lost(self.above, self.above.reason or self._below_reason)

    # -- as the socket of the stream above

    @property
    def under_way(self) -> int:
        """Bytes that a link holds up on their way to the peer."""
        return 0 if self.below.full else self._out.under_way

    @property
    def unread(self) -> int:
        """Bytes given to ``sendmsg`` that the peer's system has not taken, as far as is known."""
        below = self.below
        if below._ended:
            return 0
        sock: Any = below._sock
        given = sock.unsent if isinstance(sock, Bridge) else below._in_kernel()
        return self._out.under_way + below.buffered + given

    def recv(self, size: int) -> bytes:
        """See ``socket.recv``; never more than one piece, as it came out of the link."""
        if not self._inbox and not self._ended and self._error is None:
            self.below.read_more()  # the kernel may have what it has not announced
        if not self._inbox:
            return super().recv(size)
        data = self._inbox[0]
        if len(data) > size:
            self._inbox[0] = data[size:]
            data = data[:size]
        else:
            del self._inbox[0]
        self._waiting -= len(data)
        self._move()
        return data

    def sendmsg(self, buffers: list[bytes]) -> int:
        """See ``socket.sendmsg``."""
        if self._gone or self._resetting:  # and the stream above has yet to hear of it
            return sum(map(len, buffers))
        sent = 0
        for data in buffers:
            room = self._room()
            if room <= 0:
                break
            piece = bytes(memoryview(data)[:room])
            self._out.put(self._hub.time(), piece)
            self._move()
            sent += len(piece)
            if len(piece) < len(data):
                break
        if not sent:
            raise BlockingIOError
        return sent

    def _room(self) -> int:
        if self._out.link is None and self.below.full and not self._gone:
            return 0
        return self._out.room

    def shutdown(self, how: int) -> None:
        """See ``socket.shutdown``: the end goes behind what is under way."""
        self._out.end(self._hub.time())
        self._move()

    def getsockname(self) -> Any:
        """See ``socket.getsockname``; a Twisted address."""
        return self.below.host

    def close(self) -> None:
        """See ``socket.close``: what is under way still arrives, unless it is to be reset."""
        self._closed = True
        self._inbox.clear()
        self._waiting = 0
        self._in.clear()
        if self._abort_on_close:
            self.below.abort(self.above.reason)
        elif not self._resetting:
            self.shutdown(2)

    # -- the links

    def _move(self) -> None:
        """Lets go on what is due in both directions, and looks again when more will be."""
        now = self._hub.time()
        due = NEVER
        if not self._resetting:
            due = min(self._move_in(now), self._move_out(now))
            if self._in.resets(now) or self._out.resets(now):
                self.broken_by = ConnectionReset("an impairment reset the connection")
                self._break()
        if self._resetting:
            due = self._go_on_resetting(now)
        self._mind_room()
        self._blocked = self._room() <= 0
        self._announce()
        self._set_alarm(due)

    def _move_in(self, now: float) -> float:
        """Returns when there will be more, as ``_move_out`` does."""
        if self._closed:
            return NEVER
        for data in self._in.take(now) if not self._inbox else ():
            self._inbox.append(data)
            self._waiting += len(data)
        if self._in.over and not self._ended:
            self._ended = True
            if self.broken_by is not None:
                self._break()
        # What is not read yet holds up the bytes behind it; a reset waits for no reader.
        return NEVER if self._inbox and self._in.under_way else self._in.next_due

    def _move_out(self, now: float) -> float:
        # All must go on once the end is known: the deadline for it begins when it has.
        if self.below._ended or (self.below.full and not self._out.ended):
            return NEVER
        for data in self._out.take(now):
            if self._flow is not None:
                self._flow.data("out", data)
            self.below.write(data)
            self.below.flush()  # each a segment of its own, as far as that can be told
        if self._out.over and not self._finished:
            self._finished = True
            self.below.resume()
            if self.in_haste:
                self.below.close()
            else:
                self.below.finish()
        return self._out.next_due

    def _mind_room(self) -> None:
        """Reads from below only while there is room above it."""
        wanted = not self._inbox and self._in.room > 0 and not self._resetting
        if wanted or self._closed:
            self.below.resume()
        else:
            self.below.pause()

    def _set_alarm(self, due: float) -> None:
        if self._alarm is not None:
            if self._alarm.when <= due != NEVER:
                return
            self._alarm.cancel()
            self._alarm = None
        if due != NEVER:
            self._alarm = self._hub.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._move()

    # -- a reset

    def _break(self) -> None:
        """The connection is broken: the stream above hears of it behind what has come."""
        self._resetting = True
        self._patient_until = self._hub.time() + self._limits.close_timeout
        self._error = ConnectionResetError(errno.ECONNRESET, "reset")
        self._in.clear()
        self._out.clear()

    def _first_read(self, mask: int) -> bool:
        # However quick the receiver is, the same comes to it each time; but whoever does
        # not read at all must hear of it too.
        patient = mask & READ or self._hub.time() < self._patient_until
        return bool(self._inbox and patient)

    def _go_on_resetting(self, now: float) -> float:
        """Resets the connection when what was sent before has arrived; when to look again."""
        if now < self._patient_until and not self._gone and self.unread:
            return now + _LOOK_AGAIN
        self.below.abort(self.broken_by)
        return self._patient_until if now < self._patient_until and self._inbox else NEVER
