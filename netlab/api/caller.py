"""Calls on a connection, blocking: who waits for what, and for how long.

``netlab.blocking``'s ``Client`` moves the messages and a ``Session`` knows what they
mean; here is what is between the two.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from netlab.errors import (
    ConnectionClosed,
    DeadlineExceeded,
    NetlabError,
    RemoteProtocolError,
)
from netlab.escaping import escape
from netlab.framing import Framing
from netlab.pipe import Deadline

from .jsonrpc import (
    BadAnswer,
    Code,
    Codec,
    Complaint,
    Event,
    Fault,
    ItemCame,
    Params,
    Progress,
    RequestCame,
    ResponseCame,
    RpcError,
    Session,
    SessionLimits,
    Subscription,
    SubscriptionEnded,
    SubscriptionOpened,
    error_of,
)
from .jsonrpc.codecs import UNREADABLE

if TYPE_CHECKING:
    from netlab.blocking import Client

R = TypeVar("R")

WINDOW = 32
"""Items of a subscription that may wait here until they are taken."""

GRACE = 1.0
"""Seconds that the word to the server may take that a call or subscription was given up."""

Report: TypeAlias = Callable[[Any], object]
"""Is called with what a server says of how far a call is."""


class Caller:
    """A connection on which calls are made, by name and with encoded results.

    ``ApiClient`` is made of it; by itself it is for those who know an api only from its
    description. Use it from one thread at a time.
    """

    def __init__(self, client: Client, framing: Framing, codec: Codec) -> None:
        self.codec = codec
        self._client = client
        self._session = Session(codec, SessionLimits(max_message=framing.max_message))
        self._request = b""
        self._outcomes: dict[int, ResponseCame] = {}
        self._reports: dict[int, Report] = {}
        self._items: weakref.WeakValueDictionary[Subscription, Items[Any]]
        self._items = weakref.WeakValueDictionary()
        self._complaint: RpcError | None = None
        self._over: NetlabError | None = None

    def request(
        self, method: str, params: Params, timeout: float | None, progress: Report | None = None
    ) -> bytes:
        """Calls ``method`` and returns the result, still encoded.

        timeout   seconds; ``None``: no limit
        progress  is called with each report on how far the call is; the server is asked
                  for them, and params are by name then

        A call that does not end, because of the time or of Ctrl-C, is cancelled at the
        server as well. Raises ``RpcError`` when the server answers with one,
        ``DeadlineExceeded``, ``ConnectionClosed``, ``RemoteProtocolError``, and as
        ``Session.call``.
        """
        deadline = self._start(method, timeout)
        id = self._session.call(method, params, progress=progress is not None)
        if progress is not None:
            self._reports[id] = progress
        try:
            self._ask(deadline)
            while id not in self._outcomes:
                self._read(deadline)
        except BaseException:  # Ctrl-C as well
            self._session.cancel(id)
            self._outcomes.pop(id, None)
            self._send_in_grace()
            raise
        finally:
            self._reports.pop(id, None)
        outcome = self._outcomes.pop(id)
        if outcome.error is not None:
            raise outcome.error.with_traceback(None)
        assert outcome.result is not None
        return outcome.result

    def notify(self, method: str, params: Params, timeout: float | None) -> None:
        """Tells the server something that wants no answer; raises as ``request``."""
        deadline = self._start(method, timeout)
        self._session.notify(method, params)
        self._send(deadline)
        if self._over is not None:
            raise self._over.with_traceback(None)

    def subscribe(
        self,
        method: str,
        params: Params,
        timeout: float | None,
        decode: Callable[[bytes], R],
        item_timeout: float | None = None,
    ) -> Items[R]:
        """Subscribes to ``method``; returns when the server has accepted, raises as ``request``.

        decode        makes an item of its encoded value
        item_timeout  seconds that each item may take; ``None``: no limit
        """
        deadline = self._start(method, timeout)
        subscription = self._session.subscribe(method, params, credit=WINDOW)
        items = Items(self, subscription, decode, item_timeout)
        self._items[subscription] = items
        try:
            self._ask(deadline)
            while not (items._open or items._ended):
                self._read(deadline)
        except BaseException:
            items.close()
            raise
        if not items._open and items._error is not None:
            raise items._error.with_traceback(None)
        return items

    def decode(self, data: bytes) -> Any:
        """A result or an item as plain values. Raises ``BadAnswer`` when that cannot be."""
        try:
            return self.codec.parse(data)
        except UNREADABLE as error:
            raise BadAnswer(f"what the server sent cannot be read: {error}") from None

    def close(self) -> None:
        """Closes as ``Client.close`` does; raises nothing."""
        self._lost(ConnectionClosed("the client is closed"))
        self._client.close()

    def abort(self) -> None:
        """Closes as ``Client.abort`` does."""
        self._lost(ConnectionClosed("the client is closed"))
        self._client.abort()

    def __enter__(self) -> Caller:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes: in good order, or at once when there was an error (Ctrl-C is one)."""
        if error is None:
            self.close()
        else:
            self.abort()

    # -- what the calls above are made of

    def _start(self, method: str, timeout: float | None) -> Deadline:
        if self._over is not None:
            raise self._over.with_traceback(None)
        return Deadline(timeout, f"no answer to {escape(method)} came")

    def _ask(self, deadline: Deadline) -> None:
        """Sends a request."""
        messages = self._session.take()
        self._request = messages[-1]
        self._complaint = None
        self._send(deadline, messages)

    def _send(self, deadline: Deadline, messages: Sequence[bytes] | None = None) -> None:
        for each in self._session.take() if messages is None else messages:
            try:
                self._client.send(each, deadline.left())
            except DeadlineExceeded:
                raise deadline.error() from None
            except ConnectionClosed as error:
                self._lost(error)
                return

    def _send_in_grace(self) -> None:
        """Sends what is good to know for the server, but not worth an error here."""
        try:
            self._send(Deadline(GRACE, "the server did not read"))
        except NetlabError:
            pass  # whoever waited for the connection is told of it already

    def _read(self, deadline: Deadline) -> None:
        """Waits for one message and does what it says; what ended is in the tables then."""
        try:
            message = self._client.receive(deadline.left())
        except DeadlineExceeded:
            raise deadline.error() from None
        except (ConnectionClosed, RemoteProtocolError) as error:
            self._lost(error)
            return
        if message == self._request:
            text = "the server only sends back what it gets: was it started with --app?"
            self._lost(RemoteProtocolError(text))
            return
        self._happen(self._session.receive(message))
        self._send(deadline)
        if self._complaint is not None:
            raise self._complaint

    def _lost(self, reason: NetlabError) -> None:
        if self._over is None:
            self._over = reason
            self._happen(self._session.lost(reason))

    def _happen(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseCame):
                self._outcomes[event.id] = event
            elif isinstance(event, ItemCame | SubscriptionOpened | SubscriptionEnded):
                items = self._items.get(event.subscription)
                if items is not None:
                    items._happened(event)
            elif isinstance(event, Progress):
                report = self._reports.get(event.id)
                if report is not None:
                    report(self.decode(event.value))
            elif isinstance(event, RequestCame):
                refusal = error_of(Code.METHOD_NOT_FOUND, "this side answers no calls")
                self._session.reply_error(event, refusal)
            elif isinstance(event, Complaint):
                self._complaint = event.error
            elif isinstance(event, Fault) and event.error.code == Code.PARSE_ERROR:
                text = f"the server sent what is not {self.codec.name}: {event.error.data}"
                self._lost(RemoteProtocolError(text))


