"""Many who ask for the same at once: one request, and what happens when somebody goes away."""

from __future__ import annotations

from msgspec.structs import replace

from netlab.cache.gateway import flights
from netlab.errors import LocalProtocolError
from netlab.http import RequestError
from tests.cache.gateway.support import CUT, FRESH, KEY, LOST, REFUSED, Client, GatewayCase
from tests.http.support import logged

NO_STORE = ("Cache-Control", "no-store")


class CollapsingCase(GatewayCase):
    def crowd(self, size: int = 5, *pairs: tuple[str, str]) -> list[Client]:
        return [self.ask(*pairs) for _ in range(size)]

    def assert_contents(self, clients: list[Client], content: bytes) -> None:
        self.assertEqual({each.content for each in clients}, {content})
        self.assertTrue(all(each.whole for each in clients))


class Sharing(CollapsingCase):
    def test_one_request(self) -> None:
        clients = self.crowd(100)
        self.assertEqual(len(self.origin.asked), 1)
        self.origin.last.answer(FRESH, content=b"one", end=False)
        clients += self.crowd(100)
        self.origin.last.add(b"two")
        clients += self.crowd(100)
        self.origin.last.end()
        self.assertEqual(len(self.origin.asked), 1)
        self.assert_contents(clients, b"onetwo")
        self.assertEqual(clients[0].told, "netlab;fwd=uri-miss;ttl=60;stored")
        self.assertEqual(clients[1].told, "netlab;fwd=uri-miss;ttl=60;stored;collapsed")
        self.assertEqual(clients[1].field("age"), "0")

    def test_a_slow_reader_holds_up_nobody(self) -> None:
        slow = self.ask(reading=False)
        quick = self.ask()
        self.origin.last.answer(FRESH, content=b"x" * 100_000)
        self.assertTrue(quick.whole)
        self.assertEqual((slow.content, len(self.entries())), (b"", 1))
        slow.read()
        self.assertEqual(slow.content, b"x" * 100_000)

    def test_validation_is_shared(self) -> None:
        self.stored(FRESH, ("ETag", '"1"'))
        self.clock.advance(61)
        clients = self.crowd()
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.last.answer(FRESH, ("ETag", '"1"'), status=304)
        self.assert_contents(clients, b"old")
        self.assertEqual(clients[1].told, "netlab;fwd=stale;ttl=60;collapsed")

    def test_not_cacheable_is_never_shared(self) -> None:
        clients = self.crowd(3)
        self.origin.last.answer(NO_STORE, content=b"0")
        self.assertEqual(len(self.origin.asked), 3)
        for number in (1, 2):
            self.origin.asked[number].answer(NO_STORE, content=str(number).encode())
        self.assertEqual([each.content for each in clients], [b"0", b"1", b"2"])

    def test_who_has_learned_does_not_wait(self) -> None:
        self.ask()
        self.origin.last.answer(NO_STORE)
        self.crowd(3)
        self.assertEqual(len(self.origin.asked), 4)
        for each in self.origin.asked[1:]:
            each.answer(FRESH, content=b"x")
        self.store.purge_all()
        self.crowd(3)
        self.assertEqual(len(self.origin.asked), 5)
        self.origin.last.answer(FRESH, content=b"x")

    def test_needs_validation_each_time(self) -> None:
        """``no-cache``: what came for one is not for another (RFC 9111, 5.2.2.4)."""
        clients = self.crowd(2)
        value = ("Cache-Control", "no-cache"), ("ETag", '"1"')
        self.origin.last.answer(*value, content=b"0")
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.last.answer(*value, content=b"1")
        self.assertEqual([each.content for each in clients], [b"0", b"1"])
        self.crowd(2)
        self.assertEqual(len(self.origin.asked), 4)
        for each in self.origin.asked[2:]:
            each.answer(*value, status=304)

    def test_what_one_request_wishes_is_not_for_all(self) -> None:
        """A reload, or credentials, do not keep others from sharing the next time."""
        for pair in (("Cache-Control", "no-cache"), ("Authorization", "Basic eDp5"), NO_STORE):
            self.ask(pair)
            self.origin.last.answer(FRESH, content=b"x")
            self.store.purge_all()
            before = len(self.origin.asked)
            clients = self.crowd(3)
            self.assertEqual(len(self.origin.asked), before + 1)
            self.origin.last.answer(FRESH, content=b"y")
            self.assert_contents(clients, b"y")
            self.store.purge_all()

    def test_who_wants_nothing_of_it_ends_it_for_nobody(self) -> None:
        """Not even when it cannot be stored."""
        self.made(fills=True)
        self.store.begins = False
        first = self.ask(("If-None-Match", '"1"'))
        clients = self.crowd(2)
        self.origin.last.answer(FRESH, ("ETag", '"1"'), content=b"x", end=False)
        self.assertEqual(first.status, 304)
        self.assertFalse(self.origin.last.gone)
        self.origin.last.end()
        self.assert_contents(clients, b"x")
        self.assertEqual(len(self.origin.asked), 1)

    def test_only_so_many_are_remembered(self) -> None:
        self.patch(flights, "_ALONE", 2)
        for path in ("/a", "/b", "/c"):
            self.ask(path=path)
            self.origin.last.answer(NO_STORE)
        self.crowd(2)
        self.assertEqual(len(self.origin.asked), 4)
        self.origin.last.answer(FRESH)

    def test_a_part_is_not_shared(self) -> None:
        part = self.ask(("Range", "bytes=0-0"))
        clients = self.crowd(2)
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.asked[0].answer(("Content-Range", "bytes 0-0/3"), status=206, content=b"a")
        self.origin.asked[1].answer(FRESH, content=b"abc")
        self.assertEqual(part.content, b"a")
        self.assert_contents(clients, b"abc")

    def test_patience(self) -> None:
        """Nobody waits for one after the other who gets what is for that one only."""
        clients = self.crowd(6, ("Authorization", "Basic eDp5"))
        for number in range(6):
            self.assertEqual(len(self.origin.asked), (1, 2, 6, 6, 6, 6)[number])
            self.origin.asked[number].answer(FRESH, content=b"%d" % number)
        self.assertEqual(sorted(each.content for each in clients), [b"%d" % n for n in range(6)])

    def test_credentials_first(self) -> None:
        """What came for one user only: those who waited ask once more, together."""
        alone = self.ask(("Authorization", "Basic eDp5"))
        clients = self.crowd(4)
        self.assertEqual(len(self.origin.asked), 1)
        self.origin.last.answer(FRESH, content=b"mine")
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.last.answer(FRESH, content=b"ours")
        self.assertEqual(alone.content, b"mine")
        self.assert_contents(clients, b"ours")


