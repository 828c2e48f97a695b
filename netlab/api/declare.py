"""How an author declares a protocol: a class, its methods and its subscriptions.

::

    class Calculator(Api):
        \"\"\"Arithmetic for the first lab.\"\"\"

        @method
        def add(self, a: int, b: int) -> int:
            \"\"\"The sum of two integers.\"\"\"
            return a + b

The class is read when it is built: what cannot work is refused there, with a
``ConfigurationError`` that says what would be right.

For a type checker each method has two faces. On an object, ``Calculator().add``,
it is the function as written. On the class, ``Calculator.add``, it is what a
client calls: without the context, and to be awaited. So whatever stands for
``type[Calculator]`` is a typed client, and ``call(Calculator.add, 1, 2)`` is one too.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from importlib import import_module
from types import FunctionType, MethodType
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from netlab.errors import ConfigurationError

from .context import Context
from .description import Description
from .jsonrpc.codecs import Codec
from .signature import Calling, Signature, read_signature
from .wire import Wire

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A", bound="type[Api]")

WhenSlow = Literal["block", "drop", "close"]
"""What becomes of items when the subscriber has no credit: the iterator waits for it, the
oldest are left out, or the subscription ends with an error (-32012)."""


class _Declared(Generic[Q, T]):
    """What methods and subscriptions have in common."""

    name: str
    """On the wire."""
    attribute: str
    """In Python."""
    doc: str
    """The docstring, without indentation; empty if there is none."""
    function: Callable[..., Any]
    """As the author wrote it."""

    def __init__(self, function: Callable[..., Any], name: str | None) -> None:
        if not isinstance(function, FunctionType):
            raise ConfigurationError(
                f"{function!r} is no function: @method and @subscription stand directly above "
                "a def, below other decorators"
            )
        self.function = function
        self.attribute = function.__name__
        self.name = function.__name__ if name is None else name
        self.doc = inspect.getdoc(function) or ""
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._signature: Signature | None = None
        self._wires: dict[str, Wire] = {}

    @property
    def summary(self) -> str:
        """The first paragraph of the docstring, as one line."""
        return " ".join(self.doc.partition("\n\n")[0].split())

    @property
    def signature(self) -> Signature:
        """What it takes and gives; there once its class is built."""
        if self._signature is None:
            raise ConfigurationError(f"{self.__qualname__} is in no class that is an Api")
        return self._signature

    def on(self, codec: Codec) -> Wire:
        """Its arguments and results in ``codec``; made once."""
        wire = self._wires.get(codec.name)
        if wire is None:
            wire = self._wires[codec.name] = Wire(self.name, self.signature, codec)
        return wire

    def invoke(
        self, api: Api, args: tuple[Any, ...], named: dict[str, Any], context: Context | None = None
    ) -> Any:
        """Calls the function on ``api``, the context in its place; returns what it returns."""
        signature = self._signature
        assert signature is not None
        if signature.context is not None:
            if signature.place is None:
                named = {**named, signature.context: context}
            else:
                args = (*args[: signature.place], context, *args[signature.place :])
        return self.function(api, *args, **named)

    def _read(self, where: str, names: dict[str, Any]) -> None:
        if self._signature is None:
            self._signature = read_signature(
                self.function, where, names, subscription=isinstance(self, Subscribable)
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__qualname__}>"


class Method(_Declared[Q, T], Generic[P, R, Q, T]):
    """A declared method: ``P`` and ``R`` as a client sees it, ``Q`` and ``T`` as written.

    idempotent  calling it twice does no more than calling it once: a client may repeat it
    """

    def __init__(
        self, function: Callable[..., Any], *, name: str | None = None, idempotent: bool = False
    ) -> None:
        super().__init__(function, name)
        self.idempotent = idempotent

    @overload
    def __get__(self, instance: None, owner: type) -> Method[P, R, Q, T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[Q, T]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else MethodType(self.function, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """What a client does: this is its type. The declaration itself has nobody to call."""
        raise TypeError(_nobody(self))


class Subscribable(_Declared[Q, T], Generic[P, R, Q, T]):
    """A declared subscription to items of ``R``.

    when_slow  what becomes of items while the subscriber has no credit
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        when_slow: WhenSlow = "block",
    ) -> None:
        super().__init__(function, name)
        if when_slow not in ("block", "drop", "close"):
            raise ConfigurationError(
                f"{self.__qualname__}: when_slow is block, drop or close, not {when_slow!r}"
            )
        self.when_slow = when_slow

    @overload
    def __get__(self, instance: None, owner: type) -> Subscribable[P, R, Q, T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[Q, T]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else MethodType(self.function, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        """What a client does: this is its type. The declaration itself has nobody to call."""
        raise TypeError(_nobody(self))


def _nobody(declared: _Declared[Any, Any]) -> str:
    owner = declared.__qualname__.rpartition(".")[0].rpartition(".")[2]
    name = declared.attribute
    return (
        f"{owner}.{name} is a declaration: call {name} on an object, {owner}().{name}(...), "
        "or on a client that is connected"
    )


class _MethodDecorator(Protocol):
    """What ``method(...)`` with options returns."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, R]], /
    ) -> Method[P, R, Concatenate[Context, P], Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, Context, P], R], /
    ) -> Method[P, R, Concatenate[Context, P], R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
    ) -> Method[P, R, P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Method[P, R, P, R]: ...


class _SubscriptionDecorator(Protocol):
    """What ``subscription(...)`` with options returns."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, Context, P], AsyncIterator[R]], /
    ) -> Subscribable[P, R, Concatenate[Context, P], AsyncIterator[R]]: ...
    @overload
    def __call__(
        self,
        function: Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, AsyncIterator[R]]],
        /,
    ) -> Subscribable[P, R, Concatenate[Context, P], Coroutine[Any, Any, AsyncIterator[R]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], AsyncIterator[R]], /
    ) -> Subscribable[P, R, P, AsyncIterator[R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncIterator[R]]], /
    ) -> Subscribable[P, R, P, Coroutine[Any, Any, AsyncIterator[R]]]: ...


