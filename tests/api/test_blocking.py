# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, assert_type

import netlab.blocking
from netlab.api import Api, Code, Context, RpcError, method, subscription
from netlab.api.blocking import ApiClient, Items
from netlab.api.caller import WINDOW
from netlab.api.jsonrpc import (
    JSON,
    MSGPACK,
    BadAnswer,
    Cancelled,
    Event,
    NotificationCame,
    RequestCame,
    ResponseCame,
    TooManyCalls,
    Unsubscribed,
)
from netlab.blocking import Client, connect
from netlab.errors import (
    ConfigurationError,
    ConnectionClosed,
    ConnectionReset,
    DeadlineExceeded,
    OutgoingFrameTooLong,
    RemoteProtocolError,
)
from netlab.framing import ContentLength, LengthPrefix, Line
from tests.api.peer import ApiCase, Connection, Never
from tests.peer import SHORT, break_off, echo, encode


@dataclass
class Point:
    x: int
    y: int = 0


class Calculator(Api):
    """Arithmetic for the first lab."""

    @method
    def add(self, a: int, b: int) -> int:
        """The sum of two integers."""
        return a + b

    @method
    def origin(self, ctx: Context, point: Point) -> Point:
        return Point(-point.x, -point.y)

    @method(name="slow/one", idempotent=True)
    def slow_one(self) -> Any:
        return Never

    @method
    def fail(self, words: str) -> None:
        raise RpcError(7, words, {"more": 1})

    @method
    def close(self) -> str:
        return "a method"

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for each in range(start, 0, -1):
            yield each

    @subscription
    async def broken(self) -> AsyncIterator[Point]:
        yield Point(1)
        raise RpcError(8, "broken")


class Other(Api):
    """Calculator, as one may think it is."""

    @method
    def add(self, a: int, b: int) -> str:
        raise NotImplementedError

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[str]:
        raise NotImplementedError
        yield


def typed(calc: ApiClient) -> None:
    """What a type checker makes of it."""
    assert_type(calc.call(Calculator.add, 1, b=2), int)
    assert_type(calc.call(Calculator.origin, Point(1)), Point)
    assert_type(calc.subscribe(Calculator.countdown, 3), Items[int])
    calc.call(Calculator.add, "x", 2)  # type: ignore[call-overload]
    for each in calc.subscribe(Calculator.broken):
        assert_type(each, Point)
    assert_type(connect("tcp:localhost:8032"), Client)


