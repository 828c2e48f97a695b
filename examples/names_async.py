"""Looks up many names at a time: a datagram client with async and await.

The server is the one in names.py:

    twistd -n netlab echo --app names:Names
    python names_async.py 127.0.0.1:8007 ada grace nobody

All questions are under way together, and each is sent again by itself when its
answer does not come. So this takes as long as the slowest, and not as long as all.
"""

from __future__ import annotations

import sys
from typing import Any

from names import address, is_answer, question
from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from netlab import DatagramClient, NetlabError


async def look_up(client: DatagramClient, name: str) -> str:
    """The line that is printed for ``name``."""
    try:
        return f"{name}: {address(await client.request(question(name)))}"
    except (NetlabError, ValueError) as error:
        return f"{name}: {error}"


async def main(reactor: Any, server: str, *names: str) -> None:
    """Asks ``server`` for all of ``names`` at once, and prints the answers in their order."""
    try:
        async with DatagramClient(
            server, timeout=0.2, retries=5, match=is_answer, reactor=reactor
        ) as client:
            looking = [Deferred.fromCoroutine(look_up(client, name)) for name in names]
            print(*await gatherResults(looking), sep="\n")
    except NetlabError as error:
        raise SystemExit(f"names_async: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python names_async.py SERVER NAME...")
    task.react(main, sys.argv[1:])
