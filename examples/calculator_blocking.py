"""Calls the calculator without an event loop, for scripts and for teaching.

python calculator_blocking.py tcp:localhost:8032
"""

from __future__ import annotations

import sys

from calculator import Calculator

from netlab import NetlabError
from netlab.api import RpcError
from netlab.blocking import connect


def main(endpoint: str) -> None:
    """Calls, is refused, and listens."""
    with connect(endpoint, Calculator, timeout=5) as calc:
        print(calc.add(1, 2))
        print(calc.mean(values=[1, 2, 6]))
        try:
            calc.divide(1, 0)
        except RpcError as error:
            print(error)
        for number in calc.countdown(3):
            print(number)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python calculator_blocking.py ENDPOINT")
    try:
        main(sys.argv[1])
    except NetlabError as error:
        sys.exit(f"calculator_blocking: {error}")
