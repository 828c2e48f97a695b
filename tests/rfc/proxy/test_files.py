"""Documents as files: from the upstream, the cache and the mirror, the same bytes."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

from netlab.http import Response
from tests.rfc.support import text

from .support import BASE, REFUSED, SiteCase, packed

COFFEE = "/rfc/rfc2324.txt"
TEA = "/rfc/rfc7168.txt"
DAY = 86_400.0
GZIP = ("Accept-Encoding", "gzip")


class FromUpstream(SiteCase):
    def test_first_and_again(self) -> None:
        """From upstream the first time, from the cache after."""
        first, second = self.get(COFFEE), self.get(COFFEE)
        self.assertEqual((first.content, second.content), (text(2324), text(2324)))
        self.assertRegex(first.field("cache-status") or "", "fwd=uri-miss;.*stored")
        self.assertIn("hit", second.field("cache-status") or "")
        self.assertEqual(self.upstream.asked, [("GET", COFFEE)])

    def test_again(self) -> None:
        """Within a second the same answer is given again, in the next one its age has grown."""
        self.get(COFFEE)
        answers = [self.site.handle(self.request(COFFEE)) for _ in range(3)]
        self.assertIs(answers[1], answers[0])
        self.assertIs(answers[2], answers[0])
        self.machine.advance(1)
        later = self.site.handle(self.request(COFFEE))
        assert isinstance(later, Response)
        self.assertEqual(later.fields.get("age"), "1")

    def test_nothing_of_clients(self) -> None:
        """Of a request nothing has a say but its name and what is about caches."""
        self.get(
            COFFEE,
            *(("Cookie", "a=b"), ("Authorization", "Basic x"), ("X-Forwarded-Host", "evil")),
            *(("Accept-Language", "de"), ("User-Agent", "me"), ("Referer", "http://x/")),
        )
        (asked,) = self.upstream.fields
        self.assertEqual({name.lower() for name, _ in asked}, {"accept-encoding", "via"})
        self.assertEqual(asked.get("accept-encoding"), "gzip")

    def test_nothing_of_upstreams(self) -> None:
        """Nor does a client see more of an answer than what is about the document."""
        self.upstream.files[COFFEE] = (
            200,
            [
                ("Content-Type", "text/plain"),
                *(("Set-Cookie", "a=b"), ("Alt-Svc", "h3"), ("Cache-Control", "no-store")),
                *(("Vary", "*"), ("Link", "</x>; rel=preload"), ("netlab-cache-control", "x")),
                *(("Content-Security-Policy", "default-src *"), ("Server", "them")),
            ],
            text(2324),
        )
        for _ in range(2):
            visit = self.get(COFFEE)
            assert visit.response is not None
            names = {name.lower() for name, _ in visit.response.fields}
            self.assertLessEqual(
                names,
                {
                    *("content-type", "date", "age", "via", "cache-status", "vary"),
                    *("x-content-type-options", "content-security-policy", "content-length"),
                },
            )
            self.assertEqual(visit.field("vary"), "Accept-Encoding")
            self.assertIn("sandbox", visit.field("content-security-policy") or "")
        self.assertEqual(len(self.upstream.asked), 1)

    def test_compressed_upstream(self) -> None:
        """The upstream's compression is undone, and its tags are told from ours."""
        self.upstream.files[COFFEE] = packed(text(2324), ("ETag", '"x"'))
        first = self.get(COFFEE)
        self.assertEqual((first.content, first.field("etag")), (text(2324), '"x-identity"'))
        self.assertIsNone(first.field("content-encoding"))
        self.machine.advance(8 * DAY)
        self.get(COFFEE, ("Cache-Control", "max-age=0"))
        self.assertEqual(self.upstream.fields[-1].get("if-none-match"), '"x"')
        again = self.get(COFFEE)
        self.assertEqual((again.content, again.field("age")), (text(2324), "0"))
        self.assertEqual(self.get(COFFEE, ("If-None-Match", '"x-identity"')).status, 304)

    def test_weak_tag(self) -> None:
        """A weak tag stays one."""
        self.upstream.files[COFFEE] = packed(text(2324), ("ETag", 'W/"x"'))
        self.get(COFFEE)
        self.assertEqual(self.get(COFFEE).field("etag"), 'W/"x-identity"')

    def test_compressed_for_clients(self) -> None:
        """Who takes gzip gets it, under a tag of its own that is known again."""
        self.get(COFFEE)
        for _ in range(2):
            visit = self.get(COFFEE, GZIP)
            self.assertEqual(gzip.decompress(visit.content), text(2324))
            self.assertEqual(visit.field("content-encoding"), "gzip")
            self.assertEqual(visit.field("etag"), '"19610-gzip"')
        known = self.get(COFFEE, GZIP, ("If-None-Match", '"19610-gzip"'))
        self.assertEqual((known.status, known.field("etag")), (304, '"19610-gzip"'))
        self.assertEqual(self.get(COFFEE, ("Accept-Encoding", "gzip;q=0")).content, text(2324))
        part = self.get(COFFEE, GZIP, ("Range", "bytes=0-9"))
        self.assertEqual((part.status, part.content), (206, text(2324)[:10]))

    def test_compressed_once(self) -> None:
        """Many who want it at the same time wait for one thread."""
        self.get(COFFEE)
        self.machine.held = True
        visits = [self.get(COFFEE, GZIP) for _ in range(20)]
        self.assertEqual(self.machine.jobs, 1)
        visits[0].running.cancel()  # it goes away, the others stay
        self.machine.work()
        for visit in visits[1:]:
            self.assertEqual(gzip.decompress(visit.content), text(2324))

    def test_length(self) -> None:
        """The length is told at the first time, too: a simple program reads to the end."""
        self.upstream.files[COFFEE] = packed(text(2324))
        visit = self.get(COFFEE)
        assert visit.response is not None
        self.assertEqual(visit.response.body, text(2324))
        long = text(2324) * 300
        self.upstream.files[TEA] = packed(long)
        visit = self.get(TEA)  # not of one that is very long
        assert visit.response is not None
        self.assertNotIsInstance(visit.response.body, bytes)
        self.assertEqual(visit.content, long)
        self.assertEqual(self.get(TEA).content, long)

    def test_bad_compression(self) -> None:
        """A truncated or foreign coding, a bomb: nothing of it is stored."""
        good = packed(text(2324))
        for wrong in (
            (200, good[1], good[2][:-9]),
            (200, good[1], good[2] + b"more"),
            (200, good[1], b"no gzip"),
            (200, [("Content-Type", "text/plain"), ("Content-Encoding", "br")], b"x"),
            packed(b"\0" * (65 << 20)),
        ):
            self.upstream.files[COFFEE] = wrong
            visit = self.get(COFFEE)
            self.assertTrue(visit.error is not None or visit.status == 502)
            self.assertEqual(self.store.stats.entries, 0)
            self.machine.advance(120)
        self.upstream.files[COFFEE] = good
        self.assertEqual(self.get(COFFEE).content, text(2324))

    def test_head(self) -> None:
        """HEAD as GET, without what follows."""
        visit = self.get(COFFEE, method="HEAD")
        self.assertEqual((visit.status, visit.content), (200, b""))
        self.get(COFFEE)
        self.assertEqual(self.get(COFFEE, method="HEAD").field("content-length"), "19610")


