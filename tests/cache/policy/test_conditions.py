"""Conditional requests (RFC 9111, 4.3.1 and 4.3.2; RFC 9110, 13)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import Entry
from netlab.cache.policy.conditions import (
    can_be_validated,
    client_has_it,
    filling_fields,
    for_the_origin,
    modified_strongly,
    range_applies,
    validating_fields,
)
from netlab.fields import Fields
from tests.cache.policy.support import NOW, ago, control, stored

FRESH = control("max-age=60")
TAG = ("ETag", '"x"')
MODIFIED = ("Last-Modified", ago(100))


class Validating(SynchronousTestCase):
    """4.3.1."""

    def asked(self, entry: Entry, *pairs: tuple[str, str]) -> list[tuple[str, str]] | None:
        fields = validating_fields(Fields(pairs), entry)
        return None if fields is None else list(fields)

    def test_entity_tag(self) -> None:
        """It MUST be sent, weak or strong."""
        for tag in ('"x"', 'W/"x"', '""', '"\xfc"'):
            self.assertEqual(self.asked(stored(("ETag", tag))), [("If-None-Match", tag)])

    def test_last_modified(self) -> None:
        """It SHOULD be sent, as it came."""
        odd = "sun, 09 sep 2001 01:00:00 gmt"
        self.assertEqual(self.asked(stored(("Last-Modified", odd))), [("If-Modified-Since", odd)])

    def test_both(self) -> None:
        self.assertEqual(
            self.asked(stored(TAG, MODIFIED)),
            [("If-None-Match", '"x"'), ("If-Modified-Since", ago(100))],
        )

    def test_none(self) -> None:
        """What is malformed is no validator."""
        for pairs in ((FRESH,), (FRESH, ("ETag", "x")), (FRESH, ("Last-Modified", "0"))):
            self.assertIsNone(self.asked(stored(*pairs)))
        self.assertEqual(
            self.asked(stored(TAG, ("Last-Modified", "0"))), [("If-None-Match", '"x"')]
        )

    def test_in_place_of_the_clients(self) -> None:
        """4.3.2: ours replace its own, and all of the content is asked for."""
        self.assertEqual(
            self.asked(
                stored(TAG),
                ("If-None-Match", '"y"'),
                ("A", "1"),
                ("If-Modified-Since", ago(5)),
                ("Range", "bytes=0-1"),
                ("If-Range", '"y"'),
                ("Cache-Control", "max-age=0"),
            ),
            [("A", "1"), ("Cache-Control", "max-age=0"), ("If-None-Match", '"x"')],
        )

    def test_successful_only(self) -> None:
        """9110, 13.2.1: preconditions are ignored for other status codes."""
        for status, asked in ((200, True), (203, True), (204, True), (301, False), (404, False)):
            self.assertEqual(can_be_validated(stored(FRESH, TAG, status=status)), asked)

    def test_filling(self) -> None:
        fields = Fields([("If-None-Match", "x"), ("If-Match", "y"), ("Range", "z"), ("A", "b")])
        self.assertEqual(list(filling_fields(fields)), [("If-Match", "y"), ("A", "b")])

    def test_for_the_origin(self) -> None:
        """4.3.2: not applicable to a cache."""
        self.assertTrue(for_the_origin(Fields([("If-Match", '"x"')])))
        self.assertTrue(for_the_origin(Fields([("If-Unmodified-Since", ago(0))])))
        self.assertFalse(for_the_origin(Fields([("If-None-Match", '"x"'), ("If-Range", '"x"')])))


class ClientHasIt(SynchronousTestCase):
    """4.3.2 and 9110, 13.2.2."""

    def assert_304(self, expected: bool, entry: Entry, *pairs: tuple[str, str]) -> None:
        self.assertIs(client_has_it(Fields(pairs), entry, NOW), expected, pairs)

    def test_if_none_match(self) -> None:
        """9110, 13.1.2: by the weak comparison."""
        entry, weak = stored(FRESH, TAG), stored(FRESH, ("ETag", 'W/"x"'))
        for value in ('"x"', 'W/"x"', '"a", "x"', '"x", "b"', '"a" , W/"x",', "*"):
            self.assert_304(True, entry, ("If-None-Match", value))
            self.assert_304(True, weak, ("If-None-Match", value))
        self.assert_304(True, entry, ("If-None-Match", '"a"'), ("If-None-Match", '"x"'))
        for value in ("", '"a"', "x", '"X"', '"x', '"x", y', '*, "x"', 'w/"x"'):
            self.assert_304(False, entry, ("If-None-Match", value))

    def test_obs_text(self) -> None:
        entry = stored(FRESH, ("ETag", '"abc\xfc"'))
        self.assert_304(True, entry, ("If-None-Match", '"abc\xfc"'))

    def test_without_entity_tag(self) -> None:
        for pairs in ((FRESH, MODIFIED), (FRESH, MODIFIED, ("ETag", "x"))):
            entry = stored(*pairs)
            self.assert_304(False, entry, ("If-None-Match", '"x"'))
            self.assert_304(False, entry, ("If-None-Match", "x"))
            self.assert_304(True, entry, ("If-None-Match", "*"))

    def test_if_modified_since(self) -> None:
        """9110, 13.1.3: not modified after it."""
        entry = stored(FRESH, MODIFIED)
        for seconds, same in ((100, True), (99, True), (0, True), (-50, True), (101, False)):
            self.assert_304(same, entry, ("If-Modified-Since", ago(seconds)))
        self.assert_304(True, entry, ("If-Modified-Since", "Sunday, 09-Sep-01 01:46:40 GMT"))

    def test_invalid_if_modified_since(self) -> None:
        """9110, 13.1.3: ignored when it is no date, or more than one."""
        entry = stored(FRESH, MODIFIED)
        for value in ("", "0", "now", f"{ago(0)}, {ago(0)}"):
            self.assert_304(False, entry, ("If-Modified-Since", value))
        self.assert_304(False, entry, ("If-Modified-Since", ago(0)), ("If-Modified-Since", ago(0)))

    def test_date_instead(self) -> None:
        """4.3.2: without Last-Modified, the Date of the stored response."""
        entry = stored(FRESH, ("Date", ago(100)))
        self.assert_304(True, entry, ("If-Modified-Since", ago(100)))
        self.assert_304(False, entry, ("If-Modified-Since", ago(101)))

    def test_precedence(self) -> None:
        """9110, 13.2.2: If-None-Match is the one that counts."""
        entry = stored(FRESH, TAG, MODIFIED)
        self.assert_304(True, entry, ("If-None-Match", '"x"'), ("If-Modified-Since", ago(5000)))
        self.assert_304(False, entry, ("If-None-Match", '"y"'), ("If-Modified-Since", ago(0)))

    def test_successful_only(self) -> None:
        """9110, 13.2.1."""
        for status, same in ((200, True), (204, True), (301, False), (404, False), (500, False)):
            entry = stored(FRESH, TAG, MODIFIED, status=status)
            self.assert_304(same, entry, ("If-None-Match", '"x"'))
            self.assert_304(same, entry, ("If-None-Match", "*"))
            self.assert_304(same, entry, ("If-Modified-Since", ago(0)))

    def test_unconditional(self) -> None:
        self.assert_304(False, stored(FRESH, TAG, MODIFIED))


class IfRange(SynchronousTestCase):
    """9110, 13.1.5."""

    def assert_applies(self, expected: bool, entry: Entry, value: str) -> None:
        self.assertIs(range_applies(Fields([("If-Range", value)]), entry, NOW), expected, value)

    def test_entity_tags(self) -> None:
        """By the strong comparison."""
        strong, weak = stored(FRESH, TAG), stored(FRESH, ("ETag", 'W/"x"'))
        self.assert_applies(True, strong, '"x"')
        self.assert_applies(False, strong, '"y"')
        self.assert_applies(False, strong, 'W/"x"')
        self.assert_applies(False, weak, 'W/"x"')
        self.assert_applies(False, weak, '"x"')

    def test_dates(self) -> None:
        """Exactly the same, not earlier or equal."""
        entry = stored(FRESH, MODIFIED)
        self.assert_applies(True, entry, ago(100))
        self.assert_applies(False, entry, ago(99))
        self.assert_applies(False, entry, ago(101))

    def test_weak_dates(self) -> None:
        """9110, 8.8.2.2: a date is weak when the response was made in the same second."""
        for seconds, strong in ((0, False), (1, True), (2, True), (-1, False)):
            entry = stored(FRESH, ("Last-Modified", ago(seconds)))
            self.assertIs(modified_strongly(entry), strong)
            self.assert_applies(strong, entry, ago(seconds))
        self.assertFalse(modified_strongly(stored(FRESH)))

    def test_malformed(self) -> None:
        for value in ("", "x", '"x', '"x", "x"'):
            self.assert_applies(False, stored(FRESH, TAG, MODIFIED), value)

    def test_none(self) -> None:
        self.assertTrue(range_applies(Fields(), stored(FRESH), NOW))


class Properties(SynchronousTestCase):
    @given(
        st.sampled_from(["if-none-match", "if-modified-since", "if-range", "range"]),
        st.text(st.sampled_from('W/"x",* \xfcSun09GMT:-bytes=')),
    )
    def test_any_value(self, name: str, value: str) -> None:
        entry = stored(FRESH, TAG, MODIFIED)
        fields = Fields([(name, value)])
        client_has_it(fields, entry, NOW)
        range_applies(fields, entry, NOW)
