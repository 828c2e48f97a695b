"""A connection as netlab's services see it.

A service is a ``Receiver``: it is told what arrives, and answers through the
``Stream``. Everything that keeps a connection honest lives *here*: what is
written goes out once at the end of the turn; reading stops while more than
``high_water`` bytes wait to be sent; a close flushes, half-closes and waits
for the peer's end, and ends at its deadline whatever the peer does. All
changes of a connection's state are in ``Stream``; its kinds, ``SocketStream``
and ``TLSStream``, only move bytes.

Promises to a receiver: it is never called from within a call it makes, the
calls come in the order ``connected``, then any, then ``lost`` exactly once,
and no ``data_received`` comes after ``close`` or ``abort``.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.interfaces import IAddress

from netlab.errors import (
    CloseTimeout,
    ConnectionAborted,
    ConnectionClosed,
    ConnectionReset,
    NetlabError,
    WriteTimeout,
)
from netlab.framing.base import BytesLike

from .addresses import RawAddress, address_of
from .hub import READ, WRITE, Hub
from .limits import Limits
from .receiver import Receiver
from .stats import Stats

_ERROR, _HANGUP = 8, 16  # EPOLLERR and EPOLLHUP
JOIN = 64 * 1024
"""Buffers of up to so many bytes together are joined before they are sent."""

_FIRST_READ = 448
"""How much to ask for until a read comes back full: small messages need no more.