class Missing(SiteCase):
    def test_not_found(self) -> None:
        """Remembered for five minutes, then asked for again; the reason is ours."""
        for _ in range(3):
            visit = self.get("/rfc/rfc99999.txt")
            self.assertEqual(visit.status, 404)
            self.assertIn("RFC 99999 does not exist, or not yet", visit.text)
            self.assertNotIn("no such file", visit.text)
        self.assertEqual(len(self.upstream.asked), 1)
        self.assertIn(";hit", visit.field("cache-status") or "")
        self.assertIsNotNone(visit.field("via"))
        self.machine.advance(299)
        self.get("/rfc/rfc99999.txt")
        self.assertEqual(len(self.upstream.asked), 1)
        self.machine.advance(2)
        self.get("/rfc/rfc99999.txt")
        self.assertEqual(len(self.upstream.asked), 2)

    def test_formats(self) -> None:
        """A document that is there in text only."""
        said = self.get("/rfc/rfc2324.pdf").text
        self.assertIn("its text is at /rfc/rfc2324.txt", said)

    def test_series(self) -> None:
        """The file of a sub-series that is not there: then its documents may be asked for."""
        self.get("/")
        visit = self.get("/bcp/bcp14.txt")
        self.assertEqual(visit.status, 404)
        self.assertIn("what BCP 14 is: RFC 2119, RFC 8174.", visit.text)
        self.make(store=self.store, offline=True)
        visit = self.get("/std6")
        self.assertEqual(visit.status, 504)
        self.assertIn("what STD 6 is: RFC 768.", visit.text)

    def test_not_issued(self) -> None:
        """Of a number that was never issued nobody is asked, once the index is there."""
        self.get("/")
        (number,) = [*self.library.listings.index.not_issued][:1]
        before = len(self.upstream.asked)
        visit = self.get(f"/rfc/rfc{number}.txt")
        self.assertEqual(visit.status, 404)
        self.assertIn("was never issued", visit.text)
        self.assertEqual(len(self.upstream.asked), before)

    def test_upstream_down(self) -> None:
        """502 with Proxy-Status; what was stored is served, stale, for years."""
        self.get(COFFEE)
        self.upstream.error = REFUSED
        self.machine.advance(300 * DAY)
        visit = self.get(COFFEE)
        self.assertEqual(visit.content, text(2324))
        visit = self.get("/rfc/rfc768.txt")
        self.assertEqual(visit.status, 502)
        self.assertIn("connection_refused", visit.field("proxy-status") or "")
        self.assertEqual(visit.field("cache-control"), "no-store")

    def test_strange_answers(self) -> None:
        """Redirections elsewhere, web pages of a hotel, statuses without a sense: never passed."""
        page = [("Content-Type", "text/html")]
        for wrong in (
            (302, [("Location", "http://evil.example/rfc2324.txt")], b""),
            (301, [("Location", "/elsewhere")], b"moved"),
            (200, page, b"<h1>Log in!</h1>"),
            (206, [("Content-Range", "bytes 0-9/100")], b"0123456789"),
            (204, [], b""),
            (401, [("WWW-Authenticate", "Basic")], b""),
            (500, page, b"<h1>Oh</h1>"),
        ):
            self.upstream.files["/rfc/rfc768.txt"] = wrong
            self.machine.advance(120)
            visit = self.get("/rfc/rfc768.txt")
            self.assertEqual(visit.status, 502, wrong)
            self.assertIsNone(visit.field("location"))
            self.assertIn("cannot be had now", visit.text)
        self.assertEqual(self.store.stats.entries, 0)

    def test_strange_answers_later(self) -> None:
        """What was stored takes their place."""
        self.get(COFFEE)
        self.upstream.files[COFFEE] = (302, [("Location", "http://evil.example/")], b"")
        self.machine.advance(9 * DAY)
        for _ in range(2):
            self.assertEqual(self.get(COFFEE, ("Cache-Control", "max-age=1")).content, text(2324))

    def test_one_bad_document(self) -> None:
        """That some documents are redirected elsewhere is no reason to ask for no others."""
        for number in range(10, 20):
            self.upstream.files[f"/rfc/rfc{number}.txt"] = (
                302,
                [("Location", "http://evil.example/")],
                b"",
            )
            self.assertEqual(self.get(f"/rfc/rfc{number}.txt").status, 502)
        self.assertEqual(self.get(COFFEE).status, 200)

    def test_redirects(self) -> None:
        """They are followed on the upstream's own hosts alone, and not away from TLS."""
        for base, uri, good in (
            (BASE, "http://127.0.0.1:9/other/rfc1.txt", True),
            (BASE, "http://127.0.0.1:10/rfc/rfc1.txt", False),
            (BASE, "http://evil.example/", False),
            ("https://www.rfc-editor.org/rfc/", "https://www.ietf.org/rfc/rfc1.txt", True),
            ("https://www.rfc-editor.org/rfc/", "http://www.rfc-editor.org/rfc/rfc1.txt", False),
            ("https://www.rfc-editor.org/rfc/", "https://127.0.0.1/rfc/rfc1.txt", False),
        ):
            self.make(base=base)
            self.assertEqual(self.source.is_upstream(uri), good, uri)


