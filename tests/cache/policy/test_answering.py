"""The response from a stored one (RFC 9111, 4 and 5.1; RFC 9110, 14 and 15)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import Answer, Entry, answer
from netlab.fields import INFINITE, ContentRange, Fields, parse_content_range
from tests.cache.policy.support import NOW, ago, control, get, head, stored

FRESH = control("max-age=60")
FULL = (
    *(FRESH, ("ETag", '"x"'), ("Last-Modified", ago(100)), ("Content-Type", "text/plain")),
    *(("Content-Encoding", "gzip"), ("Content-Language", "en"), ("Content-Location", "/b")),
    *(("Expires", ago(-60)), ("Vary", "A"), ("X-Other", "1"), ("Content-Length", "10")),
    ("Content-Security-Policy", "default-src 'self'"),
)
CONTENT = b"0123456789"


class Answers(SynchronousTestCase):
    def of(self, entry: Entry, *pairs: tuple[str, str], age: float | None = 7.9) -> Answer:
        return answer(get(*pairs), entry, NOW, age=age)


class Whole(Answers):
    def test_all(self) -> None:
        found = self.of(stored(*FULL))
        self.assertEqual((found.status, found.reason), (200, "Whatever"))
        self.assertEqual((found.start, found.stop), (0, 10))
        for name, value in FULL:
            self.assertEqual(found.fields.get(name), value)

    def test_age(self) -> None:
        """4 and 5.1: there is one, it replaces any other, and it has whole seconds."""
        for pairs in ((), (("Age", "3"),), (("Age", "3"), ("Age", "4"))):
            found = self.of(stored(FRESH, *pairs))
            self.assertEqual(found.fields.lines("age"), ("7",))
        self.assertEqual(self.of(stored(FRESH), age=0.0).fields.get("age"), "0")
        self.assertEqual(self.of(stored(FRESH), age=1e30).fields.get("age"), str(INFINITE))

    def test_validated(self) -> None:
        """5.1: Age says that the origin was not asked; it stays when a cache on the way says it."""
        self.assertNotIn("age", self.of(stored(FRESH), age=None).fields)
        found = self.of(stored(FRESH, ("Age", "3")), age=None)
        self.assertEqual(found.fields.lines("age"), ("3",))

    def test_validated_for_one(self) -> None:
        """RFC 9111, 5.2.2.4, 5.2.2.7: what is not stored is for who has asked."""
        entry = stored(
            ("ETag", '"x"'), control('private="X-User", no-cache="set-cookie"'), ("A", "1")
        )
        validated = Fields(
            [
                *(("X-User", "ada"), ("Set-Cookie", "a"), ("set-cookie", "b"), ("A", "2")),
                *(("Connection", "X-Hop"), ("X-Hop", "1"), ("Content-Range", "bytes */1")),
            ]
        )
        for request in (get(), get(("Range", "bytes=0-1")), get(("If-None-Match", "*"))):
            own = answer(request, entry, NOW, age=None, validated=validated).fields
            self.assertEqual(own.lines("set-cookie"), ("a", "b"))
            self.assertEqual(own.get("x-user"), "ada")
            self.assertNotIn("x-hop", own)
            self.assertNotIn("connection", own)
            self.assertNotEqual(own.get("content-range"), "bytes */1")
            self.assertNotIn("x-user", answer(request, entry, NOW, age=1).fields)

    def test_date(self) -> None:
        """The Date is the origin's."""
        self.assertEqual(self.of(stored(FRESH, ("Date", ago(5)))).fields.get("date"), ago(5))

    def test_length(self) -> None:
        """9110, 8.6: what is known is said, but for 204."""
        self.assertEqual(self.of(stored(FRESH)).fields.get("content-length"), "10")
        found = self.of(stored(FRESH, ("Content-Length", "0"), status=204, content=b""))
        self.assertNotIn("content-length", found.fields)

    def test_still_growing(self) -> None:
        """While the content comes, all of it is sent, whatever range is asked for."""
        growing = replace(stored(FRESH), body_size=None, body_digest="")
        found = self.of(growing, ("Range", "bytes=0-1"))
        self.assertEqual((found.status, found.start, found.stop), (200, 0, None))
        self.assertNotIn("content-length", found.fields)

    def test_other_statuses(self) -> None:
        found = self.of(stored(FRESH, status=404), ("Range", "bytes=0-1"))
        self.assertEqual((found.status, found.start, found.stop), (404, 0, 10))


class Head(Answers):
    def test_fields(self) -> None:
        """9110, 9.3.2: those of a GET, and no content."""
        entry = stored(*FULL)
        found = answer(head(), entry, NOW, age=7)
        self.assertEqual(found.fields, self.of(entry).fields)
        self.assertEqual((found.status, found.start, found.stop), (200, 0, 0))

    def test_range(self) -> None:
        """9110, 14.2: ranges are defined for GET only."""
        found = answer(head(("Range", "bytes=0-1")), stored(FRESH), NOW, age=7)
        self.assertEqual((found.status, found.stop), (200, 0))

    def test_condition(self) -> None:
        found = answer(head(("If-None-Match", '"x"')), stored(*FULL), NOW, age=7)
        self.assertEqual(found.status, 304)


