"""Sockets in memory, on a clock that tests advance.

The transport's own code runs on these, unchanged: a ``MemorySocket`` answers
``recv``, ``send`` and ``close`` as a non-blocking socket does, a ``MemoryHub``
says when it is ready as epoll does. Like the real thing a socket takes only so
much before it blocks, a reset loses what is under way, and closing with bytes
unread is a reset. What goes wrong comes from one seed, so every failure can be
had again.
"""

from __future__ import annotations

import errno
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from netlab.transport.hub import READ, WRITE, Hub
from netlab.transport.limits import TICK

_ERROR, _HANGUP = 8, 16
_fds = count(1000)
_ports = count(40000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a connection in memory does to the bytes; the same seed does the same.

    seed      of everything random below
    chunk     bytes of the largest piece that one read sees; the sizes are random.
              ``None``: pieces stay as they were written
    coalesce  the probability, 0 to 1, that a piece is joined to the one before it
    delay     seconds each piece is under way, and
    jitter    at most so many seconds more, at random; pieces never overtake each other
    capacity  bytes a direction holds before the writer blocks
    """

    seed: int = 0
    chunk: int | None = None
    coalesce: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    capacity: int = 64 * 1024


class MemoryHub(Hub):
    """A hub for ``MemorySocket``; its time is the clock's."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        super().__init__()
        self._interest: dict[int, int] = {}
        self._sockets: dict[int, MemorySocket] = {}
        self._turn_wanted = False
        self._ticking: Any = None
        self._ringing: Any = None

    def time(self) -> float:
        """The clock's time in seconds."""
        return float(self.clock.seconds())

    def add(self, sock: MemorySocket) -> None:
        """Makes ``sock`` known, so that it can be registered."""
        self._sockets[sock.fileno()] = sock

    def register(self, fd: int, descriptor: Any, mask: int) -> None:
        """See ``Hub.register``."""
        if not self.descriptors and not self._tickers:
            self._opening()
        self.descriptors[fd] = descriptor
        self._interest[fd] = mask
        self.poke()

    def modify(self, fd: int, mask: int) -> None:
        """See ``Hub.modify``."""
        self._interest[fd] = mask
        self.poke()

    def unregister(self, fd: int) -> None:
        """See ``Hub.unregister``."""
        if self.descriptors.pop(fd, None) is not None:
            del self._interest[fd]
            self._maybe_close()

    def poke(self) -> None:
        """Something may be ready: have a turn."""
        if not self._turn_wanted:
            self._turn_wanted = True
            self._call_later(self._turn)

    def _turn(self) -> None:
        self._turn_wanted = False
        self.now = self.time()
        self.turning = True
        for fd, wanted in list(self._interest.items()):
            ready = self._sockets[fd].ready() & (wanted | _ERROR | _HANGUP)
            if ready:
                self._serve(fd, ready)
                self.poke()
        self._finish_turn()

    def _call_later(self, function: Callable[[], None]) -> None:
        self.clock.callLater(0, function)

    def _ring_at(self, when: float) -> None:
        if self._ringing is not None and self._ringing.active():
            self._ringing.cancel()
        delay = max(0.0, when - self.time())
        self._ringing = self.clock.callLater(delay, self._ring_by_reactor)

    def _opening(self) -> None:
        self._ticking = self.clock.callLater(TICK, self._tick_again)

    def _closing(self) -> None:
        self._ticking.cancel()
        self._forget_alarms()
        if self._ringing is not None and self._ringing.active():
            self._ringing.cancel()

    def _tick_again(self) -> None:
        self._ticking = self.clock.callLater(TICK, self._tick_again)
        self._tick()


class MemorySocket:
    """One end of a connection in memory; behaves as a non-blocking TCP socket."""

    family = socket.AF_INET

    def __init__(self, hub: MemoryHub, faults: Faults, rng: random.Random) -> None:
        self._hub = hub
        self._faults = faults
        self._rng = rng
        self._fd = next(_fds)
        self._port = next(_ports)
        self.peer: MemorySocket
        self._inbox: deque[bytes] = deque()
        self._under_way = 0  # bytes sent and not yet read by the peer
        self._arrival = 0.0  # when the last piece sent will arrive
        self._flying: deque[Callable[[], None]] = deque()
        self._landings: deque[Any] = deque()
        self._ended = False  # the peer's end of stream has arrived
        self._error = 0
        self._shut = False
        self._closed = False
        self._reset_on_close = False
        hub.add(self)

    @property
    def address(self) -> IPv4Address:
        """The address of this end."""
        return IPv4Address("TCP", "127.0.0.1", self._port)

    # -- what a socket does

    def fileno(self) -> int:
        """A number that no other socket in memory has."""
        return self._fd

    def recv(self, size: int) -> bytes:
        """See ``socket.recv``; never more than one piece at a time."""
        self._check()
        if not self._inbox:
            if self._ended:
                return b""
            raise BlockingIOError(errno.EAGAIN, "nothing to read")
        data = self._inbox.popleft()
        if len(data) > size:
            self._inbox.appendleft(data[size:])
            data = data[:size]
        self.peer._under_way -= len(data)
        self._hub.poke()
        return data

    def send(self, data: bytes) -> int:
        """See ``socket.send``."""
        self._check()
        if self._shut:
            raise BrokenPipeError(errno.EPIPE, "shut down")
        room = self._faults.capacity - self._under_way
        if room <= 0:
            raise BlockingIOError(errno.EAGAIN, "no room")
        data = bytes(data[:room])
        self._under_way += len(data)
        for piece in self._cut(data):
            self._schedule(lambda piece=piece: self.peer._arrive(piece))  # type: ignore[misc]
        return len(data)

    def sendmsg(self, buffers: list[bytes]) -> int:
        """See ``socket.sendmsg``."""
        return self.send(b"".join(buffers))

    def shutdown(self, how: int) -> None:
        """See ``socket.shutdown``; only the writing side is ever shut."""
        self._check()
        if not self._shut:
            self._shut = True
            self._schedule(lambda: self.peer._end())

    def close(self) -> None:
        """See ``socket.close``: orderly, unless told otherwise or with bytes unread."""
        if self._closed:
            return
        self._closed = True
        if self._reset_on_close or self._inbox:
            self.peer._reset()
        elif not self._shut and not self._error:
            self._shut = True
            self._schedule(lambda: self.peer._end())

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """The one option that a stream sets: to reset when it closes."""
        if option == socket.SO_LINGER:
            self._reset_on_close = True

    def getsockopt(self, level: int, option: int) -> int:
        """The one option that a stream asks for: the pending error."""
        return self._error

    def getsockname(self) -> tuple[str, int]:
        """See ``socket.getsockname``."""
        return (self.address.host, self._port)

    # -- what the network does

    def reset(self) -> None:
        """The network breaks the connection: both ends see a reset."""
        self._reset()
        self.peer._reset()

    def drop(self) -> None:
        """Whatever is under way from this end gets lost."""
        for each in self._landings:
            each.cancel()
        self._landings.clear()
        self._flying.clear()

    @property
    def was_reset(self) -> bool:
        """Whether a reset has come."""
        return bool(self._error)

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return self._closed

    def ready(self) -> int:
        """What epoll would say of this socket."""
        if self._closed:
            return 0
        mask = 0
        if self._error:
            mask |= _ERROR | _HANGUP | READ
        if self._inbox or self._ended:
            mask |= READ
        if not self._shut and self._under_way < self._faults.capacity:
            mask |= WRITE
        if self._ended and self._shut:
            mask |= _HANGUP
        return mask

    def _check(self) -> None:
        if self._closed:
            raise OSError(errno.EBADF, "closed")
        if self._error:
            raise ConnectionResetError(self._error, "reset")

    def _cut(self, data: bytes) -> list[bytes]:
        most = self._faults.chunk
        if most is None:
            return [data]
        pieces = []
        at = 0
        while at < len(data):
            size = self._rng.randint(1, most)
            pieces.append(data[at : at + size])
            at += size
        return pieces

    def _schedule(self, event: Callable[[], None]) -> None:
        now = self._hub.time()
        wait = self._faults.delay + self._faults.jitter * self._rng.random()
        self._arrival = max(self._arrival, now + wait)
        self._flying.append(event)
        self._landings.append(self._hub.clock.callLater(self._arrival - now, self._land))

    def _land(self) -> None:
        self._landings.popleft()
        self._flying.popleft()()  # the first to start, however the times were rounded

    def _arrive(self, piece: bytes) -> None:
        if self._error:
            return
        if self._closed:  # nobody is there: the network answers with a reset
            self.peer._reset()
            return
        if self._inbox and self._rng.random() < self._faults.coalesce:
            self._inbox[-1] += piece
        else:
            self._inbox.append(piece)
        self._hub.poke()

    def _end(self) -> None:
        self._ended = True
        self._hub.poke()

    def _reset(self) -> None:
        if not self._closed:
            self._error = errno.ECONNRESET
            self._inbox.clear()
            self._hub.poke()


def socket_pair(hub: MemoryHub, faults: Faults) -> tuple[MemorySocket, MemorySocket]:
    """Two connected ends; both directions draw from the seed of ``faults``."""
    first = MemorySocket(hub, faults, random.Random(f"{faults.seed} there"))
    second = MemorySocket(hub, faults, random.Random(f"{faults.seed} back"))
    first.peer, second.peer = second, first
    return first, second
