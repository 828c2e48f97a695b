"""A client of an api: connect and call; again, if it is told to."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, TypeVar, overload

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from netlab.errors import (
    ConnectFailed,
    ConnectionAborted,
    ConnectionClosed,
    DeadlineExceeded,
    NetlabError,
)
from netlab.framing import Framing, LengthPrefix
from netlab.message import Backoff, MessageConnection, MessageFactory
from netlab.message.client import CLIENT_LIMITS, Dial
from netlab.transport import Hub, Limits, Log, Opening, Stats, Stream, hub_for
from netlab.transport.client import connect_stream
from netlab.transport.deadline import Deadline, sleep

from .calling import Caller, Options, client_of
from .connection import ApiConnection
from .declare import Api
from .interceptors import Interceptor
from .jsonrpc.codecs import Codec, codec_named
from .jsonrpc.limits import SessionLimits
from .servant import Servant
from .server import fitted

A = TypeVar("A", bound=Api)


class ApiClient(Caller):
    """A connection to a server of an api, made by ``connect``.

    Any number of coroutines may use one client; answers come as they are ready.

    When the connection is lost, calls under way fail with ``ConnectionClosed``. A client
    that reconnects repeats those whose methods are declared ``idempotent``, keeps new ones
    waiting for ``timeout`` seconds, and resumes subscriptions; see ``Items``.
    """

    log = Log()

    def __init__(
        self,
        reactor: Any,
        dial: Dial,
        *,
        framing: Framing,
        limits: Limits,
        timeout: float,
        backoff: Backoff | None = None,
        hub: Hub | None = None,
        rng: random.Random | None = None,
        codec: str = "json",
        call_timeout: float | None = None,
        interceptors: Sequence[Interceptor] = (),
        serving: type[Api] | Api | None = None,
        session_limits: SessionLimits | None = None,
    ) -> None:
        super().__init__(_Redialing(self), Options(timeout=call_timeout), interceptors)
        self.stats = Stats()
        self.codec: Codec = codec_named(codec)
        self.hub = hub or hub_for(reactor)
        self.reconnects = backoff is not None
        self._reactor = reactor
        self._dial = dial
        self._framing = framing
        self._limits = limits
        self._timeout = timeout
        self._backoff = backoff
        self._rng = rng or random.Random()
        self._servant = Servant(serving)
        self._session_limits = fitted(session_limits or SessionLimits(), framing, self.codec)
        self._connection: ApiConnection | None = None
        self._up: list[Deferred[None]] = []
        self._redialing: Deferred[None] | None = None
        self._closing = False
        self._ended: NetlabError | None = None

    # -- for the program

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._connection is not None

    async def close(self) -> None:
        """Gives up what is under way and closes; returns when the connection is gone."""
        self._closing = True
        if self._redialing is not None:
            self._redialing.cancel()
        connection = self._connection
        if connection is not None:
            connection.end_calls(ConnectionClosed("the client closed the connection"))
            gone = connection.when_over()
            connection.close()
            await gone
        self._end(ConnectionClosed("the client closed the connection"))

    def abort(self) -> None:
        """Breaks the connection off at once, and connects no more."""
        self._closing = True
        if self._redialing is not None:
            self._redialing.cancel()
        if self._connection is not None:
            self._connection.abort()
        else:
            self._end(ConnectionAborted("the client was aborted"))

    # -- connecting

    async def open(self) -> ApiClient:
        """Makes the first connection; raises ``ConnectFailed``."""
        self.hub.start_ticking(self._tick)  # time-outs are kept as long as somebody waits
        try:
            await self._connect()
        except BaseException:
            self.hub.stop_ticking(self._tick)
            raise
        return self

    def _tick(self, now: float) -> None:
        """Nothing: the hub's own time is what is wanted."""

    async def _connect(self) -> None:
        factory = MessageFactory()
        factory.framing = self._framing
        factory.stats = self.stats
        connection = _Connection(self)
        connection.factory = factory
        await self._dial(MessageConnection(connection, self._framing, self._limits))

    async def _redial(self) -> None:
        assert self._backoff is not None
        last: NetlabError = ConnectFailed("no attempt was made")
        for delay in self._backoff.delays(self._rng):
            await sleep(self.hub, self._reactor, delay)
            try:
                await self._connect()
            except ConnectFailed as error:
                last = error
            else:
                return
        self._end(last)

    async def ready(self, patient: bool) -> ApiConnection:
        """The connection, once there is one and it takes more."""
        while True:
            connection = self._connection
            if connection is not None:
                try:
                    room = connection.wait_for_room()
                    if room is None:
                        return connection
                    await room
                except ConnectionClosed:  # before anything was sent: the next one will do
                    await connection.when_over()
                continue
            if self._ended is not None:
                raise copy(self._ended)  # raised again and again, one would gather every frame
            up: Deferred[None] = Deferred(self._up.remove)
            self._up.append(up)
            await (up if patient else self._soon(up))

    async def _soon(self, up: Deferred[None]) -> None:
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            up.cancel()

        deadline = Deadline(self.hub, self._reactor, self._timeout, expire)
        try:
            await up
        except CancelledError:
            if expired:
                raise DeadlineExceeded(f"not connected again within {self._timeout:g} s") from None
            raise
        finally:
            deadline.cancel()

    # -- for the connection

    def has_connected(self, connection: ApiConnection) -> None:
        """There is a connection."""
        self._connection = connection
        self._tell_up(lambda each: each.callback(None))

    def has_lost(self, reason: NetlabError) -> None:
        """There is none any more."""
        self._connection = None
        if self._backoff is None or self._closing:
            self._end(reason)
        else:
            self._redialing = ensureDeferred(self._redial())
            self._redialing.addErrback(self._redialing_failed)

    def _redialing_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        self.log.failure("connecting again failed", failure=failure)
        self._end(ConnectFailed(f"connecting again failed: {failure.value}"))

    def _end(self, reason: NetlabError) -> None:
        if self._ended is None:
            self._ended = reason
            self.hub.stop_ticking(self._tick)
        ended = self._ended
        self._tell_up(lambda each: each.errback(copy(ended)))

    def _tell_up(self, tell: Callable[[Deferred[None]], None]) -> None:
        """Tells those who wait for a connection; one may give up because of another."""
        while self._up:
            tell(self._up.pop(0))


