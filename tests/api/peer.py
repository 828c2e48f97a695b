"""A server of an ``Api`` in a thread, to test blocking clients with: a Session, no Twisted."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from netlab.api import Api, describe
from netlab.api.declare import Method, Subscribable
from netlab.api.jsonrpc import (
    JSON,
    Code,
    Codec,
    CreditCame,
    Event,
    Publication,
    RequestCame,
    RpcError,
    Session,
    Unsubscribed,
    error_of,
)
from netlab.api.openrpc import DISCOVER, document
from netlab.framing import Framing, LengthPrefix
from tests.peer import PeerCase

Step = Callable[["Connection", list[Event]], object]


class Connection:
    """Serves ``api`` on one socket. Its coroutines must not wait, or they wait for ever."""

    def __init__(
        self,
        peer: socket.socket,
        api: Api,
        framing: Framing,
        codec: Codec = JSON,
        *,
        discovers: bool = True,
    ) -> None:
        self.peer = peer
        self.api = api
        self.framing = framing
        self.session = Session(codec)
        self.discovers = discovers
        self.streams: dict[Publication, tuple[Any, AsyncIterator[Any]]] = {}
        self.seen: list[Event] = []

    def run(self, step: Step | None = None) -> None:
        """Until the client has finished.

        ``step`` may do something after each message; with ``Never``, it is the last.
        """
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        decoder = self.framing.decoder()
        while data := self.peer.recv(65536):
            for message in decoder.feed(data):
                events = self.session.receive(message)
                self.seen += events
                for event in events:
                    self.happen(event)
                if step is not None and step(self, events) is Never:
                    return
                self.flush()

    def flush(self) -> None:
        self.peer.sendall(self.framing.encode_many(self.session.take()))

    def happen(self, event: Event) -> None:
        if isinstance(event, RequestCame):
            try:
                self.answer(event)
            except RpcError as error:
                self.session.reply_error(event, error)
        elif isinstance(event, CreditCame):
            self.publish(event.publication)
        elif isinstance(event, Unsubscribed):
            self.streams.pop(event.publication, None)

    def answer(self, request: RequestCame) -> None:
        described = describe(self.api)
        if request.method == DISCOVER and self.discovers:
            self.session.reply(request, document(described))
            return
        declared = described.declared.get(request.method)
        if declared is None:
            raise error_of(Code.METHOD_NOT_FOUND, request.method)
        wire = declared.on(self.session.codec)
        args, named, token = wire.arguments(request.params)
        result = declared.invoke(self.api, args, named)
        if isinstance(declared, Subscribable):
            publication = self.session.accept(request)
            self.streams[publication] = wire, result
            self.publish(publication)
        elif result is not Never:
            assert isinstance(declared, Method)
            if token is not None:
                self.session.progress(token, 50)
            self.session.reply(request, wire.result(result))

    def publish(self, publication: Publication) -> None:
        wire, items = self.streams[publication]
        while publication.ready:
            try:
                items.__anext__().send(None)  # type: ignore[attr-defined]
            except StopIteration as given:
                self.session.publish(publication, wire.result(given.value))
            except StopAsyncIteration:
                self.session.end(publication)
            except RpcError as error:
                self.session.end(publication, error)
            else:
                return  # it waits: no more comes


class _Never:
    """What a method returns that never answers."""


Never: Any = _Never()


class ApiCase(PeerCase):
    """Serves an ``Api``, one connection."""

    def serve_api(
        self,
        api: Api,
        framing: Framing | None = None,
        codec: Codec = JSON,
        step: Step | None = None,
        *,
        discovers: bool = True,
    ) -> str:
        """Returns the endpoint; what was received is in ``self.connections``."""
        self.connections: list[Connection] = getattr(self, "connections", [])

        def script(peer: socket.socket) -> None:
            connection = Connection(
                peer, api, framing or LengthPrefix(), codec, discovers=discovers
            )
            self.connections.append(connection)
            connection.run(step)

        return self.serve(script)
