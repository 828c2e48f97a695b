"""Whether a response is stored, and what of it (RFC 9111, 3)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import DEFAULTS, Entry, Options, Refusal, Request, Response
from netlab.cache.policy.freshness import HEURISTICALLY_CACHEABLE
from netlab.cache.policy.storing import ONE_REQUEST_ONLY, UNDERSTOOD, admit
from netlab.fields import Fields, format_date
from tests.cache.policy.support import NOW, URI, ago, control, get, head, ok
from tests.fields.test_collection import sections

FRESH = control("max-age=3600")
TAG = ("ETag", '"x"')


def tried(request: Request, response: Response, options: Options = DEFAULTS) -> Entry | Refusal:
    return admit(request, response, request_time=NOW - 1, response_time=NOW, options=options)


class Stored(SynchronousTestCase):
    def assert_stored(
        self, *pairs: tuple[str, str], request: Request | None = None, status: int = 200
    ) -> Entry:
        found = tried(request or get(), ok(*pairs, status=status))
        assert isinstance(found, Entry), (found, pairs)
        return found

    def assert_refused(
        self,
        refused: Refusal,
        *pairs: tuple[str, str],
        request: Request | None = None,
        status: int = 200,
    ) -> None:
        found = tried(request or get(), ok(*pairs, status=status))
        self.assertEqual(found, refused, pairs)


class Requests(Stored):
    def test_method(self) -> None:
        """3: the method is understood. 9110, 9.3.2: the answer to HEAD cannot serve a GET."""
        for method in ("HEAD", "POST", "PUT", "OPTIONS", "M-SEARCH", "get"):
            self.assert_refused(Refusal.METHOD, FRESH, request=get(method=method))
        self.assert_refused(Refusal.METHOD, FRESH, request=head())

    def test_content(self) -> None:
        """9110, 9.3.1: content in a GET has no semantics, and no place in the key."""
        request = Request("GET", URI, Fields(), content=True)
        self.assert_refused(Refusal.CONTENT, FRESH, request=request)

    def test_no_store(self) -> None:
        """5.2.1.5."""
        for value in ("no-store", "max-age=0, No-Store", 'no-store="x"'):
            self.assert_refused(Refusal.REQUEST_NO_STORE, FRESH, request=get(control(value)))

    def test_authorization(self) -> None:
        """3.5: only with a directive that allows to share."""
        request = get(("Authorization", "Basic x"))
        self.assert_refused(Refusal.AUTHORIZATION, FRESH, request=request)
        self.assert_refused(Refusal.AUTHORIZATION, ("Expires", ago(-60)), request=request)
        for value in ("max-age=60, public", "max-age=60, must-revalidate", "s-maxage=60"):
            self.assert_stored(control(value), request=request)

    def test_proxy_authorization_is_another(self) -> None:
        self.assert_stored(FRESH, request=get(("Proxy-Authorization", "Basic x")))

    def test_cookies(self) -> None:
        """7.3: neither Cookie nor Set-Cookie inhibits caching."""
        self.assert_stored(FRESH, ("Set-Cookie", "a=b"), request=get(("Cookie", "a=b")))

    def test_cookies_of_one_client(self) -> None:
        """3, a MAY: where nothing says that a response is fresh, its cookie is one client's."""
        cookie = ("Set-Cookie", "session=1")
        for pairs in (
            (TAG,),
            (TAG, control("max-age=0")),
            (TAG, control("no-cache")),
            (TAG, control("public, max-age=0")),
            (TAG, control("public, max-age=60, s-maxage=0")),
            (TAG, control("max-age=60"), ("CDN-Cache-Control", "max-age=0")),
            (TAG, ("Expires", "0")),
            (TAG, control("max-age=0, stale-while-revalidate=60")),
        ):
            self.assert_refused(Refusal.SET_COOKIE, cookie, *pairs)
            self.assert_stored(*pairs)
        for value in ("max-age=0", "public", "no-cache"):
            for directive in ("private", "no-cache"):
                kept = control(f'{value}, {directive}="Set-Cookie"')
                self.assertNotIn("set-cookie", self.assert_stored(cookie, TAG, kept).fields)
        heuristic = Options(heuristic=True)
        response = ok(cookie, ("Last-Modified", ago(86400)))
        self.assertEqual(tried(get(), response, heuristic), Refusal.SET_COOKIE)