class Varying(CollapsingCase):
    def test_each_variant_once(self) -> None:
        """Who gets another variant does not get this one; and asks together with its like."""
        vary = ("Vary", "Accept-Encoding")
        gzip = self.crowd(3, ("Accept-Encoding", "gzip"))
        br = self.crowd(3, ("Accept-Encoding", "br"))
        self.assertEqual(len(self.origin.asked), 1)
        self.origin.last.answer(FRESH, vary, content=b"gzip", end=False)
        self.assertEqual(len(self.origin.asked), 2)
        none = self.crowd(2)
        self.assertEqual(len(self.origin.asked), 3)
        self.origin.asked[0].end()
        self.origin.asked[1].answer(FRESH, vary, content=b"br")
        self.origin.asked[2].answer(FRESH, vary, content=b"none")
        self.assert_contents(gzip, b"gzip")
        self.assert_contents(br, b"br")
        self.assert_contents(none, b"none")
        self.assertEqual(len(self.entries()), 3)

    def test_known_variants_do_not_wait_for_each_other(self) -> None:
        vary = ("Vary", "Accept-Language")
        self.ask(("Accept-Language", "de"))
        self.origin.last.answer(FRESH, vary)
        for language in ("en", "fr", "en", "fr"):
            self.ask(("Accept-Language", language))
        self.assertEqual(len(self.origin.asked), 3)
        for each in self.origin.asked[1:]:
            each.answer(FRESH, vary)

    def test_stored_while_it_waited(self) -> None:
        """What has come in the meantime is looked for once more."""
        vary = ("Vary", "Accept-Language")
        self.ask(("Accept-Language", "de"))
        english = self.ask(("Accept-Language", "en"))
        self.stored(FRESH, content=b"any", path="/b")
        (entry,) = self.entries("/b")
        writing = self.store.begin()
        writing.write(b"en")
        language = (("accept-language", "en"),)
        writing.commit(replace(entry, key=KEY, selecting=language, body_size=None))
        self.origin.asked[0].answer(FRESH, vary, content=b"de")
        self.assertEqual((english.content, english.told), (b"en", "netlab;hit;ttl=60"))


