"""Calls and rooms: ``netlab message --app`` as deployed, beside other RPC and beside Redis.

Run: ``python -m benchmarks api [--quick] [--only ROW] [--peers a,b]``; ``--help`` lists the rows.
Measured is the server's CPU time per answered call, or per delivery of a published message (see
README.md for why), and for members of a room the memory of each.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness import BenchmarkError, Cores, Outcome, Sample, Server, serving, twistd
from benchmarks.load import HERE, Load, compile_c, details, loading, timed
from benchmarks.message import settled
from benchmarks.report import Target
from benchmarks.runner import Benchmark, Row, slack


@dataclass(frozen=True)
class Bench:
    """What a measurement works with: the compiled load generators, and a place for files."""

    directory: Path
    cores: Cores
    seconds: float
    warmup: float

    @classmethod
    @contextlib.contextmanager
    def opened(cls, cores: Cores, seconds: float, warmup: float) -> Iterator[Bench]:
        """Compile the load generators, for as long as the block lasts."""
        with tempfile.TemporaryDirectory(prefix="netlab-bench-") as name:
            directory = Path(name)
            for program in ("load", "fanout_load"):
                compile_c(HERE / f"{program}.c", directory / program)
            yield cls(directory, cores, seconds, warmup)

    @contextlib.contextmanager
    def against(
        self,
        command: Callable[[Bench, int], Sequence[str]],
        load: list[str],
        timeout: float,
        **options: float | str,
    ) -> Iterator[tuple[Server, Load]]:
        """Start a server and its load generator, up to where the generator may begin."""
        with (
            serving(lambda port: command(self, port), self.cores.server) as server,
            loading(load, server, self.cores.load, timeout, **options) as generator,
        ):
            generator.expect("begin")
            yield server, generator


# ---- the servers -------------------------------------------------------------------------------


def netlab(*options: str) -> Callable[[Bench, int], list[str]]:
    """A message server with its default limits."""

    def command(_bench: Bench, port: int) -> list[str]:
        listen = f"tcp:{port}:interface=127.0.0.1"
        return twistd("netlab", "message", "--listen", listen, *options)

    return command


def peer(name: str, needs: str) -> Callable[[Bench, int], list[str]]:
    """A peer in Python, and the package that it needs."""

    def command(_bench: Bench, port: int) -> list[str]:
        if importlib.util.find_spec(needs) is None:
            raise BenchmarkError(f"{name} is not installed")
        return [sys.executable, "-m", f"benchmarks.peers.{name}_calculator", str(port)]

    return command


def redis(bench: Bench, port: int) -> list[str]:
    """Redis, or Valkey, which it is called after a fork; in memory, without a dump at its end."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise BenchmarkError("neither redis-server nor valkey-server is installed")
    options = ("--bind", "127.0.0.1", "--save", "", "--dir", str(bench.directory))
    return [found, "--port", str(port), *options]


CALCULATOR = "benchmarks.peers.netlab_calculator"
SERVERS = {
    "netlab": "twistd netlab message --app, with its default limits; JSON",
    "msgpack": "the same with MessagePack",
    "echo": "netlab's own echo of raw messages of 64 bytes",
    "grpc": "grpc.aio",
    "amp": "Twisted's AMP",
    "autobahn": "JSON on Autobahn's WebSocket server, on Twisted",
    "redis": "Redis or Valkey: PUBLISH",
}
CALLED: Mapping[str, Callable[[Bench, int], Sequence[str]]] = {
    "netlab": netlab("--app", f"{CALCULATOR}:Calculator"),
    "msgpack": netlab("--app", f"{CALCULATOR}:in_msgpack"),
    "echo": netlab(),
    "grpc": peer("grpc", "grpc"),
    "amp": peer("amp", "twisted"),
    "autobahn": peer("autobahn", "autobahn"),
}
ROOMS = netlab("--app", "rooms")
SUBSCRIBED: Mapping[str, Callable[[Bench, int], Sequence[str]]] = {"netlab": ROOMS, "redis": redis}

# ---- what is measured --------------------------------------------------------------------------

NUMBER = 0x23232323  # in MessagePack it is "####" behind its type


