"""``add`` on grpc.aio, gRPC for asyncio.

Run: ``python -m benchmarks.peers.grpc_calculator PORT``.

The two integers are packed by ``struct``, which is no dearer than protobuf would be.
"""

import asyncio
import struct
import sys
from typing import Any

import grpc
import grpc.aio

SERVICE, METHOD = "Calculator", "add"
REQUEST, ANSWER = struct.Struct(">qq"), struct.Struct(">q")


async def add(request: tuple[int, int], _context: Any) -> int:
    """The sum of two integers."""
    a, b = request
    return a + b


async def serve(port: str) -> None:
    """Serve until a signal comes."""
    handler = grpc.unary_unary_rpc_method_handler(add, REQUEST.unpack, ANSWER.pack)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler})]
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
