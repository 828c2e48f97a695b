"""Calls the calculator with async and await, on Twisted's reactor.

    python calculator_async.py tcp:localhost:8032

To a type checker ``calc`` has the methods of ``Calculator``, each to be awaited.
"""

from __future__ import annotations

import sys
from typing import Any

from calculator import Calculator
from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from netlab import NetlabError, connect
from netlab.api import RpcError


async def main(reactor: Any, endpoint: str) -> None:
    """Calls one after the other, then several at a time, and listens."""
    try:
        async with connect(endpoint, Calculator, reactor=reactor) as calc:
            print(await calc.add(1, 2))
            print(await gatherResults([Deferred.fromCoroutine(calc.add(n, n)) for n in range(5)]))
            try:
                await calc.divide(1, 0)
            except RpcError as error:
                print(error)
            async for number in calc.countdown(3):
                print(number)
    except NetlabError as error:
        raise SystemExit(f"calculator_async: {error}") from error


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python calculator_async.py ENDPOINT")
    task.react(main, sys.argv[1:])
