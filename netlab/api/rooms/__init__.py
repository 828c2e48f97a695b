"""Rooms: the first ``Api`` application. Who joins a room reads what its members publish.

Each message of a room has the number after that of the one before, and all
members see all of them in that order. A member who falls further behind than
the room remembers is told how many it missed; nobody waits for it.
"""

from .app import Rooms
from .memory import MemoryStore
from .model import MAX_ROOM_NAME, MAX_TEXT, MAX_USER_NAME, Message, RoomError, RoomLimits
from .names import checked_name, folded
from .store import Feed, Membership, RoomStore

__all__ = [
    "MAX_ROOM_NAME",
    "MAX_TEXT",
    "MAX_USER_NAME",
    "Feed",
    "Membership",
    "MemoryStore",
    "Message",
    "RoomError",
    "RoomLimits",
    "RoomStore",
    "Rooms",
    "checked_name",
    "folded",
]
