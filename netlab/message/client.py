"""A message client: connect, send, receive; again, if it is told to."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IStreamClientEndpoint

from netlab.errors import (
    ConfigurationError,
    ConnectFailed,
    ConnectionAborted,
    ConnectionClosed,
    DeadlineExceeded,
    LocalProtocolError,
    NetlabError,
)
from netlab.framing import Framing, LengthPrefix
from netlab.transport import Limits, Opening, Stats, Stream
from netlab.transport.client import connect_stream
from netlab.transport.deadline import Deadline, sleep
from netlab.transport.hub import Hub, hub_for

from .connection import MessageConnection
from .protocol import MessageFactory, MessageProtocol

CLIENT_LIMITS = Limits(idle_timeout=None)
"""A client waits for as long as its program wants to; the server hangs up on the idle."""

R = TypeVar("R")
A = TypeVar("A")
Dial = Callable[[MessageConnection], Deferred[Stream]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before each new try: exponential, with jitter.

    initial   seconds before the first new try
    factor    how many times longer each wait is than the one before
    maximum   seconds, the longest wait
    jitter    each wait is shortened by a random share of up to this (0 to 1), so that
              a thousand clients of a restarted server do not come back at once
    attempts  tries in a row before giving up; ``None``: never
    """

    initial: float = 0.5
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.5
    attempts: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.initial <= self.maximum and self.factor >= 1 and 0 <= self.jitter <= 1):
            raise ConfigurationError(
                f"{self} cannot work: 0 < initial <= maximum, factor >= 1 and 0 <= jitter <= 1"
            )

    def delays(self, rng: random.Random) -> Iterator[float]:
        """The waits in seconds, one for each try; ``rng`` gives the jitter."""
        delay = self.initial
        tries = 0
        while self.attempts is None or tries < self.attempts:
            yield delay * (1 - self.jitter * rng.random())
            delay = min(self.maximum, delay * self.factor)
            tries += 1


