"""The api: what a client of rooms can call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from msgspec import Meta

from netlab.api.context import Context
from netlab.api.declare import Api, method, subscription
from netlab.api.jsonrpc.errors import Code, RpcError, error_of

from .memory import MemoryStore
from .model import MAX_ROOM_NAME, MAX_TEXT, MAX_USER_NAME, Message, RoomError, RoomLimits
from .names import checked_name
from .store import Membership, RoomStore

RoomName = Annotated[str, Meta(min_length=1, max_length=MAX_ROOM_NAME)]
UserName = Annotated[str, Meta(min_length=1, max_length=MAX_USER_NAME)]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Since = Annotated[int, Meta(ge=0)] | None
Limit = Annotated[int, Meta(ge=1, le=1000)]

_KEY = "netlab.api.rooms"


class Rooms(Api):
    """Rooms: who joins one reads what its members publish.

    Each message of a room has the number after that of the one before, its id. All
    members see all of them, in this order, and each of them once. A room remembers a
    bounded number of messages; where some are gone, the next one says how many it
    ``missed``. A slow reader delays nobody.

    A member is a connection: when that ends, it leaves all of its rooms. Who is not in a
    room learns nothing of it. A room without members is remembered as long as there is
    space for it. Errors have these codes: 1 not joined, 2 the name is taken, 3 joined under
    another name, 4 the room is full, 5 too many rooms, 6 there is no message ``since`` yet.
    """

    def __init__(self, store: RoomStore | None = None, *, limits: RoomLimits | None = None) -> None:
        self.limits = limits or RoomLimits()
        self.store: RoomStore = MemoryStore(self.limits) if store is None else store

    @method(idempotent=True)
    async def join(self, ctx: Context, room: RoomName, name: UserName) -> int:
        """Comes into ``room``, to be known there as ``name``.

        The answer is the id of the newest message at that time, 0 if there was none: with it
        as ``since``, ``messages`` gives everything that follows. A room is there as soon as
        somebody joins it. A name can be seen, and is no other member's, whether in
        capitals or not. To join again under the same name does nothing.
        """
        room, name = _checked("room", room), _checked("name", name)
        visitor = _visitor(ctx)
        there = visitor.memberships.get(room)
        if there is not None:
            if there.name != name:
                text = f"you are {there.name} in {room}: leave it first"
                raise RpcError(RoomError.OTHER_NAME, text, {"name": there.name})
            return there.joined
        if len(visitor.memberships) + visitor.joining >= self.limits.max_joined:
            text = f"you are in {self.limits.max_joined} rooms: leave one of them"
            raise RpcError(RoomError.TOO_MANY_ROOMS, text)
        visitor.joining += 1
        try:
            member = await self.store.join(room, name)
        finally:
            visitor.joining -= 1
        if visitor.gone:  # meanwhile
            await self.store.leave(member)
        else:
            visitor.memberships[room] = member
        return member.joined

    @method(idempotent=True)
    async def leave(self, ctx: Context, room: RoomName) -> None:
        """Goes out of ``room``: its subscriptions end. Who is not in it may say so too."""
        member = _visitor(ctx).memberships.pop(_checked("room", room), None)
        if member is not None:
            await self.store.leave(member)

    @method
    async def publish(self, ctx: Context, room: RoomName, text: Text) -> int:
        """Says ``text`` to all members of ``room``, oneself too; the answer is its id."""
        return await self.store.publish(_member(ctx, room), text)

    @method(idempotent=True)
    async def members(self, ctx: Context, room: RoomName) -> list[str]:
        """The names of those in ``room``, in the order in which they came."""
        return await self.store.members(_member(ctx, room))

    @method(idempotent=True)
    async def history(
        self, ctx: Context, room: RoomName, since: Since = None, limit: Limit = 100
    ) -> list[Message]:
        """What ``room`` remembers: the first ``limit`` messages after the id ``since``.

        Without ``since`` it is the newest ones, the oldest of them first.
        """
        return await self.store.history(_member(ctx, room), since, limit)

    @subscription
    async def messages(
        self, ctx: Context, room: RoomName, since: Since = None
    ) -> AsyncIterator[Message]:
        """The messages of ``room`` after the id ``since``, and then as they are published.

        Without ``since`` it begins with the next one. It ends when one leaves the room.
        """
        from .reading import Messages  # who has the class for a client needs no Twisted

        return Messages(await self.store.subscribe(_member(ctx, room), since))

    async def disconnected(self, ctx: Context) -> None:
        """The connection of ``ctx`` has ended: leaves all of its rooms."""
        visitor = _visitor(ctx)
        visitor.gone = True
        while visitor.memberships:
            _, member = visitor.memberships.popitem()
            await self.store.leave(member)


class _Visitor:
    """One connection: where it is a member."""

    __slots__ = ("gone", "joining", "memberships")

    def __init__(self) -> None:
        self.memberships: dict[str, Membership] = {}
        self.joining = 0
        self.gone = False


def _visitor(ctx: Context) -> _Visitor:
    state: dict[str, Any] = ctx.state
    visitor: _Visitor | None = state.get(_KEY)
    if visitor is None:
        visitor = state[_KEY] = _Visitor()
    return visitor


def _member(ctx: Context, room: str) -> Membership:
    room = _checked("room", room)
    member = _visitor(ctx).memberships.get(room)
    if member is None:
        raise RpcError(RoomError.NOT_JOINED, f"you are not in {room}: join it first")
    return member


def _checked(argument: str, value: str) -> str:
    """A name in normal form, or the error that says why it is none."""
    try:
        return checked_name(value)
    except ValueError as error:
        reason = str(error)
    data = {"argument": argument, "path": f"$.{argument}", "reason": reason}
    raise error_of(Code.INVALID_PARAMS, f"{argument}: {reason}", data)
