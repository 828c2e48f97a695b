"""The hub: one selectable that waits for many sockets.

A reactor turn is made for anything: it takes each ready descriptor through a
logging context and looks at its timers in between. A busy message server pays
for that with half of its time. The hub owns an epoll of its own, which the
reactor sees as a single descriptor; when that is readable, the hub drains all
its ready sockets in one go. This works under any reactor, and where there is
no epoll, ``ReactorHub`` offers the same by way of the reactor.

Rules of a turn, in the order they happen:

1. every ready descriptor is served once, within its own budget; connections on
   plain sockets come first, as one batch (see ``SocketStream.serve_batch``);
2. what was put off with ``soon`` is run: work that exceeded a budget, news of
   closed connections, accepting;
3. every stream that was written to is flushed, once.

Nothing here knows what a stream does with its readiness.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor, IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from .alarm import Alarm, Alarms
from .limits import TICK
from .log import Log
from .timer import monotonic_timer, ring_once

READ, WRITE = 1, 4  # EPOLLIN and EPOLLOUT

_BATCH = 256
"""Descriptors served between two looks at the kernel."""
_ROUNDS = 4
"""Looks at the kernel in one turn, before the reactor has its own again."""


class Descriptor(Protocol):
    """What a hub waits for."""

    def readable(self) -> None:
        """There is something to read, and nothing else to say."""

    def event(self, mask: int) -> None:
        """Anything else: writable, an error, the peer hung up."""

    def failed(self) -> None:
        """``readable``, ``event`` or ``flush`` raised: an internal error. End this one."""

    def flush(self) -> None:
        """Send what was written; called once a turn after ``Hub.dirty`` was asked for."""


class BatchedDescriptor(Descriptor, Protocol):
    """One of many that are served together when there is something to read, and no more."""

    @staticmethod
    def serve_batch(hub: Hub, descriptors: list[Any]) -> None:
        """``readable`` for each of ``descriptors``; an error of one must not touch the others."""


class Hub:
    """What all hubs share: the turn, its queues, and the tick.

    ``now`` is the monotonic time in seconds at which the turn began. It costs
    nothing to read and is old by at most ``TICK``. ``mark`` is the time up to which
    the work of handlers has been counted; whoever counts some moves it on.
    """

    log = Log()

    def __init__(self) -> None:
        self.descriptors: dict[int, Descriptor] = {}
        self.dirty: list[Descriptor] = []
        self._tickers: set[Callable[[float], None]] = set()
        self.now = self.time()
        self.turning = False
        self.mark = self.now
        self._soon: list[Callable[[], None]] = []
        self._wake_wanted = False
        self._alarms = Alarms()
        self._rings_at = float("inf")

    def time(self) -> float:
        """The monotonic time in seconds, now."""
        return monotonic()

    @property
    def serves_streams(self) -> bool:
        """Whether connections are open, which do not want to wait long for anything else."""
        return False

    # -- what hubs differ in

    def register(self, fd: int, descriptor: Descriptor, mask: int) -> None:
        """Waits for ``mask`` (``READ``, ``WRITE`` or both) on ``fd``."""
        raise NotImplementedError

    def modify(self, fd: int, mask: int) -> None:
        """Waits for ``mask`` from now on; 0 leaves only errors and hang-ups."""
        raise NotImplementedError

    def unregister(self, fd: int) -> None:
        """Waits for ``fd`` no longer; call it before the descriptor is closed."""
        raise NotImplementedError

    def _call_later(self, function: Callable[[], None]) -> None:
        """Calls ``function`` in the reactor's next turn."""
        raise NotImplementedError

    def _ring_at(self, when: float) -> None:
        """Calls ``_ring`` at the time ``when``, and at no other that was asked for before."""
        raise NotImplementedError

    def _opening(self) -> None:
        """There is something to wait for again: begin to tick."""
        raise NotImplementedError

    def _closing(self) -> None:
        """There is nothing to wait for any more: leave the reactor clean."""
        raise NotImplementedError

    # -- what streams use

    def start_ticking(self, ticker: Callable[[float], None]) -> None:
        """Calls ``ticker(now)`` every ``TICK`` seconds until ``stop_ticking``."""
        if not self._tickers and not self.descriptors:
            self._opening()
        self._tickers.add(ticker)

    def stop_ticking(self, ticker: Callable[[float], None]) -> None:
        """Calls ``ticker`` no longer; harmless when it was not called."""
        if ticker in self._tickers:
            self._tickers.discard(ticker)
            self._maybe_close()

    def call_at(self, when: float, function: Callable[[], None]) -> Alarm:
        """Calls ``function`` once the monotonic time is ``when``, to the millisecond or better.

        For what a ``TICK`` is too coarse for. Call the result's ``cancel`` when it is not
        wanted any more. Who waits must have a descriptor registered, or a ticker.
        """
        alarm = self._alarms.add(when, function)
        self._set_ring(when)
        return alarm

    def _forget_alarms(self) -> None:
        self._alarms.clear()
        self._rings_at = float("inf")

    def _set_ring(self, when: float) -> None:
        if when < self._rings_at:
            self._rings_at = when
            self._ring_at(when)

    def _ring(self) -> None:
        self.now = self.time()
        self._rings_at = float("inf")
        for alarm in self._alarms.due(self.now):
            try:
                alarm.ring()
            except Exception:
                self.log.failure("internal error in {alarm}", alarm=alarm)
        self._set_ring(self._alarms.next_time)

    def _ring_by_reactor(self) -> None:
        self.mark = monotonic()
        self.turning = True
        self._ring()
        self._finish_turn()

    def _maybe_close(self) -> None:
        if not self._tickers and not self.descriptors:
            self._closing()

    def soon(self, function: Callable[[], None]) -> None:
        """Runs ``function`` in this turn if its queue is still to come, else in the next."""
        self._soon.append(function)
        if not self.turning:
            self._wake()

    def mark_dirty(self, descriptor: Descriptor) -> None:
        """Flushes ``descriptor`` at the end of this turn, or of the next if none is on."""
        self.dirty.append(descriptor)
        if not self.turning:
            self._wake()

    def _wake(self) -> None:
        if not self._wake_wanted:
            self._wake_wanted = True
            self._call_later(self._woken)

    def _woken(self) -> None:
        self._wake_wanted = False
        self.now = self.time()
        self.mark = monotonic()
        self.turning = True
        self._finish_turn()

    def _finish_turn(self) -> None:
        """Runs the queues of a turn; what they leave behind comes in the next."""
        if self._soon:
            queue, self._soon = self._soon, []
            for function in queue:
                try:
                    function()
                except Exception:
                    self.log.failure("internal error in {function}", function=function)
        if self.dirty:
            dirty, self.dirty = self.dirty, []
            for descriptor in dirty:
                try:
                    descriptor.flush()
                except Exception:
                    self.blame(descriptor)
        self.turning = False
        if self._soon or self.dirty:
            self._wake()

    def blame(self, descriptor: Descriptor) -> None:
        """Logs the exception that is being handled, and ends ``descriptor``, whose it is."""
        self.log.failure("internal error in {descriptor}", descriptor=descriptor)
        descriptor.failed()

    def _serve(self, fd: int, mask: int) -> None:
        """Serves one ready descriptor (hubs with a fast path do this in their loop)."""
        self.mark = monotonic()
        descriptor = self.descriptors.get(fd)
        if descriptor is None:
            return
        try:
            if mask == READ:
                descriptor.readable()
            else:
                descriptor.event(mask)
        except Exception:
            self.blame(descriptor)

    def _tick(self) -> None:
        now = self.now = self.time()
        for ticker in list(self._tickers):
            try:
                if ticker in self._tickers:  # not stopped by another one
                    ticker(now)
            except Exception:
                self.log.failure("internal error in {ticker}", ticker=ticker)


