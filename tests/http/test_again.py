"""The same request within the same second."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.http import Again, Request, Response
from netlab.http import again as module


class Same(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.5
        self.again = Again(lambda: self.now)

    def keep(self, request: Request, body: bytes = b"hello") -> Response:
        return self.again.keep(request, Response(200, [("Age", "1")], body))

    def test_found(self) -> None:
        """It is what was kept, until the second is over."""
        self.assertIsNone(self.again.find(Request("GET", "/")))
        kept = self.keep(Request("GET", "/"))
        self.assertEqual((kept.status, kept.body, kept.fields.get("age")), (200, b"hello", "1"))
        self.now = 100.99
        self.assertIs(self.again.find(Request("GET", "/")), kept)
        self.now = 101.0
        self.assertIsNone(self.again.find(Request("GET", "/")))
        self.now = 100.5
        self.assertIsNone(self.again.find(Request("GET", "/")))

    def test_clock_set_back(self) -> None:
        """Another second is another second."""
        self.keep(Request("GET", "/"))
        self.now = 99.0
        self.assertIsNone(self.again.find(Request("GET", "/")))

    def test_alike_to_the_last_byte(self) -> None:
        """Another target, method or field is another request."""
        kept = self.keep(Request("GET", "/", [("Host", "a")]))
        self.assertIs(self.again.find(Request("GET", "/", [("Host", "a")])), kept)
        for other in (
            Request("GET", "/?", [("Host", "a")]),
            Request("HEAD", "/", [("Host", "a")]),
            Request("GET", "/", [("Host", "b")]),
            Request("GET", "/", [("host", "a")]),
            Request("GET", "/", [("Host", "a"), ("Origin", "x")]),
            Request("GET", "/"),
        ):
            self.assertIsNone(self.again.find(other))

    def test_not_kept(self) -> None:
        """Other methods, requests with a body, bodies that are no bytes: as they are."""
        stream = Response(200, [], None)
        for request, response in (
            (Request("HEAD", "/"), Response(200, [], b"x")),
            (Request("GET", "/", body=b"x"), Response(200, [], b"x")),
            (Request("GET", "/"), stream),
        ):
            self.assertIs(self.again.keep(request, response), response)
        self.assertIsNone(self.again.find(Request("GET", "/")))

    def test_forget(self) -> None:
        self.keep(Request("GET", "/"))
        self.again.forget()
        self.assertIsNone(self.again.find(Request("GET", "/")))

    def test_bounds(self) -> None:
        """A client that asks for ever other things fills no memory."""
        for number in range(3000):
            self.keep(Request("GET", f"/?{number}"))
        self.assertEqual(len(self.again._found), module._MOST)
        self.now += 1
        for number in range(100):
            self.keep(Request("GET", f"/?{number}"), bytes(1 << 20))
        self.assertLess(len(self.again._found), 33)
        self.now += 1
        long = Request("GET", "/", [("X", "x" * 5000)])
        self.keep(long)
        self.assertIsNone(self.again.find(long))
        self.keep(Request("GET", "/" + "x" * 5000))
        self.assertEqual(len(self.again._found), 0)
