"""Calling the other end: by a method's name, or as the class that declares it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from twisted.internet.defer import CancelledError, ensureDeferred

from netlab.errors import ConfigurationError, DeadlineExceeded, LocalProtocolError, NetlabError
from netlab.transport.hub import Hub

from .connection import ApiConnection
from .declare import Api, Method, Subscribable, describe
from .interceptors import Call, Interceptor, Next, chain
from .items import Flow, Items
from .jsonrpc.codecs import UNREADABLE, Codec
from .jsonrpc.errors import BadAnswer, Code, RpcError
from .jsonrpc.session import Params

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound=Api)

CREDIT = 32
"""Items of a subscription that may be on their way, or wait to be taken."""

REPEATS = 3
"""How often a call is repeated whose connection was lost."""


class Link(Protocol):
    """Where calls go."""

    @property
    def codec(self) -> Codec:
        """How messages are written."""

    @property
    def hub(self) -> Hub:
        """What waits."""

    @property
    def resumes(self) -> bool:
        """Whether a new connection takes the place of one that was lost."""

    async def ready(self, patient: bool) -> ApiConnection:
        """A connection that takes more; waits for one, for as long as it takes if ``patient``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to call.

    timeout     seconds for the answer; then the call is cancelled, here and there
    progress    is called with each report of how far the call is, which asks for them;
                the arguments are given by name, then
    idempotent  whether to call again when the connection is lost, on a client that
                reconnects; ``None``: as the method is declared
    credit      items of a subscription that may come before one is taken
    """

    timeout: float | None = None
    progress: Callable[[Any], None] | None = None
    idempotent: bool | None = None
    credit: int = CREDIT

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigurationError(f"timeout is in seconds, above 0, not {self.timeout!r}")
        if self.credit < 1:
            raise ConfigurationError(f"credit is 1 or more, not {self.credit!r}")


class Caller:
    """Calls the methods of the other end.

    ::

        await client.call("add", 1, 2)
        await client.call("add", a=1, b=2)
        await client.call(Calculator.add, 1, 2)  # the same, and a type checker knows
    """

    def __init__(
        self, link: Link, options: Options | None = None, interceptors: Sequence[Interceptor] = ()
    ) -> None:
        self._link = link
        self._options = options or Options()
        self._interceptors = tuple(interceptors)

    @overload
    def call(
        self, method: Method[P, R, Any, Any], *args: P.args, **named: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def call(self, method: str, *args: Any, **named: Any) -> Coroutine[Any, Any, Any]: ...
    def call(self, method: Any, *args: Any, **named: Any) -> Coroutine[Any, Any, Any]:
        """Calls ``method`` and returns its result, once awaited.

        Raises ``RpcError`` (what the other end answered), ``BadAnswer``,
        ``DeadlineExceeded`` and ``ConnectionClosed``; ``TypeError`` for arguments that
        are not as declared. Cancelling it cancels the method at the other end.
        """
        name = method if isinstance(method, str) else method.name
        declared = None if isinstance(method, str) else method
        last: Next = lambda call: self._call(call, declared)  # noqa: E731
        return self._through(Call(name, args, named), last)

    @overload
    def notify(
        self, method: Method[P, R, Any, Any], *args: P.args, **named: P.kwargs
    ) -> Coroutine[Any, Any, None]: ...
    @overload
    def notify(self, method: str, *args: Any, **named: Any) -> Coroutine[Any, Any, None]: ...
    def notify(self, method: Any, *args: Any, **named: Any) -> Coroutine[Any, Any, None]:
        """Calls ``method`` without waiting for its end: nobody tells of its errors.

        Waits while the other end is slow to read. Raises ``ConnectionClosed``.
        """
        name = method if isinstance(method, str) else method.name
        declared = None if isinstance(method, str) else method

        async def last(call: Call) -> None:
            params = self._params(call, declared)
            connection = await self._link.ready(False)
            connection.notify(call.method, params)

        return self._through(Call(name, args, named, "notification"), last)

    @overload
    def subscribe(
        self, method: Subscribable[P, R, Any, Any], *args: P.args, **named: P.kwargs
    ) -> Items[R]: ...
    @overload
    def subscribe(self, method: str, *args: Any, **named: Any) -> Items[Any]: ...
    def subscribe(self, method: Any, *args: Any, **named: Any) -> Items[Any]:
        """The items of ``method``; see ``Items``."""
        name = method if isinstance(method, str) else method.name
        declared = None if isinstance(method, str) else method
        self._params(Call(name, args, named), declared)  # what is wrong with them is said here
        opener = _Opener(self, Call(name, args, named, "subscription"), declared)
        return Items(opener, name, self._decoder(name, declared))

    def proxy(self, api: type[A]) -> type[A]:
        """The other end as ``api``: its methods, to be awaited."""
        made: Any = Proxy(self, api)
        return cast(type[A], made)

    def with_options(self, **options: Any) -> Caller:
        """Calls like this one, but for ``options``; see ``Options``."""
        return Caller(self._link, replace(self._options, **options), self._interceptors)

    # -- one call

    async def _through(self, call: Call, last: Next) -> Any:
        return await chain(self._interceptors, last)(call)

    async def _call(self, call: Call, declared: Method[Any, Any, Any, Any] | None) -> Any:
        params = self._params(call, declared)
        decode = self._decoder(call.method, declared)
        idempotent = self._options.idempotent
        if idempotent is None:
            idempotent = declared is not None and declared.idempotent
        repeats = REPEATS if idempotent and self._link.resumes else 0
        trying = self._try(call.method, params, repeats)
        return decode(await self._within(f"no answer to {call.method} came", trying))

    async def _try(self, method: str, params: Params, repeats: int) -> bytes:
        while True:
            connection = await self._link.ready(False)
            try:
                return await connection.call(method, params, self._progress())
            except (RpcError, BadAnswer, LocalProtocolError):
                raise
            except NetlabError:
                if not (repeats and connection.over):
                    raise
                repeats -= 1

    async def _within(self, what: str, trying: Coroutine[Any, Any, R]) -> R:
        timeout = self._options.timeout
        if timeout is None:
            return await trying
        waiting = ensureDeferred(trying)
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            waiting.cancel()

        hub = self._link.hub
        alarm = hub.call_at(hub.time() + timeout, expire)
        try:
            return await waiting
        except CancelledError:
            if expired:
                raise DeadlineExceeded(f"{what} within {timeout:g} s") from None
            raise
        finally:
            alarm.cancel()

    def _progress(self) -> Callable[[bytes], None] | None:
        progress = self._options.progress
        if progress is None:
            return None
        codec = self._link.codec
        return lambda value: progress(codec.parse(value))

    def _params(
        self,
        call: Call,
        declared: Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any] | None,
    ) -> Params:
        if declared is not None:
            wire = declared.on(self._link.codec)
            args, named = call.args, call.named
            if self._options.progress is not None:  # which has a name, so the others have, too
                names = [each.name for each in wire.signature.positional]
                wire.params(args, named)
                return {**dict(zip(names, args, strict=False)), **named}
            return wire.params(args, named) or None
        if call.args and call.named:
            raise TypeError(
                f"{call.method}: arguments are given by position or by name; both at once need "
                "the method's declaration"
            )
        return list(call.args) or call.named or None

    def _decoder(
        self,
        name: str,
        declared: Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any] | None,
    ) -> Callable[[bytes], Any]:
        if declared is not None:
            return declared.on(self._link.codec).value
        parse = self._link.codec.parse

        def decode(data: bytes) -> Any:
            try:
                return parse(data)
            except UNREADABLE as error:
                raise BadAnswer(f"the result of {name} cannot be read: {error}") from None

        return decode


class _Opener:
    """Opens a subscription of a ``Caller``."""

    def __init__(
        self, caller: Caller, call: Call, declared: Subscribable[Any, Any, Any, Any] | None
    ) -> None:
        self._caller = caller
        self._link = caller._link
        self._call = call
        self._declared = declared

    @property
    def resumes(self) -> bool:
        """See ``Opener``."""
        return self._link.resumes

    async def open(self, *, again: bool) -> Flow:
        """See ``Opener``."""

        async def last(call: Call) -> Flow:
            params = self._caller._params(call, self._declared)
            return await self._open(call.method, params, again)

        call = replace(self._call, named=dict(self._call.named))  # each time as it was given
        opening = self._caller._through(call, last)
        if not again:
            opening = self._caller._within(f"{call.method} was not opened", opening)
        flow: Flow = await opening
        return flow

    async def _open(self, method: str, params: Params, again: bool) -> Flow:
        credit = self._caller._options.credit
        while True:
            connection = await self._link.ready(again)
            flow = Flow(connection, credit)
            flow.subscription = connection.subscribe(method, params, credit, flow)
            try:
                await flow.wait()
            except CancelledError:
                flow.close()
                raise
            error = flow.error
            if error is None:
                return flow
            stopping = isinstance(error, RpcError) and error.code == Code.SERVER_STOPPING
            if not (again and self.resumes and (connection.over or stopping)):
                raise error
            await connection.when_over()


class Here:
    """The ``Link`` of one connection: when it is gone, it is gone."""

    resumes = False

    def __init__(self, connection: ApiConnection) -> None:
        self._connection = connection
        self.codec = connection.session.codec

    @property
    def hub(self) -> Hub:
        """The connection's."""
        return self._connection.hub

    async def ready(self, patient: bool) -> ApiConnection:
        """The connection, when it takes more; raises ``ConnectionClosed``."""
        while (room := self._connection.wait_for_room()) is not None:
            await room
        return self._connection


