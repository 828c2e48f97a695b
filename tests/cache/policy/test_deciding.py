"""What to do with a request (RFC 9111, 4; RFC 9211, 2.2)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netlab.cache.policy import (
    DEFAULTS,
    Options,
    Reason,
    Request,
    Serve,
    Unavailable,
    decide,
    instead_of_error,
)
from netlab.cache.policy.freshness import freshness
from netlab.fields import Fields
from tests.cache.policy.decisions import Decisions
from tests.cache.policy.support import NOW, URI, ago, control, get, head, stored

FRESH = control("max-age=60")
TAG = ("ETag", '"x"')


class Misses(Decisions):
    def test_nothing_stored(self) -> None:
        """RFC 9211, 2.2: uri-miss."""
        request = get(("If-None-Match", '"y"'), ("Connection", "X"), ("X", "1"), ("A", "2"))
        found = self.assert_forwarded(decide(request, [], NOW), Reason.URI_MISS)
        self.assertEqual(list(found.fields), [("If-None-Match", '"y"'), ("A", "2")])
        self.assertIsNone(found.entry)

    def test_nothing_selected(self) -> None:
        """RFC 9211, 2.2: vary-miss; validators of another variant are not sent."""
        entry = stored(FRESH, TAG, ("Vary", "Foo"), request=get(("Foo", "1")))
        found = self.assert_forwarded(self.verdict(entry, ("Foo", "2")), Reason.VARY_MISS)
        self.assertEqual(list(found.fields), [("Foo", "2")])
        self.assert_served(self.verdict(entry, ("Foo", "1")))

    def test_methods(self) -> None:
        """4: unsafe requests are written through; and so is what is not understood."""
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "M-SEARCH", "get"):
            found = decide(get(method=method), [stored(FRESH)], NOW)
            self.assert_forwarded(found, Reason.METHOD)

    def test_content(self) -> None:
        """9110, 9.3.1."""
        request = Request("GET", URI, Fields(), content=True)
        self.assert_forwarded(decide(request, [stored(FRESH)], NOW), Reason.BYPASS)

    def test_all_variants(self) -> None:
        """4.1: each request gets its own."""
        entries = [
            stored(FRESH, ("Vary", "Foo"), ("X", value), request=get(("Foo", value)))
            for value in "abc"
        ]
        for value in "abc":
            found = decide(get(("Foo", value)), entries, NOW)
            self.assertEqual(self.assert_served(found).entry.fields.get("x"), value)


class Fresh(Decisions):
    """4.2."""

    def test_fresh(self) -> None:
        found = self.assert_served(self.verdict(stored(FRESH), after=10))
        self.assertEqual((found.age, found.ttl), (10, 50))
        self.assertIsNone(found.background)

    def test_head(self) -> None:
        """9110, 9.3.1: the response to GET answers HEAD."""
        self.assert_served(decide(head(), [stored(FRESH)], NOW + 10))

    def test_edge(self) -> None:
        """4.2: fresh while the lifetime exceeds the age."""
        self.assert_served(self.verdict(stored(FRESH), after=59.999))
        self.assert_forwarded(self.verdict(stored(FRESH), after=60), Reason.STALE)

    def test_stale(self) -> None:
        """4.3.1: its validators are sent."""
        entry = stored(FRESH, TAG, ("Last-Modified", ago(9)))
        found = self.assert_asked(self.verdict(entry, ("A", "1"), after=60), Reason.STALE)
        self.assertEqual(found.entry, entry)
        self.assertEqual(
            list(found.fields),
            [("A", "1"), ("If-None-Match", '"x"'), ("If-Modified-Since", ago(9))],
        )

    def test_stale_without_validator(self) -> None:
        found = self.verdict(stored(FRESH), ("If-None-Match", '"y"'), after=60)
        self.assertEqual(
            list(self.assert_forwarded(found, Reason.STALE).fields), [("If-None-Match", '"y"')]
        )

    def test_stale_head(self) -> None:
        """9110, 13.2.1: there is no point in a conditional HEAD."""
        found = decide(head(("A", "1")), [stored(FRESH, TAG)], NOW + 60)
        self.assertEqual(list(self.assert_forwarded(found, Reason.STALE).fields), [("A", "1")])

    def test_hop_by_hop(self) -> None:
        """9110, 7.6.1: what goes forward has none of the client's connection."""
        found = self.verdict(stored(FRESH, TAG), ("Connection", "x"), ("X", "1"), after=60)
        self.assertEqual(
            list(self.assert_asked(found, Reason.STALE).fields), [("If-None-Match", '"x"')]
        )

    def test_range(self) -> None:
        """All of it is validated, so that it can be stored again."""
        found = self.verdict(
            stored(FRESH, TAG), ("Range", "bytes=0-1"), ("If-Range", '"x"'), after=60
        )
        self.assertEqual(
            list(self.assert_asked(found, Reason.STALE).fields), [("If-None-Match", '"x"')]
        )

    def test_no_cache(self) -> None:
        """5.2.2.4: validated before any use, however fresh."""
        for value in ("no-cache, max-age=60", "No-CaChE, max-age=60", 'no-cache="Vary",max-age=60'):
            self.assert_asked(self.verdict(stored(control(value), TAG)), Reason.STALE)
        without = stored(control("no-cache, max-age=60"))
        self.assert_forwarded(self.verdict(without), Reason.STALE)

    def test_no_cache_fields(self) -> None:
        """5.2.2.4: with field names, the rest may be used."""
        self.assert_served(self.verdict(stored(control('no-cache="Set-Cookie", max-age=60'))))

    def test_invalid(self) -> None:
        """4.4: in need of a mandatory validation."""
        entry = replace(stored(FRESH, TAG), invalid=True)
        self.assert_asked(self.verdict(entry), Reason.STALE)
        self.assert_asked(self.verdict(entry, control("max-stale")), Reason.STALE)

    def test_targeted(self) -> None:
        """RFC 9213, 3.1."""
        entry = stored(control("max-age=5"), ("CDN-Cache-Control", "max-age=600"))
        self.assert_served(self.verdict(entry, after=500))


