"""Requests through a gateway, one at a time."""

from __future__ import annotations

from typing import Any

from netlab.cache.policy import Options, Request, Response
from tests.cache.gateway.support import FRESH, REFUSED, GatewayCase


class Misses(GatewayCase):
    def test_miss_then_hit(self) -> None:
        first = self.ask()
        self.origin.last.answer(FRESH, ("Content-Type", "text/plain"), content=b"new")
        self.assertEqual((first.status, first.content, first.whole), (200, b"new", True))
        self.assertEqual(first.told, "netlab;fwd=uri-miss;ttl=60;stored")
        self.clock.advance(10)
        second = self.ask()
        self.assertEqual((second.status, second.content), (200, b"new"))
        self.assertEqual(second.told, "netlab;hit;ttl=50")
        self.assertEqual(second.field("age"), "10")
        self.assertEqual(second.field("content-type"), "text/plain")
        self.assertEqual(len(self.origin.asked), 1)

    def test_answer_of_a_fetch_that_does_not_wait(self) -> None:
        """An answer that is there at once goes the same way: stored, or passed on."""
        self.origin.always = lambda asked: asked.answer(FRESH, content=b"now")
        self.assertEqual(self.ask().content, b"now")
        self.origin.always = lambda asked: asked.answer(("Cache-Control", "no-store"), content=b"x")
        self.assertEqual(self.ask(path="/b").content, b"x")
        self.store.begins = False
        self.origin.always = lambda asked: asked.answer(FRESH, content=b"full")
        self.assertEqual(self.ask(path="/c").content, b"full")
        self.origin.always = lambda asked: asked.fail(REFUSED)
        self.assertEqual(self.ask(path="/d").status, 502)

    def test_streams(self) -> None:
        client = self.ask()
        self.origin.last.answer(FRESH, content=b"one", end=False)
        self.assertEqual((client.content, client.whole), (b"one", False))
        self.origin.last.add(b"two")
        self.assertEqual((client.content, client.whole), (b"onetwo", False))
        self.assertEqual(self.entries(), ())
        self.origin.last.end()
        self.assertTrue(client.whole)
        self.assertEqual(self.contents(), [b"onetwo"])

    def test_not_cacheable(self) -> None:
        for value in ("no-store", "private"):
            client = self.ask()
            self.origin.last.answer(("Cache-Control", value), content=b"mine")
            self.assertEqual(client.content, b"mine")
            self.assertEqual(client.told, f"netlab;fwd=uri-miss;detail={value}")
            self.assertEqual(self.entries(), ())

    def test_authorization(self) -> None:
        """What one may see is not for others, unless the origin says so (RFC 9111, 3.5)."""
        self.ask(("Authorization", "Basic eDp5"))
        self.origin.last.answer(FRESH, content=b"mine")
        self.assertEqual(self.entries(), ())
        other = self.ask()
        self.origin.last.answer(status=401)
        self.assertEqual((other.status, other.content), (401, b""))
        self.ask(("Authorization", "Basic eDp5"))
        self.origin.last.answer(("Cache-Control", "public, max-age=60"), content=b"ours")
        self.assertEqual(self.ask().content, b"ours")

    def test_redirections_pass(self) -> None:
        client = self.ask()
        self.origin.last.answer(("Location", "http://other.example/"), FRESH, status=302)
        self.assertEqual((client.status, client.field("location")), (302, "http://other.example/"))
        self.assertEqual(self.ask().status, 302)
        self.assertEqual(len(self.origin.asked), 1)

    def test_only_if_cached(self) -> None:
        client = self.ask(("Cache-Control", "only-if-cached"))
        self.assertEqual((client.status, self.origin.asked), (504, []))
        self.assertNotIn("cache-status", client.response.fields)  # type: ignore[union-attr]

    def test_a_date_is_added(self) -> None:
        client = self.ask()
        self.origin.last.answer(FRESH)
        self.assertEqual(client.field("date"), self.date)

    def test_repeated_length(self) -> None:
        client = self.ask()
        lines = [("Content-Length", "3"), ("Content-Length", "3")]
        self.origin.last.answer(*lines, content=b"abc")
        self.assertEqual(client.field("content-length"), "3")

    def test_version_in_via(self) -> None:
        client = self.ask()
        self.origin.last.answer(("Via", "1.1 other"), version="1.0")
        self.assertRegex(client.field("via") or "", r"^1\.1 other, 1\.0 netlab-[0-9a-f]{8}$")
        self.assertRegex(self.origin.last.fields.get("via") or "", r"^1\.1 netlab-[0-9a-f]{8}$")

    def test_cache_status_of_others_stays(self) -> None:
        client = self.ask()
        self.origin.last.answer(("Cache-Status", "inner;hit"), FRESH)
        self.assertEqual(client.told, "inner;hit, netlab;fwd=uri-miss;ttl=60;stored")

    def test_amended(self) -> None:
        def amend(asked: Request, response: Response) -> Response:
            self.assertEqual(asked.uri, "http://example.org/a")
            fields = response.fields.adding(("X-Ours", "max-age=600"))
            return Response(response.status, fields, response.reason)

        options = Options(targets=("x-ours",))
        self.made(amend=amend, unsaid=frozenset({"x-ours"}), options=options)
        first = self.ask()
        self.origin.last.answer(content=b"x")
        self.assertEqual(self.ask().told, "netlab;hit;ttl=600")
        self.assertIsNone(first.field("x-ours"))
        self.assertIsNone(self.ask().field("x-ours"))

    def test_amending_fails(self) -> None:
        """An error of ours lets go of what came."""

        def amend(_asked: Request, _response: Response) -> Response:
            raise ZeroDivisionError

        self.made(amend=amend)
        self.expected = (ZeroDivisionError,)
        for method in ("GET", "POST"):
            client = self.ask(method=method)
            self.origin.last.answer(content=b"x", end=False)
            self.assertIsInstance(client.error, ZeroDivisionError)
            self.assertTrue(self.origin.last.gone)


