"""``add`` on Twisted's AMP, as its documentation shows it.

Run: ``python -m benchmarks.peers.amp_calculator PORT``.
"""

import sys
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.protocol import Factory
from twisted.protocols import amp


class Add(amp.Command):
    """The call, as both ends know it."""

    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Calculator(amp.AMP):
    """Answers it."""

    @Add.responder
    def add(self, a: int, b: int) -> dict[str, int]:
        return {"total": a + b}


def main(port: str) -> None:
    """Serve until a signal comes."""
    reactor: Any = installed_reactor  # which interfaces it has is known at run time only
    factory = Factory.forProtocol(Calculator)
    factory.noisy = False
    reactor.listenTCP(int(port), factory, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
