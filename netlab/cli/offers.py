"""What a server offers, read from its OpenRPC document and written for people.

The document comes from a stranger: what is no OpenRPC is refused in one sentence, and
nothing of it reaches the terminal as a control character.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import msgspec

from netlab.errors import RemoteProtocolError
from netlab.escaping import escape

WIDTH = 80
"""The columns of a terminal."""

_DEEP = 6  # how far a type is told, arrays of arrays of arrays


class _Described(msgspec.Struct):
    name: str
    summary: str = ""
    description: str = ""
    required: bool = False
    schema: Any = True


class _Method(msgspec.Struct):
    name: str
    params: list[Any] = []
    result: Any = None
    summary: str = ""
    description: str = ""
    idempotent: bool = msgspec.field(name="x-idempotent", default=False)
    subscription: dict[str, Any] | None = msgspec.field(name="x-subscription", default=None)


class _Info(msgspec.Struct):
    title: str = ""
    version: str = ""
    description: str = ""


class _Components(msgspec.Struct):
    schemas: dict[str, Any] = {}
    descriptors: dict[str, Any] = msgspec.field(name="contentDescriptors", default_factory=dict)


class _Document(msgspec.Struct):
    methods: list[_Method]
    info: _Info = msgspec.field(default_factory=_Info)
    components: _Components = msgspec.field(default_factory=_Components)


@dataclass(frozen=True)
class Argument:
    """One argument: ``kind`` is its type in words, ``default`` encoded, ``None`` without one."""

    name: str
    kind: str
    required: bool
    default: str | None
    description: str

    def __str__(self) -> str:
        text = f"{escape(self.name)}: {self.kind}"
        if self.required:
            return text
        return f"{text} = {self.default}" if self.default is not None else f"{text} (optional)"


@dataclass(frozen=True)
class Offer:
    """One method: ``result`` and ``item`` are types in words; a subscription has the latter."""

    name: str
    doc: str
    arguments: tuple[Argument, ...]
    result: str | None
    item: str | None
    idempotent: bool

    @property
    def summary(self) -> str:
        """The first paragraph of what is said of it, as one line."""
        return escape(" ".join(self.doc.partition("\n\n")[0].split()))

    @property
    def usage(self) -> str:
        """``add(a: integer, b: integer) -> integer``."""
        return f"{self._head}({', '.join(map(str, self.arguments))}){self._tail}"

    @property
    def _head(self) -> str:
        return escape(self.name)

    @property
    def _tail(self) -> str:
        if self.item is not None:
            return f" -> items of {self.item}"
        return "" if self.result is None else f" -> {self.result}"

    def usage_lines(self, width: int) -> list[str]:
        """The usage; one argument on a line if it is longer than ``width``."""
        if len(self.usage) <= width:
            return [self.usage]
        arguments = [f"  {each}," for each in self.arguments]
        return [f"{self._head}(", *arguments, f"){self._tail}"]


@dataclass(frozen=True)
class Offered:
    """All that a server offers; ``types`` are the named ones, each as lines."""

    title: str
    version: str
    doc: str
    offers: Mapping[str, Offer]
    types: Mapping[str, list[str]]


def read(document: Any) -> Offered:
    """What ``document``, an OpenRPC document as plain values, says.

    Raises ``RemoteProtocolError`` when it is none.
    """
    try:
        found = msgspec.convert(document, _Document)
        descriptors = found.components.descriptors
        offers = {each.name: _offer(each, descriptors) for each in found.methods}
    except (msgspec.ValidationError, RecursionError) as error:
        text = f"what the server says of itself is no OpenRPC document: {escape(str(error))}"
        raise RemoteProtocolError(text) from None
    types = {name: _type_lines(schema) for name, schema in found.components.schemas.items()}
    info = found.info
    return Offered(info.title, info.version, info.description, offers, types)


def offered_text(offered: Offered, endpoint: str) -> str:
    """What a server offers, for people: lines of at most ``WIDTH`` columns, but for long words.

    ``endpoint`` is for the example of a call at the end.
    """
    lines: list[str] = []
    version = f" {escape(offered.version)}" if offered.version else ""
    lines += [f"{escape(offered.title) or 'A server'}{version}"]
    if offered.doc:
        lines += ["", *_prose(offered.doc, 0)]
    shown = [each for each in offered.offers.values() if not each.name.startswith("rpc.")]
    for title, offers in (
        ("Methods", [each for each in shown if each.item is None]),
        ("Subscriptions", [each for each in shown if each.item is not None]),
    ):
        if offers:
            lines += ["", f"{title}:"]
            for each in offers:
                lines += ["", *_offer_lines(each)]
    if not shown:
        lines += ["", "It has no methods."]
    if offered.types:
        lines += ["", "Types:"]
        for name, described in offered.types.items():
            lines += ["", f"  {escape(name)}", *(f"    {each}" for each in described)]
    if shown:
        first = shown[0]
        names = [f"{escape(each.name)}=..." for each in first.arguments if each.required]
        lines += [
            "",
            f"For example: {' '.join(['netlab call', endpoint, escape(first.name), *names])}",
        ]
    return "".join(f"{line}".rstrip() + "\n" for line in lines)


def _offer_lines(offer: Offer) -> Iterator[str]:
    for line in offer.usage_lines(WIDTH - 2):
        yield f"  {line}"
    if offer.doc:
        yield from _prose(offer.doc, 4)
    for each in offer.arguments:
        if each.description:
            yield from _prose(f"{each.name}: {each.description}", 4)
    if offer.idempotent:
        yield "    Calling it twice does no more than calling it once."


def _prose(text: str, indent: int) -> Iterator[str]:
    """Lines as they are, if they fit."""
    before = " " * indent
    for line in text.strip().splitlines():
        safe = escape(line.expandtabs(), limit=None)
        if len(safe) <= WIDTH - indent:
            yield before + safe
        else:
            yield from wrap(
                safe, WIDTH, initial_indent=before, subsequent_indent=before, break_on_hyphens=False
            )


# -- reading


def _offer(method: _Method, descriptors: Mapping[str, Any]) -> Offer:
    arguments: list[Argument] = []
    for each in method.params:
        described = msgspec.convert(_resolved(each, descriptors), _Described)
        schema = described.schema
        default = None
        if isinstance(schema, Mapping) and "default" in schema:
            default = _json(schema["default"])
        text = described.description or described.summary
        kind = kind_of(schema)
        arguments.append(Argument(described.name, kind, described.required, default, text))
    result = item = None
    if method.subscription is not None:
        item = kind_of(method.subscription.get("item", True))
    elif method.result is not None:
        resolved = msgspec.convert(_resolved(method.result, descriptors), _Described)
        result = kind_of(resolved.schema)
    doc = method.description or method.summary
    return Offer(method.name, doc, tuple(arguments), result, item, method.idempotent)


def _resolved(described: Any, descriptors: Mapping[str, Any]) -> Any:
    if isinstance(described, Mapping) and isinstance(described.get("$ref"), str):
        return descriptors.get(described["$ref"].rpartition("/")[2], described)
    return described


def _type_lines(schema: Any) -> list[str]:
    """A named type: the members of an object, or what it is."""
    if not isinstance(schema, Mapping):
        return [kind_of(schema)]
    lines: list[str] = []
    if isinstance(schema.get("description"), str):
        lines += (line.strip() for line in _prose(schema["description"], 4))
    members = schema.get("properties")
    if not isinstance(members, Mapping):
        return [*lines, kind_of(schema)]
    required = schema.get("required")
    for name, member in members.items():
        needed = isinstance(required, list) and name in required
        with_default = isinstance(member, Mapping) and "default" in member
        default = _json(member["default"]) if with_default else None
        lines.append(str(Argument(str(name), kind_of(member), needed, default, "")))
    return lines or ["an object"]


def kind_of(schema: Any, depth: int = 0) -> str:
    """A JSON Schema in words: ``integer``, ``array of Point``, ``"red" | "green"``."""
    if not isinstance(schema, Mapping) or depth > _DEEP:
        return "anything"
    if isinstance(schema.get("$ref"), str):
        return escape(schema["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(key)
        if isinstance(parts, list) and parts:
            between = " & " if key == "allOf" else " | "
            words = dict.fromkeys(kind_of(each, depth + 1) for each in parts)
            return between.join(sorted(words, key="null".__eq__))
    if isinstance(schema.get("enum"), list):
        return " | ".join(map(_json, schema["enum"]))
    if "const" in schema:
        return _json(schema["const"])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return " | ".join(kind_of({**schema, "type": each}, depth + 1) for each in kinds)
    if kinds == "array":
        return _array(schema, depth)
    if kinds == "object":
        values = schema.get("additionalProperties")
        return (
            f"object of {kind_of(values, depth + 1)}" if isinstance(values, Mapping) else "object"
        )
    if not isinstance(kinds, str):
        return "anything"
    return f"{escape(kinds)}{_bounds(schema)}"


def _array(schema: Mapping[str, Any], depth: int) -> str:
    items = schema.get("prefixItems", schema.get("items"))
    if isinstance(items, list):
        return f"[{', '.join(kind_of(each, depth + 1) for each in items)}]"
    return f"array of {kind_of(items, depth + 1)}" if isinstance(items, Mapping) else "array"


def _bounds(schema: Mapping[str, Any]) -> str:
    found: list[str] = []
    for key, sign in (
        ("minimum", ">="),
        ("exclusiveMinimum", ">"),
        ("maximum", "<="),
        ("exclusiveMaximum", "<"),
    ):
        if key in schema:
            found.append(f"{sign} {_json(schema[key])}")
    for key, words in (("minLength", "or more"), ("maxLength", "or fewer")):
        if key in schema:
            found.append(f"{_json(schema[key])} {words} characters")
    for key in ("format", "pattern"):
        if isinstance(schema.get(key), str):
            found.append(escape(schema[key]))
    return f" ({', '.join(found)})" if found else ""


def _json(value: Any) -> str:
    return escape(json.dumps(value, ensure_ascii=False))
