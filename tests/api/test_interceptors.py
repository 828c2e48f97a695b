"""What stands between a call and its method, on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from netlab import Backoff
from netlab.api import (
    Api,
    Call,
    Next,
    RpcError,
    Timings,
    allow,
    log_calls,
    subscription,
)
from netlab.transport import set_level
from tests.message.support import logged

from .support import Calculator, Case


class Repeating(Api):
    @subscription
    async def repeated(self, word: str) -> AsyncIterator[str]:
        yield word
        await Deferred[None]()


class Interceptors(Case):
    def test_order(self) -> None:
        """The first is the outermost; each may change the call, and the result."""
        seen: list[Any] = []

        def named(name: str) -> Any:
            async def interceptor(call: Call, next: Next) -> Any:
                seen.append((name, call.method, call.args, call.kind))
                result = await next(call)
                seen.append(name)
                return result

            return interceptor

        async def more(call: Call, next: Next) -> Any:
            call.args = (call.args[0] + 10, *call.args[1:])
            return await next(call) + 100

        link = self.serve(interceptors=[named("one"), more, named("two")])
        client = self.client(link)
        self.assertEqual(link.run(client.call("add", 1, 2)), 113)
        self.assertEqual(
            seen,
            [("one", "add", (1, 2), "call"), ("two", "add", (11, 2), "call"), "two", "one"],
        )
        seen.clear()
        link.run(client.notify("add", 1, 2))
        link.advance()
        self.assertEqual(seen[0], ("one", "add", (1, 2), "notification"))

    def test_subscriptions(self) -> None:
        kinds: list[str] = []

        async def interceptor(call: Call, next: Next) -> Any:
            kinds.append(call.kind)
            return await next(call)

        link = self.serve(interceptors=[interceptor])
        client = self.client(link, interceptors=[interceptor])

        async def collect() -> list[int]:
            return [each async for each in client.proxy(Calculator).countdown(2)]

        self.assertEqual(link.run(collect()), [2, 1])
        self.assertEqual(kinds, ["subscription"] * 2)

    def test_on_a_client(self) -> None:
        async def adding(call: Call, next: Next) -> Any:
            assert call.context is None
            call.named = {**call.named, "b": 5}
            return await next(call)

        link = self.serve()
        client = self.client(link, interceptors=[adding])
        self.assertEqual(link.run(client.call("add", a=1)), 6)
        self.assertEqual(link.run(client.with_options(timeout=5).call("add", a=1)), 6)

    def test_on_a_client_that_subscribes(self) -> None:
        """They see it with each connection, as the program gave it."""

        async def louder(call: Call, next: Next) -> Any:
            call.named["word"] += "!"
            return await next(call)

        link = self.serve(Repeating)
        client = self.client(link, interceptors=[louder], reconnect=Backoff(initial=1, jitter=0))
        items: Any = client.proxy(Repeating).repeated(word="now")
        self.assertEqual(link.run(anext(items)), "now!")
        link.sockets[-1].reset()
        self.assertEqual(link.run(anext(items)), "now!")

    def test_allow(self) -> None:
        async def trusted(call: Call) -> bool:
            assert call.context is not None
            return bool(call.context.state.get("trusted"))

        async def trusting(call: Call, next: Next) -> Any:
            assert call.context is not None
            call.context.state["trusted"] = call.method == "soon" or call.context.state.get(
                "trusted"
            )
            return await next(call)

        for check in (trusted, lambda call: bool(call.context.state.get("trusted"))):
            link = self.serve(interceptors=[trusting, allow(check)])
            client = self.client(link)
            error = self.error_of(self.start(link, client.call("add", 1, 2)))
            self.assertEqual(error, RpcError(-32016, "Not allowed: add"))
            link.run(client.call("soon", 1))
            self.assertEqual(link.run(client.call("add", 1, 2)), 3)

    def test_errors(self) -> None:
        async def broken(call: Call, next: Next) -> Any:
            raise ValueError("a secret")

        link = self.serve(interceptors=[broken])
        client = self.client(link)
        error = self.error_of(self.start(link, client.call("add", 1, 2)))
        assert isinstance(error, RpcError)
        self.assertEqual(error.code, -32603)
        self.assertEqual(self.incidents(), ["a secret"])

    def test_timings(self) -> None:
        timings = Timings()
        link = self.serve(interceptors=[timings])
        client = self.client(link)
        for each in (1, 2):
            link.run(client.call("add", each, each))
        self.failureResultOf(self.start(link, client.call("refuse", 1)))
        self.failureResultOf(self.start(link, client.call("nothing")))
        self.assertEqual(list(timings), ["add", "refuse"])
        self.assertEqual((timings["add"].calls, timings["add"].errors), (2, 0))
        self.assertEqual((timings["refuse"].calls, timings["refuse"].errors), (1, 1))
        self.assertGreater(timings["add"].longest, 0)
        self.assertGreaterEqual(timings["add"].seconds, timings["add"].longest)

    def test_log(self) -> None:
        set_level("info")
        link = self.serve(interceptors=[log_calls])
        client = self.client(link, interceptors=[log_calls])
        with logged(" after ") as lines:
            link.run(client.call("add", 1, 2))
            self.failureResultOf(self.start(link, client.call("refuse", 7)))
            slow = self.start(link, client.call("wait", "a"))
            slow.cancel()
            self.failureResultOf(slow)
            link.advance()
        self.assertEqual(len(lines), 6)
        self.assertRegex(lines[0], r"^add from 127\.0\.0\.1:\d+: done after \d+\.\d ms$")
        self.assertRegex(lines[1], "^add to the server: done")
        self.assertRegex(lines[2], r"^refuse from .*: no \(7\) after")
        self.assertRegex(lines[5], "^wait from .*: cancelled after")
