# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.rfc.names import (
    FORMATS,
    HIGHEST,
    HOSTS,
    ForeignHost,
    Form,
    Listing,
    Name,
    NotAName,
    Series,
    is_known_host,
    parse,
    parse_base,
    parse_name,
)

BASE = "https://www.rfc-editor.org/rfc/"
NAMES = st.builds(
    Name,
    st.just(Series.RFC),
    st.integers(1, HIGHEST),
    st.sampled_from(Form),
) | st.builds(
    Name,
    st.sampled_from((Series.BCP, Series.STD, Series.FYI)),
    st.integers(1, HIGHEST),
    st.sampled_from((Form.ANY, Form.TXT, Form.INFO, Form.ERRATA)),
)


class Parsing(SynchronousTestCase):
    def test_keys(self) -> None:
        for text, key in (
            ("2324", "rfc2324"),
            ("rfc2324", "rfc2324"),
            ("RFC 0793", "rfc793"),
            ("RFC-793", "rfc793"),
            ("Rfc_793", "rfc793"),
            ("rfc #793", "rfc793"),
            ("RFC\xa0793", "rfc793"),
            ("RFC\u2011793", "rfc793"),
            ("  rfc793\n", "rfc793"),
            ("rfc000793", "rfc793"),
            ("99999", "rfc99999"),
            ("rfc2324.txt", "rfc2324.txt"),
            ("2324.HTML", "rfc2324.html"),
            ("rfc793.txt.pdf", "rfc793.pdf"),
            ("rfc9110.htm", "rfc9110.html"),
            ("bcp14", "bcp14"),
            ("BCP 0014", "bcp14"),
            ("std62", "std62"),
            ("fyi1", "fyi1"),
            ("bcp14.txt", "bcp14.txt"),
            ("/rfc/rfc793.txt", "rfc793.txt"),
            ("/RFC/RFC793.TXT", "rfc793.txt"),
            ("/in-notes/rfc2324.txt", "rfc2324.txt"),
            ("/in-notes/bcp/bcp14.txt", "bcp14.txt"),
            ("/rfc/std/std62.txt", "std62.txt"),
            ("/bcp/14", "bcp14"),
            ("/html/rfc2324", "rfc2324"),
            ("/html/rfc2324/", "rfc2324"),
            ("/rfc/rfc9110.html", "rfc9110.html"),
            ("/rfc/rfc9110.json", "rfc9110.json"),
            ("/rfc/rfc9110.xml", "rfc9110.xml"),
            ("/rfc/rfc9110", "rfc9110"),
            ("/rfc9110", "rfc9110"),
            ("/9110", "rfc9110"),
            ("/pdfrfc/rfc793.txt.pdf", "rfc793.pdf"),
            ("/rfc/pdfrfc/rfc793.txt.pdf", "rfc793.pdf"),
            ("/pdf/rfc793", "rfc793.pdf"),
            ("/info/rfc0793", "rfc793.info"),
            ("/info/bcp14", "bcp14.info"),
            ("/errata/rfc793", "rfc793.errata"),
            ("/rfc/rfc%37%393.txt", "rfc793.txt"),
            ("/RFC%200793", "rfc793"),
            ("/html/BCP-14", "bcp14"),
            ("/RFC%E2%80%91793", "rfc793"),
            ("/rfc/rfc793.txt?a=/rfc1.txt#x", "rfc793.txt"),
            ("http://www.ietf.org/rfc/rfc2324.txt", "rfc2324.txt"),
            ("HTTP://WWW.IETF.ORG:80/rfc/rfc2324.txt", "rfc2324.txt"),
            ("https://www.rfc-editor.org./rfc/rfc2324.txt", "rfc2324.txt"),
            ("https://rfc-editor.org/info/rfc2324", "rfc2324.info"),
            ("https://tools.ietf.org/html/rfc2616#section-4.2", "rfc2616"),
            ("https://datatracker.ietf.org/doc/html/rfc9110", "rfc9110"),
            ("https://datatracker.ietf.org/doc/rfc9110/", "rfc9110.info"),
            ("www.rfc-editor.org/rfc/rfc1.txt", "rfc1.txt"),
            ("rfc-index.xml", "rfc-index.xml"),
            ("/rfc-index.xml", "rfc-index.xml"),
            ("/rfc/rfc-index.xml", "rfc-index.xml"),
            ("https://www.rfc-editor.org/rfc-index.xml", "rfc-index.xml"),
            ("/errata.json", "errata.json"),
        ):
            self.assertEqual(parse(text).key, key, text)

    def test_refused(self) -> None:
        for text, said in (
            ("", "no document is named; write for example 2324, rfc2324, bcp14 or"),
            ("coffee", "'coffee' names no RFC; write for example 2324"),
            ("rfc", "'rfc' names no RFC"),
            ("0", "'0' names no RFC"),
            ("rfc0", "'rfc0' names no RFC"),
            ("123456", "numbers go up to 99999"),
            ("rcf2324", "did you mean RFC 2324?"),
            ("bpc 14", "did you mean RFC 14?"),
            ("\uff32\uff26\uff23\uff12\uff13\uff12\uff14", "did you mean RFC 2324?"),
            ("the one on coffee, rfc 2324", "did you mean RFC 2324?"),
            ("rfc2324.doc", ".doc is not a format of RFCs: the known ones are txt, html, json"),
            ("rfc2324.xlm", "(did you mean .xml?)"),
            ("bcp14.pdf", "BCP 14 is not in pdf"),
            ("/rfc/../rfc1.txt", "names no RFC"),
            ("/rfc//rfc1.txt", "names no RFC"),
            ("//rfc/rfc1.txt", "names no RFC"),
            ("/rfc/rfc1.txt/", None),
            ("/bcp/std62", "names no RFC"),
            ("/info/rfc1.txt", "names no RFC"),
            ("/rfc/rfc1.txt%00", "names no RFC"),
            ("/rfc/rfc1.txt\r\nX: y", "names no RFC"),
            ("/rfc/rfc\u0661.txt", "names no RFC"),
            ("\u017ftd62", "names no RFC"),
            ("/" + "0" * 400 + "1", "names no RFC"),
            ("http://www.ietf.org/about/", "names no RFC"),
            ("ftp://www.ietf.org/rfc/rfc1.txt", "is not a URL of http or https"),
        ):
            if said is None:
                self.assertEqual(parse(text).key, "rfc1.txt")
                continue
            error = self.assertRaises(NotAName, parse, text)
            self.assertIn(said, str(error), text)
            self.assertNotIsInstance(error, ForeignHost)
            self.assertLess(len(str(error)), 400)

    def test_escaped_blank(self) -> None:
        """Is no digit of a number that is wrong."""
        error = self.assertRaises(NotAName, parse, "/RFCs%200793")
        self.assertNotIn("numbers go up", str(error))

    def test_foreign(self) -> None:
        for url in (
            "http://example.org/rfc/rfc1.txt",
            "http://127.0.0.1/rfc/rfc1.txt",
            "http://www.ietf.org@example.org/rfc/rfc1.txt",
            "http://www.ietf.org:8080/rfc/rfc1.txt",
            "http://www.ietf.org:x/rfc/rfc1.txt",
            "http://www.ietf.org.example.org/rfc/rfc1.txt",
            "http://www.ietf.org\\@example.org/rfc/rfc1.txt",
            "http:///rfc/rfc1.txt",
            "https://evil-rfc-editor.org/rfc/rfc1.txt",
        ):
            error = self.assertRaises(ForeignHost, parse, url)
            self.assertIn("such as www.rfc-editor.org", str(error))

    def test_hosts(self) -> None:
        for host in HOSTS:
            self.assertTrue(is_known_host(host.upper() + ":443"))
        for host in ("example.org", "", "www.ietf.org:81", "user@www.ietf.org"):
            self.assertFalse(is_known_host(host), host)

    def test_names_only(self) -> None:
        """The index is no document."""
        self.assertEqual(parse_name("std62"), Name(Series.STD, 62))
        self.assertRaises(NotAName, parse_name, "rfc-index.xml")

    @given(st.text() | st.text("/rfcbdpsty0123456789.-_%:# htmlinfo", max_size=40))
    @example("http://" + "/" * 5000)
    @example("%" * 5000)
    def test_any_text(self, text: str) -> None:
        """Any text is a name with a clean key, or the documented error."""
        try:
            named = parse(text)
        except NotAName as error:
            self.assertFalse([c for c in str(error) if unicodedata.category(c).startswith("C")])
            return
        self.assertIsNotNone(
            re.fullmatch(
                r"rfc[1-9][0-9]{0,4}(\.(txt|html|json|xml|pdf|info|errata))?"
                r"|(bcp|std|fyi)[1-9][0-9]{0,4}(\.(txt|info|errata))?|rfc-index\.xml|errata\.json",
                named.key,
            ),
            named.key,
        )
        self.assertEqual(parse(named.key), named) if "." not in named.key else None

    @given(NAMES)
    def test_round_trips(self, name: Name) -> None:
        """What a name says of itself is read as that name again."""
        self.assertEqual(parse(str(name)), name.to(Form.ANY))
        self.assertEqual(parse(name.link), name)
        self.assertEqual(parse("https://www.rfc-editor.org" + name.link), name)
        if name.form in FORMATS:
            self.assertEqual(parse(name.key), name)
            self.assertEqual(parse(name.file_name), name)
            self.assertEqual(parse(name.url(BASE)), name)
        self.assertTrue(name.url(BASE).startswith(BASE))

    @given(NAMES, NAMES)
    def test_one_key(self, one: Name, other: Name) -> None:
        self.assertEqual(one.key == other.key, one == other)


