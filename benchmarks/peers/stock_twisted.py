"""Echo on Twisted's own ``Int32StringReceiver``, as its documentation shows it.

Run: ``python -m benchmarks.peers.stock_twisted PORT [KEY CERTIFICATE]``.

Nagle's algorithm stays on, as Twisted leaves it. With large messages the end of a reply then waits
for the client's delayed acknowledgement: that is the 40 ms in its latency, and a server half idle.
"""

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet import ssl
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver


class Echo(Int32StringReceiver):
    """Sends each message back."""

    MAX_LENGTH = 64 << 20

    def stringReceived(self, string: bytes) -> None:
        self.sendString(string)  # type: ignore[no-untyped-call]


def main(port: str, key: str = "", certificate: str = "") -> None:
    """Serve until a signal comes."""
    reactor: Any = installed_reactor  # which interfaces it has is known at run time only
    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    if key:
        pem = Path(key).read_bytes() + Path(certificate).read_bytes()
        pair = ssl.PrivateCertificate.loadPEM(pem)
        options = pair.options()
        reactor.listenSSL(int(port), factory, options, backlog=1024, interface="127.0.0.1")
    else:
        reactor.listenTCP(int(port), factory, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
