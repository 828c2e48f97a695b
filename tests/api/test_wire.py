from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, Code, RpcError, WrongResult, method, subscription
from netlab.api.jsonrpc import CODECS, JSON, BadAnswer, Session
from netlab.api.jsonrpc.subscriptions import Publication
from netlab.errors import OutgoingFrameTooLong
from netlab.framing import LengthPrefix, Netstring


@dataclass
class Point:
    x: int
    y: Annotated[int, msgspec.Meta(ge=0)] = 0


class Note(msgspec.Struct, frozen=True):
    text: str


class Shape(msgspec.Struct, frozen=True):
    points: list[Point]


class Plotter(Api):
    @method
    def add(self, a: int, b: int) -> int:
        return a + b

    @method
    def plot(self, points: list[Point], scale: float = 1.0, *, title: str = "") -> Point | None:
        return None

    @method
    def label(self, *, text: str) -> None: ...

    @subscription
    async def shapes(self) -> AsyncIterator[Shape]:
        yield Shape([])

    @subscription
    async def notes(self) -> AsyncIterator[Note]:
        yield Note("")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "x"]), inner),
)


class Arguments(SynchronousTestCase):
    def test_by_position_and_name(self) -> None:
        for codec in CODECS.values():
            wire = Plotter.plot.on(codec)
            for params, wanted in (
                ([[{"x": 1}]], (([Point(1)], 1.0), {"title": ""}, None)),
                ([[], 2], (([], 2.0), {"title": ""}, None)),
                ({"points": [], "title": "t"}, (([], 1.0), {"title": "t"}, None)),
                ({"points": [], "workDoneToken": 7}, (([], 1.0), {"title": ""}, 7)),
            ):
                self.assertEqual(wire.arguments(codec.encode(params)), wanted)
        for codec in CODECS.values():
            self.assertEqual(Plotter.notes.on(codec).arguments(None), ((), {}, None))

    def test_faults(self) -> None:
        for codec in CODECS.values():
            for name, params, argument, path, reason in (
                ("add", ["x", 2], "a", "$.a", "Expected `int`, got `str`"),
                ("add", {"a": 1, "b": "x"}, "b", "$.b", "Expected `int`, got `str`"),
                ("add", {"a": 1}, "b", "$.b", "b is missing"),
                ("add", {"a": 1, "b": 2, "bb": 3}, "bb", "$.bb", "bb is no argument; is it b?"),
                ("add", [1], None, "$", "the arguments are add(a: int, b: int)"),
                ("add", [1, 2, 3], None, "$", "the arguments are add(a: int, b: int)"),
                ("add", None, None, "$", "the arguments are add(a: int, b: int)"),
                ("plot", [[{"x": 1, "y": -1}]], "points", "$.points[0].y", "Expected `int` >= 0"),
                ("plot", [[{}]], "points", "$.points[0]", "Object missing required field `x`"),
                ("label", ["t"], None, "$", "the arguments are label(text: str)"),
                ("label", [], "text", "$.text", "text is missing, and is given by name only"),
            ):
                wire = getattr(Plotter, name).on(codec)
                encoded = None if params is None else codec.encode(params)
                with self.assertRaises(RpcError) as raised:
                    wire.arguments(encoded)
                error = raised.exception
                self.assertEqual(error.code, Code.INVALID_PARAMS)
                self.assertEqual(
                    (error.data.get("argument"), error.data["path"], error.data["reason"]),
                    (argument, path, reason),
                )
                self.assertIn(argument or "arguments", error.message)

    @given(JSON_VALUES)
    def test_anything(self, value: Any) -> None:
        for codec in CODECS.values():
            for each in (Plotter.add, Plotter.plot, Plotter.label, Plotter.notes):
                try:
                    each.on(codec).arguments(codec.encode(value))
                except RpcError as error:
                    codec.error_object(error)
                    self.assertLess(len(str(error)), 500)

    @given(st.binary(max_size=30))
    def test_any_bytes(self, data: bytes) -> None:
        for codec in CODECS.values():
            for before in (b"[", b"{", b"\x92", b"\x82"):
                try:
                    Plotter.plot.on(codec).arguments(before + data)
                except RpcError:
                    pass


