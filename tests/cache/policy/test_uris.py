"""Cache keys and origins (RFC 9110, 4.2.3 and 4.3.1; RFC 3986, 5)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy.uris import cache_key, origin, resolve

BASE = "http://a/b/c/d;p?q"

uri_like = st.text(st.sampled_from("htp:/.?#@[]%7eE80aB;= \xe9"), max_size=30)
paths = st.lists(st.sampled_from(["", ".", "..", "a", "b.c", "..."]), max_size=8).map("/".join)


def by_the_letter(path: str) -> str:
    """The path ``/path`` without its dot segments."""
    left, done = f"/{path}", ""
    while left:
        if left.startswith("/./"):  # 2B
            left = left[2:]
        elif left == "/.":
            left = "/"
        elif left.startswith("/../"):  # 2C
            left, done = left[3:], done.rpartition("/")[0]
        elif left == "/..":
            left, done = "/", done.rpartition("/")[0]
        else:  # 2E
            end = left.find("/", 1)
            end = len(left) if end < 0 else end
            left, done = left[end:], done + left[:end]
    return done


class Keys(SynchronousTestCase):
    def test_equivalent(self) -> None:
        """4.2.3: scheme, host, port and an empty path."""
        for uri in (
            "http://example.com/",
            "http://example.com",
            "http://example.com:80/",
            "http://example.com:/",
            "HTTP://EXAMPLE.com:0080/",
            "http://user:password@example.com/",
            "http://example.com/#fragment",
        ):
            self.assertEqual(cache_key(uri), "http://example.com/", uri)
        self.assertEqual(cache_key("https://h:443/a"), "https://h/a")
        self.assertEqual(cache_key("http://h?b"), "http://h/?b")
        self.assertEqual(cache_key("http://[::1]:80/"), "http://[::1]/")
        self.assertEqual(cache_key("http://[::1]:81/"), "http://[::1]:81/")

    def test_different(self) -> None:
        """What an origin may tell apart is not mixed: path and query, byte for byte."""
        keys = [
            *("http://h/", "https://h/", "http://h:81/", "http://h:443/", "http://i/"),
            *(
                "http://h//",
                "http://h/?",
                "http://h/a",
                "http://h/A",
                "http://h/a?",
                "http://h/a?b",
            ),
            *("http://h/%7Ea", "http://h/%7ea", "http://h/~a", "http://h/./a", "http://h/a/"),
        ]
        self.assertEqual(len({cache_key(each) for each in keys}), len(keys))

    @given(uri_like)
    def test_any_text(self, uri: str) -> None:
        """Nothing is raised, and the key of a key is the key."""
        key = cache_key(uri)
        self.assertEqual(cache_key(key), key)
        origin(uri)
        resolve(uri, uri)


class Origins(SynchronousTestCase):
    def test_triple(self) -> None:
        """4.3.1."""
        self.assertEqual(origin("https://Example.Com/happy.js"), ("https", "example.com", "443"))
        self.assertEqual(origin("http://h:080/x"), ("http", "h", "80"))
        self.assertEqual(origin("http://evil@h/"), ("http", "h", "80"))
        self.assertEqual(origin("http://h@evil/"), ("http", "evil", "80"))
        self.assertEqual(origin("/path"), ("", "", ""))

    def test_distinct(self) -> None:
        origins = {origin(uri) for uri in ("http://h/", "https://h/", "http://h:81/", "http://i/")}
        self.assertEqual(len(origins), 4)


class References(SynchronousTestCase):
    def test_normal_examples(self) -> None:
        """RFC 3986, 5.4.1; fragments are left out."""
        for reference, uri in (
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x=1", "http://a/b/c/g;x=1"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
        ):
            self.assertEqual(resolve(BASE, reference), uri, reference)

    def test_abnormal_examples(self) -> None:
        """RFC 3986, 5.4.2."""
        for reference, uri in (
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
        ):
            self.assertEqual(resolve(BASE, reference), uri, reference)

    def test_base_without_path(self) -> None:
        """RFC 3986, 5.2.3."""
        self.assertEqual(resolve("http://a", "g"), "http://a/g")
        self.assertEqual(resolve("http://a?q", ""), "http://a?q")

    @given(paths)
    def test_dots(self, path: str) -> None:
        """RFC 3986, 5.2.4: as its steps say, letter by letter."""
        self.assertEqual(resolve("http://a", f"/b/{path}"), f"http://a{by_the_letter(f'b/{path}')}")
