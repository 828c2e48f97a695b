from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, assert_type

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, Calling, Context, Passing, describe, method, subscription
from netlab.api.jsonrpc import JSON
from netlab.errors import ConfigurationError


class Calculator(Api):
    """Arithmetic for the first lab.

    And more.
    """

    @method
    def add(self, a: int, b: int) -> int:
        """The sum of
        two integers.

        They may be long.
        """
        return a + b

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for each in range(start, 0, -1):
            yield each

    def helper(self) -> str:
        return "not for peers"


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    next: Point | None = None


class Shape(msgspec.Struct):
    points: list[Point]
    colour: Colour = Colour.RED


async def typed(calc: type[Calculator]) -> None:
    """What a type checker makes of a client."""
    assert_type(await calc.add(1, 2), int)
    assert_type(await calc.add(1, b=2), int)
    calc.add("x", 2)  # type: ignore[arg-type, unused-coroutine]
    async for each in calc.countdown(3):
        assert_type(each, int)


class Declarations(SynchronousTestCase):
    def test_example(self) -> None:
        description = describe(Calculator)
        self.assertEqual(description.name, "Calculator")
        self.assertEqual(description.summary, "Arithmetic for the first lab.")
        self.assertEqual(list(description.declared), ["add", "countdown"])
        self.assertIs(describe(Calculator()), description)
        add = Calculator.add
        self.assertEqual(add.summary, "The sum of two integers.")
        self.assertEqual(str(add.signature), "(a: int, b: int) -> int")
        self.assertIs(Calculator.countdown.signature.calling, Calling.GENERATOR)
        self.assertIs(Calculator.countdown.signature.result, int)

    def test_on_an_object_it_is_the_function(self) -> None:
        self.assertEqual(Calculator().add(1, 2), 3)
        self.assertEqual(Calculator.add.invoke(Calculator(), (1, 2), {}), 3)

    def test_on_the_class_there_is_nobody_to_call(self) -> None:
        with self.assertRaisesRegex(TypeError, r"Calculator\(\)\.add\(\.\.\.\)"):
            Calculator.add(1, 2)  # type: ignore[unused-coroutine]
        with self.assertRaisesRegex(TypeError, "countdown"):
            Calculator.countdown(1)

    def test_inheritance(self) -> None:
        class Better(Calculator):
            @method
            def add(self, a: int, b: int, c: int = 0) -> int:
                return super().add(a, b) + c

            @method(name="math/negate", idempotent=True)
            def negate(self, a: int) -> int:
                return -a

        self.assertEqual(list(describe(Better).declared), ["add", "countdown", "math/negate"])
        self.assertEqual(Better().add(1, 2, 3), 6)
        self.assertEqual(len(describe(Calculator).declared["add"].signature.arguments), 2)
        self.assertTrue(Better.negate.idempotent)
        self.assertEqual(describe(Better).doc, "")

    def test_context(self) -> None:
        class Who(Api):
            @method
            def first(self, ctx: Context, greeting: str) -> str:
                return f"{greeting} {ctx.peer}"

            @method
            def last(self, greeting: str, *, ctx: Context) -> str:
                return f"{greeting} {ctx.peer}"

        context = Context(method="x", peer="Ada")
        for each in (Who.first, Who.last):
            self.assertEqual([argument.name for argument in each.signature.arguments], ["greeting"])
            self.assertEqual(each.invoke(Who(), ("hello",), {}, context), "hello Ada")

    def test_context_progress(self) -> None:
        reports: list[Any] = []
        Context(method="x").progress(1)
        Context(method="x", report=reports.append).progress(2)
        self.assertEqual(reports, [2])

    def test_passing(self) -> None:
        class Ways(Api):
            @method
            def ways(self, a: int, /, b: int, *, c: int = 3) -> None: ...

        ways = Ways.ways.signature.arguments
        self.assertEqual(
            [each.passing for each in ways], [Passing.POSITIONAL, Passing.EITHER, Passing.NAMED]
        )
        self.assertEqual([each.required for each in ways], [True, True, False])

    def test_kinds(self) -> None:
        class Drawing(Api):
            @method
            def draw(
                self,
                shape: Shape,
                size: Annotated[int, msgspec.Meta(ge=1)] = 1,
                mode: Literal["fast", "nice"] = "fast",
                at: tuple[int, int] | None = None,
                colour: Colour = Colour.RED,
                anything: Any = None,
            ) -> dict[str, Shape]:
                return {}

        schemas = describe(Drawing).schemas()
        draw = schemas.methods["draw"]
        self.assertEqual(draw.arguments["shape"], {"$ref": "#/components/schemas/Shape"})
        self.assertEqual(draw.arguments["size"], {"type": "integer", "minimum": 1, "default": 1})
        self.assertEqual(draw.arguments["colour"]["default"], "red")
        self.assertEqual(sorted(schemas.components), ["Colour", "Point", "Shape"])
        self.assertEqual(
            Drawing.draw.on(JSON).usage,
            "draw(shape: Shape, size: int = 1, mode: Literal['fast', 'nice'] = \"fast\", "
            'at: tuple[int, int] | None = null, colour: Colour = "red", anything: Any = null)',
        )

    def test_iterators(self) -> None:
        class Streams(Api):
            @subscription
            def plain(self) -> AsyncIterator[int]:
                raise NotImplementedError

            @subscription(when_slow="drop", name="stream/two")
            async def coroutine(self) -> AsyncIterator[str]:
                raise NotImplementedError

        self.assertIs(Streams.plain.signature.calling, Calling.FUNCTION)
        self.assertIs(Streams.coroutine.signature.calling, Calling.COROUTINE)
        self.assertEqual(Streams.coroutine.when_slow, "drop")


