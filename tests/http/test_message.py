"""Requests and responses as handlers see them."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError, LocalProtocolError
from netlab.fields import Fields
from netlab.http import FileBody, Request, Response, error_response
from netlab.http.message import Prepared


class Requests(SynchronousTestCase):
    """As a program makes them, to try its handlers."""

    def test_plain(self) -> None:
        request = Request("GET", "/a?b=c", [("Host", "x:80"), ("Accept", "*/*")])
        self.assertEqual((request.method, request.target), ("GET", "/a?b=c"))
        self.assertEqual((request.path, request.query), ("/a", "b=c"))
        self.assertEqual((request.scheme, request.authority), ("http", "x:80"))
        self.assertEqual(request.version, (1, 1))
        self.assertEqual(request.fields.get("accept"), "*/*")
        self.assertIsNone(request.peer)

    def test_uri(self) -> None:
        """The target's authority counts, not the Host field (RFC 9112, 3.2.2)."""
        request = Request("GET", "https://a/b?c", [("Host", "x")])
        self.assertEqual(request.target, "https://a/b?c")
        self.assertEqual((request.scheme, request.authority), ("https", "a"))
        self.assertEqual((request.path, request.query), ("/b", "c"))

    def test_asterisk(self) -> None:
        request = Request("OPTIONS", "*")
        self.assertEqual((request.path, request.query, request.authority), ("*", "", ""))

    def test_raw_fields(self) -> None:
        request = Request("GET", "/", [("Host", "x"), ("A", "b")])
        self.assertEqual(request.raw_fields, b"Host: x\r\nA: b\r\n\r\n")

    def test_body(self) -> None:
        self.assertEqual(self.read(Request("GET", "/")), b"")
        self.assertEqual(self.read(Request("PUT", "/", body=b"abc")), b"abc")
        self.assertEqual(Request("PUT", "/", body=b"abc").body.length, 3)

    def read(self, request: Request) -> bytes:
        reading = request.body.read()
        with self.assertRaises(StopIteration) as caught:
            reading.send(None)
        value: bytes = caught.exception.value
        return value

    def test_shown(self) -> None:
        self.assertEqual(repr(Request("GET", "/\x1b\u202e")), r"<Request GET /\x1b\u202e>")


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "file"
        self.path.write_bytes(b"0123456789")

    def is_open(self, fd: int) -> bool:
        try:
            os.fstat(fd)
        except OSError:
            return False
        return True

    def test_ranges(self) -> None:
        for offset, length, wanted in (
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 4, b"3456"),
            (10, None, b""),
            (0, 0, b""),
        ):
            body = FileBody(self.path, offset, length)
            self.assertEqual(body.length, len(wanted))
            self.assertEqual(body.read(0, 100), wanted)
            self.assertEqual(body.read(1, 2), wanted[1:3])
            body.close()

    def test_wrong(self) -> None:
        for offset, length in ((-1, None), (11, None), (0, 11), (5, 6), (0, -1)):
            fd = os.open(self.path, os.O_RDONLY)
            with self.assertRaisesRegex(ConfigurationError, "of a file that has 10"):
                FileBody(fd, offset, length)
            self.assertFalse(self.is_open(fd))
        with self.assertRaises(FileNotFoundError):
            FileBody(self.path.with_name("none"))

    def test_closed(self) -> None:
        """A descriptor is taken over; it is closed once, also if it is never sent."""
        fd = os.open(self.path, os.O_RDONLY)
        body = FileBody(fd, 5)
        self.assertEqual(body.read(0, 100), b"56789")
        body.close()
        self.assertFalse(self.is_open(fd))
        other = os.open(self.path, os.O_RDONLY)  # most likely the same number
        body.close()
        self.assertTrue(self.is_open(other))
        del body
        gc.collect()
        self.assertTrue(self.is_open(other))
        forgotten = FileBody(other)
        del forgotten
        gc.collect()
        self.assertFalse(self.is_open(other))


class Responses(SynchronousTestCase):
    def test_plain(self) -> None:
        response = Response()
        self.assertEqual((response.status, response.fields, response.body), (200, Fields(), None))
        response = Response(404, [("A", "b")], b"abc")
        self.assertEqual((response.fields, response.body), (Fields([("A", "b")]), b"abc"))
        self.assertEqual(repr(response), "<Response 404>")

    def test_splitting(self) -> None:
        """RFC 9112, 11.1: no field holds a line end, wherever its value comes from."""
        for name, value in (
            ("Location", "/\r\nSet-Cookie: a=b"),
            ("Location", "/\n"),
            ("Location", "/\r"),
            ("Location", "/\0"),
            ("A\r\nB", "c"),
            ("A: b", "c"),
            ("", "c"),
            ("A", "\u2028"),
        ):
            with self.assertRaises(LocalProtocolError):
                Response(200, [(name, value)])

    def test_error(self) -> None:
        self.assertEqual(error_response(400, "is it TLS?").body, b"400 Bad Request: is it TLS?\n")
        response = error_response(414, "too long")
        self.assertEqual(response.status, 414)
        self.assertEqual(response.body, b"414 URI Too Long: too long.\n")
        self.assertEqual(response.fields.get("content-type"), "text/plain; charset=utf-8")


