"""The pages as a browser shows them: on a phone and on a desk, without scripts."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.errata import Erratum
from netlab.rfc.names import Form, Name, Series
from netlab.rfc.pages import (
    CONTENT_SECURITY_POLICY,
    error_page,
    front_page,
    info_page,
    library_page,
    results_page,
)
from netlab.rfc.reader import reader_page
from netlab.rfc.results import Fragment, Hit, Results
from netlab.rfc.style import STYLE, STYLE_PATH
from netlab.rfc.text import read
from tests.rfc.browser import HOST, Answer, Browser, find_browser
from tests.rfc.support import index, text

PHONE, DESK = 390, 1280  # pixels
ICON = "/favicon.ico"
SCREENSHOTS = os.environ.get("NETLAB_SCREENSHOTS")
"""A folder, to look at what the browser shows."""

WIDE = """[...document.querySelectorAll("main *, header *, footer *")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("pre, .skip"))
    .map(e => e.tagName + "." + e.className)"""
SMALL = """[...document.querySelectorAll("main p, main li, main dd, main a, main button")]
    .filter(e => !e.closest("pre") && parseFloat(getComputedStyle(e).fontSize) < 12)
    .map(e => e.tagName + "." + e.className)"""


def _pages() -> dict[str, str]:
    entries = dict(index().entries)
    long = "Supercalifragilisticexpialidocious" * 4
    entry = entries[2324]
    hits = [Hit(each, (Fragment("... a "), Fragment(long, True))) for each in entries.values()]
    errata = [Erratum(2324, 682, "Verified", "Technical", "2.3.2", f"   {long * 3}", "x", long)]
    shown = {
        "/": front_page(9_519, 12, list(entries.values())[-5:]),
        "/search": results_page(long, Results(tuple(hits), 1_234), len(hits), len(hits)),
        "/library": library_page(list(entries.values()), len(entries), 100),
        "/info/rfc2324": info_page(entry, errata, lambda number: long, at_hand=True),
        "/error": error_page(404, "No such RFC", f"'{long}' names no RFC"),
    }
    for number in (237, 768, 2324, 9515):
        name = Name(Series.RFC, number)
        document = read(text(number), number)
        shown[name.to(Form.ANY).link] = reader_page(document, entries.get(number), 2)
    return shown


class Shown(SynchronousTestCase):
    """Each page, at each width."""

    browser: Browser
    pages: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        program = find_browser()
        if program is None:
            raise SkipTest("no Chromium is installed")
        cls.pages = _pages()
        cls.browser = Browser(program, cls.answer)

    @classmethod
    def tearDownClass(cls) -> None:
        if hasattr(cls, "browser"):
            cls.browser.close()

    @classmethod
    def answer(cls, path: str) -> Answer:
        fields = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        if path == STYLE_PATH:
            return HTTPStatus.OK, fields | {"Content-Type": "text/css"}, STYLE.encode()
        if path == ICON:  # which a browser asks for by itself
            return HTTPStatus.NO_CONTENT, fields, b""
        page = cls.pages[path]
        return HTTPStatus.OK, fields | {"Content-Type": "text/html; charset=utf-8"}, page.encode()

    def show(self, path: str, width: int) -> None:
        self.browser.requested.clear()
        self.browser.show(path, width)
        if SCREENSHOTS:
            name = f"{path.strip('/').replace('/', '-').replace('#', '-') or 'front'}-{width}.png"
            (Path(SCREENSHOTS) / name).write_bytes(self.browser.screenshot())

    def test_fits(self) -> None:
        """Nothing but drawings is wider than the screen, and all is large enough to read."""
        for path in self.pages:
            for width in (PHONE, DESK):
                self.show(path, width)
                where = f"{path} at {width}"
                self.assertEqual(
                    self.browser.measure("document.documentElement.scrollWidth"), width, where
                )
                self.assertEqual(self.browser.measure(WIDE), [], where)
                self.assertEqual(self.browser.measure(SMALL), [], where)

    def test_complete(self) -> None:
        """A page asks for the style sheet and nothing else, and keeps its own policy."""
        for path in self.pages:
            self.show(path, DESK)
            asked = set(self.browser.requested) - {HOST + ICON}
            self.assertLessEqual(asked, {HOST + path, HOST + STYLE_PATH}, path)
            self.assertIn(HOST + path, asked)
        self.assertEqual(self.browser.complaints, [])

    def test_drawings_whole(self) -> None:
        """A drawing of 72 columns is on a phone with hardly any scrolling."""
        self.show("/html/rfc768", PHONE)
        over = self.browser.measure(
            "Math.max(...[...document.querySelectorAll('pre')]"
            ".map(e => e.scrollWidth - e.clientWidth))"
        )
        self.assertLess(over, PHONE / 4)

    def test_contents(self) -> None:
        """On a desk the contents are beside the text; on a phone after it, one link away."""
        beside = "document.querySelector('.contents').getBoundingClientRect().right"
        text = "document.querySelector('article').getBoundingClientRect()"
        self.show("/html/rfc2324", DESK)
        self.assertLess(self.browser.measure(beside), self.browser.measure(f"{text}.left"))
        self.show("/html/rfc2324", PHONE)
        self.assertEqual(self.browser.measure(f"{text}.left"), 16)
        link = "getComputedStyle(document.querySelector('.to-contents')).display"
        self.assertNotEqual(self.browser.measure(link), "none")

    def test_sections(self) -> None:
        """A link to a section leads there, and the bar at the top does not hide it."""
        self.show("/html/rfc2324#section-3", PHONE)
        top = "document.getElementById('section-3').getBoundingClientRect().top"
        bar = "document.querySelector('.top').getBoundingClientRect().bottom"
        self.assertGreaterEqual(self.browser.measure(top), self.browser.measure(bar) - 1)
        self.assertLess(self.browser.measure(top), 200)