class Calls(ApiCase):
    def test_call(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            self.assertEqual(calc.add(1, 2), 3)
            self.assertEqual(calc.add(a=1, b=2), 3)
            self.assertEqual(calc.add(1, b=2), 3)
            self.assertEqual(calc.call("add", 1, 2), 3)
            self.assertEqual(calc.call(Calculator.add, 1, 2), 3)
            self.assertEqual(calc.origin(Point(1, 2)), Point(-1, -2))
            self.assertEqual(calc.call("close"), "a method")

    def test_by_name(self) -> None:
        with connect(self.serve_api(Calculator()), Api) as calc:
            self.assertEqual(calc.call("add", a=1, b=2), 3)
            self.assertEqual(calc.call("add", 1, 2), 3)
            self.assertEqual(calc.call("origin", {"x": 1}), {"x": -1, "y": 0})
            self.assertEqual(list(calc.subscribe("countdown", start=2)), [2, 1])
            self.assertEqual(calc.call("rpc.discover")["info"]["title"], "Calculator")
            with self.assertRaisesRegex(TypeError, "all by position or all by name"):
                calc.call("add", 1, b=2)
            with self.assertRaisesRegex(AttributeError, r"use call\('add', \.\.\.\)"):
                calc.add(1, 2)

    def test_framings_and_codecs(self) -> None:
        for framing, name, codec in (
            (Line(), "json", JSON),
            (ContentLength(), "json", JSON),
            (LengthPrefix(), "msgpack", MSGPACK),
        ):
            endpoint = self.serve_api(Calculator(), framing, codec)
            with connect(endpoint, Calculator, framing=framing, codec=name) as calc:
                self.assertEqual(calc.add(1, 2), 3)
                self.assertEqual(calc.origin(Point(1)), Point(-1, 0))
                self.assertEqual(list(calc.countdown(40)), list(range(40, 0, -1)))

    def test_errors_of_the_server(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            error = self.assertRaises(RpcError, calc.fail, "no")
            self.assertEqual(error, RpcError(7, "no", {"more": 1}))
            error = self.assertRaises(RpcError, calc.add, 1, "x")
            self.assertEqual((error.code, error.data["path"]), (Code.INVALID_PARAMS, "$.b"))
            error = self.assertRaises(RpcError, calc.call, "sub")
            self.assertEqual(error.code, Code.METHOD_NOT_FOUND)
            self.assertEqual(calc.add(1, 2), 3)

    def test_wrong_arguments_are_not_sent(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            for call, said in (
                (lambda: calc.add(1), "'b' is missing"),
                (lambda: calc.add(1, 2, 3), "not 3"),
                (lambda: calc.call("add", 1, c=2), "no argument 'c'"),
                (lambda: calc.add(1, object()), "object"),
                (lambda: calc.call("countdown", 1), "use subscribe"),
                (lambda: calc.subscribe("add", 1, 2), "use call"),
            ):
                with self.assertRaisesRegex(TypeError, said):
                    call()
            with self.assertRaisesRegex(AttributeError, "did you mean 'add'"):
                calc.ad(1, 2)
            self.assertFalse(hasattr(calc, "_add"))
            self.assertIn("countdown", dir(calc))
            self.assertEqual(calc.add.__doc__, "The sum of two integers.")
        self.assertEqual(self.connections[0].seen, [])

    def test_too_long(self) -> None:
        framing = LengthPrefix(max_message=300)
        endpoint = self.serve_api(Calculator(), framing)
        with connect(endpoint, Calculator, framing=framing) as calc:
            self.fails(OutgoingFrameTooLong, calc.fail, "x" * 300)
            self.assertEqual(calc.add(1, 2), 3)

    def test_a_result_that_is_not_as_declared(self) -> None:
        with connect(self.serve_api(Calculator()), Other) as calc:
            self.assertIn(
                "the result of add is not as declared", self.fails(BadAnswer, calc.add, 1, 2)
            )
            items = calc.countdown(2)
            for _ in range(2):
                self.fails(BadAnswer, next, items)
            self.assertEqual(list(items), [])

    def test_notify(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            calc.notify("add", 1, 2)
            calc.notify("anything", a=1)
            self.assertEqual(calc.add(1, 2), 3)
        seen = self.connections[0].seen[:2]
        self.assertEqual(
            [each.method for each in seen if isinstance(each, NotificationCame)],
            ["add", "anything"],
        )

    def test_progress(self) -> None:
        reports: list[Any] = []
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            telling = calc.with_options(progress=reports.append)
            self.assertEqual(telling.add(1, 2), 3)
            self.assertEqual(telling.with_options(timeout=5).call("add", 1, b=2), 3)
            self.assertEqual(calc.add(1, 2), 3)
        self.assertEqual(reports, [50, 50])

    def test_progress_that_nobody_asked_for(self) -> None:
        def step(connection: Connection, events: list[Event]) -> None:
            connection.session.progress(2, "on my own")
            (event,) = events
            if isinstance(event, NotificationCame):
                return
            assert isinstance(event, RequestCame)
            if event.method == "slow/one":
                connection.session.reply(event, 1)

        with connect(self.serve_api(Calculator(), step=step), Calculator) as calc:
            self.assertEqual(calc.add(1, 2), 3)
            self.assertEqual(calc.slow_one(), 1)

    def test_the_server_calls(self) -> None:
        outcomes: list[Event] = []

        def step(connection: Connection, events: list[Event]) -> None:
            if any(isinstance(each, RequestCame) for each in events):
                connection.session.call("who are you")
                connection.session.notify("by the way")
            outcomes.extend(each for each in events if isinstance(each, ResponseCame))

        with connect(self.serve_api(Calculator(), step=step), Calculator) as calc:
            calc.add(1, 2)
            calc.add(1, 2)
        self.wait_for_servers()
        (outcome, *_) = outcomes
        assert isinstance(outcome, ResponseCame)
        assert isinstance(outcome.error, RpcError)
        self.assertEqual(outcome.error.code, Code.METHOD_NOT_FOUND)


class Deadlines(ApiCase):
    def test_a_call_that_takes_too_long_is_cancelled(self) -> None:
        endpoint = self.serve_api(Calculator())
        with connect(endpoint, Calculator, timeout=SHORT) as calc:
            text = self.fails(DeadlineExceeded, calc.slow_one)
            self.assertEqual(text, "no answer to slow/one came within 0.05 s")
            self.fails(DeadlineExceeded, calc.with_options(timeout=0).slow_one)
            self.assertEqual(calc.with_options(timeout=None).add(1, 2), 3)
        self.wait_for_servers()
        cancelled = [each for each in self.connections[0].seen if isinstance(each, Cancelled)]
        self.assertEqual([each.request.method for each in cancelled], ["slow/one"] * 2)

    def test_interrupted(self) -> None:
        endpoint = self.serve_api(Calculator())
        client = connect(endpoint, Calculator)
        self.addCleanup(client.abort)
        receive = client._caller._client.receive

        def interrupted(timeout: Any = ...) -> bytes:
            raise KeyboardInterrupt

        client._caller._client.receive = interrupted  # type: ignore[method-assign]
        self.assertRaises(KeyboardInterrupt, client.slow_one)
        self.assertRaises(KeyboardInterrupt, client.countdown, 1000)
        client._caller._client.receive = receive  # type: ignore[method-assign]
        self.assertEqual(client.add(1, 2), 3)
        client.close()
        self.wait_for_servers()
        seen = self.connections[0].seen
        self.assertTrue(any(isinstance(each, Cancelled) for each in seen))
        self.assertTrue(any(isinstance(each, Unsubscribed) for each in seen))

    def test_a_late_answer_is_dropped(self) -> None:
        def step(connection: Connection, events: list[Event]) -> None:
            for each in events:
                if isinstance(each, Cancelled):
                    connection.session.reply(each.request, 77)

        with connect(self.serve_api(Calculator(), step=step), Calculator) as calc:
            self.fails(DeadlineExceeded, calc.with_options(timeout=SHORT).slow_one)
            self.assertEqual(calc.add(1, 2), 3)

    def test_limits_are_checked(self) -> None:
        calc = connect(self.serve_api(Calculator()), Calculator)
        with calc, self.assertRaisesRegex(ConfigurationError, "timeout"):
            calc.with_options(timeout=-1)


class Subscriptions(ApiCase):
    def test_items(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            self.assertEqual(list(calc.countdown(3)), [3, 2, 1])
            self.assertEqual(list(calc.subscribe(Calculator.countdown, 0)), [])
            self.assertEqual(list(calc.countdown(1000)), list(range(1000, 0, -1)))

    def test_its_error_comes_last(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            items = calc.broken()
            self.assertEqual(next(items), Point(1))
            for _ in range(2):
                self.assertEqual(self.assertRaises(RpcError, next, items), RpcError(8, "broken"))

    def test_refused(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            error = self.assertRaises(RpcError, calc.countdown, "x")
            self.assertEqual(error.code, Code.INVALID_PARAMS)
            error = self.assertRaises(RpcError, calc.subscribe, "nothing")
            self.assertEqual(error.code, Code.METHOD_NOT_FOUND)
        with connect(self.serve_api(Calculator()), Api) as calc:
            text = self.fails(BadAnswer, calc.subscribe, "close")
            self.assertIn("no number of a subscription", text)

    def test_calls_between_items(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            sums = [calc.add(each, 1) for each in calc.countdown(100)]
            self.assertEqual(sums, list(range(101, 1, -1)))
            pairs = zip(calc.countdown(50), calc.countdown(50), strict=True)
            self.assertTrue(all(a == b for a, b in pairs))

    def test_what_is_not_taken_is_not_sent(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            items = calc.countdown(1000)
            calc.add(1, 2)
            (publication,) = self.connections[0].streams
            self.assertEqual(publication.credit, 0)
            self.assertEqual(len(items._inbox), WINDOW)
            for _ in range(WINDOW // 2 + 1):
                next(items)
            calc.add(1, 2)
            self.assertEqual(len(items._inbox), WINDOW - 1)

    def test_close(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            with calc.countdown(1000) as items:
                self.assertEqual(next(items), 1000)
            self.assertEqual(list(items), [])
            items.close()
            calc.add(1, 2)
            self.assertEqual(self.connections[0].streams, {})

    def test_leaving_the_loop(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            for _ in range(300):  # more than may be open at a time
                for _each in calc.countdown(1000):
                    break
            calc.add(1, 2)
            self.assertEqual(self.connections[0].streams, {})

    def test_too_many(self) -> None:
        with connect(self.serve_api(Calculator()), Calculator) as calc:
            kept = [calc.countdown(1) for _ in range(256)]
            self.assertEqual(len({tuple(each) for each in kept}), 1)
            kept = [calc.countdown(1000) for _ in range(256)]
            self.fails(TooManyCalls, calc.countdown, 1000)
            for each in kept:
                each.close()

    def test_patience(self) -> None:
        def step(connection: Connection, events: list[Event]) -> None:
            if any(isinstance(each, NotificationCame) for each in events):
                (publication,) = connection.streams
                connection.session.publish(publication, 5, dropped=3)

        class Silent(Calculator):
            @subscription
            def countdown(self, start: int) -> AsyncIterator[int]:
                return Waiting()

        with connect(self.serve_api(Silent(), step=step), Calculator) as calc:
            items = calc.with_options(timeout=SHORT).countdown(1)
            self.assertEqual(
                self.fails(DeadlineExceeded, next, items), "no item came within 0.05 s"
            )
            calc.notify("now")
            items._timeout = None
            self.assertEqual(next(items), 5)
            self.assertEqual(items.dropped, 3)


class Waiting:
    """An iterator that waits for ever."""

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    def __anext__(self) -> Any:
        return self

    def send(self, _: None) -> None:
        pass


class Losing(ApiCase):
    def test_the_server_goes(self) -> None:
        class Leaving(Calculator):
            leaving = False

            @method
            def add(self, a: int, b: int) -> Any:
                self.leaving = True
                return Never

        def step(connection: Connection, events: list[Event]) -> Any:
            return Never if connection.api.leaving else None  # type: ignore[attr-defined]

        with connect(self.serve_api(Leaving(), step=step), Calculator) as calc:
            items = calc.countdown(1000)
            text = self.fails(ConnectionClosed, calc.add, 1, 2)
            self.assertEqual(text, "the server closed the connection")
            self.assertEqual(next(items), 1000)  # what was there is there
            self.fails(ConnectionClosed, list, items)
            for _ in range(2):
                self.fails(ConnectionClosed, calc.add, 1, 2)
                self.fails(ConnectionClosed, calc.countdown, 1)
                self.fails(ConnectionClosed, calc.notify, "x")

    def test_broken_off(self) -> None:
        with connect(self.serve(break_off), Calculator) as calc:
            self.fails(ConnectionReset, calc.add, 1, 2)

    def test_closed(self) -> None:
        calc = connect(self.serve_api(Calculator()), Calculator)
        items = calc.countdown(1000)
        calc.close()
        calc.close()
        self.assertEqual(self.fails(ConnectionClosed, calc.add, 1, 2), "the client is closed")
        with self.assertRaises(ConnectionClosed):
            list(items)
        items.close()

    def test_an_error_in_the_block_aborts(self) -> None:
        calc = connect(self.serve_api(Calculator()), Calculator)
        with self.assertRaises(ZeroDivisionError), calc:
            _ = 1 / 0
        self.assertEqual(calc._caller._client.fileno(), -1)

    def test_a_server_that_echoes(self) -> None:
        with connect(self.serve(echo), Calculator) as calc:
            self.assertIn("--app", self.fails(RemoteProtocolError, calc.add, 1, 2))
        with connect(self.serve(echo), Calculator) as calc:
            self.assertIn("--app", self.fails(RemoteProtocolError, calc.countdown, 1))

    def test_another_codec(self) -> None:
        with connect(self.serve_api(Calculator(), codec=MSGPACK), Calculator) as calc:
            self.assertIn("is not json", self.fails(RemoteProtocolError, calc.add, 1, 2))
        with connect(self.serve_api(Calculator()), Calculator, codec="msgpack") as calc:
            self.assertIn("is not msgpack", self.fails(RemoteProtocolError, calc.add, 1, 2))

    def test_another_framing(self) -> None:
        with connect(self.serve_api(Calculator(), Line()), Calculator, timeout=SHORT) as calc:
            self.fails(DeadlineExceeded, calc.add, 1, 2)

    def test_a_complaint(self) -> None:
        answer = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Too deep"}}'

        def script(peer: socket.socket) -> None:
            peer.recv(65536)
            peer.sendall(encode(answer))
            peer.recv(65536)

        with connect(self.serve(script), Calculator) as calc:
            error = self.assertRaises(RpcError, calc.add, 1, 2)
            self.assertEqual(error.message, "Too deep")


class Connecting(ApiCase):
    def test_wrong_arguments(self) -> None:
        for options, said in (
            ({"codec": "xml"}, "json or msgpack"),
            ({"codec": "msgpack", "framing": Line()}, "another framing"),
            ({"timeout": -1}, "timeout"),
        ):
            with self.assertRaisesRegex(ConfigurationError, said):
                connect("tcp:localhost:1", Calculator, **options)
        with self.assertRaisesRegex(ConfigurationError, "no subclass"):
            connect("tcp:localhost:1", int)  # type: ignore[arg-type]

    def test_no_twisted(self) -> None:
        code = (
            "import sys, netlab.api.blocking, netlab.blocking\nsys.exit('twisted' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False)
        self.assertEqual(done.returncode, 0)

    def test_bytes_need_no_api(self) -> None:
        code = "import sys, netlab.blocking\nsys.exit('netlab.api' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], check=False)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(callable(netlab.blocking.connect))
