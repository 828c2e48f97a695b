"""The pages: what is on each, rendered once, and good errors."""

from __future__ import annotations

import gzip
from unittest import mock
from urllib.parse import quote

from netlab.rfc.database import SearchFailed
from netlab.rfc.proxy import rendered
from netlab.rfc.proxy.rendered import Rendered
from tests.rfc.support import Page, text

from .support import HTML, REFUSED, SiteCase, Visit

READER = "/html/rfc2324"


class Pages(SiteCase):
    def assert_page(self, visit: Visit, status: int = 200) -> Page:
        """It is a good page of ours; returns what is on it."""
        self.assertEqual(visit.status, status)
        page = Page(visit.text)
        self.assertEqual(page.wrong, [])
        for name in ("content-security-policy", "x-content-type-options", "vary"):
            self.assertIsNotNone(visit.field(name), name)
        return page

    def test_front(self) -> None:
        """How much is known and at hand, and the latest."""
        entries = self.library.listings.index.entries
        page = self.assert_page(self.get("/", HTML))
        entries = self.library.listings.index.entries
        self.assertGreater(len(entries), 3)
        self.assertIn(f"{len(entries)} documents are known, 0 are at hand", page.text)
        self.assertIn(f"RFC {max(entries)}", page.text)

    def test_search(self) -> None:
        """By words in titles, and in texts once these are at hand."""
        page = self.assert_page(self.get("/search?q=coffee+pot", HTML))
        self.assertIn("RFC 2324", page.text)
        self.assertIn("Nothing was found", self.get("/search?q=zebras", HTML).text)
        self.get("/rfc/rfc2324.txt")
        page = self.assert_page(self.get("/search?q=teapot+short+stout", HTML))
        self.assertIn("RFC 2324", page.text)
        self.assertIn("stout", page.text)  # a part of the text is shown

    def test_search_by_name(self) -> None:
        """A name leads to the document."""
        for query, link in (("2324", "/html/rfc2324"), ("rfc 0768", "/html/rfc768")):
            visit = self.get(f"/search?q={quote(query)}")
            self.assertEqual((visit.status, visit.field("location")), (303, link))

    def test_hostile_search(self) -> None:
        """Whatever is asked for, a page comes."""
        for query in (
            *("", "%00", "%ED%A0%80", "%FF%FE", "a" * 7000, "a+" * 3000, '"', "*", "NEAR(", "-"),
            *("title:x", "%22%22%22", "(" * 900, "%F0%9F%98%80", "<script>alert(1)</script>"),
            *("x&start=-1", "x&start=999999", "x&start=1e9", "x&start=%D9%A1", "x&q=y&q=z"),
        ):
            self.assert_page(self.get(f"/search?q={query}", HTML))
        visit = self.get("/search?" + "&".join(f"a{number}=1" for number in range(30)))
        self.assertIn("400", str(visit.error))

    def test_search_fails(self) -> None:
        """An index that cannot be read is said, and is no 500."""
        with mock.patch.object(self.search, "search", side_effect=SearchFailed("it is damaged")):
            page = self.assert_page(self.get("/search?q=coffee", HTML), 503)
            api = self.get("/api/search?q=coffee")
        self.assertIn("cannot be read now", page.text)
        self.assertEqual((api.status, list(api.json)), (503, ["error"]))

    def test_library(self) -> None:
        """What has been read is at hand."""
        self.assertIn("No document is at hand yet", self.get("/library", HTML).text)
        self.get("/rfc/rfc2324.txt")
        self.get("/rfc/rfc768.txt")
        page = self.assert_page(self.get("/library", HTML))
        self.assertIn("1 to 2 of 2", page.text)
        self.assertEqual(self.search.at_hand(), (768, 2324))

    def test_info(self) -> None:
        """All that is known, with the errata."""
        page = self.assert_page(self.get("/info/rfc2324", HTML))
        self.assertIn("Erratum 682", page.text)
        self.assertEqual(self.get("/errata/rfc2324", HTML).text, self.get("/info/2324", HTML).text)
        self.assert_page(self.get("/info/rfc99998", HTML), 404)

    def test_series(self) -> None:
        """A sub-series of one document is that document, of several a page with links."""
        self.assertIn("768", self.assert_page(self.get("/html/std6", HTML)).text)
        self.assert_page(self.get("/html/bcp9999", HTML), 404)

    def test_successors(self) -> None:
        """Of what is obsolete, where what obsoletes it is, too, the documents in force."""
        self.upstream.files["/rfc/rfc2616.txt"] = b"RFC 2616\n"
        self.get("/")
        for path in ("/html/rfc2616", "/info/rfc2616"):
            self.assertIn("In force now: RFC 9110.", self.assert_page(self.get(path, HTML)).text)

    def test_formats(self) -> None:
        """Of a server without a network, links to the formats alone that it has."""
        for path in (READER, "/info/rfc2324"):
            self.assertIn("/rfc/rfc2324.html", Page(self.get(path, HTML).text).links)
        self.make(store=self.store, offline=True)
        for path in (READER, "/info/rfc2324"):
            links = self.assert_page(self.get(path, HTML)).links
            self.assertIn("/rfc/rfc2324.txt", links)
            self.assertNotIn("/rfc/rfc2324.html", links)

    def test_reader(self) -> None:
        """The text to be read; with what is known of it, once that is there."""
        page = self.assert_page(self.get(READER, HTML))
        self.assertIn("Coffee", page.text)
        page = self.assert_page(self.get(READER, HTML))
        self.assertIn("One erratum was reported", page.text)
        self.assert_page(self.get("/html/rfc99999", HTML), 404)
        self.upstream.error = REFUSED
        self.assert_page(self.get("/html/rfc9999", HTML), 502)

    def test_again(self) -> None:
        """A page that a browser has is not sent again, compressed or not."""
        self.get(READER, HTML)
        gz = ("Accept-Encoding", "gzip")
        plain, packed = self.get(READER, HTML), self.get(READER, HTML, gz)
        self.assertEqual(gzip.decompress(packed.content), plain.content)
        tags = [each.field("etag") or "" for each in (plain, packed)]
        self.assertNotEqual(*tags)
        for tag, more in zip(tags, ((), (gz,)), strict=True):
            again = self.get(READER, HTML, *more, ("If-None-Match", f'"x", W/{tag}'))
            self.assertEqual((again.status, again.content, again.field("etag")), (304, b"", tag))
        self.assertEqual(self.get(READER, HTML, ("If-None-Match", '"x"')).status, 200)
        self.assertEqual(plain.field("cache-control"), "no-cache")
        head = self.get(READER, HTML, method="HEAD")
        self.assertEqual((head.status, head.field("etag")), (200, tags[0]))

    def test_rendered_once(self) -> None:
        """Many who ask for the same page wait for one thread; it is not made twice."""
        self.get("/")
        self.get("/rfc/rfc2324.txt")
        with mock.patch.object(rendered, "_made", side_effect=rendered._made) as made:
            self.machine.held = True
            visits = [self.get(READER, HTML) for _ in range(30)]
            self.assertEqual(self.machine.jobs, 1)
            visits[0].running.cancel()
            self.machine.work()
            for visit in visits[1:]:
                self.assert_page(visit)
            self.machine.held = False
            self.assert_page(self.get(READER, HTML))
            self.assertEqual(made.call_count, 1)

    def test_made_again(self) -> None:
        """A new edition of a text, or a new erratum, is another page."""
        first = self.get(READER, HTML).field("etag")
        self.assertEqual(self.get(READER, HTML).field("etag"), first)
        self.upstream.files["/rfc/rfc2324.txt"] = text(2324) + b"One more line.\n"
        self.machine.advance(8 * 86_400)
        self.get(READER, HTML)  # has it looked at again
        self.assertNotEqual(self.get(READER, HTML).field("etag"), first)

    def test_room(self) -> None:
        """Pages are kept for as long as there is room, those that were wanted last."""
        pages = Rendered(self.library, 40_000)
        for number in (2324, 768, 9515, 237, 768):
            Visit(self._response(pages, number))
        self.assertLess(len(pages._pages), 4)
        self.assertIn(768, pages._pages)
        size = sum(len(page.body) + len(page.compressed) for _, page in pages._pages.values())
        self.assertEqual(pages._left, 40_000 - size)

    async def _response(self, pages: Rendered, number: int) -> None:
        await pages.page(number)
        raise ConnectionError

    def test_too_many(self) -> None:
        """Who comes when very many wait is told so; nobody waits for ever."""
        self.get("/")
        self.machine.held = True
        visits = [self.get(f"/search?q=w{number}", HTML) for number in range(210)]
        self.assertLessEqual(self.machine.jobs, 3)
        refused = [each for each in visits if each.error is not None]
        self.assertEqual(len(refused), 7)
        self.assertIn("503", str(refused[0].error))
        visits[0].running.cancel()
        for _ in range(100):
            self.machine.work()
        self.assertEqual(sum(each.response is not None for each in visits), 202)


