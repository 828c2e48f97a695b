"""twisted.web: files from a directory (``static``), or a reverse proxy without a cache (``proxy``).

Run: ``python -m benchmarks.peers.twisted_web static PORT DIRECTORY`` or ``proxy PORT ORIGIN-PORT``.
"""

import sys
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Site
from twisted.web.static import File


def main(kind: str, port: str, source: str) -> None:
    """Serve until a signal comes."""
    reactor: Any = installed_reactor  # which interfaces it has is known at run time only
    resource: Any = (
        File(source, defaultType="text/plain; charset=utf-8")
        if kind == "static"
        else ReverseProxyResource("127.0.0.1", int(source), b"")
    )
    reactor.listenTCP(int(port), Site(resource), interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
