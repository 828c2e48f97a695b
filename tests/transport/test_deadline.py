"""One-off timers: the wall clock may jump, they do not."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.deadline import Deadline, sleep
from netlab.transport.hub import Hub
from netlab.transport.limits import TICK
from tests.transport.support import TransportCase, reactor

HOUR = 3600.0


class TwoClocks(Hub):
    """A hub with a monotonic time of its own, beside the wall clock that a reactor follows."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.opened = 0
        super().__init__()

    def time(self) -> float:
        return self.monotonic

    def _opening(self) -> None:
        self.opened += 1

    def _closing(self) -> None:
        self.opened -= 1


class Jumping(SynchronousTestCase):
    def setUp(self) -> None:
        self.wall = Clock()
        self.hub = TwoClocks()
        self.expired: list[float] = []

    def start(self, seconds: float) -> Deadline:
        """A deadline that notes when it expires, by the monotonic clock."""
        return Deadline(
            self.hub, self.wall, seconds, lambda: self.expired.append(self.hub.monotonic)
        )

    def pass_(self, seconds: float, *, wall: float | None = None) -> None:
        """Lets ``seconds`` pass in ticks; the wall clock shows ``wall`` of them, or as many."""
        end = self.hub.monotonic + seconds
        while self.hub.monotonic < end:
            step = min(TICK, end - self.hub.monotonic)
            self.hub.monotonic += step
            self.wall.advance(step if wall is None else wall * step / seconds)
            self.hub._tick()

    def assert_clean(self) -> None:
        """Nothing is left to ring."""
        self.assertEqual(self.wall.getDelayedCalls(), [])
        self.assertEqual(self.hub.opened, 0)

    def test_steady(self) -> None:
        """With both clocks in step it expires in its time, once."""
        self.start(60)
        self.pass_(59.4)
        self.assertEqual(self.expired, [])
        self.pass_(100)
        self.assertEqual(len(self.expired), 1)
        self.assertLessEqual(abs(self.expired[0] - 1060), TICK)
        self.assert_clean()

    def test_exact(self) -> None:
        """While the clocks agree it need not wait for a tick."""
        self.start(0.2)
        self.hub.monotonic += 0.2
        self.wall.advance(0.2)
        self.assertEqual(len(self.expired), 1)
        self.assert_clean()

    def test_set_ahead(self) -> None:
        """The wall clock is set an hour ahead: a timer of 60 s still waits 60 s.

        Stock Twisted fires it at once: ``callLater`` follows the wall clock.
        """
        self.start(60)
        self.pass_(10)
        self.wall.advance(HOUR)
        self.assertEqual(self.expired, [])
        self.pass_(49)
        self.assertEqual(self.expired, [])
        self.pass_(2)
        self.assertEqual(len(self.expired), 1)
        self.assert_clean()

    def test_set_back(self) -> None:
        """The wall clock is set an hour back: a timer of 60 s does not wait for an hour.

        Stock Twisted does: nothing fires until the wall clock is where it was.
        """
        self.start(60)
        self.pass_(10)
        self.pass_(51, wall=0)  # as long as it stands behind, it rings nothing
        self.assertEqual(len(self.expired), 1)
        self.assertLessEqual(self.expired[0], 1060 + TICK)
        self.assert_clean()

    def test_to_and_fro(self) -> None:
        """Any number of steps."""
        self.start(60)
        for _ in range(5):
            self.wall.advance(HOUR)
            self.pass_(11, wall=0)
            self.assertEqual(self.expired, [])
        self.pass_(6, wall=0)
        self.assertEqual(len(self.expired), 1)
        self.assert_clean()

    def test_at_once(self) -> None:
        """A time that is over already is over at the next turn, not within the call."""
        for seconds in (0, -5):
            self.expired.clear()
            self.start(seconds)
            self.assertEqual(self.expired, [])
            self.wall.advance(0)
            self.assertEqual(len(self.expired), 1)
            self.assert_clean()

    def test_cancel(self) -> None:
        """It does not expire any more; before, within, or after its time."""
        deadline = self.start(60)
        deadline.cancel()
        deadline.cancel()
        self.assert_clean()
        self.pass_(100)
        self.assertEqual(self.expired, [])
        expired = self.start(1)
        self.pass_(2)
        expired.cancel()
        self.assertEqual(len(self.expired), 1)
        self.assert_clean()

    def test_cancel_after_a_step(self) -> None:
        """Also after it was set again."""
        deadline = self.start(60)
        self.wall.advance(HOUR)
        deadline.cancel()
        self.assert_clean()
        self.pass_(100)
        self.assertEqual(self.expired, [])

    def test_cancelled_by_another(self) -> None:
        """Two are due at one tick, and the first to expire cancels the other."""
        made: list[Deadline] = []

        def expired() -> None:
            self.expired.append(self.hub.monotonic)
            for each in made:
                each.cancel()

        made += [Deadline(self.hub, self.wall, 5, expired) for _ in range(2)]
        self.pass_(10, wall=0)
        self.assertEqual(len(self.expired), 1)
        self.assert_clean()


class Sleeping(SynchronousTestCase):
    def setUp(self) -> None:
        self.wall = Clock()
        self.hub: Any = TwoClocks()

    def test_sleep(self) -> None:
        """The Deferred fires in time."""
        done = sleep(self.hub, self.wall, 1)
        self.assertNoResult(done)
        self.hub.monotonic += 1
        self.wall.advance(1)
        self.assertIsNone(self.successResultOf(done))

    def test_cancel(self) -> None:
        """Cancelled, it fails as cancelled Deferreds do, and leaves no timer."""
        done: Deferred[None] = sleep(self.hub, self.wall, 1)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.wall.getDelayedCalls(), [])
        self.assertEqual(self.hub.opened, 0)


class Real(TransportCase):
    async def test_on_the_reactor(self) -> None:
        """On the real clocks: not early."""
        hub = self.server()._hub
        begun = hub.time()
        await sleep(hub, reactor, 0.05)
        self.assertGreaterEqual(hub.time() - begun, 0.049)
