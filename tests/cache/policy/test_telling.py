"""Cache-Status (RFC 9211)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import (
    CacheStatus,
    Forward,
    Reason,
    Refusal,
    Unavailable,
    add_cache_status,
    decide,
    status_of,
)
from netlab.fields import Fields, Item, Token, parse_list
from tests.cache.policy.support import NOW, control, get, stored


class Members(SynchronousTestCase):
    def test_examples(self) -> None:
        """3: the RFC's own."""
        for status, text in (
            (CacheStatus(cache="ExampleCache", hit=True), "ExampleCache; hit"),
            (CacheStatus(cache="ExampleCache", hit=True, ttl=376), "ExampleCache; hit; ttl=376"),
            (CacheStatus(cache="ExampleCache", hit=True, ttl=-412), "ExampleCache; hit; ttl=-412"),
            (
                CacheStatus(cache="ExampleCache", fwd=Reason.URI_MISS),
                "ExampleCache; fwd=uri-miss",
            ),
            (
                CacheStatus(cache="ExampleCache", fwd=Reason.STALE, fwd_status=304),
                "ExampleCache; fwd=stale; fwd-status=304",
            ),
            (
                CacheStatus(cache="ExampleCache", fwd=Reason.URI_MISS, collapsed=True),
                "ExampleCache; fwd=uri-miss; collapsed",
            ),
            (
                CacheStatus(cache="ExampleCache", fwd=Reason.URI_MISS, collapsed=False),
                "ExampleCache; fwd=uri-miss; collapsed=?0",
            ),
            (
                CacheStatus(cache="CDN Company Here", hit=True, ttl=545),
                '"CDN Company Here"; hit; ttl=545',
            ),
            (
                CacheStatus(cache="ExampleCache", hit=True, detail="MEMORY"),
                "ExampleCache; hit; detail=MEMORY",
            ),
        ):
            self.assertEqual(parse_list(str(status)), parse_list(text))

    def test_all(self) -> None:
        """2: each parameter with its type."""
        status = CacheStatus(
            cache="netlab",
            fwd=Reason.VARY_MISS,
            fwd_status=200,
            ttl=59.9,
            stored=True,
            collapsed=True,
            key="http://example.org/a",
            detail="two words",
        )
        self.assertEqual(
            parse_list(str(status)),
            [
                Item(
                    Token("netlab"),
                    {
                        "fwd": Token("vary-miss"),
                        "fwd-status": 200,
                        "ttl": 59,
                        "stored": True,
                        "collapsed": True,
                        "key": "http://example.org/a",
                        "detail": "two words",
                    },
                )
            ],
        )

    def test_only_with_fwd(self) -> None:
        """2.3, 2.5, 2.6: meaningful only when fwd is present."""
        status = CacheStatus(cache="netlab", hit=True, fwd_status=200, stored=True, collapsed=True)
        self.assertEqual(str(status), "netlab;hit")

    def test_reasons(self) -> None:
        """2.2: partial is never said, since no parts are stored; nor is the vague "miss"."""
        self.assertEqual(
            {each.value for each in Reason},
            {"bypass", "method", "uri-miss", "vary-miss", "request", "stale"},
        )

    def test_refusals(self) -> None:
        """Why a response is not stored can be said as a token."""
        for each in Refusal:
            status = CacheStatus(cache="netlab", fwd=Reason.URI_MISS, detail=each)
            self.assertEqual(str(status), f"netlab;fwd=uri-miss;detail={each.value}")

    def test_ttl_rounds_down(self) -> None:
        """2.4: it may be negative."""
        for ttl, text in ((0.9, "0"), (-0.1, "-1"), (1e300, "9" * 15), (-1e300, "-" + "9" * 15)):
            status = CacheStatus(cache="c", hit=True, ttl=ttl)
            self.assertEqual(str(status), f"c;hit;ttl={text}")

    @given(st.text(), st.none() | st.text(), st.none() | st.text())
    def test_any_text(self, cache: str, key: str | None, detail: str | None) -> None:
        """A key comes from a client: whatever it holds, one well-formed member."""
        status = CacheStatus(cache=cache, hit=True, key=key, detail=detail)
        fields = add_cache_status(Fields(), status)
        self.assertEqual(len(parse_list(fields.get("cache-status") or "") or ()), 1)


class Telling(SynchronousTestCase):
    def test_appended(self) -> None:
        """2: the members of others stay, and come first."""
        fields = Fields([("Cache-Status", "OriginCache; hit; ttl=1100"), ("A", "b")])
        fields = add_cache_status(fields, CacheStatus(cache="netlab", hit=True))
        self.assertEqual(fields.get("cache-status"), "OriginCache; hit; ttl=1100, netlab;hit")

    def test_verdicts(self) -> None:
        entry = stored(control("max-age=60"), ("ETag", '"x"'))
        for pairs, entries, after, text in (
            ((), [], 0, "n;fwd=uri-miss"),
            ((), [entry], 10, "n;hit;ttl=50"),
            ((), [entry], 70, "n;fwd=stale"),
            ((control("max-stale"),), [entry], 70, "n;hit;ttl=-10"),
            ((control("no-cache"),), [entry], 10, "n;fwd=request"),
        ):
            verdict = decide(get(*pairs), entries, NOW + after)
            assert not isinstance(verdict, Unavailable)
            self.assertEqual(str(status_of("n", verdict)), text)

    def test_filled_in(self) -> None:
        verdict = decide(get(), [], NOW)
        assert isinstance(verdict, Forward)
        status = replace(status_of("n", verdict), stored=True, ttl=60)
        self.assertEqual(str(status), "n;fwd=uri-miss;ttl=60;stored")
