"""Hypothesis strategies of what a JSON Schema allows, and of what it does not."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from netlab.api import Argument, MethodSchemas, Schemas
from netlab.api.samples import accepted, samples, wrong_values

Schema = Mapping[str, Any]

_SIZE = 4  # the most items and members beyond those that a schema asks for
_TEXT = 20  # characters, likewise

ANYTHING: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=_TEXT),
    lambda inner: (
        st.lists(inner, max_size=_SIZE)
        | st.dictionaries(st.text(max_size=5), inner, max_size=_SIZE)
    ),
    max_leaves=6,
)
"""Any value of JSON."""

_FORMATS: dict[str, SearchStrategy[str]] = {
    "date": st.dates().map(str),
    "date-time": (st.datetimes() | st.datetimes(timezones=st.timezones())).map(
        lambda each: each.isoformat()
    ),
    "time": st.times().map(str),
    "duration": st.integers(0, 10**9).map(lambda each: f"PT{each}S"),
    "uuid": st.uuids().map(str),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False).map(str),
    "base64": st.binary(max_size=_TEXT).map(lambda each: base64.b64encode(each).decode()),
}


def valid_values(argument: Argument, own: MethodSchemas, schemas: Schemas) -> SearchStrategy[Any]:
    """Values that ``argument`` takes when they come as JSON: examples, and others by its schema."""
    schema = own.arguments[argument.name]
    decode = msgspec.json.Decoder(argument.type).decode
    known = accepted(samples(schema, schemas.components), argument.type)

    def fits(value: Any) -> bool:
        try:
            decode(msgspec.json.encode(value))
        except (msgspec.MsgspecError, ValueError, OverflowError):
            return False
        return True

    made = Strategies(schemas.components).of(schema).filter(fits)
    return st.sampled_from(known) | made if known else made


def other_values(argument: Argument, own: MethodSchemas, schemas: Schemas) -> SearchStrategy[Any]:
    """Values of which ``argument`` takes few: wrong by a little, or anything at all."""
    near = wrong_values(own.arguments[argument.name], schemas.components, argument.type)
    return st.sampled_from(near) | ANYTHING if near else ANYTHING


class Strategies:
    """Strategies of schemas that refer to ``components``; each of those is made once."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components
        self._made: dict[str, SearchStrategy[Any]] = {}
        self._kinds: dict[Any, Callable[[Schema], SearchStrategy[Any]]] = {
            "null": lambda schema: st.none(),
            "boolean": lambda schema: st.booleans(),
            "integer": _integers,
            "number": _numbers,
            "string": _strings,
            "array": self._arrays,
            "object": self._objects,
        }

    def of(self, schema: Schema) -> SearchStrategy[Any]:
        """Values that ``schema`` allows; nearly always, so filter them where it matters."""
        if "$ref" in schema:
            return self._component(schema["$ref"].rpartition("/")[2])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "const" in schema:
            return st.just(schema["const"])
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return st.one_of([self.of(each) for each in choices])
        kinds = schema.get("type")
        if kinds is None:
            return ANYTHING
        several = kinds if isinstance(kinds, list) else [kinds]
        return st.one_of([self._kinds[each](schema) for each in several])

    def _component(self, name: str) -> SearchStrategy[Any]:
        if name not in self._made:  # deferred, as a type may hold itself
            self._made[name] = st.deferred(lambda: self.of(self._components[name]))
        return self._made[name]

    def _arrays(self, schema: Schema) -> SearchStrategy[Any]:
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", least + _SIZE), least + _SIZE)
        if "prefixItems" in schema:
            return st.tuples(*map(self.of, schema["prefixItems"])).map(list)
        items = schema.get("items", {})
        if items is False or most == 0:
            return st.just([])
        unique = repr if schema.get("uniqueItems") else None
        return st.lists(self.of(items), min_size=least, max_size=most, unique_by=unique)

    def _objects(self, schema: Schema) -> SearchStrategy[Any]:
        members = {name: self.of(each) for name, each in schema.get("properties", {}).items()}
        if members:
            needed = {name: members.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(needed, optional=members)
        below = schema.get("additionalProperties", {})
        if below is False:
            return st.just({})
        values = ANYTHING if below is True else self.of(below)
        names = _strings(schema.get("propertyNames", {}))
        least = schema.get("minProperties", 0)
        return st.dictionaries(names, values, min_size=least, max_size=least + _SIZE)


def _bounds(schema: Schema) -> tuple[Any, Any]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return low, high


def _integers(schema: Schema) -> SearchStrategy[Any]:
    low, high = _bounds(schema)
    low = low if low is None or "exclusiveMinimum" not in schema else low + 1
    high = high if high is None or "exclusiveMaximum" not in schema else high - 1
    step = schema.get("multipleOf")
    if not step:
        return st.integers(low, high)
    first = None if low is None else -(-low // step)
    return st.integers(first, None if high is None else high // step).map(lambda n: n * step)


def _numbers(schema: Schema) -> SearchStrategy[Any]:
    low, high = _bounds(schema)
    return st.floats(
        None if low is None else float(low),
        None if high is None else float(high),
        exclude_min="exclusiveMinimum" in schema,
        exclude_max="exclusiveMaximum" in schema,
        allow_nan=False,
        allow_infinity=False,
    )


def _strings(schema: Schema) -> SearchStrategy[Any]:
    form = schema.get("contentEncoding") or schema.get("format", "")
    if form in _FORMATS:
        return _FORMATS[form]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"])
    least = schema.get("minLength", 0)
    most = min(schema.get("maxLength", least + _TEXT), least + _TEXT)
    return st.text(min_size=least, max_size=most)
