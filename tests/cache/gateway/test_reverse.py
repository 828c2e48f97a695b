"""One origin behind the gateway."""

from __future__ import annotations

from netlab.cache.gateway import ReverseProxy, parse_origin
from netlab.errors import ConfigurationError
from netlab.http import Request, RequestError
from tests.cache.gateway.support import FRESH, Client, GatewayCase


class Origins(GatewayCase):
    def test_good(self) -> None:
        for text, expected in (
            ("http://Example.org", "http://example.org"),
            ("http://example.org:80/", "http://example.org"),
            ("https://example.org:8443", "https://example.org:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("HTTP://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        ):
            self.assertEqual(parse_origin(text), expected)

    def test_bad(self) -> None:
        for text in (
            *("", "example.org", "ftp://example.org", "http://", "http://example.org/a"),
            *("http://example.org?a", "http://user@example.org", "http://example.org:99999"),
            *("http://example.org:0", "http://exa mple", "http://example.org/#a", "http://a\n"),
            "http://example.org#",
        ):
            with self.assertRaises(ConfigurationError) as caught:
                parse_origin(text)
            self.assertIn("HOST[:PORT]", str(caught.exception))


class Targets(GatewayCase):
    def setUp(self) -> None:
        super().setUp()
        self.proxy = ReverseProxy(self.gateway, "http://example.org")

    def uri(self, target: str) -> str:
        """The URI that the origin is asked for."""
        self.clients.append(Client(self.proxy.handle(Request("GET", target, [("Host", "x")]))))
        self.origin.last.answer(("Cache-Control", "no-store"))
        return self.origin.last.uri

    def test_paths(self) -> None:
        for target in (
            "/",
            "/a/b",
            "/a?b=1&b=2",
            "/a?",
            "//evil.example/a",
            "/a%2Fb",
            "/../a",
            "/?x",
        ):
            self.assertEqual(self.uri(target), f"http://example.org{target}")

    def test_whole_uris(self) -> None:
        """Whatever host they name, the origin is asked."""
        self.assertEqual(self.uri("http://evil.example/a?b"), "http://example.org/a?b")
        self.assertEqual(self.uri("https://evil.example"), "http://example.org/")
        self.assertEqual(self.uri("http://evil.example?b"), "http://example.org/?b")

    def test_no_other_host(self) -> None:
        """What would be a part of the authority, were it put behind it."""
        for target in ("x:.evil.example/", "x:@evil.example/", "x:8080/", "ftp://h/a", "http:evil"):
            with self.assertRaises(RequestError) as caught:
                self.proxy.handle(Request("GET", target))
            self.assertEqual(caught.exception.status, 400)
        self.assertEqual(self.origin.asked, [])

    def test_about_the_server(self) -> None:
        client = Client(self.proxy.handle(Request("OPTIONS", "*")))
        self.assertEqual((client.status, self.origin.asked), (204, []))

    def test_host_is_no_part_of_the_key(self) -> None:
        """The origin is asked as what it is called, whoever asks; all get the same."""
        first = Client(self.proxy.handle(Request("GET", "/a", [("Host", "one.example")])))
        self.origin.last.answer(FRESH, content=b"same")
        second = Client(self.proxy.handle(Request("GET", "/a", [("Host", "two.example")])))
        self.assertEqual((first.content, second.content), (b"same", b"same"))
        self.assertEqual(len(self.origin.asked), 1)

    def test_parameters_are_a_part_of_the_key(self) -> None:
        """Byte for byte: what an origin could tell apart is never mixed."""
        targets = ["/a?x=1", "/a?x=1&x=2", "/a?x=2&x=1", "/a?x=1;x=2", "/a?X=1", "/a", "/a?"]
        targets += ["/A", "/a/", "//a", "/%61", "/a?x=%31"]
        for number, target in enumerate(targets):
            Client(self.proxy.handle(Request("GET", target)))
            self.origin.last.answer(FRESH, content=b"%d" % number)
        for number, target in enumerate(targets):
            self.assertEqual(
                Client(self.proxy.handle(Request("GET", target))).content, b"%d" % number
            )
        self.assertEqual(len(self.origin.asked), len(targets))
