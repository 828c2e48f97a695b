"""Values made from a JSON Schema: for examples, and for trying a server.

They are chosen, not drawn by lot: the same schema gives the same values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from .description import REFERENCE

_PREFIX = REFERENCE.format(name="")
_DEPTH = 4  # of types in each other; a type that holds itself ends where it may
_MOST = 24
_COLUMN = 10  # values of each member: enough to come to those that are times
_FIRST = 4  # of these, those that show most
_LONGEST = 10_000  # of what a schema asks for by minLength and the like
_NUMBERS = (1, 2, 3, 0, -1, 2**53 + 1, 100, 10)
"""One of them cannot be told from 2**53 by those who read numbers as doubles."""
_FRACTIONS = (1.5, 0.25, 0, -2.5, 1, 1e300)
_TEXTS = ("hello", "world", "", "Zürich ☃ 🎈", 'a "quoted" \\ one\n')
_TIMES = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "03:04:05Z", "03:04:05")
_FORMS: dict[str, tuple[str, ...]] = {
    "date": ("2026-01-02", "2024-02-29"),
    "date-time": _TIMES[:2],
    "time": _TIMES[2:],
    "duration": ("P1DT2H3M4S", "PT0.5S"),
    "uuid": ("00112233-4455-6677-8899-aabbccddeeff",),
    "decimal": ("1.5", "-0.01", "100"),
    "base64": ("AAEC", "aGVsbG8=", ""),
}
"""By the format or the encoding that a schema has. A time without a zone has none there."""

_GUESSES = ("1", "a", "A", "abc", "ABC", "2026", "https://example.com/", "ada@example.com")
_KEYS = (*_TIMES[:1], _TIMES[3], *(each[0] for each in _FORMS.values()))
_ANYTHING = (1, "hello", None, True, [1, "two"], {"key": [1.5, None]})
_WRONG: tuple[Any, ...] = ("hello", 1, None, True, 1.5, [], {}, [[]], -1, "", 2**64)


def samples(schema: Mapping[str, Any], components: Mapping[str, Any]) -> list[Any]:
    """Up to 24 different values that ``schema`` allows, the plainest first.

    What it says by ``pattern`` or in words only may make some of them wrong: whoever
    needs values that are right tries them. Examples that the schema has come first.
    """
    return list(islice(_different(_values(schema, components, _DEPTH)), _MOST))


def accepted(values: list[Any], kind: Any) -> list[Any]:
    """Those of ``values`` that the type ``kind`` takes when they come as JSON."""
    decode = msgspec.json.Decoder(kind).decode
    right = []
    for each in values:
        try:
            decode(msgspec.json.encode(each))
        except msgspec.ValidationError:
            continue
        right.append(each)
    return right


def wrong_values(schema: Mapping[str, Any], components: Mapping[str, Any], kind: Any) -> list[Any]:
    """Values of which the type ``kind`` takes none: other types, limits missed, members wrong."""
    tried = [*_near(schema, components, _DEPTH), *_WRONG]
    right = {_text(each) for each in accepted(tried, kind)}
    return [each for each in _different(iter(tried)) if _text(each) not in right]


def _text(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _different(values: Iterator[Any]) -> Iterator[Any]:
    seen: set[bytes] = set()
    for each in values:
        text = _text(each)
        if text not in seen:
            seen.add(text)
            yield each


def _resolve(
    schema: Mapping[str, Any], components: Mapping[str, Any], depth: int
) -> Mapping[str, Any] | None:
    """What ``schema`` refers to, or itself; ``None`` when that is too deep."""
    if "$ref" not in schema:
        return schema
    if depth <= 0:
        return None
    found: Mapping[str, Any] = components[schema["$ref"].removeprefix(_PREFIX)]
    return found


def _values(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Iterator[Any]:
    found = _resolve(schema, components, depth)
    if found is None:
        return
    depth -= 1
    yield from schema.get("examples", ())
    if found is not schema:
        yield from found.get("examples", ())
    if "enum" in found:
        yield from found["enum"]
        return
    if "const" in found:
        yield found["const"]
        return
    choices = found.get("anyOf") or found.get("oneOf")
    if choices:
        several = [_values(each, components, depth) for each in choices]
        while several:  # one of each in turn
            for each in list(several):
                try:
                    yield next(each)
                except StopIteration:
                    several.remove(each)
        return
    kinds = found.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        make = _KINDS.get(kind)
        yield from _ANYTHING if make is None else make(found, components, depth)


def _integers(
    schema: Mapping[str, Any], components: Mapping[str, Any], depth: int
) -> Iterator[Any]:
    step = schema.get("multipleOf", 1)
    low, high = _limits(schema, 1)
    for each in (*_NUMBERS, low, high):
        if each is None:
            continue
        for near in (each, each // step * step, (each // step + 1) * step):
            within = (low is None or near >= low) and (high is None or near <= high)
            if within and near % step == 0:
                yield int(near)
                break


def _fractions(
    schema: Mapping[str, Any], components: Mapping[str, Any], depth: int
) -> Iterator[Any]:
    step = schema.get("multipleOf")
    low, high = _limits(schema, 0.125)
    middle = None if low is None or high is None else (low + high) / 2
    for each in (*_FRACTIONS, low, high, middle):
        if each is None or (low is not None and each < low) or (high is not None and each > high):
            continue
        yield each if step is None else round(each / step) * step


def _limits(schema: Mapping[str, Any], above: float) -> tuple[Any, Any]:
    """The least and greatest number, which may be ``None``."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + above
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - above
    return low, high


