"""Clients: calls by name and by class, time-outs, subscriptions, coming back."""

from __future__ import annotations

import gc
from typing import Any, assert_type

from netlab import Backoff, ConfigurationError, DeadlineExceeded
from netlab.api import (
    Api,
    ApiClient,
    BadAnswer,
    Items,
    RpcError,
    client_of,
    method,
    with_options,
)
from netlab.errors import ConnectFailed, ConnectionAborted, ConnectionClosed, ConnectionReset
from netlab.testing import Faults

from .support import Calculator, Case, Doubling, Link

BACKOFF = Backoff(initial=1, maximum=1, jitter=0)


class Mistaken(Api):
    """Not what is served."""

    @method
    def text(self, length: int) -> int: ...  # type: ignore[empty-body]


async def collect(items: Any) -> list[Any]:
    return [each async for each in items]


class Calls(Case):
    def test_by_name(self) -> None:
        link = self.serve()
        client = self.client(link)
        self.assertEqual(link.run(client.call("add", 1, 2)), 3)
        self.assertEqual(link.run(client.call("add", a=1, b=2)), 3)
        error = self.error_of(self.start(link, client.call("add", 1, "x")))
        assert isinstance(error, RpcError)
        self.assertEqual((error.code, error.data["argument"]), (-32602, "b"))
        with self.assertRaisesRegex(TypeError, "by position or by name"):
            link.run(client.call("add", 1, b=2))

    def test_by_class(self) -> None:
        link = self.serve()
        client = self.client(link)
        calc = client.proxy(Calculator)
        self.assertIs(client_of(calc), client)
        self.assertEqual(link.run(calc.add(1, b=2)), 3)
        self.assertEqual(link.run(client.call(Calculator.add, 1, 2)), 3)
        self.assertEqual(link.run(collect(calc.countdown(3))), [3, 2, 1])
        self.assertRegex(link.run(calc.peer()), "^True None 1")
        with self.assertRaisesRegex(TypeError, "'b' is missing"):
            link.run(calc.add(1))  # type: ignore[call-arg]
        with self.assertRaisesRegex(AttributeError, "Calculator declares no method 'ad'"):
            calc.ad  # type: ignore[attr-defined] # noqa: B018
        with self.assertRaisesRegex(TypeError, "no client"):
            client_of(Calculator)

    def test_msgpack(self) -> None:
        link = self.serve(codec="msgpack")
        calc = self.client(link).proxy(Calculator)
        self.assertEqual(link.run(calc.add(1, 2)), 3)
        self.assertEqual(link.run(collect(calc.countdown(2))), [2, 1])

    def test_errors(self) -> None:
        link = self.serve()
        client = self.client(link)
        error = self.error_of(self.start(link, client.call("refuse", 5)))
        self.assertEqual(error, RpcError(5, "no", {"why": "so"}))
        self.failureResultOf(self.start(link, client.call("fail")), RpcError)
        self.assertEqual(self.incidents(), ["a secret"])
        with self.assertRaises(BadAnswer):
            link.run(client.proxy(Mistaken).text(5))

    def test_many(self) -> None:
        link = self.serve(faults=Faults(seed=2, chunk=7, jitter=0.1))
        client = self.client(link)
        calls = [self.start(link, client.call("soon", each)) for each in range(50)]
        link.advance(100)
        self.assertEqual([self.successResultOf(each) for each in calls], list(range(50)))

    def test_overtaking(self) -> None:
        link = self.serve()
        client = self.client(link)
        first, second = (self.start(link, client.call("wait", each)) for each in "ab")
        link.api.waiting[1].callback("B")
        link.advance()
        self.assertEqual(self.successResultOf(second), "B")
        link.api.waiting[0].callback("A")
        link.advance()
        self.assertEqual(self.successResultOf(first), "A")

    def test_notify(self) -> None:
        link = self.serve()
        client = self.client(link)
        link.run(client.notify("wait", "a"))
        link.run(client.notify(Calculator.wait, "b"))
        link.advance()
        self.assertEqual(len(link.api.waiting), 2)

    def test_timeouts(self) -> None:
        """They end the method, too."""
        link = self.serve()
        client = self.client(link, call_timeout=5)
        calc = client.proxy(Calculator)
        slow = self.start(link, calc.wait("a"))
        slower = self.start(link, with_options(calc, timeout=20).wait("b"))
        link.advance(6)
        error = self.error_of(slow)
        self.assertIsInstance(error, DeadlineExceeded)
        self.assertIn("no answer to wait came within 5 s", str(error))
        self.assertEqual(link.api.ended, ["a"])
        self.assertNoResult(slower)
        link.api.waiting[1].callback("late")
        link.advance()
        self.assertEqual(self.successResultOf(slower), "late")
        with self.assertRaises(ConfigurationError):
            with_options(calc, timeout=0)

    def test_cancelling(self) -> None:
        link = self.serve()
        client = self.client(link)
        call = self.start(link, client.call("wait", "a"))
        call.cancel()
        self.failureResultOf(call)
        link.advance()
        self.assertEqual(link.api.ended, ["a"])

    def test_progress(self) -> None:
        link = self.serve()
        client = self.client(link)
        steps: list[Any] = []
        calc = with_options(client.proxy(Calculator), progress=steps.append)
        self.assertEqual(link.run(calc.work(2)), "done")
        self.assertEqual(steps, [{"step": 0}, {"step": 1}])
        self.assertEqual(
            link.run(client.with_options(progress=steps.append).call("work", steps=1)), "done"
        )
        self.assertEqual(len(steps), 3)

    def test_serving(self) -> None:
        """The server calls its client, within a call."""
        link = self.serve()
        client = self.client(link, serving=Doubling)
        self.assertEqual(link.run(client.call("ask_back", 4)), 9)
        lonely = self.client(link)
        error = self.error_of(self.start(link, lonely.call("ask_back", 4)))
        assert isinstance(error, RpcError)
        self.assertEqual(error.code, -32601)

    def test_close(self) -> None:
        """What is under way fails; the server need not be waited for."""
        link = self.serve()
        client = link.client()
        call = self.start(link, client.call("wait", "a"))
        reading = self.start(link, collect(client.subscribe("silent")))
        before = link.clock.seconds()
        link.run(client.close())
        self.assertLess(link.clock.seconds() - before, 1)
        for each in (call, reading):
            self.assertIs(type(self.error_of(each)), ConnectionClosed)
        self.assertEqual(sorted(link.api.ended), ["a", "silent"])
        self.assertFalse(client.connected)
        with self.assertRaises(ConnectionClosed):
            link.run(client.call("add", 1, 2))
        link.run(client.close())

    def test_abort(self) -> None:
        link = self.serve()
        client = link.client()
        call = self.start(link, client.call("wait", "a"))
        client.abort()
        link.advance(1)
        self.assertIsInstance(self.error_of(call), ConnectionAborted)
        self.assertEqual(link.api.ended, ["a"])


