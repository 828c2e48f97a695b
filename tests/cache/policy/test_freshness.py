"""How old, and fresh for how long (RFC 9111, 4.2 and 5.1)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import DEFAULTS, Entry, Options
from netlab.cache.policy.freshness import LONGEST_HEURISTIC, age_value, freshness
from netlab.fields import INFINITE, Fields, format_date
from tests.cache.policy.support import NOW, ago, control

HEURISTIC = Options(heuristic=True)

moments = st.floats(0, 4e9)


def entry(
    *pairs: tuple[str, str],
    asked: float = NOW,
    came: float = NOW,
    date: float | None = NOW,
    status: int = 200,
) -> Entry:
    fields = Fields(pairs)
    if date is not None:
        fields = fields.setting("Date", format_date(date))
    return Entry(
        key="http://h/", status=status, fields=fields, request_time=asked, response_time=came
    )


def lifetime(*pairs: tuple[str, str], options: Options = DEFAULTS, status: int = 200) -> int:
    return freshness(entry(*pairs, status=status), options).lifetime


class Lifetime(SynchronousTestCase):
    """4.2.1."""

    def test_precedence(self) -> None:
        """s-maxage, then max-age, then Expires minus Date."""
        expires = ("Expires", ago(-10))
        self.assertEqual(lifetime(control("max-age=20, s-maxage=30"), expires), 30)
        self.assertEqual(lifetime(control("s-maxage=30, max-age=20"), expires), 30)
        self.assertEqual(lifetime(control("max-age=20"), expires), 20)
        self.assertEqual(lifetime(expires), 10)
        self.assertEqual(lifetime(control("max-age=0"), expires), 0)
        self.assertEqual(lifetime(control("s-maxage=0, max-age=9")), 0)

    def test_invalid_seconds(self) -> None:
        """4.2.1: stale, also where a less specific one is valid."""
        for value in ("max-age=x", "max-age=-1", "s-maxage=x, max-age=60", "max-age='60'"):
            self.assertEqual(lifetime(control(value), ("Expires", ago(-10))), 0, value)

    def test_targeted(self) -> None:
        """RFC 9213, 2.2: Cache-Control and Expires are ignored."""
        cdn = ("CDN-Cache-Control", "max-age=60")
        self.assertEqual(lifetime(control("max-age=5, s-maxage=6"), cdn), 60)
        none = ("CDN-Cache-Control", "none")
        self.assertEqual(lifetime(control("max-age=5"), ("Expires", ago(-10)), none), 0)
        self.assertEqual(lifetime(control("max-age=5"), ("CDN-Cache-Control", "x=")), 5)

    def test_expires(self) -> None:
        """By the origin's clock: relative to Date, whatever is the time here."""
        for date, expires, seconds in ((0, 60, 60), (3600, 3660, 60), (-3600, -3590, 10)):
            found = entry(("Expires", format_date(NOW + expires)), date=NOW + date)
            self.assertEqual(freshness(found, DEFAULTS).lifetime, seconds)

    def test_expired(self) -> None:
        """5.3: in the past, at the same time, or no date at all."""
        for value in (ago(60), ago(0), "0", "-1", "", "tomorrow", "Thu, 18 Aug 2050 02:01:18 UTC"):
            self.assertEqual(lifetime(("Expires", value)), 0, value)

    def test_invalid_expires(self) -> None:
        """5.3 and 4.2: forms that are no HTTP dates."""
        for value in (
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
        ):
            self.assertEqual(lifetime(("Expires", value)), 0, value)
        self.assertGreater(lifetime(("Expires", "THU, 18 AUG 2050 02:01:18 gMT")), 0)

    def test_two_expires(self) -> None:
        """4.2.1: the first line counts; two dates in one line are none."""
        one, other = ("Expires", ago(-10)), ("Expires", ago(-99))
        self.assertEqual(lifetime(one, other), 10)
        self.assertEqual(lifetime(("Expires", f"{ago(-10)}, {ago(-99)}")), 0)

    def test_without_date(self) -> None:
        """The time at which it came."""
        for pairs in ([], [("Date", "foo")]):
            found = entry(*pairs, ("Expires", ago(-10)), date=None, came=NOW + 0.75)
            self.assertEqual(freshness(found, DEFAULTS).lifetime, 10)