With its header such a bytes object is one that Python's own allocator makes.
"""

# Why a stream does not read: any of these, or'ed together.
HELD, FULL, CLOSING = 1, 2, 4

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

NEVER = float("inf")


class Stream:
    """One connection: what every kind of them has in common.

    peer, host      the addresses of the two ends
    full            more than ``high_water`` bytes wait: stop writing until ``can_write``
    buffered        bytes waiting to be sent
    read_size       how many bytes to ask for at a time; a receiver may set it
    blocked         the same, and reading has stopped for it; a stream made with
                    ``reads_when_full`` never is: two ends that both wait for the
                    other to read would wait for ever, so one of them, the client, reads
    last_activity   monotonic seconds at which bytes last came or went
    next_check      when the receiver's ``check`` is due; it may set an earlier time
    """

    __slots__ = (
        "_aside",
        "_close_at",
        "_dirty",
        "_ended",
        "_fd",
        "_high_water",
        "_hold",
        "_host",
        "_mask",
        "_on_lost",
        "_out",
        "_patient",
        "_peer",
        "_peer_ended",
        "_reason",
        "_shut",
        "_sock",
        "_stuck_since",
        "_told",
        "_unread",
        "buffered",
        "full",
        "hub",
        "last_activity",
        "limits",
        "next_check",
        "read_size",
        "receiver",
        "stats",
    )

    def __init__(
        self,
        hub: Hub,
        sock: socket.socket,
        receiver: Receiver,
        *,
        limits: Limits,
        stats: Stats,
        peer: RawAddress,
        host: RawAddress = None,
        on_lost: Callable[[Stream, NetlabError | None], None] | None = None,
        reads_when_full: bool = False,
    ) -> None:
        self.hub = hub
        self.receiver = receiver
        self.limits = limits
        self.stats = stats
        self._peer = peer
        self._host = host
        self.buffered = 0
        self.full = False
        self.read_size = _FIRST_READ
        self.last_activity = hub.now
        self.next_check = hub.now
        self._sock = sock
        self._fd = sock.fileno()
        self._high_water = limits.high_water
        self._on_lost = on_lost
        self._patient = reads_when_full
        self._out: list[BytesLike] = []
        self._mask = READ
        self._hold = 0
        self._dirty = False
        self._peer_ended = False
        self._shut = False
        self._ended = False
        self._aside = False
        self._close_at = NEVER
        self._stuck_since = NEVER
        self._unread = 0
        self._told = False
        self._reason: NetlabError | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self.receiver).__name__}>"

    # -- for the service

    @property
    def peer(self) -> IAddress:
        """The address of the other end (that of the client, behind a PROXY header)."""
        self._peer = address_of(self._peer)
        return self._peer

    @property
    def host(self) -> IAddress:
        """The address of this end."""
        if self._host is None and not self._ended:
            self._host = self._sock.getsockname()
        self._host = address_of(self._host)
        return self._host

    @property
    def blocked(self) -> bool:
        """Whether nothing is read because the peer takes too little of what waits."""
        return bool(self._hold & FULL)

    @property
    def closing(self) -> bool:
        """Whether the connection is being closed, or is gone."""
        return bool(self._hold & CLOSING)

    def get_handle(self) -> Any:
        """The socket below (on TLS, the ``OpenSSL.SSL.Connection``)."""
        return self._sock

    def start(self) -> None:
        """Begins to read, and tells the receiver that the connection is there."""
        self.hub.register(self._fd, self, READ)
        self._connected()

    def _connected(self) -> None:
        self._told = True
        self.receiver.connected(self)

    def _hand_on(self, data: bytes) -> None:
        """Gives ``data`` to the receiver, and its answer to the peer. Moves ``hub.mark`` on."""
        answer = self.receiver.data_received(data)
        if answer is not None:
            self._answer(answer)
        hub = self.hub
        now = monotonic()
        self.stats.handler_seconds += now - hub.mark
        hub.mark = now

    def _answer(self, answer: bytes) -> None:
        self.stats.messages_in += 1
        self.stats.messages_out += 1
        self.write(answer)

    def write(self, data: BytesLike) -> None:
        """Sends ``data`` at the end of this turn; nothing happens after ``close``."""
        if self._hold & CLOSING:
            return
        self._out.append(data)
        buffered = self.buffered = self.buffered + len(data)
        if not self._dirty:
            self._dirty = True
            hub = self.hub
            if hub.turning:
                hub.dirty.append(self)
            else:
                hub.mark_dirty(self)
        if buffered > self._high_water:
            if self._mask & WRITE:  # the kernel has enough already
                self._is_full()
            else:
                self._send()  # now, so that ``full`` is known before more is written

    def pause(self) -> None:
        """Reads no more until ``resume``. The kernel is told only if it insists."""
        self._hold |= HELD

    def resume(self) -> None:
        """Reads again, unless output is above ``high_water`` or the stream is closing."""
        if self._hold & HELD:
            self._hold &= ~HELD
            self._read_again()

    def close(self, reason: NetlabError | None = None) -> None:
        """Sends what waits, then ends the connection; done after ``close_timeout`` at most.

        ``reason`` is what ``lost`` will be told; without one it is an orderly end.
        """
        if not self._hold & CLOSING:
            self._close_by(self.hub.time() + self.limits.close_timeout)
            self.finish(reason)

    def finish(self, reason: NetlabError | None = None) -> None:
        """``close`` without haste: what waits may take as long as the peer goes on reading."""
        if self._hold & CLOSING:
            return
        self._hold |= CLOSING
        self._reason = reason
        if not self._dirty:
            self._dirty = True
            self.hub.mark_dirty(self)

    def _close_by(self, time: float) -> None:
        self._close_at = min(self._close_at, time)
        self.next_check = min(self.next_check, self._close_at)

    def abort(self, reason: NetlabError | None = None) -> None:
        """Ends the connection at once; what waits to be sent is lost (a TCP reset)."""
        if self._ended:
            return
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        except OSError:
            pass  # already reset by the peer, or not a socket that can be
        self._finish(reason or ConnectionAborted("this side broke the connection off"))

    def drain(self) -> None:
        """The server stops: the receiver finishes what it has and closes."""
        if not self._hold & CLOSING:
            self.receiver.drain()

    def read_more(self) -> bool:
        """Reads once now, not waiting for the kernel's word; whether anything came."""
        if self._hold or self._peer_ended:
            return False
        before = self.stats.bytes_in
        self.readable()
        return self.stats.bytes_in != before

    def check(self, now: float) -> None:
        """Acts on the deadlines that are over at ``now`` and sets ``next_check`` anew."""
        limits = self.limits
        if now >= self._close_at:
            if self._out:
                self.abort(CloseTimeout(f"not closed after {limits.close_timeout:g} s"))
            else:  # all was sent; only the peer's own end is missing
                self._finish(self._reason)
            return
        due = self._close_at
        if limits.write_timeout is not None and self._out:
            stuck = self._stuck_since + limits.write_timeout
            if now >= stuck and self._peer_has_read():
                stuck = now + limits.write_timeout
            if now >= stuck:
                self.abort(
                    WriteTimeout(
                        f"the peer read none of {self.buffered} bytes "
                        f"for {limits.write_timeout:g} s"
                    )
                )
                return
            due = min(due, stuck)
        if not self.closing:
            due = min(due, self.receiver.check(now))
        self.next_check = due

    # -- for the hub

    def readable(self) -> None:
        """Reads once and hands on what came."""
        raise NotImplementedError

    def _transmit(self) -> int:
        """Gives what it takes of ``_out`` to the kernel; returns how many bytes.

        Raises ``BlockingIOError`` or another ``OSError``.
        """
        raise NotImplementedError

    def _shutdown_write(self) -> None:
        """Tells the peer that nothing more will come."""
        self._sock.shutdown(socket.SHUT_WR)

    def event(self, mask: int) -> None:
        """Serves what is not a plain read."""
        if mask & (_ERROR | _HANGUP):
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._broken(OSError(code, errno.errorcode.get(code, str(code))))
                return
            if mask & _HANGUP and (self._hold or self._peer_ended or not mask & READ):
                if not self._out and not self._hold & (FULL | CLOSING):
                    self._set_aside()
                    return
                self._finish(self._reason or self._hangup())
                return
        if mask & WRITE:
            self._send()
        if mask & READ and not self._ended:
            self.readable()

    def _hangup(self) -> NetlabError | None:
        if self._shut:  # all was sent, and the peer has ended too
            return None
        return ConnectionReset("the peer closed the connection before its answers were sent")

    def failed(self) -> None:
        """netlab itself made a mistake with this connection; the hub has logged it."""
        self.abort(ConnectionAborted("internal error"))

    def flush(self) -> None:
        """Sends what was written in this turn."""
        self._dirty = False
        if not self._ended and not self._mask & WRITE:
            self._send()

    # -- the machine

    def _send(self) -> None:
        """Gives the kernel what it takes; at the end of the output, what comes after it."""
        if not self._out:
            self._sent(0)
            return
        try:
            sent = self._transmit()
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._broken(error)
            return
        self._sent(sent)

    def _sent(self, sent: int) -> None:
        hub = self.hub
        if sent:
            self.last_activity = hub.now
            self.stats.bytes_out += sent
        if sent != self.buffered:
            self._drop(sent)
            self._wait_to_write(moved=bool(sent))
            return
        self._out.clear()
        self.buffered = 0
        self._stuck_since = NEVER
        if self._mask & WRITE:
            self._set_mask(self._mask & ~WRITE)
        if self.full:
            self._not_full()
        if self._hold & CLOSING and not self._out and not self._ended:
            self._half_close()

    def _wait_to_write(self, *, moved: bool) -> None:
        """The kernel has enough for now: it will say when it takes more."""
        now = self.hub.now
        limits = self.limits
        if moved or self._stuck_since == NEVER:
            self._stuck_since = now
            self._unread = self._in_kernel()
            if limits.write_timeout is not None:
                self.next_check = min(self.next_check, now + limits.write_timeout)
        if self.buffered > limits.high_water:
            self._is_full()
        elif self.buffered <= limits.low_water and self.full:
            self._not_full()
        if not self._mask & WRITE:
            self._set_mask(self._mask | WRITE)

    def _is_full(self) -> None:
        self.full = True
        if not self._patient:
            self._hold |= FULL

    def _not_full(self) -> None:
        self.full = False
        self._hold &= ~FULL
        self._read_again()
        if not self.closing:
            self.receiver.can_write()

    def _in_kernel(self) -> int:
        """Bytes given to the kernel that the peer has not taken; 0 when that is not known."""
        return 0

    def _peer_has_read(self) -> bool:
        """Whether the peer took anything since the stream got stuck, or since this was asked.

        The kernel calls a socket writable again only when a third of its buffer,
        which may be megabytes, is free. A slow peer needs longer for that than
        ``write_timeout``, though it reads all the time.
        """
        before, self._unread = self._unread, self._in_kernel()
        if self._unread >= before:
            return False
        self._stuck_since = self.hub.now
        return True

    def _drop(self, sent: int) -> None:
        """Forgets the first ``sent`` bytes of what waits."""
        self.buffered -= sent
        out = self._out
        index = 0
        while sent >= len(out[index]):
            sent -= len(out[index])
            index += 1
        if sent:
            out[index] = memoryview(out[index])[sent:]
        if index:
            del out[:index]

    def _half_close(self) -> None:
        """All is sent: say so, and wait for the peer's end, discarding what it still sends.

        Closing with bytes unread would make the kernel send a reset, which
        can take away answers that the peer has not read yet.
        """
        if self._shut:
            return
        self._shut = True
        self._close_by(self.hub.now + self.limits.close_timeout)
        try:
            self._shutdown_write()
        except OSError as error:
            self._broken(error)
            return
        if self._peer_ended:
            self._finish(self._reason)
        else:
            self._set_mask(self._mask | READ)

    def _end_of_input(self) -> None:
        self._peer_ended = True
        self._set_mask(self._mask & ~READ)
        if self._hold & CLOSING:
            if self._shut:
                self._finish(self._reason)
            return
        self.receiver.end_received()

    def _read_again(self) -> None:
        if not self._hold and not self._peer_ended:
            self._set_mask(self._mask | READ)

    def _stop_reading(self) -> bool:
        """Whether to leave unread what is there: told by the hold, except while lingering."""
        if self._ended:  # earlier in this turn; its descriptor may be another's by now
            return True
        if self._hold & CLOSING and self._shut:
            return False
        self._set_mask(self._mask & ~READ)
        return True

    def _set_mask(self, mask: int) -> None:
        if mask == self._mask or self._ended:
            return
        self._mask = mask
        if not self._aside:
            self.hub.modify(self._fd, mask)
        elif mask:
            self._aside = False
            self.hub.register(self._fd, self, mask)

    def _set_aside(self) -> None:
        """The peer is gone, but the application is not done with what it said.

        The kernel would report that again at every look, so it is not asked
        until there is something to read or write.
        """
        self._aside = True
        self._mask = 0
        self.hub.unregister(self._fd)

    def _broken(self, error: OSError) -> None:
        if self._hold & CLOSING and self._shut:
            self._finish(self._reason)
        elif error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
            self._finish(ConnectionReset("the peer reset the connection"))
        else:
            self._finish(ConnectionClosed(f"the connection broke: {error.strerror or error}"))

    def _finish(self, reason: NetlabError | None) -> None:
        """Lets go of the socket; the receiver hears of it when the current call is over."""
        if self._ended:
            return
        self._ended = True
        self._hold |= CLOSING
        self._reason = reason
        self._out.clear()
        self.buffered = 0
        self.next_check = NEVER
        self.hub.unregister(self._fd)
        self._sock.close()
        self.hub.soon(self._report)

    def _report(self) -> None:
        try:
            if self._told:
                self.receiver.lost(self._reason)
        finally:
            if self._on_lost is not None:
                self._on_lost(self, self._reason)
