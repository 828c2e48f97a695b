"""Tests for the places of fetches."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.http.fetching import FetchError
from netlab.http.fetching.queue import Places


class Queue(SynchronousTestCase):
    def take(self, places: Places, origin: str = "a") -> Deferred[None]:
        """Somebody who wants a place."""
        return Deferred.fromCoroutine(places.take(origin))

    def test_order(self) -> None:
        """Who came first goes first; another origin has places of its own."""
        places = Places(1, 2)
        self.successResultOf(self.take(places))
        second, third = self.take(places), self.take(places)
        self.failureResultOf(self.take(places), FetchError)
        self.successResultOf(self.take(places, "b"))
        places.give_back("a")
        self.successResultOf(second)
        self.assertNoResult(third)
        places.give_back("b")
        self.assertNoResult(third)
        places.give_back("a")
        self.successResultOf(third)
        places.give_back("a")
        self.assertEqual((places.waiting, places.idle), (0, True))

    def test_cancelled(self) -> None:
        """Who gave up is not given a place."""
        places = Places(1, 5)
        self.successResultOf(self.take(places))
        second, third = self.take(places), self.take(places)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        places.give_back("a")
        self.successResultOf(third)
        fourth = self.take(places)
        fourth.cancel()
        self.failureResultOf(fourth, CancelledError)
        places.give_back("a")
        self.assertEqual((places.waiting, places.idle), (0, True))

    def test_one_after_the_other(self) -> None:
        """Thousands may give their places back at once, without a deep stack."""
        places = Places(1, 5000)
        self.successResultOf(self.take(places))
        all_of_them = [self.take(places) for _ in range(5000)]
        for each in all_of_them:
            each.addCallback(lambda _: places.give_back("a"))
        places.give_back("a")
        for each in all_of_them:
            self.successResultOf(each)
        self.assertTrue(places.idle)