class Naming(SynchronousTestCase):
    def test_text(self) -> None:
        name = Name(Series.RFC, 793)
        self.assertEqual(str(name), "RFC 793")
        self.assertEqual(name.file_name, "rfc793.txt")
        self.assertEqual(name.to(Form.PDF).file_name, "rfc793.pdf")
        self.assertEqual(name.to(Form.INFO).file_name, "rfc793.txt")
        self.assertEqual(name.url(BASE), "https://www.rfc-editor.org/rfc/rfc793.txt")
        self.assertEqual(Name(Series.BCP, 14).url(BASE), BASE + "bcp/bcp14.txt")

    def test_links(self) -> None:
        name = Name(Series.RFC, 793)
        self.assertEqual(name.link, "/html/rfc793")
        self.assertEqual(name.to(Form.TXT).link, "/rfc/rfc793.txt")
        self.assertEqual(name.to(Form.INFO).link, "/info/rfc793")
        self.assertEqual(Name(Series.STD, 62, Form.TXT).link, "/rfc/std/std62.txt")

    def test_refused(self) -> None:
        self.assertRaises(ConfigurationError, Name, Series.RFC, 0)
        self.assertRaises(ConfigurationError, Name, Series.RFC, HIGHEST + 1)
        for form in (Form.HTML, Form.JSON, Form.XML, Form.PDF):
            self.assertRaises(ConfigurationError, Name, Series.STD, 62, form)


