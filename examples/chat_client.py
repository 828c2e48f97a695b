"""Joins the room of ``chat.py``: prints what is said, sends the lines that are typed.

    python chat_client.py tcp:localhost:8032 Ada

End it with Ctrl-D. It waits for the keyboard and for the network at the same time:
Twisted calls ``lineReceived`` for the one, and the loop in ``main`` awaits the other.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from netlab import ConnectionClosed, MessageClient, NetlabError, connect


class Keyboard(LineOnlyReceiver):
    """Sends each line that is typed."""

    delimiter = b"\n"

    def __init__(self, client: MessageClient) -> None:
        self.client = client

    def lineReceived(self, line: bytes) -> None:
        """One line was typed."""
        sending = Deferred.fromCoroutine(self.client.send(line))
        sending.addErrback(lambda failure: failure.trap(ConnectionClosed) and None)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Ctrl-D: no more is typed."""
        Deferred.fromCoroutine(self.client.close())


async def main(reactor: Any, endpoint: str, name: str) -> None:
    """Joins as ``name``, and stays until one side closes."""
    try:
        async with connect(endpoint, reactor=reactor) as client:
            print((await client.receive(timeout=5)).decode())
            await client.send(name.encode())
            StandardIO(Keyboard(client))
            async for message in client:
                print(message.decode(), flush=True)
    except NetlabError as error:
        raise SystemExit(f"chat_client: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python chat_client.py ENDPOINT NAME")
    task.react(main, sys.argv[1:])