class Validation(GatewayCase):
    """RFC 9111, 4.3."""

    def stale(self, *pairs: tuple[str, str]) -> None:
        self.stored(FRESH, ("ETag", '"1"'), *pairs)
        self.clock.advance(61)

    def test_not_modified(self) -> None:
        self.stale()
        client = self.ask()
        self.assertEqual(self.origin.last.fields.get("if-none-match"), '"1"')
        self.origin.last.answer(FRESH, ("ETag", '"1"'), status=304)
        self.assertEqual((client.status, client.content), (200, b"old"))
        self.assertEqual(client.told, "netlab;fwd=stale;fwd-status=304;ttl=60")
        self.assertIsNone(client.field("age"))
        self.assertEqual(self.ask().told, "netlab;hit;ttl=60")

    def test_modified(self) -> None:
        self.stale()
        client = self.ask()
        self.origin.last.answer(FRESH, ("ETag", '"2"'), content=b"new")
        self.assertEqual((client.status, client.content), (200, b"new"))
        self.assertEqual(client.told, "netlab;fwd=stale;ttl=60;stored")
        self.assertEqual(self.contents(), [b"new"])

    def test_the_clients_own_condition(self) -> None:
        """The origin is asked with our validators; the client is answered by its own."""
        self.stale()
        client = self.ask(("If-None-Match", '"2"'))
        self.assertEqual(self.origin.last.fields.get("if-none-match"), '"1"')
        self.origin.last.answer(FRESH, ("ETag", '"2"'), content=b"new")
        self.assertEqual((client.status, client.content), (304, b""))
        self.assertEqual(client.told, "netlab;fwd=stale;fwd-status=200;ttl=60;stored")
        self.assertEqual(self.contents(), [b"new"])

    def test_a_range_of_what_is_validated(self) -> None:
        self.stale()
        client = self.ask(("Range", "bytes=1-1"))
        self.assertNotIn("range", self.origin.last.fields)
        self.origin.last.answer(("ETag", '"1"'), status=304)
        self.assertEqual((client.status, client.content), (206, b"l"))

    def test_what_is_for_one_client(self) -> None:
        """RFC 9111, 5.2.2.4 and 5.2.2.7: not stored, and not kept from who has asked."""
        value = 'max-age=60, private="X-User", no-cache="set-cookie"'
        self.stale(("Cache-Control", value))
        own = (("X-User", "ada"), ("Set-Cookie", "id=1"), ("Cache-Control", value))
        for status, tag in ((304, '"1"'), (200, '"2"')):
            client, other = self.ask(), self.ask()
            self.origin.last.answer(("ETag", tag), *own, status=status, content=b"")
            self.assertEqual((client.field("x-user"), client.field("set-cookie")), ("ada", "id=1"))
            for each in (other, self.ask()):
                self.assertEqual((each.field("x-user"), each.field("set-cookie")), (None, None))
            self.clock.advance(61)

    def test_no_clients_session_is_for_another(self) -> None:
        """An origin that says nothing but gives each client a cookie: as frameworks do."""
        tag = ("ETag", '"1"')
        client = self.ask()
        self.origin.last.answer(tag, ("Set-Cookie", "session=ada"), content=b"welcome")
        self.assertEqual(client.field("set-cookie"), "session=ada")
        self.assertEqual(client.told, "netlab;fwd=uri-miss;detail=set-cookie")
        self.stored(tag, content=b"welcome")
        for cookie in ("session=eve", None):
            client = self.ask()
            pairs = [tag] if cookie is None else [tag, ("Set-Cookie", cookie)]
            self.origin.last.answer(*pairs, status=304)
            self.assertEqual((client.content, client.field("set-cookie")), (b"welcome", cookie))

    def test_not_modified_but_what(self) -> None:
        """A 304 that is about nothing that is stored: all of it is asked for."""
        self.stale()
        client = self.ask()
        self.origin.last.answer(("ETag", '"7"'), status=304)
        self.assertEqual(len(self.origin.asked), 3)
        self.assertNotIn("if-none-match", self.origin.last.fields)
        self.origin.last.answer(FRESH, ("ETag", '"7"'), content=b"new")
        self.assertEqual((client.content, self.contents()), (b"new", [b"new"]))

    def test_not_modified_and_not_to_be_stored(self) -> None:
        """It must go, so it cannot be the answer: all of it is asked for."""
        self.stale()
        client = self.ask()
        self.origin.last.answer(("ETag", '"1"'), ("Cache-Control", "no-store"), status=304)
        self.assertEqual(self.entries(), ())
        self.origin.last.answer(("Cache-Control", "no-store"), content=b"new")
        self.assertEqual((client.content, self.entries()), (b"new", ()))

    def test_gone_while_it_is_validated(self) -> None:
        """What was evicted in the meantime is a miss."""
        self.stale()
        client = self.ask()
        self.store.purge_all()
        self.origin.last.answer(("ETag", '"1"'), status=304)
        self.assertNotIn("if-none-match", self.origin.last.fields)
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual(client.content, b"new")

    def test_damaged_while_it_is_validated(self) -> None:
        self.stale()
        clients = [self.ask(), self.ask()]
        content = self.store.content
        self.patch(self.store, "content", lambda entry: None)
        self.patch(self.store, "open", lambda entry: None)
        self.origin.last.answer(FRESH, ("ETag", '"1"'), status=304)
        self.assertEqual(len(self.origin.asked), 3)
        self.assertNotIn("if-none-match", self.origin.last.fields)
        self.patch(self.store, "content", content)
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual([each.content for each in clients], [b"new", b"new"])

    def test_outdated_by_what_is_not_stored(self) -> None:
        self.stale()
        client = self.ask()
        self.origin.last.answer(status=404, content=b"no")
        self.assertEqual((client.status, client.content), (404, b"no"))
        self.assertEqual(self.entries(), ())

    def test_no_validator(self) -> None:
        self.stored(FRESH, ("Cache-Control", "stale-if-error=9"))
        self.clock.advance(61)
        client = self.ask()
        self.assertNotIn("if-none-match", self.origin.last.fields)
        self.origin.last.answer(FRESH, content=b"new")
        self.assertEqual((client.content, self.contents()), (b"new", [b"new"]))

    def test_the_same_at_the_same_moment(self) -> None:
        """What takes the place of an equal entry is not removed with it."""
        self.stored(FRESH)
        self.ask(("Cache-Control", "no-cache"))
        self.origin.last.answer(FRESH, content=b"old")
        self.assertEqual(self.contents(), [b"old"])


