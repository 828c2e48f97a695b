"""What a session keeps, and how it answers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from msgspec import Raw

from netlab.errors import LocalProtocolError, NetlabError

from .codecs import JSON, UNREADABLE, Codec, Id
from .errors import Code, RpcError, error_of
from .events import (
    Batch,
    Cancelled,
    Event,
    Fault,
    RequestCame,
    ResponseCame,
    SubscriptionEnded,
    Unsubscribed,
)
from .limits import SessionLimits
from .subscriptions import Publication, Stage, Subscription

MAX_ID = 1000
"""The longest id that is accepted, in bytes as encoded: each answer repeats it."""


class State:
    """The tables of a session, and the sending of answers."""

    def __init__(self, codec: Codec = JSON, limits: SessionLimits | None = None) -> None:
        self.codec = codec
        self.limits = limits or SessionLimits()
        self._outgoing: list[bytes] = []
        self._lost = False
        self._null = codec.encode(None)
        self._names: dict[str, bytes] = {}
        # Requests of the peer.
        self._serving: dict[Id, RequestCame] = {}
        self._nameless: set[RequestCame] = set()  # with the id null
        self._in_flight = 0
        # Calls of this side; a subscription is a call that goes on.
        self._last_id = 0
        self._calls: dict[int, Subscription | None] = {}
        self._given_up: OrderedDict[int, bool] = OrderedDict()  # whether it was a subscription
        # Subscriptions of this side, by the peer's numbers.
        self._opening = 0
        self._announced: int | None = None
        self._subscriptions: dict[int, Subscription] = {}
        # Subscriptions of the peer.
        self._last_publication = 0
        self._window: int | None = None
        self._publications: dict[int, Publication] = {}
        self._read = codec.read
        self._max_depth = self.limits.max_depth
        self._json = codec is JSON

    # -- answering

    def _answer(self, request: RequestCame, answer: bytes) -> None:
        if self._lost:
            return
        if request.answered:
            raise LocalProtocolError("this request has its answer already")
        request.answered = True
        self._in_flight -= 1
        if request.id is None:
            self._nameless.remove(request)
        else:
            del self._serving[request.id]
        batch = request.batch
        if batch is None:
            self._outgoing.append(answer)
        else:
            batch.answers.append(answer)
            self._batch_step(batch)

    def _batch_step(self, batch: Batch) -> None:
        """One of those that the answer to a batch waits for is there."""
        batch.waiting -= 1
        if batch.waiting or not batch.answers:
            return
        message = self.codec.batch(batch.answers)
        if len(message) > self.limits.max_message:
            text = f"{len(message)} bytes, and {self.limits.max_message} may be sent"
            error = error_of(Code.ANSWER_TOO_LONG, f"the answers to this batch have {text}")
            message = self.codec.batch([self._error(each, error) for each in batch.ids])
            if not batch.ids or len(message) > self.limits.max_message:
                message = self._error(self._null, error)
        self._outgoing.append(message)

    def _error(self, echo: bytes, error: RpcError) -> bytes:
        try:
            shown = self.codec.error_object(error)
            fits = len(shown) + len(echo) + 64 <= self.limits.max_message
        except (TypeError, ValueError):
            fits = False
        if not fits:
            message = error.message[:200].encode("utf-8", "replace").decode()
            shown = self.codec.error_object(RpcError(error.code, message))
        return self.codec.error(echo, shown)

    def _refuse(
        self, echo: bytes, error: RpcError, batch: Batch | None, events: list[Event]
    ) -> None:
        """Answers what is not handed on."""
        answer = self._error(echo, error)
        if batch is None:
            self._outgoing.append(answer)
        else:
            batch.answers.append(answer)
        events.append(Fault(error, True))

    def _fault(self, text: str, events: list[Event]) -> None:
        events.append(Fault(error_of(Code.INVALID_REQUEST, text), False))

    def _id_of(self, data: bytes | Raw) -> bytes:
        """The id of a request that is refused, as far as it has a proper one."""
        try:
            raw = self.codec.read_id(data)
            if raw and len(raw) <= MAX_ID:
                self.codec.decode(raw, int | str | float | None)
                return raw
        except UNREADABLE:
            pass
        return self._null

    # -- sending, and the end

    def _name(self, method: str) -> bytes:
        name = self._names.get(method)
        if name is None:
            name = self.codec.encode(method)
            if len(self._names) < 1000:
                self._names[method] = name
        return name

    def _send_own(self, method: str, params: dict[str, Any]) -> None:
        if not self._lost:
            encoded = self.codec.encode(params)
            self._outgoing.append(self.codec.notification(self._name(method), encoded))

    def _end(self, publication: Publication, error: RpcError | None) -> None:
        publication.open = False
        del self._publications[publication.id]
        params: dict[str, Any] = {"subscription": publication.id}
        if error is not None:
            params["error"] = Raw(self.codec.error_object(error))
        self._send_own("$/end", params)

    def _finish(self, reason: NetlabError) -> list[Event]:
        if self._lost:
            return []
        self._lost = True
        self._outgoing = []
        events: list[Event] = []
        for id, subscription in self._calls.items():
            if subscription is None:
                events.append(ResponseCame(id, None, reason))
        opening = [each for each in self._calls.values() if each is not None]
        for subscription in (*opening, *self._subscriptions.values()):
            if subscription.stage in (Stage.OPENING, Stage.OPEN):
                events.append(SubscriptionEnded(subscription, reason))
            subscription.stage = Stage.ENDED
        for request in (*self._serving.values(), *self._nameless):
            events.append(Cancelled(request))
        for publication in self._publications.values():
            publication.open = False
            events.append(Unsubscribed(publication))
        for table in (self._calls, self._subscriptions, self._serving, self._publications):
            table.clear()
        self._nameless.clear()
        self._opening = self._in_flight = 0
        return events
