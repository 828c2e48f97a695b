"""What a client may ask for (RFC 9111, 5.2.1 and 5.4; RFC 8246)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from netlab.cache.policy import Reason, Unavailable, decide
from tests.cache.policy.decisions import Decisions
from tests.cache.policy.support import NOW, control, get, stored

FRESH = control("max-age=60")
TAG = ("ETag", '"x"')


class RequestDirectives(Decisions):
    """5.2.1. RFC 9211, 2.2: request, when a fresh response is not what the client wants."""

    def test_max_age(self) -> None:
        """5.2.1.1."""
        entry = stored(FRESH, TAG)
        self.assert_asked(self.verdict(entry, control("max-age=0")), Reason.REQUEST)
        self.assert_asked(self.verdict(entry, control("max-age=9")), Reason.REQUEST)
        self.assert_served(self.verdict(entry, control("max-age=10")))
        self.assert_served(self.verdict(entry, control("max-age=0"), after=0))

    def test_max_age_from_elsewhere(self) -> None:
        """Its Age counts."""
        entry = stored(control("max-age=3600"), ("Age", "1800"), TAG)
        self.assert_asked(self.verdict(entry, control("max-age=600"), after=0), Reason.REQUEST)

    def test_invalid(self) -> None:
        """Advice that is not understood is not taken."""
        for value in ("max-age=x", "min-fresh=x", "max-age='0'", "max-stale=x"):
            self.assert_served(self.verdict(stored(FRESH), control(value)))

    def test_min_fresh(self) -> None:
        """5.2.1.3."""
        entry = stored(FRESH, TAG)
        self.assert_served(self.verdict(entry, control("min-fresh=50")))
        self.assert_asked(self.verdict(entry, control("min-fresh=51")), Reason.REQUEST)
        self.assert_asked(self.verdict(entry, control("min-fresh=2000")), Reason.REQUEST)

    def test_no_cache(self) -> None:
        """5.2.1.4."""
        entry = stored(FRESH, TAG)
        for value in ("no-cache", "NO-CACHE", "max-stale, no-cache", 'no-cache="x"'):
            found = self.verdict(entry, control(value))
            if '"' in value:  # field names mean nothing in a request
                self.assert_served(found)
            else:
                self.assert_asked(found, Reason.REQUEST)

    def test_no_store(self) -> None:
        """5.2.1.5: it does not apply to what is stored already."""
        self.assert_served(self.verdict(stored(FRESH), control("no-store")))

    def test_pragma(self) -> None:
        """5.4: as no-cache, where there is no Cache-Control."""
        entry, pragma = stored(FRESH, TAG), ("Pragma", "no-cache")
        self.assert_asked(self.verdict(entry, pragma), Reason.REQUEST)
        self.assert_served(self.verdict(entry, pragma, control("max-age=60")))
        self.assert_served(self.verdict(entry, ("Pragma", "unrecognised-extension")))

    def test_only_if_cached(self) -> None:
        """5.2.1.7: what is stored and wanted, or 504."""
        only = control("only-if-cached")
        self.assert_served(self.verdict(stored(FRESH), only))
        self.assert_served(
            self.verdict(stored(FRESH), control("only-if-cached, max-stale"), after=70), stale=True
        )
        for found in (
            decide(get(only), [], NOW),
            self.verdict(stored(FRESH, TAG), only, after=60),
            self.verdict(stored(FRESH, TAG), control("only-if-cached, max-age=0")),
            self.verdict(stored(FRESH), only, ("If-Match", '"x"')),
            decide(get(only), [stored(FRESH, ("Vary", "A"), request=get(("A", "1")))], NOW),
        ):
            self.assertIsInstance(found, Unavailable)

    def test_max_stale(self) -> None:
        """5.2.1.2."""
        entry = stored(FRESH, TAG)
        for value, after, served in (
            ("max-stale", 1e6, True),
            ("max-stale=10", 70, True),
            ("max-stale=10", 70.5, False),
            ("max-stale=0", 60, True),
            ("max-stale=0", 60.5, False),
            ("max-stale=x", 70, False),
            ("max-stale=100, min-fresh=1", 70, False),
            ("max-stale=100, max-age=60", 70, True),
            ("max-stale=10, max-age=0", 60, False),
        ):
            found = self.verdict(entry, control(value), after=after)
            if served:
                served_stale = self.assert_served(found, stale=True)
                self.assertIsNone(served_stale.background)
            else:
                self.assert_asked(found, Reason.STALE)

    def test_max_stale_forbidden(self) -> None:
        """4.2.4: what the origin forbids, no client permits."""
        for value in ("must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=60"):
            entry = stored(control(f"max-age=60, {value}"), TAG)
            self.assert_asked(self.verdict(entry, control("max-stale"), after=70), Reason.STALE)

    def test_max_age_with_max_stale(self) -> None:
        """5.2.1.1: max-stale extends what max-age allows."""
        entry = stored(FRESH, TAG)
        self.assert_served(self.verdict(entry, control("max-age=5, max-stale=5"), after=10))
        self.assert_asked(
            self.verdict(entry, control("max-age=5, max-stale=4"), after=10), Reason.REQUEST
        )


class Immutable(Decisions):
    """RFC 8246."""

    entry = stored(control("max-age=60, immutable"), TAG)

    def test_reload(self) -> None:
        """2.1: a fresh response is not validated for max-age=0..."""
        self.assert_served(self.verdict(self.entry, control("max-age=0")))

    def test_forced(self) -> None:
        """...but for no-cache it is."""
        self.assert_asked(self.verdict(self.entry, control("no-cache")), Reason.REQUEST)
        self.assert_asked(self.verdict(self.entry, ("Pragma", "no-cache")), Reason.REQUEST)

    def test_min_fresh(self) -> None:
        self.assert_asked(self.verdict(self.entry, control("min-fresh=90")), Reason.REQUEST)

    def test_stale(self) -> None:
        """2: only during the freshness lifetime."""
        self.assert_asked(self.verdict(self.entry, after=60), Reason.STALE)

    def test_in_request(self) -> None:
        """2: no effect."""
        plain = stored(FRESH, TAG)
        found = self.verdict(plain, control("max-age=0, immutable"))
        self.assert_asked(found, Reason.REQUEST)
