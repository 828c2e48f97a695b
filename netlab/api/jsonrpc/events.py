"""What a session tells of the bytes it was given."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from netlab.errors import NetlabError

from .codecs import Id
from .errors import RpcError
from .subscriptions import Publication, Subscription


class Batch(msgspec.Struct, eq=False):
    """The answers to one batch, until all of them are there."""

    waiting: int = 0
    ids: list[bytes] = msgspec.field(default_factory=list)
    answers: list[bytes] = msgspec.field(default_factory=list)


class RequestCame(msgspec.Struct, eq=False):
    """The peer calls ``method``: answer it, with ``Session.reply`` or ``reply_error``.

    ``params`` is an array or an object, still encoded; ``None`` when there is none.
    Everything below it is the session's own.
    """

    id: Id
    method: str
    params: bytes | None
    echo: bytes
    batch: Batch | None = None
    answered: bool = False


class NotificationCame(msgspec.Struct, eq=False, gc=False):
    """The peer says something that wants no answer."""

    method: str
    params: bytes | None


class ResponseCame(msgspec.Struct, eq=False):
    """The outcome of the call ``id``: ``result``, still encoded, or ``error``.

    The error is an ``RpcError`` when the peer answered with one, ``BadAnswer`` when its
    answer cannot be read, and why the connection was lost when it was.
    """

    id: int
    result: bytes | None = None
    error: NetlabError | None = None


class Cancelled(msgspec.Struct, eq=False):
    """The peer no longer wants the answer; it still gets one (-32800, or the result)."""

    request: RequestCame


class Progress(msgspec.Struct, eq=False, gc=False):
    """The call ``id`` is under way: ``value``, still encoded."""

    id: int
    value: bytes


class SubscriptionOpened(msgspec.Struct, eq=False):
    """The peer accepted; items follow."""

    subscription: Subscription


class ItemCame(msgspec.Struct, eq=False):
    """The next item, still encoded; ``dropped`` before it were left out by the peer."""

    subscription: Subscription
    value: bytes
    dropped: int = 0


class SubscriptionEnded(msgspec.Struct, eq=False):
    """No item follows: all were there, or ``error``. Comes once, also if it never opened."""

    subscription: Subscription
    error: NetlabError | None = None


class CreditCame(msgspec.Struct, eq=False):
    """The subscriber takes more; ``publication.credit`` is how much now."""

    publication: Publication


class Unsubscribed(msgspec.Struct, eq=False):
    """The subscriber wants no more of it, or is gone: ``publication`` has ended."""

    publication: Publication


class Fault(msgspec.Struct, eq=False):
    """The peer broke the rules; the connection goes on. To be counted, perhaps logged.

    ``answered`` tells whether ``error`` is on its way to the peer.
    """

    error: RpcError
    answered: bool


class Complaint(msgspec.Struct, eq=False):
    """The peer could not read something that this side sent: an error for no call."""

    error: RpcError


Event: TypeAlias = (
    RequestCame
    | NotificationCame
    | ResponseCame
    | Cancelled
    | Progress
    | SubscriptionOpened
    | ItemCame
    | SubscriptionEnded
    | CreditCame
    | Unsubscribed
    | Fault
    | Complaint
)
"""Any of them."""
