"""The load generator for the TLS rows where ``load.c`` was compiled without OpenSSL.

Run by the benchmark as ``python -m benchmarks.tls_load echo -pPORT -sBYTES -cCONNECTIONS -wWARMUP
-dSECONDS``; it keeps to the dialogue that ``generator.h`` describes. One message is in flight on
each connection (``-k`` must be 1). It costs more CPU than most servers, so these idle in between:
their CPU per message stays comparable, rate and latency do not.
"""

import argparse
import asyncio
import json
import resource
import ssl
import statistics
import sys
import time


class Client(asyncio.Protocol):
    """One connection that sends the next message when the reply to the last has come."""

    def __init__(self, size: int) -> None:
        self.frame = size.to_bytes(4, "big") + b"n" * size
        self.reply = bytearray()
        self.until = 0.0
        self.sent_at = 0.0
        self.latencies: list[float] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _reason: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(ConnectionError("the server closed a connection"))

    def run(self, until: float) -> asyncio.Future[None]:
        """Exchange messages until that time; the future fires after the last reply."""
        self.finished = asyncio.get_running_loop().create_future()
        self.until = until
        self.latencies.clear()
        self._send()
        return self.finished

    def _send(self) -> None:
        self.sent_at = time.monotonic()
        self.transport.write(self.frame)

    def data_received(self, data: bytes) -> None:
        self.reply += data
        if len(self.reply) < len(self.frame):
            return
        if self.reply != self.frame:
            self.finished.set_exception(ValueError("a wrong reply"))
            return
        self.reply.clear()
        now = time.monotonic()
        self.latencies.append(now - self.sent_at)
        if now < self.until:
            self._send()
        else:
            self.finished.set_result(None)


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def echo(port: int, size: int, connections: int, warmup: float, seconds: float) -> None:
    """Measure once."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    clients = []
    for _ in range(connections):
        _transport, client = await loop.create_connection(
            lambda: Client(size), "127.0.0.1", port, ssl=context
        )
        clients.append(client)
    await asyncio.gather(*(client.run(time.monotonic() + warmup) for client in clients))
    print(json.dumps({"event": "begin"}), flush=True)
    sys.stdin.readline()
    cpu, start = own_cpu(), time.monotonic()
    await asyncio.gather(*(client.run(start + seconds) for client in clients))
    took = time.monotonic() - start
    latencies = [latency * 1e6 for client in clients for latency in client.latencies]
    cuts = statistics.quantiles(latencies, n=100)
    report = {
        "event": "end",
        "messages": len(latencies),
        "seconds": took,
        "load_cpu": own_cpu() - cpu,
        "p50_us": cuts[49],
        "p99_us": cuts[98],
        "cipher": clients[0].transport.get_extra_info("cipher")[0],
    }
    print(json.dumps(report), flush=True)
    sys.stdin.read()


def main() -> None:
    """Read the options of ``load.c`` that apply."""
    parser = argparse.ArgumentParser(description="TLS load generator in Python")
    parser.add_argument("mode", choices=["echo"])
    parser.add_argument("-p", type=int, required=True, help="port")
    parser.add_argument("-s", type=int, default=64, help="bytes of a message")
    parser.add_argument("-c", type=int, default=1, help="connections")
    parser.add_argument("-k", type=int, default=1, choices=[1], help="messages in flight")
    parser.add_argument("-w", type=float, default=0.5, help="seconds of warm-up")
    parser.add_argument("-d", type=float, default=2.0, help="seconds to measure")
    parser.add_argument("-T", type=float, default=60, help="give up after these seconds")
    given = parser.parse_args()
    work = echo(given.p, given.s, given.c, given.w, given.d)
    try:
        asyncio.run(asyncio.wait_for(work, given.T))
    except (TimeoutError, OSError, ValueError) as error:
        sys.exit(f"load: {str(error) or 'timed out'}")


if __name__ == "__main__":
    main()