@overload
def method(
    function: Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, R]], /
) -> Method[P, R, Concatenate[Context, P], Coroutine[Any, Any, R]]: ...
@overload
def method(
    function: Callable[Concatenate[Any, Context, P], R], /
) -> Method[P, R, Concatenate[Context, P], R]: ...
@overload
def method(
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
) -> Method[P, R, P, Coroutine[Any, Any, R]]: ...
@overload
def method(function: Callable[Concatenate[Any, P], R], /) -> Method[P, R, P, R]: ...
@overload
def method(*, name: str | None = None, idempotent: bool = False) -> _MethodDecorator: ...
def method(function: Any = None, /, *, name: str | None = None, idempotent: bool = False) -> Any:
    """Declares a method that peers can call: ``@method``, or with options in parentheses.

    name        what it is called on the wire; the function's own name unless given. For
                names that Python cannot write, such as ``textDocument/hover``
    idempotent  calling it twice does no more than calling it once: a client that lost its
                connection meanwhile may repeat it

    The function may be a plain one or a coroutine. Raises ``ConfigurationError``, here or
    when the class is built.
    """
    if function is not None:
        return Method(function)
    return lambda function: Method(function, name=name, idempotent=idempotent)


@overload
def subscription(
    function: Callable[Concatenate[Any, Context, P], AsyncIterator[R]], /
) -> Subscribable[P, R, Concatenate[Context, P], AsyncIterator[R]]: ...
@overload
def subscription(
    function: Callable[Concatenate[Any, Context, P], Coroutine[Any, Any, AsyncIterator[R]]], /
) -> Subscribable[P, R, Concatenate[Context, P], Coroutine[Any, Any, AsyncIterator[R]]]: ...
@overload
def subscription(
    function: Callable[Concatenate[Any, P], AsyncIterator[R]], /
) -> Subscribable[P, R, P, AsyncIterator[R]]: ...
@overload
def subscription(
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncIterator[R]]], /
) -> Subscribable[P, R, P, Coroutine[Any, Any, AsyncIterator[R]]]: ...
@overload
def subscription(
    *, name: str | None = None, when_slow: WhenSlow = "block"
) -> _SubscriptionDecorator: ...
def subscription(
    function: Any = None, /, *, name: str | None = None, when_slow: WhenSlow = "block"
) -> Any:
    """Declares a subscription: ``@subscription``, or with options in parentheses.

    name       as for ``method``
    when_slow  what becomes of items while the subscriber takes none: ``block`` waits for
               it, ``drop`` leaves items out and says how many, ``close`` ends it

    The function is an async generator, or returns an async iterator; if it is a coroutine
    that returns one, what it raises before refuses the subscription.
    """
    if function is not None:
        return Subscribable(function)
    return lambda function: Subscribable(function, name=name, when_slow=when_slow)


