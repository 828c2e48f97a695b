"""The reference of an api for people: Markdown, made from its declarations.

It speaks of what is on the wire, in the words of JSON, so that it serves those who write
in other languages too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .declare import Method, Subscribable
from .description import REFERENCE, Description, Schemas
from .jsonrpc.errors import TITLES, Code
from .samples import accepted, samples
from .signature import Argument, Passing

_PREFIX = REFERENCE.format(name="")
_WHEN = {
    Code.PARSE_ERROR: "The message is not JSON.",
    Code.INVALID_REQUEST: "It is JSON, but no request; `data` says why.",
    Code.METHOD_NOT_FOUND: "There is no method of this name.",
    Code.INVALID_PARAMS: "An argument is wrong: `data` has the `argument`, the `path` of the "
    "fault in it, and the `reason`.",
    Code.INTERNAL_ERROR: "The method failed; `data.incident` names the entry in the server's log.",
    Code.REQUEST_CANCELLED: "The caller has cancelled the request.",
    Code.TOO_MANY_REQUESTS: "Too many requests of this connection wait for their answer.",
    Code.TOO_MANY_SUBSCRIPTIONS: "Too many subscriptions are open on this connection.",
    Code.SUBSCRIBER_TOO_SLOW: "Ends a subscription whose items were not taken in time.",
    Code.DEADLINE_EXCEEDED: "The method took longer than the server allows.",
    Code.SERVER_STOPPING: "The server takes no more requests; try again elsewhere, or later.",
    Code.ANSWER_TOO_LONG: "The result has more bytes than a message may have.",
    Code.NOT_ALLOWED: "The caller may not do this.",
}
_SLOW = {
    "block": "Items wait until the subscriber takes them.",
    "drop": "Items that the subscriber does not take in time are left out; the next one says "
    "how many (`dropped`).",
    "close": "A subscriber that does not take items in time loses the subscription (-32012).",
}
_FORMATS = {
    "date": "a date, `2026-01-02`",
    "time": "a time of day, `03:04:05`",
    "date-time": "a date and time, `2026-01-02T03:04:05Z` (RFC 3339)",
    "duration": "a duration, `P1DT2H3M4S` (ISO 8601)",
    "uuid": "a UUID (RFC 9562)",
    "decimal": "a decimal number as text, `1.50`",
}
_PLURALS = {"string": "strings", "integer": "integers", "number": "numbers", "object": "objects"}

_Declared = Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any]


def reference(description: Description) -> str:
    """The whole reference as one Markdown document, which ends in a line's end."""
    writer = _Writer(description)
    return "\n".join(writer.lines()).rstrip() + "\n"


