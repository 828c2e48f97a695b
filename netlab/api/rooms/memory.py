"""Rooms in the memory of this process.

All that is kept of a message is in the history of its room, once, and every
reader is a place in it. A message wakes those who wait for it; who is still busy
with an earlier one is not touched, and finds it later, or finds that it is gone.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec

from netlab.api.jsonrpc.errors import RpcError

from .model import OVERHEAD, Message, RoomError, RoomLimits
from .names import folded
from .store import Membership


class _Room:
    """One room: who is there, and what it remembers."""

    __slots__ = ("bytes", "last", "log", "members", "name", "newest", "sizes", "start", "waiting")

    def __init__(self, name: str, start: int) -> None:
        self.name = name
        self.members: dict[str, _Member] = {}
        self.log: deque[Message] = deque()
        self.sizes: deque[int] = deque()
        self.bytes = 0
        self.start = start  # the first message has the id after it
        self.last = start
        self.newest: Message | None = None
        self.waiting: dict[_Feed, None] = {}  # in the order in which they began to

    @property
    def first(self) -> int:
        """The id of the oldest message that it remembers; of the next, when there is none."""
        return self.last - len(self.log) + 1

    def append(self, name: str, text: str, limits: RoomLimits) -> None:
        """One more message, and as many fewer as that makes necessary."""
        # The longer of the two: as it is sent, and as it is kept, which is longer after that.
        sent = len(msgspec.json.encode(text))
        size = OVERHEAD + max(sent, sys.getsizeof(text))
        self.last += 1
        self.newest = Message(self.last, name, text)
        self.log.append(self.newest)
        self.sizes.append(size)
        self.bytes += size
        while len(self.log) > limits.max_history or self.bytes > limits.history_bytes:
            self.log.popleft()
            self.bytes -= self.sizes.popleft()

    def after(self, since: int | None) -> int:
        """The id that follows ``since``, which a reader says."""
        if since is None:
            return self.last + 1
        if since > self.last:
            raise RpcError(
                RoomError.NOT_YET,
                f"message {since} is not published yet: the newest is {self.last}",
                {"newest": self.last},
            )
        # A reader who asks for all misses nothing of a room that had the name before.
        return since + 1 if since else self.start + 1

    def read(self, id: int) -> Message | None:
        """The message ``id``, or the oldest after it that is left."""
        if id > self.last:
            return None
        first = self.first
        if id >= first:
            return self.log[id - first]
        if not self.log:
            return None  # a room that had the name before had these ids
        return msgspec.structs.replace(self.log[0], missed=first - id)

    def wake(self) -> None:
        """Tells those who wait. Some of them wait again before this ends."""
        waiting, self.waiting = self.waiting, {}
        for each in waiting:
            wake, each._wake = each._wake, None  # woken(), in each of many
            if wake is not None:
                wake()


class _Member:
    """One ``Membership``."""

    __slots__ = ("feeds", "joined", "key", "name", "of", "present", "room")

    def __init__(self, of: _Room, name: str, key: str) -> None:
        self.of = of
        self.room = of.name
        self.name = name
        self.key = key
        self.joined = of.last
        self.present = True
        self.feeds: list[_Feed] = []


class _Feed:
    """One ``Feed``: ``_next`` is the id that its reader has not got."""

    __slots__ = ("_member", "_next", "_room", "_wake", "ended")

    def __init__(self, member: _Member, next: int) -> None:
        self._member = member
        self._room = member.of
        self._next = next
        self._wake: Callable[[], None] | None = None
        self.ended = False

    def take(self) -> Message | None:
        """The next message, if there is one."""
        room = self._room
        next = self._next
        if self.ended or next > room.last:
            return None
        message = room.newest if next == room.last else room.read(next)
        if message is not None:
            self._next = message.id + 1
        return message

    def wait(self, wake: Callable[[], None]) -> None:
        """Calls ``wake`` once, when it may be worth to ``take``."""
        self._wake = wake
        room = self._room
        if self.ended or (self._next <= room.last and room.log):
            self.woken()
        else:
            room.waiting[self] = None

    def woken(self) -> None:
        """A message is there, or the end."""
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def close(self) -> None:
        """Ends it."""
        if not self.ended:
            self.ended = True
            self._member.feeds.remove(self)
            self._room.waiting.pop(self, None)
            self.woken()


class MemoryStore:
    """A ``RoomStore`` of its own. Nothing in it takes time: no coroutine suspends."""

    def __init__(self, limits: RoomLimits | None = None) -> None:
        self.limits = limits or RoomLimits()
        self._rooms: dict[str, _Room] = {}
        self._idle: OrderedDict[str, _Room] = OrderedDict()
        self._forgotten = 0  # no room that was forgotten had an id after this one

    @property
    def rooms(self) -> int:
        """How many there are, those without members counted."""
        return len(self._rooms)

    async def join(self, room: str, name: str) -> Membership:
        """Somebody comes in; see ``RoomStore``."""
        key = folded(name)
        there = self._rooms.get(room)
        if there is None:
            there = self._make(room)
        elif key in there.members:
            taken = there.members[key].name
            text = f"{taken} is in the room already: choose another name"
            raise RpcError(RoomError.NAME_TAKEN, text, {"name": taken})
        elif len(there.members) >= self.limits.max_members:
            text = f"the room is full: it has {len(there.members)} members"
            raise RpcError(RoomError.ROOM_FULL, text)
        self._idle.pop(room, None)
        member = there.members[key] = _Member(there, name, key)
        return member

    def _make(self, name: str) -> _Room:
        if len(self._rooms) >= self.limits.max_rooms:
            if not self._idle:
                text = f"there are {len(self._rooms)} rooms, and somebody is in each of them"
                raise RpcError(RoomError.TOO_MANY_ROOMS, text)
            forgotten, room = self._idle.popitem(last=False)
            del self._rooms[forgotten]
            self._forgotten = max(self._forgotten, room.last)
        made = self._rooms[name] = _Room(name, self._forgotten)
        return made

    async def leave(self, member: Membership) -> None:
        """They go; see ``RoomStore``."""
        gone = _mine(member)
        if not gone.present:
            return
        gone.present = False
        room = gone.of
        del room.members[gone.key]
        if not room.members:
            if room.log:
                self._idle[room.name] = room
            else:
                del self._rooms[room.name]
        for each in gone.feeds[:]:
            each.close()

    async def publish(self, member: Membership, text: str) -> int:
        """One more message; see ``RoomStore``."""
        author = _present(member)
        room = author.of
        room.append(author.name, text, self.limits)
        id = room.last
        room.wake()
        return id

    async def subscribe(self, member: Membership, since: int | None) -> _Feed:
        """The messages that follow; see ``RoomStore``."""
        reader = _present(member)
        feed = _Feed(reader, reader.of.after(since))
        reader.feeds.append(feed)
        return feed

    async def history(self, member: Membership, since: int | None, limit: int) -> list[Message]:
        """Some of what is remembered; see ``RoomStore``."""
        room = _present(member).of
        id = max(room.first, room.last - limit + 1) if since is None else room.after(since)
        found: list[Message] = []
        while len(found) < limit and (message := room.read(id)) is not None:
            found.append(message)
            id = message.id + 1
        return found

    async def members(self, member: Membership) -> list[str]:
        """Who is there; see ``RoomStore``."""
        return [each.name for each in _present(member).of.members.values()]


def _mine(member: Membership) -> _Member:
    assert isinstance(member, _Member), "a membership of another store"
    return member


def _present(member: Membership) -> _Member:
    mine = _mine(member)
    if not mine.present:
        raise RpcError(RoomError.NOT_JOINED, f"{mine.name} has left {mine.room}")
    return mine
