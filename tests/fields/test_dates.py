"""HTTP dates (RFC 9110, 5.6.7; RFC 9111, 4.2)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import format_date, parse_date

THEN = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
NOW = 1_750_000_000.0  # in June 2025

moments = st.integers(-62135596800, 253402300799)  # the years 1 to 9999


def at(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


class Parsing(SynchronousTestCase):
    def test_three_forms(self) -> None:
        """The RFC's own examples."""
        for text in (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(parse_date(text, NOW), THEN, text)

    def test_any_case(self) -> None:
        """RFC 9111, 4.2: matched case-insensitively."""
        for text in (
            "SUN, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 NOV 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 gMT",
            "sunday, 06-nov-94 08:49:37 gmt",
            "sun nov  6 08:49:37 1994",
        ):
            self.assertEqual(parse_date(text, NOW), THEN, text)

    def test_garbage(self) -> None:
        """RFC 9111, 4.2 and 5.3: other zones, other forms and "0" are no dates."""
        for text in (
            *("", "0", "-1", "now", "Thu", "784111777", "1994-11-06T08:49:37Z"),
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT\n",
            "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
            "\u017fun, 06 Nov 1994 08:49:37 GMT",
        ):
            self.assertIsNone(parse_date(text, NOW), text)

    def test_wrong_day_of_the_week(self) -> None:
        self.assertEqual(parse_date("Mon, 06 Nov 1994 08:49:37 GMT", NOW), THEN)

    def test_leap_second(self) -> None:
        """23:59:60 is a time, and no other with 60 seconds."""
        self.assertEqual(parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW), at(2017))
        self.assertIsNone(parse_date("Sat, 31 Dec 2016 22:59:60 GMT", NOW))

    def test_two_digits(self) -> None:
        """More than 50 years ahead is in the past."""
        now = at(2025, 6, 15)
        for year, full in ((94, 1994), (25, 2025), (26, 2026), (74, 2074), (76, 1976), (0, 2000)):
            found = parse_date(f"Monday, 01-Jan-{year:02} 00:00:00 GMT", now)
            self.assertEqual(found, at(full), year)

    def test_fifty_years(self) -> None:
        """To the second."""
        now = at(2025, 6, 15)
        self.assertEqual(parse_date("Saturday, 15-Jun-75 00:00:00 GMT", now), at(2075, 6, 15))
        self.assertEqual(parse_date("Saturday, 15-Jun-75 00:00:01 GMT", now), at(1975, 6, 15) + 1)

    def test_fifty_years_by_day(self) -> None:
        """To the second of any hour."""
        now = at(2025, 6, 15) + 13 * 3600 + 14 * 60 + 15
        for text, year in (("13:14:15", 2075), ("13:14:16", 1975), ("13:15:14", 1975)):
            found = parse_date(f"Saturday, 15-Jun-75 {text} GMT", now)
            assert found is not None
            self.assertEqual(datetime.fromtimestamp(found, UTC).year, year)

    def test_next_century(self) -> None:
        self.assertEqual(parse_date("Thursday, 01-Jan-05 00:00:00 GMT", at(2098)), at(2105))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        parse_date(text, NOW)

    @given(st.text(st.sampled_from("SunModay,0123456789- :GMTNv"), min_size=20, max_size=36))
    def test_nearly_dates(self, text: str) -> None:
        parse_date(text, NOW)


class Formatting(SynchronousTestCase):
    def test_example(self) -> None:
        self.assertEqual(format_date(THEN), "Sun, 06 Nov 1994 08:49:37 GMT")
        self.assertEqual(format_date(THEN + 0.999), "Sun, 06 Nov 1994 08:49:37 GMT")

    def test_before_the_epoch(self) -> None:
        self.assertEqual(format_date(-0.5), "Wed, 31 Dec 1969 23:59:59 GMT")

    def test_out_of_range(self) -> None:
        for when in (-62135596801, 253402300800, float("inf"), float("nan")):
            with self.assertRaises((ValueError, OverflowError)):
                format_date(when)

    @given(moments)
    def test_round_trip(self, when: int) -> None:
        self.assertEqual(parse_date(format_date(when), NOW), when)

    @given(st.integers(0, 4_000_000_000))
    def test_as_others_do(self, when: int) -> None:
        """The standard library's mail dates agree."""
        self.assertEqual(format_date(when), formatdate(when, usegmt=True))
        self.assertEqual(parsedate_to_datetime(format_date(when)).timestamp(), when)

    @given(moments)
    def test_asctime(self, when: int) -> None:
        moment = datetime.fromtimestamp(0, UTC)
        if when >= 0:
            moment = datetime.fromtimestamp(when, UTC)
        text = f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"
        self.assertEqual(parse_date(text, NOW), int(moment.timestamp()))

    @given(st.integers(at(1976), at(2074)))
    def test_rfc_850(self, when: int) -> None:
        moment = datetime.fromtimestamp(when, UTC)
        text = f"{moment:%A, %d-%b-%y %H:%M:%S} GMT"
        self.assertEqual(parse_date(text, NOW), when)
