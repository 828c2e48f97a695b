"""Something that takes a moment to open: await it, or enter it with ``async with``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

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
