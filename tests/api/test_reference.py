from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from hypothesis import given, settings
from markdown_it import MarkdownIt
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, describe
from netlab.api.jsonrpc import TITLES, RequestCame, Session
from netlab.api.reference import _Words, reference
from tests.api.described import Awkward, Calculator, Circle, Colour, Empty, Pair, Square, apis
from tests.api.test_samples import schema_of


def words_of(kind: Any) -> str:
    schema, components = schema_of(kind)
    return _Words(components).of(schema)


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"\\(.)", r"\1", each) for each in headings]
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in plain}


class Whole(SynchronousTestCase):
    def setUp(self) -> None:
        self.text = reference(describe(Calculator))

    def test_head(self) -> None:
        self.assertTrue(self.text.startswith("# Calculator\n\nArithmetic for the first lab.\n\n"))
        self.assertTrue(self.text.endswith(" |\n"))
        self.assertIn("- [`add(a, b)`](#add): The sum of two integers.\n", self.text)

    def test_method(self) -> None:
        wanted = """\
### add

The sum of two integers.

| argument | type | default |
| --- | --- | --- |
| `a` | integer | required |
| `b` | integer | required |

**Result:** integer

Calling it twice does no more than calling it once: it may be repeated.

```
--> {"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}
<-- {"jsonrpc":"2.0","id":1,"result":<integer>}
```
"""
        self.assertIn(wanted, self.text)

    def test_arguments(self) -> None:
        self.assertIn('| `colour` | [Colour](#colour) | `"red"` |', self.text)
        self.assertIn("| `when` | string or null | `null` | By name only. |", self.text)
        self.assertIn("| `text` | string, 1 to 10 characters | required |", self.text)
        self.assertIn("It has no arguments.", self.text)

    def test_subscription(self) -> None:
        self.assertIn("**Items:** integer. Items that the subscriber does not take", self.text)
        self.assertIn('"method":"$/item","params":{"subscription":1,"value":<integer>}}', self.text)

    def test_types(self) -> None:
        self.assertIn("| `y` | integer, 0 or more | `0` | Never \\| below. |", self.text)
        self.assertIn("| `next` | [Point](#point) or null | `null` |", self.text)
        self.assertIn('`"blue"` or `"red"`.', self.text)

    def test_errors(self) -> None:
        for code, title in TITLES.items():
            self.assertIn(f"| {int(code)} | {title} |", self.text)

    def test_without_methods(self) -> None:
        text = reference(describe(Empty))
        self.assertNotIn("## Methods", text)
        self.assertNotIn("## Types", text)
        self.assertIn("## Errors", text)

    def test_what_cannot_be_made_up(self) -> None:
        self.assertIn('"method":"matched","params":[<string>]}', reference(describe(Awkward)))

    def check(self, api: type[Api]) -> None:
        """Links lead somewhere, tables are tables, and requests can be sent."""
        text = reference(describe(api))
        targets = re.findall(r"\]\(#(.*?)\)", text)
        self.assertLessEqual(set(targets), anchors(text))
        tables = [each for each in MarkdownIt().enable("table").parse(text) if each.level == 0]
        opened = sum(each.type == "table_open" for each in tables)
        self.assertEqual(opened, len(re.findall(r"^\| ---", text, re.MULTILINE)))
        for request in re.findall(r"^--> (.*)$", text, re.MULTILINE):
            if "<" in request or "$/unsubscribe" in request:
                continue
            (event,) = Session().receive(request.encode())
            self.assertIsInstance(event, RequestCame)

    def test_examples(self) -> None:
        for api in (Calculator, Awkward, Empty):
            self.check(api)

    @settings(max_examples=30)
    @given(apis())
    def test_any(self, api: type[Api]) -> None:
        self.check(api)


class Words(SynchronousTestCase):
    def test_types(self) -> None:
        meta = msgspec.Meta
        for kind, words in (
            (int, "integer"),
            (Any, "anything"),
            (None, "null"),
            (str | None, "string or null"),
            (list[int], "array of integers"),
            (list[Any], "array"),
            (set[str], "array of strings, none of them twice"),
            (dict[str, int], "object of any names to integers"),
            (dict[str, Any], "object"),
            (bytes, "string: bytes in base64"),
            (tuple[int, str], "array of 2: integer, string"),
            (Colour, "[Colour](#colour)"),
            (Pair, "[Pair](#pair)"),
            (Circle | Square, "[Circle](#circle) or [Square](#square)"),
            (Annotated[int, meta(ge=1)], "integer, 1 or more"),
            (Annotated[int, meta(le=9)], "integer, 9 or less"),
            (Annotated[int, meta(ge=1, le=9)], "integer, 1 to 9"),
            (Annotated[float, meta(gt=0, lt=1)], "number, more than 0, less than 1"),
            (Annotated[int, meta(multiple_of=5)], "integer, a multiple of 5"),
            (Annotated[str, meta(max_length=3)], "string, at most 3 characters"),
            (Annotated[str, meta(pattern="^a|b$")], "string, matching `^a|b$`"),
            (Annotated[list[int], meta(min_length=2, max_length=2)], "array of integers, 2 items"),
        ):
            self.assertEqual(words_of(kind), words)
