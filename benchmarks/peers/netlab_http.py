"""netlab's HTTP server, its documents prepared: what a handler costs that has its answers at hand.

Run: ``python -m benchmarks.peers.netlab_http PORT DIRECTORY``. All limits and time-outs are on.
"""

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import ensureDeferred

from netlab.http import Request, Response, serve


def main(port: str, directory: str) -> None:
    """Serve until a signal comes."""
    reactor: Any = installed_reactor  # which interfaces it has is known at run time only
    documents = {
        f"/rfc/{each.name}": Response.prepared(
            200,
            [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "max-age=3600")],
            each.read_bytes(),
        )
        for each in Path(directory, "rfc").iterdir()
    }
    missing = Response(404)

    def answer(request: Request) -> Response:
        return documents.get(request.target, missing)

    async def start() -> None:
        await serve(answer, f"tcp:{port}:interface=127.0.0.1")

    reactor.callWhenRunning(lambda: ensureDeferred(start()))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