class Parts(GatewayCase):
    """Ranges and conditions (RFC 9110, 13 and 14)."""

    def test_from_the_store(self) -> None:
        self.stored(FRESH, ("ETag", '"1"'), content=b"0123456789")
        part = self.ask(("Range", "bytes=2-4"))
        self.assertEqual((part.status, part.content), (206, b"234"))
        self.assertEqual(part.field("content-range"), "bytes 2-4/10")
        self.assertEqual(self.ask(("Range", "bytes=20-")).status, 416)
        self.assertEqual(self.ask(("If-None-Match", '"1"')).status, 304)
        both = self.ask(("Range", "bytes=2-4"), ("If-Range", '"2"'))
        self.assertEqual((both.status, both.content), (200, b"0123456789"))

    def test_a_long_part_is_not_copied(self) -> None:
        """Many who read slowly must not each have a copy of what is stored once."""
        content = bytes(range(256)) * 1000
        self.stored(FRESH, content=content)
        for first, last in ((1, 255_999), (0, 255_998), (1000, 66_999), (0, 65_536)):
            part = self.ask(("Range", f"bytes={first}-{last}"), reading=False)
            assert part.response is not None
            self.assertNotIsInstance(part.response.body, bytes)
            self.assertEqual(part.field("content-length"), str(last + 1 - first))
            part.read()
            while not part.whole:
                part.read()
            self.assertEqual((part.status, part.content), (206, content[first : last + 1]))
        gone = self.ask(("Range", "bytes=1-"), reading=False)
        gone.go_away()

    def test_a_miss_passes_on(self) -> None:
        client = self.ask(("Range", "bytes=2-4"))
        self.assertEqual(self.origin.last.fields.get("range"), "bytes=2-4")
        self.origin.last.answer(
            FRESH, ("Content-Range", "bytes 2-4/10"), status=206, content=b"234"
        )
        self.assertEqual((client.status, client.content), (206, b"234"))
        self.assertEqual(self.entries(), ())
        client = self.ask(("If-None-Match", '"1"'))
        self.origin.last.answer(("ETag", '"1"'), status=304)
        self.assertEqual((client.status, client.content), (304, b""))

    def test_all_of_it_for_a_part_is_stored(self) -> None:
        client = self.ask(("Range", "bytes=2-4"))
        self.origin.last.answer(FRESH, content=b"0123456789")
        self.assertEqual((client.status, client.content), (200, b"0123456789"))
        self.assertEqual(self.ask(("Range", "bytes=2-4")).content, b"234")

    def test_filling(self) -> None:
        """A gateway that fills asks for all of it, and answers the client itself."""
        self.made(fills=True)
        client = self.ask(("If-None-Match", '"1"'), ("Range", "bytes=0-1"))
        self.assertNotIn("if-none-match", self.origin.last.fields)
        self.assertNotIn("range", self.origin.last.fields)
        self.origin.last.answer(FRESH, ("ETag", '"1"'), content=b"0123456789")
        self.assertEqual((client.status, client.content), (304, b""))
        self.assertEqual(client.told, "netlab;fwd=uri-miss;fwd-status=200;ttl=60;stored")
        self.assertEqual(self.ask(("Range", "bytes=0-1")).content, b"01")

    def test_filling_with_what_is_not_stored(self) -> None:
        self.made(fills=True)
        client = self.ask(("If-None-Match", '"1"'))
        self.origin.last.answer(("ETag", '"1"'), ("Cache-Control", "no-store"), content=b"all")
        self.assertEqual((client.status, client.content), (200, b"all"))

    def test_for_the_origin_alone(self) -> None:
        self.stored(FRESH, ("ETag", '"1"'))
        client = self.ask(("If-Match", '"2"'))
        self.assertEqual(self.origin.last.fields.get("if-match"), '"2"')
        self.origin.last.answer(status=412)
        self.assertEqual(client.status, 412)
        self.assertEqual(self.contents(), [b"old"])

    def test_head(self) -> None:
        self.stored(FRESH, content=b"0123456789")
        client = self.ask(method="HEAD")
        self.assertEqual((client.status, client.content), (200, b""))
        self.assertEqual(client.field("content-length"), "10")


