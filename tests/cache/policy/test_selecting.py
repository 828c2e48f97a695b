"""Which stored response answers a request (RFC 9111, 4 and 4.1)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import DEFAULTS
from netlab.cache.policy.selecting import choose, matches, matching, selecting, vary_names
from netlab.fields import Fields
from tests.cache.policy.support import NOW, control, get, stored
from tests.fields.test_collection import sections

FRESH = control("max-age=60")
negotiation = st.text(st.sampled_from('gzipbr;q=01.,* /"\\\t'), max_size=24)


def same(name: str, one: str, other: str) -> bool:
    """Whether two values of a request field select the same response."""
    entry = stored(FRESH, ("Vary", name), request=get((name, one)))
    return matches(entry, Fields([(name, other)]))


class Matching(SynchronousTestCase):
    def matched(self, asked: Fields, *first: tuple[str, str], vary: str = "Foo, Bar") -> bool:
        return matches(stored(FRESH, ("Vary", vary), request=get(*first)), asked)

    def test_values(self) -> None:
        """4.1: all nominated fields match."""
        first = (("Foo", "1"), ("Bar", "abc"), ("Other", "2"))
        for pairs, matched in (
            ([("Foo", "1"), ("Bar", "abc")], True),
            ([("bar", "abc"), ("FOO", " 1 "), ("Other", "3")], True),
            ([("Foo", "2"), ("Bar", "abc")], False),
            ([("Foo", "1"), ("Bar", "ABC")], False),
            ([("Foo", "1")], False),
            ([], False),
        ):
            self.assertEqual(self.matched(Fields(pairs), *first), matched, pairs)

    def test_absent(self) -> None:
        """4.1: what is absent matches what is absent, and nothing else; empty is not absent."""
        self.assertTrue(self.matched(Fields([("Foo", "1")]), ("Foo", "1")))
        self.assertTrue(self.matched(Fields()))
        self.assertFalse(self.matched(Fields([("Foo", "")])))
        self.assertFalse(self.matched(Fields(), ("Foo", "")))

    def test_combined_lines(self) -> None:
        """4.1: several lines are one value."""
        self.assertTrue(self.matched(Fields([("Foo", "1"), ("Foo", "2")]), ("Foo", "1, 2")))

    def test_without_vary(self) -> None:
        self.assertTrue(matches(stored(FRESH), Fields([("Anything", "x")])))

    def test_names(self) -> None:
        """9110, 12.5.5."""
        self.assertEqual(vary_names(Fields([("Vary", "b, A"), ("Vary", ",a")])), ("a", "b"))
        self.assertEqual(vary_names(Fields()), ())
        self.assertIsNone(vary_names(Fields([("Vary", "a"), ("Vary", "*")])))


class Normalizing(SynchronousTestCase):
    """4.1: what is known to mean the same."""

    def test_equivalent(self) -> None:
        for name, one, other in (
            ("Accept-Encoding", "gzip, br", "br,gzip"),
            ("Accept-Encoding", "gzip;q=1.0, br;q=0.50", "br; Q=0.5 , GZIP"),
            ("Accept-Encoding", "", " "),
            ("Accept-Language", "en-GB,de;q=0.5", "EN-gb , de; q=0.500"),
            ("Accept-Language", "de;q=0.5, en", "en, de;q=0.5"),
            ("Accept", "text/html,*/*;q=0.8", "*/*; q=0.8 , TEXT/html"),
            ("Accept", 'a/b;C="d"', "a/b; c=d"),
            ("Accept-Charset", "utf-8", "UTF-8;q=1"),
        ):
            self.assertTrue(same(name, one, other), (name, one, other))

    def test_different(self) -> None:
        for name, one, other in (
            ("Accept-Encoding", "gzip", "gzip;q=0"),
            ("Accept-Encoding", "gzip", "br"),
            ("Accept-Language", "en, de", "de, en"),  # some servers take it for a preference
            ("Accept", "a/b;c=d", "a/b;c=D"),
            ("Accept", 'a/b;c="d;e=f"', "a/b;c=d;e=f"),
            ("Accept", "a/b, c/d", '"a/b, c/d"'),
            ("Foo", "1,2", "1, 2"),  # of an unknown field nothing is known
            ("User-Agent", "x (a, b)", "x (a,b)"),
            ("Cookie", "a=b", "A=b"),
        ):
            self.assertFalse(same(name, one, other), (name, one, other))

    def test_malformed(self) -> None:
        """It is what it is."""
        for value in ("gzip;q=2", "gzip;q", 'gz"ip', "gzip;q=x", "a b", "gzip;;;=1"):
            self.assertTrue(same("Accept-Encoding", value, value))
            self.assertFalse(same("Accept-Encoding", value, "gzip"))

    def test_long(self) -> None:
        value = ", ".join(f"x{number}" for number in range(200))
        self.assertTrue(same("Accept-Encoding", value, value.replace(" ", "")))

    @given(st.sampled_from(["accept", "accept-encoding", "accept-language", "foo"]), negotiation)
    def test_any_text(self, name: str, value: str) -> None:
        """Normalizing what is normal changes nothing: it never wanders."""
        ((_, once),) = selecting([name], Fields([(name, value)]))
        assert once is not None
        self.assertEqual(selecting([name], Fields([(name, once)])), ((name, once),))

    @given(sections, st.lists(st.sampled_from(["a", "b", "accept", "*", "c d"])))
    def test_own_request(self, pairs: list[tuple[str, str]], names: list[str]) -> None:
        """A stored response matches the request that it answered."""
        request = get(*pairs)
        for name in names:
            if vary_names(Fields([("Vary", name)])):
                self.assertTrue(
                    matches(stored(FRESH, ("Vary", name), request=get(*pairs)), request.fields)
                )


class Choosing(SynchronousTestCase):
    """4 and 4.1."""

    def test_most_recent(self) -> None:
        """By Date, not by arrival."""
        old = stored(FRESH, ("Date", "Sun, 09 Sep 2001 01:00:00 GMT"), at=NOW + 5)
        new = stored(FRESH, ("Date", "Sun, 09 Sep 2001 01:30:00 GMT"), at=NOW)
        for entries in ([old, new], [new, old]):
            self.assertEqual(choose(entries, DEFAULTS), new)

    def test_same_date(self) -> None:
        one, other = (
            stored(FRESH),
            stored(FRESH, ("X", "1"), ("Date", "Sun, 09 Sep 2001 01:46:40 GMT"), at=NOW + 1),
        )
        self.assertEqual(choose([other, one], DEFAULTS), other)

    def test_one_that_varies(self) -> None:
        """A default response without Vary does not hide those with it."""
        varied = stored(FRESH, ("Vary", "A"), request=get(("A", "1")), at=NOW - 50)
        default = stored(FRESH)
        found = matching([varied, default], Fields([("A", "1")]))
        self.assertEqual(choose(found, DEFAULTS), varied)
        self.assertEqual(choose(matching([varied, default], Fields()), DEFAULTS), default)

    def test_none(self) -> None:
        self.assertIsNone(choose([], DEFAULTS))
