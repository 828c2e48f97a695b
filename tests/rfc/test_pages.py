# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import pages
from netlab.rfc.entries import Date, Entry
from netlab.rfc.errata import REJECTED, Erratum
from netlab.rfc.names import Name, Series, parse
from netlab.rfc.results import Fragment, Hit, Results
from netlab.rfc.style import STYLE_PATH
from tests.rfc.support import Page, index

EVIL = "<script>alert('x')</script>\"'&\0\u202e</title></pre>"
TEXTS = st.text(max_size=30) | st.sampled_from(
    (EVIL, '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "]]>", "<!--", "\ud800")
)
NUMBERS = st.lists(st.integers(1, 99999), max_size=3).map(tuple)
ENTRIES = st.builds(
    Entry,
    number=st.integers(1, 99999),
    title=TEXTS,
    authors=st.lists(TEXTS, max_size=4).map(tuple),
    date=st.just(Date(1998, 4, 1)),
    status=TEXTS,
    published_as=TEXTS,
    stream=TEXTS,
    area=TEXTS,
    group=TEXTS,
    pages=st.integers(0, 999),
    keywords=st.lists(TEXTS, max_size=3).map(tuple),
    abstract=TEXTS,
    obsoletes=NUMBERS,
    obsoleted_by=NUMBERS,
    updates=NUMBERS,
    updated_by=NUMBERS,
    is_also=st.just((Name(Series.STD, 7),)),
    formats=st.lists(TEXTS | st.just("pdf"), max_size=3).map(tuple),
    draft=TEXTS,
    doi=TEXTS,
)
ERRATA = st.builds(
    Erratum,
    number=st.just(1),
    id=st.integers(0, 10**6),
    status=TEXTS,
    kind=TEXTS,
    section=TEXTS,
    original=TEXTS,
    corrected=TEXTS,
    notes=TEXTS,
    submitted=TEXTS,
)
HITS = st.builds(
    Hit,
    ENTRIES,
    st.lists(st.builds(Fragment, TEXTS, st.booleans()), max_size=4).map(tuple),
    st.booleans(),
)
ERRATUM = Erratum(2324, 682, "Verified", "Technical", "2.3.2", "   teapot", "   tea", "Short.")
OTHERS = ("/", "/search", "/library", STYLE_PATH)


class Case(SynchronousTestCase):
    def read(self, page: str) -> Page:
        """A page in which nothing is wrong, and all of whose links lead somewhere."""
        found = Page(page)
        self.assertEqual(found.wrong, [])
        page.encode()
        for target in found.links:
            path = urlsplit(target).path
            if path and path not in OTHERS:
                self.assertEqual(parse(path).key.rstrip("0123456789").count("/"), 0)
        self.assertNotIn("alert(", "".join(found.links))
        return found


class Pages(Case):
    def test_policy(self) -> None:
        self.assertTrue(pages.CONTENT_SECURITY_POLICY.startswith("default-src 'self'; "))

    def test_front(self) -> None:
        page = self.read(pages.front_page(9552, 1170, [index().entries[9515]]))
        self.assertIn("9,552 documents are known, 1,170 are at hand", page.text)
        self.assertIn("/html/rfc9515", page.links)
        self.assertIn("/library", page.links)
        page = self.read(pages.front_page(0, 0, no_index="it is <late>"))
        self.assertIn("There is no index: it is <late>.", page.text)

    def test_results(self) -> None:
        entry = index().entries[793]
        hit = Hit(entry, (Fragment("the "), Fragment("TCP", True)), True)
        page = pages.results_page('tcp "x"', Results((hit,), 45), 20, 20)
        found = self.read(page)
        self.assertIn("<mark>TCP</mark>", page)
        self.assertIn('value="tcp &quot;x&quot;"', page)
        self.assertIn("21 to 21 of 45", found.text)
        self.assertIn("Obsoleted by RFC 9293", found.text)
        self.assertIn("obsolete", found.text)
        self.assertIn("at hand", found.text)
        starts = [
            parse_qs(urlsplit(each).query) for each in found.links if each.startswith("/search?")
        ]
        self.assertEqual(starts, [{"q": ['tcp "x"']}, {"q": ['tcp "x"'], "start": ["40"]}])

    def test_some_words(self) -> None:
        hit = Hit(index().entries[2324])
        page = self.read(pages.results_page("coffee zzz", Results((hit,), 1, every=False), 20))
        self.assertIn("No document has all of these words", page.text)
        self.assertIn("One document", page.text)
        self.assertFalse([each for each in page.links if each.startswith("/search")])

    def test_no_results(self) -> None:
        self.assertIn(
            "Nothing was found", self.read(pages.results_page("x", Results((), 0), 9)).text
        )
        page = self.read(pages.results_page("", Results((), 0), 20))
        self.assertIn("What are you looking for?", page.text)

    def test_unknown_document(self) -> None:
        """One of which there is only the text has a link, too."""
        page = self.read(pages.results_page("1", Results((Hit(Entry(1, "")),), 1), 20))
        self.assertIn("/html/rfc1", page.links)

    def test_library(self) -> None:
        entries = list(index().entries.values())
        page = self.read(pages.library_page(entries, 50, len(entries), len(entries)))
        self.assertIn(f"{len(entries) + 1} to {2 * len(entries)} of 50", page.text)
        self.assertIn("/library", page.links)
        self.assertIn(f"/library?start={2 * len(entries)}", page.links)
        self.assertIn("No document is at hand yet", self.read(pages.library_page([], 0, 9)).text)

    def test_series(self) -> None:
        entries = [index().entries[number] for number in (2119, 8174)]
        page = self.read(pages.series_page(Name(Series.BCP, 14), entries))
        self.assertIn("BCP 14 is 2 documents:", page.text)
        self.assertIn("Best Current Practice", page.text)
        self.assertIn("/html/rfc8174", page.links)
        self.assertIn(
            "is one document", self.read(pages.series_page(Name(Series.STD, 7), entries[:1])).text
        )
        empty = self.read(pages.series_page(Name(Series.FYI, 1), []))
        self.assertIn("FYI 1 is no document", empty.text)

    def test_info(self) -> None:
        entry = index().entries[2324]
        rejected = replace(ERRATUM, id=683, status=REJECTED, section="Abstract")
        page = self.read(
            pages.info_page(entry, [ERRATUM, rejected], lambda number: f"<{number}>", at_hand=True)
        )
        for text in (
            *(entry.title, "L. Masinter", "1 April 1998", "Informational", entry.doi),
            *("<7168>", "at hand", "One erratum was reported", "Section 2.3.2", "   teapot"),
            *("Erratum 682 \u00b7 Technical \u00b7 Verified", "Rejected"),
        ):
            self.assertIn(text, page.text)
        self.assertNotIn("First published as", page.text)
        self.assertIn("/html/rfc2324", page.links)
        self.assertIn("/rfc/rfc2324.txt", page.links)
        self.assertIn("/info/rfc2324#errata", page.links)
        self.assertIn("errata", page.ids)

    def test_published_as(self) -> None:
        entry = replace(index().entries[2324], published_as="EXPERIMENTAL")
        self.assertIn("First published asExperimental", self.read(pages.info_page(entry)).text)

    def test_banner(self) -> None:
        """Much that is newer is not all told: the information page has it."""
        entry = replace(index().entries[2324], updated_by=tuple(range(1, 30)))
        page = self.read(pages.info_page(entry))
        self.assertIn("RFC 8, 21 more.", page.text)
        self.assertIsNone(pages.banner(Entry(1, "")))
        banner = pages.banner(index().entries[793], 2)
        assert banner is not None
        self.assertIn("banner old", banner)
        self.assertIn("2 errata were reported", banner)
        self.assertNotIn("In force", str(pages.banner(index().entries[793], current=(9293,))))
        page = self.read(pages.info_page(index().entries[2616], current=(9110, 9112)))
        self.assertIn("In force now: RFC 9110, RFC 9112.", page.text)

    def test_error(self) -> None:
        page = self.read(pages.error_page(404, "No such RFC", "'x' names no RFC"))
        self.assertIn("Error 404", page.text)
        self.assertIn("'x' names no RFC", page.text)


class Anything(Case):
    """Whatever is in titles, names, texts and queries stays text."""

    @given(TEXTS, st.lists(HITS, max_size=3), st.integers(0, 100), st.booleans())
    def test_results(self, query: str, hits: list[Hit], offset: int, every: bool) -> None:
        results = Results(tuple(hits), len(hits) + offset, every)
        self.read(pages.results_page(query, results, 20, offset))

    @given(ENTRIES, st.lists(ERRATA, max_size=3, unique_by=lambda each: each.id), TEXTS)
    def test_info(self, entry: Entry, errata: list[Erratum], title: str) -> None:
        self.read(pages.info_page(entry, errata, lambda number: title))

    @given(st.lists(ENTRIES, max_size=3))
    def test_lists(self, entries: list[Entry]) -> None:
        self.read(pages.front_page(1, 2, entries))
        self.read(pages.library_page(entries, 3, 4))
        self.read(pages.series_page(Name(Series.STD, 1), entries))

    @given(TEXTS, TEXTS)
    def test_error(self, title: str, message: str) -> None:
        self.read(pages.error_page(400, title, message))