class Items(Generic[R]):
    """The items of a subscription: iterate over it.

    The server never has to keep more for this side than it wants to: no more than
    ``WINDOW`` items are on their way or wait here. What the loop does not take, the
    server does not send.

    dropped  how many items the server has left out so far, as they were not taken
    """

    def __init__(
        self,
        caller: Caller,
        subscription: Subscription,
        decode: Callable[[bytes], R],
        timeout: float | None,
    ) -> None:
        self.dropped = 0
        self._caller = caller
        self._subscription = subscription
        self._decode = decode
        self._timeout = timeout
        self._inbox: deque[bytes] = deque()
        self._taken = 0  # since credit was granted
        self._open = False
        self._ended = False
        self._error: NetlabError | None = None

    def __iter__(self) -> Iterator[R]:
        """Itself."""
        return self

    def __next__(self) -> R:
        """The next item, as soon as it is there.

        Raises ``RpcError`` when the server ends the subscription with one,
        ``DeadlineExceeded`` (it stays open, and an item that comes later is for the next
        call), ``ConnectionClosed``, and ``BadAnswer`` for an item that is not as declared.
        """
        caller = self._caller
        deadline = Deadline(self._timeout, "no item came")
        if self._taken >= WINDOW // 2 and not self._ended:
            caller._session.grant(self._subscription, self._taken)
            self._taken = 0
            caller._send(deadline)
        while not self._inbox:
            if self._error is not None:
                raise self._error.with_traceback(None)
            if self._ended:
                raise StopIteration
            caller._read(deadline)
        self._taken += 1
        return self._decode(self._inbox.popleft())

    def close(self) -> None:
        """Ends the subscription; items that still come are dropped. Raises nothing."""
        if not self._ended:
            self._ended = True
            self._caller._session.unsubscribe(self._subscription)
            self._caller._send_in_grace()
        self._inbox.clear()

    def __enter__(self) -> Items[R]:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the subscription."""
        self.close()

    def __del__(self) -> None:
        """A loop that was left by ``break``: the server is told with the next message."""
        if not self._ended:
            self._caller._session.unsubscribe(self._subscription)

    def _happened(self, event: ItemCame | SubscriptionOpened | SubscriptionEnded) -> None:
        if isinstance(event, ItemCame):
            self.dropped += event.dropped
            self._inbox.append(event.value)
        elif isinstance(event, SubscriptionOpened):
            self._open = True
        else:
            self._ended = True
            self._error = event.error
