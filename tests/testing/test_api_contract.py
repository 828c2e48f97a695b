"""``check_api``: it passes what is right, and says what is wrong."""

from __future__ import annotations

import math
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import ConfigurationError
from netlab.api import Api, Context, RpcError, method, subscription
from netlab.testing import check_api


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Tree:
    name: Annotated[str, Meta(min_length=1)]
    below: list[Tree]


class Right(Api):
    """All kinds of arguments, and all that a method may do."""

    @method
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @method
    def root(self, x: Annotated[float, Meta(ge=0)], *, digits: int | None = None) -> float:
        return math.sqrt(x)

    @method
    def kinds(
        self,
        when: datetime,
        key: UUID,
        colour: Colour,
        number: Annotated[int, Meta(gt=2, lt=20, multiple_of=3)],
        pair: tuple[int, str],
        data: bytes,
        code: Annotated[str, Meta(pattern="^x{3}[0-9]$")],
        names: dict[str, set[int]],
        way: Literal["up", "down"] = "up",
    ) -> list[Colour]:
        assert number in range(3, 20, 3), number
        return [colour]

    @method
    async def depth(self, tree: Tree) -> int:
        return 1 + max([await self.depth(each) for each in tree.below], default=0)

    @method
    def refuse(self, value: Any) -> None:
        raise RpcError(7, "no")

    @method
    async def ask_back(self, ctx: Context) -> int:
        result: int = await ctx.remote.call("double", 1)
        return result

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for each in range(start, 0, -1):
            yield each

    @subscription
    async def silent(self) -> AsyncIterator[int]:
        yield await Deferred()


class Endless(Api):
    @subscription(when_slow="drop")
    async def endless(self) -> AsyncIterator[int]:
        while True:
            yield 1

    @subscription(when_slow="close")
    async def hasty(self) -> AsyncIterator[int]:
        while True:
            yield 1


class Raises(Api):
    @method
    def share(self, a: int, b: int) -> int:
        return a // b


class Lies(Api):
    @method
    def name(self, number: int) -> str:
        return "ten" if number != 10 else 10  # type: ignore[return-value]


class Waits(Api):
    @method
    async def never(self) -> None:
        await Deferred()


class Odd(Api):
    @method
    def find(self, name: str) -> str:
        raise RpcError(-32601, "no such name")


class Tells(Api):
    @method
    def work(self) -> int:
        try:
            return 1 // 0
        except ZeroDivisionError:
            raise RpcError(1, "it failed", traceback.format_exc()) from None


class HangsUp(Api):
    @method
    def leave(self, a: int, *, ctx: Context) -> int:
        if a != 0:
            link: Any = ctx.remote
            link._link._connection.abort()
        return a


class Publishes(Api):
    @subscription
    async def numbers(self, first: int) -> AsyncIterator[int]:
        yield first
        yield "second"  # type: ignore[misc]


class Impossible(Api):
    @method
    def matched(self, text: Annotated[str, Meta(pattern="^a$", min_length=5)]) -> None: ...


class CheckApi(SynchronousTestCase):
    def assert_caught(self, api: Callable[[], Api], *expected: str, **options: Any) -> None:
        error = self.assertRaises(AssertionError, check_api, api, **options)
        for each in expected:
            self.assertIn(each, str(error))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_right(self) -> None:
        check_api(Right, max_examples=15)

    def test_iterators_that_never_wait(self) -> None:
        check_api(Endless, max_examples=3)

    def test_function(self) -> None:
        made: list[Right] = []

        def make() -> Right:
            made.append(Right())
            return made[-1]

        check_api(make, max_examples=2)
        self.assertGreater(len(made), len(vars(Right)["_description"].declared))

    def test_exception_at_some_values(self) -> None:
        self.assert_caught(Raises, "Raises.share", "ZeroDivisionError", "-32603", max_examples=1000)

    def test_wrong_result_at_one_value(self) -> None:
        self.assert_caught(Lies, "Lies.name", "WrongResult", max_examples=1000)

    def test_no_answer(self) -> None:
        self.assert_caught(Waits, "Waits.never", "no answer came within 60 s")
        check_api(Waits, deadline=5, max_examples=10)

    def test_code_of_the_protocol(self) -> None:
        self.assert_caught(Odd, "Odd.find", "-32601", '"name"')

    def test_traceback(self) -> None:
        self.assert_caught(Tells, "Tells.work", "a traceback is in what came")

    def test_connection_ends(self) -> None:
        self.assert_caught(HangsUp, "HangsUp.leave", "the connection ended")

    def test_wrong_item(self) -> None:
        self.assert_caught(Publishes, "Publishes.numbers", "WrongResult", '"first"')

    def test_nothing_to_try(self) -> None:
        self.assert_caught(Impossible, "Impossible.matched", "give examples")

    def test_object(self) -> None:
        wrong: Any = Right()
        self.assertRaises(ConfigurationError, check_api, wrong)
        self.assertRaises(ConfigurationError, check_api, dict)