class Variants(GatewayCase):
    """RFC 9111, 4.1."""

    def test_each_for_itself(self) -> None:
        vary = ("Vary", "Accept-Language")
        for language in ("de", "en"):
            client = self.ask(("Accept-Language", language))
            self.origin.last.answer(FRESH, vary, content=language.encode())
            self.assertEqual(client.content, language.encode())
        self.assertEqual(self.ask(("Accept-Language", "de")).content, b"de")
        self.assertEqual(self.ask(("Accept-Language", "en")).content, b"en")
        client = self.ask()
        self.assertEqual(len(self.origin.asked), 3)
        self.origin.last.answer(FRESH, vary, content=b"any")
        self.assertEqual(client.told, "netlab;fwd=vary-miss;ttl=60;stored")
        self.assertEqual(len(self.entries()), 3)


class Threads(GatewayCase):
    """Contents whose reading takes long."""

    def setUp(self) -> None:
        super().setUp()
        self.calls: list[Any] = []
        reactor: Any = self.clock
        reactor.getThreadPool = lambda: self
        reactor.callFromThread = lambda function, *arguments: function(*arguments)

    def callInThreadWithCallback(self, result: Any, function: Any, *arguments: Any) -> None:
        """Of a thread pool."""
        self.calls.append((result, function, arguments))

    def run_thread(self) -> None:
        result, function, arguments = self.calls.pop()
        try:
            found = function(*arguments)
        except Exception:
            from twisted.python.failure import Failure

            result(False, Failure())
        else:
            result(True, found)

    def big(self) -> None:
        """What is stored is not in memory, and was not verified."""
        self.stored(FRESH, ("ETag", '"1"'), content=b"0123456789")
        self.content = self.store.content
        self.patch(self.store, "content", lambda entry: None)
        self.patch(self.store, "verified", lambda entry: False)
        self.patch(self.store, "open", self.open)
        self.opens = True

    def open(self, entry: Any) -> int | None:
        if not self.opens:
            self.store.purge_all()
            return None
        self.patch(self.store, "content", self.content)
        try:
            return type(self.store).open(self.store, entry)
        finally:
            self.patch(self.store, "content", lambda entry: None)

    def test_read_in_a_thread(self) -> None:
        self.big()
        client = self.ask(("Range", "bytes=2-4"))
        self.assertIsNone(client.response)
        self.run_thread()
        self.assertEqual((client.status, client.content), (206, b"234"))

    def test_verified(self) -> None:
        self.big()
        self.patch(self.store, "verified", lambda entry: True)
        self.assertEqual(self.ask().content, b"0123456789")

    def test_damaged(self) -> None:
        """It is as if it were not there."""
        for verified in (False, True):
            self.big()
            self.opens = False
            self.patch(self.store, "verified", lambda entry, verified=verified: verified)
            client = self.ask()
            if not verified:
                self.run_thread()
            self.assertEqual(self.origin.last.fields.get("if-none-match"), None)
            self.patch(self.store, "content", self.content)
            self.origin.last.answer(FRESH, content=b"new")
            self.assertEqual((client.content, client.told[:19]), (b"new", "netlab;fwd=uri-miss"))
            self.store.purge_all()

    def test_damaged_and_nothing_else_wanted(self) -> None:
        self.big()
        self.opens = False
        client = self.ask(("Cache-Control", "only-if-cached"))
        self.run_thread()
        self.assertEqual(client.status, 504)

    def test_no_descriptor(self) -> None:
        from netlab.cache.store import StoreFailed

        def fail(_entry: object) -> int:
            raise StoreFailed("too many open files")

        self.big()
        self.patch(self.store, "open", fail)
        client = self.ask()
        self.run_thread()
        self.assertEqual(client.status, 503)
        self.assertIn("proxy_internal_error", client.field("proxy-status") or "")
        self.assertEqual(len(self.entries()), 1)

    def test_client_goes_away(self) -> None:
        self.big()
        client = self.ask()
        client.go_away()
        self.run_thread()
        self.assertIsNotNone(client.error)
