"""Whole exchanges through a gateway that does as the policy says (RFC 9111)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import Forward, Options, Reason, Revalidate, Serve, Unavailable
from netlab.fields import format_date
from tests.cache.policy.support import NOW, URI, Gateway, Reply, control, get, head

TAG = ("ETag", '"x"')


class Exchanges(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway = Gateway()

    def fill(self, *pairs: tuple[str, str], content: bytes = b"one", **asked: str) -> Reply:
        """A first response through the cache."""
        self.gateway.will_answer(*pairs, content=content)
        return self.gateway.ask(get(**asked))

    def assert_hit(self, reply: Reply, content: bytes = b"one") -> Reply:
        self.assertIsInstance(reply.verdict, Serve)
        self.assertEqual(reply.content, content)
        return reply

    def assert_forwarded(self, reply: Reply, content: bytes) -> Reply:
        self.assertNotIsInstance(reply.verdict, Serve)
        self.assertEqual(reply.content, content)
        return reply


class Storing(Exchanges):
    def test_reuse(self) -> None:
        """3 and 4: stored, and sent with its Age."""
        first = self.fill(control("max-age=60"), ("X", "1"))
        self.assertEqual((first.status, first.content), (200, b"one"))
        self.gateway.now += 5
        reply = self.assert_hit(self.gateway.ask(get()))
        self.assertEqual((reply.fields.get("age"), reply.fields.get("x")), ("5", "1"))
        self.assertEqual(reply.fields.get("date"), format_date(NOW))
        self.assertEqual(len(self.gateway.sent), 1)

    def test_not_stored(self) -> None:
        for value in ("no-store", "private", "private, max-age=60", "max-age=0"):
            self.fill(control(value))
            self.assertEqual(self.gateway.entries(), [])

    def test_queries(self) -> None:
        """2: the key is the whole URI."""
        self.fill(control("max-age=60"), uri=f"{URI}?a=1")
        self.assert_hit(self.gateway.ask(get(uri=f"{URI}?a=1")))
        self.gateway.will_answer(content=b"two")
        self.assert_forwarded(self.gateway.ask(get(uri=f"{URI}?a=2")), b"two")

    def test_newer_forbids(self) -> None:
        """4.3.3: an older response is not used when a newer one came, stored or not."""
        self.fill(control("max-age=60"))
        self.gateway.will_answer(control("no-store"), content=b"two")
        self.assert_forwarded(self.gateway.ask(get(control("no-cache"))), b"two")
        self.gateway.will_answer(content=b"three")
        self.assert_forwarded(self.gateway.ask(get()), b"three")

    def test_slow_origin(self) -> None:
        """4.2.3: the time of the request counts for the age."""
        self.gateway.will_answer(control("max-age=60"), ("Age", "10"), content=b"one")
        self.gateway.next[0].delay = 20
        self.gateway.ask(get())
        self.assertEqual(self.gateway.ask(get()).fields.get("age"), "30")


class Validating(Exchanges):
    def test_304(self) -> None:
        """4.3: the client gets the stored response, updated; and the next is a hit."""
        self.fill(TAG, control("max-age=1"), ("A", "1"), ("B", "1"))
        self.gateway.now += 10
        self.gateway.will_answer(TAG, control("max-age=60"), ("A", "2"), status=304)
        reply = self.assert_forwarded(self.gateway.ask(get()), b"one")
        self.assertEqual(reply.status, 200)
        self.assertEqual((reply.fields.get("a"), reply.fields.get("b")), ("2", "1"))
        self.assertNotIn("age", reply.fields)
        self.assertEqual(self.gateway.sent[-1].fields.get("if-none-match"), '"x"')
        self.gateway.now += 10
        again = self.assert_hit(self.gateway.ask(get()))
        self.assertEqual((again.fields.get("a"), again.fields.get("age")), ("2", "10"))

    def test_200(self) -> None:
        """4.3.3: a full response takes its place."""
        self.fill(TAG, control("max-age=1"))
        self.gateway.now += 10
        self.gateway.will_answer(("ETag", '"y"'), control("max-age=60"), content=b"two")
        self.assert_forwarded(self.gateway.ask(get()), b"two")
        self.assert_hit(self.gateway.ask(get()), b"two")
        self.assertEqual(len(self.gateway.entries()), 1)

    def test_304_of_nothing(self) -> None:
        """4.3.4: it is not the client's; so all of it is asked for."""
        self.fill(TAG, control("max-age=1"))
        self.gateway.now += 10
        self.gateway.will_answer(("ETag", '"y"'), status=304)
        self.gateway.will_answer(("ETag", '"y"'), content=b"two")
        self.assert_forwarded(self.gateway.ask(get()), b"two")
        self.assertNotIn("if-none-match", self.gateway.sent[-1].fields)

    def test_clients_condition(self) -> None:
        """4.3.2: evaluated when the origin has said what is right."""
        self.fill(TAG, control("max-age=1"))
        self.gateway.now += 10
        self.gateway.will_answer(TAG, control("max-age=1"), status=304)
        self.assertEqual(self.gateway.ask(get(("If-None-Match", '"x"'))).status, 304)
        self.gateway.now += 10
        self.gateway.will_answer(TAG, status=304)
        self.assertEqual(self.gateway.ask(get(("If-None-Match", '"y"'))).status, 200)
        self.gateway.now += 10
        self.gateway.will_answer(("ETag", '"y"'), content=b"two")
        reply = self.gateway.ask(get(("If-None-Match", '"y"')))
        self.assertEqual((reply.status, reply.content), (304, b""))

    def test_clients_range(self) -> None:
        """9110, 14: a part of what was validated."""
        self.fill(TAG, control("max-age=1"), content=b"0123456789")
        self.gateway.now += 10
        self.gateway.will_answer(TAG, status=304)
        reply = self.gateway.ask(get(("Range", "bytes=2-3")))
        self.assertEqual((reply.status, reply.content), (206, b"23"))
        self.assertNotIn("range", self.gateway.sent[-1].fields)

    def test_no_cache(self) -> None:
        """5.2.2.4: each time."""
        self.fill(TAG, control("no-cache, max-age=60"))
        for _ in range(3):
            self.gateway.will_answer(TAG, status=304)
            self.assert_forwarded(self.gateway.ask(get()), b"one")
        self.assertEqual(len(self.gateway.sent), 4)

    def test_forbidden_by_304(self) -> None:
        """5.2.2.5: one more time, and never again."""
        self.fill(TAG, control("max-age=1"))
        self.gateway.now += 10
        self.gateway.will_answer(TAG, control("no-store"), status=304)
        self.assert_forwarded(self.gateway.ask(get()), b"one")
        self.assertEqual(self.gateway.entries(), [])