class Statuses(Stored):
    def test_final(self) -> None:
        """3: final status codes only."""
        for status in (100, 101, 103, 199, 600, 999):
            self.assert_refused(Refusal.STATUS, FRESH, status=status)

    def test_explicit(self) -> None:
        """3: with explicit freshness, any of them, known or not."""
        for status in (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 503):
            self.assert_stored(FRESH, status=status)

    def test_heuristically_cacheable(self) -> None:
        """3 and 9110, 15.1: without, some of them."""
        for status in range(200, 600):
            if status in ONE_REQUEST_ONLY:
                continue
            if status in HEURISTICALLY_CACHEABLE:
                found = tried(get(), ok(TAG, status=status))
                self.assertIn(type(found), (Entry, Refusal))
                self.assertNotEqual(found, Refusal.NOT_CACHEABLE, status)
            else:
                self.assert_refused(Refusal.NOT_CACHEABLE, TAG, status=status)

    def test_explicitly_cacheable(self) -> None:
        """5.2.2.9: public marks a response as cacheable."""
        self.assert_stored(control("public"), TAG, status=299)

    def test_parts(self) -> None:
        """3.3: only complete responses are stored."""
        self.assert_refused(Refusal.STATUS, FRESH, ("Content-Range", "bytes 0-4/10"), status=206)

    def test_of_one_request(self) -> None:
        """What is about one client's request is not stored for the others."""
        for status in (206, 304, 401, 407, 412, 416, 417, 421):
            self.assert_refused(Refusal.STATUS, control("public, max-age=60"), status=status)

    def test_rfc_6585(self) -> None:
        """RFC 6585, 3 to 6: "MUST NOT be stored by a cache"."""
        for status in (428, 429, 431, 511):
            self.assert_refused(Refusal.STATUS, control("public, max-age=60"), status=status)

    def test_must_understand(self) -> None:
        """5.2.2.3: no-store is ignored if the status code is understood; else nothing is stored."""
        self.assert_stored(control("must-understand, no-store, max-age=60"), status=200)
        self.assert_stored(control("must-understand, max-age=60"), status=404)
        for status in (299, 499, 599):
            self.assertNotIn(status, UNDERSTOOD)
            for value in ("must-understand, max-age=60", "must-understand, no-store, max-age=60"):
                self.assert_refused(Refusal.MUST_UNDERSTAND, control(value), status=status)
        self.assert_refused(Refusal.STATUS, control("must-understand, max-age=60"), status=206)

    def test_understood(self) -> None:
        """9110, 15: its final status codes, but for those that are never stored."""
        defined = {
            *range(200, 207),
            *(300, 301, 302, 303, 304, 305, 307, 308),
            *range(400, 418),
            *(421, 422, 426),
            *range(500, 506),
        }
        self.assertEqual(UNDERSTOOD, defined - ONE_REQUEST_ONLY)


class Directives(Stored):
    def test_no_store(self) -> None:
        """5.2.2.5: whatever else is said."""
        for value in ("no-store", "No-StOrE", "max-age=60, no-store", "no-store=1, public"):
            self.assert_refused(Refusal.NO_STORE, control(value), ("Expires", ago(-60)), TAG)

    def test_private(self) -> None:
        """5.2.2.7."""
        for value in ("private", "private, max-age=60", "private=, max-age=60", "public, private"):
            self.assert_refused(Refusal.PRIVATE, control(value), TAG)

    def test_private_fields(self) -> None:
        """5.2.2.7: all but the listed fields may be stored."""
        entry = self.assert_stored(
            control('private="X-User, set-cookie", max-age=60'),
            ("X-User", "1"),
            ("Set-Cookie", "a=b"),
            ("X-Other", "2"),
        )
        self.assertNotIn("x-user", entry.fields)
        self.assertNotIn("set-cookie", entry.fields)
        self.assertIn("x-other", entry.fields)

    def test_private_fields_that_are_needed(self) -> None:
        """Without those the rest would be taken for something else."""
        for name in ("Vary", "Cache-Control", "Content-Encoding", "CDN-Cache-Control", "Expires"):
            self.assert_refused(Refusal.PRIVATE, control(f'private="X, {name}", max-age=60'), TAG)

    def test_no_cache(self) -> None:
        """5.2.2.4: stored, to be validated."""
        self.assert_stored(control("no-cache"), TAG)
        self.assert_stored(control("no-cache, max-age=60"))

    def test_no_cache_fields(self) -> None:
        """3.1 and 5.2.2.4: the listed fields are not stored."""
        entry = self.assert_stored(control('no-cache="a, B", max-age=60'), ("A", "1"), ("b", "2"))
        self.assertEqual(entry.fields.names(), {"date", "cache-control"})

    def test_no_cache_fields_that_are_needed(self) -> None:
        """They are stored, since the whole response is validated before each use."""
        entry = self.assert_stored(control('no-cache="vary", max-age=60'), ("Vary", "A"), TAG)
        self.assertIn("vary", entry.fields)

    def test_pragma(self) -> None:
        """5.4: Pragma means nothing in a response."""
        self.assert_stored(FRESH, ("Pragma", "no-cache"))