class MessageClient:
    """A connection to a message server, made by ``connect``.

    Messages arrive in order; when the program does not take them, reading
    stops and TCP holds the server back. Any number of coroutines may use one
    client: ``request`` pairs the n-th answer with the n-th request.
    """

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
    ) -> None:
        self.stats = Stats()
        self._reactor = reactor
        self._hub = hub or hub_for(reactor)
        self._dial = dial
        self._framing = framing
        self._limits = limits
        self._timeout = timeout
        self._backoff = backoff
        self._rng = rng or random.Random()
        self._session: _Session | None = None
        self._inbox: deque[bytes] = deque()
        self._inbox_size = 0
        self._waiting: deque[Deferred[bytes]] = deque()
        self._up: list[Deferred[None]] = []
        self._room: Deferred[None] | None = None
        self._redialing: Deferred[None] | None = None
        self._closing = False
        self._ended: NetlabError | None = None
        self._gone: list[Deferred[None]] = []

    # -- for the program

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._session is not None

    async def send(self, message: bytes) -> None:
        """Sends ``message``; waits while the server is slow to read, or a connection is missing.

        Raises ``OutgoingFrameTooLong``, ``ConnectionClosed`` or ``DeadlineExceeded``.
        A message that was sent when the connection broke is not sent again.
        """
        session = await self._ready_session()
        await session.send(message)

    async def receive(self, timeout: float | None = None) -> bytes:
        """The next message; waits for it, for ``timeout`` seconds at the most.

        Raises ``ConnectionClosed`` when none can come any more, ``DeadlineExceeded``
        after ``timeout``; a message that comes later is for the next call. When the
        server broke the rules of the framing, that error: ``RemoteProtocolError``.
        """
        if self._inbox:
            return self._take()
        self._check_open()
        waiter: Deferred[bytes] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        return await self._within(timeout, waiter, "no message came")

    async def request(self, message: bytes, timeout: float | None = None) -> bytes:
        """Sends ``message`` and returns the answer to it, within ``timeout`` seconds.

        Takes the n-th message from the server as the answer to the n-th request,
        also when an earlier request has timed out. Raises as ``send`` and ``receive``.
        """
        asking = ensureDeferred(self._request(message))
        return await self._within(timeout, asking, "no answer came")

    async def _request(self, message: bytes) -> bytes:
        session = await self._ready_session()
        if self._inbox:
            raise LocalProtocolError(
                f"{len(self._inbox)} messages wait to be received: they would be taken "
                "for the answer"
            )
        session.send(message)
        # Given up, it stays in line all the same, to take the answer that is late.
        waiter: Deferred[bytes] = Deferred(_stay)
        self._waiting.append(waiter)
        return await waiter

    def __aiter__(self) -> MessageClient:
        return self

    async def __anext__(self) -> bytes:
        """The next message; the iteration ends when the server closes the connection."""
        try:
            return await self.receive()
        except ConnectionClosed:
            if type(self._ended) is ConnectionClosed:
                raise StopAsyncIteration from None
            raise

    async def close(self) -> None:
        """Sends what waits and closes; returns when the connection is gone."""
        self._closing = True
        if self._redialing is not None:
            self._redialing.cancel()
        if self._session is not None:
            gone: Deferred[None] = Deferred()
            self._gone.append(gone)
            self._session.close()
            await gone
        self._end(ConnectionClosed("the client closed the connection"))

    def abort(self) -> None:
        """Breaks the connection off at once, and connects no more."""
        self._closing = True
        if self._redialing is not None:
            self._redialing.cancel()
        if self._session is not None:
            self._session.abort()
        else:
            self._end(ConnectionAborted("the client was aborted"))

    # -- connecting

    async def open(self) -> MessageClient:
        """Makes the first connection; raises ``ConnectFailed``."""
        await self._connect()
        return self

    async def _connect(self) -> None:
        factory = MessageFactory()
        factory.framing = self._framing
        factory.stats = self.stats
        session = _Session(self)
        session.factory = factory
        await self._dial(MessageConnection(session, self._framing, self._limits))

    async def _redial(self) -> None:
        assert self._backoff is not None
        last: NetlabError = ConnectFailed("no attempt was made")
        for delay in self._backoff.delays(self._rng):
            await sleep(self._hub, self._reactor, delay)
            try:
                await self._connect()
            except ConnectFailed as error:
                last = error
            else:
                return
        self._end(last)

    async def _ready_session(self) -> _Session:
        """The connection, once there is one and it takes more."""
        while True:
            session = self._session
            if session is None:
                self._check_open()
                up: Deferred[None] = Deferred(self._up.remove)
                self._up.append(up)
                await self._within(self._timeout, up, "not connected again")
                continue
            room = session.wait_for_room()
            if room is None:
                return session
            await room

    def _check_open(self) -> None:
        if self._ended is not None:
            raise copy(self._ended)  # raised again and again, one would gather every frame

    # -- for the session

    def _connected(self, session: _Session) -> None:
        self._session = session
        waiting, self._up = self._up, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    def _arrived(self, message: bytes) -> Awaitable[None] | None:
        if self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.called:  # else its request has timed out: this answer is nobody's
                waiter.callback(message)
            return None
        self._inbox.append(message)
        self._inbox_size += len(message) + 64
        if self._inbox_size > self._limits.high_water:
            self._room = Deferred()
            return self._room
        return None

    def _take(self) -> bytes:
        message = self._inbox.popleft()
        self._inbox_size -= len(message) + 64
        if self._room is not None and self._inbox_size <= self._limits.low_water:
            room, self._room = self._room, None
            room.callback(None)
        return message

    def _disconnected(self, reason: NetlabError | None) -> None:
        self._session = None
        self._room = None
        gone, self._gone = self._gone, []
        if reason is None:
            closer = "client" if self._closing else "server"
            reason = ConnectionClosed(f"the {closer} closed the connection")
        if self._backoff is None or self._closing:
            self._end(reason)
        else:
            self._fail_waiting(reason)
            self._redialing = ensureDeferred(self._redial())
            self._redialing.addErrback(lambda failure: failure.trap(Exception) and None)
        for each in gone:
            each.callback(None)

    def _end(self, reason: NetlabError) -> None:
        if self._ended is None:
            self._ended = reason
        self._fail_waiting(self._ended)
        waiting, self._up = self._up, []
        for each in waiting:
            if not each.called:
                each.errback(copy(self._ended))

    def _fail_waiting(self, reason: NetlabError) -> None:
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if not each.called:
                each.errback(copy(reason))

    # -- time

    async def _within(self, timeout: float | None, waiting: Deferred[R], what: str) -> R:
        if timeout is None:
            return await waiting
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            waiting.cancel()

        deadline = Deadline(self._hub, self._reactor, timeout, expire)
        try:
            return await waiting
        except CancelledError:
            if expired:
                raise DeadlineExceeded(f"{what} within {timeout:g} s") from None
            raise
        finally:
            deadline.cancel()