class Offline(SiteCase):
    def test_nobody_is_asked(self) -> None:
        """What is in the cache, however old; for the rest the reason."""
        self.get(COFFEE)
        self.make(offline=True, store=self.store)
        self.upstream.asked.clear()
        self.machine.advance(9 * DAY)
        self.assertEqual(self.get(COFFEE, ("Cache-Control", "no-cache")).content, text(2324))
        visit = self.get("/rfc/rfc768.txt")
        self.assertEqual(visit.status, 504)
        self.assertIn("this server is offline", visit.text.lower())
        self.assertEqual(self.upstream.asked, [])


class FromMirror(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "rfc2324.txt").write_bytes(text(2324))

    def test_bytes(self) -> None:
        """The mirror's file, of which the upstream is not asked."""
        self.make(mirror=self.folder)
        for _ in range(2):
            self.assertEqual(self.get(COFFEE).content, text(2324))
        self.assertEqual(self.get("/rfc/rfc768.txt").content, text(768))
        self.assertEqual(self.upstream.paths, ["/rfc/rfc768.txt"])

    def test_replaced(self) -> None:
        """A file that is replaced is seen a minute later."""
        self.make(mirror=self.folder, offline=True)
        self.get(COFFEE)
        path = self.folder / "rfc2324.txt"
        path.write_bytes(b"another edition")
        os.utime(path, (1, 1))
        self.machine.advance(61)
        self.assertEqual(self.get(COFFEE).content, b"another edition")
        self.machine.advance(61)
        self.assertIn(self.get(COFFEE).field("age"), (None, "0"))  # it was looked at again

    def test_upstream_down(self) -> None:
        """An upstream that does not answer has nothing to do with the mirror's files."""
        self.make(mirror=self.folder)
        self.upstream.error = REFUSED
        for number in range(10, 20):
            self.assertIn(self.get(f"/rfc/rfc{number}.txt").status, (502, 503))
        self.assertEqual(self.get(COFFEE).content, text(2324))

    def test_strange_files(self) -> None:
        """A pipe, a folder or a link to nothing is no document, and nobody waits for it."""
        os.mkfifo(self.folder / "rfc1.txt")
        (self.folder / "rfc2.txt").mkdir()
        (self.folder / "rfc3.txt").symlink_to("nowhere")
        self.make(mirror=self.folder, offline=True)
        for number in (1, 2, 3):
            self.assertEqual(self.get(f"/rfc/rfc{number}.txt").status, 504)
        self.assertEqual(self.library.known_texts, 1)

    def test_links(self) -> None:
        """A link within the mirror is followed, and none that leads out of it."""
        outside = Path(self.mktemp())
        outside.mkdir()
        (outside / "rfc5.txt").write_bytes(b"secret\n")
        (outside / "std6.txt").write_bytes(b"secret\n")
        (self.folder / "rfc4.txt").symlink_to("rfc2324.txt")
        (self.folder / "rfc5.txt").symlink_to((outside / "rfc5.txt").resolve())
        (self.folder / "std").symlink_to(outside.resolve())
        self.make(mirror=self.folder, offline=True)
        self.assertEqual(self.get("/rfc/rfc4.txt").content, text(2324))
        for path in ("/rfc/rfc5.txt", "/rfc/std/std6.txt", "/html/rfc5"):
            visit = self.get(path)
            self.assertEqual((visit.status, b"secret" in visit.content), (504, False), path)
        self.assertEqual(self.search.at_hand(), (4, 2324))

    def test_only_if_cached(self) -> None:
        """Who wants nobody to be asked gets what is in the mirror."""
        self.make(mirror=self.folder)
        for _ in range(2):
            self.assertEqual(self.get(COFFEE, ("Cache-Control", "only-if-cached")).status, 200)
        other = self.get("/rfc/rfc768.txt", ("Cache-Control", "only-if-cached"))
        self.assertEqual((other.status, self.upstream.asked), (504, []))

    def test_folder_within(self) -> None:
        """The documents may lie in the folder ``rfc``, as beside the index at the RFC Editor."""
        (self.folder / "rfc").mkdir()
        os.rename(self.folder / "rfc2324.txt", self.folder / "rfc" / "rfc2324.txt")
        self.make(mirror=self.folder, offline=True)
        self.assertEqual(self.get(COFFEE).content, text(2324))
