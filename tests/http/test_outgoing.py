"""Heads of responses: how each is framed, for whom, and what a handler cannot say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import LocalProtocolError
from netlab.fields import Fields
from netlab.http.outgoing import Plan, chunk, plan, reason_of, status_line

OWN = b"Date: now\r\n"


def planned(status: int = 200, *pairs: tuple[str, str], **options: Any) -> Plan:
    wanted: dict[str, Any] = {"method": "GET", "version": (1, 1), "keep": True, "own": OWN}
    length = options.pop("length", None)
    return plan(status, Fields(pairs), length, **(wanted | options))


class Framing(SynchronousTestCase):
    """RFC 9112, 6.3; RFC 9110, 8.6."""

    def lines(self, found: Plan) -> list[str]:
        lines = found.head.decode("latin-1").split("\r\n")
        self.assertEqual(lines[-2:], ["", ""])
        self.assertIn("Date: now", lines)
        return [each for each in lines[1:-2] if each != "Date: now"]

    def test_table(self) -> None:
        """What is asked, what the handler said, and how it goes out."""
        length, chunked = "Content-Length: %d", "Transfer-Encoding: chunked"
        close = "Connection: close"
        for method, version, status, given_, declared, wanted, has_body, keep in (
            ("GET", (1, 1), 200, 5, None, [length % 5], True, True),
            ("GET", (1, 1), 200, 0, None, [length % 0], True, True),
            ("GET", (1, 1), 200, 5, 5, [length % 5], True, True),
            ("GET", (1, 1), 200, None, None, [chunked], True, True),
            ("GET", (1, 1), 200, None, 7, [length % 7], True, True),
            ("GET", (1, 0), 200, None, 7, [length % 7, "Connection: keep-alive"], True, True),
            ("GET", (1, 0), 200, None, None, [close], True, False),
            ("GET", (1, 0), 200, 5, None, [length % 5, "Connection: keep-alive"], True, True),
            ("POST", (1, 1), 404, 5, None, [length % 5], True, True),
            ("GET", (1, 1), 799, 5, None, [length % 5], True, True),
            ("HEAD", (1, 1), 200, 5, None, [length % 5], False, True),
            ("HEAD", (1, 1), 200, 0, None, [], False, True),
            ("HEAD", (1, 1), 200, 0, 5, [length % 5], False, True),
            ("HEAD", (1, 1), 200, None, None, [], False, True),
            ("HEAD", (1, 0), 200, None, None, ["Connection: keep-alive"], False, True),
            ("HEAD", (1, 1), 304, 0, 9, [length % 9], False, True),
            ("GET", (1, 1), 304, 0, None, [], False, True),
            ("GET", (1, 1), 304, 0, 9, [length % 9], False, True),
            ("GET", (1, 1), 304, None, None, [], False, True),
            ("GET", (1, 1), 204, 0, None, [], False, True),
            ("GET", (1, 1), 204, 0, 0, [], False, True),
            ("GET", (1, 1), 204, None, None, [], False, True),
            ("PUT", (1, 1), 204, 5, None, [], False, True),
            ("PUT", (1, 1), 205, 0, None, [length % 0], False, True),
            ("PUT", (1, 1), 205, 5, None, [length % 0], False, True),
        ):
            pairs = [] if declared is None else [("Content-Length", str(declared))]
            found = planned(status, *pairs, method=method, version=version, length=given_)
            case = (method, version, status, given_, declared)
            self.assertEqual(sorted(self.lines(found)), sorted(wanted), case)
            self.assertEqual((found.has_body, found.keep), (has_body, keep), case)
            self.assertEqual(found.chunked, chunked in wanted, case)

    def test_close(self) -> None:
        found = planned(length=5, keep=False)
        self.assertIn("Connection: close", self.lines(found))
        found = planned(200, ("Connection", "Close"), length=5)
        self.assertEqual(self.lines(found), ["Content-Length: 5", "Connection: close"])
        self.assertFalse(found.keep)
        found = planned(200, ("Connection", "keep-alive"), length=5)
        self.assertEqual(self.lines(found), ["Content-Length: 5"])

    def test_order(self) -> None:
        """The handler's lines come as they were given."""
        found = planned(200, ("B", "1"), ("A", "2"), ("b", "3"), length=0)
        self.assertEqual(
            found.head,
            b"HTTP/1.1 200 OK\r\nB: 1\r\nA: 2\r\nb: 3\r\nContent-Length: 0\r\nDate: now\r\n\r\n",
        )

    def test_trailers(self) -> None:
        """They are announced (RFC 9110, 6.6.2), where there can be any."""
        trailers = Fields([("X-B", "1"), ("X-A", "2")])
        self.assertIn("Trailer: x-a, x-b", self.lines(planned(trailers=trailers)))
        self.assertNotIn("Trailer", str(self.lines(planned(trailers=trailers, length=5))))
        own = planned(200, ("Trailer", "X-A"), trailers=trailers)
        self.assertEqual(self.lines(own), ["Trailer: X-A", "Transfer-Encoding: chunked"])

    def test_ours(self) -> None:
        for pair in (
            ("Transfer-Encoding", "chunked"),
            ("transfer-encoding", "identity"),
            ("Upgrade", "h2c"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "close"),
            ("Connection", "X-A"),
            ("Connection", "close, upgrade"),
        ):
            with self.assertRaises(LocalProtocolError):
                planned(200, pair, length=5)

    def test_content_length(self) -> None:
        """It is true, or it is not sent."""
        for values, length in (
            (("6",), 5),
            (("5", "5"), 5),
            (("5, 5",), 5),
            (("five",), None),
            (("-1",), None),
            (("1",), 0),
        ):
            with self.assertRaises(LocalProtocolError):
                planned(200, *[("Content-Length", each) for each in values], length=length)
        with self.assertRaises(LocalProtocolError):
            planned(200, ("Content-Length", "6"), length=5, method="HEAD")


class Status(SynchronousTestCase):
    def test_lines(self) -> None:
        self.assertEqual(status_line(200), b"HTTP/1.1 200 OK\r\n")
        self.assertEqual(status_line(413), b"HTTP/1.1 413 Content Too Large\r\n")
        # The space stays (RFC 9112, 4).
        self.assertEqual(status_line(799), b"HTTP/1.1 799 \r\n")
        self.assertEqual(reason_of(799), "")

    def test_not_final(self) -> None:
        for status in (0, 100, 101, 199, 1000, -200, True, 200.0, "200", None):
            with self.assertRaises(LocalProtocolError):
                status_line(status)  # type: ignore[arg-type]


class Chunks(SynchronousTestCase):
    @given(st.binary(min_size=1, max_size=300))
    def test_chunk(self, data: bytes) -> None:
        size, _, rest = chunk(data).partition(b"\r\n")
        self.assertEqual((int(size, 16), rest), (len(data), data + b"\r\n"))
