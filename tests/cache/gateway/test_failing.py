"""Origins and disks that fail: something stale, an error that says why, and back-off."""

from __future__ import annotations

from netlab.cache.policy import Options
from netlab.fields import ProxyError, format_date
from netlab.http import RequestError
from netlab.http.fetching import FetchError
from tests.cache.gateway.support import CUT, FRESH, LOST, NOW, ORIGIN, REFUSED, GatewayCase
from tests.http.support import logged

BUSY = FetchError(ProxyError.CONNECTION_LIMIT_REACHED, "1000 requests wait already")
SILENT = FetchError(ProxyError.HTTP_RESPONSE_TIMEOUT, "the upstream did not answer within 30 s")
WRONG = FetchError(ProxyError.HTTP_PROTOCOL_ERROR, "the upstream's answer is wrong")
LENIENT = ("Cache-Control", "max-age=60, stale-if-error=600")
TAG = ("ETag", '"1"')


class Errors(GatewayCase):
    """RFC 9209."""

    def test_said(self) -> None:
        for error, status in ((REFUSED, 502), (LOST, 502), (BUSY, 503), (SILENT, 504)):
            client = self.ask()
            self.origin.last.fail(error)
            self.assertEqual(client.status, status)
            said = client.field("proxy-status") or ""
            self.assertEqual(
                said, f'netlab;error={error.proxy_status.value};details="{error.text}"'
            )
            self.assertIn(error.text.encode(), client.content)
            self.assertEqual(client.field("cache-control"), "no-store")
            self.assertNotIn("cache-status", client.response.fields)  # type: ignore[union-attr]
            self.assertEqual(self.entries(), ())

    def test_errors_of_the_origin_pass(self) -> None:
        for status in (500, 502, 503, 504):
            client = self.ask()
            self.origin.last.answer(status=status, content=b"my own words")
            self.assertEqual((client.status, client.content), (status, b"my own words"))
            self.assertEqual(self.entries(), ())

    def test_loop(self) -> None:
        """A request that was here before (RFC 9110, 7.6.3)."""
        self.ask()
        via = self.origin.last.fields.get("via") or ""
        looped = self.ask(("Via", f"1.1 other, {via}"))
        self.assertEqual((looped.status, len(self.origin.asked)), (502, 1))
        self.assertIn("error=proxy_loop_detected", looped.field("proxy-status") or "")
        self.origin.last.answer(FRESH)
        self.assertEqual(self.ask(("Via", via)).status, 200)

    def test_cut_while_it_passes(self) -> None:
        client = self.ask()
        self.origin.last.answer(("Cache-Control", "no-store"), content=b"half", end=False)
        with logged(f"{ORIGIN}/a: the connection broke off") as lines:
            self.origin.last.fail(CUT)
        self.assertEqual((client.content, client.whole, len(lines)), (b"half", False, 1))
        self.assertIsInstance(client.error, RequestError)

    def test_cut_is_told_once(self) -> None:
        for _ in range(10):
            self.ask()
        self.origin.last.answer(FRESH, content=b"half", end=False)
        with logged("the connection broke off") as lines:
            self.origin.last.fail(CUT)
        self.assertEqual(len(lines), 1)

    def test_length_is_not_what_was_said(self) -> None:
        """The store looks as well: what is shorter than announced is not kept."""
        client = self.ask()
        self.origin.last.answer(FRESH, ("Content-Length", "9"), content=b"short")
        self.assertEqual((client.content, self.entries()), (b"short", ()))


