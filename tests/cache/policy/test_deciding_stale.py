"""What may be served stale, and for how long (RFC 9111, 4.2.4; RFC 5861)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from math import inf

from netlab.cache.policy import (
    DEFAULTS,
    Forward,
    Options,
    Reason,
    Revalidate,
    decide,
    instead_of_error,
    is_error,
)
from tests.cache.policy.decisions import Decisions
from tests.cache.policy.support import NOW, control, get, head, stored

FRESH = control("max-age=60")
TAG = ("ETag", '"x"')


class StaleWhileRevalidate(Decisions):
    """RFC 5861, 3."""

    entry = stored(control("max-age=60, stale-while-revalidate=30"), TAG)

    def test_within(self) -> None:
        """Served at once, and asked about without the client."""
        found = self.assert_served(self.verdict(self.entry, ("A", "1"), after=70), stale=True)
        self.assertEqual((found.age, found.ttl), (70, -10))
        background = found.background
        assert isinstance(background, Revalidate)
        self.assertEqual(list(background.fields), [("A", "1"), ("If-None-Match", '"x"')])
        self.assertIsNone(instead_of_error(background, NOW + 70))

    def test_fresh(self) -> None:
        self.assertIsNone(self.assert_served(self.verdict(self.entry, after=59)).background)

    def test_window(self) -> None:
        self.assert_served(self.verdict(self.entry, after=90), stale=True)
        self.assert_asked(self.verdict(self.entry, after=90.5), Reason.STALE)

    def test_without_validator(self) -> None:
        """All of it is asked for, whatever part the client wanted."""
        entry = stored(control("max-age=60, stale-while-revalidate=30"))
        found = self.verdict(entry, ("Range", "bytes=0-1"), ("If-None-Match", '"y"'), after=70)
        background = self.assert_served(found, stale=True).background
        assert isinstance(background, Forward)
        self.assertEqual(len(background.fields), 0)

    def test_head(self) -> None:
        """The background request is a GET, which brings the entry up to date."""
        found = self.assert_served(decide(head(), [self.entry], NOW + 70), stale=True)
        self.assertIsInstance(found.background, Revalidate)

    def test_client_wants_fresh(self) -> None:
        """5.2.1.1: with max-age the client does not wish to receive a stale response."""
        for value in ("no-cache", "max-age=90", "min-fresh=0"):
            found = self.verdict(self.entry, control(value), after=70)
            self.assert_asked(found, Reason.STALE)

    def test_forbidden(self) -> None:
        """4.2.4: a MUST NOT outweighs a MAY."""
        for value in ("must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"):
            entry = stored(control(f"max-age=60, stale-while-revalidate=30, {value}"), TAG)
            self.assert_asked(self.verdict(entry, after=70), Reason.STALE)

    def test_invalid(self) -> None:
        entry = stored(control("max-age=60, stale-while-revalidate=x"), TAG)
        self.assert_asked(self.verdict(entry, after=60), Reason.STALE)

    def test_max_stale_needs_no_background(self) -> None:
        found = self.verdict(self.entry, control("max-stale=100"), after=70)
        self.assertIsNone(self.assert_served(found, stale=True).background)


class StaleIfError(Decisions):
    """RFC 5861, 4; RFC 9111, 4.2.4."""

    def until(
        self,
        *pairs: tuple[str, str],
        response: str = "max-age=60",
        after: float = 60,
        options: Options = DEFAULTS,
    ) -> float:
        """For how many seconds after its arrival a response may stand in for an error."""
        found = self.verdict(stored(control(response), TAG), *pairs, after=after, options=options)
        assert isinstance(found, Revalidate)
        return found.fallback_until - NOW

    def test_origin(self) -> None:
        self.assertEqual(self.until(response="max-age=60, stale-if-error=120"), 180)
        self.assertEqual(self.until(response="max-age=60, stale-if-error=0"), 60)
        self.assertEqual(self.until(response="max-age=60, stale-if-error=x"), 60)
        self.assertEqual(self.until(), 60)

    def test_client(self) -> None:
        """Its scope is the request."""
        self.assertEqual(self.until(control("stale-if-error=30")), 90)
        self.assertEqual(
            self.until(control("stale-if-error=30"), response="max-age=60, stale-if-error=120"), 180
        )
        self.assertEqual(self.until(control("stale-if-error=x")), 60)

    def test_options(self) -> None:
        """They count where the origin says nothing."""
        options = Options(stale_if_error=1000)
        self.assertEqual(self.until(options=options), 1060)
        self.assertEqual(self.until(response="max-age=60, stale-if-error=5", options=options), 65)
        self.assertEqual(self.until(options=Options(stale_if_error=inf)), inf)

    def test_forbidden(self) -> None:
        """5.2.2.2: even when disconnected."""
        options = Options(stale_if_error=1000)
        for value in ("must-revalidate", "proxy-revalidate", "s-maxage=60"):
            response = f"max-age=60, stale-if-error=120, {value}"
            self.assertEqual(self.until(response=response, options=options), 60, value)
        self.assertEqual(self.until(response="no-cache, stale-if-error=120", options=options), -inf)

    def test_fresh(self) -> None:
        """A request's wish for a newer one is advice: rather a fresh response than an error."""
        self.assertEqual(self.until(control("no-cache"), after=10), 60)
        self.assertEqual(
            self.until(control("no-cache"), response="max-age=60, must-revalidate", after=10), 60
        )

    def test_instead(self) -> None:
        entry = stored(control("max-age=60, stale-if-error=120"), TAG)
        verdict = self.verdict(entry, after=60)
        found = instead_of_error(verdict, NOW + 179)
        assert found is not None
        self.assertEqual((found.entry, found.age, found.ttl, found.stale), (entry, 179, -119, True))
        self.assertIsNone(instead_of_error(verdict, NOW + 180))

    def test_not_a_moment_longer(self) -> None:
        """Where nothing permits it to be stale, the moment of its expiration is too late."""
        for value in ("max-age=0", "max-age=0, must-revalidate"):
            verdict = self.verdict(stored(control(value), TAG), after=0)
            self.assertIsNone(instead_of_error(verdict, NOW))

    def test_without_validator(self) -> None:
        entry = stored(control("max-age=60, stale-if-error=120"))
        self.assertIsNotNone(instead_of_error(self.verdict(entry, after=60), NOW + 100))
        found = decide(head(), [entry], NOW + 60)
        self.assertIsNotNone(instead_of_error(found, NOW + 100))

    def test_nothing_instead(self) -> None:
        for found in (
            decide(get(), [], NOW),
            self.verdict(stored(FRESH)),
            self.verdict(stored(FRESH, TAG), after=61),
            decide(get(control("only-if-cached")), [], NOW),
            self.verdict(stored(FRESH, TAG), ("If-Match", '"x"')),
        ):
            self.assertIsNone(instead_of_error(found, NOW + 61))

    def test_errors(self) -> None:
        """RFC 5861, 4; others by option."""
        self.assertEqual(
            [status for status in range(100, 600) if is_error(status)], [500, 502, 503, 504]
        )
        options = Options(errors=frozenset({403, 429, 503}))
        self.assertTrue(is_error(429, options))
        self.assertFalse(is_error(500, options))
