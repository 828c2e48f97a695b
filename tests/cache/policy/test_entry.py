"""Entries, and how they are written down."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import DEFAULTS, Entry, Options, completed, from_json, to_json
from netlab.cache.policy.freshness import freshness
from netlab.errors import LocalProtocolError
from netlab.fields import Fields
from tests.cache.policy.support import NOW, control, get, stored
from tests.fields.test_collection import sections

latin = st.text(st.characters(max_codepoint=0xFF), max_size=8)
entries = st.builds(
    Entry,
    key=latin,
    selecting=st.lists(st.tuples(latin, st.none() | latin), max_size=3).map(tuple),
    status=st.integers(200, 599),
    reason=latin,
    fields=sections.map(Fields),
    request_time=st.floats(0, 4e9),
    response_time=st.floats(0, 4e9),
    body_digest=latin,
    body_size=st.none() | st.integers(0, 2**62),
    invalid=st.booleans(),
)


class Written(SynchronousTestCase):
    @given(entries)
    def test_round_trip(self, entry: Entry) -> None:
        data = to_json(entry)
        self.assertEqual(from_json(data), entry)
        self.assertIsInstance(json.loads(data), dict)

    def test_damaged(self) -> None:
        """A store that finds one of these drops it; nothing else is raised."""
        good = to_json(stored(control("max-age=5")))
        for data in (
            *(b"", b"{}", b"null", b"[]", b"\xff", good[:-1], good + b"x"),
            good.replace(b'"status":200', b'"status":"200"'),
            good.replace(b"Cache-Control", b"Cache Control"),
            good.replace(b"max-age=5", b"max-age=5\\r\\nX: y"),
            good.replace(b'["Cache-Control","max-age=5"]', b'["Cache-Control"]'),
            good.replace(b'["Cache-Control","max-age=5"]', b'"ab"'),
            good.replace(b'"fields":[', b'"fields":7,"x":['),
        ):
            with self.assertRaises(ValueError) as caught:
                from_json(data)
            self.assertIn("not an entry of a cache", str(caught.exception))

    @given(st.binary())
    def test_any_bytes(self, data: bytes) -> None:
        try:
            from_json(data)
        except ValueError:
            pass

    def test_memory_is_not_written(self) -> None:
        """What is computed once does not change what an entry is."""
        entry = stored(control("max-age=5"))
        before = to_json(entry)
        freshness(entry, DEFAULTS)
        self.assertEqual(to_json(entry), before)
        self.assertEqual(from_json(before), entry)
        self.assertEqual(hash(from_json(before)), hash(entry))

    def test_memory_is_of_one_entry(self) -> None:
        """A changed copy is computed anew, and so it is for other options."""
        entry = stored(("Last-Modified", "Sun, 09 Sep 2000 01:46:40 GMT"))
        self.assertEqual(freshness(entry, DEFAULTS).lifetime, 0)
        self.assertGreater(freshness(entry, Options(heuristic=True)).lifetime, 0)
        other = replace(entry, fields=Fields([control("max-age=5")]))
        self.assertEqual(freshness(other, DEFAULTS).lifetime, 5)
        self.assertEqual(freshness(entry, DEFAULTS).lifetime, 0)


class Completed(SynchronousTestCase):
    """RFC 9111, 3.3: only complete responses are kept."""

    def test_size(self) -> None:
        growing = replace(stored(control("max-age=5")), body_digest="", body_size=None)
        entry = completed(growing, "abc", 7)
        self.assertEqual((entry.body_digest, entry.body_size), ("abc", 7))

    def test_incomplete(self) -> None:
        entry = stored(("Content-Length", "10"), control("max-age=5"))
        for size in (0, 9, 11):
            with self.assertRaises(LocalProtocolError) as caught:
                completed(entry, "abc", size)
            self.assertEqual(
                str(caught.exception),
                f"{size} bytes came, Content-Length says 10: keep complete responses only",
            )

    def test_key(self) -> None:
        entry = stored(control("max-age=5"), request=get(uri="HTTP://H:80"))
        self.assertEqual((entry.key, entry.response_time), ("http://h/", NOW))
