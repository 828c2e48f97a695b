"""What every benchmark needs: start a server, pin it, read its CPU clock, and take turns.

Not run by itself. The CPU clock is the kernel's
``/proc/PID/task/*/schedstat``, which counts nanoseconds of user and system time (``/proc/PID/stat``
counts in ticks of 10 ms). Everything here is for Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class BenchmarkError(Exception):
    """One measurement could not be made; the text says why in one line."""


# ---- processors -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cores:
    """Which processor the server gets, and which the load generator and this program."""

    server: int
    load: int

    @classmethod
    def pick(cls) -> Cores:
        """Take the first two processors this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[1] if len(usable) > 1 else usable[0])

    def stand_aside(self) -> None:
        """Keep this program off the server's processor."""
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {self.server} or {self.load})


# ---- processes --------------------------------------------------------------------------------


def descriptor_limit() -> int:
    """Return how many descriptors a process may be given here."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1 << 20 if hard == resource.RLIM_INFINITY else hard


@contextlib.contextmanager
def running(
    command: Sequence[str],
    core: int,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on one processor; however the block is left, the process is gone after it.

    The child has a process group of its own, so that Ctrl-C reaches only the benchmark, and the
    kernel kills it should the benchmark itself be killed.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, {core})
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    process = subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        process_group=0,
        preexec_fn=prepare,  # safe: there are no threads here
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], patience: float = 2.0) -> None:
    """Stop a process and everything in its group: politely, then not."""
    try:
        if process.poll() is None:
            process.terminate()
            process.wait(patience)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()


class LineReader:
    """Reads lines from a child's pipe, but never waits past a deadline."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._descriptor = stream.fileno()
        self._rest = b""

    def line(self, timeout: float) -> bytes:
        """Return the next line without its end; ``b""`` when the child closed or time is up."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._descriptor], [], [], left)[0]:
                return b""
            received = os.read(self._descriptor, 65536)
            if not received:
                return b""
            self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> bool:
    """Poll until a condition holds; ``False`` when it does not within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


# ---- servers ----------------------------------------------------------------------------------


def tasks(pid: int) -> list[Path]:
    """Return the threads of a process and of all that it started."""
    own = list(Path(f"/proc/{pid}/task").iterdir())
    children = [int(child) for task in own for child in (task / "children").read_text().split()]
    return own + [task for child in children for task in tasks(child)]


@dataclass(frozen=True)
class Server:
    """A server under test, listening on 127.0.0.1."""

    port: int
    pid: int
    log: IO[bytes]

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far, user and system, and of its children's."""
        try:
            clocks = [task.joinpath("schedstat").read_bytes() for task in tasks(self.pid)]
        except OSError as error:
            raise BenchmarkError(f"died: {self.last_words()}") from error
        return sum(int(clock.split()[0]) for clock in clocks) / 1e9

    def memory(self) -> int:
        """Return the bytes of memory that are its own (the proportional set size)."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise BenchmarkError("the kernel tells no Pss")

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def dropped(self) -> int:
        """Return how many datagrams came to its UDP port (IPv4) and found its buffer full.

        Raises :exc:`BenchmarkError` when nothing has that port.
        """
        drops = [
            int(fields[-1])
            for fields in map(str.split, Path("/proc/net/udp").read_text().splitlines())
            if fields[1].endswith(f":{self.port:04X}")
        ]
        if not drops:
            raise BenchmarkError(f"no UDP socket on its port; {self.last_words()}")
        return sum(drops)

    def last_words(self) -> str:
        """Return the last line of its log, cut to a readable length."""
        size = os.fstat(self.log.fileno()).st_size
        text = os.pread(self.log.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return (lines[-1] if lines else "it said nothing")[:160]


def free_port(kind: socket.SocketKind) -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(type=kind) as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port


def serves(port: int, kind: socket.SocketKind) -> bool:
    """Tell whether somebody listens on a TCP port, or answers on a UDP port."""
    with socket.socket(type=kind) as probe:
        probe.settimeout(1 if kind == socket.SOCK_STREAM else 0.2)
        try:
            probe.connect(("127.0.0.1", port))
            if kind == socket.SOCK_DGRAM:
                probe.send(b"there?")
                probe.recv(16)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def serving(
    command: Callable[[int], Sequence[str]],
    core: int,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> Iterator[Server]:
    """Start the server ``command(port)`` names and wait until it serves."""
    port = free_port(kind)
    with (
        tempfile.TemporaryFile() as log,
        running(command(port), core, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        server = Server(port, process.pid, log)
        ready = wait_until(lambda: process.poll() is not None or serves(port, kind), timeout=15)
        if process.poll() is not None:
            raise BenchmarkError(f"failed to start: {server.last_words()}")
        if not ready:
            raise BenchmarkError("failed to start: nobody serves its port after 15 s")
        yield server


def twistd(*arguments: str) -> list[str]:
    """Return the command that runs ``twistd`` in the foreground, of this Python's environment."""
    script = Path(sys.executable).parent / "twistd"
    start = (
        [str(script)]
        if script.exists()
        else [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
    )
    return [*start, "-n", "--pidfile=", *arguments]


# ---- rounds -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One measurement: the figure that counts, and what was seen beside it."""

    value: float
    detail: dict[str, float | str] = field(default_factory=dict)


@dataclass
class Outcome:
    """All measurements of one server in one row."""

    samples: list[Sample] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float:
        """The middle figure: what the report compares."""
        return statistics.median(sample.value for sample in self.samples)

    @property
    def lowest(self) -> float:
        return min(sample.value for sample in self.samples)

    @property
    def highest(self) -> float:
        return max(sample.value for sample in self.samples)

    def middle(self, key: str) -> float | None:
        """Return the median of something seen beside the figure, or ``None``."""
        seen = [s.detail[key] for s in self.samples if isinstance(s.detail.get(key), float)]
        return statistics.median(float(value) for value in seen) if seen else None


def interleaved(
    names: Sequence[str],
    rounds: int,
    measure: Callable[[str], Sample],
    progress: Callable[[str], None],
) -> dict[str, Outcome]:
    """Measure every server once per round, so that a noisy minute hits all of them alike.

    Every second round goes backwards. A server that failed is left out of later rounds.
    """
    outcomes = {name: Outcome() for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            outcome = outcomes[name]
            if outcome.failure:
                continue
            progress(f"round {number + 1} of {rounds}: {name}")
            try:
                outcome.samples.append(measure(name))
            except BenchmarkError as error:
                outcome.failure = str(error)
    return outcomes
