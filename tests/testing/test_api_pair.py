"""``pair`` with an ``Api``: what its documentation says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import assert_type

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import Backoff, ConfigurationError, ConnectionClosed, Line
from netlab.api import Api, Code, Context, RpcError, SessionLimits, client_of, method, subscription
from netlab.message import Echo
from netlab.testing import ApiPair, Faults, Pair, pair
from tests.message.support import blank


class Calculator(Api):
    def __init__(self) -> None:
        self.calls = 0

    @method(idempotent=True)
    def add(self, a: int, b: int) -> int:
        self.calls += 1
        return a + b

    @method
    async def never(self) -> None:
        await Deferred()

    @method
    async def ask_back(self, ctx: Context, a: int) -> int:
        doubled: int = await ctx.remote.call("double", a)
        return doubled

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for each in range(start, 0, -1):
            yield each


class Doubling(Api):
    @method
    def double(self, a: int) -> int:
        return 2 * a


class ApiPairs(SynchronousTestCase):
    def test_as_documented(self) -> None:
        with pair(Calculator, faults=Faults(seed=7, chunk=3)) as link:
            self.assertEqual(link.run(link.client.add(1, 2)), 3)

    def test_types(self) -> None:
        with pair(Calculator) as link:
            assert_type(link, ApiPair[Calculator])
            assert_type(link.api, Calculator)
            link.run(link.client.add(1, 2))
            self.assertEqual(link.api.calls, 1)
        with pair(Echo) as other:
            assert_type(other, Pair)
            self.assertEqual(other.run(other.client.request(b"x")), b"x")

    def test_object(self) -> None:
        calculator = Calculator()
        with pair(calculator, codec="msgpack") as link:
            link.run(link.client.add(1, 2))
            self.assertIs(link.api, calculator)
        self.assertEqual(calculator.calls, 1)

    def test_faults(self) -> None:
        async def all_of(link: ApiPair[Calculator]) -> list[int]:
            return [each async for each in link.client.countdown(50)]

        for seed in range(10):
            faults = Faults(seed=seed, chunk=4, coalesce=0.3, delay=0.01, jitter=0.1)
            with pair(Calculator, framing=Line(), faults=faults) as link:
                self.assertEqual(link.run(all_of(link)), list(range(50, 0, -1)))

    def test_deadline(self) -> None:
        with pair(Calculator, deadline=3600) as link:
            error = self.assertRaises(RpcError, link.run, link.client.never())
            self.assertEqual(error.code, Code.DEADLINE_EXCEEDED)
            self.assertEqual(link.clock.seconds() // 1, 3600)

    def test_serving(self) -> None:
        with pair(Calculator, serving=Doubling) as link:
            self.assertEqual(link.run(link.client.ask_back(4)), 8)

    def test_session_limits(self) -> None:
        with pair(Calculator, session_limits=SessionLimits(max_in_flight=1)) as link:
            waiting = ensureDeferred(link.client.never())
            error = self.assertRaises(RpcError, link.run, link.client.add(1, 2))
            self.assertEqual(error.code, Code.TOO_MANY_REQUESTS)
            waiting.addErrback(lambda failure: failure.trap(ConnectionClosed))

    def test_more_clients_one_of_which_comes_back(self) -> None:
        with pair(Calculator) as link:
            client = link.connect_api(reconnect=Backoff())
            link.sockets[-1].reset()
            link.advance()
            self.assertFalse(client_of(client).connected)
            self.assertEqual(link.run(client.add(1, 2)), 3)
            self.assertEqual(link.run(link.client.add(3, 4)), 7)

    def test_raw_peer(self) -> None:
        with pair(Calculator) as link:
            peer = link.connect_raw()
            peer.send_message(b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}')
            self.assertEqual(peer.messages, [b'{"jsonrpc":"2.0","id":1,"result":3}'])

    def test_nothing_is_left(self) -> None:
        with pair(Calculator) as link:
            link.run(link.client.add(1, 2))
        self.assertTrue(blank(link))

    def test_options(self) -> None:
        wrong: type = Echo
        self.assertRaises(TypeError, pair, wrong, codec="json")
        self.assertRaises(ConfigurationError, pair, Calculator, codec="xml")