def _strings(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Iterator[Any]:
    least = schema.get("minLength", 0)
    most = schema.get("maxLength", _LONGEST)
    if least > _LONGEST:
        return
    form = schema.get("contentEncoding") or schema.get("format", "")
    for each in _FORMS.get(form) or (*_TEXTS, *_TIMES, *_GUESSES):
        if len(each) < least:
            each = (each or "x") * -(-least // len(each or "x"))
            each = each[:least]
        yield each[:most]


def _arrays(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Iterator[Any]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", _LONGEST)
    if least > _LONGEST:
        return
    fixed = schema.get("prefixItems")
    if fixed is not None:
        columns = [list(islice(_values(each, components, depth), _COLUMN)) for each in fixed]
        if all(columns):
            yield from _rows(columns)
        for length in range(least, len(columns)):
            if all(columns[:length]):
                yield [column[0] for column in columns[:length]]
        return
    items = schema.get("items", {})
    different = bool(schema.get("uniqueItems"))
    made = [] if items is False else list(islice(_values(items, components, depth), _COLUMN))
    for length in (2, 1, 0, 3, least, most):
        if not least <= length <= min(most, max(least, 8)):
            continue
        if length == 0:
            yield []
        elif made and not (different and length > len(made)):
            yield [made[at % len(made)] for at in range(length)]
    if least <= 1 <= most:
        yield from ([each] for each in made[_FIRST:] + made[:_FIRST])


def _objects(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Iterator[Any]:
    required = schema.get("required", ())
    columns = {
        name: list(islice(_values(each, components, depth), _COLUMN))
        for name, each in schema.get("properties", {}).items()
    }
    if any(not columns.get(name) for name in required):
        return  # no member of that type, this deep
    columns = {name: column for name, column in columns.items() if column}
    if not columns:
        yield from _mappings(schema, components, depth)
        return
    needed = {name: column for name, column in columns.items() if name in required}
    whole = [dict(zip(columns, row, strict=True)) for row in _rows([*columns.values()])]
    short = [dict(zip(needed, row, strict=True)) for row in _rows([*needed.values()])]
    yield from (*whole[:_FIRST], *short[_FIRST:_COLUMN], *short[:_FIRST], *whole[_FIRST:])


def _rows(columns: list[list[Any]]) -> Iterator[list[Any]]:
    """One value of each column at a time.

    The first show what there may be. The next have as little within them as they may, in
    order: so of several members that are times all are times in one row, however deep.
    """
    rows = [[column[row % len(column)] for column in columns] for row in range(_COLUMN)]
    empty = [next((each for each in column if each in ([], {})), None) for column in columns]
    yield from rows[:_FIRST]
    for row in rows[_FIRST:]:
        yield [each if bare is None else bare for each, bare in zip(row, empty, strict=True)]
    yield from rows[_FIRST:]


def _mappings(
    schema: Mapping[str, Any], components: Mapping[str, Any], depth: int
) -> Iterator[Any]:
    below = schema.get("additionalProperties", {})
    made = [] if below is False else list(islice(_values(below, components, depth), _COLUMN))
    if made:
        for names in (
            ("key", "Schlüssel"),
            (),
            ("1", "2"),
            ("true",),
            *((each,) for each in _KEYS),
        ):
            yield {name: made[at % len(made)] for at, name in enumerate(names)}
        yield from ({"key": each} for each in made)
    yield {}


_KINDS: dict[Any, Any] = {
    "integer": _integers,
    "number": _fractions,
    "string": _strings,
    "boolean": lambda *_: iter((True, False)),
    "null": lambda *_: iter((None,)),
    "array": _arrays,
    "object": _objects,
}


def _near(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Values that miss ``schema`` by a little: the interesting ones."""
    found = _resolve(schema, components, depth)
    if found is None:
        return
    depth -= 1
    if "enum" in found:
        yield "no such value"
        yield 10**6
    for each in found.get("anyOf", ()):
        yield from islice(_near(each, components, depth), 3)
    kind = found.get("type")
    if kind in ("integer", "number"):
        low, high = _limits(found, 1 if kind == "integer" else 0)
        for limit, beyond in ((low, -1), (high, 1)):
            if limit is not None:
                yield limit + beyond
    elif kind == "string":
        if 0 < found.get("minLength", 0) <= _LONGEST:
            yield "x" * (found["minLength"] - 1)
        if found.get("maxLength", _LONGEST) < _LONGEST:
            yield "x" * (found["maxLength"] + 1)
        yield "no such text!"
    elif kind == "array":
        right: list[Any] = next(_arrays(found, components, depth), [])
        for at, each in enumerate(found.get("prefixItems", ())):
            for wrong in islice(_near_or_wrong(each, components, depth), 2):
                yield [*right[:at], wrong, *right[at + 1 :]]
        if isinstance(found.get("items"), Mapping) and "prefixItems" not in found:
            for wrong in islice(_near_or_wrong(found["items"], components, depth), 2):
                yield [*right, wrong]
        yield right[:-1]
        yield [*right, *right]
    elif kind == "object":
        whole: dict[str, Any] = next(_objects(found, components, depth), {})
        for name in found.get("required", ()):
            yield {key: value for key, value in whole.items() if key != name}
        for name, each in found.get("properties", {}).items():
            for wrong in islice(_near_or_wrong(each, components, depth), 2):
                yield {**whole, name: wrong}
        below = found.get("additionalProperties")
        if isinstance(below, Mapping):
            for wrong in islice(_near_or_wrong(below, components, depth), 2):
                yield {"key": wrong}


def _near_or_wrong(
    schema: Mapping[str, Any], components: Mapping[str, Any], depth: int
) -> Iterator[Any]:
    yield from _near(schema, components, depth)
    yield from (None, "hello", 1) if schema.get("type") != "null" else ("hello",)
