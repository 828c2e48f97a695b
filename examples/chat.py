"""A chat room: what one member writes, all members read.

Serve it, then join it from two or more terminals:

    twistd -n netlab message --app chat:Room
    python chat_client.py tcp:localhost:8032 Ada

All messages are UTF-8 text. A member's first message is the name to be known by.
"""

from __future__ import annotations

from netlab import MessageFactory, MessageProtocol, NetlabError

LONGEST_NAME = 32
LONGEST_TEXT = 4000


class Member(MessageProtocol):
    """One connection: somebody in the room, or at its door."""

    factory: Room
    name = ""

    def connected(self) -> None:
        """Asks for a name. A server may speak first, and at any time."""
        self.send(b"* your name?")

    def message_received(self, message: bytes) -> bytes | None:
        """Takes the name, then whatever is said."""
        text = printable(message)
        if self.name:
            if len(text) > LONGEST_TEXT:
                return b"* too long, nobody heard it"
            self.factory.tell_all(f"{self.name}: {text}")
            return None  # no answer: this member hears it with all the others
        if not 0 < len(text) <= LONGEST_NAME or text in self.factory.members:
            return b"* that name is taken or cannot be; another one?"
        self.name = text
        self.factory.members[text] = self
        self.factory.tell_all(f"* {text} is here")
        return None

    def disconnected(self, reason: NetlabError | None) -> None:
        """Leaves the room; called once for each connection, however it ended."""
        if self.factory.members.pop(self.name, None):
            self.factory.tell_all(f"* {self.name} has left")


class Room(MessageFactory):
    """What the connections share: who is there."""

    protocol = Member

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}

    def tell_all(self, text: str) -> None:
        """Sends ``text`` to every member, and waits for none of them.

        ``await member.send(...)`` would wait for a member who reads slowly, and
        all others with it. Without ``await`` the message is left with that
        member's connection. Who falls more than ``max_buffered`` bytes behind
        is cut off, so a member who never reads costs little memory; then
        ``disconnected`` is called, but never from within ``send``, so the
        dictionary does not change during this loop.
        """
        message = text.encode()
        for member in self.members.values():
            member.send(message)


def printable(message: bytes) -> str:
    """The text of ``message`` without what could play tricks on a reader's terminal."""
    text = message.decode("utf-8", errors="replace")
    return "".join(each for each in text if each.isprintable()).strip()