class Opaque:
    pass


class Refused(SynchronousTestCase):
    def refused(self, declared: Callable[[], Any], *words: str) -> None:
        """Building the class says all of ``words``."""
        with self.assertRaises(ConfigurationError) as raised:
            type("Wrong", (Api,), {"f": declared()})
        for word in words:
            self.assertIn(word, str(raised.exception))

    def test_arguments(self) -> None:
        def bare(self: Any, a) -> int:  # type: ignore[no-untyped-def]
            return 0

        def stars(self: Any, *numbers: int) -> int:
            return 0

        def names(self: Any, **numbers: int) -> int:
            return 0

        def opaque(self: Any, a: list[Opaque]) -> int:
            return 0

        def anything(self: Any, a: object) -> int:
            return 0

        def call(self: Any, a: Callable[[], int]) -> int:
            return 0

        def default(self: Any, a: int = None) -> int:  # type: ignore[assignment] # noqa: RUF013
            return 0

        def unknown(self: Any, a: Unknown) -> int:  # type: ignore[name-defined] # noqa: F821
            return 0

        def token(self: Any, workDoneToken: int) -> int:
            return 0

        def twice(self: Any, one: Context, two: Context) -> int:
            return 0

        def mixed(self: Any, a: list[int] | set[int]) -> int:
            return 0

        def selfless() -> int:
            return 0

        for function, words in (
            (bare, ("Wrong.f", "'a'", "a: int")),
            (stars, ("Wrong.f", "*numbers", "list[...]")),
            (names, ("Wrong.f", "**numbers", "dict[str, ...]")),
            (opaque, ("'a'", "Opaque", "dataclass")),
            (anything, ("'a'", "Any")),
            (call, ("'a'",)),
            (default, ("'a'", "None", "a: int | None = None")),
            (unknown, ("'Unknown'", "before the class")),
            (token, ("workDoneToken", "choose another")),
            (twice, ("twice",)),
            (mixed, ("'a'", "more than one array-like")),
            (selfless, ("self",)),
        ):
            self.refused(lambda function=function: method(function), *words)  # type: ignore[misc]

    def test_results(self) -> None:
        def bare(self: Any):  # type: ignore[no-untyped-def]
            return 0

        def opaque(self: Any) -> Opaque:
            return Opaque()

        def generator(self: Any) -> Iterator[int]:
            yield 1

        async def items(self: Any) -> AsyncIterator[int]:
            yield 1

        def number(self: Any) -> int:
            return 0

        for function, words in (
            (bare, ("Wrong.f", "-> int")),
            (opaque, ("result", "Opaque")),
            (generator, ("generator", "@subscription")),
            (items, ("@subscription",)),
        ):
            self.refused(lambda function=function: method(function), *words)  # type: ignore[misc]
        for function, words in (
            (bare, ("AsyncIterator[int]",)),
            (generator, ("async def",)),
            (number, ("AsyncIterator[...]", "not int")),
        ):
            self.refused(lambda function=function: subscription(function), *words)  # type: ignore[misc]

    def test_names(self) -> None:
        for name in ("rpc.x", "$/x", "", "a\nb"):
            self.refused(lambda name=name: method(name=name)(lambda self: None), "Wrong.f")  # type: ignore[misc]
        with self.assertRaisesRegex(ConfigurationError, "hidden"):

            class _Hidden(Api):
                @method
                def _f(self) -> None: ...

        with self.assertRaisesRegex(ConfigurationError, "called 'g' too"):

            class _Twice(Api):
                @method(name="g")
                def f(self) -> None: ...

                @method
                def g(self) -> None: ...

    def test_overriding(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "declare it as well"):
            type("Silent", (Calculator,), {"add": lambda self: 1})

    def test_not_functions(self) -> None:
        for wrong in (3, staticmethod(len), Opaque):
            with self.assertRaisesRegex(ConfigurationError, "no function"):
                method(wrong)  # type: ignore[arg-type]
        with self.assertRaisesRegex(ConfigurationError, "block, drop or close"):
            subscription(when_slow="sleep")(lambda self: None)  # type: ignore[call-overload]

    def test_describe(self) -> None:
        for wrong in (Api, Opaque):
            with self.assertRaises(ConfigurationError):
                describe(wrong)  # type: ignore[arg-type]
