"""Datagrams on UDP: ``netlab echo`` as deployed, beside three peers and a floor in C.

Run: ``python -m benchmarks datagram [--quick] [--only ROW] [--peers a,b]``; ``--help`` lists the
rows. Measured is the server's CPU time per datagram (see README.md for why). All servers send
every datagram back; the impaired netlab loses some on purpose and delays the rest.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import BenchmarkError, Cores, Outcome, Sample, Server, serving, twistd
from benchmarks.load import HERE, Load, compile_c, details, loading, timed
from benchmarks.report import SUBJECT, Target
from benchmarks.runner import Benchmark, Row, slack

SERVERS = {
    "netlab": "twistd netlab echo, its rates raised beyond the load",
    "uvloop": "an asyncio.DatagramProtocol on uvloop",
    "asyncio": "the same on asyncio's own loop",
    "stock": "Twisted's DatagramProtocol on its default reactor",
    "c": "C, recvfrom and sendto in turn: the floor",
}
SOCKETS = 16
# The token buckets run, but never cut the load.
BEYOND = ("--source-rate", "10000000", "--total-rate", "10000000")
UNLIMITED = ("--source-rate", "0", "--total-rate", "0")
LOOPBACK = ":interface=127.0.0.1"


@dataclass(frozen=True)
class Bench:
    """What a measurement works with."""

    load: Path
    floor: Path
    cores: Cores
    seconds: float
    warmup: float

    @classmethod
    @contextlib.contextmanager
    def opened(cls, cores: Cores, seconds: float, warmup: float) -> Iterator[Bench]:
        """Compile the C programs, for as long as the block lasts."""
        with tempfile.TemporaryDirectory(prefix="netlab-bench-") as name:
            load, floor = Path(name, "udp_load"), Path(name, "udp_echo")
            compile_c(HERE / "udp_load.c", load)
            compile_c(HERE / "peers" / "udp_echo.c", floor)
            yield cls(load, floor, cores, seconds, warmup)

    def command(self, name: str, port: int, interface: str, options: Sequence[str]) -> list[str]:
        """Return the command line of a server; ``interface`` and ``options`` are netlab's alone."""
        if name == SUBJECT:
            return twistd("netlab", "echo", "--listen", f"udp:{port}{interface}", *options)
        if name == "c":
            return [str(self.floor), str(port)]
        python = [sys.executable, "-m"]
        if name == "stock":
            return [*python, "benchmarks.peers.stock_datagrams", str(port)]
        return [*python, "benchmarks.peers.asyncio_datagrams", name, str(port)]

    @contextlib.contextmanager
    def against(
        self,
        name: str,
        mode: str,
        *,
        interface: str = LOOPBACK,
        options: Sequence[str] = BEYOND,
        address: str = "127.0.0.1",
        **load: float,
    ) -> Iterator[tuple[Server, Load]]:
        """Start a server and the load generator, up to where the generator may begin."""
        with (
            serving(
                lambda port: self.command(name, port, interface, options),
                self.cores.server,
                socket.SOCK_DGRAM,
            ) as server,
            loading(
                [str(self.load), mode, f"-a{address}"],
                server,
                self.cores.load,
                self.seconds + self.warmup + 15,
                w=self.warmup,
                d=self.seconds,
                **load,
            ) as generator,
        ):
            generator.expect("begin")
            yield server, generator