class Targeted(Stored):
    """RFC 9213."""

    def cdn(self, value: str) -> tuple[str, str]:
        return "CDN-Cache-Control", value

    def test_instead(self) -> None:
        """2.2 and 3.1: Cache-Control is ignored."""
        self.assert_stored(control("no-store"), self.cdn("max-age=600"))
        self.assert_stored(control("no-store"), self.cdn("none"), TAG)
        self.assert_refused(Refusal.NO_STORE, FRESH, self.cdn("no-store"))
        self.assert_refused(Refusal.PRIVATE, FRESH, self.cdn("private"))

    def test_expires(self) -> None:
        """2.2: and so is Expires."""
        expires = ("Expires", ago(-60))
        self.assert_refused(Refusal.NOT_CACHEABLE, expires, self.cdn("none"), status=302)
        self.assert_stored(expires, status=302)

    def test_malformed(self) -> None:
        """2.1: as if it were not there."""
        for value in ("", "max-age=600, &&&&&", "max-age =600"):
            self.assert_refused(Refusal.NO_STORE, control("no-store"), self.cdn(value))

    def test_wrong_type(self) -> None:
        """2.1: the field counts, its number does not."""
        self.assert_refused(Refusal.USELESS, control("no-store"), self.cdn('max-age="600"'))

    def test_targets(self) -> None:
        """2.2: in the order of the target list; others change nothing."""
        response = ok(self.cdn("no-store"), ("My-Cache-Control", "max-age=60"), control("private"))
        for targets, refused in (
            (("my-cache-control", "cdn-cache-control"), None),
            (("CDN-Cache-Control", "My-Cache-Control"), Refusal.NO_STORE),
            ((), Refusal.PRIVATE),
            (("x",), Refusal.PRIVATE),
        ):
            found = tried(get(), response, Options(targets=targets))
            self.assertEqual(None if isinstance(found, Entry) else found, refused)

    def test_next_target(self) -> None:
        """2.2: the first field with a valid, non-empty value."""
        response = ok(self.cdn("?"), ("My-Cache-Control", "no-store"), FRESH)
        options = Options(targets=("cdn-cache-control", "my-cache-control"))
        self.assertEqual(tried(get(), response, options), Refusal.NO_STORE)

    def test_authorization(self) -> None:
        """3.5 holds for the directives that count."""
        request = get(("Authorization", "x"))
        self.assert_refused(
            Refusal.AUTHORIZATION, control("public"), self.cdn("max-age=60"), request=request
        )
        self.assert_stored(FRESH, self.cdn("max-age=60, public"), request=request)


class Worth(Stored):
    def test_useless(self) -> None:
        """3: neither validator nor explicit expiration time; or one that has passed."""
        self.assert_refused(Refusal.USELESS)
        self.assert_refused(Refusal.USELESS, control("max-age=0"))
        self.assert_refused(Refusal.USELESS, ("Expires", "0"))
        self.assert_refused(Refusal.USELESS, ("ETag", "unquoted"))
        self.assert_refused(Refusal.USELESS, TAG, status=404)  # it cannot be validated

    def test_never_fresh_but_useful(self) -> None:
        self.assert_stored(TAG)
        self.assert_stored(("Last-Modified", ago(60)))
        self.assert_stored(control("max-age=0, stale-while-revalidate=5"))
        self.assert_stored(control("max-age=0, stale-if-error=5"))

    def test_options_alone_make_nothing_useful(self) -> None:
        """What says nothing of caching may be meant for one user: not even to hide errors."""
        options = Options(stale_if_error=3600)
        self.assertEqual(tried(get(), ok(), options), Refusal.USELESS)

    def test_heuristic(self) -> None:
        """4.2.2."""
        modified = ("Last-Modified", ago(1000))
        found = tried(get(), ok(modified, status=404), Options(heuristic=True))
        self.assertIsInstance(found, Entry)
        self.assert_refused(Refusal.USELESS, modified, status=404)