class Heuristic(SynchronousTestCase):
    """4.2.2."""

    def test_only_by_option(self) -> None:
        modified = ("Last-Modified", ago(1000))
        self.assertEqual(lifetime(modified), 0)
        self.assertEqual(lifetime(modified, options=HEURISTIC), 100)

    def test_tenth(self) -> None:
        for age, seconds in ((0, 0), (9, 0), (10, 1), (5000, 500), (-50, 0)):
            self.assertEqual(lifetime(("Last-Modified", ago(age)), options=HEURISTIC), seconds)

    def test_a_day_at_most(self) -> None:
        modified = ("Last-Modified", "Tue, 15 Nov 1994 12:45:26 GMT")
        self.assertEqual(lifetime(modified, options=HEURISTIC), LONGEST_HEURISTIC)

    def test_not_with_explicit(self) -> None:
        """A cache MUST NOT, whether what is stated is valid or not."""
        modified = ("Last-Modified", ago(1000))
        for pair in (control("max-age=5"), control("max-age=x"), ("Expires", "0")):
            self.assertLess(lifetime(pair, modified, options=HEURISTIC), 6)
        self.assertEqual(lifetime(("Expires", ago(-5)), modified, options=HEURISTIC), 5)

    def test_statuses(self) -> None:
        """9110, 15.1; others only with public (5.2.2.9)."""
        modified = ("Last-Modified", ago(1000))
        for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501):
            self.assertEqual(lifetime(modified, options=HEURISTIC, status=status), 100)
        for status in (201, 202, 302, 307, 403, 500, 502, 503, 504, 599):
            self.assertEqual(lifetime(modified, options=HEURISTIC, status=status), 0)
            public = control("public")
            self.assertEqual(lifetime(modified, public, options=HEURISTIC, status=status), 100)

    def test_without_last_modified(self) -> None:
        for pairs in ((), (("Last-Modified", "x"),)):
            self.assertEqual(lifetime(*pairs, options=HEURISTIC), 0)


class Age(SynchronousTestCase):
    """4.2.3 and 5.1."""

    def test_field(self) -> None:
        """5.1: the first member counts; what is invalid is ignored."""
        for lines, seconds in (
            (["7200"], 7200),
            (["7200, 0"], 7200),
            (["0, 7200"], 0),
            (["7200", "0"], 7200),
            (["0", "7200"], 0),
            (["abc"], 0),
            (["-7200"], 0),
            (["7200.0"], 0),
            ([""], 0),
            ([], 0),
            (["99999999999"], INFINITE),
        ):
            self.assertEqual(age_value(Fields([("Age", each) for each in lines])), seconds, lines)

    def age(self, found: Entry, now: float) -> float:
        return freshness(found, DEFAULTS).age(now)

    def test_residence(self) -> None:
        self.assertEqual(self.age(entry(), NOW), 0)
        self.assertEqual(self.age(entry(), NOW + 10.5), 10.5)

    def test_apparent_age(self) -> None:
        """By the Date, if that is more; a Date in the future says nothing."""
        self.assertEqual(self.age(entry(date=NOW - 60), NOW + 1), 61)
        self.assertEqual(self.age(entry(date=NOW + 60), NOW + 1), 1)

    def test_corrected_age(self) -> None:
        """The Age of caches on the way, since the request was sent."""
        found = entry(("Age", "100"), asked=NOW - 3, came=NOW)
        self.assertEqual(self.age(found, NOW + 1), 104)

    def test_the_greater(self) -> None:
        found = entry(("Age", "100"), asked=NOW - 3, came=NOW, date=NOW - 500)
        self.assertEqual(self.age(found, NOW), 500)

    def test_whole_seconds(self) -> None:
        """A Date has no fractions, so the one of the arrival makes nothing older."""
        self.assertEqual(self.age(entry(came=NOW + 0.9, asked=NOW + 0.9), NOW + 0.9), 0)

    def test_clock_set_back(self) -> None:
        found = entry(asked=NOW + 5, came=NOW)
        self.assertEqual(self.age(found, NOW - 1000), 0)

    @given(st.text(st.sampled_from("0123456789, -a")), moments, moments, moments, moments)
    def test_never_negative(
        self, age: str, asked: float, came: float, date: float, now: float
    ) -> None:
        found = entry(("Age", age), asked=asked, came=came, date=date)
        self.assertGreaterEqual(self.age(found, now), 0)

    @given(moments, moments, moments, st.floats(0, 1e6), st.floats(0, 1e6))
    def test_grows_with_time(
        self, asked: float, came: float, date: float, early: float, late: float
    ) -> None:
        """It never grows younger, and ages as time passes."""
        found = entry(asked=asked, came=came, date=date)
        ages = [self.age(found, came + min(early, late)), self.age(found, came + max(early, late))]
        self.assertAlmostEqual(ages[1] - ages[0], abs(early - late), places=4)


class Stale(SynchronousTestCase):
    """4.2.4: what forbids to serve a stale response."""

    def test_forbidden(self) -> None:
        for value in (
            *("no-cache", "must-revalidate", "proxy-revalidate", "s-maxage=5", "s-maxage=x"),
            *("stale-while-revalidate=60, s-maxage=5", 'no-cache="cache-control"'),
        ):
            found = entry(control(f"max-age=5, {value}"))
            self.assertFalse(freshness(found, DEFAULTS).may_be_stale, value)

    def test_allowed(self) -> None:
        for value in ("max-age=5", 'no-cache="set-cookie"', "public", "immutable", "no-transform"):
            self.assertTrue(freshness(entry(control(value)), DEFAULTS).may_be_stale, value)

    def test_targeted(self) -> None:
        """RFC 9213: only the directives that count."""
        found = entry(control("must-revalidate"), ("CDN-Cache-Control", "max-age=5"))
        self.assertTrue(freshness(found, DEFAULTS).may_be_stale)