class GoingAway(CollapsingCase):
    def test_alone_before_the_head(self) -> None:
        self.ask().go_away()
        self.assertTrue(self.origin.last.cancelled)

    def test_all_before_the_head(self) -> None:
        for each in self.crowd(3):
            self.assertFalse(self.origin.last.cancelled)
            each.go_away()
        self.assertTrue(self.origin.last.cancelled)

    def test_the_leader_while_others_wait(self) -> None:
        clients = self.crowd(3)
        clients[0].go_away()
        self.origin.last.answer(FRESH, content=b"x")
        self.assert_contents(clients[1:], b"x")

    def test_the_leader_and_nothing_can_be_shared(self) -> None:
        """What was for the leader alone is let go."""
        clients = self.crowd(2)
        clients[0].go_away()
        self.origin.last.answer(NO_STORE, content=b"secret", end=False)
        self.assertTrue(self.origin.asked[0].gone)
        self.origin.last.answer(NO_STORE, content=b"x")
        self.assertEqual(clients[1].content, b"x")

    def test_all_within_the_content(self) -> None:
        """What can be stored will do the next one good."""
        clients = self.crowd(2)
        self.origin.last.answer(FRESH, content=b"x", end=False)
        for each in clients:
            each.go_away()
        self.assertFalse(self.origin.last.gone)
        self.origin.last.add(b"y")
        self.origin.last.end()
        self.assertEqual(self.contents(), [b"xy"])

    def test_all_within_what_cannot_be_stored(self) -> None:
        self.store.begins = False
        clients = self.crowd(2)
        self.origin.last.answer(FRESH, content=b"x", end=False)
        clients[0].go_away()
        self.assertFalse(self.origin.last.gone)
        with logged("http://example.org/a") as lines:
            clients[1].go_away()
        self.assertTrue(self.origin.last.gone)
        self.assertEqual(lines, [])  # it did not break off

    def test_within_what_passes(self) -> None:
        client = self.ask()
        self.origin.last.answer(NO_STORE, content=b"x", end=False)
        client.go_away()
        self.assertTrue(self.origin.last.gone)

    def test_while_a_validation_is_under_way(self) -> None:
        self.stored(FRESH, ("ETag", '"1"'))
        self.clock.advance(61)
        self.ask().go_away()
        self.assertTrue(self.origin.last.cancelled)

    def test_closed(self) -> None:
        clients = self.crowd(2)
        other = self.ask(path="/b")
        self.origin.last.answer(FRESH, content=b"x", end=False)
        self.gateway.close()
        self.assertTrue(self.origin.asked[0].cancelled and self.origin.asked[1].gone)
        self.assertEqual([each.status for each in clients], [503, 503])
        self.assertIsInstance(other.error, RequestError)
        self.assertEqual(self.ask().status, 503)
        self.assertEqual(len(self.origin.asked), 2)


