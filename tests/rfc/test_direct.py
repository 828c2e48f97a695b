from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import netlab.rfc.direct as module
from netlab.cache.store import open_store
from netlab.rfc.asking import NotThere, OutOfReach
from netlab.rfc.direct import Direct
from netlab.rfc.keeping import NotAtHand
from netlab.rfc.names import parse_name
from tests.rfc.support import text
from tests.rfc.upstream import Answer, Upstream, editor

NOW = 1_790_000_000.0
YEAR = 365 * 86_400


class DirectCase(SynchronousTestCase):
    in_memory = True

    def setUp(self) -> None:
        self.upstream = Upstream(editor())
        self.addCleanup(self.upstream.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder: Path | None = Path(folder.name, "cache")
        self.now = NOW
        self.told: list[str] = []

        # In the place of a store in the folder: one that stays from one ``Direct`` to the next.
        self.store = open_store(None)
        self.patch(self.store, "close", lambda: None)
        if self.in_memory:
            self.patch(module, "open_store", lambda *_, **__: self.store)

    def direct(self, **options: Any) -> Direct:
        return Direct(
            self.upstream.base,
            self.folder,
            told=self.told.append,
            clock=lambda: self.now,
            **options,
        )

    def file(self, name: str, **options: Any) -> bytes:
        with self.direct(**options) as direct:
            return direct.file(parse_name(name))


class Files(DirectCase):
    def test_from_upstream_then_from_the_cache(self) -> None:
        for _ in range(2):
            self.assertEqual(self.file("rfc2324.txt"), text(2324))
            self.assertEqual(self.file("2324"), text(2324))
        self.assertEqual(self.upstream.paths, ["/rfc/rfc2324.txt"])
        self.assertEqual(self.told, [])

    def test_other_formats(self) -> None:
        self.assertEqual(self.file("rfc9110.pdf"), b"%PDF-1.5\n\xff\xfe\n")
        error = self.assertRaises(NotThere, self.file, "rfc2324.pdf")
        self.assertIn("has no RFC 2324 as pdf", str(error))

    def test_none(self) -> None:
        error = self.assertRaises(NotThere, self.file, "99999")
        self.assertEqual(
            str(error), f"{self.upstream.host} has no RFC 99999: it does not exist, or not yet"
        )

    def test_stale(self) -> None:
        self.file("2324")
        self.upstream.pages["/rfc/rfc2324.txt"] = Answer(status=503)
        self.now += YEAR
        self.assertEqual(self.file("2324"), text(2324))
        [said] = self.told
        self.assertIn("answers 503", said)
        self.assertIn("RFC 2324 is shown as it was on 2026-09-21", said)

    def test_offline(self) -> None:
        error = self.assertRaises(NotAtHand, self.file, "2324", offline=True)
        self.assertIn("--offline, and it is not in the cache", str(error))
        self.file("2324")
        self.now += 5 * YEAR
        self.assertEqual(self.file("2324", offline=True), text(2324))
        self.assertEqual((self.told, len(self.upstream.asked)), ([], 1))

    def test_odd_answers(self) -> None:
        self.upstream.pages["/rfc/rfc2324.txt"] = Answer(b"tea", 418)
        self.assertIn("answers 418", str(self.assertRaises(OutOfReach, self.file, "2324")))


class Caches(DirectCase):
    """With a store in the folder."""

    in_memory = False

    def test_in_use(self) -> None:
        assert self.folder is not None
        with open_store(self.folder / "http"):
            self.assertEqual(self.file("2324"), text(2324))
            error = self.assertRaises(NotAtHand, self.file, "2324", offline=True)
            self.assertIn("is using it", str(error))
        self.file("2324")
        self.assertEqual(len(self.upstream.asked), 2)
        self.assertEqual(self.told, [])

    def test_nowhere(self) -> None:
        self.folder = None
        with self.direct() as direct:
            self.assertEqual(direct.file(parse_name("2324")), text(2324))
            self.assertEqual(direct.search("coffee", 1).hits[0].entry.number, 2324)

    def test_not_writable(self) -> None:
        assert self.folder is not None
        self.folder.write_text("no folder")
        with self.direct() as direct:
            self.assertEqual(direct.file(parse_name("2324")), text(2324))
            self.assertEqual(direct.search("coffee", 1).hits[0].entry.number, 2324)
        self.assertIn("is not kept", self.told[0])


class About(DirectCase):
    def test_a_record(self) -> None:
        with self.direct() as direct:
            about = direct.about(2324)
        assert about is not None
        self.assertEqual((about.entry.updated_by, about.errata), ((7168,), None))
        self.assertEqual(self.upstream.paths, ["/rfc/rfc2324.json"])

    def test_no_record(self) -> None:
        with self.direct() as direct:
            self.assertIsNone(direct.about(793))
            direct.search("tcp", 1)
            about = direct.about(793)
        assert about is not None
        self.assertEqual(about.entry.obsoleted_by, (9293,))

    def test_a_broken_record(self) -> None:
        self.upstream.pages["/rfc/rfc2324.json"] = b"<html>"
        with self.direct() as direct:
            self.assertIsNone(direct.about(2324))


class Listings(DirectCase):
    def test_an_entry(self) -> None:
        with self.direct() as direct:
            self.assertEqual(direct.entry(9293).is_also, (parse_name("std7"),))
            self.assertEqual(direct.title(793), "Transmission Control Protocol")
            self.assertEqual(direct.title(1), "")
            self.assertIn("no RFC 1:", str(self.assertRaises(NotThere, direct.entry, 1)))
        self.assertEqual(self.upstream.paths, ["/rfc/rfc-index.xml", "/rfc-index.xml"])

    def test_members(self) -> None:
        with self.direct() as direct:
            members = direct.members(parse_name("bcp14.txt"))
            self.assertEqual([entry.number for entry in members], [2119, 8174])
            self.assertRaises(NotThere, direct.members, parse_name("bcp99"))

    def test_errata(self) -> None:
        with self.direct() as direct:
            self.assertEqual([each.id for each in direct.errata(2324)], [682])
            self.assertEqual(direct.errata(793), ())
        self.upstream.pages["/errata.json"] = b"<html>"
        self.now += 2 * 86_400
        with self.direct() as direct:
            self.assertEqual(direct.errata(2324), ())
        self.assertIn("errata are not shown", self.told[0])

    def test_search(self) -> None:
        with self.direct() as direct:
            self.assertFalse(direct.search("masinter", 5).hits[0].at_hand)
            direct.file(parse_name("2324"))
            hit = direct.search("teapot", 5).hits[0]  # in the text only
        self.assertEqual((hit.entry.number, hit.at_hand), (2324, True))
        self.assertIn("teapot", "".join(part.text for part in hit.snippet).lower())

    def test_the_index_is_read_once(self) -> None:
        with self.direct() as direct:
            direct.search("coffee", 1)
        self.patch(module, "parse_index", None)
        with self.direct() as direct:
            self.assertEqual(direct.search("coffee", 1).hits[0].entry.number, 2324)

    def test_the_search_is_gone(self) -> None:
        with self.direct() as direct:
            direct.search("coffee", 1)
        assert self.folder is not None
        for each in self.folder.glob("search.sqlite*"):
            each.unlink()
        with self.direct(offline=True) as direct:
            self.assertEqual(direct.search("coffee", 1).hits[0].entry.number, 2324)

    def test_no_index(self) -> None:
        del self.upstream.pages["/rfc-index.xml"]
        with self.direct() as direct:
            error = self.assertRaises(OutOfReach, direct.entry, 2324)
        self.assertIn("has no index: nothing at http", str(error))

    def test_no_index_now(self) -> None:
        with self.direct() as direct:
            direct.entry(2324)
        self.upstream.pages["/rfc-index.xml"] = Answer(status=500)
        self.store.purge_all()
        with self.direct() as direct:
            self.assertEqual(direct.entry(2324).number, 2324)

    def test_an_index_of_no_use(self) -> None:
        self.upstream.pages["/rfc-index.xml"] = b"<html>Please pay for the network</html>"
        with self.direct() as direct:
            error = self.assertRaises(OutOfReach, direct.entry, 2324)
        self.assertIn("is of no use: this is no index", str(error))

    def test_offline(self) -> None:
        with self.direct(offline=True) as direct:
            error = self.assertRaises(NotAtHand, direct.entry, 2324)
        self.assertIn("the index is not here", str(error))
