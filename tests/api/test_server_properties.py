"""Whatever comes, the connection lives; and the short way to an answer leads to the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, Call, Next, method

from .support import Link

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
NAMES = st.sampled_from(["add", "soon", "text", "nothing", "countdown", "rpc.discover", "$/x", ""])
PARAMS = VALUES | st.lists(st.integers(), max_size=3) | st.fixed_dictionaries(
    {"a": st.integers()}, optional={"b": st.integers(), "workDoneToken": VALUES}
)  # fmt: skip
REQUESTS = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0"])},
    optional={"id": VALUES, "method": NAMES | VALUES, "params": PARAMS, "extra": VALUES},
)
MESSAGES = st.one_of(
    REQUESTS.map(lambda each: json.dumps(each).encode()),
    st.lists(REQUESTS, max_size=3).map(lambda each: json.dumps(each).encode()),
    REQUESTS.map(lambda each: json.dumps(each, indent=1).encode()),
    REQUESTS.map(lambda each: json.dumps(each)[:-1].encode() + b',"id":3}'),
    st.binary(max_size=40),
    VALUES.map(lambda each: json.dumps(each).encode()),
)


class Sums(Api):
    """Nothing that fails on purpose."""

    @method
    def add(self, a: int, b: int) -> int:
        return a + b

    @method
    async def soon(self, a: int = 1) -> list[int]:
        return [a]

    @method
    def text(self, a: str | None = None) -> str:
        return a or ""


async def through(call: Call, next: Next) -> Any:
    return await next(call)


class Properties(SynchronousTestCase):
    @settings(max_examples=80)
    @given(st.lists(MESSAGES, max_size=8))
    def test_same_answers(self, messages: list[bytes]) -> None:
        """With an interceptor every call goes the long way."""
        said: list[list[bytes]] = []
        for interceptors in ([], [through]):
            with Link(
                Sums, interceptors=interceptors, discover=lambda description: description.name
            ) as link:
                peer = link.connect_raw()
                for each in messages:
                    peer.send_message(each)
                peer.send_message(b'{"jsonrpc":"2.0","id":"last","method":"add","params":[1,2]}')
                said.append(peer.messages)
        self.flushLoggedErrors(ValueError)  # sums that JSON cannot carry
        short, long = ([_comparable(each) for each in answers] for answers in said)
        self.assertEqual(short, long)
        self.assertEqual(json.loads(said[0][-1])["result"], 3)


def _comparable(answer: bytes) -> Any:
    """``answer`` without the names of incidents."""
    return json.loads(answer, object_hook=_without_incident)


def _without_incident(members: dict[str, Any]) -> Any:
    if "incident" in members:
        return {"incident": ""}
    if members.get("code") == -32603:
        members["message"] = ""
    return members
