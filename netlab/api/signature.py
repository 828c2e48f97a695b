"""From a function to what it takes and gives: the reading of one declaration."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from netlab.errors import ConfigurationError

from .context import Context
from .jsonrpc.session import TOKEN
from .kinds import fault_of, name_of

_ITERATORS = (AsyncIterator, AsyncIterable, AsyncGenerator)


class Passing(Enum):
    """How Python passes an argument; on the wire each has a place or a name."""

    POSITIONAL = "positional"
    EITHER = "either"
    NAMED = "named"


class Calling(Enum):
    """What the function is."""

    FUNCTION = "function"
    COROUTINE = "coroutine"
    GENERATOR = "async generator"


@dataclass(frozen=True)
class Argument:
    """One argument of a method.

    ``default`` has a meaning only when it is not ``required``.
    """

    name: str
    type: Any
    required: bool
    default: Any
    passing: Passing

    def __str__(self) -> str:
        text = f"{self.name}: {name_of(self.type)}"
        if self.required:
            return text
        return f"{text} = {msgspec.json.encode(self.default).decode()}"


@dataclass(frozen=True)
class Signature:
    """What a method takes and gives.

    arguments  those that the peer gives, in order; named-only ones come last
    result     the type of the result, or of the items of a subscription
    calling    what the function is
    context    the name of the argument that takes the ``Context``, if any
    place      its place among the positional arguments; ``None`` when it is passed by name
    """

    arguments: tuple[Argument, ...]
    result: Any
    calling: Calling
    context: str | None
    place: int | None

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.arguments))}) -> {name_of(self.result)}"

    @property
    def positional(self) -> tuple[Argument, ...]:
        """The arguments that have a place."""
        return tuple(each for each in self.arguments if each.passing is not Passing.NAMED)


def read_signature(
    function: Callable[..., Any], where: str, names: Mapping[str, Any], *, subscription: bool
) -> Signature:
    """Reads a declaration.

    where   the name to be used in errors, such as ``Calculator.add``
    names   names that annotations may use besides the globals of the function's module

    Raises ``ConfigurationError``, which says what is wrong with which argument.
    """
    try:
        hints = get_type_hints(function, localns=dict(names), include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"{where}: an annotation uses {error.name!r}, which is not known here: "
            "define or import it before the class"
        ) from None
    except (TypeError, SyntaxError) as error:
        raise ConfigurationError(f"{where}: an annotation cannot be read: {error}") from None
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise ConfigurationError(f"{where}: its first argument is self")
    arguments: list[Argument] = []
    context: str | None = None
    place: int | None = None
    for parameter in parameters[1:]:
        hint = hints.get(parameter.name, inspect.Parameter.empty)
        if isinstance(hint, type) and issubclass(hint, Context):
            if context is not None:
                raise ConfigurationError(f"{where}: it takes the context twice; once is enough")
            context = parameter.name
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                place = len(arguments)
            continue
        arguments.append(_argument(parameter, hint, where))
    calling, result = _result(function, hints, where, subscription=subscription)
    return Signature(tuple(arguments), result, calling, context, place)


def _argument(parameter: inspect.Parameter, hint: Any, where: str) -> Argument:
    name = parameter.name
    what = f"{where}: argument {name!r}"
    empty = inspect.Parameter.empty
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
        instead = f"{name}: list[...]" if stars == "*" else f"{name}: dict[str, ...]"
        raise ConfigurationError(
            f"{where}: {stars}{name} has no meaning to a peer: name each one, or take {instead}"
        )
    if hint is empty:
        raise ConfigurationError(f"{what} has no annotation: write its type, as in {name}: int")
    if name == TOKEN:
        raise ConfigurationError(f"{what}: this name asks for progress; choose another")
    wrong = fault_of(hint)
    if wrong is not None:
        raise ConfigurationError(f"{what}: {wrong}")
    required = parameter.default is empty
    if not required:
        try:
            msgspec.convert(parameter.default, hint)
        except msgspec.ValidationError as error:
            hint_text = ""
            if parameter.default is None:
                hint_text = f": write {name}: {name_of(hint)} | None = None"
            raise ConfigurationError(
                f"{what}: its default {parameter.default!r} is no {name_of(hint)}"
                f"{hint_text or f' ({error})'}"
            ) from None
    passing = {
        inspect.Parameter.POSITIONAL_ONLY: Passing.POSITIONAL,
        inspect.Parameter.POSITIONAL_OR_KEYWORD: Passing.EITHER,
        inspect.Parameter.KEYWORD_ONLY: Passing.NAMED,
    }[parameter.kind]
    return Argument(name, hint, required, None if required else parameter.default, passing)


def _result(
    function: Callable[..., Any], hints: Mapping[str, Any], where: str, *, subscription: bool
) -> tuple[Calling, Any]:
    if "return" not in hints:
        example = "AsyncIterator[int]" if subscription else "int (or -> None)"
        raise ConfigurationError(
            f"{where}: its result has no annotation: write its type, as in -> {example}"
        )
    result = hints["return"]
    calling = Calling.FUNCTION
    if inspect.isasyncgenfunction(function):
        calling = Calling.GENERATOR
    elif inspect.iscoroutinefunction(function):
        calling = Calling.COROUTINE
    iterates = get_origin(result) in _ITERATORS
    if subscription:
        if inspect.isgeneratorfunction(function):
            raise ConfigurationError(f"{where}: a subscription is asynchronous: write async def")
        if not iterates or not get_args(result):
            raise ConfigurationError(
                f"{where}: a subscription gives items one by one: write -> AsyncIterator[...], "
                f"with the type of an item, not {name_of(result)}"
            )
        result = get_args(result)[0]
    elif calling is Calling.GENERATOR or iterates:
        raise ConfigurationError(
            f"{where}: it gives items one by one: declare it with @subscription, not @method"
        )
    elif inspect.isgeneratorfunction(function):
        raise ConfigurationError(
            f"{where}: it is a generator: return a list, or declare an async one with @subscription"
        )
    wrong = fault_of(result)
    if wrong is not None:
        raise ConfigurationError(f"{where}: its result: {wrong}")
    return calling, result
