"""Something that takes a moment to open: await it, or enter it with ``async with``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, gatherResults

from netlab.errors import NetlabError

T = TypeVar("T")


class Opening(Awaitable[T], Generic[T]):
    """``thing = await opening``, or ``async with opening as thing``, which closes it again."""

    def __init__(
        self, opener: Coroutine[Any, Any, T], closer: Callable[[T], Awaitable[Any]]
    ) -> None:
        self._opener = opener
        self._closer = closer
        self._thing: T

    def __await__(self) -> Generator[Any, Any, T]:
        """Opens; returns what was opened, or raises why not."""
        return self._opener.__await__()

    async def __aenter__(self) -> T:
        """Opens."""
        self._thing = await self._opener
        return self._thing

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes, whatever happened in between."""
        await self._closer(self._thing)


class Listener(Protocol):
    """A server that can listen, and be stopped."""

    def listen(self, endpoint: Any) -> Deferred[Any]:
        """Listens on one more endpoint."""

    def stop(self, grace: float = 0.0) -> Deferred[None]:
        """Ends."""


async def listen_on(server: Listener, endpoints: Iterable[Any]) -> None:
    """Has ``server`` listen on all ``endpoints``. Raises why one cannot: then it is stopped."""
    try:
        await gatherResults([server.listen(each) for each in endpoints], consumeErrors=True)
    except Exception as error:
        await server.stop(0)
        cause = getattr(error, "subFailure", None)
        if cause is not None and isinstance(cause.value, NetlabError):
            raise cause.value from None
        raise
