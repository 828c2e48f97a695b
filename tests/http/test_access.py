"""Access logs: what each response leaves behind, safe to read on a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from netlab.http import Access, Request, Response, combined, json_line
from netlab.testing import Faults

from .support import GET, ServingCase, Waiting, get, logged

PEER = IPv4Address("TCP", "192.0.2.7", 50000)
WHEN = 784111777.25


def entry(request: Request | None = None, **values: Any) -> Access:
    known: dict[str, Any] = {
        "peer": PEER,
        "status": 200,
        "size": 2326,
        "seconds": 0.0123456,
        "time": WHEN,
    }
    return Access(request=request, **(known | values))


class Combined(SynchronousTestCase):
    def test_times(self) -> None:
        """Each line has its own second."""
        lines = [combined(entry(time=WHEN + each)) for each in (0, 0.7, 0.8, 86400, 0)]
        self.assertEqual(
            [re.findall(r"\[(.*)\]", line)[0][:20] for line in lines],
            [
                "06/Nov/1994:08:49:37",
                "06/Nov/1994:08:49:37",
                "06/Nov/1994:08:49:38",
                "07/Nov/1994:08:49:37",
                "06/Nov/1994:08:49:37",
            ],
        )

    def test_long(self) -> None:
        """2000 characters of what the client sent, at most."""
        for size, wanted in ((2000, "a" * 2000), (2001, "a" * 2000 + "...")):
            line = combined(entry(Request("GET", "a" * size)))
            self.assertIn(f'"GET {wanted} HTTP/1.1"', line)

    def test_line(self) -> None:
        request = Request(
            "GET", "/apache_pb.gif?x", [("Referer", "http://x/start"), ("User-Agent", "Mozilla/4")]
        )
        self.assertEqual(
            combined(entry(request)),
            '192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] "GET /apache_pb.gif?x HTTP/1.1" 200 2326 '
            '"http://x/start" "Mozilla/4"',
        )

    def test_little(self) -> None:
        """Neither request, nor body, nor an address to speak of."""
        self.assertEqual(
            combined(entry(status=400, size=0, peer=UNIXAddress(None))),
            'unix - - [06/Nov/1994:08:49:37 +0000] "-" 400 - "-" "-"',
        )
        peer = IPv6Address("TCP", "::1", 1)
        self.assertTrue(
            combined(entry(Request("X", "*", version=(1, 0)), peer=peer)).startswith(
                '::1 - - [06/Nov/1994:08:49:37 +0000] "X * HTTP/1.0" 200'
            )
        )

    @given(st.text(st.characters(max_codepoint=255, exclude_characters="\0\r\n"), max_size=50))
    def test_safe(self, text: str) -> None:
        """One line of printable ASCII, and what is in quotes stays in them."""
        value = "".join(c for c in text if c == "\t" or (c >= " " and c != "\x7f"))
        line = combined(entry(Request("GET", f"/{text}", [("User-Agent", value)])))
        self.assertTrue(line.isascii() and line.isprintable(), line)
        bare = line.replace("\\\\", "").replace('\\"', "")
        self.assertEqual(bare.count('"'), 6)


class Json(SynchronousTestCase):
    def test_line(self) -> None:
        request = Request("GET", "/a?b", [("Host", "x"), ("User-Agent", 'curl "8"')])
        line = json_line(entry(request))
        self.assertEqual(
            json.loads(line),
            {
                "time": "1994-11-06T08:49:37.250Z",
                "peer": "192.0.2.7",
                "method": "GET",
                "target": "/a?b",
                "version": "1.1",
                "authority": "x",
                "status": 200,
                "size": 2326,
                "seconds": 0.012346,
                "complete": True,
                "referer": None,
                "user_agent": 'curl "8"',
            },
        )

    def test_little(self) -> None:
        found = json.loads(json_line(entry(status=500, complete=False, incident="ab12")))
        self.assertEqual(found["method"], None)
        self.assertEqual((found["complete"], found["incident"]), (False, "ab12"))

    @given(st.text(st.characters(max_codepoint=255), max_size=50))
    def test_safe(self, text: str) -> None:
        line = json_line(entry(Request("GET", text)))
        self.assertTrue(line.isascii() and line.isprintable(), line)
        self.assertEqual(json.loads(line)["target"], text)


class Logging(ServingCase):
    """The access log hears of every response."""

    def setUp(self) -> None:
        super().setUp()
        self.entries: list[Access] = []

    def test_each(self) -> None:
        ready = Response.prepared(200, [], b"abc")
        large = Response.prepared(200, [], b"x" * 100_000)

        def handle(request: Request) -> Any:
            if request.path == "/ready":
                return ready
            if request.path == "/large":
                return large
            if request.path == "/late":
                return succeed(Response(202, [], b"later"))
            if request.path == "/bad":
                raise ValueError("bad")
            return Response(204)

        link = self.serve(handle, access_log=self.entries.append)
        with logged("incident"):
            link.ask(
                get("/ready"), get("/late"), get("/none"), get("/bad"), get("/large"), b"x\r\n\r\n"
            )
        self.flushLoggedErrors(ValueError)
        got = [(e.request and e.request.path, e.status, e.complete) for e in self.entries]
        self.assertEqual(
            got,
            [
                ("/ready", 200, True),
                ("/late", 202, True),
                ("/none", 204, True),
                ("/bad", 500, True),
                ("/large", 200, True),
                (None, 400, True),
            ],
        )
        self.assertEqual([e.size for e in self.entries[:3]], [3, 5, 0])
        self.assertEqual(self.entries[4].size, 100_000)
        self.assertRegex(self.entries[3].incident, "^[0-9a-f]{8}$")
        self.assertTrue(all(each.seconds >= 0 for each in self.entries))

    def test_cut_off(self) -> None:
        handler = Waiting()
        link = self.serve(handler, access_log=self.entries.append, faults=Faults(capacity=1000))
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET)
        link.advance()

        async def body() -> Any:
            while True:
                yield b"x" * 10_000

        handler.waiting[0].callback(Response(200, [], body()))
        link.advance()
        self.assertEqual(self.entries, [])
        peer.reset()
        (entry,) = self.entries
        self.assertEqual((entry.status, entry.complete), (200, False))
        self.assertGreater(entry.size, 10_000)

    def test_failing_log(self) -> None:
        """A full disk is worth a line, and no outage."""

        def write(entry: Access) -> None:
            raise OSError(28, "No space left on device")

        link = self.serve(access_log=write)
        with logged("access log") as lines:
            self.assertEqual(len(link.ask(GET, GET, GET)), 3)
        self.flushLoggedErrors(OSError)
        self.assertEqual(len(lines), 1)
