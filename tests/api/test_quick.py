"""Calls that are read in one step. That their answers are the same says test_server_properties."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, Context, method, subscription
from netlab.api.jsonrpc import CODECS, JSON
from netlab.api.jsonrpc.codecs import UNREADABLE
from netlab.api.quick import Answer, unpacked
from netlab.api.servant import Servant


class Mixed(Api):
    @method
    def add(self, a: int, b: list[int]) -> int:
        return a + sum(b)

    @method
    def nothing(self) -> None: ...

    @method
    def default(self, a: int = 1) -> int:
        return a

    @method
    def named(self, *, a: int) -> int:
        return a

    @method
    def known(self, ctx: Context, a: int) -> int:
        return a

    @subscription
    async def items(self, a: int) -> AsyncIterator[int]:
        yield a


class Contextual(Api):
    @method
    def known(self, ctx: Context) -> None: ...


def call(method: str, params: Any = None, **members: Any) -> dict[str, Any]:
    if params is not None:
        members["params"] = params
    return {"jsonrpc": "2.0", "id": 7, "method": method, **members}


class QuickTests(SynchronousTestCase):
    def read(self, message: Any, codec: Any = JSON) -> Any:
        """The method that was read, the arguments, and how many members there are."""
        decode, methods = Servant(Mixed).quick(codec)
        try:
            request = decode(codec.encode(message))
        except UNREADABLE:
            return "unreadable"
        entry = methods.get(request.__class__)
        if entry is None:
            return None
        params = request.params
        members, args = (4, params) if isinstance(params, tuple) else unpacked(params)
        return entry.declared.name, request.id, args, members

    def test_calls(self) -> None:
        for codec in CODECS.values():
            for message, wanted in (
                (call("add", [1, [2]]), ("add", 7, (1, [2]), 4)),
                (call("add", {"b": [], "a": 1}), ("add", 7, (1, []), 6)),
                (call("nothing"), ("nothing", 7, (), 3)),
                (call("nothing", []), ("nothing", 7, (), 4)),
                (call("add", [1, []], id="x"), ("add", "x", (1, []), 4)),
                ({"jsonrpc": "2.0", "method": "nothing"}, ("nothing", msgspec.UNSET, (), 3)),
            ):
                self.assertEqual(self.read(message, codec), wanted)

    def test_left_to_the_session(self) -> None:
        for codec in CODECS.values():
            for name in ("default", "named", "known", "items"):
                self.assertIsNone(self.read(call(name, [1]), codec))
                self.assertIsNone(self.read(call(name, {"a": 1}), codec))
            for message in (
                call("add", [1]),
                call("add", [1, [2], 3]),
                call("add", [1, ["x"]]),
                call("add", {"a": 1, "b": [], "c": 2}),
                call("add", {"a": 1, "b": [], "workDoneToken": 2}),
                call("add"),
                call("nothing", [1]),
                call("minus", [1, [2]]),
                {"jsonrpc": "2.0", "id": 7, "result": 1},
                {"jsonrpc": "1.0", "id": 7, "method": "nothing"},
                [call("nothing")],
            ):
                self.assertEqual(self.read(message, codec), "unreadable")

    def test_nothing_to_read(self) -> None:
        for api in (Contextual, None):
            self.assertEqual(Servant(api).quick(JSON)[1], {})

    def test_answers(self) -> None:
        for codec in CODECS.values():
            self.assertEqual(
                codec.encode(Answer(7, [1])), codec.result(codec.encode(7), codec.encode([1]))
            )
