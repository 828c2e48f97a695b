"""Whatever happens, in any order: everybody gets one whole answer, or hears that it broke off."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.cache.gateway import growing
from netlab.cache.policy import Options
from tests.cache.gateway.support import CUT, LOST, REFUSED, Asked, Client, GatewayCase

CONTROLS = (
    *("max-age=5", "max-age=5, stale-while-revalidate=5", "max-age=1, stale-if-error=20"),
    *("no-store", "no-cache", "private"),
)
NUMBER = st.integers(0, 7)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"),
            st.sampled_from(["/a", "/b"]),
            st.sampled_from([(), (("Accept-Language", "de"),), (("Cache-Control", "no-cache"),)]),
            st.booleans(),
        ),
        st.tuples(st.just("post"), st.sampled_from(["/a", "/b"])),
        st.tuples(
            st.just("answer"), NUMBER, st.sampled_from(CONTROLS), st.booleans(), st.booleans()
        ),
        st.tuples(st.just("error"), NUMBER, st.sampled_from([404, 500, 503])),
        st.tuples(st.just("not modified"), NUMBER),
        st.tuples(st.just("add"), NUMBER),
        st.tuples(st.just("end"), NUMBER),
        st.tuples(st.just("fail"), NUMBER, st.sampled_from([REFUSED, LOST, CUT])),
        st.tuples(st.just("read"), NUMBER),
        st.tuples(st.just("leave"), NUMBER),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 30.0])),
        st.tuples(st.just("disk"), st.sampled_from([None, 0, 3])),
    ),
    max_size=60,
)


class Histories(GatewayCase):
    @settings(max_examples=300)
    @given(STEPS)
    def test_any(self, steps: list[tuple[Any, ...]]) -> None:
        self.setUp()
        self.patch(growing, "_WINDOW", 8)
        self.made(options=Options(stale_if_error=0))
        self.whole: dict[bytes, str] = {}
        self.sent: dict[Asked, bytes] = {}
        self.control: dict[Asked, str] = {}
        for name, *arguments in steps:
            getattr(self, "do_" + name.replace(" ", "_"))(*arguments)
        for asked in list(self.origin.asked):
            self.finish(asked)
        while any(not asked.over for asked in self.origin.asked):
            for asked in list(self.origin.asked):
                self.finish(asked)
        for client in self.clients:
            client.read()
        for client in self.clients:
            self.check(client)
        for path in ("/a", "/b"):
            for content in self.contents(path):
                assert content is not None
                self.assertIn(content, self.whole)
                self.assertNotIn(self.whole[content], ("no-store", "private"))
        self.tearDown()

    def check(self, client: Client) -> None:
        """Whole and right, or broken off."""
        if not client.whole or client.response is None or client.status != 200:
            return
        self.assertIn(client.content, self.whole)
        if self.whole[client.content] in ("no-store", "private"):
            others = [each for each in self.clients if each.content == client.content]
            self.assertEqual(len(others), 1)

    def finish(self, asked: Asked) -> None:
        if asked.over:
            return
        if asked.fetched is None:
            asked.fail(REFUSED)
        else:
            self.end(asked)

    def end(self, asked: Asked) -> None:
        if asked in self.sent:
            self.whole[self.sent[asked]] = self.control[asked]
        asked.end()

    def waiting(self, number: int) -> Asked | None:
        """A request without an answer."""
        found = [each for each in self.origin.asked if each.fetched is None and not each.over]
        return found[number % len(found)] if found else None

    def coming(self, number: int) -> Asked | None:
        """An answer that goes on."""
        found = [each for each in self.origin.asked if each.fetched is not None and not each.over]
        return found[number % len(found)] if found else None

    def do_ask(self, path: str, pairs: tuple[tuple[str, str], ...], reading: bool) -> None:
        self.ask(*pairs, path=path, reading=reading)

    def do_post(self, path: str) -> None:
        self.ask(path=path, method="POST", body=b"x")

    def do_answer(self, number: int, control: str, vary: bool, end: bool) -> None:
        asked = self.waiting(number)
        if asked is None:
            return
        content = b"<%d>" % self.origin.asked.index(asked)
        self.sent[asked], self.control[asked] = content, control
        if end:
            self.whole[content] = control
        pairs = [("Cache-Control", control), ("ETag", f'"{content.decode()}"')]
        pairs += [("Vary", "Accept-Language")] if vary else []
        asked.answer(*pairs, content=content, end=end)

    def do_error(self, number: int, status: int) -> None:
        asked = self.waiting(number)
        if asked is not None:
            asked.answer(status=status, content=b"error")

    def do_not_modified(self, number: int) -> None:
        asked = self.waiting(number)
        if asked is not None and "if-none-match" in asked.fields:
            tag = asked.fields.get("if-none-match") or ""
            asked.answer(("ETag", tag), ("Cache-Control", "max-age=5"), status=304)

    def do_add(self, number: int) -> None:
        asked = self.coming(number)
        if asked is not None and asked in self.sent:
            self.sent[asked] += b"more"
            asked.add(b"more")

    def do_end(self, number: int) -> None:
        asked = self.coming(number)
        if asked is not None:
            self.end(asked)

    def do_fail(self, number: int, error: Exception) -> None:
        asked = self.coming(number) or self.waiting(number)
        if asked is not None:
            asked.fail(error)

    def do_read(self, number: int) -> None:
        if self.clients:
            self.clients[number % len(self.clients)].read()

    def do_leave(self, number: int) -> None:
        if self.clients:
            self.clients[number % len(self.clients)].go_away()

    def do_wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def do_disk(self, room: int | None) -> None:
        self.store.room = room
