"""Request targets: their forms, and their parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.http.errors import RequestError
from netlab.http.target import AUTHORITY, check_target, split_target


class Splitting(SynchronousTestCase):
    def test_forms(self) -> None:
        for target, wanted in (
            ("/", ("", "", "/", "")),
            ("/a?b=c?d", ("", "", "/a", "b=c?d")),
            ("//a/b", ("", "", "//a/b", "")),  # a path: it does not name a host
            ("/http://x/", ("", "", "/http://x/", "")),
            ("*", ("", "", "*", "")),
            ("http://a.b:80/c?d", ("http", "a.b:80", "/c", "d")),
            ("HTTP://a", ("http", "a", "/", "")),  # RFC 9110, 4.2.3
            ("http://a?b/c", ("http", "a", "/", "b/c")),
            ("http://[::1]:8080/", ("http", "[::1]:8080", "/", "")),
            ("urn:isbn:1?x", ("urn", "", "isbn:1", "x")),
            ("ftp://a/b", ("ftp", "a", "/b", "")),
        ):
            self.assertEqual(split_target(target), wanted, target)

    @given(st.binary(max_size=30), st.sampled_from(("GET", "OPTIONS", "X")))
    def test_anything(self, target: bytes, method: str) -> None:
        """Whatever passes can be split; nothing else happens to the rest."""
        try:
            check_target(method, target)
        except RequestError as error:
            self.assertEqual(error.status, 400)
            return
        scheme, authority, path, query = split_target(target.decode("ascii"))
        self.assertTrue(scheme or authority or path or query)
        self.assertNotIn("#", path + query)


class Authorities(SynchronousTestCase):
    def test_ports(self) -> None:
        """0 to 65535, and none at all."""
        good = [n for n in range(70000) if AUTHORITY.fullmatch(f"a:{n}")]
        self.assertEqual(good, list(range(65536)))
        for each in ("a:", "a:00080"):
            self.assertTrue(AUTHORITY.fullmatch(each), each)
        for each in ("a:-1", "a:+1", "a:1:2", "a:000080", "a: 1", "a:\u0661", ":1", ""):
            self.assertFalse(AUTHORITY.fullmatch(each), each)

    def test_octets(self) -> None:
        """What a host may consist of (RFC 3986, 3.2.2)."""
        good = "".join(chr(n) for n in range(256) if AUTHORITY.fullmatch(f"a{chr(n)}b"))
        wanted = "!$&'()*+,-.0123456789;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
        self.assertEqual(good, wanted)
