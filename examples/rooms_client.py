"""Joins a room: prints what its members publish, publishes the lines that are typed.

    twistd -n netlab message --app rooms
    python rooms_client.py tcp:localhost:8032 lab Ada

First comes what the room remembers. Ctrl-D leaves. It waits for the keyboard and for the
network at the same time, as ``chat_client.py`` does; what that does with a protocol of
its own is here a call.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from netlab import ConnectionClosed, NetlabError, connect
from netlab.api.rooms import Message, Rooms


class Keyboard(LineOnlyReceiver):
    """Publishes each line that is typed, one after the other; then leaves."""

    delimiter = b"\n"

    def __init__(self, rooms: type[Rooms], room: str) -> None:
        self.rooms = rooms
        self.room = room
        self.turn = DeferredLock()

    def lineReceived(self, line: bytes) -> None:
        """One line was typed."""
        text = line.decode(errors="replace")
        if text:
            self.do(lambda: self.rooms.publish(self.room, text))

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Ctrl-D: no more is typed."""
        self.do(lambda: self.rooms.leave(self.room))

    def do(self, call: Any) -> None:
        """Calls when the calls before are answered, and shows what was wrong with it."""
        doing = self.turn.run(lambda: Deferred.fromCoroutine(call()))
        doing.addErrback(lambda failure: failure.trap(ConnectionClosed) and None)  # main tells
        doing.addErrback(lambda failure: print(f"* {failure.value}"))


def shown(message: Message) -> str:
    """One line without what could play tricks on a terminal; the name is safe already."""
    text = "".join(each if each.isprintable() else "?" for each in message.text)
    return f"{message.id:4} {message.name}: {text}"


async def main(reactor: Any, endpoint: str, room: str, name: str) -> None:
    """Joins ``room`` as ``name``, and stays until one side closes."""
    try:
        async with connect(endpoint, Rooms, reactor=reactor) as rooms:
            await rooms.join(room, name)
            print("* here are", ", ".join(await rooms.members(room)), flush=True)
            messages = rooms.messages(room, since=0)
            StandardIO(Keyboard(rooms, room))
            async for message in messages:
                if message.missed:
                    print(f"* {message.missed} messages are lost")
                print(shown(message), flush=True)
    except NetlabError as error:
        raise SystemExit(f"rooms_client: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python rooms_client.py ENDPOINT ROOM NAME")
    task.react(main, sys.argv[1:])
