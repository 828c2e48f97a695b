"""Messages on TCP: ``netlab message`` as deployed, beside four peers and a floor in C.

Run: ``python -m benchmarks message [--quick] [--only ROW] [--peers a,b]``; ``--help`` lists the
rows. Measured is the server's CPU time per message (see README.md for why), and for idle
connections the memory of each. All servers echo frames with a 4-byte length.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.certificate import KeyPair
from benchmarks.harness import (
    BenchmarkError,
    Cores,
    Outcome,
    Sample,
    Server,
    descriptor_limit,
    interleaved,
    serving,
    twistd,
    wait_until,
)
from benchmarks.load import Load, Tools, loading
from benchmarks.report import SUBJECT, Target, as_json, figure, machine, table, wrapped

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

    def timed(self, server: Server, generator: Load) -> tuple[float, float, dict[str, float | str]]:
        """Let the generator work; return the server's CPU seconds, the messages, and details.

        Nothing is in flight when the server's clock is read, before or after.
        """
        before = server.cpu_seconds()
        generator.go()
        report = generator.expect("end")
        cpu = server.cpu_seconds() - before
        seconds, messages = float(report["seconds"]), float(report["messages"])
        detail: dict[str, float | str] = {
            "server_share": cpu / seconds,
            "load_share": float(report["load_cpu"]) / seconds,
            "messages_per_second": messages / seconds,
        }
        detail |= {key: report[key] for key in ("p50_us", "p99_us", "cipher") if key in report}
        return cpu, messages, detail


class Measure(Protocol):
    """How a row is measured."""

    def __call__(self, bench: Bench, name: str) -> Sample:
        """Measure one server once."""


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
            cpu, messages, detail = bench.timed(server, generator)
        return Sample(cpu / messages * 1e6, detail)


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
            cpu, _messages, detail = bench.timed(server, generator)
        return Sample(cpu, detail)


@dataclass(frozen=True)
class Row:
    """One line of the benchmark: what is measured, on whom, and what netlab promises."""

    title: str
    unit: str
    measure: Measure
    servers: tuple[str, ...]
    targets: tuple[Target, ...]


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


def notes_on(row: Row, outcomes: dict[str, Outcome], bench: Bench) -> list[str]:
    """Say where a figure is not what the row's title says."""
    measure, notes = row.measure, []
    if isinstance(measure, Idle) and measure.possible() < measure.connections:
        notes.append(f"only {measure.possible()} connections: the descriptor limit is too low")
    if isinstance(measure, Echo) and measure.tls and not bench.tools.tls:
        notes.append("load generator in Python: rate and latency are its own, not the servers'")
    if isinstance(measure, Echo):
        slack = [
            name
            for name, outcome in outcomes.items()
            if (outcome.middle("server_share") or 1) < 0.9
            and (outcome.middle("load_share") or 0) > 0.9
        ]
        if slack:
            notes.append(
                f"the load generator was the bottleneck for {', '.join(slack)}: rate and latency "
                "are its own, CPU per message is still the server's"
            )
    return notes


def show_progress(text: str) -> None:
    """Write over one line of the terminal; nothing where there is no terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def run_row(key: str, bench: Bench, peers: Sequence[str], rounds: int) -> dict[str, object]:
    """Measure one row, print it, and return it for the JSON file."""
    row = ROWS[key]
    names = [name for name in row.servers if name in peers]
    measure: Callable[[str], Sample] = lambda name: row.measure(bench, name)  # noqa: E731
    outcomes = interleaved(names, rounds, measure, lambda text: show_progress(f"{key}: {text}"))
    show_progress("")
    notes = notes_on(row, outcomes, bench)
    verdicts = [target.judge(outcomes, row.unit) for target in row.targets]
    print(table(row.title, row.unit, outcomes))
    for note in notes:
        print("\n".join(wrapped("  note: ", note)))
    for line, met in verdicts:
        if met is not None:
            print(f"  target: {line}")
    print(flush=True)
    return {
        "title": row.title,
        "unit": row.unit,
        "servers": as_json(outcomes),
        "targets": [
            {"limit": target.limit, "peer": target.peer or None, "met": met}
            for target, (_line, met) in zip(row.targets, verdicts, strict=True)
        ],
        "met": all(met is not False for _line, met in verdicts),
    }


def chosen(text: str, known: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Split a list of names and refuse one that is unknown."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            parser.error(f"no '{name}': choose from {', '.join(known)}")
    return names


def build_parser() -> argparse.ArgumentParser:
    """Return the options of this benchmark."""
    rows = "\n".join(f"  {key:<10} {row.title}" for key, row in ROWS.items())
    servers = "\n".join(f"  {name:<10} {text}" for name, text in SERVERS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks message",
        description="CPU per message of netlab's message server, beside its peers.",
        epilog=f"rows:\n{rows}\n\nservers:\n{servers}\n\n"
        "Exit status: 1 when a target is missed or could not be measured.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--seconds", type=float, default=2, metavar="S", help="window; default: 2")
    parser.add_argument("--quick", action="store_true", help="1 round of 0.5 s: does it run?")
    parser.add_argument("--only", action="append", default=[], metavar="ROW[,ROW]")
    parser.add_argument("--peers", default=",".join(SERVERS), metavar="NAME[,NAME]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the rows asked for; 1 when a target was missed."""
    parser = build_parser()
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    rows = chosen(",".join(given.only), list(ROWS), parser) or list(ROWS)
    peers = chosen(given.peers, list(SERVERS), parser)
    if given.quick:
        given.rounds, given.seconds = 1, 0.5
    facts, cores = machine(), Cores.pick()
    cores.stand_aside()
    print(f"{facts['cpu']}; Linux {facts['kernel']}; Python {facts['python']}")
    print(f"Twisted {facts['Twisted']}, uvloop {facts['uvloop']}, pyOpenSSL {facts['pyOpenSSL']}")
    print(f"server on core {cores.server}, load on core {cores.load}; ", end="")
    print(f"medians of {given.rounds} x {figure(given.seconds)} s\n", flush=True)
    done: dict[str, dict[str, object]] = {}
    try:
        with Tools.compiled() as tools, tempfile.TemporaryDirectory() as directory:
            warmup = min(0.5, given.seconds / 2)
            pair = KeyPair.create(Path(directory))
            bench = Bench(tools, pair, cores, given.seconds, warmup)
            for key in rows:
                done[key] = run_row(key, bench, peers, given.rounds)
    finally:
        if given.json:
            options = {"rounds": given.rounds, "seconds": given.seconds}
            text = json.dumps({"machine": facts, "options": options, "rows": done}, indent=2)
            given.json.write_text(text + "\n")
    return 0 if all(row["met"] for row in done.values()) else 1
