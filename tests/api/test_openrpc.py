from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT7
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, describe, method
from netlab.api.openrpc import document, draft7
from tests.api.described import Awkward, Calculator, Empty, apis

DATA = Path(__file__).with_name("data")
OPENRPC = json.loads((DATA / "openrpc-1.3.json").read_text())
JSON_SCHEMA = DRAFT7.create_resource(json.loads((DATA / "json-schema-tools.json").read_text()))
REGISTRY: Registry[Any] = Registry().with_resources(  # its own references have it both ways
    [
        ("https://meta.json-schema.tools", JSON_SCHEMA),
        ("https://meta.json-schema.tools/", JSON_SCHEMA),
    ]
)
VALIDATOR = Draft7Validator(OPENRPC, registry=REGISTRY)


def made_of(api: type[Api]) -> Any:
    """The document as it is on the wire."""
    return json.loads(json.dumps(document(describe(api)), allow_nan=False))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


class Documents(SynchronousTestCase):
    def assert_valid(self, made: Any) -> None:
        self.assertEqual([error.message for error in VALIDATOR.iter_errors(made)], [])
        for each in references(made):
            if each.startswith("#"):
                target = made
                for part in each.removeprefix("#/").split("/"):
                    target = target[part]

    def method(self, made: Any, name: str) -> Any:
        (found,) = (each for each in made["methods"] if each["name"] == name)
        return found

    def test_the_schema_refuses(self) -> None:
        """It is not a schema that takes anything."""
        made = made_of(Calculator)
        made["methods"][0]["params"][0]["schema"] = {"type": "no such type"}
        self.assertNotEqual(list(VALIDATOR.iter_errors(made)), [])
        self.assertNotEqual(list(VALIDATOR.iter_errors({**made_of(Empty), "more": 1})), [])

    def test_examples(self) -> None:
        for api in (Calculator, Awkward, Empty):
            self.assert_valid(made_of(api))

    @settings(max_examples=60)
    @given(apis())
    def test_any(self, api: type[Api]) -> None:
        self.assert_valid(made_of(api))

    def test_info(self) -> None:
        made = made_of(Calculator)
        self.assertEqual(made["openrpc"], "1.3.2")
        info = made["info"]
        self.assertEqual(info["title"], "Calculator")
        self.assertEqual(info["description"], "Arithmetic for the first lab.\n\nAnd | more.")
        self.assertNotIn("description", made_of(Empty)["info"])

    def test_the_version_changes_with_the_document(self) -> None:
        class One(Api):
            @method
            def get(self) -> int:
                raise NotImplementedError

        first = document(describe(One))
        self.assertEqual(first, document(describe(One)))
        self.assertRegex(first["info"]["version"], r"^0\.0\.0\+[0-9a-f]{12}$")

        class One(Api):  # type: ignore[no-redef]
            @method
            def get(self) -> str:
                raise NotImplementedError

        self.assertNotEqual(first["info"], document(describe(One))["info"])

    def test_method(self) -> None:
        found = self.method(made_of(Calculator), "add")
        self.assertEqual(found["summary"], "The sum of two integers.")
        self.assertNotIn("description", found)
        self.assertIs(found["x-idempotent"], True)
        self.assertEqual(found["paramStructure"], "either")
        integer = {"type": "integer"}
        self.assertEqual(
            found["params"],
            [{"name": name, "required": True, "schema": integer} for name in ("a", "b")],
        )
        self.assertEqual(found["result"], {"name": "result", "required": True, "schema": integer})
        self.assertIn({"$ref": "#/components/errors/InvalidParams"}, found["errors"])

    def test_defaults_and_names(self) -> None:
        made = made_of(Calculator)
        found = self.method(made, "draw")
        self.assertEqual(found["description"], "Draws.\n\nIn *one* go.")
        self.assertEqual(found["paramStructure"], "by-name")
        _, colour, when = found["params"]
        self.assertEqual((colour["required"], when["required"]), (False, False))
        reference = {"$ref": "#/components/schemas/Colour"}
        self.assertEqual(colour["schema"], {"default": "red", "allOf": [reference]})
        self.assertEqual(made["components"]["schemas"]["Colour"]["enum"], ["blue", "red"])

    def test_those_that_are_required_come_first(self) -> None:
        class Late(Api):
            @method
            def get(self, a: int = 1, *, b: int) -> int:
                raise NotImplementedError

        found = self.method(made_of(Late), "get")
        self.assertEqual([each["name"] for each in found["params"]], ["b", "a"])

    def test_subscription(self) -> None:
        found = self.method(made_of(Calculator), "countdown")
        self.assertEqual(found["result"]["schema"]["type"], "integer")
        wanted = {"item": {"type": "integer"}, "whenSlow": "drop"}
        self.assertEqual(found["x-subscription"], wanted)
        self.assertIn({"$ref": "#/components/errors/TooManySubscriptions"}, found["errors"])

    def test_discover(self) -> None:
        for api in (Calculator, Empty):
            self.assertEqual(self.method(made_of(api), "rpc.discover")["params"], [])

    def test_errors(self) -> None:
        errors = made_of(Empty)["components"]["errors"]
        self.assertEqual(errors["ParseError"], {"code": -32700, "message": "Parse error"})


class Draft7(SynchronousTestCase):
    def test_tuples(self) -> None:
        pair = {"type": "array", "prefixItems": [{"type": "integer"}], "items": False}
        wanted = {"type": "array", "items": [{"type": "integer"}], "additionalItems": False}
        self.assertEqual(draft7(pair), wanted)
        self.assertEqual(draft7({"items": pair}), {"items": wanted})
        self.assertEqual(draft7({"properties": {"items": pair}}), {"properties": {"items": wanted}})
        self.assertEqual(draft7({"anyOf": [pair]}), {"anyOf": [wanted]})

    def test_values_are_no_schemas(self) -> None:
        same = {"default": {"prefixItems": [1]}, "enum": [{"$ref": "x", "a": 1}]}
        self.assertEqual(draft7(same), same)

    def test_beside_a_reference(self) -> None:
        self.assertEqual(draft7({"$ref": "#/a"}), {"$ref": "#/a"})
        self.assertEqual(
            draft7({"$ref": "#/a", "default": 1}), {"default": 1, "allOf": [{"$ref": "#/a"}]}
        )
