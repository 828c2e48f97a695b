"""What a response changes in the cache (RFC 9111, 3 to 4.4)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import (
    Entry,
    Outcome,
    Refusal,
    Request,
    Response,
    cache_key,
    invalidated,
    receive,
)
from netlab.cache.policy.receiving import MOST_VARIANTS
from netlab.fields import Fields
from tests.cache.policy.support import NOW, URI, ago, control, get, head, ok, stored
from tests.fields.test_collection import sections

FRESH = control("max-age=60")
TAG = ("ETag", '"x"')


def came(
    request: Request,
    response: Response,
    entries: Collection[Entry] = (),
    validated: Entry | None = None,
) -> Outcome:
    return receive(
        request, response, entries, request_time=NOW, response_time=NOW, validated=validated
    )


class New(SynchronousTestCase):
    def test_stored(self) -> None:
        found = came(get(), ok(FRESH))
        assert found.new is not None
        self.assertEqual(found.new.key, URI)
        self.assertEqual(found, Outcome(new=found.new))

    def test_refused(self) -> None:
        found = came(get(), ok(control("no-store")))
        self.assertEqual(found, Outcome(refused=Refusal.NO_STORE))

    def test_in_place_of(self) -> None:
        """4.3.3: those that the request selected are replaced, the others stay."""
        one, two = (
            stored(FRESH, ("Vary", "Foo"), request=get(("Foo", value))) for value in ("1", "2")
        )
        found = came(get(("Foo", "1")), ok(FRESH, ("Vary", "Foo")), [one, two])
        self.assertEqual(found.remove, (one,))

    def test_no_longer_right(self) -> None:
        """4.3.3: a full response says that the stored ones are not suitable, stored or not."""
        old = stored(FRESH, TAG)
        for status, refused in ((200, "no-store"), (404, "no-store"), (302, "private"), (410, "x")):
            found = came(get(), ok(control(refused), status=status), [old], old)
            self.assertIsNone(found.new)
            self.assertEqual(found.remove, (old,))

    def test_says_nothing(self) -> None:
        """Errors, parts, and what is about one request only."""
        old = stored(FRESH, TAG)
        for status in (206, 401, 403, 412, 416, 429, 500, 503):
            found = came(get(), ok(control("no-store"), status=status), [old])
            self.assertEqual((found.new, found.remove), (None, ()), status)
        found = came(get(control("no-store")), ok(FRESH), [old])
        self.assertEqual((found.refused, found.remove), (Refusal.REQUEST_NO_STORE, ()))

    def test_what_reached_the_origin(self) -> None:
        """9110, 7.6.1: a field of the connection has not selected the response."""
        request = get(("Connection", "Foo, Authorization"), ("Foo", "1"), ("Authorization", "x"))
        found = came(request, ok(FRESH, ("Vary", "Foo")))
        assert found.new is not None
        self.assertEqual(found.new.selecting, (("foo", None),))

    def test_many_variants(self) -> None:
        """However many a client asks for, there is an end to it."""
        entries = [
            stored(FRESH, ("Vary", "Foo"), request=get(("Foo", str(number))), at=NOW + number % 7)
            for number in range(MOST_VARIANTS + 1)
        ]
        found = came(get(("Foo", "x")), ok(FRESH, ("Vary", "Foo")), entries)
        self.assertEqual(found.remove, (entries[0], entries[7]))
        found = came(get(("Foo", "3")), ok(FRESH, ("Vary", "Foo")), entries[:MOST_VARIANTS])
        self.assertEqual(found.remove, (entries[3],))
        found = came(get(("Foo", "x")), ok(FRESH, ("Vary", "Foo")), entries[: MOST_VARIANTS - 1])
        self.assertEqual(found.remove, ())


class NotModified(SynchronousTestCase):
    """4.3.3 and 4.3.4."""

    def test_validated(self) -> None:
        entry = stored(control("max-age=0"), TAG)
        found = came(get(), ok(TAG, FRESH, status=304), [entry], entry)
        assert found.serve is not None
        self.assertEqual(found.serve.fields.get("cache-control"), "max-age=60")
        self.assertEqual(found.updates, ((entry, found.serve),))
        self.assertEqual((found.again, found.new, found.remove), (False, None, ()))

    def test_about_nothing(self) -> None:
        """A 304 that no stored response fits: the client must not get it."""
        entry = stored(FRESH, TAG)
        found = came(get(), ok(("ETag", '"y"'), status=304), [entry], entry)
        self.assertEqual((found.serve, found.again, found.updates), (None, True, ()))

    def test_of_the_client(self) -> None:
        """9110, 15.4.5: the 304 to a client's own precondition is for the client."""
        entry = stored(FRESH, TAG)
        found = came(get(("If-None-Match", '"x"')), ok(TAG, status=304), [entry])
        self.assertEqual((found.serve, found.again), (None, False))
        self.assertEqual([old for old, _ in found.updates], [entry])
        found = came(get(("If-None-Match", '"y"')), ok(("ETag", '"y"'), status=304), [entry])
        self.assertEqual(found, Outcome(refused=Refusal.STATUS))

    def test_not_to_be_stored(self) -> None:
        """It answers this request, and is then removed; or it stays as it was."""
        entry = stored(FRESH, TAG)
        found = came(get(), ok(TAG, control("no-store"), status=304), [entry], entry)
        self.assertIsNotNone(found.serve)
        self.assertEqual((found.updates, found.remove), ((), (entry,)))
        found = came(get(control("no-store")), ok(TAG, status=304), [entry], entry)
        self.assertIsNotNone(found.serve)
        self.assertEqual((found.updates, found.remove), ((), ()))

    def test_several(self) -> None:
        """4: of several that are right, the most recent."""
        old, new = stored(FRESH, TAG, at=NOW - 9), stored(FRESH, TAG)
        found = came(get(), ok(TAG, status=304), [old, new], new)
        self.assertEqual(len(found.updates), 2)
        assert found.serve is not None
        self.assertEqual(found.serve.body_digest, new.body_digest)


