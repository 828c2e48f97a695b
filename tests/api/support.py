"""What the tests of servers and clients share: an api, and both of its ends in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import Backoff, Framing, NetlabError
from netlab.api import Api, ApiClient, ApiFactory, Context, RpcError, method, subscription
from netlab.message import MessageConnection
from netlab.message.client import CLIENT_LIMITS
from netlab.testing import Faults, MemoryServer
from netlab.transport import Limits, Stream
from tests.message.support import blank, logged


class Calculator(Api):
    """Arithmetic, and everything else that a method may do."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.ended: list[str] = []
        self.made = 0

    @method
    def add(self, a: int, b: int) -> int:
        return a + b

    @method
    async def soon(self, a: int) -> int:
        return a

    @method(idempotent=True)
    async def wait(self, name: str) -> str:
        """Answers when the test says so."""
        waiting: Deferred[str] = Deferred()
        self.waiting.append(waiting)
        try:
            return await waiting
        finally:
            self.ended.append(name)

    @method
    async def spend(self, name: str) -> str:
        """The same, but not to be repeated."""
        return await self.wait(name)

    @method
    def deferred(self, name: str) -> str:
        waiting: Any = Deferred()
        self.waiting.append(waiting)
        return waiting  # type: ignore[no-any-return]

    @method
    def fail(self) -> int:
        raise ValueError("a secret")

    @method
    async def refuse(self, code: int) -> int:
        raise RpcError(code, "no", {"why": "so"})

    @method
    def lie(self) -> int:
        return "text"  # type: ignore[return-value]

    @method
    def text(self, length: int) -> str:
        return "x" * length

    @method
    def peer(self, ctx: Context) -> str:
        ctx.state["calls"] = ctx.state.get("calls", 0) + 1
        return f"{ctx.peer.port > 0} {ctx.identity} {ctx.state['calls']}"

    @method
    async def work(self, ctx: Context, steps: int) -> str:
        for each in range(steps):
            ctx.progress({"step": each})
        return "done"

    @method
    async def ask_back(self, ctx: Context, a: int) -> int:
        return await ctx.remote.call("double", a) + 1  # type: ignore[no-any-return]

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        try:
            for each in range(start, 0, -1):
                self.made += 1
                yield each
        finally:
            self.ended.append("countdown")

    @subscription
    async def silent(self) -> AsyncIterator[int]:
        self.waiting.append(Deferred())
        try:
            yield await self.waiting[-1]
        finally:
            self.ended.append("silent")

    @subscription(when_slow="drop")
    async def dropping(self, start: int) -> AsyncIterator[int]:
        for each in range(start):
            yield each

    @subscription(when_slow="close")
    async def closing(self, start: int) -> AsyncIterator[int]:
        for each in range(start):
            yield each

    @subscription
    async def failing(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("a secret")

    @subscription
    async def refusing(self, word: str) -> AsyncIterator[int]:
        if word != "please":
            raise RpcError(7, "say please")
        return self.countdown(2)


class Queue(AsyncIterator[int]):
    """Items as the test puts them; it is its own ``Feed``."""

    def __init__(self) -> None:
        self.feed = self
        self.items: list[Any] = []
        self.ended = False
        self.closed = 0
        self.wakes: list[Callable[[], None]] = []

    async def __anext__(self) -> int:
        raise AssertionError("a feed needs no coroutine")

    def take(self) -> Any:
        item = self.items.pop(0) if self.items else None
        if isinstance(item, Exception):
            raise item
        return item

    def wait(self, wake: Callable[[], None]) -> None:
        self.wakes.append(wake)

    def close(self) -> None:
        self.closed += 1

    def put(self, *items: Any, ended: bool = False) -> None:
        self.items += items
        self.ended = ended
        wakes, self.wakes = self.wakes, []
        for each in wakes:
            each()


class Feeding(Api):
    def __init__(self) -> None:
        self.queue = Queue()

    @subscription
    async def queued(self) -> AsyncIterator[int]:
        return self.queue


class Doubling(Api):
    """What a client serves."""

    @method
    def double(self, a: int) -> int:
        return 2 * a


class Link(MemoryServer):
    """A server of an api, in memory."""

    def __init__(
        self,
        api: type[Api] | Api = Calculator,
        *,
        framing: Framing | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
        **options: Any,
    ) -> None:
        self.factory = ApiFactory(api, **options)
        super().__init__(self.factory, framing=framing, limits=limits, faults=faults)

    @property
    def api(self) -> Any:
        return self.factory.api

    def client(
        self,
        *,
        faults: Faults | None = None,
        limits: Limits = CLIENT_LIMITS,
        reconnect: Backoff | None = None,
        timeout: float = 10.0,
        **options: Any,
    ) -> ApiClient:
        """A client that is connected."""

        def dial(connection: MessageConnection) -> Deferred[Stream]:
            return self._dial(connection, client.stats, faults, limits)

        client = ApiClient(
            self.clock,
            dial,
            framing=self.server.framing,
            limits=limits,
            timeout=timeout,
            backoff=reconnect,
            hub=self.hub,
            codec=self.factory.codec.name,
            **options,
        )
        self.run(client.open())
        return client


class Case(SynchronousTestCase):
    """Nothing is left on the clock, and no error unhandled."""

    def setUp(self) -> None:
        watching = logged("Unhandled", "internal error in")
        lines = watching.__enter__()

        def check() -> None:
            watching.__exit__(None, None, None)
            self.assertEqual(lines, [])

        self.addCleanup(check)

    def serve(self, api: type[Api] | Api = Calculator, **options: Any) -> Link:
        link = Link(api, **options)

        def close() -> None:
            link.close()
            self.assertTrue(blank(link), "something is left")

        self.addCleanup(close)
        return link

    def client(self, link: Link, **options: Any) -> ApiClient:
        client = link.client(**options)
        self.addCleanup(lambda: link.run(client.close()))
        return client

    def start(self, link: MemoryServer, call: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        running = ensureDeferred(call)
        link.advance()
        return running

    def incidents(self) -> list[str]:
        """The errors that methods raised, as logged: the test expects them."""
        return [str(each.value) for each in self.flushLoggedErrors(Exception)]

    def error_of(self, deferred: Deferred[Any]) -> NetlabError:
        error = self.failureResultOf(deferred).value
        assert isinstance(error, NetlabError), error
        return error
