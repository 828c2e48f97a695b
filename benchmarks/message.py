"""Messages on TCP: ``netlab message`` as deployed, beside four peers and a floor in C.

Run: ``python -m benchmarks message [--quick] [--only ROW] [--peers a,b]``; ``--help`` lists the
rows. Measured is the server's CPU time per message (see README.md for why), and for idle
connections the memory of each. All servers echo frames with a 4-byte length.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificate import KeyPair
from benchmarks.harness import (
    BenchmarkError,
    Cores,
    Outcome,
    Sample,
    Server,
    descriptor_limit,
    serving,
    twistd,
    wait_until,
)
from benchmarks.load import Load, Tools, details, loading, timed
from benchmarks.report import SUBJECT, Target
from benchmarks.runner import Benchmark, Row, slack

KIB, MIB = 1 << 10, 1 << 20
SPARE_DESCRIPTORS = 500  # for what a process needs beside its connections

SERVERS = {
    "netlab": "twistd netlab message, with its default limits",
    "uvloop": "a hand-written asyncio.Protocol on uvloop",
    "asyncio": "the same Protocol on asyncio's own loop (TLS rows only)",
    "streams": "asyncio streams: readexactly, write, drain",
    "stock": "Twisted's Int32StringReceiver on its default reactor",
    "c": "C on epoll: the floor (not in the TLS and idle rows)",
}
PLAIN = ("netlab", "uvloop", "streams", "stock", "c")
SECURE = ("netlab", "uvloop", "asyncio", "streams", "stock")


@dataclass(frozen=True)
class Bench:
    """What a measurement works with."""

    tools: Tools
    pair: KeyPair
    cores: Cores
    seconds: float
    warmup: float

    @classmethod
    @contextlib.contextmanager
    def opened(cls, cores: Cores, seconds: float, warmup: float) -> Iterator[Bench]:
        """Compile the tools and make a certificate, for as long as the block lasts."""
        with Tools.compiled() as tools, tempfile.TemporaryDirectory() as directory:
            yield cls(tools, KeyPair.create(Path(directory)), cores, seconds, warmup)

    def command(self, name: str, port: int, *, tls: bool, options: Sequence[str]) -> list[str]:
        """Return the command line of a server; ``options`` are netlab's alone."""
        keys = [str(self.pair.key), str(self.pair.certificate)] if tls else []
        python = [sys.executable, "-m", "benchmarks.peers."]
        if name == SUBJECT:
            endpoint = f"tcp:{port}:interface=127.0.0.1"
            if tls:
                endpoint = f"ssl:{port}:privateKey={keys[0]}:certKey={keys[1]}:interface=127.0.0.1"
            return twistd("netlab", "message", "--listen", endpoint, *options)
        if name == "c":
            return [str(self.tools.echo), str(port)]
        if name in ("uvloop", "asyncio"):
            return [*python[:2], f"{python[2]}asyncio_protocol", name, str(port), *keys]
        module = {"streams": "asyncio_streams", "stock": "stock_twisted"}[name]
        return [*python[:2], python[2] + module, str(port), *keys]

    @contextlib.contextmanager
    def against(
        self,
        name: str,
        mode: str,
        timeout: float,
        *,
        tls: bool = False,
        options: Sequence[str] = (),
        **load: float,
    ) -> Iterator[tuple[Server, Load]]:
        """Start a server and the load generator, up to where the generator may begin."""
        with (
            serving(
                lambda port: self.command(name, port, tls=tls, options=options), self.cores.server
            ) as server,
            loading(
                self.tools.command(mode, tls=tls), server, self.cores.load, timeout, **load
            ) as generator,
        ):
            generator.expect("begin")
            yield server, generator