class Proxy:
    """Stands for an api whose methods are called elsewhere.

    It has what the api declares and nothing else, so that no name is taken;
    ``client_of`` gives the client below it.
    """

    def __init__(self, caller: Caller, api: type[Api]) -> None:
        self._caller = caller
        self._api = api
        for declared in describe(api).declared.values():
            setattr(self, declared.attribute, _bound(caller, declared))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self._api.__name__} declares no method {name!r}", name=name)

    def __repr__(self) -> str:
        return f"<client of {self._api.__name__}>"


def _bound(caller: Caller, declared: Any) -> Callable[..., Any]:
    call: Any = caller.subscribe if isinstance(declared, Subscribable) else caller.call

    def bound(*args: Any, **named: Any) -> Any:
        return call(declared, *args, **named)

    bound.__name__ = declared.attribute
    bound.__doc__ = declared.doc
    return bound


def client_of(proxy: type[A]) -> Any:
    """The ``ApiClient`` (or, on a server, the ``Caller``) behind a typed client."""
    if not isinstance(proxy, Proxy):
        raise TypeError(f"{proxy!r} is no client that was made by connect")
    return proxy._caller


def with_options(proxy: type[A], **options: Any) -> type[A]:
    """The same typed client with other ``Options``: ``with_options(calc, timeout=2).add(1, 2)``.

    Raises ``ConfigurationError``.
    """
    caller: Caller = client_of(proxy)
    other: Any = proxy
    made: Any = Proxy(caller.with_options(**options), other._api)
    return cast(type[A], made)


__all__ = ["CREDIT", "Caller", "Here", "Link", "Options", "Proxy", "client_of", "with_options"]
