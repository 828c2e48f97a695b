from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.kinds import never_changes
from netlab.api.rooms import Message


class Colour(Enum):
    RED = "red"


class Tree(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    below: tuple[Tree, ...] = ()


class Open(msgspec.Struct):
    name: str


class Box(msgspec.Struct, frozen=True):
    inner: Open | None


class NeverChanges(SynchronousTestCase):
    def test_values(self) -> None:
        fixed: tuple[Any, ...] = (
            *(int, str | None, Colour, Literal["a", 1], bytes, datetime, tuple[int, str]),
            *(frozenset[str], Tree, Tree | None, Message, Annotated[float, msgspec.Meta(ge=0)]),
        )
        for each in fixed:
            self.assertTrue(never_changes(each), each)

    def test_what_may_change(self) -> None:
        for each in (list[int], dict[str, int], Open, Box, tuple[Tree, Open], Any, set[int]):
            self.assertFalse(never_changes(each), each)
