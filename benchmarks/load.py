"""The load generators: compiles ``load.c``, and talks to it and its like (see there for the modes).

Not run by itself. Without the headers of OpenSSL the program is compiled without TLS, and
:mod:`benchmarks.tls_load` takes its place for the TLS rows; without a C compiler nothing runs.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import BenchmarkError, LineReader, Server, running

HERE = Path(__file__).resolve().parent
Report = dict[str, float | str]


def compile_c(source: Path, target: Path, *options: str) -> None:
    """Compile one C file; :exc:`BenchmarkError` with the compiler's first complaint."""
    command = ["gcc", "-O2", str(source), "-o", str(target), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise BenchmarkError("no gcc: the load generator is written in C") from None
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if "error" in line]
        raise BenchmarkError(f"gcc: {(complaints or ['failed'])[0]}")


@dataclass(frozen=True)
class Tools:
    """The compiled programs for messages, and whether the load generator speaks TLS."""

    load: Path
    echo: Path
    tls: bool

    @classmethod
    @contextlib.contextmanager
    def compiled(cls) -> Iterator[Tools]:
        """Compile into a directory that lasts as long as the block."""
        with tempfile.TemporaryDirectory(prefix="netlab-bench-") as name:
            load, echo = Path(name, "load"), Path(name, "echo")
            compile_c(HERE / "peers" / "echo.c", echo)
            try:
                compile_c(HERE / "load.c", load, "-DWITH_TLS", "-lssl", "-lcrypto")
                tls = True
            except BenchmarkError:
                compile_c(HERE / "load.c", load)
                tls = False
            yield cls(load, echo, tls)

    def command(self, mode: str, *, tls: bool) -> list[str]:
        """Return how to start the generator that can do this."""
        if tls and not self.tls:
            return [sys.executable, "-m", "benchmarks.tls_load", mode]
        return [str(self.load), mode, *(["-t"] if tls else [])]


class Load:
    """A running load generator: ``begin``, ``go``, ``end``, as ``generator.h`` describes."""

    def __init__(self, process: subprocess.Popen[bytes], server: Server, timeout: float) -> None:
        assert process.stdin
        assert process.stdout
        self._process = process
        self._server = server
        self._timeout = timeout
        self._input = process.stdin
        self._lines = LineReader(process.stdout)

    def expect(self, event: str) -> Report:
        """Return the report of an event; :exc:`BenchmarkError` when it does not come."""
        line = self._lines.line(self._timeout)
        if not line:
            raise BenchmarkError(self._reason())
        report: Report = json.loads(line)
        if report["event"] != event:
            raise BenchmarkError(f"load: {report['event']} instead of {event}")
        return report

    def go(self) -> None:
        """Let the generator start what it announced."""
        try:
            self._input.write(b"go\n")
            self._input.flush()
        except OSError:
            raise BenchmarkError(self._reason()) from None

    def _reason(self) -> str:
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            return f"load: no answer after {self._timeout:.0f} s"
        assert self._process.stderr
        words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return f"{words[-1] if words else 'load died'}; server: {self._server.last_words()}"


@contextlib.contextmanager
def loading(
    command: list[str], server: Server, core: int, timeout: float, **options: float | str
) -> Iterator[Load]:
    """Run the generator against a server; ``options`` are its one-letter options."""
    given = [f"-{name}{value}" for name, value in options.items()]
    with running(
        [*command, f"-p{server.port}", f"-T{timeout + 5:.0f}", *given],
        core,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        yield Load(process, server, timeout)


def timed(server: Server, generator: Load) -> tuple[float, Report]:
    """Let the generator work; return the server's CPU seconds, and what the generator reports.

    Nothing is in flight when the server's clock is read, before or after.
    """
    before = server.cpu_seconds()
    generator.go()
    report = generator.expect("end")
    return server.cpu_seconds() - before, report


def details(cpu: float, report: Report, *keys: str) -> Report:
    """Return what is seen beside the figure: shares of cores, the rate, these of the report."""
    seconds = float(report["seconds"])
    return {
        "server_share": cpu / seconds,
        "load_share": float(report["load_cpu"]) / seconds,
        "messages_per_second": float(report["messages"]) / seconds,
    } | {key: report[key] for key in keys if key in report}