class Head(SynchronousTestCase):
    """4.3.5."""

    def test_updates(self) -> None:
        entry = stored(FRESH, TAG)
        found = came(head(), ok(TAG, ("A", "1")), [entry])
        ((old, new),) = found.updates
        self.assertEqual((old, new.fields.get("a")), (entry, "1"))
        self.assertEqual((found.serve, found.new, found.refused), (None, None, Refusal.METHOD))

    def test_others(self) -> None:
        """Only a 200 says something of what GET would get."""
        for status in (206, 304, 404, 500):
            found = came(head(), ok(TAG, ("A", "1"), status=status), [stored(FRESH, TAG)])
            self.assertEqual(found, Outcome(refused=Refusal.METHOD))


class Invalidated(SynchronousTestCase):
    """4.4."""

    def keys(
        self, *pairs: tuple[str, str], method: str = "POST", status: int = 200
    ) -> tuple[str, ...]:
        return invalidated(get(method=method), ok(*pairs, status=status))

    def test_methods(self) -> None:
        """Unsafe ones, and those of which it is not known (9110, 9.2.1)."""
        for method in ("POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"):
            self.assertEqual(self.keys(method=method), (URI,))
        for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
            self.assertEqual(self.keys(method=method), ())

    def test_statuses(self) -> None:
        """2xx and 3xx are no errors."""
        for status in (200, 201, 204, 299, 301, 303, 304, 399):
            self.assertEqual(self.keys(status=status), (URI,))
        for status in (100, 199, 400, 404, 412, 500, 503, 600):
            self.assertEqual(self.keys(status=status), ())

    def test_locations(self) -> None:
        """Location and Content-Location, resolved against the target."""
        found = self.keys(("Location", "b?c#d"), ("Content-Location", "http://EXAMPLE.org:80/e"))
        self.assertEqual(found, (URI, "http://example.org/b?c", "http://example.org/e"))
        self.assertEqual(self.keys(("Location", ""), ("Content-Location", "/a")), (URI,))

    def test_other_origins(self) -> None:
        """They must not be touched: else one origin could empty the cache of another."""
        for uri in (
            *("http://example.com/b", "https://example.org/b", "http://example.org:81/b"),
            *("//other/b", "http://example.org@other/b", "urn:x", "http://example.org.:80/b"),
        ):
            found = self.keys(("Location", uri), ("Content-Location", uri))
            self.assertEqual(found, (URI,), uri)

    def test_first_line(self) -> None:
        found = self.keys(("Location", "/b"), ("Location", "/c"))
        self.assertEqual(found, (URI, "http://example.org/b"))

    def test_outcome(self) -> None:
        found = came(get(method="DELETE"), ok(status=204), [stored(FRESH)])
        self.assertEqual(found, Outcome(refused=Refusal.METHOD, invalidate=(URI,)))

    @given(st.text(st.sampled_from("htp:/.?#@[]eE80aB%; \xe9"), max_size=30))
    def test_any_location(self, uri: str) -> None:
        for key in self.keys(("Location", uri)):
            self.assertTrue(key.startswith("http://example.org/"), key)
            self.assertEqual(cache_key(key), key)


class Properties(SynchronousTestCase):
    @given(
        st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"]),
        st.integers(200, 599),
        sections,
        sections,
        st.booleans(),
    )
    def test_any_response(
        self,
        method: str,
        status: int,
        asked: list[tuple[str, str]],
        answered: list[tuple[str, str]],
        validating: bool,
    ) -> None:
        """Whatever comes: nothing is raised, and an outcome speaks of what is there."""
        entries = [stored(FRESH, TAG), stored(("Last-Modified", ago(5)))]
        found = came(
            get(*asked, method=method),
            Response(status, Fields(answered)),
            entries,
            entries[0] if validating else None,
        )
        self.assertTrue({old for old, _ in found.updates} | set(found.remove) <= set(entries))
        self.assertEqual(found.new is None, found.refused is not None)
        self.assertFalse(found.again and (found.serve or found.new))
        self.assertTrue(not found.again or validating)
