"""``add`` as JSON-RPC on Autobahn's WebSocket server, on Twisted: calls written by hand.

Run: ``python -m benchmarks.peers.autobahn_calculator PORT``.

Autobahn's own RPC, WAMP, goes through a router, so that each call is handled by two servers.
"""

import json
import sys
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor as installed_reactor

METHODS = {"add": lambda a, b: a + b}


class Calculator(WebSocketServerProtocol):
    """Answers each message; nothing in it is checked."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        request = json.loads(payload)
        result = METHODS[request["method"]](*request["params"])
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": result}
        self.sendMessage(json.dumps(answer).encode())


def main(port: str) -> None:
    """Serve until a signal comes."""
    reactor: Any = installed_reactor  # which interfaces it has is known at run time only
    factory = WebSocketServerFactory()
    factory.protocol = Calculator
    reactor.listenTCP(int(port), factory, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
