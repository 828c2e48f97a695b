"""What a 304, or the answer to a HEAD, changes (RFC 9111, 3.2, 4.3.4 and 4.3.5)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import DEFAULTS, Entry, Request, Response
from netlab.cache.policy.freshness import freshness
from netlab.cache.policy.updating import Keep, Update, freshened, updated_by_head
from netlab.fields import Fields, format_date
from tests.cache.policy.support import NOW, ago, control, get, head, ok, stored

LATER = NOW + 100
TAG = ("ETag", '"x"')
WEAK = ("ETag", 'W/"x"')
MODIFIED = ("Last-Modified", ago(1000))
SHORT = control("max-age=1")
LONG = control("max-age=3600")


class Updates(SynchronousTestCase):
    def by_304(
        self,
        entries: list[Entry],
        *pairs: tuple[str, str],
        validated: Entry | None = None,
        request: Request | None = None,
    ) -> list[Update]:
        return freshened(
            request or get(),
            ok(*pairs, status=304, date=LATER),
            entries,
            validated=validated,
            request_time=LATER,
            response_time=LATER,
            options=DEFAULTS,
        )

    def by_head(
        self, entries: list[Entry], *pairs: tuple[str, str], request: Request | None = None
    ) -> list[Update]:
        return updated_by_head(
            request or head(),
            ok(*pairs, date=LATER),
            entries,
            request_time=LATER,
            response_time=LATER,
            options=DEFAULTS,
        )


class Identified(Updates):
    """4.3.4: which of the stored responses a 304 is about."""

    def assert_about(self, updates: list[Update], *entries: Entry) -> None:
        self.assertEqual([each.old for each in updates], list(entries))

    def test_strong(self) -> None:
        """All with that strong validator."""
        one, two = stored(SHORT, TAG), stored(SHORT, TAG, at=NOW - 5)
        other, weak = stored(SHORT, ("ETag", '"y"')), stored(SHORT, WEAK)
        self.assert_about(self.by_304([one, other, two, weak], TAG), one, two)

    def test_strong_that_is_nowhere(self) -> None:
        """A cache MUST NOT use it to update anything."""
        entries = [stored(SHORT, WEAK), stored(SHORT, ("ETag", '"y"')), stored(SHORT)]
        for validated in (None, *entries):
            self.assert_about(self.by_304(entries, TAG, validated=validated))

    def test_strong_date(self) -> None:
        """9110, 8.8.2.2: Last-Modified is a strong validator if the Date is later."""
        one, two = stored(SHORT, MODIFIED), stored(SHORT, MODIFIED, at=NOW - 5)
        self.assert_about(self.by_304([one, two], MODIFIED), one, two)

    def test_entity_tags_before_dates(self) -> None:
        """The same second is not the same response."""
        entry = stored(SHORT, TAG, MODIFIED)
        self.assert_about(self.by_304([entry], ("ETag", '"y"'), MODIFIED))
        self.assert_about(self.by_304([entry], MODIFIED), entry)
        self.assert_about(self.by_304([entry], TAG, ("Last-Modified", ago(5))), entry)

    def test_weak(self) -> None:
        """The most recent with that weak validator."""
        old, new = stored(SHORT, WEAK, at=NOW - 9), stored(SHORT, WEAK)
        other = stored(SHORT, ("ETag", 'W/"y"'), at=NOW + 1)
        for entries in ([old, new, other], [other, new, old]):
            self.assert_about(self.by_304(entries, WEAK), new)

    def test_weak_and_strong(self) -> None:
        """9110, 8.8.3.2: the weak comparison."""
        entry = stored(SHORT, TAG)
        self.assert_about(self.by_304([entry], WEAK), entry)

    def test_nothing_to_compare(self) -> None:
        """What has no validator is not what a 304 with one is about."""
        self.assert_about(self.by_304([stored(LONG)], WEAK))
        self.assert_about(self.by_304([stored(LONG)], MODIFIED))
        self.assert_about(self.by_304([stored(SHORT, MODIFIED)], WEAK))
        self.assert_about(self.by_304([stored(SHORT, TAG)], MODIFIED))

    def test_weak_date(self) -> None:
        modified = ("Last-Modified", ago(0))
        old, new = stored(SHORT, modified, ("Date", ago(0)), at=NOW - 1), stored(SHORT, modified)
        self.assert_about(self.by_304([old, new], modified), new)

    def test_none(self) -> None:
        """Without validators: the only one, if that has none either."""
        plain, tagged = stored(LONG), stored(SHORT, TAG)
        self.assert_about(self.by_304([plain]), plain)
        self.assert_about(self.by_304([tagged]))
        self.assert_about(self.by_304([plain, stored(LONG, at=NOW - 1)]))
        self.assert_about(self.by_304([]))

    def test_none_but_asked(self) -> None:
        """Without validators, in answer to the validators of one response."""
        one, two = stored(SHORT, TAG), stored(SHORT, ("ETag", '"y"'))
        self.assert_about(self.by_304([one, two], validated=two), two)

    def test_could_have_been_chosen(self) -> None:
        """Only those that the request selects."""
        vary = ("Vary", "Foo")
        one = stored(SHORT, TAG, vary, request=get(("Foo", "1")))
        two = stored(SHORT, TAG, vary, request=get(("Foo", "2")))
        self.assert_about(self.by_304([one, two], TAG, request=get(("Foo", "2"))), two)
        self.assert_about(self.by_304([one, two], TAG))


class Updated(Updates):
    """3.2."""

    def new(self, before: list[tuple[str, str]], *pairs: tuple[str, str]) -> Fields:
        (update,) = self.by_304([stored(TAG, *before)], TAG, *pairs)
        self.assertEqual(update.keep, Keep.NEW)
        return update.new.fields

    def test_replaced(self) -> None:
        """Each field of the new response, known or not; those it does not have stay."""
        for name, one, other in (
            ("Test-Header", "a", "b"),
            ("Content-Foo", "a", "b"),
            ("Content-Type", "text/plain", "text/plain;charset=utf-8"),
            ("Content-Location", "/foo", "/bar"),
            ("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A==", "N7UdGUp1E+RbVvZSTy1R8g=="),
            ("Cache-Control", "max-age=1", "max-age=3600"),
            ("Expires", ago(0), ago(-60)),
            ("Last-Modified", ago(1000), ago(999)),
        ):
            fields = self.new([(name, one), ("Kept", "1")], (name, other))
            self.assertEqual(fields.lines(name), (other,))
            self.assertEqual(fields.get("kept"), "1")

    def test_cookies_of_one_client(self) -> None:
        """3.2, and 3: one client's cookie is not stored for others, whichever way it comes."""
        cookie = ("Set-Cookie", "session=1")
        for before, value in (
            ([control("max-age=0")], "max-age=0"),
            ([control("max-age=60")], "no-cache"),
            ([control("max-age=60"), ("Set-Cookie", "theme=1")], "max-age=0"),
        ):
            for news in ((cookie, control(value)), (control(value),)):
                self.assertNotIn("set-cookie", self.new(before, *news))
        for before in ([control("max-age=0")], [LONG, ("Set-Cookie", "a=b")]):
            self.assertEqual(self.new(before, cookie, LONG).lines("set-cookie"), ("session=1",))

    def test_all_lines(self) -> None:
        fields = self.new([("A", "1"), ("A", "2")], ("a", "3"), ("A", "4"))
        self.assertEqual(fields.lines("a"), ("3", "4"))

    def test_excepted(self) -> None:
        """The length and coding of what is stored are not those of what came."""
        before = [("Content-Length", "10"), ("Content-Encoding", "gzip"), ("Kept", "1")]
        fields = self.new(
            before,
            ("Content-Length", "0"),
            ("Content-Encoding", "br"),
            ("Content-Range", "bytes 0-1/2"),
        )
        self.assertEqual(fields.only("content-length", "content-encoding", "kept"), Fields(before))
        self.assertNotIn("content-range", fields)

    def test_excepted_from_storage(self) -> None:
        """3.1: of the connection; and what such a field is called is left as it is stored."""
        fields = self.new(
            [("X-Hop", "stored")],
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "5"),
            ("Proxy-Authenticate", "x"),
        )
        self.assertEqual(fields.names(), {"date", "etag", "x-hop"})
        self.assertEqual(fields.get("x-hop"), "stored")

    def test_named_by_no_cache(self) -> None:
        """5.2.2.4 and 5.2.2.7: neither the old value nor the new one is stored."""
        for directive in ("no-cache", "private"):
            named = control(f'{directive}="a", max-age=9')
            fields = self.new([("A", "1"), LONG], ("A", "2"), named)
            self.assertNotIn("a", fields)

    def test_age_and_date(self) -> None:
        """4.2.3: it is as old as the 304 is."""
        before = [("Age", "500"), ("Date", ago(500)), LONG]
        (update,) = self.by_304([stored(TAG, *before)], TAG)
        self.assertNotIn("age", update.new.fields)
        self.assertEqual(update.new.fields.lines("date"), (format_date(LATER),))
        self.assertEqual(freshness(update.new, DEFAULTS).age(LATER), 0)
        (update,) = self.by_304([stored(TAG, *before)], TAG, ("Age", "7"))
        self.assertEqual(freshness(update.new, DEFAULTS).age(LATER), 7)

    def test_without_date(self) -> None:
        """9110, 6.6.1."""
        (update,) = freshened(
            get(),
            Response(304, Fields([TAG])),
            [stored(TAG)],
            validated=None,
            request_time=LATER - 1,
            response_time=LATER,
            options=DEFAULTS,
        )
        self.assertEqual(update.new.fields.get("date"), format_date(LATER))
        self.assertEqual((update.new.request_time, update.new.response_time), (LATER - 1, LATER))

    def test_content_stays(self) -> None:
        old = stored(TAG, status=203)
        (update,) = self.by_304([old], TAG, LONG)
        for name in ("key", "status", "reason", "body_digest", "body_size", "selecting"):
            self.assertEqual(getattr(update.new, name), getattr(old, name))

    def test_valid_again(self) -> None:
        """4.4: the validation that it needed."""
        (update,) = self.by_304([replace(stored(TAG), invalid=True)], TAG)
        self.assertFalse(update.new.invalid)

    def test_vary(self) -> None:
        """4.1: what the new Vary names is what this request says."""
        request = get(("A", "1"), ("B", "2"))
        old = stored(TAG, ("Vary", "A"), request=request)
        (update,) = self.by_304([old], TAG, ("Vary", "A, B"), request=request)
        self.assertEqual(update.new.selecting, (("a", "1"), ("b", "2")))


