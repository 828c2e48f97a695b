"""What is written through: methods, bodies, fields, invalidation."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from netlab.errors import ConnectionClosed
from netlab.http import Request, RequestError
from netlab.http.body import Body
from tests.cache.gateway.support import CUT, FRESH, LOST, ORIGIN, Client, GatewayCase
from tests.http.support import logged


async def read(body: Any) -> bytes:
    return b"".join([piece async for piece in body])


class Methods(GatewayCase):
    def test_each(self) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE", "BREW"):
            client = self.ask(method=method, body=b"in")
            self.assertEqual(
                (self.origin.last.method, self.origin.last.uri), (method, f"{ORIGIN}/a")
            )
            content = self.successResultOf(Deferred.fromCoroutine(read(self.origin.last.body)))
            self.assertEqual(content, b"in")
            self.origin.last.answer(status=201, content=b"out")
            self.assertEqual((client.status, client.content), (201, b"out"))
            self.assertEqual(client.told, "netlab;fwd=method")

    def test_without_content(self) -> None:
        client = self.ask(method="DELETE")
        self.assertIsNone(self.origin.last.body)
        self.origin.last.answer(status=204)
        self.assertEqual(client.status, 204)

    def test_both_bodies_stream(self) -> None:
        request = Request("POST", "/a")
        request.body = body = Body(self, None)
        client = Client(self.gateway.respond(request, f"{ORIGIN}/a"))
        got = Deferred.fromCoroutine(self.origin.last.body.__anext__())
        self.assertNoResult(got)
        body.add([b"one"])
        self.assertEqual(self.successResultOf(got), b"one")
        self.origin.last.answer(content=b"1", end=False)
        self.assertEqual(client.content, b"1")
        self.origin.last.add(b"2")
        self.origin.last.end()
        self.assertEqual(client.content, b"12")

    def body_wanted(self) -> None:
        pass

    def body_taken(self) -> None:
        pass

    def test_the_clients_body_fails(self) -> None:
        """What it raises is what the server wants to know."""
        self.expected = (ConnectionClosed,)
        client = self.ask(method="POST", body=b"x")
        self.origin.last.fail(ConnectionClosed("gone"))
        self.assertIsInstance(client.error, ConnectionClosed)

    def test_get_with_content(self) -> None:
        """It has no meaning that is defined, so nothing stored answers it (RFC 9110, 9.3.1)."""
        self.stored(FRESH)
        client = self.ask(body=b"what")
        self.origin.last.answer(FRESH, content=b"that")
        self.assertEqual((client.content, client.told), (b"that", "netlab;fwd=bypass"))
        self.assertEqual(self.contents(), [b"old"])

    def test_head(self) -> None:
        client = self.ask(method="HEAD")
        self.origin.last.answer(FRESH, ("Content-Length", "10"))
        self.assertEqual((client.status, client.content), (200, b""))
        self.assertEqual(client.field("content-length"), "10")
        self.assertEqual(self.entries(), ())

    def test_head_says_that_it_changed(self) -> None:
        """RFC 9111, 4.3.5."""
        self.stored(FRESH, ("ETag", '"1"'))
        self.ask(("Cache-Control", "no-cache"), method="HEAD")
        self.origin.last.answer(FRESH, ("ETag", '"2"'))
        client = self.ask()
        self.assertEqual(self.origin.last.fields.get("if-none-match"), '"1"')
        self.origin.last.answer(FRESH, ("ETag", '"2"'), content=b"new")
        self.assertEqual(client.content, b"new")

    def test_head_says_not_to_store(self) -> None:
        self.stored(FRESH)
        self.ask(("Cache-Control", "no-cache"), method="HEAD")
        self.origin.last.answer(("Cache-Control", "no-store"), ("Content-Length", "3"))
        self.assertEqual(self.entries(), ())

    def test_the_clients_body_fails_after_the_answer_began(self) -> None:
        """It is no fault of the origin."""
        client = self.ask(method="POST", body=b"x")
        self.origin.last.answer(content=b"half", end=False)
        with logged(ORIGIN) as lines:
            self.origin.last.fail(RequestError(408, "too slow"))
        self.assertIsInstance(client.error, RequestError)
        self.assertEqual(lines, [])

    def test_client_goes_away(self) -> None:
        self.ask(method="POST", body=b"x").go_away()
        self.assertTrue(self.origin.last.cancelled)
        client = self.ask(method="POST", body=b"x")
        self.origin.last.answer(content=b"x", end=False)
        client.go_away()
        self.assertTrue(self.origin.last.gone)

    def test_errors(self) -> None:
        client = self.ask(method="POST", body=b"x")
        self.origin.last.fail(LOST)
        self.assertEqual((client.status, len(self.origin.asked)), (502, 1))
        client = self.ask(method="POST", body=b"x")
        self.origin.last.answer(content=b"half", end=False)
        self.origin.last.fail(CUT)
        self.assertEqual((client.content, client.whole), (b"half", False))


class MaxForwards(GatewayCase):
    """RFC 9110, 7.6.2."""

    def test_last_hop(self) -> None:
        client = self.ask(("Max-Forwards", "0"), method="OPTIONS")
        self.assertEqual((client.status, self.origin.asked), (200, []))
        client = self.ask(("Max-Forwards", "0"), method="TRACE")
        self.assertEqual((client.status, self.origin.asked), (405, []))
        self.assertIn("GET", client.field("allow") or "")

    def test_counted(self) -> None:
        for method, sent, expected in (
            ("OPTIONS", "3", "2"),
            ("TRACE", "1", "0"),
            ("TRACE", "x", "x"),
            ("OPTIONS", "-1", "-1"),
            ("POST", "0", "0"),
        ):
            self.ask(("Max-Forwards", sent), method=method)
            self.assertEqual(self.origin.last.fields.get("max-forwards"), expected)
            self.origin.last.answer()


class Hops(GatewayCase):
    """RFC 9110, 7.6.1."""

    HOP = (
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "close"),
        ("Proxy-Authenticate", "Basic"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("TE", "trailers"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "websocket"),
    )

    def test_both_ways(self) -> None:
        for method, cached in (("GET", True), ("GET", False), ("POST", False)):
            path = "/a" if cached else "/b"
            client = self.ask(*self.HOP, ("X-End", "1"), method=method, path=path)
            sent = self.origin.last.fields
            self.assertEqual(set(sent.names()), {"x-end", "via"})
            control = FRESH if cached else ("Cache-Control", "no-store")
            self.origin.last.answer(*self.HOP, ("X-End", "1"), ("Trailer", "X-T"), control)
            wanted = {"x-end", "via", "date", "cache-control", "cache-status"}
            assert client.response is not None
            self.assertEqual(set(client.response.fields.names()), wanted)
        response = self.ask().response
        assert response is not None
        self.assertEqual(set(response.fields.names()), wanted | {"age", "content-length"})

    def test_what_a_client_has_no_say_in(self) -> None:
        untrusted = [
            ("Forwarded", "host=evil.example"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "gopher"),
            ("X-Original-URL", "/admin"),
            ("X-HTTP-Method-Override", "DELETE"),
        ]
        self.ask(*untrusted, ("Cookie", "a=b"))
        self.assertEqual(set(self.origin.last.fields.names()), {"cookie", "via"})
        self.origin.last.answer(FRESH)
        self.ask(*untrusted, method="POST", body=b"x")
        names = set(self.origin.last.fields.names())
        self.assertEqual(names, {"x-http-method-override", "via"})
        self.origin.last.answer()


class Invalidation(GatewayCase):
    """RFC 9111, 4.4."""

    def test_by_a_success(self) -> None:
        for method in ("POST", "PUT", "DELETE", "PATCH", "BREW"):
            self.stored(FRESH)
            self.stored(FRESH, path="/b")
            self.ask(method=method, body=b"x")
            self.origin.last.answer(("Content-Location", "/b"), status=204)
            self.assertEqual((self.entries(), self.entries("/b")), ((), ()))

    def test_not_by_an_error(self) -> None:
        self.stored(FRESH)
        self.ask(method="PUT", body=b"x")
        self.origin.last.answer(status=403)
        self.ask(method="PUT", body=b"x")
        self.origin.last.fail(LOST)
        self.assertEqual(len(self.entries()), 1)

    def test_not_by_another_origin(self) -> None:
        self.stored(FRESH, path="/b")
        self.ask(method="POST", body=b"x")
        self.origin.last.answer(("Location", "http://other.example/b"), status=201)
        self.assertEqual(len(self.entries("/b")), 1)

    def test_not_by_what_is_safe(self) -> None:
        self.stored(FRESH)
        for method in ("OPTIONS", "TRACE"):
            self.ask(method=method)
            self.origin.last.answer()
        self.assertEqual(len(self.entries()), 1)
