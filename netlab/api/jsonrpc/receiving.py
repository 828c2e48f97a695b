"""What a session does with the messages that come: the half of it that listens."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from netlab.errors import NetlabError

from .codecs import ITEM, JSON, UNREADABLE, Codec, Envelope, Id
from .errors import BadAnswer, Code, RpcError, error_of
from .events import (
    Batch,
    Cancelled,
    Complaint,
    CreditCame,
    Event,
    ItemCame,
    NotificationCame,
    Progress,
    RequestCame,
    ResponseCame,
    SubscriptionEnded,
    SubscriptionOpened,
    Unsubscribed,
)
from .limits import MAX_CREDIT, SessionLimits
from .state import MAX_ID, State
from .subscriptions import (
    CancelParams,
    CreditParams,
    EndParams,
    ItemParams,
    ProgressParams,
    Stage,
    Subscription,
    UnsubscribeParams,
)


class _ErrorObject(msgspec.Struct):
    code: int
    message: str
    data: Any = None


class Receiver(State):
    """A session that listens."""

    def __init__(self, codec: Codec = JSON, limits: SessionLimits | None = None) -> None:
        super().__init__(codec, limits)
        self._own: dict[str, tuple[Any, Callable[[Any, list[Event]], None]]] = {
            "$/cancelRequest": (codec.decoder(CancelParams), self._cancel_came),
            "$/progress": (codec.decoder(ProgressParams), self._progress_came),
            ITEM: (codec.decoder(ItemParams), self._item_came),
            "$/end": (codec.decoder(EndParams), self._end_came),
            "$/credit": (codec.decoder(CreditParams), self._credit_came),
            "$/unsubscribe": (codec.decoder(UnsubscribeParams), self._unsubscribe_came),
        }

    def receive(self, data: bytes) -> list[Event]:
        """Takes one message of the peer, and tells what it means.

        Whatever the bytes are, nothing is raised: what is no message is answered with an
        error, as section 5 and 6 of JSON-RPC 2.0 say, and reported as a ``Fault``.
        """
        if self._lost:
            return []
        events: list[Event] = []
        try:
            envelope = self._read(data, self._max_depth)
        except UNREADABLE as error:
            self._not_one_message(data, error, events)
        except RpcError as error:
            self._refuse(self._id_of(data), error, None, events)
        else:
            self._message(data, envelope, None, events)
        return events

    # -- one message

    def _message(
        self, data: bytes | Raw, envelope: Envelope, batch: Batch | None, events: list[Event]
    ) -> None:
        method = envelope.method
        if method is UNSET:
            self._answer_came(data, envelope, batch, events)
            return
        params: bytes | None = bytes(envelope.params)
        if not params or params == self._null:
            params = None
        elif not (self.codec.is_array(params) or self.codec.is_object(params)):
            error = error_of(Code.INVALID_REQUEST, "params are an array or an object")
            self._refuse(self._id_of(data), error, batch, events)
            return
        if envelope.id is UNSET:
            self._notification_came(method, params, events)
        else:
            self._request_came(data, envelope.id, method, params, batch, events)

    def _request_came(
        self,
        data: bytes | Raw,
        id: Id,
        method: str,
        params: bytes | None,
        batch: Batch | None,
        events: list[Event],
    ) -> None:
        if isinstance(id, int) and self._json:
            echo = b"%d" % id
        elif isinstance(id, float):
            echo = self.codec.read_id(data)  # 1.0 stays 1.0, and 1e2 stays 1e2
        else:
            echo = self.codec.encode(id)
        refused = None
        if len(echo) > MAX_ID:
            refused = error_of(Code.INVALID_REQUEST, f"an id has {MAX_ID} bytes or fewer")
            echo = self._null
        elif id in self._serving:
            refused = error_of(Code.INVALID_REQUEST, "another request with this id is in flight")
        elif self._in_flight >= self.limits.max_in_flight:
            text = f"{self.limits.max_in_flight} wait for their answer already"
            refused = error_of(Code.TOO_MANY_REQUESTS, text)
        if refused is not None:
            self._refuse(echo, refused, batch, events)
            return
        request = RequestCame(id, method, params, echo, batch)
        if id is None:
            self._nameless.add(request)
        else:
            self._serving[id] = request
        self._in_flight += 1
        if batch is not None:
            batch.waiting += 1
            batch.ids.append(echo)
        events.append(request)

    def _notification_came(self, method: str, params: bytes | None, events: list[Event]) -> None:
        if not method.startswith("$/"):
            events.append(NotificationCame(method, params))
            return
        own = self._own.get(method)
        if own is None:
            return  # as the Language Server Protocol has it: free to be ignored
        decoder, handle = own
        try:
            decoded = decoder.decode(params if params is not None else self._null)
        except UNREADABLE as error:
            self._fault(f"{method}: {_reason(error)}", events)
            return
        handle(decoded, events)

    def _not_one_message(self, data: bytes, error: Exception, events: list[Event]) -> None:
        """A batch, or JSON that is no message, or not even JSON."""
        if isinstance(error, UnicodeDecodeError):
            refused = error_of(Code.PARSE_ERROR, _reason(error))
            self._refuse(self._null, refused, None, events)
            return
        try:
            elements = self.codec.read_batch(data)
        except UNREADABLE:
            self._no_message(data, error, None, events)
            return
        if not elements:
            refused = error_of(Code.INVALID_REQUEST, "a batch has one request or more")
            self._refuse(self._null, refused, None, events)
        elif len(elements) > self.limits.max_batch:
            text = f"a batch has {self.limits.max_batch} requests or fewer"
            self._refuse(self._null, error_of(Code.INVALID_REQUEST, text), None, events)
        else:
            self._batch_came(elements, events)

    def _batch_came(self, elements: list[Raw], events: list[Event]) -> None:
        batch = Batch(waiting=1)
        for each in elements:
            data = bytes(each)
            try:
                envelope = self._read(data, self._max_depth - 1)
            except UNREADABLE as error:
                self._no_message(data, error, batch, events)
            except RpcError as error:
                self._refuse(self._id_of(data), error, batch, events)
            else:
                self._message(data, envelope, batch, events)
        self._batch_step(batch)

    def _no_message(
        self, data: bytes, error: Exception, batch: Batch | None, events: list[Event]
    ) -> None:
        """Answers what is no message, unless it was meant as an answer."""
        try:
            members = self.codec.read_members(data)
        except RecursionError:
            text = f"more than {self._max_depth} arrays and objects in each other"
            self._refuse(self._null, error_of(Code.INVALID_REQUEST, text), batch, events)
            return
        except UNREADABLE:
            self._no_object(data, error, batch, events)
            return
        reason = _reason(error)
        if "method" in members or not ("result" in members or "error" in members):
            refused = error_of(Code.INVALID_REQUEST, reason)
            self._refuse(self._id_of(data), refused, batch, events)
            return
        try:
            id = self.codec.decode(members["id"], int)
        except (KeyError, *UNREADABLE):
            self._fault(f"an answer that is none: {reason}", events)
        else:
            self._bad_answer(id, reason, events)

    def _no_object(
        self, data: bytes, error: Exception, batch: Batch | None, events: list[Event]
    ) -> None:
        try:
            self.codec.parse(data)
        except RecursionError:
            text = f"more than {self._max_depth} arrays and objects in each other"
            refused = error_of(Code.INVALID_REQUEST, text)
        except UNREADABLE as unreadable:
            hint = _misencoded(data) if self._json else ""
            refused = error_of(Code.PARSE_ERROR, hint or _reason(unreadable))
        else:
            refused = error_of(Code.INVALID_REQUEST, "a message is an object, or an array of them")
        self._refuse(self._null, refused, batch, events)

    # -- answers to calls of this side

    def _answer_came(
        self, data: bytes | Raw, envelope: Envelope, batch: Batch | None, events: list[Event]
    ) -> None:
        result, error, id = bytes(envelope.result), bytes(envelope.error), envelope.id
        if not result and not error:
            refused = error_of(Code.INVALID_REQUEST, "it has no method, and is no answer")
            self._refuse(self._id_of(data), refused, batch, events)
            return
        if result and error:
            self._bad_answer(id, "it has both a result and an error", events)
            return
        rpc_error: RpcError | None = None
        if error:
            try:
                read = self.codec.decode(error, _ErrorObject)
            except UNREADABLE as unreadable:
                self._bad_answer(id, f"its error is none: {_reason(unreadable)}", events)
                return
            rpc_error = RpcError(read.code, read.message, read.data)
            if id is None or id is UNSET:
                events.append(Complaint(rpc_error))
                return
        self._settle(id, result, rpc_error, events)

    def _bad_answer(self, id: Any, reason: str, events: list[Event]) -> None:
        self._settle(id, b"", BadAnswer(f"the answer breaks the rules: {reason}"), events)

    def _settle(
        self, id: Any, result: bytes, error: NetlabError | None, events: list[Event]
    ) -> None:
        """The outcome of a call is there."""
        if not isinstance(id, int) or id not in self._calls:
            subscribed = self._given_up.pop(id, None) if isinstance(id, int) else None
            if subscribed is None:
                self._fault("an answer to no request", events)
            elif subscribed and error is None:
                self._refuse_subscription(result)
            return
        subscription = self._calls.pop(id)
        if subscription is None:
            events.append(ResponseCame(id, None if error else result, error))
            return
        self._opening -= 1
        if error is None:
            try:
                number = self.codec.decode(result, int)
            except UNREADABLE:
                error = BadAnswer("the answer breaks the rules: it is no number of a subscription")
            else:
                if number in self._subscriptions:
                    error = BadAnswer(
                        f"the answer breaks the rules: subscription {number} is open already"
                    )
        if error is not None:
            subscription.stage = Stage.ENDED
            events.append(SubscriptionEnded(subscription, error))
            return
        subscription.id = number
        subscription.stage = Stage.OPEN
        self._subscriptions[number] = subscription
        events.append(SubscriptionOpened(subscription))

    def _refuse_subscription(self, result: bytes) -> None:
        """The peer accepted what was cancelled meanwhile."""
        try:
            number = self.codec.decode(result, int)
        except UNREADABLE:
            return
        if number not in self._subscriptions:
            self._send_own("$/unsubscribe", {"subscription": number})

    def _give_up(self, id: int, subscription: Subscription | None) -> None:
        self._given_up[id] = subscription is not None
        if len(self._given_up) > self.limits.max_calls:
            self._given_up.popitem(last=False)

    # -- what comes with the names of the protocol itself

    def _cancel_came(self, params: CancelParams, events: list[Event]) -> None:
        request = self._serving.get(params.id)
        if request is not None:
            events.append(Cancelled(request))

    def _progress_came(self, params: ProgressParams, events: list[Event]) -> None:
        if isinstance(params.token, int) and params.token in self._calls:
            events.append(Progress(params.token, bytes(params.value)))

    def _item_came(self, params: ItemParams, events: list[Event]) -> None:
        subscription = self._subscriptions.get(params.subscription)
        if subscription is None:
            self._fault("an item of no subscription", events)
            return
        if subscription.stage is not Stage.OPEN:
            return  # it was on its way when this side unsubscribed
        if subscription.credit is not None:
            if subscription.credit == 0:
                subscription.stage = Stage.ENDING
                self._send_own("$/unsubscribe", {"subscription": params.subscription})
                error = BadAnswer("the peer sent more items than it had credit for")
                events.append(SubscriptionEnded(subscription, error))
                return
            subscription.credit -= 1
        events.append(ItemCame(subscription, bytes(params.value), max(0, params.dropped)))

    def _end_came(self, params: EndParams, events: list[Event]) -> None:
        subscription = self._subscriptions.pop(params.subscription, None)
        if subscription is None:
            self._fault("the end of no subscription", events)
            return
        if subscription.stage is not Stage.OPEN:
            subscription.stage = Stage.ENDED
            return
        subscription.stage = Stage.ENDED
        error: NetlabError | None = None
        if bytes(params.error):
            try:
                read = self.codec.decode(params.error, _ErrorObject)
                error = RpcError(read.code, read.message, read.data)
            except UNREADABLE as unreadable:
                error = BadAnswer(f"the error at the end is none: {_reason(unreadable)}")
        events.append(SubscriptionEnded(subscription, error))

    def _credit_came(self, params: CreditParams, events: list[Event]) -> None:
        items = params.items
        if items is not None and not 0 <= items <= MAX_CREDIT:
            self._fault(f"$/credit: items are from 0 to {MAX_CREDIT}", events)
        elif params.subscription is None:
            self._window = items
        elif items is None:
            self._fault("$/credit: of a subscription, items are a number", events)
        else:
            publication = self._publications.get(params.subscription)
            if publication is not None:
                publication.add(items)
                events.append(CreditCame(publication))

    def _unsubscribe_came(self, params: UnsubscribeParams, events: list[Event]) -> None:
        publication = self._publications.get(params.subscription)
        if publication is not None:
            self._end(publication, None)
            events.append(Unsubscribed(publication))


def _misencoded(data: bytes) -> str:
    """What is wrong with the encoding of a text that is no JSON (RFC 8259, section 8.1), or ''."""
    if data.startswith(BOM_UTF8):
        return "a byte order mark is before the text: send UTF-8 without one"
    if b"\0" in data[:2]:
        return "this looks like UTF-16: send UTF-8"
    return ""


def _reason(error: Exception) -> str:
    """What is wrong with bytes of the peer, in one line."""
    if isinstance(error, RecursionError):
        return "too many arrays and objects in each other"
    if isinstance(error, UnicodeDecodeError):
        return "text is not UTF-8"
    return str(error)[:200]
