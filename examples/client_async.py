"""A client with async and await, on Twisted's reactor.

    python client_async.py tcp:localhost:8032 hello world

All messages are sent before the first answer is awaited: a message does not have to
wait for the answer to the one before it. The answers come in the same order.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task

from netlab import NetlabError, connect


async def main(reactor: Any, endpoint: str, *messages: str) -> None:
    """Sends each of ``messages`` and prints the answers."""
    try:
        # Leaving the block closes the connection, also when an error ends it.
        async with connect(endpoint, reactor=reactor) as client:
            for each in messages:
                await client.send(each.encode())  # waits only if the server is slow to read
            for _ in messages:
                print((await client.receive(timeout=5)).decode())
    except NetlabError as error:
        raise SystemExit(f"client_async: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python client_async.py ENDPOINT MESSAGE...")
    # react() runs the reactor until main is done, and exits with status 1 if it fails.
    task.react(main, sys.argv[1:])
