"""The two ends of a subscription, and the credit between them.

The subscriber grants credit, in items; the publisher spends one for each item
it sends. So the subscriber decides how much may wait for it.
"""

from __future__ import annotations

from enum import Enum

import msgspec
from msgspec import Raw

from .limits import MAX_CREDIT


class Stage(Enum):
    """Where a subscription is."""

    OPENING = "opening"
    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"


class Publication:
    """The publisher's end. Read it; change it through the session, or take credit for what is sent.

    id      its number, as in ``$/item``
    method  which method it came from
    credit  items that may be sent now; ``None`` is any number
    open    whether items may be sent at all
    """

    __slots__ = ("after", "before", "credit", "id", "method", "open")

    def __init__(
        self, id: int, method: str, credit: int | None, before: bytes, after: bytes
    ) -> None:
        self.id = id
        self.method = method
        self.credit = credit
        self.before = before
        self.after = after
        self.open = True

    @property
    def ready(self) -> bool:
        """Whether an item may be sent now."""
        return self.open and self.credit != 0

    def add(self, items: int) -> None:
        """Takes credit; it grows no higher than ``MAX_CREDIT``."""
        if self.credit is not None:
            self.credit = min(MAX_CREDIT, self.credit + items)


class Subscription:
    """The subscriber's end. Read it; change it through the session.

    call    the id of the request that it began with
    id      the publisher's number for it, once it is open
    method  what it subscribed to
    credit  items that the publisher may still send; ``None`` is any number
    stage   opening, open, ending (unsubscribed, the peer has not confirmed it), ended
    """

    __slots__ = ("call", "credit", "id", "method", "stage")

    def __init__(self, call: int, method: str, credit: int | None) -> None:
        self.call = call
        self.id: int | None = None
        self.method = method
        self.credit = credit
        self.stage = Stage.OPENING


# -- what the notifications carry


class ItemParams(msgspec.Struct, gc=False):
    """Of ``$/item``."""

    subscription: int
    value: Raw
    dropped: int = 0


class EndParams(msgspec.Struct):
    """Of ``$/end``."""

    subscription: int
    error: Raw = Raw(b"")


class CreditParams(msgspec.Struct):
    """Of ``$/credit``; ``items`` is checked by the session."""

    items: int | None
    subscription: int | None = None


class UnsubscribeParams(msgspec.Struct):
    """Of ``$/unsubscribe``."""

    subscription: int


class CancelParams(msgspec.Struct):
    """Of ``$/cancelRequest``."""

    id: int | str | float | None


class ProgressParams(msgspec.Struct):
    """Of ``$/progress``."""

    token: int | str
    value: Raw
