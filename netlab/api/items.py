"""A subscription as its program sees it: an async iterator that outlives its connection."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from twisted.internet.defer import Deferred

from netlab.errors import LocalProtocolError, NetlabError

from .jsonrpc.errors import Code, RpcError
from .jsonrpc.subscriptions import Subscription

if TYPE_CHECKING:
    from .connection import ApiConnection

T = TypeVar("T")


class Opener(Protocol):
    """Makes the flows of one subscription, again and again."""

    @property
    def resumes(self) -> bool:
        """Whether a new connection takes the place of one that was lost."""

    async def open(self, *, again: bool) -> Flow:
        """A flow that is open; raises why there is none."""


class Flow:
    """One subscription on one connection, and the items that nobody has taken yet."""

    def __init__(self, connection: ApiConnection, credit: int) -> None:
        self.connection = connection
        self.subscription: Subscription | None = None
        self.items: deque[tuple[bytes, int]] = deque()
        self.over = False
        self.error: NetlabError | None = None
        self._credit = credit
        self._taken = 0
        self._waiting: Deferred[None] | None = None

    def wait(self) -> Deferred[None]:
        """Fires when there is anything new."""
        if self._waiting is not None:
            raise LocalProtocolError("somebody waits for the next item already")

        def give_up(waiting: Deferred[None]) -> None:
            self._waiting = None

        self._waiting = Deferred(give_up)
        return self._waiting

    def take(self) -> tuple[bytes, int]:
        """The next item; grants the peer more when half of the credit is used."""
        item = self.items.popleft()
        self._taken += 1
        if self._taken * 2 >= self._credit and self.subscription is not None:
            taken, self._taken = self._taken, 0
            self.connection.session.grant(self.subscription, taken)
            self.connection.flush()
        return item

    def close(self) -> None:
        """The program wants no more."""
        if self.subscription is not None:
            self.connection.unsubscribe(self.subscription)
        if not self.over:
            self.end(None)

    # -- for the connection

    def opened(self) -> None:
        """The peer has accepted."""
        self._wake()

    def item(self, value: bytes, dropped: int) -> None:
        """One more."""
        self.items.append((value, dropped))
        self._wake()

    def end(self, error: NetlabError | None) -> None:
        """No more will come."""
        self.over = True
        self.error = error
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class Items(AsyncIterator[T], Generic[T]):
    """The items of a subscription: ``async for item in items``.

    It begins with the first item asked for, or with ``async with``, and ends when the
    server has no more, with ``aclose``, or when nobody holds it any longer. On a client
    that reconnects it goes on with the new connection: the subscription begins again, with
    the same arguments. What was published between is missed, or comes twice, as the method
    has it; a program that cares looks at:

    dropped  items that the server left out, since this side was slow
    resumed  times that it began again

    Raises what ended it: ``RpcError``, ``BadAnswer``, ``ConnectionClosed``.
    """

    def __init__(
        self,
        opener: Opener,
        method: str,
        decode: Callable[[bytes], T],
    ) -> None:
        self.method = method
        self.dropped = 0
        self.resumed = 0
        self._opener = opener
        self._decode = decode
        self._flow: Flow | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next item."""
        while not self._closed:
            flow = self._flow
            if flow is None:
                await self._open(again=False)
            elif flow.items:
                value, dropped = flow.take()
                self.dropped += dropped
                return self._decode(value)
            elif not flow.over:
                await flow.wait()
            elif flow.error is None:
                self._closed = True
            else:
                await self._resume(flow)
        raise StopAsyncIteration

    async def _resume(self, flow: Flow) -> None:
        error = flow.error
        assert error is not None
        stopping = isinstance(error, RpcError) and error.code == Code.SERVER_STOPPING
        if not (self._opener.resumes and (flow.connection.over or stopping)):
            self._closed = True
            raise error
        await flow.connection.when_over()
        await self._open(again=True)
        self.resumed += 1

    async def _open(self, *, again: bool) -> None:
        self._flow = await self._opener.open(again=again)
        if self._closed:  # meanwhile
            self._flow.close()

    async def aclose(self) -> None:
        """Wants no more; harmless afterwards."""
        self._closed = True
        if self._flow is not None:
            self._flow.close()

    async def __aenter__(self) -> Self:
        """Subscribes; raises why it cannot."""
        if self._flow is None:
            await self._open(again=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unsubscribes."""
        await self.aclose()

    def __del__(self) -> None:
        flow: Any = getattr(self, "_flow", None)
        if flow is not None and not flow.over:
            flow.close()
