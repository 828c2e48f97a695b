"""What an engine of rooms must do: the interface between the api and its state.

``MemoryStore`` keeps everything in this process. One that is shared by several
machines does the same by asking others; so what may take time is awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .model import Message


class Membership(Protocol):
    """Somebody in a room, until they ``leave``. What it says never changes."""

    @property
    def room(self) -> str:
        """The room's name."""

    @property
    def name(self) -> str:
        """Theirs, in this room."""

    @property
    def joined(self) -> int:
        """The id of the newest message when they came; 0 if there was none."""


class Feed(Protocol):
    """The messages of a room for one reader, in order, each of them once.

    It is a place in the room's history, not a copy of it: a reader who is slow takes
    no memory and no time of anybody's.
    """

    @property
    def ended(self) -> bool:
        """Whether no message follows: it was closed, or its reader left the room."""

    def take(self) -> Message | None:
        """The next message; ``None`` when there is none now. Never waits.

        ``Message.missed`` tells of those that were forgotten meanwhile.
        """

    def wait(self, wake: Callable[[], None]) -> None:
        """Calls ``wake`` once, when ``take`` may give something or the feed has ended.

        At once if so already. One at a time waits: the last. ``wake`` must not raise.
        """

    def close(self) -> None:
        """Ends it. Once is enough."""


class RoomStore(Protocol):
    """The state of all rooms.

    Names are given checked and in normal form. A ``Membership`` is one that ``join`` of
    the same store returned; what is done with it after ``leave`` raises as if it were
    not there: ``RpcError`` with ``RoomError.NOT_JOINED``.
    """

    async def join(self, room: str, name: str) -> Membership:
        """Somebody comes in; makes the room if it is not there.

        Raises ``RpcError``: ``NAME_TAKEN`` (also by a name that is the same when folded),
        ``ROOM_FULL``, ``TOO_MANY_ROOMS``.
        """

    async def leave(self, member: Membership) -> None:
        """They go: their feeds end. Once is enough."""

    async def publish(self, member: Membership, text: str) -> int:
        """Appends a message to the room; returns its id. Waits for no reader."""

    async def subscribe(self, member: Membership, since: int | None) -> Feed:
        """The messages that follow ``since``; ``None``: those that are published from now on.

        0 is before the first. Raises ``RpcError`` with ``NOT_YET`` when ``since`` is
        later than the newest.
        """

    async def history(self, member: Membership, since: int | None, limit: int) -> list[Message]:
        """The first ``limit`` messages after ``since``; ``None``: the newest. Raises as above.

        ``missed`` of the first tells of those after ``since`` that are forgotten.
        """

    async def members(self, member: Membership) -> list[str]:
        """Who is in the room, in the order in which they came."""
