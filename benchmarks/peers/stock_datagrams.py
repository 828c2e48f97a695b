"""Echo on Twisted's own ``DatagramProtocol``, as its documentation shows it.

Run: ``python -m benchmarks.peers.stock_datagrams PORT``.
"""

import sys
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.protocol import DatagramProtocol


class Echo(DatagramProtocol):
    """Sends each datagram back."""

    noisy = False
    transport: IUDPTransport

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.transport.write(datagram, addr)


def main(port: str) -> None:
    """Serve until a signal comes."""
    reactor: Any = installed_reactor  # which interfaces it has is known at run time only
    reactor.listenUDP(int(port), Echo(), interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
