"""Echo on a hand-written ``asyncio.Protocol``: about the best that Python code does on asyncio.

Run: ``python -m benchmarks.peers.asyncio_protocol asyncio|uvloop PORT [KEY CERTIFICATE]``.

One pass cuts all whole frames out of what was received, and one ``write`` answers them all. A large
message is kept in the chunks it came in and joined once. There are no limits and no time-outs: that
is what a framework adds, and has to pay for.
"""

import asyncio
import ssl
import struct
import sys
from typing import cast

HEADER = struct.Struct(">I")


class Echo(asyncio.Protocol):
    """Sends each message back."""

    __slots__ = ("chunks", "have", "need", "transport")

    transport: asyncio.WriteTransport

    def __init__(self) -> None:
        self.chunks: list[bytes] = []  # of a frame that is not complete
        self.have = 0  # bytes in them
        self.need = 0  # bytes before it is worth looking again

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        if self.need:
            self.chunks.append(data)
            self.have += len(data)
            if self.have < self.need:
                return
            data = b"".join(self.chunks)
            self.chunks.clear()
            self.need = 0
        replies: list[bytes] = []
        start, size = 0, len(data)
        while size - start >= 4:
            (length,) = HEADER.unpack_from(data, start)
            end = start + 4 + length
            if end > size:
                self.need = 4 + length
                break
            message = data[start + 4 : end]  # what an application would be given
            replies.append(HEADER.pack(len(message)))
            replies.append(message)
            start = end
        if replies:
            self.transport.write(b"".join(replies))
        if start < size:
            self.need = self.need or 4
            self.chunks.append(data[start:] if start else data)
            self.have = size - start


async def serve(port: str, key: str = "", certificate: str = "") -> None:
    """Serve until a signal comes."""
    context = None
    if key:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", int(port), ssl=context, backlog=1024)
    await server.serve_forever()


def main(loop: str, *arguments: str) -> None:
    """Run :func:`serve` on the loop of that name."""
    if loop == "uvloop":
        import uvloop

        uvloop.run(serve(*arguments))
    else:
        asyncio.run(serve(*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