def _stay(waiter: Deferred[bytes]) -> None:
    """Cancelled, a request's waiter keeps its place in the line."""


class _Session(MessageProtocol):
    """One connection of a client."""

    def __init__(self, client: MessageClient) -> None:
        self.client = client

    def wait_for_room(self) -> Deferred[None] | None:
        return self._connection.wait_for_room()

    def connected(self) -> None:
        self.client._connected(self)

    def message_received(self, message: bytes) -> Any:
        return self.client._arrived(message)

    def disconnected(self, reason: NetlabError | None) -> None:
        self.client._disconnected(reason)


@overload
def connect(
    endpoint: str | IStreamClientEndpoint,
    *,
    framing: Framing | None = None,
    timeout: float = 10.0,
    reconnect: Backoff | None = None,
    limits: Limits = CLIENT_LIMITS,
    ca_file: str | None = None,
    reactor: Any = None,
) -> Opening[MessageClient]: ...
@overload
def connect(
    endpoint: str | IStreamClientEndpoint,
    api: type[A],
    *,
    framing: Framing | None = None,
    timeout: float = 10.0,
    reconnect: Backoff | None = None,
    limits: Limits = CLIENT_LIMITS,
    ca_file: str | None = None,
    reactor: Any = None,
    **options: Any,
) -> Opening[type[A]]: ...
def connect(
    endpoint: str | IStreamClientEndpoint,
    api: Any = None,
    *,
    framing: Framing | None = None,
    timeout: float = 10.0,
    reconnect: Backoff | None = None,
    limits: Limits = CLIENT_LIMITS,
    ca_file: str | None = None,
    reactor: Any = None,
    **options: Any,
) -> Any:
    """Connects to a message server: ``client = await connect("tcp:localhost:8032")``.

    endpoint   a Twisted client endpoint string (``tcp:``, ``tls:``, ``unix:``) or object
    api        a class that declares the server's methods: the client has them, and takes
               the other options of ``netlab.api.connect``, too
    framing    ``LengthPrefix()`` unless given; it must be the server's
    timeout    seconds for connecting, and for waiting until connected again
    reconnect  a ``Backoff`` to connect again when the connection is lost
    limits     the deadlines and water marks of ``Limits``; no idle time-out by default
    ca_file    a PEM file of authorities to trust instead of the system's, with ``tls:``
    reactor    the global reactor unless given

    The result can be awaited, or entered with ``async with``, which closes the
    client at the end. Raises ``ConnectFailed`` and ``ConfigurationError``.
    """
    if api is not None:
        if not hasattr(api, "__message_client__"):
            raise ConfigurationError(f"{api!r} is no class of methods: give a subclass of Api")
        options |= {"framing": framing, "timeout": timeout, "reconnect": reconnect}
        options |= {"limits": limits, "ca_file": ca_file, "reactor": reactor}
        return api.__message_client__(api, endpoint, **options)
    if options:
        raise TypeError(f"connect() has no option {next(iter(options))!r} without an Api")
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

    client = MessageClient(
        reactor, dial, framing=framing, limits=limits, timeout=timeout, backoff=reconnect
    )
    return Opening(client.open(), lambda opened: opened.close())
