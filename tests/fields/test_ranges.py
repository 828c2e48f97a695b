"""Ranges of bytes (RFC 9110, 13.1.5 and 14)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import (
    ByteRange,
    ContentRange,
    EntityTag,
    parse_content_range,
    parse_if_range,
    parse_range,
)

lengths = st.integers(0, 20)
positions = st.none() | st.integers(0, 25)


class Range(SynchronousTestCase):
    """14.1 and 14.2."""

    def test_examples(self) -> None:
        """14.1.2: the RFC's own."""
        for value, found in (
            ("bytes=0-499", [(0, 499)]),
            ("bytes=500-999", [(500, 999)]),
            ("bytes=-500", [(None, 500)]),
            ("bytes=9500-", [(9500, None)]),
            ("bytes=0-0,-1", [(0, 0), (None, 1)]),
            ("bytes= 0-999, 4500-5499, -1000", [(0, 999), (4500, 5499), (None, 1000)]),
            ("BYTES=0-1", [(0, 1)]),
        ):
            self.assertEqual(parse_range(value), tuple(ByteRange(*each) for each in found), value)

    def test_ignored(self) -> None:
        """14.1.1: invalid; 14.2: of another unit."""
        for value in (
            *("", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=1", "bytes=5-4"),
            *("lines=1-2", "bytes=0-1;", "bytes =0-1", "bytes\t=0-1", "bytes=0--1", "=0-1"),
            *("bytes=+1-2", "bytes=0-1, x", "bytes=\u0661-2"),
        ):
            self.assertIsNone(parse_range(value), value)

    def test_huge(self) -> None:
        """14.1.2: no error from large numerals."""
        (found,) = parse_range(f"bytes=1-{'9' * 10_000}") or ()
        self.assertEqual(found.within(10), (1, 10))
        (found,) = parse_range(f"bytes={'9' * 10_000}-") or ()
        self.assertIsNone(found.within(10))
        (found,) = parse_range(f"bytes=-{'9' * 10_000}") or ()
        self.assertEqual(found.within(10), (0, 10))

    def test_satisfiable(self) -> None:
        """14.1.2."""
        for asked, length, part in (
            (ByteRange(0, 499), 1000, (0, 500)),
            (ByteRange(0, 1000), 1000, (0, 1000)),
            (ByteRange(999, None), 1000, (999, 1000)),
            (ByteRange(1000, None), 1000, None),
            (ByteRange(None, 500), 1000, (500, 1000)),
            (ByteRange(None, 2000), 1000, (0, 1000)),
            (ByteRange(None, 0), 1000, None),
            (ByteRange(0, 0), 0, None),
            (ByteRange(None, 5), 0, None),
        ):
            self.assertEqual(asked.within(length), part, (asked, length))

    @given(positions, positions, lengths)
    def test_within(self, first: int | None, last: int | None, length: int) -> None:
        """The same bytes as picking them one by one."""
        if first is not None and last is not None and last < first:
            return  # no range
        part = ByteRange(first, last).within(length)
        if first is None:
            picked = list(range(length))[-last:] if last else []
        else:
            picked = [at for at in range(length) if first <= at and (last is None or at <= last)]
        self.assertEqual(list(range(*part)) if part else [], picked)

    @given(st.text(st.sampled_from("bytes=0123456789-, *\u0661")))
    def test_any_text(self, text: str) -> None:
        parse_range(text)
        parse_range(f"bytes={text}")
        parse_content_range(f"bytes {text}")
        parse_content_range(text)


class ContentRanges(SynchronousTestCase):
    """14.4."""

    def test_examples(self) -> None:
        for value, found in (
            ("bytes 42-1233/1234", ContentRange(42, 1233, 1234)),
            ("bytes 42-1233/*", ContentRange(42, 1233, None)),
            ("bytes */1234", ContentRange(None, None, 1234)),
            ("bytes 0-0/1", ContentRange(0, 0, 1)),
            ("bytes 0-499/1234", ContentRange(0, 499, 1234)),
        ):
            self.assertEqual(parse_content_range(value), found)
            self.assertEqual(str(found), value)

    def test_invalid(self) -> None:
        for value in (
            *("", "bytes", "bytes 2-1/5", "bytes 0-5/5", "bytes */*", "bytes 0-1", "0-1/2"),
            *("lines 0-1/2", "bytes=0-1/2", "bytes -1/2", "bytes 0-/2"),
        ):
            self.assertIsNone(parse_content_range(value), value)


class IfRange(SynchronousTestCase):
    """13.1.5."""

    def test_kinds(self) -> None:
        now = 1e9
        self.assertEqual(parse_if_range('"x"', now), EntityTag('"x"'))
        self.assertEqual(parse_if_range('W/"x"', now), EntityTag('"x"', weak=True))
        self.assertEqual(parse_if_range("Sun, 06 Nov 1994 08:49:37 GMT", now), 784111777)
        for value in ("", "x", '"x', "yesterday", '"x", "y"'):
            self.assertIsNone(parse_if_range(value, now), value)