class Subscriptions(Case):
    def test_flow(self) -> None:
        """No more is on its way than was granted."""
        link = self.serve()
        client = self.client(link)
        items = client.with_options(credit=4).subscribe("countdown", 100)
        self.assertEqual(link.run(anext(items)), 100)
        link.advance(1)
        self.assertEqual(link.api.made, 4)
        self.assertEqual(link.run(anext(items)), 99)
        link.advance(1)
        self.assertEqual(link.api.made, 6)
        self.assertEqual(link.run(collect(items)), list(range(98, 0, -1)))
        self.assertEqual(link.api.ended, ["countdown"])

    def test_dropped(self) -> None:
        link = self.serve()
        client = self.client(link)
        items = client.with_options(credit=2).subscribe(Calculator.dropping, 10)
        assert_type(items, Items[int])
        self.assertEqual(link.run(collect(items)), [0, 1, 9])
        self.assertEqual(items.dropped, 7)

    def test_errors(self) -> None:
        link = self.serve()
        client = self.client(link)
        reading = self.start(link, collect(client.subscribe("failing")))
        self.failureResultOf(reading, RpcError)
        self.assertEqual(self.incidents(), ["a secret"])
        refused = self.error_of(self.start(link, collect(client.subscribe("refusing", "now"))))
        self.assertEqual(refused, RpcError(7, "say please"))
        self.assertEqual(link.run(collect(client.subscribe("refusing", "please"))), [2, 1])

    def test_ended_by_the_program(self) -> None:
        link = self.serve()
        client = self.client(link)

        async def leave() -> None:
            async for each in client.subscribe("countdown", 1000):
                if each < 998:
                    break

        async def block() -> None:
            async with client.subscribe("countdown", 1000) as items:
                await anext(items)

        link.run(leave())
        gc.collect()
        link.advance()
        self.assertEqual(link.api.ended, ["countdown"])
        link.run(block())
        link.advance()
        self.assertEqual(link.api.ended, ["countdown"] * 2)

    def test_opened_with_a_block(self) -> None:
        link = self.serve()
        client = self.client(link)

        async def block() -> list[int]:
            async with client.proxy(Calculator).silent() as items:  # type: ignore[attr-defined]
                link.api.waiting[0].callback(5)
                return await collect(items)

        self.assertEqual(link.run(block()), [5])


