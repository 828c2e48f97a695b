"""Answers of a moment ago, and purging."""

from __future__ import annotations

from netlab.cache.gateway import ReverseProxy
from netlab.http import Request, Response

from .support import FRESH, Client, GatewayCase


class Again(GatewayCase):
    def setUp(self) -> None:
        super().setUp()
        self.proxy = ReverseProxy(self.gateway, "http://example.org")

    def get(self, *pairs: tuple[str, str], method: str = "GET", body: bytes = b"") -> Client:
        client = Client(self.proxy.handle(Request(method, "/a", pairs, body)))
        self.clients.append(client)
        return client

    def filled(self) -> None:
        """Something is stored, and was answered with from the store."""
        self.stored(FRESH, content=b"old")
        self.assertEqual(self.get().content, b"old")

    def test_same(self) -> None:
        """Within a second the same response; then one with another age."""
        self.filled()
        first = self.proxy.handle(Request("GET", "/a"))
        self.assertIs(self.proxy.handle(Request("GET", "/a")), first)
        self.clock.advance(1)
        later = self.proxy.handle(Request("GET", "/a"))
        assert isinstance(later, Response)
        self.assertEqual(later.fields.get("age"), "1")

    def test_other_requests(self) -> None:
        """One byte of the fields, the method or a body make it another request."""
        self.filled()
        self.assertEqual(self.get(("Range", "bytes=0-0")).content, b"o")
        self.assertEqual(self.get(method="HEAD").content, b"")
        sent = self.get(body=b"content")
        self.origin.last.answer(content=b"for that")
        self.assertEqual(sent.content, b"for that")

    def test_written(self) -> None:
        """What was written a moment ago is not answered with what was there before."""
        self.filled()
        self.get(method="PUT", body=b"new")
        self.origin.last.answer(status=204)
        again = self.get()
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual(again.content, b"new")

    def test_reloaded(self) -> None:
        """Whoever insists on the origin's word changes it for all."""
        self.filled()
        self.get(("Cache-Control", "no-cache"))
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual(self.get().content, b"new")

    def test_purged(self) -> None:
        for purge in (lambda: self.gateway.purge("http://example.org/a"), self.gateway.purge_all):
            self.filled()
            self.assertEqual(purge(), 1)
            self.assertEqual(purge(), 0)
            again = self.get()
            self.assertIsNone(again.response)
            self.origin.last.answer(content=b"")

    def test_purged_on_its_way(self) -> None:
        """What was asked for before the purge is not stored after it."""
        for purge in (lambda: self.gateway.purge("http://example.org/a"), self.gateway.purge_all):
            client = self.get()
            purge()
            self.origin.last.answer(FRESH, content=b"old")
            self.assertEqual(client.content, b"old")
            self.assertEqual(self.entries(), ())
