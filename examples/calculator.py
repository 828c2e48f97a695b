"""Arithmetic for the first lab: a protocol, written once.

    twistd -n netlab message --app calculator:Calculator
    netlab call tcp:localhost:8032 add a=1 b=2

The annotations are the protocol: what does not fit them never comes to a method.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Meta

from netlab.api import Api, RpcError, method, subscription

Start = Annotated[int, Meta(ge=1, le=100, description="where to begin")]


class Calculator(Api):
    """Arithmetic for the first lab."""

    @method
    def add(self, a: int, b: int) -> int:
        """The sum of two integers."""
        return a + b

    @method
    def divide(self, a: float, b: float) -> float:
        """The quotient of two numbers."""
        if b == 0:
            raise RpcError(1, "there is no quotient by zero")
        return a / b

    @method
    def mean(self, values: list[float]) -> float | None:
        """The mean of any number of values; null of none."""
        return sum(values) / len(values) if values else None

    @subscription
    async def countdown(self, start: Start) -> AsyncIterator[int]:
        """Counts down to 1, ten numbers a second."""
        from twisted.internet import reactor, task  # here, as clients need none of it

        for number in range(start, 0, -1):
            yield number
            await task.deferLater(reactor, 0.1)  # others are served meanwhile