class Varying(Stored):
    """4.1."""

    def test_selecting(self) -> None:
        entry = self.assert_stored(
            FRESH,
            ("Vary", "B, a"),
            ("vary", "b,,Accept-Encoding"),
            request=get(("A", "1"), ("Accept-Encoding", "Gzip;Q=1, br"), ("C", "3")),
        )
        self.assertEqual(entry.selecting, (("a", "1"), ("accept-encoding", "br,gzip"), ("b", None)))

    def test_star(self) -> None:
        """Never matched, so never stored; and so is what is no list of names."""
        for value in ("*", "*, *", ", *", "a, *", "*,a", "a b", '"a"', "(x)"):
            self.assert_refused(Refusal.VARY, FRESH, ("Vary", value))
        self.assert_refused(Refusal.VARY, FRESH, ("Vary", ""), ("Vary", "*"))

    def test_empty(self) -> None:
        self.assertEqual(self.assert_stored(FRESH, ("Vary", " ,")).selecting, ())


class StoredFields(Stored):
    """3.1."""

    def test_all(self) -> None:
        """Unrecognized ones too, in their order."""
        pairs = [("Date", ago(0)), FRESH, ("X-New", "1"), ("set-cookie", "a"), ("Set-Cookie", "b")]
        self.assertEqual(list(self.assert_stored(*pairs).fields), pairs)

    def test_of_the_connection(self) -> None:
        entry = self.assert_stored(
            FRESH,
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", "X-Late"),
            ("Upgrade", "h2c"),
        )
        self.assertEqual(entry.fields.names(), {"date", "cache-control"})

    def test_of_a_proxy(self) -> None:
        """Specific to the proxy through which the request went."""
        entry = self.assert_stored(
            FRESH,
            ("Proxy-Authenticate", "Basic"),
            ("Proxy-Authentication-Info", "x"),
            ("Proxy-Authorization", "x"),
        )
        self.assertEqual(entry.fields.names(), {"date", "cache-control"})

    def test_connection_names_what_is_needed(self) -> None:
        """9110, 7.6.1: no such connection option is right. Nothing is stored then."""
        for name in ("Cache-Control", "Vary", "Expires", "Content-Encoding", "CDN-Cache-Control"):
            self.assert_refused(Refusal.CONNECTION, FRESH, ("Connection", f"close, {name}"))

    def test_date(self) -> None:
        """9110, 6.6.1: recorded if it is missing, replaced if it is invalid."""
        for pairs in ([], [("Date", "foo")], [("Date", ago(5)), ("Date", ago(5))]):
            found = tried(get(), Response(200, Fields([*pairs, FRESH])))
            assert isinstance(found, Entry)
            self.assertEqual(found.fields.lines("date"), (format_date(NOW),))
        entry = self.assert_stored(FRESH, ("Date", ago(5)))
        self.assertEqual(entry.fields.get("date"), ago(5))

    def test_times(self) -> None:
        entry = self.assert_stored(FRESH)
        self.assertEqual((entry.request_time, entry.response_time), (NOW - 1, NOW))
        self.assertEqual((entry.body_size, entry.status, entry.reason), (None, 200, "Whatever"))


class Properties(SynchronousTestCase):
    @given(sections, sections, st.integers(100, 999))
    def test_any_fields(
        self, asked: list[tuple[str, str]], came: list[tuple[str, str]], status: int
    ) -> None:
        found = tried(get(*asked), Response(status, Fields(came)))
        self.assertIn(type(found), (Entry, Refusal))

    @given(
        st.sampled_from(
            [
                *("cache-control", "cdn-cache-control", "expires", "date", "vary", "connection"),
                *("last-modified", "etag", "age", "content-length"),
            ]
        ),
        st.binary(max_size=30),
    )
    def test_any_value(self, name: str, value: bytes) -> None:
        """Arbitrary bytes in a field that caching looks at."""
        text = value.decode("latin-1").translate(dict.fromkeys((*range(32), 127)))
        found = tried(get(), Response(200, Fields([(name, text), TAG])))
        self.assertIn(type(found), (Entry, Refusal))

    @given(sections)
    def test_forbidden_stays_forbidden(self, came: list[tuple[str, str]]) -> None:
        """No field makes a no-store response be stored, but for a targeted field."""
        fields = Fields([*came, control("no-store")]).without("cdn-cache-control")
        self.assertIsInstance(tried(get(), Response(200, fields)), Refusal)
