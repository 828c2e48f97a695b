"""The hubs: what a turn is, and that nothing is left in the reactor afterwards."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any
from weakref import ref

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport import hub, hub_for
from netlab.transport.hub import READ, WRITE, EpollHub, Hub, ReactorHub
from netlab.transport.limits import TICK
from tests.transport.support import (
    DEADLINE,
)


class Noting:
    """A descriptor that notes what it is told, and does what it was given to do."""

    def __init__(self, notes: list[str], name: str, do: Callable[[], object] = int) -> None:
        self.notes = notes
        self.name = name
        self.do = do
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.fd = self.here.fileno()

    def readable(self) -> None:
        self.notes.append(f"{self.name} reads")
        self.here.recv(100)
        self.do()

    def event(self, mask: int) -> None:
        self.notes.append(f"{self.name} has {mask}")
        self.do()

    def close(self) -> None:
        self.here.close()
        self.there.close()

    def failed(self) -> None:
        self.notes.append(f"{self.name} failed")

    def flush(self) -> None:
        self.notes.append(f"{self.name} flushes")


class Both(SynchronousTestCase):
    """What both hubs do; the reactor is in memory, the sockets are real."""

    kind: Callable[[Any], Any] = EpollHub

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.hub: Any = type(self).kind(self.reactor)
        self.notes: list[str] = []
        self.open: list[Noting] = []
        self.addCleanup(self.assert_clean)

    def add(self, name: str, do: Callable[[], object] = int, mask: int = READ) -> Noting:
        """A descriptor that the hub waits for."""
        made = Noting(self.notes, name, do)
        self.open.append(made)
        self.hub.register(made.fd, made, mask)
        return made

    def turn(self) -> list[str]:
        """What happens when everything that is ready is served."""
        self.notes.clear()
        ready = {each.fileno(): each for each in self.reactor.getReaders()}
        waiting = {each.fileno(): each for each in self.reactor.getWriters()}
        read, write, _ = select.select(list(ready), list(waiting), [], 0)
        for fd in read:
            ready[fd].doRead()
        for fd in write:
            waiting[fd].doWrite()
        self.reactor.advance(0)
        return self.notes

    def assert_clean(self) -> None:
        """When it waits for nothing any more, the reactor is as it was."""
        for each in self.open:
            self.hub.unregister(each.fd)
            each.close()
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getWriters(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_readable(self) -> None:
        """Only the one that has something to read hears of it."""
        one, _ = self.add("one"), self.add("two")
        self.assertEqual(self.turn(), [])
        one.there.send(b"x")
        self.assertEqual(self.turn(), ["one reads"])
        self.assertEqual(self.turn(), [])

    def test_writable(self) -> None:
        """Writable is an event; ``modify`` ends it."""
        one = self.add("one", mask=WRITE)
        self.assertIn(f"one has {WRITE}", self.turn())
        self.hub.modify(one.fd, READ)
        self.assertEqual(self.turn(), [])

    def test_held(self) -> None:
        """With no interest left nothing is told, and what came waits."""
        one = self.add("one")
        one.there.send(b"x")
        self.hub.modify(one.fd, 0)
        self.assertEqual(self.turn(), [])
        self.hub.modify(one.fd, READ)
        self.assertEqual(self.turn(), ["one reads"])

    def test_order(self) -> None:
        """In a turn: what is ready, then what was put off, then what was written."""
        one = self.add("one", lambda: (self.hub.mark_dirty(one), self.hub.soon(later)))
        later = lambda: self.notes.append("later")  # noqa: E731
        one.there.send(b"x")
        self.assertEqual(self.turn(), ["one reads", "later", "one flushes"])

    def test_put_off_again(self) -> None:
        """What ``soon`` leaves behind comes in the next turn, not in this one."""
        one = self.add("one")

        def again() -> None:
            self.notes.append("again")
            if self.notes.count("again") < 3:
                self.hub.soon(again)
                self.hub.mark_dirty(one)

        self.hub.soon(again)
        self.assertEqual(self.notes, [])
        self.reactor.advance(0)
        self.assertEqual(self.notes, [*["again", "one flushes"] * 2, "again"])

    def test_outside_of_a_turn(self) -> None:
        """What is written when no turn is on goes out in the next, all with one call."""
        one, two = self.add("one"), self.add("two")
        self.hub.mark_dirty(one)
        self.hub.mark_dirty(two)
        self.hub.soon(lambda: self.notes.append("later"))
        at_once = [each for each in self.reactor.getDelayedCalls() if each.getTime() == 0]
        self.assertEqual(len(at_once), 1)
        self.reactor.advance(0)
        self.assertEqual(self.notes, ["later", "one flushes", "two flushes"])

    def test_raising(self) -> None:
        """An error ends the descriptor that raised it, and no other."""

        def fail() -> None:
            raise ZeroDivisionError

        one, two = self.add("one", fail), self.add("two")
        one.there.send(b"x")
        two.there.send(b"x")
        notes = self.turn()
        self.assertEqual(sorted(notes), ["one failed", "one reads", "two reads"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.hub.modify(two.fd, READ | WRITE)
        two.do = fail
        self.assertIn("two failed", self.turn())
        self.assertNotIn("one failed", self.notes)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_raising_later(self) -> None:
        """An error in what was put off, in a flush, or in a tick stops nothing else."""

        def fail(*_: float) -> None:
            raise ZeroDivisionError

        one, two = self.add("one"), self.add("two")
        one.flush = fail  # type: ignore[method-assign]
        self.hub.soon(fail)
        self.hub.soon(lambda: self.notes.append("later"))
        self.hub.mark_dirty(one)
        self.hub.mark_dirty(two)
        self.reactor.advance(0)
        self.assertEqual(self.notes, ["later", "one failed", "two flushes"])
        ticks: list[float] = []
        for ticker in (fail, ticks.append):
            self.hub.start_ticking(ticker)
        self.hub._tick()
        self.hub.stop_ticking(fail)
        self.hub.stop_ticking(ticks.append)
        self.assertEqual(len(ticks), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_ended_by_another(self) -> None:
        """Who was ended earlier in the turn hears no more."""
        one = self.add("one", lambda: self.hub.unregister(two.fd))
        two = self.add("two", lambda: self.hub.unregister(one.fd))
        one.there.send(b"x")
        two.there.send(b"x")
        self.assertEqual(len(self.turn()), 1)

    def test_unregister_twice(self) -> None:
        """The second time, and for a stranger, nothing happens."""
        one, two = self.add("one"), self.add("two")
        self.hub.unregister(one.fd)
        self.hub.unregister(one.fd)
        self.hub.unregister(12345)
        two.there.send(b"x")
        self.assertEqual(self.turn(), ["two reads"])

    def test_tickers_alone(self) -> None:
        """A ticker keeps the hub open; the last one closes it, whatever comes first."""
        self.hub.start_ticking(self.notes.append)
        self.hub.start_ticking(self.notes.append)
        one = self.add("one")
        self.hub.stop_ticking(self.notes.append)
        self.hub.stop_ticking(self.notes.append)
        one.there.send(b"x")
        self.assertEqual(self.turn(), ["one reads"])
        self.hub.unregister(one.fd)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.getReaders(), [])
        again = self.add("again")
        again.there.send(b"x")
        self.assertEqual(self.turn(), ["again reads"])

    def test_now(self) -> None:
        """``now`` is the monotonic time at which the turn began."""
        begun = time.monotonic()
        seen: list[float] = []
        one = self.add("one", lambda: seen.append(self.hub.now))
        one.there.send(b"x")
        self.turn()
        self.hub.soon(lambda: seen.append(self.hub.now))
        self.reactor.advance(0)
        self.assertTrue(begun <= seen[0] <= seen[1] <= time.monotonic())


class OnReactor(Both):
    """``ReactorHub``: the same by way of the reactor."""

    kind = ReactorHub

    def test_tick(self) -> None:
        """It ticks by the reactor's clock, with the monotonic time."""
        ticks: list[float] = []
        self.hub.start_ticking(ticks.append)
        self.reactor.pump([TICK] * 4)
        self.hub.stop_ticking(ticks.append)
        self.assertEqual(len(ticks), 4)
        self.assertLess(abs(ticks[-1] - time.monotonic()), DEADLINE)


