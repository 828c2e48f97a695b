from __future__ import annotations

import json
import socket
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.asking import NotThere, OutOfReach
from netlab.rfc.entries import Entry
from netlab.rfc.names import parse_name
from netlab.rfc.proxied import Proxied, find
from netlab.rfc.results import Fragment
from tests.rfc.support import index, text
from tests.rfc.upstream import Answer, Page, Upstream


def record(entry: Entry) -> bytes:
    """What a server says of a document."""
    found = {"name": entry.name.key, **msgspec.to_builtins(entry), "date": str(entry.date)}
    for relation in ("see_also", "is_also"):
        found[relation] = [each.key for each in getattr(entry, relation)]
    found["errata"] = [{"status": "Verified"}, {"status": "Rejected"}]
    return json.dumps({**found, "at_hand": True, "new": "unknown here"}).encode()


class ProxiedCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = self.served("netlab/1.0")
        self.url = f"http://{self.server.host}"

    def served(self, name: str) -> Upstream:
        pages: dict[str, Page] = {
            f"/api/rfc{number}": record(entry) for number, entry in index().entries.items()
        }
        pages["/api/status"] = b'{"documents": 14, "latest": 9515, "at_hand": 1, "offline": false}'
        pages["/api/bcp14"] = b'{"documents": [{"number": 2119}, {"number": 8174}]}'
        pages["/rfc/rfc2324.txt"] = text(2324)
        server = Upstream(pages, server=name)
        self.addCleanup(server.stop)
        return server

    def found(self, **options: Any) -> Proxied:
        proxied = find(self.url, **options)
        assert proxied is not None
        self.addCleanup(proxied.close)
        return proxied


class Finding(ProxiedCase):
    def test_ours(self) -> None:
        self.found()

    def test_others(self) -> None:
        for name in ("nginx", "", "netlab-lookalike"):
            self.assertIsNone(find(f"http://{self.served(name).host}"), name)

    def test_another_service_of_ours(self) -> None:
        for page in (b"<html>", b"[]", b"{}", Answer(b"{}", 404), Answer(raw=b"SSH-2.0\r\n")):
            self.server.pages["/api/status"] = page
            self.assertIsNone(find(self.url))

    def test_nobody(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.assertIsNone(find(f"http://127.0.0.1:{sock.getsockname()[1]}"))

    def test_offline(self) -> None:
        """A server that may ask is told not to; one that may not needs no telling."""
        self.found(offline=True).file(parse_name("2324"))
        self.assertEqual(self.server.asked[-1].fields["cache-control"], "only-if-cached, max-stale")
        self.server.pages["/api/status"] = b'{"documents": 14, "offline": true}'
        self.found(offline=True).file(parse_name("2324"))
        self.assertNotIn("cache-control", self.server.asked[-1].fields)


class Asking(ProxiedCase):
    def test_a_file(self) -> None:
        self.assertEqual(self.found().file(parse_name("2324")), text(2324))

    def test_no_file(self) -> None:
        for status, kind in ((404, NotThere), (504, OutOfReach)):
            said = f"{status} No RFC 1 as pdf: Its text\x1b[2J is there.\n".encode()
            self.server.pages["/rfc/rfc1.pdf"] = Answer(said, status)
            error = self.assertRaises(kind, self.found().file, parse_name("rfc1.pdf"))
            self.assertEqual(
                str(error), f"{self.server.host}: No RFC 1 as pdf: Its text\\x1b[2J is there"
            )

    def test_entries(self) -> None:
        proxied = self.found()
        for number, entry in index().entries.items():
            self.assertEqual(proxied.entry(number), entry)
        self.assertEqual(proxied.title(793), "Transmission Control Protocol")
        self.server.pages["/api/rfc1"] = Answer(b'{"error": "nothing is known of RFC 1"}', 404)
        self.assertEqual((proxied.title(1), proxied.about(1)), ("", None))
        error = self.assertRaises(NotThere, proxied.entry, 1)
        self.assertIn("nothing is known of RFC 1", str(error))

    def test_about(self) -> None:
        about = self.found().about(2324)
        assert about is not None
        self.assertEqual((about.entry.updated_by, about.errata), ((7168,), 1))

    def test_members(self) -> None:
        members = self.found().members(parse_name("bcp14.txt"))
        self.assertEqual([entry.number for entry in members], [2119, 8174])

    def test_errata(self) -> None:
        self.server.pages["/errata.json"] = b'[{"doc-id": "RFC2324", "errata_id": "682"}]'
        self.assertEqual([each.id for each in self.found().errata(2324)], [682])

    def test_search(self) -> None:
        hit = {"number": 2324, "at_hand": True, "snippet": "... hot coffee is not tea ..."}
        found = json.dumps({"total": 7, "hits": [hit, {**hit, "number": 1, "snippet": ""}]})
        path = "/api/search?q=coffee%20%26%20cup&limit=2&start=3"
        self.server.pages[path] = found.encode()
        self.server.pages["/api/rfc1"] = Answer(b"{}", 404)
        results = self.found().search("coffee & cup", 2, 3)
        self.assertEqual((results.total, results.every), (7, True))
        one, other = results.hits
        self.assertEqual((one.entry, one.at_hand), (index().entries[2324], True))
        self.assertEqual(
            one.snippet,
            (Fragment("... hot "), Fragment("coffee", True), Fragment(" is not tea ...")),
        )
        self.assertEqual((other.entry, other.snippet), (Entry(1, ""), ()))

    def test_what_is_not_understood(self) -> None:
        proxied = self.found()
        for page in (b"<html>", b"{}", b"[]", record(index().entries[20])[:-9], b"\xff",
                     record(index().entries[20]).replace(b'"20"', b'"x"').replace(b"1969", b"x"),
                     b'{"date": "1 Tea 1998", "see_also": 7}'):  # fmt: skip
            self.server.pages["/api/rfc20"] = page
            self.server.pages["/api/bcp1"] = page
            error = self.assertRaises(OutOfReach, proxied.entry, 20)
            self.assertIn("is it another version of netlab?", str(error))
            self.assertRaises(OutOfReach, proxied.members, parse_name("bcp1"))
