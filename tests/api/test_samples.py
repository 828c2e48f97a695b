from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Any

import msgspec
from hypothesis import given, settings
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.description import REFERENCE
from netlab.api.openrpc import draft7
from netlab.api.samples import accepted, samples, wrong_values
from tests.api.described import SIMPLE, Colour, Point, kinds


def schema_of(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    (schema,), components = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return schema, components


def samples_of(kind: Any) -> list[Any]:
    return samples(*schema_of(kind))


def wrong_of(kind: Any) -> list[Any]:
    return wrong_values(*schema_of(kind), kind)


@dataclass
class Event:
    name: str
    at: datetime
    until: time | None = None


class Samples(SynchronousTestCase):
    def test_plain(self) -> None:
        self.assertEqual(samples_of(int), [1, 2, 3, 0, -1, 2**53 + 1, 100, 10])
        self.assertEqual(samples_of(bytes), ["AAEC", "aGVsbG8=", ""])
        self.assertEqual(samples_of(bool), [True, False])
        self.assertEqual(samples_of(None), [None])
        self.assertEqual(samples_of(str)[:2], ["hello", "world"])
        self.assertEqual(samples_of(int | None)[:3], [1, None, 2])
        self.assertEqual(samples_of(Colour), ["blue", "red"])
        self.assertEqual(samples_of(list[bool])[:3], [[True, False], [True], []])
        self.assertEqual(samples_of(dict[str, int])[0], {"key": 1, "Schlüssel": 2})
        self.assertEqual(samples_of(tuple[int, str])[0], [1, "hello"])
        self.assertEqual(samples_of(tuple[()]), [[]])

    def test_limits(self) -> None:
        meta = msgspec.Meta
        self.assertEqual(samples_of(Annotated[int, meta(ge=5, le=6)]), [5, 6])
        self.assertEqual(samples_of(Annotated[int, meta(gt=5, lt=7)]), [6])
        self.assertEqual(samples_of(Annotated[int, meta(gt=3, multiple_of=5)])[:1], [5])
        self.assertEqual(samples_of(Annotated[float, meta(gt=7, lt=8)])[0], 7.125)
        self.assertEqual(samples_of(Annotated[str, meta(min_length=7, max_length=7)])[0], "hellohe")
        self.assertEqual(samples_of(Annotated[str, meta(max_length=2)])[0], "he")
        self.assertEqual(samples_of(Annotated[list[int], meta(min_length=3)])[0], [1, 2, 3])
        self.assertEqual(samples_of(Annotated[str, meta(min_length=10**9)]), [])
        self.assertEqual(samples_of(Annotated[list[int], meta(min_length=10**9)]), [])

    def test_examples_come_first(self) -> None:
        kind = Annotated[str, msgspec.Meta(pattern="^x+$", examples=["xx"])]
        self.assertEqual(samples_of(kind)[0], "xx")

    def test_types_that_hold_themselves(self) -> None:
        first = samples_of(Point)[0]
        self.assertEqual((first["x"], first["next"]["next"]), (1, None))
        self.assertIn({"x": 1}, samples_of(Point))

    @settings(max_examples=60)
    @given(kinds)
    def test_any(self, kind: Any) -> None:
        """The type takes at least one, and those that it takes fit its schema."""
        schema, components = schema_of(kind)
        made = samples(schema, components)
        self.assertEqual(made, samples(schema, components))
        right = accepted(made, kind)
        self.assertNotEqual(right, [])
        whole = {
            **draft7(schema),
            "components": {"schemas": {name: draft7(each) for name, each in components.items()}},
        }
        validator = Draft7Validator(whole)
        for each in right:
            self.assertEqual([error.message for error in validator.iter_errors(each)], [])

    def test_times_within(self) -> None:
        """A time without a zone is only a string in a schema; it is found all the same."""
        kinds: list[Any] = [list[datetime], dict[str, datetime], tuple[str, datetime], Event]
        kinds += [tuple[datetime, list[datetime]], tuple[datetime, dict[str, datetime], Event]]
        kinds += [list[tuple[list[datetime], tuple[int, datetime]]], tuple[datetime, Event | None]]
        for kind in kinds:
            self.assertNotEqual(accepted(samples_of(kind), kind), [], kind)

    def test_any_simple_type(self) -> None:
        for kind in SIMPLE:
            self.assertNotEqual(accepted(samples_of(kind), kind), [], kind)


class Wrong(SynchronousTestCase):
    def test_near_misses(self) -> None:
        meta = msgspec.Meta
        self.assertEqual(wrong_of(Annotated[int, meta(ge=5, le=9)])[:2], [4, 10])
        self.assertEqual(wrong_of(Annotated[str, meta(max_length=2)])[0], "xxx")
        self.assertEqual(wrong_of(Colour)[0], "no such value")
        self.assertEqual(wrong_of(list[int])[:2], [[1, 2, None], [1, 2, "hello"]])
        self.assertNotIn("x", wrong_of(Point)[0])
        self.assertIn({"key": None}, wrong_of(dict[str, int]))
        self.assertIn([1], wrong_of(tuple[int, str]))

    def test_of_anything_nothing_is_wrong(self) -> None:
        self.assertEqual(wrong_of(Any), [])

    @settings(max_examples=60)
    @given(kinds)
    def test_any(self, kind: Any) -> None:
        decoder = msgspec.json.Decoder(kind)
        for each in wrong_of(kind):
            with self.assertRaises(msgspec.ValidationError):
                decoder.decode(json.dumps(each).encode())