@dataclass(frozen=True)
class Echo:
    """Microseconds of the server's CPU per message, with everything busy."""

    size: int
    connections: int
    in_flight: int
    tls: bool = False

    def __call__(self, bench: Bench, name: str) -> Sample:
        timeout = bench.seconds + bench.warmup + 15
        with bench.against(
            name,
            "echo",
            timeout,
            tls=self.tls,
            s=self.size,
            c=self.connections,
            k=self.in_flight,
            w=bench.warmup,
            d=bench.seconds,
        ) as (server, generator):
            cpu, report = timed(server, generator)
        detail = details(cpu, report, "p50_us", "p99_us", "cipher")
        return Sample(cpu / float(report["messages"]) * 1e6, detail)

    def notes(self, bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say what limits the comparison."""
        notes = slack(outcomes)
        if self.tls and not bench.tools.tls:
            notes.append("load generator in Python: rate and latency are its own, not the servers'")
        return notes


@dataclass(frozen=True)
class Idle:
    """Bytes of memory per connection that has sent the header and half the payload."""

    connections: int

    def possible(self) -> int:
        """Return how many of the connections the descriptor limit allows."""
        return min(self.connections, descriptor_limit() - SPARE_DESCRIPTORS)

    def __call__(self, bench: Bench, name: str) -> Sample:
        count = self.possible()
        limit = ("--max-connections", str(count + SPARE_DESCRIPTORS // 2))
        with bench.against(name, "idle", 60, options=limit, s=64, c=count) as (server, generator):
            memory, descriptors = server.memory(), server.descriptors()
            generator.go()
            generator.expect("end")
            settled(server)
            missing = count - (server.descriptors() - descriptors)
            if missing > 0:
                raise BenchmarkError(f"closed {missing} of {count} connections")
            return Sample((server.memory() - memory) / count, {"connections": float(count)})

    def notes(self, _bench: Bench, _outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say when there were fewer connections."""
        if self.possible() >= self.connections:
            return []
        return [f"only {self.possible()} connections: the descriptor limit is too low"]


def settled(server: Server) -> None:
    """Wait until a server has read all there is: it uses (next to) no CPU for a while."""
    last = [server.cpu_seconds()]

    def quiet() -> bool:
        last.append(server.cpu_seconds())
        return last[-1] - last[-2] < 0.005

    if not wait_until(quiet, timeout=20, interval=0.3):
        raise BenchmarkError("stays busy with idle connections")


@dataclass(frozen=True)
class Segments:
    """Seconds of the server's CPU for one large message that comes in small pieces."""

    size: int
    segment: int

    def __call__(self, bench: Bench, name: str) -> Sample:
        options = ("--max-message", str(self.size))
        with bench.against(name, "segments", 60, options=options, s=self.size, g=self.segment) as (
            server,
            generator,
        ):
            cpu, report = timed(server, generator)
        return Sample(cpu, details(cpu, report))

    def notes(self, _bench: Bench, _outcomes: Mapping[str, Outcome]) -> list[str]:
        return []


MICROSECONDS = "us of server CPU per message"
ROWS = {
    "pingpong": Row(
        "64 B x 64 connections x 1 in flight",
        MICROSECONDS,
        Echo(64, 64, 1),
        PLAIN,
        (Target(1.0, "uvloop"),),
    ),
    "pipelined": Row(
        "64 B x 16 connections x 64 in flight",
        MICROSECONDS,
        Echo(64, 16, 64),
        PLAIN,
        (Target(1.2, "uvloop"),),
    ),
    "large": Row(
        "1 MiB x 4 connections x 1 in flight",
        MICROSECONDS,
        Echo(MIB, 4, 1),
        PLAIN,
        (Target(0.6, "streams"), Target(1.7, "c")),
    ),
    "tls-small": Row(
        "TLS: 64 B x 32 connections x 1 in flight",
        MICROSECONDS,
        Echo(64, 32, 1, tls=True),
        SECURE,
        (Target(1.0, "asyncio"),),
    ),
    "tls-large": Row(
        "TLS: 64 KiB x 8 connections x 1 in flight",
        MICROSECONDS,
        Echo(64 * KIB, 8, 1, tls=True),
        SECURE,
        (Target(1.0, "asyncio"),),
    ),
    "idle": Row(
        "10,000 idle connections, each with half a frame",
        "bytes per connection",
        Idle(10_000),
        ("netlab", "uvloop", "streams", "stock"),
        (Target(3000),),
    ),
    "segments": Row(
        "one message of 16 MiB in 1,460-byte segments",
        "s of server CPU",
        Segments(16 * MIB, 1460),
        PLAIN,
        (Target(0.2),),
    ),
}


BENCHMARK = Benchmark(
    "message",
    "CPU per message of netlab's message server, beside its peers.",
    SERVERS,
    ROWS,
    Bench.opened,
)


def main(arguments: Sequence[str]) -> int:
    """Run the rows asked for; 1 when a target was missed."""
    return BENCHMARK.main(arguments)