class TakingOver(CollapsingCase):
    def test_after_an_error_of_one_connection(self) -> None:
        """A follower takes over, and the others wait for that."""
        for error in (LOST, CUT):
            before = len(self.origin.asked)
            clients = self.crowd(4)
            self.origin.last.fail(error)
            self.assertEqual(clients[0].status, 502)
            self.assertEqual(len(self.origin.asked), before + 2)
            self.origin.last.answer(FRESH, content=b"x")
            self.assert_contents(clients[1:], b"x")
            self.store.purge_all()

    def test_twice(self) -> None:
        """Then it is enough."""
        clients = self.crowd(10)
        self.origin.last.fail(LOST)
        self.origin.last.fail(LOST)
        self.assertEqual(len(self.origin.asked), 2)
        self.assertEqual({each.status for each in clients}, {502})

    def test_out_of_reach(self) -> None:
        """It would be so for all of them."""
        clients = self.crowd(10)
        self.origin.last.fail(REFUSED)
        self.assertEqual(len(self.origin.asked), 1)
        self.assertEqual({each.status for each in clients}, {502})
        self.assertIn("error=connection_refused", clients[5].field("proxy-status") or "")

    def test_an_error_that_is_one_requests_own(self) -> None:
        """Nobody can break a document for those who wait by a request that the origin hates."""
        bad = self.ask(("X-Bad", "x" * 9000))
        clients = self.crowd(4)
        self.origin.last.answer(status=500, content=b"oops")
        self.assertEqual((bad.status, bad.content), (500, b"oops"))
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.last.answer(FRESH, content=b"good")
        self.assert_contents(clients, b"good")

    def test_an_error_for_all(self) -> None:
        clients = self.crowd(10)
        self.origin.last.answer(("Retry-After", "7"), status=503, content=b"0")
        self.origin.last.answer(("Retry-After", "7"), status=503, content=b"1")
        self.assertEqual(len(self.origin.asked), 2)
        self.assertEqual({each.status for each in clients}, {503})
        self.assertEqual([each.content for each in clients[:2]], [b"0", b"1"])
        self.assertEqual(clients[5].field("retry-after"), "7")
        self.assertIn("received-status=503", clients[5].field("proxy-status") or "")

    def test_a_request_that_cannot_be_written(self) -> None:
        clients = self.crowd(2)
        self.origin.last.fail(LocalProtocolError("no"))
        self.assertIsInstance(clients[0].error, LocalProtocolError)
        self.expected = (LocalProtocolError,)
        self.origin.last.answer(FRESH, content=b"x")
        self.assertEqual(clients[1].content, b"x")

    def test_cut_within_the_content(self) -> None:
        """All who have begun to get it are cut off; nothing of it is stored."""
        clients = self.crowd(3)
        self.origin.last.answer(FRESH, content=b"half", end=False)
        self.origin.last.fail(CUT)
        for each in clients:
            self.assertEqual((each.content, each.whole), (b"half", False))
            self.assertIsInstance(each.error, RequestError)
        self.assertEqual(self.entries(), ())
        again = self.ask()
        self.origin.last.answer(FRESH, content=b"whole")
        self.assertEqual(again.content, b"whole")


class Outdated(CollapsingCase):
    """What comes while the resource changes (RFC 9111, 4.4)."""

    def test_changed_while_it_came(self) -> None:
        before = self.ask()
        self.origin.last.answer(FRESH, content=b"old", end=False)
        posted = self.ask(method="POST", body=b"x")
        self.origin.last.answer(status=204)
        self.assertEqual(posted.status, 204)
        after = self.ask()
        self.assertEqual(len(self.origin.asked), 3)
        self.origin.asked[2].answer(FRESH, content=b"new")
        self.origin.asked[0].end()
        self.assertEqual((before.content, after.content), (b"old", b"new"))
        self.assertEqual(self.contents(), [b"new"])

    def test_an_older_one_comes_later(self) -> None:
        slow = self.ask()
        self.origin.last.answer(FRESH, content=b"old", end=False)
        self.clock.advance(1)
        self.ask(("Cache-Control", "no-cache"))
        self.origin.last.answer(FRESH, content=b"new")
        self.origin.asked[0].end()
        self.assertEqual(slow.content, b"old")
        self.assertEqual(self.contents(), [b"new"])
