"""Echo on an ``asyncio.DatagramProtocol``: what asyncio's documentation shows.

Run: ``python -m benchmarks.peers.asyncio_datagrams asyncio|uvloop PORT``.
"""

import asyncio
import sys
from typing import cast


class Echo(asyncio.DatagramProtocol):
    """Sends each datagram back."""

    __slots__ = ("transport",)

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        self.transport.sendto(data, peer)


async def serve(port: str) -> None:
    """Serve until a signal comes."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", int(port)))
    await asyncio.Event().wait()


def main(loop: str, port: str) -> None:
    """Run :func:`serve` on the loop of that name."""
    if loop == "uvloop":
        import uvloop

        uvloop.run(serve(port))
    else:
        asyncio.run(serve(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
