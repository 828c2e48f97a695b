# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, describe, method, subscription
from netlab.api.jsonrpc import MSGPACK
from netlab.api.openrpc import document
from netlab.cli import main
from netlab.cli.offers import kind_of, offered_text, read
from netlab.errors import RemoteProtocolError
from netlab.framing import Line
from tests.api.peer import ApiCase
from tests.peer import echo


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Point:
    """A place on the paper."""

    x: int
    y: int = 0


class Shape(msgspec.Struct):
    points: list[Point]
    colour: Colour | None = None


class Drawing(Api):
    """Shapes on paper.

    All of them are lost when the server stops, and this line, which is rather too long, is wrapped.
    """

    @method(idempotent=True)
    def draw(
        self,
        shape: Shape,
        size: Annotated[int, msgspec.Meta(ge=1, description="In millimetres.")] = 1,
        mode: Literal["fast", "nice"] = "fast",
    ) -> dict[str, Shape]:
        """Draws a shape."""
        return {}

    @method
    def clear(self) -> None:
        """Clears the paper.

        It is white, then.
        """

    @subscription(name="drawing/strokes")
    async def strokes(self, since: int = 0) -> AsyncIterator[Point]:
        yield Point(1)


_KEYS = st.sampled_from(
    [
        *("$ref", "type", "enum", "const", "anyOf", "items", "properties", "required"),
        *("default", "additionalProperties", "minimum", "minLength", "format", "description"),
    ]
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    words = st.sampled_from(["array", "object", "string", "integer"])
    return st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner | words, max_size=4)


EXPECTED = """\
Drawing VERSION

Shapes on paper.

All of them are lost when the server stops, and this line, which is rather too
long, is wrapped.

Methods:

  draw(
    shape: Shape,
    size: integer (>= 1) = 1,
    mode: "fast" | "nice" = "fast",
  ) -> object of Shape
    Draws a shape.
    size: In millimetres.
    Calling it twice does no more than calling it once.

  clear() -> null
    Clears the paper.

    It is white, then.

Subscriptions:

  drawing/strokes(since: integer = 0) -> items of Point

Types:

  Shape
    points: array of Point
    colour: Colour | null = null

  Point
    A place on the paper.
    x: integer
    y: integer = 0

  Colour
    "green" | "red"

For example: netlab call ENDPOINT draw shape=...
"""


class Describe(ApiCase):
    maxDiff = None

    def run_it(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["describe", *arguments])

    def test_text(self) -> None:
        endpoint = self.serve_api(Drawing())
        result = self.run_it(endpoint)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        version = document(describe(Drawing))["info"]["version"]
        expected = EXPECTED.replace("VERSION", version).replace("ENDPOINT", endpoint)
        self.assertEqual(result.stdout, expected)

    def test_json(self) -> None:
        for options, serving in (
            ([], {}),
            (["--codec", "msgpack"], {"codec": MSGPACK}),
            (["--framing", "line"], {"framing": Line()}),
        ):
            result = self.run_it(self.serve_api(Drawing(), **serving), "--json", *options)
            self.assertEqual((result.exit_code, result.stderr), (0, ""))
            self.assertEqual(json.loads(result.stdout), document(describe(Drawing)))

    def test_faults(self) -> None:
        result = self.run_it(self.serve_api(Drawing(), discovers=False))
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr, "netlab: the server does not describe itself: it has no rpc.discover\n"
        )
        result = self.run_it(self.serve(echo))
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertIn("was it started with --app?", result.stderr)
        result = self.run_it("tcp:localhost")
        self.assertEqual((result.exit_code, result.stdout), (2, ""))

    def test_help(self) -> None:
        result = self.run_it("--help")
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertLess(max(map(len, result.stdout.splitlines())), 80)


class Documents(SynchronousTestCase):
    def test_of_others(self) -> None:
        """Made by another hand: references, no version, no result."""
        offered = read(
            {
                "openrpc": "1.2.6",
                "info": {"title": "Pets", "version": "1"},
                "methods": [
                    {
                        "name": "get\x1b",
                        "summary": "One pet",
                        "params": [
                            {"$ref": "#/components/contentDescriptors/PetId"},
                            {"name": "tag", "schema": {"type": ["string", "null"]}},
                        ],
                    }
                ],
                "components": {
                    "contentDescriptors": {
                        "PetId": {"name": "id", "required": True, "schema": {"type": "integer"}}
                    }
                },
            }
        )
        (offer,) = offered.offers.values()
        self.assertEqual(offer.usage, "get\\x1b(id: integer, tag: string | null (optional))")
        self.assertEqual(offer.summary, "One pet")
        text = offered_text(offered, "unix:x")
        self.assertNotIn("\x1b", text)
        self.assertIn("For example: netlab call unix:x get\\x1b id=...\n", text)

    def test_empty(self) -> None:
        self.assertEqual(
            offered_text(read({"methods": []}), "x"), "A server\n\nIt has no methods.\n"
        )

    def test_no_documents(self) -> None:
        wrongs: list[Any] = [None, 3, [], {}, {"methods": 3}, {"methods": [{"name": 3}]}]
        for wrong in wrongs:
            with self.assertRaisesRegex(RemoteProtocolError, "no OpenRPC document"):
                read(wrong)

    def test_kinds(self) -> None:
        for schema, words in (
            (True, "anything"),
            ({}, "anything"),
            ({"type": "string", "format": "date-time"}, "string (date-time)"),
            ({"type": "string", "minLength": 1}, "string (1 or more characters)"),
            ({"type": "array"}, "array"),
            ({"type": "array", "items": [{"type": "integer"}, {}]}, "[integer, anything]"),
            ({"type": "object"}, "object"),
            ({"allOf": [{"$ref": "#/components/schemas/A"}], "default": 1}, "A"),
            ({"const": None}, "null"),
            ({"enum": ["\u202e"]}, '"\\u202e"'),
        ):
            self.assertEqual(kind_of(schema), words)
        deep: Any = {}
        for _ in range(1000):
            deep = {"type": "array", "items": deep}
        self.assertTrue(kind_of(deep).endswith("anything"))

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), _nested))
    def test_any_schema(self, schema: Any) -> None:
        """Whatever a stranger sends has words on one line, or is refused."""
        document = {
            "methods": [{"name": "m", "params": [{"name": "p", "schema": schema}]}],
            "components": {"schemas": {"T": schema}},
        }
        text = offered_text(read(document), "x")
        controls = {each for each in text if unicodedata.category(each).startswith("C")}
        self.assertEqual(controls, {"\n"})