class Misses(Exchanges):
    def test_clients_condition(self) -> None:
        """13.2.1: with nothing stored, preconditions are for the origin; its 304 is passed on."""
        self.gateway.will_answer(TAG, status=304)
        reply = self.gateway.ask(get(("If-None-Match", '"x"')))
        self.assertEqual((reply.status, self.gateway.entries()), (304, []))
        self.assertEqual(self.gateway.sent[-1].fields.get("if-none-match"), '"x"')

    def test_part(self) -> None:
        """3.3: a part is passed on, and not stored."""
        self.gateway.will_answer(
            control("max-age=60"), ("Content-Range", "bytes 0-1/10"), status=206, content=b"01"
        )
        reply = self.gateway.ask(get(("Range", "bytes=0-1")))
        self.assertEqual((reply.status, reply.content, self.gateway.entries()), (206, b"01", []))

    def test_whole_in_answer_to_a_range(self) -> None:
        self.gateway.will_answer(control("max-age=60"), content=b"0123")
        self.gateway.ask(get(("Range", "bytes=0-1")))
        self.assert_hit(self.gateway.ask(get()), b"0123")

    def test_hop_by_hop(self) -> None:
        self.gateway.will_answer(control("max-age=60"), ("Connection", "A"), ("A", "1"))
        self.assertNotIn("a", self.gateway.ask(get()).fields)


class Varying(Exchanges):
    """4.1."""

    def test_both_stay(self) -> None:
        for value in (b"1", b"2"):
            self.gateway.will_answer(control("max-age=60"), ("Vary", "Foo"), content=value)
            self.gateway.ask(get(("Foo", value.decode())))
        for value in (b"1", b"2"):
            self.assert_hit(self.gateway.ask(get(("Foo", value.decode()))), value)
        self.gateway.will_answer(content=b"3")
        reply = self.assert_forwarded(self.gateway.ask(get()), b"3")
        assert isinstance(reply.verdict, Forward)
        self.assertEqual(reply.verdict.reason, Reason.VARY_MISS)

    def test_poisoning(self) -> None:
        """A field that never reached the origin selects nothing for others."""
        self.gateway.will_answer(control("max-age=60"), ("Vary", "Foo"), content=b"plain")
        self.gateway.ask(get(("Foo", "1"), ("Connection", "Foo")))
        self.gateway.will_answer(control("max-age=60"), ("Vary", "Foo"), content=b"one")
        self.assert_forwarded(self.gateway.ask(get(("Foo", "1"))), b"one")
        self.assert_hit(self.gateway.ask(get()), b"plain")