@dataclass(frozen=True)
class Echo:
    """Microseconds of the server's CPU per datagram that came back, the next sent when it does.

    ``everywhere`` has netlab listen on all addresses, and asks it on one that replies do not come
    from by themselves.
    """

    size: int
    sockets: int
    in_flight: int
    everywhere: bool = False

    def __call__(self, bench: Bench, name: str) -> Sample:
        with bench.against(
            name,
            "echo",
            interface="" if self.everywhere else LOOPBACK,
            address="127.0.0.2" if self.everywhere else "127.0.0.1",
            s=self.size,
            c=self.sockets,
            k=self.in_flight,
        ) as (server, generator):
            cpu, report = timed(server, generator)
        echoes = float(report["messages"])
        if not echoes:
            raise BenchmarkError("nothing came back")
        detail = details(cpu, report, "p50_us", "p99_us", "late")
        detail["lost_share"] = float(report["lost"]) / float(report["sent"])
        return Sample(cpu / echoes * 1e6, detail)

    def notes(self, _bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        return slack(outcomes)


@dataclass(frozen=True)
class Impaired:
    """Microseconds of the server's CPU per datagram that it received, sent at a steady rate.

    What the kernel dropped because the server's buffer was full was not received. ``limit`` in
    ``impair`` decides how many can be under way: at 1,000, netem's default and netlab's, most of
    what comes at a high rate is dropped and not delayed.
    """

    impair: str
    size: int
    rate: int

    def __call__(self, bench: Bench, name: str) -> Sample:
        options = (*UNLIMITED, "--impair", self.impair, "--seed", "1")
        with bench.against(name, "paced", options=options, s=self.size, c=SOCKETS, r=self.rate) as (
            server,
            generator,
        ):
            dropped = server.dropped()
            cpu, report = timed(server, generator)
            dropped = server.dropped() - dropped
        sent, answered = float(report["sent"]), float(report["messages"])
        received = sent - dropped
        if not received:
            raise BenchmarkError("received nothing")
        detail = details(cpu, report) | {
            "offered_per_second": sent / bench.seconds,
            "received_per_second": received / bench.seconds,
            "answered_per_second": answered / bench.seconds,
            "lost_share": dropped / sent,
        }
        return Sample(cpu / received * 1e6, detail)

    def notes(self, _bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say what rates were reached."""
        notes = [f'--impair "{self.impair}" --seed 1']
        for name, outcome in outcomes.items():
            offered, received, answered = (
                outcome.middle(f"{what}_per_second") for what in ("offered", "received", "answered")
            )
            if offered and received and answered is not None:
                notes.append(
                    f"{offered:,.0f} a second offered to {name}, {received:,.0f} received, "
                    f"{answered:,.0f} answered"
                )
        return notes


MICROSECONDS = "us of server CPU per datagram"
ROWS = {
    "echo": Row(
        f"64 B x {SOCKETS} sockets x 8 in flight",
        MICROSECONDS,
        Echo(64, SOCKETS, 8),
        tuple(SERVERS),
        (Target(1.0, "uvloop"), Target(1.5, "c")),
    ),
    "single": Row(
        "64 B x 1 socket x 1 in flight", MICROSECONDS, Echo(64, 1, 1), ("netlab", "uvloop", "c")
    ),
    "large": Row(
        f"1400 B x {SOCKETS} sockets x 8 in flight",
        MICROSECONDS,
        Echo(1400, SOCKETS, 8),
        tuple(SERVERS),
    ),
    "impaired": Row(
        "impaired: 100,000 x 64 B a second",
        MICROSECONDS,
        Impaired("loss 10% delay 50ms 10ms", 64, 100_000),
        (SUBJECT,),
        (Target(10),),
    ),
    "scheduled": Row(
        "impaired, room for all: 100,000 x 64 B a second",
        MICROSECONDS,
        Impaired("loss 10% delay 50ms 10ms limit 10000", 64, 100_000),
        (SUBJECT,),
    ),
    "wildcard": Row(
        f"all addresses: 64 B x {SOCKETS} sockets x 8 in flight",
        MICROSECONDS,
        Echo(64, SOCKETS, 8, everywhere=True),
        (SUBJECT,),
    ),
}

BENCHMARK = Benchmark(
    "datagram",
    "CPU per datagram of netlab's UDP echo, beside its peers.",
    SERVERS,
    ROWS,
    Bench.opened,
)


def main(arguments: Sequence[str]) -> int:
    """Run the rows asked for; 1 when a target was missed."""
    return BENCHMARK.main(arguments)