class Api:
    """A protocol: subclass it, and declare ``method`` and ``subscription``.

    One object serves all connections: state that they share lives in its attributes.
    What is not declared cannot be called, and neither can a name with an underscore.

    A connection that ends cancels its calls and subscriptions. An api that keeps more for
    it, in ``ctx.state`` or by it, may have ``disconnected(self, ctx)``, a function or a
    coroutine: it is called once for each connection, after that.
    """

    _description: Description

    def __init_subclass__(cls, **options: Any) -> None:
        """Reads the declarations; raises ``ConfigurationError`` for those that cannot work."""
        super().__init_subclass__(**options)
        frame = sys._getframe(1)
        cls._description = _describe(cls, {**frame.f_locals, cls.__name__: cls})

    # How netlab.message meets an api: it knows neither this class nor its modules, which
    # are loaded when they are needed.

    @staticmethod
    def __message_factory__(app: Any) -> Any:
        """The ``MessageFactory`` that serves ``app``, a class or an object of it."""
        return import_module("netlab.api.server").ApiFactory(app)

    @staticmethod
    def __message_client__(app: Any, endpoint: Any, **options: Any) -> Any:
        """What ``netlab.connect(endpoint, app)`` returns."""
        return import_module("netlab.api.client").connect(endpoint, app, **options)


def describe(api: type[Api] | Api) -> Description:
    """What ``api``, a class or an object of it, declares."""
    cls = api if isinstance(api, type) else type(api)
    if not (issubclass(cls, Api) and cls is not Api):
        raise ConfigurationError(f"{cls.__name__} is no subclass of netlab.api.Api")
    return cls._description


def _describe(cls: type[Api], names: dict[str, Any]) -> Description:
    declared: dict[str, Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any]] = {}
    attributes: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for attribute, value in vars(base).items():
            where = f"{cls.__name__}.{attribute}"
            if not isinstance(value, Method | Subscribable):
                if isinstance(attributes.get(attribute), _Declared):
                    raise ConfigurationError(
                        f"{where} takes the place of a method that can be called: "
                        "declare it as well, with @method or @subscription"
                    )
                continue
            attributes[attribute] = value
    for attribute, value in attributes.items():
        where = f"{cls.__name__}.{attribute}"
        if attribute.startswith("_"):
            raise ConfigurationError(
                f"{where}: names with an underscore are hidden from peers: leave out the "
                "decorator, or the underscore"
            )
        _check_name(value.name, where)
        if value.name in declared:
            other = declared[value.name].attribute
            raise ConfigurationError(
                f"{where}: {cls.__name__}.{other} is called {value.name!r} too"
            )
        value._read(where, names)
        declared[value.name] = value
    doc = inspect.cleandoc(cls.__doc__ or "") if "__doc__" in cls.__dict__ else ""
    return Description(cls.__name__, doc, declared)


def _check_name(name: object, where: str) -> None:
    if not isinstance(name, str) or not name or not name.isprintable() or len(name) > 200:
        raise ConfigurationError(f"{where}: a name is printable text, not {name!r}")
    if name.startswith(("rpc.", "$/")):
        raise ConfigurationError(
            f"{where}: names that begin with rpc. or $/ belong to the protocol itself: "
            f"choose another than {name!r}"
        )


__all__ = [
    "Api",
    "Calling",
    "Method",
    "Subscribable",
    "WhenSlow",
    "describe",
    "method",
    "subscription",
]
