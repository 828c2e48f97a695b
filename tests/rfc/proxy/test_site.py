"""Who may ask for what, and what is where."""

from __future__ import annotations

from twisted.internet.address import IPv4Address

from netlab.http import Request as NetlabRequest
from netlab.http import RequestError
from netlab.rfc.pages import CONTENT_SECURITY_POLICY
from netlab.rfc.style import STYLE, STYLE_PATH
from tests.rfc.support import Page, text

from .support import HTML, SiteCase

COFFEE = "/rfc/rfc2324.txt"


class Hosts(SiteCase):
    """Rebinding, foreign hosts, and what a proxy's clients send."""

    def test_own_names(self) -> None:
        """This machine's addresses and localhost, with any port; and no Host at all."""
        for host in (
            *("localhost", "localhost:8080", "LOCALHOST:1", "localhost.", "127.0.0.1:8080"),
            *("[::1]:8080", "[::1]", "192.0.2.7", "", None),
        ):
            self.assertEqual(self.get(COFFEE, host=host).status, 200, host)

    def test_other_names(self) -> None:
        """A name that leads here is not ours for that: 421, and nothing is fetched."""
        for host in ("evil.example", "localhost.evil.example", "www.ietf.org:81", "my-box", "x@y"):
            for path in ("/", COFFEE, "/api/status", "/search?q=1"):
                visit = self.get(path, host=host)
                self.assertEqual(visit.status, 421, host)
                self.assertIn("--host", visit.text)
        self.assertEqual(self.upstream.asked, [])

    def test_named(self) -> None:
        """``--host`` makes a name ours, in both forms."""
        self.make(hosts=("RFCs.example.org",))
        self.assertEqual(self.get(COFFEE, host="rfcs.example.org:8080").status, 200)
        self.assertEqual(self.get(f"http://rfcs.example.org{COFFEE}").status, 200)
        self.assertEqual(self.get(COFFEE, host="other.example.org").status, 421)

    def test_absolute(self) -> None:
        """The RFC Editor's and the IETF's hosts are served as what they are, over TLS too."""
        for url in (
            "http://www.ietf.org/rfc/rfc2324.txt",
            "http://www.rfc-editor.org:80/rfc/rfc2324.txt",
            "https://www.rfc-editor.org/rfc/rfc2324.txt",
            "http://tools.ietf.org/html/rfc2324",
            "https://datatracker.ietf.org/doc/html/rfc2324",
            "http://WWW.IETF.ORG./in-notes/RFC02324.TXT",
            "http://localhost:8080/rfc/rfc2324.txt",
            "http://127.0.0.1:8080/rfc/rfc2324.txt",
        ):
            self.assertEqual(self.get(url, host="whatever").content, text(2324), url)
        self.assertEqual(self.upstream.paths, [COFFEE])

    def test_foreign(self) -> None:
        """Nothing of any other host, port or scheme is: 403."""
        for url in (
            *("http://example.org/rfc/rfc2324.txt", "http://localhost:3000/rfc/rfc2324.txt"),
            *("http://localhost/", "http://192.0.2.7/", "http://169.254.169.254/latest/"),
            *("http://www.ietf.org:8080/rfc/rfc2324.txt", "ftp://www.ietf.org/rfc/rfc2324.txt"),
            *("x:rfc2324.txt", "http://www.ietf.org.evil.example/rfc/rfc2324.txt"),
        ):
            visit = self.get(url)
            self.assertEqual(visit.status, 403, url)
        self.assertEqual(self.upstream.asked, [])

    def test_origin(self) -> None:
        """A page of another site reads nothing, a page of ours does."""
        for origin in ("http://evil.example", "null", "https://www.ietf.org.evil.example", ""):
            self.assertEqual(self.get(COFFEE, ("Origin", origin)).status, 403, origin)
        for origin in ("http://localhost:8080", "http://127.0.0.1:8080", "http://www.ietf.org"):
            self.assertEqual(self.get(COFFEE, ("Origin", origin)).status, 200, origin)

    def test_origin_again(self) -> None:
        """What was answered a moment ago is not what another site gets."""
        for _ in range(3):
            self.assertEqual(self.get(COFFEE).status, 200)
        self.assertEqual(self.get(COFFEE, ("Origin", "http://evil.example")).status, 403)
        self.assertEqual(self.get(COFFEE, host="evil.example").status, 421)