class ForTheOrigin(Decisions):
    """4.3.2: If-Match and If-Unmodified-Since are not for a cache to evaluate."""

    def test_forwarded(self) -> None:
        for pair in (("If-Match", '"x"'), ("If-Unmodified-Since", ago(0))):
            fresh = self.verdict(stored(FRESH, TAG), pair)
            found = self.assert_forwarded(fresh, Reason.REQUEST)
            self.assertEqual(list(found.fields), [pair])
            self.assertIsNone(found.entry)
            self.assert_forwarded(self.verdict(stored(FRESH, TAG), pair, after=60), Reason.STALE)


directives = st.lists(
    st.sampled_from(
        [
            *("max-age=60", "max-age=0", "s-maxage=90", "no-cache", "must-revalidate", "public"),
            *("stale-while-revalidate=30", "stale-if-error=30", "immutable", "max-age=x"),
            *("proxy-revalidate", 'no-cache="a"'),
        ]
    ),
    max_size=4,
).map(", ".join)
wishes = st.lists(
    st.sampled_from(
        [
            *("max-age=0", "max-age=30", "max-stale", "max-stale=20", "min-fresh=10", "no-cache"),
            *("only-if-cached", "no-store", "stale-if-error=20", "x"),
        ]
    ),
    max_size=3,
).map(", ".join)


class Properties(Decisions):
    @given(directives, wishes, st.floats(0, 200), st.sampled_from(["0", "50", "x"]))
    def test_rules(self, response: str, wish: str, after: float, age: str) -> None:
        """Whatever is said: what is served is fresh, or may be stale and not for too long."""
        entry = stored(control(response), TAG, ("Age", age))
        about = freshness(entry, DEFAULTS)
        verdict = self.verdict(entry, control(wish), after=after)
        if isinstance(verdict, Serve):
            self.assertGreaterEqual(verdict.age, 0)
            self.assertAlmostEqual(verdict.age + verdict.ttl, about.lifetime, places=3)
            self.assertFalse(about.control.no_cache)
            self.assertNotIn("no-cache", wish)
            if verdict.stale:
                self.assertTrue(about.may_be_stale)
                allowed = [about.control.stale_while_revalidate or 0]
                allowed += [20] * ("max-stale=20" in wish) + [10**9] * ("max-stale" in wish)
                self.assertLessEqual(-verdict.ttl, max(allowed))
        elif isinstance(verdict, Unavailable):
            self.assertIn("only-if-cached", wish)
        else:
            self.assertNotIn("only-if-cached", wish)
            instead = instead_of_error(verdict, NOW + after)
            if instead is not None and instead.stale:
                self.assertTrue(about.may_be_stale)
                self.assertLessEqual(-instead.ttl, 30)

    @given(wishes, st.floats(0, 200))
    def test_stale_forbidden(self, wish: str, after: float) -> None:
        """must-revalidate holds in all circumstances (5.2.2.2)."""
        entry = stored(control("max-age=60, must-revalidate, stale-if-error=500"), TAG)
        options = Options(stale_if_error=inf)
        verdict = self.verdict(entry, control(wish), after=after, options=options)
        if isinstance(verdict, Serve):
            self.assertLess(after, 60)
        self.assertIsNone(instead_of_error(verdict, NOW + 60.5, options))

    @given(
        st.sampled_from(
            ["cache-control", "pragma", "range", "if-none-match", "if-modified-since", "connection"]
        ),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")),
        st.floats(0, 200),
    )
    def test_any_request(self, name: str, value: str, after: float) -> None:
        self.verdict(stored(FRESH, TAG), (name, value), after=after)