class _Redialing:
    """The client, as the ``Link`` of its calls."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    @property
    def codec(self) -> Codec:
        return self._client.codec

    @property
    def hub(self) -> Hub:
        return self._client.hub

    @property
    def resumes(self) -> bool:
        return self._client.reconnects and not self._client._closing

    async def ready(self, patient: bool) -> ApiConnection:
        return await self._client.ready(patient)


class _Connection(ApiConnection):
    """One connection of a client."""

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client._servant, client.codec, client._session_limits)
        self._client = client

    @property
    def remote(self) -> Caller:
        """The client itself."""
        return self._client

    def connected(self) -> None:
        self._client.has_connected(self)

    def ending(self, reason: NetlabError | None) -> None:
        """The server has ended its side: nothing that it asked is worth finishing."""
        self.close()

    def disconnected(self, reason: NetlabError | None) -> None:
        if reason is None:
            closer = "client" if self._client._closing else "server"
            reason = ConnectionClosed(f"the {closer} closed the connection")
        self._client.has_lost(reason)
        super().disconnected(reason)


@overload
def connect(
    endpoint: str | IStreamClientEndpoint,
    api: type[A],
    *,
    codec: str = "json",
    call_timeout: float | None = None,
    interceptors: Sequence[Interceptor] = (),
    serving: type[Api] | Api | None = None,
    session_limits: SessionLimits | None = None,
    framing: Framing | None = None,
    timeout: float = 10.0,
    reconnect: Backoff | None = None,
    limits: Limits = CLIENT_LIMITS,
    ca_file: str | None = None,
    reactor: Any = None,
) -> Opening[type[A]]: ...
@overload
def connect(
    endpoint: str | IStreamClientEndpoint,
    api: None = None,
    *,
    codec: str = "json",
    call_timeout: float | None = None,
    interceptors: Sequence[Interceptor] = (),
    serving: type[Api] | Api | None = None,
    session_limits: SessionLimits | None = None,
    framing: Framing | None = None,
    timeout: float = 10.0,
    reconnect: Backoff | None = None,
    limits: Limits = CLIENT_LIMITS,
    ca_file: str | None = None,
    reactor: Any = None,
) -> Opening[ApiClient]: ...
def connect(
    endpoint: str | IStreamClientEndpoint,
    api: type[Api] | None = None,
    *,
    codec: str = "json",
    call_timeout: float | None = None,
    interceptors: Sequence[Interceptor] = (),
    serving: type[Api] | Api | None = None,
    session_limits: SessionLimits | None = None,
    framing: Framing | None = None,
    timeout: float = 10.0,
    reconnect: Backoff | None = None,
    limits: Limits = CLIENT_LIMITS,
    ca_file: str | None = None,
    reactor: Any = None,
) -> Any:
    """Connects to a server of ``api``::

        async with connect("tcp:localhost:8032", Calculator) as calc:
            await calc.add(1, 2)
            async for number in calc.countdown(3): ...

    api             the class with the server's methods: what is opened has these, and nothing
                    else (see ``client_of``). Without it, an ``ApiClient``
    codec           ``json`` or ``msgpack``; the server's must be the same
    call_timeout    seconds for each answer; see ``with_options`` for a single call's
    interceptors    stand before each call; see ``netlab.api.interceptors``
    serving         an ``Api``, a class or an object, that the server may call
    session_limits  what the server may take of this side

    The others are those of ``netlab.connect``. Raises ``ConnectFailed`` and
    ``ConfigurationError``.
    """
    if reactor is None:
        from twisted.internet import reactor

    framing = framing or LengthPrefix()

    def dial(connection: MessageConnection) -> Deferred[Stream]:
        return connect_stream(
            reactor,
            endpoint,
            connection,
            timeout=timeout,
            limits=limits,
            stats=client.stats,
            ca_file=ca_file,
        )

    client = ApiClient(
        reactor,
        dial,
        framing=framing,
        limits=limits,
        timeout=timeout,
        backoff=reconnect,
        codec=codec,
        call_timeout=call_timeout,
        interceptors=interceptors,
        serving=serving,
        session_limits=session_limits,
    )
    if api is None:
        return Opening(client.open(), lambda opened: opened.close())
    proxy = client.proxy(api)

    async def open_() -> Any:
        await client.open()
        return proxy

    return Opening(open_(), lambda opened: client_of(opened).close())
