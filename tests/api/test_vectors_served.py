"""The vectors, held against a server: as somebody with another server would do it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, ApiFactory, describe, method, subscription
from netlab.api.openrpc import document
from netlab.api.rooms import Rooms
from netlab.api.vectors import vectors
from netlab.framing import FRAMINGS, Framing
from netlab.testing import MemoryServer

from .described import Calculator, Colour, Point


class Served(Calculator):
    """Every method has a result."""

    @method
    def draw(
        self, shape: list[Point], colour: Colour = Colour.RED, *, when: datetime | None = None
    ) -> tuple[Point, str]:
        return Point(len(shape)), colour.value

    @method(name="text/upper")
    def upper(self, text: str, ratio: float = 1.5, deep: bool = False) -> dict[str, Any]:
        return {text.upper(): [ratio, deep]}

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for each in range(min(start, 3), 0, -1):
            yield each


class Conformance(SynchronousTestCase):
    def check(self, api: type[Api], framing: Framing | None = None) -> None:
        made = json.loads(json.dumps(vectors(describe(api))))
        self.whole = {"components": made["components"]}
        with MemoryServer(ApiFactory(api), framing=framing) as server:
            for each in made["vectors"]:
                peer = server.connect_raw()
                peer.send_message(bytes.fromhex(each["request"]["hex"]))
                said = [json.loads(message) for message in peer.messages]
                self.name = each["name"]
                self.compare(each["answer"], said)
                peer.half_close()

    def compare(self, wanted: Any, said: list[Any]) -> None:
        if wanted is None:
            self.assertEqual(said, [], self.name)
        elif isinstance(wanted, list):
            (batch,) = said
            self.assertEqual(len(batch), len(wanted), self.name)
            for answer in batch:  # ids are different, but for those that are null
                (like, *_) = (each for each in wanted if each["id"] == answer["id"])
                self.compare_one(like, answer)
        else:
            answer, *items = said
            self.compare_one(wanted, answer)
            if "item" in wanted:
                for item in items:
                    if item["method"] == "$/item":
                        self.fits(item["params"]["value"], wanted["item"])
            else:
                self.assertEqual(items, [], self.name)

    def compare_one(self, wanted: Any, answer: Any) -> None:
        self.assertEqual(answer["id"], wanted["id"], self.name)
        if "error" in wanted:
            self.assertEqual(answer["error"]["code"], wanted["error"]["code"], self.name)
        elif "error" in answer:
            code = answer["error"]["code"]
            own = code == -32602 or not -32768 <= code <= -32000
            self.assertTrue(own, (self.name, answer))
        else:
            self.fits(answer["result"], wanted["result"])

    def fits(self, value: Any, schema: Any) -> None:
        validator = Draft7Validator({**self.whole, **schema})
        said = [error.message for error in validator.iter_errors(value)]
        self.assertEqual(said, [], self.name)

    def test_calculator(self) -> None:
        self.check(Served)

    def test_rooms(self) -> None:
        self.check(Rooms)

    def test_framings(self) -> None:
        class One(Api):
            @method
            def add(self, a: int, b: int) -> int:
                return a + b

        for framing in FRAMINGS.values():
            self.check(One, framing())

    def test_discover(self) -> None:
        with MemoryServer(ApiFactory(Served)) as server:
            peer = server.connect_raw()
            peer.send_message(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}')
            (answer,) = peer.messages
        self.assertEqual(json.loads(answer)["result"], document(describe(Served)))