class Errors(Exchanges):
    """4.2.4 and RFC 5861."""

    def test_stale_if_error(self) -> None:
        """RFC 5861, 4.1: the RFC's own example."""
        self.fill(TAG, control("max-age=600, stale-if-error=1200"))
        self.gateway.now += 900
        self.gateway.will_answer(status=500, content=b"failure")
        reply = self.gateway.ask(get())
        self.assertEqual((reply.status, reply.content), (200, b"one"))
        self.assertEqual(reply.fields.get("age"), "900")
        self.gateway.now += 901
        self.gateway.will_answer(status=500, content=b"failure")
        self.assertEqual(self.gateway.ask(get()).content, b"failure")

    def test_out_of_reach(self) -> None:
        self.fill(TAG, control("max-age=600, stale-if-error=1200"))
        self.gateway.now += 900
        self.gateway.out_of_reach = True
        self.assertEqual(self.gateway.ask(get()).content, b"one")
        self.assertEqual(self.gateway.ask(head()).status, 200)

    def test_forbidden(self) -> None:
        """5.2.2.2: an error rather than a stale response."""
        gateway = self.gateway = Gateway(Options(stale_if_error=1e9))
        gateway.out_of_reach = False
        for value in ("must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=2"):
            gateway.out_of_reach = False
            self.fill(TAG, control(f"max-age=2, {value}"), uri=f"{URI}?{value}")
            gateway.now += 3
            gateway.out_of_reach = True
            self.assertEqual(gateway.ask(get(uri=f"{URI}?{value}")).status, 504)

    def test_by_options(self) -> None:
        """Configuration in accordance with an out-of-band contract."""
        gateway = self.gateway = Gateway(
            Options(stale_if_error=1e9, errors=frozenset({403, 429, 500, 502, 503, 504}))
        )
        self.fill(TAG)
        gateway.now += 1e6
        for status in (403, 429, 503):
            gateway.will_answer(status=status, content=b"no")
            self.assertEqual(gateway.ask(get()).content, b"one")
        gateway.will_answer(status=404, content=b"gone")
        self.assertEqual(gateway.ask(get()).content, b"gone")

    def test_not_by_itself(self) -> None:
        """4.2.4: not unless it is permitted."""
        self.fill(TAG, control("max-age=2"))
        self.gateway.now += 3
        self.gateway.out_of_reach = True
        self.assertEqual(self.gateway.ask(get()).status, 504)

    def test_stale_while_revalidate(self) -> None:
        """RFC 5861, 3.1: at once, and right the next time."""
        self.fill(TAG, control("max-age=600, stale-while-revalidate=30"))
        self.gateway.now += 610
        self.gateway.will_answer(("ETag", '"y"'), control("max-age=600"), content=b"two")
        reply = self.assert_hit(self.gateway.ask(get()))
        self.assertEqual(reply.fields.get("age"), "610")
        self.assert_hit(self.gateway.ask(get()), b"two")

    def test_only_if_cached(self) -> None:
        """5.2.1.7."""
        reply = self.gateway.ask(get(control("only-if-cached")))
        self.assertEqual((reply.status, self.gateway.sent), (504, []))
        self.assertIsInstance(reply.verdict, Unavailable)


class Heads(Exchanges):
    """4.3.5."""

    def test_freshened(self) -> None:
        self.fill(TAG, control("max-age=1"), ("A", "1"))
        self.gateway.now += 10
        self.gateway.will_answer(TAG, control("max-age=1000"), ("A", "2"))
        reply = self.gateway.ask(head())
        self.assertIsInstance(reply.verdict, Forward)
        found = self.assert_hit(self.gateway.ask(get()))
        self.assertEqual(found.fields.get("a"), "2")

    def test_no_longer_right(self) -> None:
        self.fill(TAG, control("max-age=1000"))
        self.gateway.will_answer(("ETag", '"y"'))
        self.gateway.ask(head(control("no-cache")))
        self.gateway.will_answer(("ETag", '"y"'), control("max-age=60"), content=b"two")
        reply = self.assert_forwarded(self.gateway.ask(get()), b"two")
        self.assertIsInstance(reply.verdict, Revalidate)

    def test_from_get(self) -> None:
        self.fill(TAG, control("max-age=60"), content=b"0123")
        reply = self.gateway.ask(head())
        self.assertEqual((reply.status, reply.content), (200, b""))
        self.assertEqual(reply.fields.get("content-length"), "4")


class Invalidating(Exchanges):
    """4.4."""

    def test_target(self) -> None:
        for method in ("POST", "PUT", "DELETE", "M-SEARCH"):
            self.fill(control("max-age=60"), uri=f"{URI}?{method}")
            self.gateway.will_answer(status=500)
            self.gateway.ask(get(method=method, uri=f"{URI}?{method}"))
            self.assert_hit(self.gateway.ask(get(uri=f"{URI}?{method}")))
            self.gateway.will_answer(status=204)
            self.gateway.ask(get(method=method, uri=f"{URI}?{method}"))
            self.assertEqual(self.gateway.entries(f"{URI}?{method}"), [])

    def test_locations(self) -> None:
        for path in ("/b", "/c"):
            self.fill(control("max-age=60"), uri=f"http://example.org{path}")
        self.gateway.will_answer(("Location", "/b"), ("Content-Location", "c"), status=201)
        self.gateway.ask(get(method="POST"))
        for path in ("/b", "/c"):
            self.assertEqual(self.gateway.entries(f"http://example.org{path}"), [])
