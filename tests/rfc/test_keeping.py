from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.store import Store, StoreFailed, open_store
from netlab.rfc.asking import Asker, OutOfReach
from netlab.rfc.freshness import DOCUMENT_LIFETIME
from netlab.rfc.keeping import Keeping, Kept, NotAtHand
from tests.rfc.upstream import Answer, Upstream

NOW = 1_790_000_000.0
WEEK = DOCUMENT_LIFETIME


class KeepingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.upstream = Upstream({"/rfc/rfc1.txt": b"tea"})
        self.addCleanup(self.upstream.stop)
        self.uri = f"{self.upstream.base}rfc1.txt"
        self.store: Store = open_store(None)
        self.addCleanup(self.store.close)
        self.now = NOW
        self.restart()

    def restart(self) -> None:
        """The program runs again."""
        asker = Asker(self.upstream.base, connect=5.0, silence=5.0)
        self.addCleanup(asker.close)
        self.keeping = Keeping(self.store, asker, clock=lambda: self.now)

    def get(self) -> Kept:
        return self.keeping.get(self.uri)

    def status(self, status: int, *fields: tuple[str, str]) -> None:
        self.upstream.pages["/rfc/rfc1.txt"] = Answer(b"oh\n", status, fields)

    @property
    def questions(self) -> int:
        return len(self.upstream.asked)


class Fresh(KeepingCase):
    def test_once(self) -> None:
        self.assertEqual(self.get(), Kept(200, b"tea", NOW, came=True))
        self.now += WEEK - 1
        self.assertEqual(self.get(), Kept(200, b"tea", NOW))
        self.assertEqual(self.questions, 1)

    def test_validated(self) -> None:
        self.get()
        self.now += WEEK + 1
        self.assertEqual(self.get(), Kept(200, b"tea", self.now))
        asked = self.upstream.asked[-1].fields
        self.assertNotIn("-identity", asked["if-none-match"])
        self.get()
        self.assertEqual(self.questions, 2)

    def test_replaced(self) -> None:
        self.get()
        self.now += WEEK + 1
        self.upstream.pages["/rfc/rfc1.txt"] = b"coffee"
        self.assertEqual(self.get(), Kept(200, b"coffee", self.now, came=True))
        self.assertEqual(self.get().content, b"coffee")

    def test_what_the_upstream_says_of_it_does_not_count(self) -> None:
        self.status(200, ("Cache-Control", "no-store"), ("Vary", "*"), ("Age", "7"))
        self.get()
        self.assertFalse(self.get().came)

    def test_missing_ones_are_remembered_briefly(self) -> None:
        self.status(404)
        self.assertEqual([self.get().status, self.get().status], [404, 404])
        self.assertEqual(self.questions, 1)
        self.now += 301
        self.upstream.pages["/rfc/rfc1.txt"] = b"tea"
        self.assertEqual(self.get().content, b"tea")

    def test_a_304_about_something_else(self) -> None:
        self.status(304, ("ETag", '"other"'))
        self.assertIn("no such question", str(self.assertRaises(OutOfReach, self.get)))

    def test_a_304_about_another_edition(self) -> None:
        self.get()
        self.now += WEEK + 1

        def answer(asked: object) -> Answer:
            if len(self.upstream.asked) == 2:
                return Answer(status=304, fields=(("ETag", '"other"'),))
            return Answer(b"coffee")

        self.upstream.pages["/rfc/rfc1.txt"] = answer
        self.assertEqual(self.get().content, b"coffee")
        self.assertNotIn("if-none-match", self.upstream.asked[-1].fields)

    def test_nothing_can_be_stored(self) -> None:
        def begin() -> None:
            raise StoreFailed("the disk is full")

        self.patch(self.store, "begin", begin)
        self.assertEqual(self.get().content, b"tea")
        self.assertTrue(self.get().came)


class Stale(KeepingCase):
    def setUp(self) -> None:
        super().setUp()
        self.get()
        self.now += 2 * 365 * 86_400

    def test_errors(self) -> None:
        for status in (403, 429, 500, 502, 503, 504):
            self.status(status)
            kept = self.get()
            self.assertEqual((kept.status, kept.content, kept.since), (200, b"tea", NOW))
            self.assertEqual(kept.excuse[: len(self.upstream.host) + 12],
                             f"{self.upstream.host} answers {status}")  # fmt: skip

    def test_broken_answers(self) -> None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncoff"
        self.upstream.pages["/rfc/rfc1.txt"] = Answer(raw=raw)
        self.assertIn("breaks off", self.get().excuse)
        self.assertEqual(self.get().content, b"tea")

    def test_out_of_reach(self) -> None:
        self.upstream.pages["/rfc/rfc1.txt"] = Answer(raw=b"")
        kept = self.get()
        self.assertEqual((kept.content, kept.since), (b"tea", NOW))
        self.assertTrue(kept.excuse)

    def test_gone(self) -> None:
        self.status(404)
        self.assertEqual(self.get().status, 404)
        self.assertIsNone(self.keeping.stored(self.uri))


class Without(KeepingCase):
    def test_an_error_and_nothing_stored(self) -> None:
        self.status(503)
        error = self.assertRaises(OutOfReach, self.get)
        self.assertEqual(str(error), f"{self.upstream.host} answers 503 Service Unavailable")

    def test_what_failed_is_not_waited_for_again(self) -> None:
        self.upstream.pages["/rfc/rfc1.txt"] = Answer(raw=b"")
        self.assertRaises(OutOfReach, self.get)
        self.assertRaises(OutOfReach, self.get)
        self.assertEqual(self.questions, 1)

    def test_offline(self) -> None:
        offline = Keeping(self.store, None, clock=lambda: self.now)
        self.assertRaises(NotAtHand, offline.get, self.uri)
        self.get()
        self.now += 20 * 365 * 86_400
        self.assertEqual(offline.get(self.uri), Kept(200, b"tea", NOW))
        self.assertEqual(self.questions, 1)

    def test_stored(self) -> None:
        self.assertIsNone(self.keeping.stored(self.uri))
        self.get()
        self.assertEqual(self.keeping.stored(self.uri), b"tea")
