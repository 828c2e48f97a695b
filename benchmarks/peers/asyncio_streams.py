"""Echo on asyncio's streams: ``readexactly`` twice, ``write``, ``drain``.

Run: ``python -m benchmarks.peers.asyncio_streams PORT [KEY CERTIFICATE]``.
"""

import asyncio
import ssl
import sys


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send each message back until the peer closes."""
    try:
        while True:
            header = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(header, "big"))
            writer.write(header + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: str, key: str = "", certificate: str = "") -> None:
    """Serve until a signal comes."""
    context = None
    if key:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(echo, "127.0.0.1", int(port), ssl=context, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
