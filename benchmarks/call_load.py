"""The load of servers whose protocols ``load.c`` does not speak: their own clients call ``add``.

Run by the benchmark as ``python -m benchmarks.call_load KIND -pPORT -cCONNECTIONS -kIN_FLIGHT
-wWARMUP -dSECONDS``; it keeps to the dialogue that ``generator.h`` describes. Like ``load.c`` it
checks each answer, and has so many calls under way on each connection. It may cost more CPU than
its server, which idles then: the CPU per call stays comparable, rate and latency do not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.tls_load import own_cpu

Add = Callable[[int, int], Awaitable[int]]
"""One connection: calls the server's ``add``."""


# ---- the clients -------------------------------------------------------------------------------


async def grpc(port: int) -> Add:
    """A channel of its own: by default those to one server share a connection."""
    from grpc.aio import insecure_channel

    from benchmarks.peers.grpc_calculator import ANSWER, METHOD, REQUEST, SERVICE

    channel = insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
    call: Any = channel.unary_unary(
        f"/{SERVICE}/{METHOD}",
        request_serializer=lambda request: REQUEST.pack(*request),
        response_deserializer=lambda answer: ANSWER.unpack(answer)[0],
    )

    async def add(a: int, b: int) -> int:
        result: int = await call((a, b))
        return result

    return add


async def amp(port: int) -> Add:
    from twisted.internet import reactor
    from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
    from twisted.protocols.amp import AMP

    from benchmarks.peers.amp_calculator import Add as Command

    connecting = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), AMP())
    client = await connecting.asFuture(asyncio.get_running_loop())

    async def add(a: int, b: int) -> int:
        answer = await client.callRemote(Command, a=a, b=b).asFuture(asyncio.get_running_loop())
        result: int = answer["total"]
        return result

    return add


async def autobahn(port: int) -> Add:
    from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

    loop = asyncio.get_running_loop()

    class Client(WebSocketClientProtocol):
        """Answers find their calls by their ids."""

        def __init__(self) -> None:
            super().__init__()
            self.opened = loop.create_future()
            self.calls: dict[int, asyncio.Future[int]] = {}
            self.number = 10_000_000

        def onOpen(self) -> None:
            self.opened.set_result(None)

        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            answer = json.loads(payload)
            self.calls.pop(answer["id"]).set_result(answer["result"])

    factory = WebSocketClientFactory(f"ws://127.0.0.1:{port}")
    factory.protocol = Client
    _, client = await loop.create_connection(factory, "127.0.0.1", port)
    await client.opened

    async def add(a: int, b: int) -> int:
        client.number += 1
        answer = client.calls[client.number] = loop.create_future()
        call = {"jsonrpc": "2.0", "id": client.number, "method": "add", "params": [a, b]}
        client.sendMessage(json.dumps(call).encode())
        return await answer

    return add


KINDS = {"grpc": grpc, "amp": amp, "autobahn": autobahn}


# ---- the load ----------------------------------------------------------------------------------


async def calls(add: Add, until: float, latencies: list[float]) -> None:
    """Call until that time, one call after the other."""
    now = time.monotonic()
    while now < until:
        began = now
        if await add(1, 2) != 3:
            raise ValueError("a wrong answer")
        now = time.monotonic()
        latencies.append((now - began) * 1e6)


async def run(
    kind: str, port: int, connections: int, in_flight: int, warmup: float, seconds: float
) -> None:
    """Measure once."""
    clients = [await KINDS[kind](port) for _ in range(connections)]

    async def exchange(duration: float) -> list[float]:
        latencies: list[float] = []
        until = time.monotonic() + duration
        await asyncio.gather(
            *(calls(add, until, latencies) for add in clients for _ in range(in_flight))
        )
        return latencies

    await exchange(max(warmup, 0.1))  # grpc connects at the first call
    print(json.dumps({"event": "begin"}), flush=True)
    sys.stdin.readline()
    cpu, start = own_cpu(), time.monotonic()
    latencies = await exchange(seconds)
    took = time.monotonic() - start
    cuts = statistics.quantiles(latencies, n=100)
    report = {
        "event": "end",
        "messages": len(latencies),
        "seconds": took,
        "load_cpu": own_cpu() - cpu,
        "p50_us": cuts[49],
        "p99_us": cuts[98],
    }
    print(json.dumps(report), flush=True)
    sys.stdin.read()


def main() -> None:
    """Read the options of ``load.c`` that apply."""
    parser = argparse.ArgumentParser(description="load generator in Python, for calls")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("-p", type=int, required=True, help="port")
    parser.add_argument("-c", type=int, default=1, help="connections")
    parser.add_argument("-k", type=int, default=1, help="calls in flight on each")
    parser.add_argument("-w", type=float, default=0.5, help="seconds of warm-up")
    parser.add_argument("-d", type=float, default=2.0, help="seconds to measure")
    parser.add_argument("-T", type=float, default=60, help="give up after these seconds")
    given = parser.parse_args()
    if given.kind == "amp":
        from twisted.internet import asyncioreactor

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    else:
        loop = asyncio.new_event_loop()
    work = run(given.kind, given.p, given.c, given.k, given.w, given.d)
    try:
        loop.run_until_complete(asyncio.wait_for(work, given.T))
    except (TimeoutError, OSError, ValueError) as error:
        sys.exit(f"load: {str(error) or 'timed out'}")


if __name__ == "__main__":
    main()
