"""A client with Twisted alone: its Int32StringReceiver has the same bytes on the wire.

    python client_twisted.py tcp:localhost:8032 hello world

A program that uses Twisted already needs nothing else to talk to a netlab server.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure


class Asking(Int32StringReceiver):
    """Sends messages and collects as many answers; ``answers`` fires with them."""

    MAX_LENGTH = 1 << 20  # Twisted's own limit is 99999: a longer answer would end it all

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.received: list[bytes] = []
        self.answers: Deferred[list[bytes]] = Deferred()

    def connectionMade(self) -> None:
        """Sends everything; the answers come in the same order."""
        for each in self.messages:
            self.sendString(each)  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:
        """One answer, whole: the framing is done by Twisted."""
        self.received.append(string)
        if len(self.received) == len(self.messages) and self.transport:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end: what was asked for, or the reason why not."""
        if len(self.received) == len(self.messages):
            self.answers.callback(self.received)
        else:
            self.answers.errback(reason)


async def main(reactor: Any, endpoint: str, *messages: str) -> None:
    """Sends each of ``messages`` and prints the answers."""
    try:
        asking = Asking([each.encode() for each in messages])
        await connectProtocol(clientFromString(reactor, endpoint), asking)
        for answer in await asking.answers.addTimeout(5, reactor):
            print(answer.decode())
    except (ConnectError, ConnectionDone, TimeoutError) as error:
        raise SystemExit(f"client_twisted: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python client_twisted.py ENDPOINT MESSAGE...")
    task.react(main, sys.argv[1:])