class Bases(SynchronousTestCase):
    def test_good(self) -> None:
        for text, base in (
            (BASE, BASE),
            ("https://www.rfc-editor.org/rfc", BASE),
            (" HTTP://127.0.0.1:3000 ", "http://127.0.0.1:3000/"),
            ("http://[::1]:80/a/b", "http://[::1]:80/a/b/"),
            ("http://example.org/~me/rfc%20s/", "http://example.org/~me/rfc%20s/"),
        ):
            self.assertEqual(parse_base(text), base)

    def test_refused(self) -> None:
        for text in (
            *("", "rfc", "/rfc/", "ftp://a/", "http://", "http://a b/", "http://u@a/"),
            *("http://a/b?c", "http://a/#b", "http://a/../b/", "http://a/./", "http://a//b/"),
            *(
                "http://a:0/",
                "http://a:65536/",
                "http://a:99999999/",
                "http://a/\r\n",
                "http://\xe4/",
            ),
        ):
            if text == "http://a/\r\n":
                self.assertEqual(parse_base(text), "http://a/")
                continue
            error = self.assertRaises(ConfigurationError, parse_base, text)
            self.assertIn("write for example https://www.rfc-editor.org/rfc/", str(error))

    def test_listings(self) -> None:
        """The index lies beside the documents, or above them."""
        self.assertEqual(
            Listing.INDEX.urls(BASE),
            (BASE + "rfc-index.xml", "https://www.rfc-editor.org/rfc-index.xml"),
        )
        self.assertEqual(Listing.ERRATA.urls("http://a/"), ("http://a/errata.json",))

    @given(st.text(max_size=60) | st.text("htp:/@a.[]0123456789?#%", max_size=60))
    @example("http://a" + "/" * 5000 + " ")
    def test_any_text(self, text: str) -> None:
        try:
            base = parse_base(text)
        except ConfigurationError:
            return
        self.assertTrue(base.endswith("/"))
        self.assertEqual(parse_base(base), base)
