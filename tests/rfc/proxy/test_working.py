"""Work in threads, a few at a time, and once for all."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.http import RequestError
from netlab.rfc.proxy.working import Once, Threads

from .support import Machine


def begun(work: Any) -> Deferred[Any]:
    return Deferred.fromCoroutine(work)


class InThreads(SynchronousTestCase):
    def setUp(self) -> None:
        self.machine = Machine()
        self.machine.held = True
        self.threads = Threads(self.machine, places=2, waiting=3)

    def test_results(self) -> None:
        """What is returned, and what is raised."""
        self.machine.held = False
        self.assertEqual(self.successResultOf(begun(self.threads.run(int, "7"))), 7)
        self.assertEqual(self.successResultOf(begun(self.threads.serve(int, "7"))), 7)
        for method in (self.threads.run, self.threads.serve):
            self.failureResultOf(begun(method(int, "x")), ValueError)
        self.successResultOf(self.threads.when_idle())

    def test_places(self) -> None:
        """Visitors have so many places, and some may wait; the background does not."""
        visits = [begun(self.threads.serve(int, "7")) for _ in range(6)]
        self.assertEqual(self.machine.jobs, 2)
        self.failureResultOf(visits.pop(), RequestError)
        begun(self.threads.run(int, "8"))
        self.assertEqual(self.machine.jobs, 3)
        idle = self.threads.when_idle()
        self.machine.work()
        self.assertEqual([self.successResultOf(each) for each in visits], [7] * 5)
        self.successResultOf(idle)

    def test_gone(self) -> None:
        """The place of one that goes away is free when its thread has ended."""
        visits = [begun(self.threads.serve(int, "7")) for _ in range(3)]
        for each in visits[:2]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.machine.jobs, 2)
        self.machine.work()
        self.assertEqual(self.successResultOf(visits[2]), 7)
        waiting = [begun(self.threads.serve(int, "x")) for _ in range(3)]
        waiting[2].cancel()
        waiting[0].cancel()
        self.machine.work()
        self.failureResultOf(waiting[0], CancelledError)
        self.failureResultOf(waiting[1], ValueError)
        self.failureResultOf(waiting[2], CancelledError)
        self.assertEqual(self.threads._waiting, 0)
        self.assertEqual(self.flushLoggedErrors(), [])


class OnlyOnce(SynchronousTestCase):
    def setUp(self) -> None:
        self.once = Once()
        self.count = 0
        self.result: Deferred[int] = Deferred()

    async def work(self) -> int:
        self.count += 1
        return await self.result

    def test_shared(self) -> None:
        """One works; all have what comes of it, and the next begins anew."""
        waiting = [begun(self.once.run("a", self.work)) for _ in range(4)]
        waiting[0].cancel()
        self.failureResultOf(waiting[0], CancelledError)
        self.assertEqual(self.count, 1)
        self.result.callback(7)
        self.assertEqual([self.successResultOf(each) for each in waiting[1:]], [7] * 3)
        self.result = Deferred()
        begun(self.once.run("a", self.work))
        self.assertEqual(self.count, 2)

    def test_failure(self) -> None:
        """What is raised, all get."""
        waiting = [begun(self.once.run("a", self.work)) for _ in range(2)]
        self.result.errback(KeyError("x"))
        for each in waiting:
            self.failureResultOf(each, KeyError)

    def test_at_once(self) -> None:
        """Work that does not wait."""
        self.result.callback(7)
        self.assertEqual(self.successResultOf(begun(self.once.run("a", self.work))), 7)

    def test_all_gone(self) -> None:
        """Nobody hears of an error that nobody waits for."""
        waiting = begun(self.once.run("a", self.work))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.result.errback(KeyError("x"))
        self.assertEqual(self.flushLoggedErrors(), [])
