"""Sending on a connection of an api: nothing piles up in front of a peer that reads slowly."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from netlab.errors import ConnectionClosed, LocalProtocolError
from netlab.message import MessageProtocol
from netlab.message.connection import MessageConnection
from netlab.transport import Hub, Log

from .jsonrpc.codecs import Codec
from .jsonrpc.limits import SessionLimits
from .jsonrpc.session import Session


class Wanting(Protocol):
    """Who waits until the connection takes more."""

    def has_room(self) -> None:
        """It does."""


class Sending(MessageProtocol):
    """A connection that sends what its session has to say.

    session  the state of the protocol; whoever changes it calls ``flush``
    """

    log = Log()

    def __init__(self, codec: Codec, limits: SessionLimits) -> None:
        self.session = Session(codec, limits)
        self._unsent: list[bytes] = []
        self._wanting: dict[Wanting, None] = {}
        self._watching = False
        self._over = False
        self._afterwards: list[Deferred[None]] = []

    @property
    def over(self) -> bool:
        """Whether the connection is gone."""
        return self._over

    def when_over(self) -> Deferred[None]:
        """Fires when the connection is gone."""
        over: Deferred[None] = Deferred(lambda each: self._afterwards.remove(each))
        if self._over:
            over.callback(None)
        else:
            self._afterwards.append(over)
        return over

    @property
    def hub(self) -> Hub:
        """What it waits with."""
        return self._connection.stream.hub

    @property
    def sender(self) -> MessageConnection:
        """What sends, for those who send past the session: mind its ``stream.full``."""
        return self._connection

    def wait_for_room(self) -> Deferred[None] | None:
        """See ``MessageConnection.wait_for_room``; raises ``ConnectionClosed``."""
        return self._connection.wait_for_room()

    def is_full(self) -> bool:
        """Whether the peer is slow to take what was sent: nothing more should be made."""
        return self._connection.stream.full or bool(self._unsent)

    def flush(self) -> None:
        """Sends what the session has to say, as soon as the peer takes it."""
        messages = self.session.take()
        if messages and not self._over:
            self._post(messages)

    def _post(self, messages: list[bytes]) -> None:
        if self._unsent:
            self._unsent += messages
            return
        stream = self._connection.stream
        for number, message in enumerate(messages):
            if stream.full:
                self._unsent = messages[number:]
                self._watch()
                self._account()
                return
            try:
                self.send(message)
            except LocalProtocolError as error:
                self.log.warn("a message cannot be sent: {error}", error=str(error))

    def wants_room(self, waiting: Wanting) -> None:
        """Calls ``waiting.has_room`` when the connection, or its subscriber, takes more."""
        if self.is_full():
            self._wanting[waiting] = None
            self._watch()

    def _watch(self) -> None:
        if self._watching:
            return
        try:
            room = self._connection.wait_for_room()
        except ConnectionClosed:  # nobody waits any more for what is left
            self._unsent.clear()
            return
        assert room is not None
        self._watching = True
        room.addCallbacks(self._has_room, lambda failure: None)

    def _has_room(self, result: None) -> None:
        self._watching = False
        messages, self._unsent = self._unsent, []
        self._post(messages)
        while self._wanting and not self.is_full():
            waiting = next(iter(self._wanting))
            del self._wanting[waiting]
            waiting.has_room()
        if self._wanting:
            self._watch()
        self._account()

    @property
    def _under_way(self) -> bool:
        """Whether there are answers, or items, still to come."""
        return False

    def _account(self) -> None:
        """Tells the machine below whether something is still to be sent."""
        owing = bool(self._unsent) or self._under_way
        if owing != self._connection.owing:
            self._connection.owing = owing

    async def next_turn(self) -> None:
        """Lets the others have their turn."""
        turn: Deferred[None] = Deferred(lambda each: None)  # it comes, wanted or not

        def begin_turn() -> None:
            if not turn.called:
                turn.callback(None)

        self.hub.soon(begin_turn)
        await turn
