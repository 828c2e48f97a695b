"""What an origin is told of its clients, and what of it they can make up."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from netlab.cache.gateway import ReverseProxy, Telling
from netlab.cache.gateway.telling import FORWARDED_FOR, is_local
from netlab.cache.policy import Options
from netlab.http import Request

from .support import FRESH, Client, GatewayCase

HERE = IPv4Address("TCP", "127.0.0.1", 40000)
THERE = IPv4Address("TCP", "192.0.2.1", 40000)


class Connected:
    """Where a request came from."""

    scheme = "http"

    def __init__(self, peer: IAddress) -> None:
        self.peer = peer


def asked(peer: IAddress | None, *pairs: tuple[str, str], path: str = "/a") -> Request:
    request = Request("GET", path, pairs)
    request._connection = None if peer is None else Connected(peer)
    return request


class Told(GatewayCase):
    def told(self, peer: IAddress | None, *chain: str, public: str | None = None) -> Any:
        pairs = [("X-Forwarded-For", each) for each in chain]
        return dict(Telling(public)(asked(peer, *pairs)))

    def test_the_client(self) -> None:
        for peer, expected in (
            (THERE, "192.0.2.1"),
            (IPv6Address("TCP", "2001:db8::1", 1), "2001:db8::1"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::1"),
            (IPv6Address("TCP", "::ffff:192.0.2.1", 1), "192.0.2.1"),
        ):
            self.assertEqual(self.told(peer), {"X-Forwarded-For": expected})
            self.assertFalse(is_local(asked(peer)))
        for nobody in (UNIXAddress(None), None):
            self.assertEqual(self.told(nobody), {})

    def test_a_proxy_on_this_machine(self) -> None:
        """It knows the client; anybody else could have made it up."""
        for peer, own in (
            (HERE, ", 127.0.0.1"),
            (IPv6Address("TCP", "::1", 1), ", ::1"),
            (IPv6Address("TCP", "::ffff:127.0.0.1", 1), ", 127.0.0.1"),
            (UNIXAddress(None), ""),
        ):
            found = self.told(peer, "192.0.2.7", "192.0.2.8")
            self.assertEqual(found, {"X-Forwarded-For": f"192.0.2.7, 192.0.2.8{own}"})
        self.assertEqual(self.told(THERE, "127.0.0.1"), {"X-Forwarded-For": "192.0.2.1"})

    def test_the_public_name(self) -> None:
        for public, host, scheme in (
            ("https://www.example.org", "www.example.org", "https"),
            ("http://www.example.org:80", "www.example.org", "http"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", "https"),
        ):
            found = self.told(None, public=public)
            self.assertEqual(found, {"X-Forwarded-Host": host, "X-Forwarded-Proto": scheme})


class ThroughTheGateway(GatewayCase):
    def setUp(self) -> None:
        super().setUp()
        self.made(
            tell=Telling("https://www.example.org"),
            options=Options(told=frozenset({"X-Forwarded-For"})),
        )
        self.proxy = ReverseProxy(self.gateway, "http://example.org")

    def send(self, peer: IAddress, *pairs: tuple[str, str], path: str = "/a") -> Client:
        client = Client(self.proxy.handle(asked(peer, *pairs, path=path)))
        self.clients.append(client)
        return client

    def test_what_is_made_up(self) -> None:
        self.send(
            THERE,
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Real-IP", "127.0.0.1"),
            ("X-Forwarded-Proto", "gopher"),
            ("X-Forwarded-Host", "evil.example"),
            ("Proxy", "http://evil.example/"),
        )
        fields = self.origin.last.fields
        names = {"via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
        self.assertEqual(set(fields.names()), names)
        self.assertEqual(fields.lines("x-forwarded-for"), ("192.0.2.1",))
        self.assertEqual(fields.lines("x-forwarded-proto"), ("https",))
        self.origin.last.answer(FRESH)

    def test_each_way(self) -> None:
        """A miss, a validation, a refresh in the background, and what is not a GET."""
        control = ("Cache-Control", "max-age=1, stale-while-revalidate=60")
        self.send(THERE)
        self.origin.last.answer(control, ("ETag", '"1"'))
        self.clock.advance(2)
        self.send(THERE)
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.last.answer(control, ("ETag", '"1"'), status=304)
        self.send(THERE, ("Cache-Control", "no-cache"))
        self.origin.last.answer(("ETag", '"1"'), status=304)
        request = asked(THERE)
        request.method = "DELETE"
        self.clients.append(Client(self.proxy.handle(request)))
        self.origin.last.answer()
        self.assertEqual(len(self.origin.asked), 4)
        for each in self.origin.asked:
            self.assertEqual(each.fields.get(FORWARDED_FOR), "192.0.2.1")
            self.assertEqual(each.fields.get("x-forwarded-proto"), "https")

    def test_what_varies_by_it(self) -> None:
        """RFC 9111, 4.1: by the client's address it is for one client; the rest is fixed."""
        for name, hits in (("X-Forwarded-For", False), ("X-Forwarded-Proto", True)):
            for number, peer in enumerate((THERE, HERE)):
                client = self.send(peer, path=f"/{name}")
                if number and hits:
                    self.assertIn("hit", client.told)
                else:
                    self.origin.last.answer(FRESH, ("Vary", name), content=b"%d" % number)
                    self.assertEqual(client.content, b"%d" % number)
            self.assertEqual(len(self.entries(f"/{name}")), int(hits))
