# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``Hub.call_at``: at its time and not before, on all hubs, and nothing left behind."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.testing import MemoryHub
from netlab.transport import hub
from netlab.transport.hub import READ, EpollHub, ReactorHub
from tests.transport.support import DEADLINE, advance


class Waiting:
    """A descriptor that waits for what never comes, so that the hub is open."""

    def __init__(self) -> None:
        self.here, self.there = socket.socketpair()
        self.fd = self.here.fileno()

    def readable(self) -> None:
        raise AssertionError("nothing comes")

    failed = flush = readable

    def event(self, mask: int) -> None:
        raise AssertionError("nothing happens")

    def close(self) -> None:
        self.here.close()
        self.there.close()

    # -- as a socket of a MemoryHub

    def fileno(self) -> int:
        return self.fd

    def ready(self) -> int:
        return 0


class OnReactor(SynchronousTestCase):
    """What all do, here by way of a reactor whose time is a test's."""

    make: Callable[[Any], Any] = ReactorHub

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.hub: Any = type(self).make(self.reactor)
        if isinstance(self.hub, ReactorHub):
            self.patch(self.hub, "time", self.reactor.seconds)
        self.notes: list[str] = []
        self.waiting = Waiting()
        if isinstance(self.hub, MemoryHub):
            sock: Any = self.waiting
            self.hub.add(sock)
        self.hub.register(self.waiting.fd, self.waiting, READ)
        self.reactor.advance(0)
        self.addCleanup(self.assert_clean)

    def assert_clean(self) -> None:
        """When it waits for nothing any more, the reactor is as it was."""
        self.hub.unregister(self.waiting.fd)
        self.waiting.close()
        self.assertEqual(self.hub._alarms.next_time, float("inf"))
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def advance(self, seconds: float) -> list[str]:
        """What is noted while ``seconds`` pass, each call at its time."""
        self.notes.clear()
        advance(self.reactor, seconds)
        return list(self.notes)

    def call(self, delay: float, name: str) -> Any:
        """A call after ``delay`` that notes its name and the time."""
        at = self.hub.time() + delay
        return self.hub.call_at(at, lambda: self.notes.append(f"{name} {self.hub.now - at:.3f}"))

    def test_at_its_time(self) -> None:
        """Neither before nor, where time is exact, after."""
        self.call(0.25, "one")
        self.assertEqual(self.advance(0.2499), [])
        self.assertEqual(self.advance(0.0002), ["one 0.000"])
        self.assertEqual(self.advance(10), [])

    def test_several(self) -> None:
        """In the order of their times, whatever the order in which they were asked for."""
        for delay in (0.3, 0.1, 0.2, 0.1):
            self.call(delay, f"{delay}")
        self.assertEqual(self.advance(0.15), ["0.1 0.000", "0.1 0.000"])
        self.assertEqual(self.advance(1), ["0.2 0.000", "0.3 0.000"])

    def test_late(self) -> None:
        """What was due already is called as soon as may be, but not at once."""
        self.call(-5, "late")
        self.assertEqual(self.notes, [])
        self.assertEqual(self.advance(0.001), ["late 5.000"])

    def test_cancelled(self) -> None:
        """A call that was taken back is not made; the others are."""
        one, _ = self.call(0.1, "one"), self.call(0.2, "two")
        one.cancel()
        self.assertEqual(self.advance(1), ["two 0.000"])

    def test_within(self) -> None:
        """A call may ask for the next one, soon or at once; that is a turn of its own."""

        def again() -> None:
            self.notes.append(f"{self.hub.now - began:.2f}")
            if len(self.notes) < 4:
                self.hub.call_at(self.hub.now + 0.05 * (len(self.notes) - 1), again)

        began = self.hub.time()
        self.hub.call_at(began + 0.1, again)
        self.assertEqual(self.advance(1), ["0.10", "0.10", "0.15", "0.25"])

    def test_raising(self) -> None:
        """An error of one is logged and no matter to the others."""

        def fail() -> None:
            raise ZeroDivisionError

        self.hub.call_at(self.hub.time() + 0.1, fail)
        self.call(0.1, "good")
        self.call(0.2, "better")
        self.assertEqual(self.advance(1), ["good 0.000", "better 0.000"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_turn(self) -> None:
        """It is a turn like others: what the call puts off comes at its end."""
        calls = [lambda: self.hub.soon(lambda: self.notes.append("soon"))]
        calls.append(lambda: self.notes.append("second"))
        for each in calls:
            self.hub.call_at(self.hub.time() + 0.1, each)
        self.assertEqual(self.advance(1), ["second", "soon"])
        self.assertFalse(self.hub.turning)

    def test_forgotten(self) -> None:
        """When nothing is waited for any more, no call is either."""
        self.call(0.1, "never")
        self.hub.unregister(self.waiting.fd)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.advance(1), [])
        self.hub.register(self.waiting.fd, self.waiting, READ)
        self.call(0.2, "again")
        self.assertEqual(self.advance(1), ["again 0.000"])

    def test_last_descriptor(self) -> None:
        """A call may end the last of those that wait, and with it all other calls."""
        self.hub.call_at(self.hub.time() + 0.1, lambda: self.hub.unregister(self.waiting.fd))
        self.call(0.2, "never")
        self.assertEqual(self.advance(1), [])
        self.hub.register(self.waiting.fd, self.waiting, READ)

    def test_ticker(self) -> None:
        """A ticker keeps the hub open as well as a descriptor does."""
        ticks: list[float] = []
        self.hub.start_ticking(ticks.append)
        self.hub.unregister(self.waiting.fd)
        self.call(0.1, "one")
        self.assertEqual(self.advance(0.2), ["one 0.000"])
        self.hub.register(self.waiting.fd, self.waiting, READ)
        self.hub.stop_ticking(ticks.append)


class InMemory(OnReactor):
    """``MemoryHub``, which tests stand on."""

    make = MemoryHub


class OnEpoll(SynchronousTestCase):
    """The monotonic clock's own alarm, as real as it gets."""

    def setUp(self) -> None:
        if not hasattr(select, "epoll"):
            raise SkipTest("this system has no epoll")
        self.reactor: Any = MemoryReactorClock()
        self.hub = EpollHub(self.reactor)
        self.waiting = Waiting()
        self.hub.register(self.waiting.fd, self.waiting, READ)
        self.addCleanup(self.close)
        self.rung: list[tuple[str, float]] = []

    def close(self) -> None:
        self.hub.unregister(self.waiting.fd)
        self.waiting.close()
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def wait_for(self, count: int) -> list[str]:
        """Lets the hub have its turns until so many calls were made; none was made early."""
        while len(self.rung) < count:
            self.assertTrue(select.select([self.hub], [], [], DEADLINE)[0], self.rung)
            self.hub.doRead()
        self.assertEqual([name for name, late in self.rung if late < 0], [])
        return [name for name, _ in self.rung]

    def call(self, delay: float, name: str) -> Any:
        """A call after ``delay``."""
        at = self.hub.time() + delay
        return self.hub.call_at(at, lambda: self.rung.append((name, self.hub.time() - at)))

    def test_at_its_time(self) -> None:
        """Never early; in order; also those that were asked for in between."""
        for delay in (0.03, 0.01, 0.02):
            self.call(delay, f"{delay}")
        self.assertEqual(self.wait_for(3), ["0.01", "0.02", "0.03"])
        self.call(0.02, "later")
        self.call(0.0, "now")
        self.assertEqual(self.wait_for(5)[3:], ["now", "later"])

    def test_finer_than_a_tick(self) -> None:
        """A hundred calls within a tick: no one waits for it."""
        for number in range(100):
            self.call(number / 10_000, f"{number}")
        self.assertEqual(self.wait_for(100), [f"{number}" for number in range(100)])

    def test_wall_clock(self) -> None:
        """The wall clock, and with it Twisted's ``callLater``, may jump as it likes."""
        self.call(3600, "in an hour")
        self.reactor.advance(7200)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.hub.doRead()
        self.assertEqual(self.rung, [])

    def test_nothing_left(self) -> None:
        """The timer is closed with the hub, and made anew with it."""
        for _ in range(3):
            self.call(0, "one")
            timer = self.hub._alarm
            assert timer is not None
            self.rung.clear()
            self.wait_for(1)
            self.hub.unregister(self.waiting.fd)
            self.assertRaises(OSError, os.fstat, timer)
            self.hub.register(self.waiting.fd, self.waiting, READ)

    def test_without_timerfd(self) -> None:
        """Where the system has no such timer, the reactor's will do."""
        self.hub.unregister(self.waiting.fd)
        self.patch(hub, "monotonic_timer", lambda interval: None)
        self.hub.register(self.waiting.fd, self.waiting, READ)
        self.patch(self.hub, "time", self.reactor.seconds)
        for delay in (0.2, 0.1):
            self.call(delay, f"{delay}")
        advance(self.reactor, 0.15)
        self.assertEqual([name for name, _ in self.rung], ["0.1"])
        self.call(3600, "never")

    def test_no_more_descriptors(self) -> None:
        """A timer that cannot be opened just now is no reason to miss a call."""
        self.patch(hub, "monotonic_timer", lambda interval: None)
        self.patch(self.hub, "time", self.reactor.seconds)
        self.call(0.1, "one")
        advance(self.reactor, 0.15)
        self.assertEqual([name for name, _ in self.rung], ["one"])
