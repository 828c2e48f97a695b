"""The index and the errata: when they are asked for, and what is done without them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from netlab.rfc.database import SearchFailed
from tests.rfc.support import index_data, text

from .support import HTML, REFUSED, SiteCase

HOUR, DAY = 3600.0, 86_400.0
LISTINGS = ["/rfc/rfc-index.xml", "/rfc-index.xml", "/rfc/errata.json", "/errata.json"]


class Asking(SiteCase):
    def test_nobody_visits(self) -> None:
        """Nobody is asked for anything, at the start nor later, nor for a document's sake."""
        self.machine.advance(DAY)
        self.assertEqual(self.upstream.asked, [])
        self.assertEqual(self.machine.getDelayedCalls(), [])
        self.get("/rfc/rfc2324.txt")
        self.assertEqual(self.upstream.paths, ["/rfc/rfc2324.txt"])

    def test_first_page(self) -> None:
        """The first page waits for the index, which is sought beside and above the texts."""
        visit = self.get("/search?q=coffee", HTML)
        self.assertIn("RFC 2324", visit.text)
        self.assertEqual(self.upstream.paths, LISTINGS)

    def test_slow(self) -> None:
        """It waits for some seconds, and says then what is missing."""
        self.upstream.later = []
        visit = self.get("/search?q=coffee", HTML)
        self.assertIsNone(visit.response)
        self.machine.advance(10)
        self.assertEqual(visit.status, 503)
        self.assertIn("No index yet", visit.text)
        front = self.get("/", HTML)
        self.machine.advance(10)
        self.assertEqual(front.status, 200)
        self.assertIn("There is no index: the index of all RFCs is on its way", front.text)
        gone = self.get("/search?q=coffee", HTML)
        gone.running.cancel()
        while self.upstream.later:
            self.upstream.later.pop(0)()
        self.assertIn("RFC 2324", self.get("/search?q=coffee", HTML).text)

    def test_a_day(self) -> None:
        """It is asked for once a day at most, while pages are looked at."""
        self.get("/")
        before = len(self.upstream.asked)
        for _ in range(20):
            self.machine.advance(HOUR)
            self.get("/")
        remembered = [path for path in self.upstream.paths[before:] if path not in LISTINGS[::2]]
        self.assertEqual(remembered, [])  # but for the places where nothing is
        self.machine.advance(5 * HOUR)
        self.upstream.files["/rfc-index.xml"] = index_data().replace(b"Hyper Text", b"Hot Text")
        self.get("/")  # has it fetched for
        self.machine.advance(HOUR)
        self.get("/")
        self.machine.advance(1)
        self.assertIn("Hot Text", self.get("/info/2324", HTML).text)

    def test_down(self) -> None:
        """Without a network nothing is tried again unless somebody wants it, and less and less."""
        self.upstream.error = REFUSED
        self.assertEqual(self.get("/", HTML).status, 200)
        for path in ("/search?q=coffee", "/info/rfc2324", "/html/bcp14"):
            self.assertEqual(self.get(path, HTML).status, 503, path)
        self.assertEqual(self.get("/api/search?q=coffee").status, 503)
        asked = len(self.upstream.asked)
        for _ in range(40):
            self.machine.advance(30)
            self.get("/")
        self.assertLess(len(self.upstream.asked) - asked, 30)
        self.machine.advance(DAY)
        asked = len(self.upstream.asked)
        self.machine.advance(DAY)
        self.assertEqual(len(self.upstream.asked), asked)
        self.upstream.error = None
        self.assertIn("RFC 2324", self.get("/search?q=coffee", HTML).text)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_unreadable(self) -> None:
        """What is no index is not kept for a day."""
        self.upstream.files["/rfc-index.xml"] = b"<html>Log in!</html>"
        self.assertEqual(self.get("/search?q=coffee", HTML).status, 503)
        self.upstream.files["/rfc-index.xml"] = index_data()
        self.machine.advance(301)
        self.assertIn("RFC 2324", self.get("/search?q=coffee", HTML).text)

    def test_later_damage(self) -> None:
        """One that was read stays when the next one cannot be."""
        self.get("/")
        self.upstream.files["/rfc-index.xml"] = b"nothing"
        for _ in range(4):
            self.machine.advance(DAY)
            self.get("/")
        self.assertIn("RFC 2324", self.get("/search?q=coffee", HTML).text)

    def test_search_fails(self) -> None:
        """Pages work without the search."""
        self.patch(self.search, "update_entries", self._fail)
        self.assertIn("Coffee", self.get("/info/2324", HTML).text)
        self.assertEqual(self.flushLoggedErrors(), [])

    def _fail(self, entries: object) -> int:
        raise SearchFailed("the disk is full")


class AtHand(SiteCase):
    def test_cache(self) -> None:
        """What is in the cache is there at the start."""
        self.get("/")
        self.upstream.asked.clear()
        self.make(store=self.store)
        self.assertTrue(self.library.listings.known)
        self.assertEqual(self.upstream.asked, [])

    def test_offline(self) -> None:
        """And without a network, however old it is."""
        self.get("/")
        self.machine.advance(400 * DAY)
        self.upstream.asked.clear()
        self.make(store=self.store, offline=True)
        self.assertIn("RFC 2324", self.get("/search?q=coffee", HTML).text)
        self.assertEqual(self.upstream.asked, [])
        self.make(offline=True)
        visit = self.get("/search?q=coffee", HTML)
        self.assertEqual(visit.status, 503)
        self.assertIn("offline", visit.text)
        self.assertIn("There is no index: this server is offline", self.get("/", HTML).text)

    def test_mirror(self) -> None:
        """A mirror's index and texts are read at the start."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "rfc-index.xml").write_bytes(index_data())
            for number in (768, 2324):
                (folder / f"rfc{number}.txt").write_bytes(text(number))
            self.make(mirror=folder)
            self.assertTrue(self.library.listings.known)
            self.assertEqual(self.search.at_hand(), (768, 2324))
            self.assertEqual(self.upstream.asked, [])
            self.assertEqual(self.get("/rfc-index.xml").content, index_data())
            self.assertIn("stout", self.get("/search?q=teapot+short+stout", HTML).text)

    def test_lost(self) -> None:
        """A text that is not there any more is not at hand any more."""
        self.get("/rfc/rfc2324.txt")
        self.assertEqual(self.search.at_hand(), (2324,))
        self.store.purge_all()
        self.upstream.error = REFUSED
        self.assertIn(self.get("/html/rfc2324", HTML).status, (502, 503))
        self.assertEqual(self.search.at_hand(), ())
        self.assertFalse(self.library.has_text(2324))

    def test_stopped(self) -> None:
        """The end waits for the threads, and begins nothing."""
        self.machine.held = True
        self.get("/")
        idle = self.library.stop()
        self.assertNoResult(idle)
        self.machine.work()
        self.machine.work()
        self.successResultOf(idle)
        self.get("/")
        self.assertEqual(self.machine.jobs, 0)
