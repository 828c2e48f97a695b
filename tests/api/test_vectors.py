from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, describe
from netlab.api.jsonrpc import JSON, RequestCame, RpcError, Session
from netlab.api.vectors import vectors
from netlab.framing import FRAMINGS
from tests.api.described import Awkward, Calculator, Empty, apis


def made_of(api: type[Api]) -> Any:
    return json.loads(json.dumps(vectors(describe(api)), allow_nan=False))


def by_name(made: Any) -> dict[str, Any]:
    return {each["name"]: each for each in made["vectors"]}


class Vectors(SynchronousTestCase):
    def setUp(self) -> None:
        self.made = made_of(Calculator)
        self.named = by_name(self.made)

    def answer(self, name: str) -> Any:
        return self.named[name]["answer"]

    def request(self, name: str) -> Any:
        return json.loads(self.named[name]["request"]["text"])

    def test_names_are_different(self) -> None:
        self.assertEqual(len(self.named), len(self.made["vectors"]))
        self.assertEqual(self.made["untested"], [])

    def test_hex(self) -> None:
        for each in self.made["vectors"]:
            request = each["request"]
            self.assertEqual(bytes.fromhex(request["hex"]).decode(), request["text"])

    def test_framings(self) -> None:
        message = self.made["vectors"][0]["request"]["text"].encode()
        self.assertEqual(list(self.made["framings"]), list(FRAMINGS))
        for name, data in self.made["framings"].items():
            decoded = FRAMINGS[name]().decoder().feed(bytes.fromhex(data))
            self.assertEqual([bytes(each) for each in decoded], [message])

    def test_each_can_be_sent_as_a_line(self) -> None:
        for each in self.made["vectors"]:
            self.assertNotIn("\n", each["request"]["text"])

    def test_valid(self) -> None:
        result = {"id": 1, "result": {"type": "integer"}}
        self.assertEqual(self.request("add: by position")["params"], [1, 2])
        self.assertEqual(self.request("add: by name")["params"], {"a": 1, "b": 2})
        for name in ("by position", "by name", "a is -1", f"b is {2**53 + 1}"):
            self.assertEqual(self.answer(f"add: {name}"), result)
        without = self.request("draw: without those that have a default")
        self.assertEqual(list(without["params"]), ["shape"])
        self.assertNotIn("params", self.request("ping: without params"))

    def test_wrong(self) -> None:
        for name, path in (
            ("add: without a", "$.a"),
            ("add: without arguments", "$"),
            ("add: one argument too many", "$"),
            ("add: an unknown argument", "$.noSuchArgument"),
            ("add: wrong a: null", "$.a"),
            ('text/upper: wrong text: ""', "$.text"),
            ('draw: wrong colour: "no such value"', "$.colour"),
            ("ping: one argument too many", "$"),
        ):
            error = self.answer(name)["error"]
            self.assertEqual((error["code"], error["data"]["path"]), (-32602, path), name)
        paths = {
            each["answer"]["error"]["data"]["path"]
            for name, each in self.named.items()
            if name.startswith("draw: wrong shape")
        }
        self.assertIn("$.shape[2].x", paths)

    def test_subscription(self) -> None:
        integer = {"type": "integer"}
        wanted = {"id": 1, "result": integer, "item": integer}
        self.assertEqual(self.answer("countdown: by position"), wanted)

    def test_protocol(self) -> None:
        answer = self.answer
        self.assertEqual(answer("JSON-RPC: an id that is text that is a number")["id"], "1")
        self.assertEqual(answer("JSON-RPC: an id that is beyond 53 bits")["id"], 2**53 + 1)
        self.assertIsNone(answer("JSON-RPC: an id that is null")["id"])
        self.assertIn("result", answer("JSON-RPC: an id that is null"))
        self.assertIsNone(answer("JSON-RPC: a notification has no answer"))
        self.assertIsNone(answer("JSON-RPC: a batch of notifications has no answer"))
        for name, code in (
            ("an unknown method", -32601),
            ("params that are text", -32600),
            ("a method that is a number", -32600),
            ("not JSON", -32700),
            ("a batch that is not JSON", -32700),
            ("nothing", -32700),
            ("an empty batch", -32600),
            ("a member twice", -32600),
            ("another version", -32600),
        ):
            self.assertEqual(answer(f"JSON-RPC: {name}")["error"]["code"], code, name)
        batch = answer("JSON-RPC: a batch")
        ids = sorted((repr(each["id"]), "result" in each) for each in batch)
        self.assertEqual(ids, [("'2'", True), ("1", True), ("3", False), ("None", False)])
        of_none = answer("JSON-RPC: a batch of what is no request")
        self.assertEqual([each["error"]["code"] for each in of_none], [-32600] * 3)

    def test_what_cannot_be_made_up(self) -> None:
        made = made_of(Awkward)
        self.assertEqual(made["untested"], ["matched: text"])
        self.assertNotIn("matched: by position", by_name(made))
        self.assertIn('matched: wrong text: "no such text!"', by_name(made))

    def test_without_methods(self) -> None:
        made = made_of(Empty)
        self.assertIn("JSON-RPC: an unknown method", by_name(made))

    def check(self, api: type[Api]) -> None:
        """Against the declarations, one by one."""
        made = made_of(api)
        for schema in made["components"]["schemas"].values():
            Draft7Validator.check_schema(schema)
        declared = describe(api).declared
        for each in made["vectors"]:
            if each["name"].startswith("JSON-RPC"):
                continue
            session = Session()
            (event,) = session.receive(each["request"]["text"].encode())
            assert isinstance(event, RequestCame)
            try:
                declared[event.method].on(JSON).arguments(event.params)
            except RpcError as error:
                self.assertEqual(each["answer"]["error"]["code"], error.code, each["name"])
            else:
                Draft7Validator.check_schema(each["answer"]["result"])
        self.assertEqual(made, made_of(api))

    def test_examples(self) -> None:
        for api in (Calculator, Awkward, Empty):
            self.check(api)

    @settings(max_examples=20)
    @given(apis())
    def test_any(self, api: type[Api]) -> None:
        self.check(api)
