from __future__ import annotations

import threading

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.pace import Pace


class PaceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.pace = Pace(1.0, clock=lambda: self.now)
        self.rests: list[float] = []

        def wait(seconds: float) -> bool:
            self.rests.append(seconds)
            self.now += seconds
            return False

        self.patch(self.pace.over, "wait", wait)

    def rest(self) -> float:
        """How long is rested now."""
        self.rests.clear()
        self.pace.wait()
        return sum(self.rests)

    def test_no_rest(self) -> None:
        self.assertTrue(self.pace.wait())
        self.pace.succeeded()
        self.assertEqual(self.rest(), 0)

    def test_longer_and_longer(self) -> None:
        found = []
        for _ in range(5):
            self.pace.failed("oh")
            found.append(self.rest())
        self.assertEqual(found, [1, 2, 4, 8, 16])
        self.assertFalse(self.pace.over.is_set())
        self.pace.failed("oh")
        self.assertFalse(self.pace.wait())
        self.assertEqual(self.pace.why, "6 times in a row: oh")

    def test_success(self) -> None:
        for _ in range(20):
            self.pace.failed("oh")
            self.assertEqual(self.rest(), 1)
            self.pace.succeeded()

    def test_together(self) -> None:
        for _ in range(20):
            self.pace.failed("oh")
        self.assertEqual(self.rest(), 1)

    def test_asked_to_wait(self) -> None:
        self.pace.failed("oh", 30.0)
        self.assertEqual(self.rest(), 30)
        self.pace.failed("oh", 0.0)
        self.assertEqual(self.rest(), 2)

    def test_asked_to_wait_too_long(self) -> None:
        self.pace.failed("x answers 503", 3600.0)
        self.assertFalse(self.pace.wait())
        self.assertEqual(self.pace.why, "x answers 503, and asks to come again in 3600 seconds")


class Stopping(SynchronousTestCase):
    def test_it_wakes_those_who_rest(self) -> None:
        pace = Pace(60.0)
        pace.failed("oh")
        found: list[bool] = []
        thread = threading.Thread(target=lambda: found.append(pace.wait()))
        thread.start()
        pace.stop("enough")
        thread.join(5)
        self.assertEqual((found, pace.why), ([False], "enough"))
