"""What rooms are made of: messages, limits, errors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Annotated

import msgspec

from netlab.errors import ConfigurationError

MAX_ROOM_NAME = 64
"""Characters in the name of a room."""
MAX_USER_NAME = 32
"""Characters in the name of a member."""
MAX_TEXT = 4000
"""Characters in a message."""
OVERHEAD = 200
"""What a message takes besides its text, in bytes: here, and in an answer."""
LONGEST = 8 * MAX_TEXT + 100 + OVERHEAD
"""The most that one message takes. Python keeps a text as it is indexed, with up to four
bytes a character, and once it is sent also in UTF-8; JSON never needs more than six."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a member published.

    id      its number in the room: the one after that of the message before
    name    who published it
    text    as it was published: it may hold characters that do things to a terminal
    missed  so many messages before this one are gone, as the reader was too slow, or
            asked for older ones than the room remembers
    """

    id: Annotated[int, msgspec.Meta(ge=1)]
    name: str
    text: str
    missed: Annotated[int, msgspec.Meta(ge=0)] = 0


class RoomError(IntEnum):
    """Codes of the errors that rooms answer, besides those of every api."""

    NOT_JOINED = 1
    NAME_TAKEN = 2
    OTHER_NAME = 3
    ROOM_FULL = 4
    TOO_MANY_ROOMS = 5
    NOT_YET = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """How much rooms may take.

    max_rooms      at a time; when there is no room for another, the one without members
                   whose last member left first is forgotten
    max_members    of one room
    max_joined     rooms that one connection is a member of at a time
    max_history    messages that a room remembers; the oldest is forgotten first
    history_bytes  what these may take, texts and overhead together

    So texts take ``max_rooms * history_bytes`` at the most. How far a member may fall
    behind before it misses something is what the room remembers.
    """

    max_rooms: int = 500
    max_members: int = 5000
    max_joined: int = 16
    max_history: int = 1000
    history_bytes: int = 256 * 1024

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            least = LONGEST if each.name == "history_bytes" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                why = ", so that the longest message fits" if least > 1 else ""
                text = f"{each.name} is a number of {least} or more{why}, not {value!r}"
                raise ConfigurationError(text)
