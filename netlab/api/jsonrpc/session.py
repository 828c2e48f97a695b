"""The state of one connection that speaks JSON-RPC: bytes in, events and bytes out.

Everything that is sent goes through ``take``: whatever is called (``receive``
too), afterwards ``take`` gives the messages to be sent, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from netlab.errors import (
    ConnectionClosed,
    LocalProtocolError,
    NetlabError,
    OutgoingFrameTooLong,
)

from .errors import Code, RpcError, TooManyCalls, error_of
from .events import Event, RequestCame
from .limits import MAX_CREDIT
from .receiving import Receiver
from .subscriptions import Publication, Stage, Subscription

Params = Sequence[Any] | Mapping[str, Any] | msgspec.Struct | Raw | None
"""Arguments by position or by name; ``Raw`` when they are encoded already."""

TOKEN = "workDoneToken"
"""The parameter with which a request asks for progress, as in the Language Server Protocol."""

_GREAT = 1 << 64


class Session(Receiver):
    """One side of a connection. Both sides are alike: each may call and be called.

    ``codec`` writes the messages, ``limits`` bound what the peer may take. Nothing here
    knows of sockets or time: a deadline that passes is a ``cancel`` or a ``reply_error``.
    """

    # -- calls of this side

    @property
    def calls(self) -> int:
        """Calls of this side that wait for their answer."""
        return len(self._calls)

    def call(self, method: str, params: Params = None, *, progress: bool = False) -> int:
        """Calls ``method`` of the peer; returns the call's id.

        Exactly one ``ResponseCame`` with this id follows, unless it is cancelled. With
        ``progress``, ``Progress`` events may come before it; params are by name, then.
        Raises ``TooManyCalls``, ``OutgoingFrameTooLong``, ``ConnectionClosed``, and
        ``TypeError`` or ``ValueError`` for params that cannot be encoded.
        """
        id = self._next_call()
        if progress:
            params = self._with_token(params, id)
        self._send(self._request(id, method, params))
        self._last_id = id
        self._calls[id] = None
        return id

    def notify(self, method: str, params: Params = None) -> None:
        """Tells the peer something that wants no answer; raises as ``call``."""
        self._check_alive()
        self._send(self.codec.notification(self._name(method), self._params(params)))

    def call_batch(self, calls: Iterable[tuple[str, Params]]) -> list[int]:
        """Calls several methods in one message; returns their ids. Raises as ``call``."""
        messages: list[bytes] = []
        ids: list[int] = []
        first = self._next_call()
        for number, (method, params) in enumerate(calls):
            id = first + number
            if len(self._calls) + number >= self.limits.max_calls:
                raise TooManyCalls(f"{self.limits.max_calls} calls wait for their answer")
            ids.append(id)
            messages.append(self._request(id, method, params))
        if not messages:
            raise LocalProtocolError("a batch has one call or more")
        self._send(self.codec.batch(messages))
        self._last_id = ids[-1]
        self._calls.update(dict.fromkeys(ids))
        return ids

    def cancel(self, id: int) -> None:
        """Gives the call ``id`` up: the peer is asked to stop, and no event of it follows."""
        if id not in self._calls:
            return
        subscription = self._calls.pop(id)
        if subscription is not None:
            subscription.stage = Stage.ENDED
            self._opening -= 1
        self._give_up(id, subscription)
        self._send_own("$/cancelRequest", {"id": id})

    # -- calls of the peer

    @property
    def serving(self) -> int:
        """Requests of the peer that wait for their answer."""
        return self._in_flight

    def would_take(self, id: int) -> bool:
        """Whether a request with this id is handed on: it is short, and not too many wait."""
        waiting = self._in_flight
        return -_GREAT < id < _GREAT and (
            not waiting or (waiting < self.limits.max_in_flight and id not in self._serving)
        )

    def reply(self, request: RequestCame, result: Any) -> None:
        """Answers ``request``. ``Raw`` is sent as it is; anything else is encoded.

        An answer longer than ``max_message`` becomes an error that says so. Raises
        ``TypeError`` or ``ValueError`` for what cannot be encoded: the request still waits.
        After ``lost`` it does nothing.
        """
        data = bytes(result) if result.__class__ is Raw else self.codec.encode(result)
        answer = self.codec.result(request.echo, data)
        if len(answer) > self.limits.max_message:
            text = f"{len(answer)} bytes, and {self.limits.max_message} may be sent"
            answer = self._error(request.echo, error_of(Code.ANSWER_TOO_LONG, text))
        self._answer(request, answer)

    def reply_error(self, request: RequestCame, error: RpcError) -> None:
        """Answers ``request`` with ``error``; data that cannot be encoded is left out."""
        self._answer(request, self._error(request.echo, error))

    def progress(self, token: int | str, value: Any) -> None:
        """Tells the peer how far its request is; ``token`` is what the request asked with."""
        self._send_own("$/progress", {"token": token, "value": value})

    # -- subscriptions of this side

    def subscribe(self, method: str, params: Params = None, *, credit: int | None) -> Subscription:
        """Subscribes to ``method`` of the peer.

        The peer may send ``credit`` items before it is granted more; ``None`` is any
        number. ``SubscriptionOpened``, ``ItemCame`` and, last and once,
        ``SubscriptionEnded`` follow. Raises as ``call``.
        """
        if credit is not None and not 0 <= credit <= MAX_CREDIT:
            raise LocalProtocolError(f"credit is from 0 to {MAX_CREDIT}, not {credit}")
        if self.subscriptions >= self.limits.max_subscriptions:
            raise TooManyCalls(f"{self.limits.max_subscriptions} subscriptions are open")
        id = self._next_call()
        request = self._request(id, method, params)
        self._check_length(request)
        if credit != self._announced:
            self._send_own("$/credit", {"items": credit})
            self._announced = credit
        self._send(request)
        self._last_id = id
        subscription = Subscription(id, method, credit)
        self._calls[id] = subscription
        self._opening += 1
        return subscription

    @property
    def subscriptions(self) -> int:
        """Subscriptions of this side that have not ended."""
        return len(self._subscriptions) + self._opening

    def grant(self, subscription: Subscription, items: int) -> None:
        """Lets the peer send ``items`` more. Does nothing once it is not open, or without bound."""
        if subscription.stage is not Stage.OPEN or subscription.credit is None:
            return
        room = MAX_CREDIT - subscription.credit
        if not 0 < items <= room:
            raise LocalProtocolError(f"credit of 1 to {room} can be granted, not {items}")
        subscription.credit += items
        self._send_own("$/credit", {"subscription": subscription.id, "items": items})

    def unsubscribe(self, subscription: Subscription) -> None:
        """Ends ``subscription``: no event of it follows."""
        if subscription.stage is Stage.OPENING:
            self.cancel(subscription.call)
        elif subscription.stage is Stage.OPEN:
            subscription.stage = Stage.ENDING
            self._send_own("$/unsubscribe", {"subscription": subscription.id})

    # -- subscriptions of the peer

    @property
    def publications(self) -> int:
        """Subscriptions of the peer that have not ended."""
        return len(self._publications)

    def accept(self, request: RequestCame) -> Publication:
        """Answers ``request`` with a new subscription.

        Raises ``RpcError``, to be answered with, when there are too many or the request
        is in a batch.
        """
        if request.batch is not None:
            raise error_of(Code.INVALID_REQUEST, "a subscription cannot be in a batch")
        if len(self._publications) >= self.limits.max_subscriptions:
            text = f"{self.limits.max_subscriptions} are open on this connection"
            raise error_of(Code.TOO_MANY_SUBSCRIPTIONS, text)
        self._last_publication += 1
        id = self._last_publication
        publication = Publication(id, request.method, self._window, *self.codec.item(id))
        if self._lost:
            publication.open = False
            return publication
        self._publications[id] = publication
        self.reply(request, id)
        return publication

    def publish(self, publication: Publication, value: Any, *, dropped: int = 0) -> None:
        """Sends one item. ``Raw`` is sent as it is; anything else is encoded.

        ``dropped`` items were left out before it. Raises ``LocalProtocolError`` when it
        has ended or has no credit, ``OutgoingFrameTooLong``, ``TypeError``, ``ValueError``.
        """
        if not publication.ready:
            what = "has no credit" if publication.open else "has ended"
            raise LocalProtocolError(f"subscription {publication.id} {what}")
        data = bytes(value) if value.__class__ is Raw else self.codec.encode(value)
        if dropped:
            item = {"subscription": publication.id, "dropped": dropped, "value": Raw(data)}
            message = self.codec.notification(self._name("$/item"), self.codec.encode(item))
        else:
            message = publication.before + data + publication.after
        self._send(message)
        if publication.credit is not None:
            publication.credit -= 1

    def end(self, publication: Publication, error: RpcError | None = None) -> None:
        """Ends ``publication``: all items were sent, or ``error``. Once is enough."""
        if publication.open:
            self._end(publication, error)

    # -- what goes out, and the end

    def take(self) -> list[bytes]:
        """The messages to be sent now, in order; each of them once."""
        outgoing = self._outgoing
        if outgoing:
            self._outgoing = []
        return outgoing

    def lost(self, reason: NetlabError) -> list[Event]:
        """The connection is gone: gives the last event of everything that was under way."""
        return self._finish(reason)

    # -- what the calls above are made of

    def _next_call(self) -> int:
        self._check_alive()
        if len(self._calls) >= self.limits.max_calls:
            raise TooManyCalls(f"{self.limits.max_calls} calls wait for their answer")
        return self._last_id + 1

    def _check_alive(self) -> None:
        if self._lost:
            raise ConnectionClosed("the connection is closed")

    def _check_length(self, message: bytes) -> None:
        if len(message) > self.limits.max_message:
            hint = "send less, or raise max_message on both sides"
            raise OutgoingFrameTooLong(len(message), self.limits.max_message, hint)

    def _send(self, message: bytes) -> None:
        self._check_length(message)
        self._outgoing.append(message)

    def _request(self, id: int, method: str, params: Params) -> bytes:
        number = b"%d" % id if self._json else self.codec.encode(id)
        return self.codec.request(number, self._name(method), self._params(params))

    def _params(self, params: Params) -> bytes | None:
        if params is None:
            return None
        if isinstance(params, Raw):
            return bytes(params)
        if isinstance(params, str | bytes):
            raise TypeError("params are a list, a dict or None: arguments by position or by name")
        return self.codec.encode(params)

    @staticmethod
    def _with_token(params: Params, id: int) -> dict[str, Any]:
        if params is None:
            return {TOKEN: id}
        if not isinstance(params, Mapping):
            raise LocalProtocolError("a call that asks for progress has its arguments by name")
        return {**params, TOKEN: id}