class Kept(Updates):
    def kept(
        self, *pairs: tuple[str, str], request: Request | None = None, old: Entry | None = None
    ) -> Keep:
        (update,) = self.by_304([old or stored(SHORT, TAG)], TAG, *pairs, request=request)
        return update.keep

    def test_forbidden_now(self) -> None:
        """5.2.2.5, 5.2.2.7: it is used for this request and then forgotten."""
        for pair in (control("no-store"), control("private"), ("Vary", "*")):
            self.assertEqual(self.kept(pair), Keep.NONE)

    def test_for_one_request(self) -> None:
        """5.2.1.5, 3.5: what this request brings is not stored; what was there stays."""
        self.assertEqual(self.kept(LONG, request=get(control("no-store"))), Keep.OLD)
        request = get(("Authorization", "x"))
        self.assertEqual(self.kept(LONG, request=request), Keep.OLD)
        self.assertEqual(self.kept(control("public, max-age=9"), request=request), Keep.NEW)


class ByHead(Updates):
    """4.3.5."""

    def one(self, entry: Entry, *pairs: tuple[str, str]) -> Update:
        (update,) = self.by_head([entry], *pairs)
        self.assertEqual((update.old, update.keep), (entry, Keep.NEW))
        return update

    def test_updated(self) -> None:
        """With matching validators, and a matching length."""
        entry = stored(SHORT, TAG, MODIFIED, ("A", "1"), ("B", "2"))
        for pairs in (
            (TAG,),
            (MODIFIED,),
            (TAG, MODIFIED, ("Content-Length", "10")),
            (("Content-Length", "10"),),
        ):
            new = self.one(entry, *pairs, ("A", "3"), LONG).new
            self.assertEqual((new.fields.get("a"), new.fields.get("b")), ("3", "2"))
            self.assertFalse(new.invalid)
            self.assertEqual(freshness(new, DEFAULTS).lifetime, 3600)
            self.assertEqual(freshness(new, DEFAULTS).age(LATER), 0)

    def test_no_longer_right(self) -> None:
        """Else it is considered stale."""
        entry = stored(LONG, TAG, MODIFIED)
        for pair in (
            ("ETag", '"y"'),
            WEAK,
            ("Last-Modified", ago(5)),
            ("Last-Modified", "0"),
            ("Content-Length", "11"),
            ("Content-Length", "x"),
        ):
            self.assertEqual(self.one(entry, pair).new, replace(entry, invalid=True), pair)
        self.assertTrue(self.one(stored(LONG), TAG).new.invalid)
        self.assertTrue(self.one(stored(LONG, status=404)).new.invalid)

    def test_nothing_to_compare(self) -> None:
        """What has no validator is updated by what has none; what has one is left alone."""
        self.assertEqual(self.one(stored(LONG), ("A", "3")).new.fields.get("a"), "3")
        for pair in (TAG, MODIFIED):
            self.assertEqual(self.by_head([stored(LONG, pair)], ("A", "3")), [])

    def test_stays_invalid(self) -> None:
        """4.4: the answer to HEAD is no validation."""
        entry = replace(stored(LONG, TAG), invalid=True)
        self.assertTrue(self.one(entry, TAG).new.invalid)

    def test_could_have_been_chosen(self) -> None:
        vary = ("Vary", "Foo")
        one = stored(LONG, vary, request=get(("Foo", "1")))
        two = stored(LONG, vary, request=get(("Foo", "2")))
        updates = self.by_head([one, two], TAG, request=head(("Foo", "1")))
        self.assertEqual([each.old for each in updates], [one])


class Properties(Updates):
    @given(
        st.sampled_from(
            ["etag", "last-modified", "cache-control", "vary", "date", "age", "connection", "a"]
        ),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")),
    )
    def test_any_value(self, name: str, value: str) -> None:
        entries = [stored(SHORT, TAG, MODIFIED), stored(SHORT, WEAK), stored(LONG)]
        for updates in (
            self.by_304(entries, (name, value)),
            self.by_304(entries, (name, value), validated=entries[0]),
            self.by_head(entries, (name, value)),
        ):
            for update in updates:
                self.assertIn(update.old, entries)
                self.assertEqual(update.new.body_digest, update.old.body_digest)
