"""Serving an api: on any number of connections, by ``twistd netlab message --app`` or here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netlab.errors import ConfigurationError
from netlab.framing import Framing, Line
from netlab.message import MessageFactory, MessageProtocol, MessageServer
from netlab.message import serve as serve_messages
from netlab.transport import Limits, Opening

from .connection import ApiConnection
from .declare import Api
from .interceptors import Interceptor
from .jsonrpc.codecs import JSON, Codec, codec_named
from .jsonrpc.limits import SessionLimits
from .servant import Discover, Servant


class ApiFactory(MessageFactory):
    """Makes the connections of a server of ``api``.

    api            an ``Api`` class, made once and without arguments, or an object of one
    codec          ``json`` or ``msgpack``; the clients' must be the same
    interceptors   stand before each method; see ``netlab.api.interceptors``
    limits         of each connection; its ``max_message`` is always the framing's
    deadline       seconds after which a method that still waits is cancelled, and its caller
                   told -32013. ``None``: clients cancel when their own time is up
    discover       makes the answer to ``rpc.discover`` of the api's ``Description``; an
                   OpenRPC document unless given

    An author who wants options on the command line names an object of this::

        service = ApiFactory(Calculator, codec="msgpack")  # --app calculator:service

    Raises ``ConfigurationError``.
    """

    def __init__(
        self,
        api: type[Api] | Api,
        *,
        codec: str = "json",
        interceptors: Sequence[Interceptor] = (),
        limits: SessionLimits | None = None,
        deadline: float | None = None,
        discover: Discover | None = None,
    ) -> None:
        if deadline is not None and not deadline > 0:
            raise ConfigurationError(f"deadline is in seconds, above 0, not {deadline!r}")
        self.codec: Codec = codec_named(codec)
        self.servant = Servant(api, interceptors=interceptors, discover=discover, deadline=deadline)
        self.limits = limits or SessionLimits()

    @property
    def api(self) -> Api:
        """The object whose methods are called."""
        api = self.servant.api
        assert api is not None
        return api

    def build(self) -> MessageProtocol:
        """See ``MessageFactory``."""
        return ApiConnection(self.servant, self.codec, self.limits)

    def started(self) -> None:
        """See ``MessageFactory``: heeds the framing. Raises ``ConfigurationError``."""
        self.limits = fitted(self.limits, self.framing, self.codec)


def fitted(limits: SessionLimits, framing: Framing, codec: Codec) -> SessionLimits:
    """``limits`` for connections with ``framing``; raises ``ConfigurationError``."""
    if codec is not JSON and isinstance(framing, Line):
        raise ConfigurationError(
            f"lines cannot carry {codec.name}, in which any byte may be a line's end: "
            "choose another framing, or json"
        )
    return replace(limits, max_message=framing.max_message)


def serve(
    api: type[Api] | Api,
    *endpoints: Any,
    codec: str = "json",
    interceptors: Sequence[Interceptor] = (),
    session_limits: SessionLimits | None = None,
    deadline: float | None = None,
    framing: Framing | None = None,
    limits: Limits | None = None,
    reactor: Any = None,
) -> Opening[MessageServer]:
    """Serves ``api``: ``async with serve(Calculator, "tcp:8032") as server: ...``.

    ``endpoints``, ``framing``, ``limits`` and ``reactor`` are those of ``netlab.serve``; the
    others those of ``ApiFactory``, where its ``limits`` are ``session_limits`` here.
    """
    factory = ApiFactory(
        api, codec=codec, interceptors=interceptors, limits=session_limits, deadline=deadline
    )
    return serve_messages(factory, *endpoints, framing=framing, limits=limits, reactor=reactor)
