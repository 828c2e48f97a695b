"""One connection of an api, the same on both sides: each may call, and be called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from netlab.errors import ConnectionClosed, NetlabError
from netlab.escaping import escape
from netlab.transport import address_text

from .jsonrpc.codecs import Codec
from .jsonrpc.events import (
    Cancelled,
    Complaint,
    CreditCame,
    Fault,
    ItemCame,
    NotificationCame,
    Progress,
    RequestCame,
    ResponseCame,
    SubscriptionEnded,
    SubscriptionOpened,
    Unsubscribed,
)
from .jsonrpc.limits import SessionLimits
from .jsonrpc.session import Params
from .jsonrpc.subscriptions import Subscription
from .servant import Servant
from .serving import Serving

if TYPE_CHECKING:
    from .calling import Caller
    from .items import Flow

BUSY = 10
"""Requests in a batch after which the others have their turn: each may be as much work as a
message of its own."""

_NOBODY = (None, None)


class ApiConnection(Serving):
    """A connection that serves its peer's calls, and carries those of this side."""

    def __init__(self, servant: Servant, codec: Codec, limits: SessionLimits) -> None:
        super().__init__(servant, codec, limits)
        self._calls: dict[int, tuple[Deferred[bytes], Callable[[bytes], None] | None]] = {}
        self._flows: dict[Subscription, Flow] = {}
        self._deaf = False  # the peer says nothing more
        self._complained = False
        self._busy = False
        self._remote: Caller | None = None

    # -- as a MessageProtocol

    def message_received(self, message: bytes) -> bytes | Awaitable[None] | None:
        """See ``MessageProtocol``."""
        session = self.session
        if self._quick and not self._unsent:
            answer = self._answer_at_once(message)
            if answer is not None:
                return answer
        else:
            self._take(message)
        messages = session.take()
        if self._busy:
            self._busy = False
            self._post(messages)
            return self._crowded or self.next_turn()
        if messages:
            if len(messages) == 1 and not self._unsent and self._crowded is None:
                return messages[0]
            self._post(messages)
        return self._crowded

    def _take(self, message: bytes) -> None:
        events = self.session.receive(message)
        for event in events:
            _ACTIONS[event.__class__](self, event)
        self._busy = len(events) >= BUSY

    def ending(self, reason: NetlabError | None) -> None:
        """See ``MessageProtocol``: what this side asked for has no answer to come any more."""
        if reason is None:
            self._deaf = True
            self.end_calls(ConnectionClosed("the peer has ended its side of the connection"))
        super().ending(reason)

    def disconnected(self, reason: NetlabError | None) -> None:
        """See ``MessageProtocol``: all that is under way is cancelled, or fails."""
        self._over = True
        self._unsent.clear()
        for event in self.session.lost(reason or ConnectionClosed("the peer closed it")):
            _ACTIONS[event.__class__](self, event)
        self._say_farewell()
        afterwards, self._afterwards = self._afterwards, []
        for each in afterwards:
            each.callback(None)

    # -- calls of this side

    @property
    def remote(self) -> Caller:
        """Calls the other end, for as long as this connection lasts."""
        if self._remote is None:
            from .calling import Caller, Here

            self._remote = Caller(Here(self))
        return self._remote

    def call(
        self, method: str, params: Params, progress: Callable[[bytes], None] | None = None
    ) -> Deferred[bytes]:
        """Calls the peer; the Deferred has the encoded result. Cancelling it cancels the call."""
        self._check_hearing()
        id = self.session.call(method, params, progress=progress is not None)

        def give_up(deferred: Deferred[bytes]) -> None:
            if self._calls.pop(id, None) is not None:
                self.session.cancel(id)
                self.flush()

        answer: Deferred[bytes] = Deferred(give_up)
        self._calls[id] = (answer, progress)
        self.flush()
        return answer

    def notify(self, method: str, params: Params) -> None:
        """Tells the peer something."""
        self.session.notify(method, params)
        self.flush()

    def subscribe(self, method: str, params: Params, credit: int, flow: Flow) -> Subscription:
        """Subscribes; ``flow`` is told of everything that comes of it."""
        self._check_hearing()
        subscription = self.session.subscribe(method, params, credit=credit)
        self._flows[subscription] = flow
        self.flush()
        return subscription

    def _check_hearing(self) -> None:
        if self._deaf:
            raise ConnectionClosed("the peer has ended its side of the connection")

    def unsubscribe(self, subscription: Subscription) -> None:
        """Ends a subscription; its flow hears no more of it."""
        if self._flows.pop(subscription, None) is not None:
            self.session.unsubscribe(subscription)
            self.flush()

    def end_calls(self, reason: NetlabError) -> None:
        """Gives up what this side asked for, and tells the peer."""
        for id in list(self._calls):
            answer, _ = self._calls.pop(id, _NOBODY)
            if answer is not None:  # the end of one may have been the end of others
                self.session.cancel(id)
                answer.errback(copy(reason))
        for subscription, flow in list(self._flows.items()):
            self.unsubscribe(subscription)
            flow.end(copy(reason))
        self.flush()

    # One message, or the end, may bring several events. What hears of the first may give up
    # what the next is about; nobody wants to know of that, then.

    def _response(self, event: ResponseCame) -> None:
        answer, _ = self._calls.pop(event.id, _NOBODY)
        if answer is None:
            return
        if event.error is not None:
            answer.errback(copy(event.error))
        else:
            assert event.result is not None
            answer.callback(event.result)

    def _progress(self, event: Progress) -> None:
        _, progress = self._calls.get(event.id, _NOBODY)
        if progress is not None:
            try:
                progress(event.value)
            except Exception:
                self.log.failure("what was to hear of the progress of a call raised an error")

    def _opened(self, event: SubscriptionOpened) -> None:
        flow = self._flows.get(event.subscription)
        if flow is not None:
            flow.opened()

    def _item(self, event: ItemCame) -> None:
        flow = self._flows.get(event.subscription)
        if flow is not None:
            flow.item(event.value, event.dropped)

    def _ended(self, event: SubscriptionEnded) -> None:
        flow = self._flows.pop(event.subscription, None)
        if flow is not None:
            flow.end(None if event.error is None else copy(event.error))

    # -- what goes wrong

    def _fault(self, event: Fault) -> None:
        error = escape(str(event.error), 400)
        self.log.debug("{peer} broke the rules: {error}", peer=address_text(self.peer), error=error)

    def _complaint(self, event: Complaint) -> None:
        # Once: who complains of each message shall not fill the log.
        tell = self.log.debug if self._complained else self.log.warn
        self._complained = True
        error = escape(str(event.error), 400)
        tell("{peer} could not read: {error}", peer=address_text(self.peer), error=error)


_ACTIONS: dict[type, Callable[[ApiConnection, Any], None]] = {
    RequestCame: ApiConnection._request,
    NotificationCame: ApiConnection._notification,
    ResponseCame: ApiConnection._response,
    Cancelled: ApiConnection._cancelled,
    Progress: ApiConnection._progress,
    SubscriptionOpened: ApiConnection._opened,
    ItemCame: ApiConnection._item,
    SubscriptionEnded: ApiConnection._ended,
    CreditCame: ApiConnection._credit,
    Unsubscribed: ApiConnection._unsubscribed,
    Fault: ApiConnection._fault,
    Complaint: ApiConnection._complaint,
}
