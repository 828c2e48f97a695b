"""Apis for the tests of what is made from descriptions, and a strategy that makes more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from netlab.api import Api, method, subscription

T = TypeVar("T")


class Colour(Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Point:
    """Where something is."""

    x: int
    y: Annotated[int, msgspec.Meta(ge=0, description="Never | below.")] = 0
    next: Point | None = None


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: Annotated[float, msgspec.Meta(gt=0)]


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Box(msgspec.Struct, Generic[T]):
    content: T


class Calculator(Api):
    """Arithmetic for the first lab.

    And | more.
    """

    @method(idempotent=True)
    def add(self, a: int, b: int) -> int:
        """The sum of two integers."""
        return a + b

    @method
    def draw(
        self, shape: list[Point], colour: Colour = Colour.RED, *, when: datetime | None = None
    ) -> tuple[Point, str]:
        """Draws.

        In *one* go.
        """
        raise NotImplementedError

    @method(name="text/upper")
    def upper(
        self,
        text: Annotated[str, msgspec.Meta(min_length=1, max_length=10)],
        ratio: float = 1.5,
        deep: bool = False,
    ) -> dict[str, Any]:
        raise NotImplementedError

    @method
    def ping(self) -> None: ...

    @subscription(when_slow="drop")
    async def countdown(self, start: int) -> AsyncIterator[int]:
        """Counts down."""
        yield start


class Awkward(Api):
    """Names and types that are hard on those who write them down."""

    @method(name='a "b" \\ `c` | größe')
    def first(self, größe: int = 1) -> str:
        raise NotImplementedError

    @method(name="a_b_c_gr_e")
    def second(self, gr_e: int = 1) -> str:
        raise NotImplementedError

    @method
    def error(self, code: bool, *, message: str) -> Any:
        raise NotImplementedError

    @method
    def matched(self, text: Annotated[str, msgspec.Meta(pattern="^x{3}[0-9]$")]) -> None: ...


class Empty(Api):
    pass


SIMPLE: tuple[Any, ...] = (
    *(int, float, str, bool, bytes, None, Any, datetime, Decimal, UUID, Point, Colour, Level),
    *(Pair, Circle | Square, Box[int], Box[Point], Literal["a", 1], Level | None),
    *(tuple[()], tuple[int, str], dict[str, Any], dict[int, str], set[int], frozenset[Colour]),
    Annotated[int, msgspec.Meta(gt=3, multiple_of=5)],
    Annotated[float, msgspec.Meta(ge=-1, lt=1, title="share")],
    Annotated[str, msgspec.Meta(max_length=3, description="short", examples=["ab"])],
    Annotated[list[int], msgspec.Meta(min_length=2, max_length=4)],
)

kinds = st.recursive(
    st.sampled_from(SIMPLE),
    lambda inner: st.one_of(
        inner.map(lambda each: list[each]),  # type: ignore[valid-type]
        inner.map(lambda each: each | None if each is not None else int | None),
        inner.map(lambda each: dict[str, each]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda pair: tuple.__class_getitem__(pair)),
    ),
    max_leaves=4,
)
names = st.sampled_from(["name", "größe", "x", "type", "class_", "rpc", "default", "id"])


@st.composite
def apis(draw: st.DrawFn) -> type[Api]:
    """Classes of any number of methods and subscriptions."""
    members: dict[str, Any] = {"__doc__": draw(st.sampled_from([None, "A", "A\n\n    b | c"]))}
    for at in range(draw(st.integers(0, 4))):
        scope: dict[str, Any] = {"AsyncIterator": AsyncIterator}
        parameters, named = [], draw(st.booleans())
        for name in draw(st.lists(names, unique=True, max_size=4)):
            scope[f"kind_{name}"] = draw(kinds)
            parameters.append(f"{name}: kind_{name}")
        cut = draw(st.integers(0, len(parameters)))
        if named and cut < len(parameters):
            parameters.insert(cut, "*")
        scope["kind_of_result"] = draw(kinds)
        items = draw(st.booleans())
        result = "AsyncIterator[kind_of_result]" if items else "kind_of_result"
        source = f"def m{at}({', '.join(['self', *parameters])}) -> {result}: ..."
        exec(source, scope)
        wire = draw(st.sampled_from([f"m{at}", f"a/{at}", f'"{at} ☃"']))
        declare = subscription if items else method
        members[f"m{at}"] = declare(name=wire)(scope[f"m{at}"])
    return type("Generated", (Api,), members)