class Programs(SiteCase):
    """The same in JSON."""

    def test_document(self) -> None:
        found = self.get("/api/rfc2324").json
        self.assertEqual(
            (found["name"], found["number"], found["at_hand"]), ("rfc2324", 2324, False)
        )
        self.assertEqual(found["errata"][0]["id"], 682)
        self.assertEqual(self.get("/api/std6").json["documents"][0]["number"], 768)

    def test_search(self) -> None:
        found = self.get("/api/search?q=coffee&limit=1").json
        self.assertEqual([hit["number"] for hit in found["hits"]], [2324])
        self.assertEqual(self.get("/api/search?q=coffee&limit=0").json["hits"], [])

    def test_status(self) -> None:
        """It waits for nothing, and makes nobody be asked."""
        self.upstream.later = []
        found = self.get("/api/status").json
        self.assertEqual(found, {"documents": 0, "latest": None, "at_hand": 0, "offline": False})
        self.assertEqual(self.upstream.asked, [])

    def test_errors(self) -> None:
        """Each is an object that says why."""
        for path, status in (
            *(("/api/rfc99999", 404), ("/api/coffee", 404), ("/api/", 404), ("/api/std999", 404)),
            *(("/api/search?q=x&limit=101", 400), ("/api/search?start=x", 400)),
            ("/api/search?" + "&".join("abcdefghijklmnopqrstuvwxyz"), 400),
            ("/api/rfc-index.xml", 404),
        ):
            visit = self.get(path)
            self.assertEqual((visit.status, list(visit.json)), (status, ["error"]), path)
            self.assertEqual(visit.field("content-type"), "application/json")
            self.assertEqual(visit.field("cache-control"), "no-store")