class Paths(SiteCase):
    def test_methods(self) -> None:
        """Documents are read, and nothing else."""
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
            visit = self.get(COFFEE, method=method)
            self.assertEqual((visit.status, visit.field("allow")), (405, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.get("*", method="OPTIONS").status, 204)
        self.assertEqual(self.upstream.asked, [])

    def test_purge(self) -> None:
        """For those on this machine, under its own name: the document, or all there is."""
        local = IPv4Address("TCP", "127.0.0.1", 1)
        self.patch(NetlabRequest, "peer", local)
        for target, said in ((COFFEE, "one response was"), ("/*", "one response was")):
            self.get("/in-notes/rfc2324.txt")
            self.assertEqual(self.get(target, method="PURGE", host="evil.example").status, 421)
            evil = ("Origin", "http://evil.example")
            self.assertEqual(self.get(target, evil, method="PURGE").status, 403)
            self.assertIn("hit", self.get(COFFEE).field("cache-status") or "")
            self.assertIn(said, self.get(target, method="PURGE").text)
            self.assertIn("fwd=uri-miss", self.get(COFFEE).field("cache-status") or "")
        wrong = self.assertRaises(RequestError, self.get, "/x", method="PURGE")
        self.assertEqual(wrong.status, 404)
        self.patch(NetlabRequest, "peer", IPv4Address("TCP", "192.0.2.7", 1))
        wrong = self.assertRaises(RequestError, self.get, COFFEE, method="PURGE")
        self.assertEqual(wrong.status, 403)

    def test_unknown_paths(self) -> None:
        """A path that names no document reaches neither the upstream nor the cache."""
        for path in (
            *("/foo", "/rfc/", "/rfc/../../etc/passwd", "/rfc/%2e%2e/rfc2324.txt", "//rfc2324.txt"),
            *("/rfc/rfc2324.txt/x", "/rfc/rfc2324.exe", "/rfc/rfc2324.txt%00", "/rfc/rfc2324.css"),
            *("/rfc/rfc123456.txt", "/rfc/rfc0.txt", "/rfc/rfc-index.txt", "/admin?rfc2324.txt"),
        ):
            visit = self.get(path)
            self.assertEqual((visit.status, visit.field("cache-control")), (404, "no-store"), path)
            self.assertEqual(visit.field("content-type"), "text/plain; charset=utf-8")
        self.assertEqual(self.upstream.asked, [])
        self.assertEqual(self.store.stats.entries, 0)

    def test_one_key(self) -> None:
        """However it is written, a document is asked for by its one name, without a query."""
        for path in (
            *(
                "/rfc/rfc2324.txt?x=1",
                "/in-notes/rfc2324.txt",
                "/rfc/rfc002324.txt",
                "/RFC2324.TXT",
            ),
            *("/rfc2324", "/html/rfc2324", "/rfc/rfc%32324.txt", "/rfc/rfc2324/"),
        ):
            self.assertEqual(self.get(path).content, text(2324), path)
        self.assertEqual(self.upstream.asked, [("GET", COFFEE)])

    def test_small_files(self) -> None:
        """What browsers and robots ask for by themselves is answered here."""
        self.assertEqual(self.get("/favicon.ico").status, 204)
        self.assertIn("Disallow: /search", self.get("/robots.txt").text)
        style = self.get(STYLE_PATH)
        self.assertEqual(
            (style.text, style.field("content-type")), (STYLE, "text/css; charset=utf-8")
        )
        self.assertEqual(self.upstream.asked, [])

    def test_accept(self) -> None:
        """A browser reads a page where a program gets the text; both say what made the choice."""
        program = self.get("/html/rfc2324", ("Accept", "*/*"))
        browser = self.get("/html/rfc2324", HTML)
        self.assertEqual(program.content, text(2324))
        self.assertEqual(browser.field("content-type"), "text/html; charset=utf-8")
        self.assertEqual(Page(browser.text).wrong, [])
        for each in (program, browser):
            self.assertEqual(each.field("vary"), "Accept, Accept-Encoding")
        for accept in ("text/html;q=0", "text/plain", ";;,q=,,", "text/html;q=x"):
            self.assertEqual(self.get("/rfc2324", ("Accept", accept)).content, text(2324), accept)
        self.assertEqual(self.get(COFFEE, HTML).content, text(2324))

    def test_errors_for_browsers(self) -> None:
        """In HTML, with the policy that all pages keep; what was asked for is escaped."""
        visit = self.get("/<script>alert(1)</script>", HTML)
        self.assertEqual(visit.status, 404)
        self.assertEqual(visit.field("content-security-policy"), CONTENT_SECURITY_POLICY)
        self.assertEqual(Page(visit.text).wrong, [])
        self.assertNotIn("<script", visit.text)
