"""PURGE: who may, and what it removes."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from netlab.cache.gateway import Purging, ReverseProxy
from netlab.cache.store import StoreFailed
from netlab.http import Request, RequestError, Response

from .support import FRESH, Client, GatewayCase

HERE = IPv4Address("TCP", "127.0.0.1", 40000)


class Connected:
    """Where a request came from."""

    scheme = "http"

    def __init__(self, peer: IAddress) -> None:
        self.peer = peer


class Purge(GatewayCase):
    def setUp(self) -> None:
        super().setUp()
        proxy = ReverseProxy(self.gateway, "http://example.org")
        self.handler = Purging(proxy, self.gateway, proxy.uris)

    def purge(self, target: str, peer: IAddress = HERE) -> str:
        """What the answer says."""
        request = Request("PURGE", target)
        request._connection = Connected(peer)
        response = self.handler.handle(request)
        assert isinstance(response, Response)
        assert isinstance(response.body, bytes)
        return f"{response.status} {response.body.decode()}"

    def test_one(self) -> None:
        """Every variant of one target, and nothing else."""
        for path in ("/a", "/b"):
            self.stored(FRESH, ("Vary", "Accept"), path=path)
        self.ask(("Accept", "x/y"))
        self.origin.last.answer(FRESH, ("Vary", "Accept"))
        self.assertEqual(self.purge("/a"), "200 2 responses were removed\n")
        self.assertEqual(self.purge("/a"), "200 0 responses were removed\n")
        self.assertEqual(len(self.entries("/b")), 1)

    def test_all(self) -> None:
        for path in ("/a", "/b", "/c"):
            self.stored(FRESH, path=path)
        self.assertEqual(self.purge("/*"), "200 3 responses were removed\n")
        self.stored(FRESH)
        self.assertEqual(self.purge("/*"), "200 one response was removed\n")

    def test_who(self) -> None:
        """This machine, and nobody else."""
        for peer in (HERE, IPv6Address("TCP", "::1", 1), UNIXAddress(None)):
            self.assertIn("200", self.purge("/a", peer))
        self.stored(FRESH)
        others = [IPv4Address("TCP", "192.0.2.1", 1), IPv6Address("TCP", "fe80::1%lo", 1)]
        for stranger in [*others, IPv6Address("TCP", "::ffff:192.0.2.1", 1)]:
            for target in ("/a", "/*"):
                with self.assertRaises(RequestError) as caught:
                    self.purge(target, stranger)
                self.assertEqual(caught.exception.status, 403)
        with self.assertRaises(RequestError):  # it came from nowhere that is known
            self.handler.handle(Request("PURGE", "/a"))
        self.assertEqual(len(self.entries()), 1)

    def test_wrong(self) -> None:
        with self.assertRaises(RequestError):
            self.purge("x:.evil.example/")

    def test_disk(self) -> None:
        """A disk that fails is told."""

        def fail() -> int:
            raise StoreFailed("the disk fails")

        self.patch(self.store, "purge_all", fail)
        with self.assertRaises(RequestError) as caught:
            self.purge("/*")
        self.assertEqual((caught.exception.status, caught.exception.text), (500, "the disk fails"))

    def test_others(self) -> None:
        """Other methods pass."""
        client = Client(self.handler.handle(Request("GET", "/a")))
        self.origin.last.answer(content=b"as ever")
        self.assertEqual(client.content, b"as ever")