class _Writer:
    def __init__(self, description: Description) -> None:
        self.description = description
        self.schemas: Schemas = description.schemas()
        self.components = self.schemas.components
        self.words = _Words(self.components)

    def lines(self) -> Iterator[str]:
        declared = self.description.declared.values()
        methods = [each for each in declared if isinstance(each, Method)]
        subscriptions = [each for each in declared if isinstance(each, Subscribable)]
        yield f"# {self.description.name}"
        yield ""
        if self.description.doc:
            yield self.description.doc
            yield ""
        yield (
            "Calls are those of [JSON-RPC 2.0](https://www.jsonrpc.org/specification), one "
            "message in each frame of the connection. Arguments are given by position, in the "
            "order of the tables, or by name. `-->` goes to the server, `<--` comes from it."
        )
        yield ""
        for title, all_of_them in (("Methods", methods), ("Subscriptions", subscriptions)):
            if not all_of_them:
                continue
            yield f"## {title}"
            yield ""
            for each in all_of_them:
                summary = f": {_line(each.summary)}" if each.summary else ""
                yield f"- [`{_usage(each)}`](#{_anchor(each.name)}){summary}"
            yield ""
            for each in all_of_them:
                yield from self._one(each)
        if self.components:
            yield from self._types()
        yield from self._errors()

    def _one(self, each: _Declared) -> Iterator[str]:
        own = self.schemas.methods[each.name]
        yield f"### {_escaped(each.name)}"
        yield ""
        if each.doc:
            yield each.doc
            yield ""
        arguments = each.signature.arguments
        if arguments:
            rows = [
                self._argument(argument, own.arguments[argument.name]) for argument in arguments
            ]
            yield from _table(("argument", "type", "default", ""), rows)
            yield ""
        else:
            yield "It has no arguments."
            yield ""
        result = self.words.of(own.result)
        if isinstance(each, Subscribable):
            yield f"**Items:** {result}. {_SLOW[each.when_slow]}"
        else:
            yield f"**Result:** {result}"
            if each.idempotent:
                yield ""
                yield "Calling it twice does no more than calling it once: it may be repeated."
        yield ""
        yield "```"
        yield from self._on_the_wire(each, own.arguments, own.result)
        yield "```"
        yield ""

    def _argument(self, argument: Argument, schema: Mapping[str, Any]) -> tuple[str, ...]:
        default = "required"
        if not argument.required:
            default = _code(_json(schema["default"]))
        notes = [schema.get("description", "")]
        if argument.passing is Passing.NAMED:
            notes.append("By name only.")
        plain = {key: each for key, each in schema.items() if key != "default"}
        words = self.words.of(plain)
        return f"`{argument.name}`", words, default, " ".join(filter(None, notes))

    def _on_the_wire(
        self, each: _Declared, schemas: Mapping[str, dict[str, Any]], result: Mapping[str, Any]
    ) -> Iterator[str]:
        """One call. What cannot be made up, as nobody knows the result, is in angle brackets."""
        values: dict[str, str] = {}
        for at, argument in enumerate(each.signature.arguments):
            made = accepted(samples(schemas[argument.name], self.components), argument.type)
            if made:
                values[argument.name] = _json(made[at % len(made)])
            elif argument.required:
                values[argument.name] = f"<{self.words.briefly(schemas[argument.name])}>"
        head = f'{{"jsonrpc":"2.0","id":1,"method":{_json(each.name)}'
        placed = [argument.name for argument in each.signature.positional]
        by_name = any(argument.passing is Passing.NAMED for argument in each.signature.arguments)
        if not values:
            yield f"--> {head}}}"
        elif by_name or not all(name in values for name in placed):
            members = ",".join(f"{_json(name)}:{value}" for name, value in values.items())
            yield f'--> {head},"params":{{{members}}}}}'
        else:
            yield f'--> {head},"params":[{",".join(values[name] for name in placed)}]}}'
        shown = self.words.shown(result)
        if not isinstance(each, Subscribable):
            yield f'<-- {{"jsonrpc":"2.0","id":1,"result":{shown}}}'
            return
        item = f'"params":{{"subscription":1,"value":{shown}}}}}'
        yield '<-- {"jsonrpc":"2.0","id":1,"result":1}'
        yield f'<-- {{"jsonrpc":"2.0","method":"$/item",{item}'
        yield '--> {"jsonrpc":"2.0","method":"$/unsubscribe","params":{"subscription":1}}'
        yield '<-- {"jsonrpc":"2.0","method":"$/end","params":{"subscription":1}}'

    def _types(self) -> Iterator[str]:
        yield "## Types"
        yield ""
        for name, schema in self.components.items():
            yield f"### {_title(name, schema)}"
            yield ""
            if schema.get("description"):
                yield schema["description"]
                yield ""
            if "enum" in schema:
                yield f"{self.words.of(schema)[:1].upper()}{self.words.of(schema)[1:]}."
                yield ""
                continue
            if "prefixItems" in schema:
                yield "An array of:"
                yield ""
                for each in schema["prefixItems"]:
                    yield f"1. {self.words.of(each)}"
                yield ""
            elif schema.get("properties"):
                required = schema.get("required", ())
                rows = []
                for member, each in schema["properties"].items():
                    default = "required" if member in required else "optional"
                    if "default" in each:
                        default = _code(_json(each["default"]))
                    note = each.get("description", "")
                    rows.append((_code(member), self.words.of(each), default, note))
                yield from _table(("member", "type", "default", ""), rows)
                yield ""
            else:
                yield f"{self.words.of(schema)}"
                yield ""
            made = samples({"$ref": f"{_PREFIX}{name}"}, self.components)
            if made:
                yield f"Example: {_code(_json(made[0]))}"
                yield ""

    def _errors(self) -> Iterator[str]:
        yield "## Errors"
        yield ""
        yield (
            "An error has a `code`, a `message`, and perhaps `data`. Codes that are not in this "
            "table are the methods' own."
        )
        yield ""
        rows = [(str(int(code)), title, _WHEN[code]) for code, title in TITLES.items()]
        yield from _table(("code", "message", "when"), rows)


