from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.pace import Pace


class PaceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.pace = Pace(1.0, clock=lambda: self.now)

    def rest(self) -> float:
        """How long is rested now."""
        left = self.pace.left
        self.now += left
        return left

    def test_no_rest(self) -> None:
        self.assertEqual((self.rest(), self.pace.is_over), (0, False))
        self.pace.succeeded()
        self.assertEqual(self.rest(), 0)

    def test_longer_and_longer(self) -> None:
        found = []
        for _ in range(5):
            self.pace.failed("oh")
            found.append(self.rest())
        self.assertEqual(found, [1, 2, 4, 8, 16])
        self.assertFalse(self.pace.is_over)
        self.pace.failed("oh")
        self.assertTrue(self.pace.is_over)
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

    def test_together_with_a_rest(self) -> None:
        """Several connections are told the same at once."""
        for _ in range(20):
            for _ in range(16):
                self.pace.failed("oh", 1.5)
            self.assertEqual(self.rest(), 1.5)
            self.pace.succeeded()
        self.assertFalse(self.pace.is_over)

    def test_asked_to_wait(self) -> None:
        self.pace.failed("oh", 30.0)
        self.assertEqual(self.rest(), 30)
        self.pace.failed("oh", 0.0)
        self.assertEqual(self.rest(), 2)

    def test_asked_to_wait_while_it_rests(self) -> None:
        self.pace.failed("oh")
        self.pace.failed("oh", 20.0)
        self.assertEqual(self.rest(), 20)

    def test_asked_to_wait_too_long(self) -> None:
        self.pace.failed("x answers 503", 3600.0)
        self.assertEqual(self.pace.why, "x answers 503, and asks to come again in 3600 seconds")

    def test_the_first_reason(self) -> None:
        self.pace.stop("enough")
        self.pace.stop("more than enough")
        self.assertEqual((self.pace.is_over, self.pace.why), (True, "enough"))