class Results(SynchronousTestCase):
    def test_result(self) -> None:
        for codec in CODECS.values():
            wire = Plotter.plot.on(codec)
            self.assertEqual(codec.decode(wire.result(Point(1))), {"x": 1, "y": 0})
            self.assertEqual(wire.value(wire.result(Point(1, 2))), Point(1, 2))
            self.assertEqual(wire.value(bytes(wire.result(None))), None)
            for wrong in (3, "x", Point(1, -1), Point("a"), object()):  # type: ignore[arg-type]
                with self.assertRaisesRegex(WrongResult, "plot gave"):
                    wire.result(wrong)
            with self.assertRaisesRegex(BadAnswer, "plot"):
                wire.value(codec.encode("x"))

    def test_frozen_items_are_encoded_once(self) -> None:
        wire = Plotter.notes.on(JSON)
        note = Note("hello")
        self.assertIs(wire.result(note), wire.result(note))
        self.assertEqual(bytes(wire.result(Note("other"))), b'{"text":"other"}')

    def test_frames(self) -> None:
        """What a session would send, and for many subscribers the same object."""
        for codec in CODECS.values():
            wire = Plotter.notes.on(codec)
            for framing in (LengthPrefix(), Netstring()):
                for number, note in enumerate((Note("hello"), Note("other"), Note("hello")), 1):
                    session = Session(codec)
                    publication = Publication(number, "notes", None, *codec.item(number))
                    session.publish(publication, wire.result(note))
                    frame = wire.frame(publication, note, framing)
                    self.assertEqual(frame, framing.encode_many(session.take()))
                    again = Publication(number, "notes", None, *codec.item(number))
                    self.assertIs(wire.frame(again, note, framing), frame)

    def test_frames_that_cannot_be(self) -> None:
        wire = Plotter.notes.on(JSON)
        publication = Publication(1, "notes", None, *JSON.item(1))
        with self.assertRaises(WrongResult):
            wire.frame(publication, 3, LengthPrefix())
        with self.assertRaises(OutgoingFrameTooLong):
            wire.frame(publication, Note("hello"), LengthPrefix(max_message=20))

    def test_frames_of_what_may_change(self) -> None:
        wire = Plotter.plot.on(JSON)
        publication = Publication(1, "plot", None, *JSON.item(1))
        point = Point(1)
        before = wire.frame(publication, point, Netstring())
        point.x = 2
        self.assertNotEqual(wire.frame(publication, point, Netstring()), before)

    def test_changed_results_are_encoded_again(self) -> None:
        wire = Plotter.plot.on(JSON)
        point = Point(1)
        wire.result(point)
        point.x = 2
        self.assertEqual(bytes(wire.result(point)), b'{"x":2,"y":0}')
        wire = Plotter.shapes.on(JSON)
        shape = Shape([Point(1)])
        wire.result(shape)
        shape.points.append(Point(2))
        self.assertEqual(wire.value(wire.result(shape)), shape)


class Params(SynchronousTestCase):
    def test_params(self) -> None:
        wire = Plotter.plot.on(JSON)
        self.assertEqual(wire.params(([],), {}), [[]])
        self.assertEqual(wire.params(([],), {"title": "t"}), {"points": [], "title": "t"})
        self.assertEqual(wire.params((), {"points": []}), {"points": []})

    def test_wrong(self) -> None:
        wire = Plotter.plot.on(JSON)
        for args, named, word in (
            ((), {}, "'points' is missing"),
            (([], 1.0, "t"), {}, "2 positional"),
            (([],), {"points": []}, "given twice"),
            (([],), {"titel": ""}, "no argument 'titel'"),
        ):
            with self.assertRaisesRegex(TypeError, word):
                wire.params(args, named)
