"""Clients of an ``Api`` for scripts and classrooms: plain blocking calls, no reactor, no Twisted.

    from calculator import Calculator
    from netlab.blocking import connect

    with connect("tcp:localhost:8032", Calculator) as calc:
        print(calc.add(1, 2))
        for number in calc.countdown(3):
            print(number)

What ``calc`` has besides is said in ``ApiClient``; how it waits, in ``netlab.api.caller``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from netlab.errors import ConfigurationError
from netlab.framing import Framing, Line
from netlab.pipe import Deadline

from .caller import Caller, Items, Report
from .declare import Api, Method, Subscribable, describe
from .jsonrpc import MSGPACK, Codec, Params, codec_named

if TYPE_CHECKING:
    from netlab.blocking import Timeout

P = ParamSpec("P")
R = TypeVar("R")


def check(api: type[Api], framing: Framing, codec: str) -> Codec:
    """The codec by its name. Raises ``ConfigurationError`` for what cannot work together."""
    if api is not Api:
        describe(api)
    chosen = codec_named(codec)
    if chosen is MSGPACK and isinstance(framing, Line):
        raise ConfigurationError(
            "messages in msgpack may hold the end of a line: use another framing than line"
        )
    return chosen


class ApiClient:
    """A connection to a server of an ``Api``, made by ``netlab.blocking.connect``.

    Has the methods and subscriptions of the class that ``connect`` was given, as its
    author named them; ``connect(endpoint, Api)``, with the base class itself, has none of
    them, only ``call`` and ``subscribe`` by name.

    A method returns its result, converted to what its annotation says. A subscription
    returns ``Items`` to iterate over. Both raise ``RpcError`` when the server answers with
    one; ``DeadlineExceeded`` when it does not in time: then the call is cancelled there,
    and the connection goes on; ``ConnectionClosed``; ``RemoteProtocolError``, such as
    ``BadAnswer`` for a result that is not as declared; and ``TypeError`` for arguments
    that the method does not have.

    To a type checker, ``calc.add(1, 2)`` is ``Any``; ``calc.call(Calculator.add, 1, 2)`` does
    the same, and its arguments and its result are checked.

    Use it from one thread at a time. The server's own calls are answered with -32601.
    """

    def __init__(self, caller: Caller, api: type[Api], timeout: float | None) -> None:
        self._caller = caller
        self._api = api
        self._declared = {} if api is Api else describe(api).declared
        self._timeout = timeout
        self._item_timeout: float | None = None
        self._progress: Report | None = None

    @overload
    def call(self, method: Method[P, R, Any, Any], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any: ...
    def call(self, method: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Calls ``method``, a declared one or a name: ``call("add", a=1, b=2)``.

        Of a name that the class does not declare, the result is what the codec makes of it.
        """
        declared = self._find(method)
        if isinstance(declared, Subscribable):
            raise TypeError(f"{declared.name} is a subscription: use subscribe")
        if declared is None:
            params = _params(args, kwargs)
            result = self._caller.request(method, params, self._timeout, self._progress)
            return self._caller.decode(result)
        wire = declared.on(self._caller.codec)
        params = wire.params(args, kwargs)
        if self._progress is not None and not isinstance(params, dict):
            names = (each.name for each in declared.signature.arguments)
            params = dict(zip(names, params, strict=False))
        name = declared.name
        return wire.value(self._caller.request(name, params, self._timeout, self._progress))

    @overload
    def subscribe(
        self, method: Subscribable[P, R, Any, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Items[R]: ...
    @overload
    def subscribe(self, method: str, /, *args: Any, **kwargs: Any) -> Items[Any]: ...
    def subscribe(self, method: Any, /, *args: Any, **kwargs: Any) -> Items[Any]:
        """Subscribes to ``method``, a declared one or a name; returns when it is accepted.

        The items take as long as they take; see ``with_options`` for a limit. Leaving the
        loop, or ``close()`` of what is returned, ends it.
        """
        declared = self._find(method)
        if isinstance(declared, Method):
            raise TypeError(f"{declared.name} is a method, no subscription: use call")
        if declared is None:
            params, decode = _params(args, kwargs), self._caller.decode
        else:
            wire = declared.on(self._caller.codec)
            method, params, decode = declared.name, wire.params(args, kwargs), wire.value
        caller, limit = self._caller, self._item_timeout
        return caller.subscribe(method, params, self._timeout, decode, limit)

    def notify(self, method: str, /, *args: Any, **kwargs: Any) -> None:
        """Calls ``method`` without wanting an answer: not even an error comes back."""
        declared = self._find(method)
        if declared is None:
            params = _params(args, kwargs)
        else:
            params = declared.on(self._caller.codec).params(args, kwargs)
        self._caller.notify(method, params, self._timeout)

    def with_options(self, *, timeout: Timeout = ..., progress: Report | None = None) -> ApiClient:
        """The same connection, used otherwise: ``calc.with_options(timeout=60).add(1, 2)``.

        timeout   seconds for a call; for a subscription, until it is accepted and for
                  each item; ``None``: no limit; ``...``: as before
        progress  is called with each report on how far a call is, such as
                  ``lambda done: print(done)``; the server is asked for them
        """
        other = ApiClient(self._caller, self._api, self._timeout)
        other._item_timeout, other._progress = self._item_timeout, progress or self._progress
        if not isinstance(timeout, EllipsisType):
            Deadline(timeout, "")  # raises ConfigurationError here rather than with each call
            other._timeout = other._item_timeout = timeout
        return other

    def close(self) -> None:
        """Closes in good order; calling it twice does nothing, and no error is raised."""
        self._caller.close()

    def abort(self) -> None:
        """Closes at once and waits for nothing."""
        self._caller.abort()

    def __enter__(self) -> ApiClient:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes: in good order, or at once when there was an error (Ctrl-C is one)."""
        self._caller.__exit__(kind, error, traceback)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The declared methods and subscriptions."""
        declared = None if name.startswith("_") else getattr(self._api, name, None)
        if isinstance(declared, Method):
            return _named(declared, lambda *args, **kwargs: self.call(declared, *args, **kwargs))
        if isinstance(declared, Subscribable):
            return _named(
                declared, lambda *args, **kwargs: self.subscribe(declared, *args, **kwargs)
            )
        if self._api is Api:
            raise AttributeError(f"Api declares nothing: use call({name!r}, ...)")
        near = get_close_matches(name, self._names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"{self._api.__name__} declares no {name!r}{hint}")

    def __dir__(self) -> list[str]:
        """For completion in an interactive Python."""
        return [*super().__dir__(), *self._names()]

    def _names(self) -> list[str]:
        return [each.attribute for each in self._declared.values()]

    def _find(self, method: Any) -> Any:
        """What is declared as ``method``; ``None`` for a name that is not."""
        return self._declared.get(method) if isinstance(method, str) else method


def _named(declared: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__, function.__doc__ = declared.attribute, declared.doc
    return function


def _params(args: Sequence[Any], named: Mapping[str, Any]) -> Params:
    if args and named:
        raise TypeError("by name only, arguments are all by position or all by name")
    return list(args) or dict(named) or None


__all__ = ["ApiClient", "Caller", "Items", "check"]