class Stale(GatewayCase):
    def stale(self, *pairs: tuple[str, str]) -> None:
        self.stored(*(pairs or (LENIENT,)), TAG)
        self.clock.advance(90)

    def test_no_answer(self) -> None:
        """RFC 5861, 4."""
        self.stale()
        client = self.ask()
        self.origin.last.fail(REFUSED)
        self.assertEqual((client.status, client.content), (200, b"old"))
        self.assertEqual(client.told, "netlab;fwd=stale;ttl=-30")
        self.assertEqual(client.field("age"), "90")
        self.assertIn("error=connection_refused", client.field("proxy-status") or "")

    def test_an_error(self) -> None:
        self.stale()
        client = self.ask()
        self.origin.last.answer(status=503, content=b"x", end=False)
        self.assertEqual((client.status, client.content), (200, b"old"))
        self.assertEqual(client.told, "netlab;fwd=stale;fwd-status=503;ttl=-30")
        self.assertTrue(self.origin.last.gone)

    def test_for_all_who_wait(self) -> None:
        self.stale()
        clients = [self.ask() for _ in range(5)]
        self.origin.last.fail(REFUSED)
        self.assertEqual({each.content for each in clients}, {b"old"})
        self.clock.advance(2)
        clients = [self.ask() for _ in range(5)]
        self.origin.last.answer(status=500)
        self.assertEqual({each.content for each in clients}, {b"old"})
        self.assertEqual(len(self.origin.asked), 3)

    def test_bounded(self) -> None:
        self.stale()
        self.clock.advance(600)
        client = self.ask()
        self.origin.last.answer(status=503, content=b"x")
        self.assertEqual((client.status, client.content), (503, b"x"))

    def test_by_option(self) -> None:
        self.made(options=Options(stale_if_error=1000, errors=frozenset({403, 500})))
        self.stale(FRESH)
        client = self.ask()
        self.origin.last.answer(status=403)
        self.assertEqual(client.told, "netlab;fwd=stale;fwd-status=403;ttl=-30")

    def test_must_revalidate(self) -> None:
        """Never stale (RFC 9111, 5.2.2.2)."""
        self.stale(("Cache-Control", "max-age=60, must-revalidate, stale-if-error=600"))
        client = self.ask()
        self.origin.last.fail(SILENT)
        self.assertEqual(client.status, 504)
        client = self.ask()
        self.origin.last.answer(status=503)
        self.assertEqual(client.status, 503)

    def test_head(self) -> None:
        self.stale()
        client = self.ask(method="HEAD")
        self.origin.last.answer(status=503)
        self.assertEqual((client.status, client.content), (200, b""))
        self.clock.advance(10)
        client = self.ask(method="HEAD")
        self.origin.last.fail(REFUSED)
        self.assertEqual(client.status, 200)

    def test_gone_in_the_meantime(self) -> None:
        self.stale()
        client = self.ask()
        self.store.purge_all()
        self.origin.last.fail(REFUSED)
        self.assertEqual(client.status, 502)

    def test_rests(self) -> None:
        """After each failure it is left alone for longer; and nobody is made to wait for that."""
        self.stale()
        self.ask()
        self.origin.last.fail(REFUSED)
        client = self.ask()
        self.assertEqual((client.content, len(self.origin.asked)), (b"old", 2))
        self.assertEqual(client.told, "netlab;hit;ttl=-30")
        self.clock.advance(1)
        self.ask()
        self.origin.last.fail(REFUSED)
        self.clock.advance(1.5)
        self.ask()
        self.assertEqual(len(self.origin.asked), 3)
        self.clock.advance(1)
        client = self.ask()
        self.origin.last.answer(LENIENT, content=b"new")
        self.assertEqual(client.content, b"new")
        self.assertEqual(self.ask().told, "netlab;hit;ttl=60")

    def test_retry_after(self) -> None:
        for value in ("20", format_date(NOW + 90 + 20)):
            self.setUp()
            self.stale()
            self.ask()
            self.origin.last.answer(("Retry-After", value), status=503)
            self.clock.advance(19)
            self.ask()
            self.assertEqual(len(self.origin.asked), 2)
            self.clock.advance(1)
            self.ask()
            self.assertEqual(len(self.origin.asked), 3)
            self.origin.last.answer(TAG, status=304)
            self.tearDown()


