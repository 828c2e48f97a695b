"""What the tests on loopback share: a handler that does everything, and a server of it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from netlab.http import HttpServer, Request, Response
from tests.transport.support import LOOPBACK, TransportCase, dial, reactor, read_all

LARGE = bytes(range(256)) * 8192  # 2 MiB


async def everything(asked: Request) -> Response:
    """What the tests below ask for."""
    path = asked.path
    if path == "/echo":
        return Response(200, [], asked.body)
    if path == "/length":
        return Response(200, [], b"%d" % len(await asked.body.read(1 << 24)))
    if path == "/large":
        return Response(200, [], LARGE)
    if path == "/stream":

        async def generate() -> AsyncIterator[bytes]:
            for start in range(0, len(LARGE), 100_000):
                yield LARGE[start : start + 100_000]
                await deferLater(reactor, 0)

        return Response(200, [], generate())
    if path == "/wait":
        await deferLater(reactor, 0.05)
    if path == "/slow":
        await Deferred()
    return Response(200, [("Content-Type", "text/plain")], asked.target.encode())


class HttpCase(TransportCase):
    async def start(
        self, handler: Any = everything, endpoint: Any = LOOPBACK, **options: Any
    ) -> int:
        """An ``HttpServer``, as ``self.server``; returns its port."""
        self.http = HttpServer(handler, reactor=reactor, **options)
        self.servers.append(self.http)
        port = await self.http.listen(endpoint)
        return getattr(port.getHost(), "port", 0)


def talk(port: int, data: bytes, *, end: bool = True) -> bytes:
    """Sends ``data``, half-closes, and reads to the end."""
    with dial(port) as sock:
        sock.sendall(data)
        if end:
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)
