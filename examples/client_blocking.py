"""A client without an event loop, for scripts and for teaching.

    python client_blocking.py tcp:localhost:8032 hello world

Each call returns when it is done, or raises an error that says why not.
"""

from __future__ import annotations

import sys

from netlab import NetlabError
from netlab.blocking import connect


def main(endpoint: str, *messages: str) -> None:
    """Sends each of ``messages`` and prints the answer to it."""
    with connect(endpoint, timeout=5) as client:
        for each in messages:
            print(client.request(each.encode()).decode())


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python client_blocking.py ENDPOINT MESSAGE...")
    try:
        main(*sys.argv[1:])
    except NetlabError as error:
        sys.exit(f"client_blocking: {error}")