class _Words:
    """Schemas in words."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self.components = components

    def of(self, schema: Mapping[str, Any]) -> str:
        """In Markdown, with links to the types."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_PREFIX)
            title = _title(name, self.components[name])
            return f"[{title}](#{_anchor(title)})"
        if "enum" in schema:
            return " or ".join(_code(_json(each)) for each in schema["enum"])
        if "const" in schema:
            return _code(_json(schema["const"]))
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return " or ".join(self.of(each) for each in choices)
        kind = schema.get("type")
        if isinstance(kind, list):
            return " or ".join(kind) + self._limits(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "object":
            below = schema.get("additionalProperties")
            of_what = f" of any names to {self._many(below)}" if isinstance(below, dict) else ""
            return f"object{of_what}{self._limits(schema)}"
        if kind == "string":
            if schema.get("contentEncoding"):
                return f"string: bytes in {schema['contentEncoding']}{self._limits(schema)}"
            words = _FORMATS.get(schema.get("format", ""))
            return f"string{f': {words}' if words else ''}{self._limits(schema)}"
        return "anything" if kind is None else f"{kind}{self._limits(schema)}"

    def _array(self, schema: Mapping[str, Any]) -> str:
        if "prefixItems" in schema:
            parts = [self.of(each) for each in schema["prefixItems"]]
            return f"array of {len(parts)}: {', '.join(parts)}"
        items = schema.get("items")
        of_what = f" of {self._many(items)}" if isinstance(items, Mapping) and items else ""
        different = ", none of them twice" if schema.get("uniqueItems") else ""
        return f"array{of_what}{self._limits(schema)}{different}"

    def _many(self, schema: Mapping[str, Any]) -> str:
        words = self.of(schema)
        return _PLURALS.get(words, words)

    @staticmethod
    def _limits(schema: Mapping[str, Any]) -> str:
        parts = []
        for low, high, unit in (
            ("minimum", "maximum", ""),
            ("minLength", "maxLength", " characters"),
            ("minItems", "maxItems", " items"),
            ("minProperties", "maxProperties", " members"),
        ):
            least, most = schema.get(low), schema.get(high)
            if least is not None and most is not None:
                parts.append(f"{least}{unit}" if least == most else f"{least} to {most}{unit}")
            elif least is not None:
                parts.append(f"{least}{unit} or more")
            elif most is not None:
                parts.append(f"{most}{unit} or less" if not unit else f"at most {most}{unit}")
        for name, words in (
            ("exclusiveMinimum", "more than"),
            ("exclusiveMaximum", "less than"),
            ("multipleOf", "a multiple of"),
        ):
            if name in schema:
                parts.append(f"{words} {schema[name]}")
        if "pattern" in schema:
            parts.append(f"matching {_code(schema['pattern'])}")
        return f", {', '.join(parts)}" if parts else ""

    def briefly(self, schema: Mapping[str, Any]) -> str:
        """Without Markdown: ``array of Point``."""
        text = re.sub(r"\[(.*?)\]\(#.*?\)", r"\1", self.of(schema))
        return text.replace("`", "").replace("\\|", "|").partition(",")[0].partition(":")[0]

    def shown(self, schema: Mapping[str, Any]) -> str:
        """What stands for a value of it in an example."""
        if schema.get("type") == "null":
            return "null"
        if "prefixItems" in schema:
            return f"[{','.join(self.shown(each) for each in schema['prefixItems'])}]"
        return f"<{self.briefly(schema)}>"


def _usage(each: _Declared) -> str:
    return f"{each.name}({', '.join(argument.name for argument in each.signature.arguments)})"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """A name as a heading: not taken for Markdown."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)


def _code(text: str) -> str:
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}"


def _title(name: str, schema: Mapping[str, Any]) -> str:
    title: str = schema.get("title", name)
    # Of two types with one name the modules are in the names of the schemas only.
    return re.sub(r"[^\w.]+", "_", title).strip("_") if title.isidentifier() else name


def _anchor(text: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table; a last column in which nothing stands is left out."""
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(_line(cell).replace("|", "\\|") for cell in row) + " |"