class Again(Case):
    def lose(self, link: Link) -> None:
        link.sockets[-1].reset()
        link.advance()

    def test_idempotent_calls_are_repeated(self) -> None:
        link = self.serve()
        calc = self.client(link, reconnect=BACKOFF).proxy(Calculator)
        call = self.start(link, calc.wait("a"))
        self.lose(link)
        self.assertNoResult(call)
        link.advance(2)
        link.api.waiting[1].callback("again")
        link.advance()
        self.assertEqual(self.successResultOf(call), "again")

    def test_others_are_not(self) -> None:
        link = self.serve()
        client = self.client(link, reconnect=BACKOFF)
        calc = client.proxy(Calculator)
        calls = [calc.spend("a"), client.call("spend", "a")]
        repeated = self.start(link, client.with_options(idempotent=True).call("spend", "b"))
        running = [self.start(link, each) for each in calls]
        self.lose(link)
        for each in running:
            self.assertIsInstance(self.error_of(each), ConnectionReset)
        link.advance(2)
        link.api.waiting[-1].callback("b")
        link.advance()
        self.assertEqual(self.successResultOf(repeated), "b")

    def test_new_calls_wait(self) -> None:
        link = self.serve()
        client = self.client(link, reconnect=BACKOFF)
        self.lose(link)
        call = self.start(link, client.call("add", 1, 2))
        self.assertNoResult(call)
        link.advance(2)
        self.assertEqual(self.successResultOf(call), 3)

    def test_calls_that_were_not_sent_wait(self) -> None:
        """The connection is lost while they wait until it takes more: nobody has seen them."""
        link = self.serve()
        client = self.client(link, reconnect=BACKOFF)
        (stream,) = link.server.streams.streams
        stream.pause()  # the server reads nothing
        sent = self.start(link, client.call("refuse", "x" * 1_000_000))
        call = self.start(link, client.call("add", 1, 2))
        notified = self.start(link, client.notify("wait", "a"))
        items = self.start(link, collect(client.subscribe("countdown", 2)))
        self.lose(link)
        self.assertIsInstance(self.error_of(sent), ConnectionReset)
        self.assertNoResult(call)
        link.advance(2)
        self.assertEqual(self.successResultOf(call), 3)
        self.successResultOf(notified)
        self.assertEqual(self.successResultOf(items), [2, 1])

    def test_nobody_there(self) -> None:
        link = self.serve()
        client = self.client(link, reconnect=BACKOFF, timeout=5)
        link.listening = False
        self.lose(link)
        call = self.start(link, client.call("add", 1, 2))
        short = self.start(link, client.with_options(timeout=2).call("add", 1, 2))
        link.advance(3)
        self.assertIn("within 2 s", str(self.error_of(short)))
        link.advance(3)
        self.assertIn("not connected again within 5 s", str(self.error_of(call)))

    def test_gives_up(self) -> None:
        link = self.serve()
        client = self.client(link, reconnect=Backoff(initial=1, maximum=1, attempts=2))
        link.listening = False
        self.lose(link)
        reading = self.start(link, collect(client.subscribe("silent")))
        link.advance(5)
        self.assertIsInstance(self.error_of(reading), ConnectFailed)
        self.assertIsInstance(self.error_of(self.start(link, client.call("fail"))), ConnectFailed)

    def test_repeated_so_often(self) -> None:
        """A call that ends each connection is given up."""
        link = self.serve()
        calc = self.client(link, reconnect=BACKOFF).proxy(Calculator)
        call = self.start(link, calc.wait("a"))
        for _ in range(4):
            self.assertNoResult(call)
            self.lose(link)
            link.advance(2)
        self.assertIsInstance(self.error_of(call), ConnectionReset)

    def test_subscriptions_resume(self) -> None:
        link = self.serve()
        client = self.client(link, reconnect=BACKOFF)
        items = client.subscribe("silent")
        next_one = self.start(link, anext(items))
        self.lose(link)
        link.advance(30)
        link.api.waiting[1].callback(5)
        link.advance()
        self.assertEqual(self.successResultOf(next_one), 5)
        self.assertEqual(items.resumed, 1)

    def test_without_reconnect(self) -> None:
        link = self.serve()
        client = self.client(link)
        reading = self.start(link, collect(client.subscribe("silent")))
        call = self.start(link, client.proxy(Calculator).wait("a"))
        self.lose(link)
        for each in (reading, call):
            self.assertIsInstance(self.error_of(each), ConnectionReset)

    def test_server_stops(self) -> None:
        """A subscription that a stopping server ends goes on with the next."""
        link = self.serve()
        client = self.client(link, reconnect=BACKOFF)
        items = client.subscribe("silent")
        next_one = self.start(link, anext(items))
        (stream,) = link.server.streams.streams
        stream.drain()
        link.advance(3)
        link.api.waiting[1].callback(5)
        link.advance()
        self.assertEqual(self.successResultOf(next_one), 5)

    def test_close_while_away(self) -> None:
        link = self.serve()
        client: ApiClient = link.client(reconnect=BACKOFF)
        link.listening = False
        self.lose(link)
        call = self.start(link, client.call("add", 1, 2))
        reading = self.start(link, collect(client.subscribe("silent")))
        link.run(client.close())
        for each in (call, reading):
            self.assertIsInstance(self.error_of(each), ConnectionClosed)