@implementer(IReadDescriptor)
class EpollHub(Hub):
    """The hub on an epoll of its own. Open only while it waits for something."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.reactor = reactor
        self._batched: dict[int, BatchedDescriptor] = {}
        self._epoll: select.epoll | None = None
        self._timer: int | None = None
        self._alarm: int | None = None
        self._delayed: Any = None
        self._ringing: Any = None

    def register(self, fd: int, descriptor: Descriptor, mask: int) -> None:
        """See ``Hub.register``; the first one opens the epoll."""
        if self._epoll is None:
            self._opening()
        assert self._epoll is not None
        self._epoll.register(fd, mask)
        self.descriptors[fd] = descriptor
        if hasattr(descriptor, "serve_batch"):
            self._batched[fd] = cast(BatchedDescriptor, descriptor)

    @property
    def serves_streams(self) -> bool:
        """See ``Hub.serves_streams``: those on plain sockets count."""
        return bool(self._batched)

    def modify(self, fd: int, mask: int) -> None:
        """See ``Hub.modify``."""
        assert self._epoll is not None
        self._epoll.modify(fd, mask)

    def unregister(self, fd: int) -> None:
        """See ``Hub.unregister``; the last one closes the epoll."""
        if self.descriptors.pop(fd, None) is None or self._epoll is None:
            return
        self._batched.pop(fd, None)
        self._epoll.unregister(fd)
        self._maybe_close()

    def _call_later(self, function: Callable[[], None]) -> None:
        self.reactor.callLater(0, function)

    def _opening(self) -> None:
        self._epoll = select.epoll()
        self._timer = monotonic_timer(TICK)
        if self._timer is not None:
            self._epoll.register(self._timer, READ)
        else:
            self._delayed = self.reactor.callLater(TICK, self._tick_by_reactor)
        self.now = self.time()
        self.reactor.addReader(self)

    def _ring_at(self, when: float) -> None:
        delay = max(0.0, when - self.time())
        if self._alarm is None and self._timer is not None and self._epoll is not None:
            self._alarm = monotonic_timer(0)
            if self._alarm is not None:
                self._epoll.register(self._alarm, READ)
        if self._alarm is not None:
            ring_once(self._alarm, delay)
        else:
            _cancel(self._ringing)
            self._ringing = self.reactor.callLater(delay, self._ring_by_reactor)

    def _closing(self) -> None:
        assert self._epoll is not None
        self._forget_alarms()
        _cancel(self._ringing)
        if self._alarm is not None:
            os.close(self._alarm)
            self._alarm = None
        self.reactor.removeReader(self)
        self._epoll.close()
        self._epoll = None
        if self._timer is not None:
            os.close(self._timer)
            self._timer = None
        if self._delayed is not None:
            self._delayed.cancel()
            self._delayed = None

    def _tick_by_reactor(self) -> None:
        self._delayed = self.reactor.callLater(TICK, self._tick_by_reactor)
        self._tick()

    # -- the reactor's side

    def _read_timer(self, fd: int, function: Callable[[], None]) -> None:
        try:
            os.read(fd, 8)
        except BlockingIOError:  # closed and opened again within this turn
            return
        function()

    def fileno(self) -> int:
        """The epoll's own descriptor: readable when anything in it is ready."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """See ``ILoggingContext``."""
        return "netlab"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is done with all its readers: it shuts down."""

    def doRead(self) -> None:
        """Serves everything that is ready: see the rules of a turn above."""
        self.now = monotonic()
        self.turning = True
        get = self.descriptors.get
        batched = self._batched
        for _ in range(_ROUNDS):
            if self._epoll is None:
                break
            ready = self._epoll.poll(0, _BATCH)
            batch = []
            rest = []
            for fd, mask in ready:
                if mask == READ and fd in batched:
                    batch.append(batched[fd])
                else:
                    rest.append((fd, mask, get(fd)))
            if batch:
                batch[0].serve_batch(self, batch)
            for fd, mask, descriptor in rest:
                if descriptor is None:
                    if fd == self._timer:
                        self._read_timer(fd, self._tick)
                    elif fd == self._alarm:
                        self._read_timer(fd, self._ring)
                    continue
                if get(fd) is not descriptor:  # gone since; its number may be another's
                    continue
                try:
                    if mask == READ:
                        descriptor.readable()
                    else:
                        descriptor.event(mask)
                except Exception:
                    self.blame(descriptor)
            self._finish_turn()
            if len(ready) < 2 or self._soon:
                break
            self.turning = True
        self.turning = False


@implementer(IReadWriteDescriptor)
class _Watched:
    """One descriptor of a ``ReactorHub``, as the reactor sees it."""

    def __init__(self, hub: ReactorHub, fd: int) -> None:
        self.hub = hub
        self.fd = fd

    def fileno(self) -> int:
        return self.fd

    def logPrefix(self) -> str:
        return "netlab"

    def connectionLost(self, reason: Failure) -> None:
        if not isinstance(reason.value, ConnectionDone) and self.fd in self.hub.descriptors:
            self.hub.ready(self.fd, READ | WRITE)

    def doRead(self) -> None:
        self.hub.ready(self.fd, READ)

    def doWrite(self) -> None:
        self.hub.ready(self.fd, WRITE)


class ReactorHub(Hub):
    """The hub where there is no epoll: each descriptor goes to the reactor itself."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.reactor: Any = IReactorFDSet(reactor)
        self._watched: dict[int, _Watched] = {}
        self._delayed: Any = None
        self._ringing: Any = None

    def register(self, fd: int, descriptor: Descriptor, mask: int) -> None:
        """See ``Hub.register``."""
        if not self.descriptors and not self._tickers:
            self._opening()
        self.descriptors[fd] = descriptor
        self._watched[fd] = _Watched(self, fd)
        self.modify(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        """See ``Hub.modify``."""
        watched = self._watched[fd]
        (self.reactor.addReader if mask & READ else self.reactor.removeReader)(watched)
        (self.reactor.addWriter if mask & WRITE else self.reactor.removeWriter)(watched)

    def unregister(self, fd: int) -> None:
        """See ``Hub.unregister``."""
        if self.descriptors.pop(fd, None) is None:
            return
        watched = self._watched.pop(fd)
        self.reactor.removeReader(watched)
        self.reactor.removeWriter(watched)
        self._maybe_close()

    def _opening(self) -> None:
        self._delayed = self.reactor.callLater(TICK, self._tick_by_reactor)

    def _closing(self) -> None:
        self._delayed.cancel()
        self._forget_alarms()
        _cancel(self._ringing)

    def _call_later(self, function: Callable[[], None]) -> None:
        self.reactor.callLater(0, function)

    def _ring_at(self, when: float) -> None:
        _cancel(self._ringing)
        delay = max(0.0, when - self.time())
        self._ringing = self.reactor.callLater(delay, self._ring_by_reactor)

    def _tick_by_reactor(self) -> None:
        self._delayed = self.reactor.callLater(TICK, self._tick_by_reactor)
        self._tick()

    def ready(self, fd: int, mask: int) -> None:
        """One descriptor is ready: a turn of its own."""
        self.now = self.time()
        self.turning = True
        self._serve(fd, mask)
        self._finish_turn()


def _cancel(delayed: Any) -> None:
    if delayed is not None and delayed.active():
        delayed.cancel()


_hubs: WeakKeyDictionary[Any, Hub] = WeakKeyDictionary()


def hub_for(reactor: Any) -> Hub:
    """The hub of ``reactor``: one for each, made when it is first asked for."""
    hub = _hubs.get(reactor)
    if hub is None:
        hub = EpollHub(reactor) if hasattr(select, "epoll") else ReactorHub(reactor)
        _hubs[reactor] = hub
    return hub
