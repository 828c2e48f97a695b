"""Rows of measurements, chosen, run and printed: what ``main`` of every benchmark does.

Not run by itself. A benchmark names its servers and its rows in a :class:`Benchmark`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from benchmarks.harness import Cores, Outcome, Sample, interleaved
from benchmarks.report import Target, as_json, figure, machine, table, wrapped

BenchT = TypeVar("BenchT")
BenchT_contra = TypeVar("BenchT_contra", contravariant=True)


class Measure(Protocol[BenchT_contra]):
    """How a row is measured."""

    def __call__(self, bench: BenchT_contra, name: str) -> Sample:
        """Measure one server once."""

    def notes(self, bench: BenchT_contra, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say where a figure is not what the row's title says."""


@dataclass(frozen=True)
class Row(Generic[BenchT]):
    """One line of the benchmark: what is measured, on whom, and what netlab promises."""

    title: str
    unit: str
    measure: Measure[BenchT]
    servers: tuple[str, ...]
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Benchmark(Generic[BenchT]):
    """A whole benchmark; :meth:`main` runs it.

    ``open`` makes what its measurements work with, of the cores and of the seconds of a window and
    of the warm-up before it; its block lasts as long as the run.
    """

    name: str
    description: str
    servers: Mapping[str, str]
    rows: Mapping[str, Row[BenchT]]
    open: Callable[[Cores, float, float], AbstractContextManager[BenchT]]

    def main(self, arguments: Sequence[str]) -> int:
        """Run the rows asked for; 1 when a target was missed."""
        parser = self._parser()
        given = parser.parse_args(arguments)
        if given.rounds < 1 or given.seconds <= 0:
            parser.error("--rounds and --seconds must be positive")
        rows = chosen(",".join(given.only), list(self.rows), parser) or list(self.rows)
        peers = chosen(given.peers, list(self.servers), parser)
        rows = [key for key in rows if not set(peers).isdisjoint(self.rows[key].servers)]
        if not rows:
            parser.error("none of these --peers is in these rows")
        if given.quick:
            given.rounds, given.seconds = 1, 0.5
        facts, cores = machine(), Cores.pick()
        cores.stand_aside()
        print(f"{facts['cpu']}; Linux {facts['kernel']}; Python {facts['python']}")
        print(
            f"Twisted {facts['Twisted']}, uvloop {facts['uvloop']}, pyOpenSSL {facts['pyOpenSSL']}"
        )
        print(f"server on core {cores.server}, load on core {cores.load}; ", end="")
        print(f"medians of {given.rounds} x {figure(given.seconds)} s\n", flush=True)
        done: dict[str, dict[str, object]] = {}
        try:
            with self.open(cores, given.seconds, min(0.5, given.seconds / 2)) as bench:
                for key in rows:
                    done[key] = run_row(key, self.rows[key], bench, peers, given.rounds)
        finally:
            if given.json:
                options = {"rounds": given.rounds, "seconds": given.seconds}
                text = json.dumps({"machine": facts, "options": options, "rows": done}, indent=2)
                given.json.write_text(text + "\n")
        return 0 if all(row["met"] for row in done.values()) else 1

    def _parser(self) -> argparse.ArgumentParser:
        rows = "\n".join(f"  {key:<10} {row.title}" for key, row in self.rows.items())
        servers = "\n".join(f"  {name:<10} {text}" for name, text in self.servers.items())
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks {self.name}",
            description=self.description,
            epilog=f"rows:\n{rows}\n\nservers:\n{servers}\n\n"
            "Exit status: 1 when a target is missed or could not be measured.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
        parser.add_argument(
            "--seconds", type=float, default=2, metavar="S", help="window; default: 2"
        )
        parser.add_argument("--quick", action="store_true", help="1 round of 0.5 s: does it run?")
        parser.add_argument("--only", action="append", default=[], metavar="ROW[,ROW]")
        parser.add_argument("--peers", default=",".join(self.servers), metavar="NAME[,NAME]")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
        return parser


def chosen(text: str, known: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Split a list of names and refuse one that is unknown."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            parser.error(f"no '{name}': choose from {', '.join(known)}")
    return names


def show_progress(text: str) -> None:
    """Write over one line of the terminal; nothing where there is no terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def run_row(
    key: str, row: Row[BenchT], bench: BenchT, peers: Sequence[str], rounds: int
) -> dict[str, object]:
    """Measure one row, print it, and return it for the JSON file."""
    names = [name for name in row.servers if name in peers]
    measure: Callable[[str], Sample] = lambda name: row.measure(bench, name)  # noqa: E731
    outcomes = interleaved(names, rounds, measure, lambda text: show_progress(f"{key}: {text}"))
    show_progress("")
    notes = row.measure.notes(bench, outcomes)
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


def slack(outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return a note on the servers for which the load generator was too slow; none: nothing."""
    names = [
        name
        for name, outcome in outcomes.items()
        if (outcome.middle("server_share") or 1) < 0.9 and (outcome.middle("load_share") or 0) > 0.9
    ]
    if not names:
        return []
    note = f"the load generator was the bottleneck for {', '.join(names)}: rate and latency are its"
    return [f"{note} own, CPU per message is still the server's"]