def pattern(codec: str, **members: Any) -> str:
    """Return a message as ``load.c`` takes it: in hexadecimal, with ``#`` for the id."""
    message = {"jsonrpc": "2.0", "id": NUMBER, **members}
    if codec == "msgpack":
        return msgspec.msgpack.encode(message).hex()
    return msgspec.json.encode(message).replace(b"%d" % NUMBER, b"########").hex()


@dataclass(frozen=True)
class Calls:
    """Microseconds of the server's CPU per call of ``add(1, 2)``."""

    connections: int
    in_flight: int

    def load(self, bench: Bench, name: str) -> tuple[list[str], dict[str, float | str]]:
        """Return the load generator of a server, and its options."""
        if name in ("netlab", "msgpack"):
            request = pattern(name, method="add", params=[1, 2])
            return [str(bench.directory / "load"), "call"], {
                "q": request,
                "a": pattern(name, result=3),
            }
        if name == "echo":
            return [str(bench.directory / "load"), "echo"], {"s": 64}
        return [sys.executable, "-m", "benchmarks.call_load", name], {}

    def __call__(self, bench: Bench, name: str) -> Sample:
        load, options = self.load(bench, name)
        with bench.against(
            CALLED[name],
            load,
            bench.seconds + bench.warmup + 30,
            c=self.connections,
            k=self.in_flight,
            w=bench.warmup,
            d=bench.seconds,
            **options,
        ) as (server, generator):
            cpu, report = timed(server, generator)
        detail = details(cpu, report, "p50_us", "p99_us")
        return Sample(cpu / float(report["messages"]) * 1e6, detail)

    def notes(self, _bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say what limits the comparison."""
        return slack(outcomes)


@dataclass(frozen=True)
class FanOut:
    """Microseconds of the server's CPU per delivery of a message to one subscriber."""

    subscribers: int
    size: int

    def __call__(self, bench: Bench, name: str) -> Sample:
        mode = "rooms" if name == "netlab" else name
        with bench.against(
            SUBSCRIBED[name],
            [str(bench.directory / "fanout_load"), mode],
            bench.seconds + bench.warmup + 30,
            c=self.subscribers,
            s=self.size,
            w=bench.warmup,
            d=bench.seconds,
        ) as (server, generator):
            cpu, report = timed(server, generator)
        detail = details(cpu, report, "p50_us", "p99_us")
        return Sample(cpu / float(report["messages"]) * 1e6, detail)

    def notes(self, _bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say what limits the comparison."""
        return slack(outcomes)


@dataclass(frozen=True)
class Members:
    """Bytes of memory per member of a room who says nothing."""

    members: int

    def __call__(self, bench: Bench, _name: str) -> Sample:
        load = [str(bench.directory / "fanout_load"), "members"]
        with bench.against(ROOMS, load, 60, c=self.members) as (server, generator):
            memory = server.memory()
            generator.go()
            generator.expect("end")
            settled(server)
            return Sample((server.memory() - memory) / self.members)

    def notes(self, _bench: Bench, _outcomes: Mapping[str, Outcome]) -> list[str]:
        return []


CALL = "us of server CPU per call"
ROWS = {
    "calls": Row(
        "add(1, 2) x 64 connections x 1 in flight",
        CALL,
        Calls(64, 1),
        tuple(CALLED),
        (Target(2.0, "echo"), Target(0.2, "grpc")),
    ),
    "pipelined": Row(
        "add(1, 2) x 16 connections x 32 in flight",
        CALL,
        Calls(16, 32),
        tuple(CALLED),
        (Target(5), Target(0.2, "grpc")),
    ),
    "fanout": Row(
        "100 B x 1,000 subscribers of one publisher",
        "us of server CPU per delivery",
        FanOut(1000, 100),
        tuple(SUBSCRIBED),
        (Target(1.5, "redis"),),
    ),
    "members": Row(
        "1,000 members of a room, silent",
        "bytes per member",
        Members(1000),
        ("netlab",),
        (Target(12_000),),
    ),
}

BENCHMARK = Benchmark(
    "api",
    "CPU per call of netlab's APIs, beside other RPC; rooms, beside Redis.",
    SERVERS,
    ROWS,
    Bench.opened,
)


def main(arguments: Sequence[str]) -> int:
    """Run the rows asked for; 1 when a target was missed."""
    return BENCHMARK.main(arguments)
