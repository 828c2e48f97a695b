"""Both ends of a connection call: who hears of one thing may give up another meanwhile."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, Context, method
from netlab.errors import ConnectionClosed
from tests.message.support import logged

from .support import Case, Link
from .test_server import Raw, request


class Curious(Api):
    """Asks its peer two things at a time, and is content with the first answer."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.gone = 0

    @method
    async def race(self, ctx: Context) -> None:
        first, second = (ensureDeferred(ctx.remote.call("ask", each)) for each in "ab")

        def over(outcome: Any) -> None:
            second.cancel()
            self.heard.append(getattr(outcome, "value", outcome))

        first.addBoth(over)
        second.addErrback(lambda failure: None)
        await first

    @method
    async def read_one(self, ctx: Context) -> None:
        items = ctx.remote.subscribe("numbers")
        async for each in items:
            self.heard.append(each)
            await items.aclose()

    @method
    async def watch(self, ctx: Context) -> None:
        caller = ctx.remote

        def report(value: Any) -> None:
            self.heard.append(value)
            asking.cancel()

        asking: Deferred[Any] = ensureDeferred(caller.with_options(progress=report).call("ask"))
        asking.addErrback(lambda failure: None)
        await asking

    def disconnected(self, ctx: Context) -> None:
        self.gone += 1


def answer(id: int, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def told(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


class GivenUp(Case):
    def begin(self, method: str) -> tuple[Link, Raw, Curious]:
        link = self.serve(Curious)
        raw = Raw(link)
        raw.call("x", method)
        self.assertTrue(raw.news)
        return link, raw, link.api

    def test_with_an_answer_beside_it(self) -> None:
        _, raw, api = self.begin("race")
        raw.send([answer(1, "A"), answer(2, "B")])
        self.assertEqual(raw.results(), [("x", None)])
        self.assertEqual(api.heard, ["A"])

    def test_with_items_beside_it(self) -> None:
        _, raw, api = self.begin("read_one")
        raw.send(answer(1, 7))
        item = told("$/item", subscription=7, value=1)
        raw.send([item, item, told("$/end", subscription=7)])
        (done,) = raw.news
        self.assertEqual((done["id"], api.heard), ("x", [1]))

    def test_with_progress_beside_it(self) -> None:
        _, raw, api = self.begin("watch")
        raw.send([told("$/progress", token=1, value=each) for each in (1, 2)])
        cancelled, done = raw.news
        self.assertEqual(cancelled["method"], "$/cancelRequest")
        self.assertEqual((done["id"], api.heard), ("x", [1]))

    def test_progress_of_a_subscription(self) -> None:
        """It is none, but no reason to end the connection."""
        _, raw, _ = self.begin("read_one")
        raw.send(told("$/progress", token=1, value=1), answer(1, 7))
        raw.send(told("$/item", subscription=7, value=1))
        self.assertEqual(raw.news[-1]["id"], "x")

    def test_at_the_end(self) -> None:
        """Of the connection: all of its calls fail, and the api hears of it."""
        for end in ("reset", "half_close"):
            link, raw, api = self.begin("race")
            getattr(raw.peer, end)()
            link.advance(1)
            (reason,) = api.heard
            self.assertIsInstance(reason, ConnectionClosed)
            self.assertEqual(api.gone, 1)


PLAIN = st.sampled_from([
    *(answer(id, result) for id in range(1, 6) for result in (1, 2, "x")),
    *({"jsonrpc": "2.0", "id": id, "error": {"code": 1, "message": "no"}} for id in range(1, 6)),
    *(told("$/item", subscription=number, value=1) for number in (1, 2)),
    *(told("$/end", subscription=number) for number in (1, 2)),
    *(told("$/progress", token=token, value=1) for token in range(1, 6)),
    *(told("$/credit", items=items) for items in (-1, 0, 1)),
])  # fmt: skip
ANYTHING = st.lists(PLAIN | st.lists(PLAIN, min_size=1, max_size=6), max_size=10)


class Fickle(Api):
    """Calls and subscribes; whenever it hears anything, it gives one of these up."""

    def __init__(self) -> None:
        self.choices: list[int] = []
        self.under_way: list[Deferred[Any]] = []

    @method
    def begin(self, ctx: Context) -> None:
        asking = ctx.remote.with_options(progress=self.heard)
        for waiting in (
            *(asking.call("ask") for _ in range(3)),
            *(self.read(ctx.remote.subscribe("numbers")) for _ in range(2)),
        ):
            started = ensureDeferred(waiting)
            self.under_way.append(started)
            started.addBoth(self.heard)

    async def read(self, items: Any) -> None:
        async for each in items:
            self.heard(each)

    def heard(self, what: object) -> None:
        if self.choices:
            self.under_way[self.choices.pop()].cancel()


class AnythingComes(SynchronousTestCase):
    @settings(max_examples=60)
    @given(ANYTHING, st.lists(st.integers(0, 4), max_size=6), st.booleans())
    def test_to_who_gives_up_at_any_time(
        self, messages: list[Any], choices: list[int], lost: bool
    ) -> None:
        """The connection lives; when it is lost, all that was under way has ended."""
        api = Fickle()
        with Link(api) as link:
            raw = Raw(link)
            raw.call("x", "begin")
            self.assertEqual(len(api.under_way), 5)
            api.choices = choices
            for each in messages:
                raw.send(each)
            if not lost:
                raw.call("last", "nothing")
                self.assertEqual(raw.news[-1]["id"], "last")
            raw.peer.reset()
            link.advance(1)
            for each in api.under_way:
                self.successResultOf(each)
        self.assertEqual(self.flushLoggedErrors(), [])


class Turns(Case):
    def test_batches(self) -> None:
        """A long one is work for many: the others have their turn before the next one."""
        served = 0
        turns: list[int] = [0]

        class Working(Api):
            @method
            def work(self) -> None:
                nonlocal served
                served += 1

        link = self.serve(Working)
        raw = Raw(link)
        finish_turn = link.hub._finish_turn

        def finish() -> None:
            finish_turn()
            turns.append(served)

        with mock.patch.object(link.hub, "_finish_turn", finish):
            raw.send(*[[request(each, "work") for each in range(50)]] * 10)
            link.advance(1)
        self.assertEqual([len(each) for each in raw.news], [50] * 10)
        # In a turn it is read from once, and goes on once with what was put off.
        self.assertLessEqual(max(b - a for a, b in pairwise(turns)), 2 * 50)


class Complaints(Case):
    def test_logged_once(self) -> None:
        """A peer that complains of everything does not fill the log, nor write in it."""
        link = self.serve()
        raw = Raw(link)
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "no\x1b[2J\nyes"}}
        with logged("could not read") as lines:
            raw.send(*[error] * 100)
        (line,) = lines
        self.assertRegex(line, r"^127\.0\.0\.1:\d+ could not read: no\\x1b\[2J\\nyes \(1\)$")
        raw.call(1, "add", [1, 2])
        self.assertEqual(raw.results(), [(1, 3)])