class WhileRevalidating(GatewayCase):
    """RFC 5861, 3."""

    def stale(self) -> None:
        self.stored(("Cache-Control", "max-age=60, stale-while-revalidate=600"), TAG)
        self.clock.advance(90)

    def test_one_request_in_the_background(self) -> None:
        self.stale()
        clients = [self.ask() for _ in range(5)]
        self.assertEqual({each.content for each in clients}, {b"old"})
        self.assertEqual({each.told for each in clients}, {"netlab;hit;ttl=-30"})
        self.assertEqual(len(self.origin.asked), 2)
        self.assertEqual(self.origin.last.fields.get("if-none-match"), '"1"')
        self.assertIn("via", self.origin.last.fields)
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual(self.ask().content, b"new")

    def test_not_modified(self) -> None:
        self.stale()
        self.ask()
        self.origin.last.answer(FRESH, TAG, status=304)
        self.assertEqual(self.ask().told, "netlab;hit;ttl=60")

    def test_for_head(self) -> None:
        self.stale()
        self.ask(method="HEAD")
        self.assertEqual(self.origin.last.method, "GET")
        self.origin.last.answer(FRESH, TAG, status=304)

    def test_fails(self) -> None:
        """Then it is tried again later."""
        self.stale()
        for fail in (
            lambda: self.origin.last.fail(REFUSED),
            lambda: self.origin.last.answer(("Retry-After", "1"), status=500, content=b"x"),
        ):
            before = len(self.origin.asked)
            self.assertEqual(self.ask().content, b"old")
            fail()
            self.assertEqual(self.ask().content, b"old")
            self.assertEqual(len(self.origin.asked), before + 1)
            self.clock.advance(2)
        self.assertEqual(self.ask().content, b"old")
        self.origin.last.answer(("Cache-Control", "no-store"), content=b"x", end=False)
        self.assertTrue(self.origin.last.gone)
        self.assertEqual(self.entries(), ())

    def test_an_error_of_ours(self) -> None:
        """It is logged, and not once for each who asks."""
        self.stale()
        self.ask()
        self.origin.last.fail(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.ask()
        self.assertEqual(len(self.origin.asked), 2)

    def test_who_reloads_shares_it(self) -> None:
        self.stale()
        self.ask()
        client = self.ask(("Cache-Control", "min-fresh=1"))
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.last.answer(FRESH, TAG, status=304)
        self.assertEqual(client.told, "netlab;fwd=stale;ttl=60;collapsed")

    def test_closed_while_it_goes_on(self) -> None:
        self.stale()
        self.ask()
        self.gateway.close()
        self.assertTrue(self.origin.last.cancelled)
        self.ask()
        self.assertEqual(len(self.origin.asked), 2)

    def test_held_back(self) -> None:
        self.stale()
        for _ in range(3):
            self.ask(path="/b")
            self.origin.last.fail(REFUSED)
        self.assertEqual(self.ask().content, b"old")
        self.assertEqual(len(self.origin.asked), 4)
        self.clock.advance(1)
        self.assertEqual(self.ask().content, b"old")
        self.origin.last.answer(FRESH, TAG, status=304)
        self.assertEqual(self.ask().told, "netlab;hit;ttl=60")

    def test_held_back_when_it_would_be_tried_again(self) -> None:
        self.stale()
        self.ask()
        self.origin.last.fail(REFUSED)
        self.clock.advance(0.5)
        for _ in range(2):
            self.ask(path="/b")
            self.origin.last.fail(REFUSED)
        self.clock.advance(0.5)
        self.ask()
        self.assertEqual(len(self.origin.asked), 4)
        self.clock.advance(0.5)
        self.ask()
        self.assertEqual(len(self.origin.asked), 5)
        self.origin.last.answer(FRESH, TAG, status=304)


class Breaking(GatewayCase):
    def failures(self, times: int = 3) -> None:
        for _ in range(times):
            self.ask(path="/b")
            self.origin.last.fail(REFUSED)

    def test_left_alone(self) -> None:
        with logged("is left alone") as lines:
            self.failures()
        self.assertEqual(len(lines), 1)
        self.assertIn("http://example.org:80 is left alone for 1 s", lines[0])
        client = self.ask()
        self.assertEqual((client.status, len(self.origin.asked)), (503, 3))
        self.assertEqual(client.field("retry-after"), "2")
        self.assertIn("error=destination_unavailable", client.field("proxy-status") or "")
        client = self.ask(method="POST", body=b"x")
        self.assertEqual((client.status, len(self.origin.asked)), (503, 3))

    def test_half_open(self) -> None:
        self.failures()
        self.clock.advance(1)
        first = self.ask()
        second = self.ask(path="/c")
        self.assertEqual((second.status, len(self.origin.asked)), (503, 4))
        with logged("answers again") as lines:
            self.origin.last.answer(FRESH)
        self.assertEqual((first.status, len(lines)), (200, 1))
        self.ask(path="/c")
        self.origin.last.answer(FRESH)

    def test_given_up(self) -> None:
        """An attempt whose client went away lets the next one try."""
        self.failures()
        self.clock.advance(1)
        self.ask().go_away()
        self.assertEqual(len(self.origin.asked), 4)
        self.ask(method="POST", body=b"x").go_away()
        self.assertEqual(len(self.origin.asked), 5)
        self.ask()
        self.origin.last.fail(LOST)  # it says as little
        self.ask()
        self.origin.last.answer(FRESH)

    def test_other_origins(self) -> None:
        self.failures()
        from netlab.http import Request
        from tests.cache.gateway.support import Client

        other = Client(self.gateway.respond(Request("GET", "/"), "http://other.example/"))
        self.origin.last.answer(FRESH)
        self.assertEqual(other.status, 200)

    def test_our_own_queue_says_nothing(self) -> None:
        for _ in range(10):
            client = self.ask()
            self.origin.last.fail(BUSY)
            self.assertEqual(client.status, 503)
        self.assertEqual(len(self.origin.asked), 10)

    def test_what_one_request_brings_about(self) -> None:
        """Nobody closes the origin to others by requests that it hates, or by sending slowly."""
        for error in (LOST, CUT, WRONG, SILENT):
            for _ in range(5):
                self.ask(method="POST", body=b"x")
                self.origin.last.fail(error)
        self.ask()
        self.origin.last.answer(FRESH)
        for _ in range(3):
            self.ask(path="/b")
            self.origin.last.fail(SILENT)
        self.assertEqual(self.ask(path="/b").status, 503)

    def test_what_takes_long_while_others_are_answered(self) -> None:
        """A page that is always late, as long polling is, is no reason to close the origin."""
        for _ in range(5):
            self.ask(path="/late")
            late = self.origin.last
            self.clock.advance(29)
            self.ask(path="/b")
            self.origin.last.answer()
            self.clock.advance(1)
            late.fail(SILENT)
        self.ask(path="/b")
        self.origin.last.answer()

    def test_what_takes_long_does_not_hold_up_the_next_attempt(self) -> None:
        self.failures()
        self.clock.advance(1)
        self.ask(path="/late")
        late = self.origin.last
        self.assertEqual(self.ask(path="/b").status, 503)
        self.clock.advance(1)
        client = self.ask(path="/b")
        self.origin.last.answer()
        self.assertEqual(client.status, 200)
        self.clock.advance(28)
        late.fail(SILENT)
        self.ask(path="/b")
        self.origin.last.answer()

    def test_troubled(self) -> None:
        self.made(troubled=frozenset({429}))
        client = self.ask()
        self.origin.last.answer(("Retry-After", "30"), status=429, content=b"slow down")
        self.assertEqual((client.status, client.content), (429, b"slow down"))
        self.clock.advance(29)
        self.assertEqual(self.ask(path="/b").field("retry-after"), "2")
        self.clock.advance(1)
        self.ask(path="/b")
        self.origin.last.answer(FRESH)

    def test_stale_while_it_is_left_alone(self) -> None:
        self.stored(LENIENT)
        self.clock.advance(90)
        self.failures()
        client = self.ask()
        self.assertEqual((client.content, client.told), (b"old", "netlab;hit;ttl=-30"))


class Disk(GatewayCase):
    """Whatever the store does, who asks gets all of it; and nothing wrong is stored."""

    def test_cannot_begin(self) -> None:
        self.store.begins = False
        clients = [self.ask() for _ in range(3)]
        self.origin.last.answer(FRESH, content=b"one", end=False)
        self.origin.last.add(b"two")
        self.origin.last.end()
        self.assertEqual({each.content for each in clients}, {b"onetwo"})
        self.assertEqual(clients[0].told, "netlab;fwd=uri-miss;ttl=60")
        self.assertEqual(self.entries(), ())

    def test_full_in_the_middle(self) -> None:
        self.store.room = 4
        first = self.ask()
        slow = self.ask(reading=False)
        self.origin.last.answer(FRESH, content=b"one", end=False)
        self.origin.last.add(b"two")
        late = self.ask()
        self.origin.last.add(b"three")
        self.origin.last.end()
        slow.read()
        self.assertEqual({each.content for each in (first, slow, late)}, {b"onetwothree"})
        self.assertEqual((len(self.origin.asked), self.entries()), (1, ()))

    def test_full_at_the_end(self) -> None:
        self.store.commits = False
        client = self.ask()
        self.origin.last.answer(FRESH, content=b"x")
        self.assertEqual((client.content, self.entries()), (b"x", ()))

    def test_what_could_not_be_replaced_is_removed(self) -> None:
        self.stored(FRESH)
        self.clock.advance(61)
        self.store.commits = False
        client = self.ask()
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual((client.content, self.entries()), (b"new", ()))

    def test_a_part_replaces_nothing(self) -> None:
        self.stored(LENIENT, TAG)
        self.clock.advance(61)
        client = self.ask()
        self.origin.last.answer(FRESH, content=b"ne", end=False)
        self.origin.last.fail(CUT)
        self.assertEqual((client.content, client.whole), (b"ne", False))
        self.assertEqual(self.contents(), [b"old"])

    def test_an_error_of_the_store(self) -> None:
        def broken(entry: object) -> None:
            raise ZeroDivisionError

        self.stored(FRESH)
        self.clock.advance(61)
        client = self.ask()
        self.patch(self.store, "remove", broken)
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual((client.content, client.whole), (b"new", True))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_slow_reader_and_full_disk(self) -> None:
        """What is kept in memory for it has a bound: the origin waits."""
        self.store.begins = False
        slow = self.ask(reading=False)
        self.origin.last.answer(FRESH, content=b"x" * 100_000, end=False)
        for _ in range(50):
            self.origin.last.add(b"x" * 100_000)
        fetched = self.origin.last.fetched
        assert fetched is not None
        self.assertGreater(fetched.size, 4_000_000)  # which the real one would not have read
        self.origin.last.end()
        slow.read()
        self.assertEqual(len(slow.content), 5_100_000)