class Prepares(SynchronousTestCase):
    """Responses that are written once and sent often."""

    def prepared(self, response: Response) -> Prepared:
        found = response._prepared
        assert found is not None
        return found

    def test_wire(self) -> None:
        found = self.prepared(Response.prepared(200, [("Server", "x")], b"body"))
        self.assertEqual(
            found.renew(b"Date: 1\r\n"),
            b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\nDate: 1\r\n\r\nbody",
        )
        self.assertEqual((found.kind, found.rest, found.line), ("2xx", None, b"Date: 1\r\n"))
        self.assertIn(b"Date: 2\r\n", found.renew(b"Date: 2\r\n"))
        self.assertEqual(found.wire.count(b"Date"), 1)

    def test_with_its_date(self) -> None:
        found = self.prepared(Response.prepared(200, [("Date", "then"), ("Server", "x")], b""))
        self.assertEqual(
            found.renew(b"Date: 1\r\n"),
            b"HTTP/1.1 200 OK\r\nDate: then\r\nServer: x\r\nContent-Length: 0\r\n\r\n",
        )

    def test_without_body(self) -> None:
        found = self.prepared(Response.prepared(304, [("ETag", '"x"')]))
        self.assertTrue(found.renew(b"").endswith(b"\r\n\r\n"))
        self.assertNotIn(b"Content-Length", found.wire)
        dropped = self.prepared(Response.prepared(204, [], b"body"))
        self.assertTrue(dropped.renew(b"").endswith(b"\r\n\r\n"))

    def test_large(self) -> None:
        """Its body is not copied."""
        body = b"x" * 70_000
        found = self.prepared(Response.prepared(200, [], body))
        self.assertIs(found.rest, body)
        self.assertTrue(found.renew(b"").endswith(b"\r\n\r\n"))

    def test_adding(self) -> None:
        """As if it had been prepared with these fields."""
        fields = [("ETag", '"x"')]
        for status, body in ((200, b"body"), (200, b"x" * 100_000), (304, None)):
            base = Response.prepared(status, fields, body)
            for pairs in (
                [("Age", "1")],
                [("Age", "2"), ("X", " y ")],
                [("date", "then")],
                [("Server", "x"), ("Age", "3")],
                [],
            ):
                got = base.adding(*pairs)
                wanted = Response.prepared(status, fields + pairs, body)
                self.assertEqual(got.fields, wanted.fields)
                self.assertEqual((got.status, got.body), (status, body))
                for date in (b"Date: 1\r\n", b"Date: 2\r\n"):
                    mine, other = self.prepared(got), self.prepared(wanted)
                    self.assertEqual(
                        sorted(mine.renew(date).split(b"\r\n")),
                        sorted(other.renew(date).split(b"\r\n")),
                    )
                    self.assertIs(mine.rest, other.rest)
            self.assertEqual(base.fields, Fields(fields))
            for name in ("Connection", "Content-Length", "Transfer-Encoding")[: 3 if body else 1]:
                with self.assertRaises(LocalProtocolError):
                    base.adding((name, "7"))
        with self.assertRaises(LocalProtocolError):
            base.adding(("A", "b\r\nc"))

    def test_adding_to_others(self) -> None:
        """To a response that is not prepared."""
        trailers = Fields([("X", "y")])
        response = Response(201, [("A", "b")], b"body", trailers=trailers).adding(("C", "d"))
        self.assertEqual(response.fields, Fields([("A", "b"), ("C", "d")]))
        self.assertEqual((response.status, response.body), (201, b"body"))
        self.assertIs(response.trailers, trailers)
        self.assertIsNone(response._prepared)

    def test_wrong(self) -> None:
        with self.assertRaises(LocalProtocolError):
            Response.prepared(200, [("Transfer-Encoding", "chunked")], b"")
        with self.assertRaises(LocalProtocolError):
            Response.prepared(200, [("Connection", "close")], b"")
        with self.assertRaises(LocalProtocolError):
            Response.prepared(200, [("Content-Length", "3")], b"")
        with self.assertRaises(LocalProtocolError):
            Response.prepared(100, [], b"")
        with self.assertRaises(TypeError):
            Response.prepared(200, [], "text")  # type: ignore[arg-type]
