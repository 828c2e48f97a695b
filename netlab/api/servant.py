"""An api as it is served: its methods by name, what stands before them, and its errors."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from types import MethodType
from typing import Any

from msgspec import Raw
from twisted.python.failure import Failure

from netlab.errors import ConfigurationError
from netlab.transport import Log, address_text

from .context import Context
from .declare import Api, Method, Subscribable, describe
from .description import Description
from .interceptors import Call, Interceptor, chain
from .jsonrpc.codecs import Codec
from .jsonrpc.errors import Code, RpcError, error_of, internal_error
from .jsonrpc.events import NotificationCame, RequestCame
from .quick import Quick, quick_reader
from .signature import Passing

Discover = Callable[[Description], Any]
"""Makes the document that ``rpc.discover`` answers."""

_AS_THEY_ARE = (int, str, bool, type(None))
"""Results of which nothing but the type has to be checked."""

DISCOVER = "rpc.discover"


class Entry:
    """One method in one codec, ready to be called.

    plain          a method that needs nothing but its arguments
    simple         one to which all of them have to be given, and may be by position
    exact          the type that a result has to be of to need no further check
    wants_context  whether to make a ``Context``
    """

    __slots__ = (
        "_api",
        "_chain",
        "arguments",
        "declared",
        "exact",
        "function",
        "plain",
        "simple",
        "wants_context",
        "wire",
    )

    def __init__(
        self,
        api: Api,
        declared: Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any],
        codec: Codec,
        interceptors: Sequence[Interceptor],
    ) -> None:
        signature = declared.signature
        self.declared = declared
        self.wire = declared.on(codec)
        self.arguments = self.wire.arguments
        self.function = MethodType(declared.function, api)
        self.exact = signature.result if signature.result in _AS_THEY_ARE else None
        if signature.result is None:
            self.exact = type(None)
        self.wants_context = signature.context is not None or bool(interceptors)
        self.plain = not (self.wants_context or isinstance(declared, Subscribable))
        self.simple = self.plain and all(
            each.required and each.passing is not Passing.NAMED for each in signature.arguments
        )
        self._api = api
        self._chain = chain(interceptors, self._last) if interceptors else None

    def call(
        self,
        event: RequestCame | NotificationCame,
        args: tuple[Any, ...],
        named: dict[str, Any],
        context: Context | None,
    ) -> Any:
        """Calls the method, behind the interceptors; gives what it returns, awaitable or not."""
        if self._chain is None:
            return self.declared.invoke(self._api, args, named, context)
        call = Call(event.method, args, named, "call", context)
        if isinstance(event, NotificationCame):
            call.kind = "notification"
        elif isinstance(self.declared, Subscribable):
            call.kind = "subscription"
        return self._chain(call)

    async def _last(self, call: Call) -> Any:
        value = self.declared.invoke(self._api, call.args, call.named, call.context)
        return await value if isinstance(value, Awaitable) else value


class Servant:
    """What answers the calls of all connections.

    api           an ``Api`` class, made without arguments, or an object of one; ``None`` has no
                  methods
    interceptors  stand before each method; the first is the outermost
    discover      makes the document for ``rpc.discover``; OpenRPC unless given
    deadline      seconds after which a method is cancelled, and its caller told -32013

    ``farewell`` is the api's ``disconnected``, if it has one. Raises ``ConfigurationError``.
    """

    log = Log()

    def __init__(
        self,
        api: type[Api] | Api | None,
        *,
        interceptors: Sequence[Interceptor] = (),
        discover: Discover | None = None,
        deadline: float | None = None,
    ) -> None:
        self.description = None if api is None else describe(api)
        self.api = _made(api) if isinstance(api, type) else api
        self.interceptors = tuple(interceptors)
        self.deadline = deadline
        self.farewell = _farewell(self.api)
        self._discover = discover or _open_rpc
        self._entries: dict[str, dict[str, Entry]] = {}
        self._quick: dict[str, Quick] = {}
        self._documents: dict[str, Raw] = {}

    def entries(self, codec: Codec) -> dict[str, Entry]:
        """The methods by name, in ``codec``."""
        entries = self._entries.get(codec.name)
        if entries is None:
            entries = self._entries[codec.name] = {}
            if self.api is not None and self.description is not None:
                for name, declared in self.description.declared.items():
                    entries[name] = Entry(self.api, declared, codec, self.interceptors)
        return entries

    def quick(self, codec: Codec) -> Quick:
        """What reads calls in ``codec`` in one step."""
        quick = self._quick.get(codec.name)
        if quick is None:
            quick = self._quick[codec.name] = quick_reader(self.entries(codec), codec)
        return quick

    def built_in(self, method: str, codec: Codec, *, guess: bool) -> Raw:
        """The result of a method that every api has.

        Raises ``RpcError`` when it is none, which with ``guess`` names the one that may be
        meant: a look at all names, whose cost grows with their number.
        """
        if method != DISCOVER or self.description is None:
            raise error_of(Code.METHOD_NOT_FOUND, self._hint(method, guess))
        document = self._documents.get(codec.name)
        if document is None:
            document = Raw(codec.encode(self._discover(self.description)))
            self._documents[codec.name] = document
        return document

    def _hint(self, method: str, guess: bool) -> str:
        from difflib import get_close_matches

        names = self.description.declared if guess and self.description is not None else ()
        shown = method[:80]
        near = get_close_matches(shown, names, 1)
        return f"there is no {shown}; is it {near[0]}?" if near else f"there is no {shown}"

    def incident(self, method: str, failure: Failure, peer: Any) -> RpcError:
        """Logs ``failure`` under a name, and gives what the peer is told: the name alone."""
        incident = secrets.token_hex(4)
        self.log.failure(
            "incident {incident}: {api}.{method}, called by {peer}, raised an error",
            failure=failure,
            incident=incident,
            api=type(self.api).__name__,
            method=method,
            peer=address_text(peer),
        )
        return internal_error(incident)


def _made(api: type[Api]) -> Api:
    try:
        return api()
    except TypeError as error:
        raise ConfigurationError(
            f"{api.__name__} cannot be made without arguments ({error}): give an object of it"
        ) from error


def _farewell(api: Api | None) -> Callable[[Context], Any] | None:
    hook = getattr(api, "disconnected", None)
    if api is None or isinstance(getattr(type(api), "disconnected", None), (Method, Subscribable)):
        return None  # a method of that name is for peers
    return hook if callable(hook) else None


def _open_rpc(description: Description) -> Any:
    from .openrpc import document

    return document(description)
