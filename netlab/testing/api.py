"""An api and its clients in memory: every layer of netlab, without a network.

::

    def test_add(self) -> None:
        with pair(Calculator, faults=Faults(seed=7, chunk=3)) as link:
            self.assertEqual(link.run(link.client.add(1, 2)), 3)

As with message protocols, no time passes but what ``advance`` and ``run`` let pass.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast, overload

from twisted.internet.defer import Deferred

from netlab.api import Api, ApiClient, ApiFactory, Interceptor, SessionLimits
from netlab.framing import Framing
from netlab.message.client import CLIENT_LIMITS, Backoff
from netlab.message.connection import MessageConnection
from netlab.message.server import Application
from netlab.transport import Limits, Stream

from . import memory
from .memory import MemoryServer, Pair
from .network import Faults

A = TypeVar("A", bound=Api)


class ApiPair(MemoryServer, Generic[A]):
    """A server of an ``Api`` with one client connected; see ``pair``.

    client  the server's methods, to be awaited or iterated over
    api     the object that answers them
    """

    def __init__(
        self,
        api: type[A] | A,
        *,
        framing: Framing | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
        codec: str = "json",
        interceptors: Sequence[Interceptor] = (),
        session_limits: SessionLimits | None = None,
        deadline: float | None = None,
        serving: type[Api] | Api | None = None,
    ) -> None:
        self.factory = ApiFactory(
            api, codec=codec, interceptors=interceptors, limits=session_limits, deadline=deadline
        )
        self.clients: list[ApiClient] = []
        super().__init__(self.factory, framing=framing, limits=limits, faults=faults)
        self.client: type[A] = self.connect_api(serving=serving)

    @property
    def api(self) -> A:
        """The object whose methods are called: look at its state, or change it."""
        return cast(A, self.factory.api)

    def connect_api(
        self,
        *,
        faults: Faults | None = None,
        limits: Limits = CLIENT_LIMITS,
        reconnect: Backoff | None = None,
        timeout: float = 10.0,
        call_timeout: float | None = None,
        interceptors: Sequence[Interceptor] = (),
        serving: type[Api] | Api | None = None,
        session_limits: SessionLimits | None = None,
    ) -> type[A]:
        """One more client; see ``netlab.api.connect`` for the options.

        ``faults`` are those of the server unless given. Set ``listening`` to ``False``
        to let clients find nobody there. Raises ``ConnectFailed`` then.
        """

        def dial(connection: MessageConnection) -> Deferred[Stream]:
            return self._dial(connection, client.stats, faults, limits)

        client = ApiClient(
            self.clock,
            dial,
            framing=self.server.framing,
            limits=limits,
            timeout=timeout,
            backoff=reconnect,
            hub=self.hub,
            rng=random.Random(self.faults.seed),
            codec=self.factory.codec.name,
            call_timeout=call_timeout,
            interceptors=interceptors,
            serving=serving,
            session_limits=session_limits,
        )
        self.run(client.open())
        self.clients.append(client)
        return client.proxy(type(self.api))

    def close(self) -> None:
        """Closes the clients and stops the server."""
        for client in self.clients:
            self.run(client.close())
        super().close()


@overload
def pair(
    app: type[A] | A,
    *,
    framing: Framing | None = None,
    limits: Limits | None = None,
    faults: Faults | None = None,
    codec: str = "json",
    interceptors: Sequence[Interceptor] = (),
    session_limits: SessionLimits | None = None,
    deadline: float | None = None,
    serving: type[Api] | Api | None = None,
) -> ApiPair[A]: ...
@overload
def pair(
    app: Application,
    *,
    framing: Framing | None = None,
    limits: Limits | None = None,
    faults: Faults | None = None,
) -> Pair: ...
def pair(
    app: Any,
    *,
    framing: Framing | None = None,
    limits: Limits | None = None,
    faults: Faults | None = None,
    **options: Any,
) -> Any:
    """A server of ``app`` and one client, connected in memory.

    app      a message protocol (the client is a ``MessageClient``), or an ``Api``, class or
             object (the client has its methods)
    framing  of both; ``LengthPrefix()`` unless given
    limits   of the server
    faults   what happens to the bytes on their way, both ways

    With an ``Api`` also ``codec``, ``interceptors``, ``session_limits`` and ``deadline`` of
    the server, see ``netlab.api.ApiFactory``, and ``serving``: what the client serves.
    Raises ``ConfigurationError``.
    """
    if isinstance(app, Api) or (isinstance(app, type) and issubclass(app, Api)):
        return ApiPair(app, framing=framing, limits=limits, faults=faults, **options)
    if options:
        raise TypeError(f"pair() has no option {next(iter(options))!r} without an Api")
    return memory.pair(app, framing=framing, limits=limits, faults=faults)