class OnEpoll(SynchronousTestCase):
    """What only the epoll's hub does."""

    def setUp(self) -> None:
        if not hasattr(select, "epoll"):
            self.skipTest("this system has no epoll")
        self.patch(hub, "TICK", 0.02)
        self.reactor: Any = MemoryReactorClock()
        self.hub = EpollHub(self.reactor)
        self.ticks: list[float] = []

    def descriptors(self, notes: list[str], count: int) -> list[Noting]:
        """So many of them; none is left in the hub at the end of the test."""
        made = [Noting(notes, str(number)) for number in range(count)]
        for each in made:
            self.addCleanup(each.close)
            self.addCleanup(self.hub.unregister, each.fd)
        return made

    def wait(self) -> None:
        """Waits until the hub is ready, and lets it have its turn."""
        self.assertEqual(select.select([self.hub], [], [], DEADLINE)[0], [self.hub])
        self.hub.doRead()

    def test_one_descriptor(self) -> None:
        """However many it waits for, the reactor sees one; and none when it is done."""
        pairs = self.descriptors([], 10)
        for each in pairs:
            self.hub.register(each.fd, each, READ)
        self.assertEqual(self.reactor.getReaders(), [self.hub])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        fd, timer = self.hub.fileno(), self.hub._timer
        for each in pairs:
            self.hub.unregister(each.fd)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.hub.fileno(), -1)
        for closed in (fd, timer):
            self.assertRaises(OSError, os.fstat, closed)

    def test_tick(self) -> None:
        """Ticks come from the monotonic clock: the wall clock may jump as it likes.

        Stock Twisted's timers follow the wall clock: a step of an hour ahead
        fires them all at once.
        """
        self.hub.start_ticking(self.ticks.append)
        self.reactor.advance(3600)
        self.assertEqual(self.ticks, [])
        begun = time.monotonic()
        for _ in range(3):
            self.wait()
        self.hub.stop_ticking(self.ticks.append)
        self.assertEqual(len(self.ticks), 3)
        self.assertTrue(begun < self.ticks[0] < self.ticks[1] < self.ticks[2])
        self.assertGreater(self.ticks[2] - begun, 0.03)

    def test_without_timerfd(self) -> None:
        """Where the system has no such timer, the reactor's will do."""
        self.patch(hub, "monotonic_timer", lambda interval: None)
        self.hub.start_ticking(self.ticks.append)
        self.reactor.pump([0.02] * 3)
        self.assertEqual(len(self.ticks), 3)
        self.hub.stop_ticking(self.ticks.append)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_opened_again_within_a_turn(self) -> None:
        """The last one leaves and another comes, just as the timer of old had rung."""
        notes: list[str] = []

        def change() -> None:
            self.hub.unregister(one.fd)
            self.hub.register(two.fd, two, READ)

        one, two = self.descriptors(notes, 2)
        one.do = change
        self.hub.register(one.fd, one, READ)
        one.there.send(b"x")
        self.wait_for_timer()
        self.hub.doRead()
        self.assertEqual(notes, ["0 reads"])
        two.there.send(b"x")
        self.hub.doRead()
        self.assertEqual(notes, ["0 reads", "1 reads"])

    def wait_for_timer(self) -> None:
        """Waits until the hub's timer has rung, unheard."""
        assert self.hub._timer is not None
        self.assertTrue(select.select([self.hub._timer], [], [], DEADLINE)[0])

    def test_turn_ends(self) -> None:
        """Descriptors that are always ready do not keep the reactor from its other work."""
        notes: list[str] = []
        busy = self.descriptors(notes, 3)
        for each in busy:
            self.hub.register(each.fd, each, READ | WRITE)
        self.hub.doRead()
        self.assertLess(len(notes), 100)
        for each in busy:
            self.assertIn(f"{each.name} has {WRITE}", notes)


class Choosing(SynchronousTestCase):
    def test_one_each(self) -> None:
        """A reactor has one hub; it does not outlive the reactor."""
        one, other = Clock(), Clock()
        self.patch(hub, "ReactorHub", lambda reactor: Hub())
        self.patch(hub, "EpollHub", lambda reactor: Hub())
        self.assertIs(hub_for(one), hub_for(one))
        self.assertIsNot(hub_for(one), hub_for(other))
        gone = ref(hub_for(other))
        del other
        self.assertIsNone(gone())

    def test_kinds(self) -> None:
        """With epoll the one, without it the other."""
        if hasattr(select, "epoll"):
            self.assertIsInstance(hub_for(MemoryReactorClock()), EpollHub)
            epoll, name = select.epoll, "epoll"
            self.addCleanup(setattr, select, name, epoll)
            delattr(select, name)
        self.assertIsInstance(hub_for(MemoryReactorClock()), ReactorHub)