class NotModified(Answers):
    """9110, 15.4.5."""

    def test_fields(self) -> None:
        """Those that it MUST have, and none of the content's."""
        found = self.of(stored(*FULL), ("If-None-Match", '"x"'))
        self.assertEqual((found.status, found.reason), (304, "Not Modified"))
        self.assertEqual((found.start, found.stop), (0, 0))
        for name in (
            *("content-location", "date", "etag", "vary", "cache-control", "expires", "age"),
            *("x-other", "content-security-policy"),
        ):
            self.assertIn(name, found.fields)
        for name in ("content-type", "content-encoding", "content-language", "content-length"):
            self.assertNotIn(name, found.fields)

    def test_before_range(self) -> None:
        """9110, 14.2: Range is ignored when the answer is a 304."""
        found = self.of(stored(*FULL), ("If-None-Match", '"x"'), ("Range", "bytes=99-"))
        self.assertEqual(found.status, 304)


class Ranges(Answers):
    """9110, 14.2 and 15.3.7."""

    def test_part(self) -> None:
        for value, start, stop in (
            ("bytes=0-1", 0, 2),
            ("bytes=1-", 1, 10),
            ("bytes=-1", 9, 10),
            ("bytes=-99", 0, 10),
            ("bytes=5-99", 5, 10),
            ("bytes=0-9", 0, 10),
            ("Bytes= 0-0", 0, 1),
        ):
            found = self.of(stored(*FULL), ("Range", value))
            self.assertEqual((found.status, found.reason), (206, "Partial Content"), value)
            self.assertEqual((found.start, found.stop), (start, stop), value)
            self.assertEqual(found.fields.get("content-range"), f"bytes {start}-{stop - 1}/10")
            self.assertEqual(found.fields.lines("content-length"), (str(stop - start),))

    def test_fields(self) -> None:
        """15.3.7: all that a 200 would have."""
        whole, part = self.of(stored(*FULL)), self.of(stored(*FULL), ("Range", "bytes=0-1"))
        added = {"content-range", "content-length"}
        self.assertEqual(part.fields.without(*added), whole.fields.without(*added))

    def test_several(self) -> None:
        """14.2: a server may ignore Range: no multipart is ever made."""
        for value in ("bytes=0-1,3-4", "bytes=0-1,0-1", "bytes=0-1, 99-100"):
            found = self.of(stored(FRESH), ("Range", value))
            self.assertEqual((found.status, found.start, found.stop), (200, 0, 10))

    def test_ignored(self) -> None:
        """14.1.1 and 14.2: what is malformed, or of another unit."""
        for value in ("", "bytes", "bytes=a-b", "bytes=5-4", "lines=1-2"):
            found = self.of(stored(FRESH), ("Range", value))
            self.assertEqual((found.status, found.stop), (200, 10), value)

    def test_not_satisfiable(self) -> None:
        """15.5.17."""
        for value in ("bytes=10-", "bytes=99-100", "bytes=-0"):
            found = self.of(stored(*FULL), ("Range", value))
            self.assertEqual((found.status, found.reason), (416, "Range Not Satisfiable"))
            self.assertEqual(
                list(found.fields), [("Content-Range", "bytes */10"), ("Content-Length", "0")]
            )
            self.assertEqual((found.start, found.stop), (0, 0))

    def test_empty_content(self) -> None:
        """14.2: Range may be ignored for content of no length."""
        for value in ("bytes=0-", "bytes=-5"):
            found = self.of(stored(FRESH, content=b""), ("Range", value))
            self.assertEqual((found.status, found.start, found.stop), (200, 0, 0))

    def test_if_range(self) -> None:
        """13.1.5: if it does not match, all of it."""
        for value, status in (
            ('"x"', 206),
            ('"y"', 200),
            (ago(100), 206),
            (ago(99), 200),
            ("x", 200),
        ):
            found = self.of(stored(*FULL), ("Range", "bytes=0-1"), ("If-Range", value))
            self.assertEqual(found.status, status, value)
        for part in ("bytes=99-", "bytes=0-1"):
            found = self.of(stored(*FULL), ("Range", part), ("If-Range", '"y"'))
            self.assertEqual((found.status, found.stop), (200, 10))

    def test_fields_with_if_range(self) -> None:
        """15.3.7: only what is required, since the client has the others."""
        found = self.of(stored(*FULL), ("Range", "bytes=0-1"), ("If-Range", '"x"'))
        for name in (
            *("date", "cache-control", "etag", "expires", "content-location", "vary"),
            *("content-range", "content-length", "x-other"),
        ):
            self.assertIn(name, found.fields)
        for name in ("content-type", "content-encoding", "content-language", "last-modified"):
            self.assertNotIn(name, found.fields)

    @given(
        st.text(st.sampled_from("0123456789-, ")),
        st.binary(max_size=12),
        st.floats(0, 1e12),
    )
    def test_any_range(self, ranges: str, content: bytes, age: float) -> None:
        """Whatever is asked for, the head tells the truth about what follows."""
        entry = stored(FRESH, content=content)
        found = self.of(entry, ("Range", f"bytes={ranges}"), age=age)
        assert found.stop is not None
        sent = content[found.start : found.stop]
        self.assertEqual(found.fields.get("content-length"), str(len(sent)))
        said = parse_content_range(found.fields.get("content-range") or "")
        if found.status == 206:
            assert said is not None
            self.assertEqual(
                said, ContentRange(found.start, found.start + len(sent) - 1, len(content))
            )
        else:
            self.assertIn(found.status, (200, 416))
            self.assertEqual(sent, content if found.status == 200 else b"")
