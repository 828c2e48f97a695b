"""Real processes for tests: started, watched, and gone when the test is over.

Nothing here sleeps and hopes. A test waits for an event (a line of output, the
end of a process) and gives up at ``DEADLINE``, which is far more than any of
them needs, so that a busy machine fails no test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

DEADLINE = 30.0
"""Seconds until an event that a test waits for is given up."""
ROOT = Path(__file__).resolve().parents[2]
TWISTD = str(Path(sys.executable).with_name("twistd"))
LOOPBACK = "tcp:0:interface=127.0.0.1"
_ROW = re.compile(r"^message +(?:unix:(\S+)|\[?([0-9a-f:.]+?)\]?:([0-9]+))(?: |$)", re.MULTILINE)


class Ended(NamedTuple):
    """A program that has ended: how, and what it said on its two outputs."""

    status: int
    out: str
    err: str


class Program:
    """A running program, with what it says on its two outputs.

    arguments  the command line
    folder     where it runs
    options    for ``subprocess.Popen``
    """

    def __init__(self, arguments: Sequence[str], folder: Path, **options: Any) -> None:
        self.arguments = list(arguments)
        self.process = subprocess.Popen(
            self.arguments,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        self._said = {"out": b"", "err": b""}
        self._changed = threading.Condition()
        self._open = 2
        self._readers = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), 65536):
                with self._changed:
                    self._said[name] += data
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    @property
    def raw(self) -> bytes:
        """What it has said on standard output, as bytes."""
        return self._said["out"]

    @property
    def out(self) -> str:
        """What it has said on standard output."""
        return self._said["out"].decode()

    @property
    def err(self) -> str:
        """What it has said on standard error."""
        return self._said["err"].decode()

    def wait_for(self, pattern: str, seconds: float = DEADLINE) -> re.Match[str]:
        """Waits until ``pattern`` is in its standard output."""
        found: re.Match[str] | None = None

        def seen() -> bool:
            nonlocal found
            found = re.search(pattern, self.out, re.MULTILINE)
            return found is not None or not self._open

        with self._changed:
            self._changed.wait_for(seen, seconds)
        if found is None:
            raise AssertionError(f"{pattern!r} did not come from {self}")
        return found

    def wait(self, seconds: float = DEADLINE) -> int:
        """Its exit status, when it has ended and all it said is here."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(DEADLINE)
        return status

    @property
    def status(self) -> int | None:
        """Its exit status, if it has ended."""
        return self.process.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = DEADLINE) -> int:
        """Tells it to stop; returns its exit status."""
        self.send_signal(number)
        return self.wait(seconds)

    def kill(self) -> None:
        """Ends it and what it has started, whatever they do, and reaps it."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of them have ended
        self.wait()

    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kib(self) -> int:
        """The memory that it occupies now, in KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def __str__(self) -> str:
        return f"{self.arguments}: status {self.process.poll()}\n{self.out}\n{self.err}"


class Server(Program):
    """``twistd -n netlab message``, listening where the system let it."""

    def wait_until_up(self) -> None:
        """Waits for the whole table of listeners, which comes when connections are taken."""
        self.wait_for("^service +listens on")
        # Each listener was logged before the table began.
        count = len(re.findall("message listens on ", self.out)) or 1
        self.wait_for(rf"^service .*\n(message .*\n){{{count}}}")

    @property
    def rows(self) -> list[tuple[str, int] | str]:
        """Where it listens, in order: an address and a port, or a UNIX socket's path."""
        return [path or (host, int(port)) for path, host, port in _ROW.findall(self.out)]

    @property
    def address(self) -> tuple[str, int]:
        """Where its first listener is, on TCP."""
        first = self.rows[0]
        assert isinstance(first, tuple)
        return first

    @property
    def port(self) -> int:
        """The port of its first listener."""
        return self.address[1]


class SystemCase(SynchronousTestCase):
    """A test with real processes, in a folder of its own, with a deadline as a whole."""

    deadline = 100

    def setUp(self) -> None:
        """Sets the alarm and makes the folder."""
        before = signal.signal(signal.SIGALRM, self._overdue)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.alarm(self.deadline)
        self.addCleanup(signal.alarm, 0)
        # Short, since a UNIX socket's path has room for some 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="netlab-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def _overdue(self, number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{self.id()} took longer than {self.deadline} s")

    def program(self, *arguments: str, **options: Any) -> Program:
        """Starts a program; it is killed at the end of the test."""
        started = Program(arguments, self.folder, **options)
        self.addCleanup(started.kill)
        return started

    def run_program(self, *arguments: str, **options: Any) -> Program:
        """Runs a program to its end."""
        ended = self.program(*arguments, **options)
        ended.wait()
        return ended

    def run_twistd(self, commands: Sequence[Sequence[str]]) -> list[Ended]:
        """Runs ``twistd`` with each of the ``commands``, one after the other, to its end."""
        file = self.folder / "commands.json"
        file.write_text(json.dumps(commands))
        script = str(Path(__file__).with_name("forked.py"))
        ended = self.program(sys.executable, script, str(file))
        ended.wait(DEADLINE + len(commands))
        self.assertEqual(ended.process.returncode, 0, str(ended))
        return [Ended(*each) for each in json.loads(ended.out)]

    def start(self, *options: str, service: str = "message", **popen: Any) -> Server:
        """Starts ``twistd -n netlab message`` on a free port, or where ``options`` say.

        Returns before it is up: see ``Server.wait_until_up``.
        """
        words = [TWISTD, "-n", "--pidfile=", "netlab"]
        if service:
            words.append(service)
            if not any(each.startswith("--listen") for each in options):
                words += ["--listen", LOOPBACK]
        started = Server([*words, *options], self.folder, **popen)
        self.addCleanup(started.kill)
        return started

    def serve(self, *options: str, **popen: Any) -> Server:
        """A server that is up."""
        server = self.start(*options, **popen)
        server.wait_until_up()
        return server

    def write_app(self, name: str, text: str) -> None:
        """Writes a module into the folder where programs run."""
        (self.folder / f"{name}.py").write_text(text)

    def assert_no_traceback(self, *programs: Program) -> None:
        """Nothing that these programs logged is an error of netlab's."""
        for each in programs:
            for said in (each.out, each.err):
                for sign in ("Traceback", "Unhandled", "internal error"):
                    self.assertNotIn(sign, said)

    def assert_stops_cleanly(
        self, server: Program, number: signal.Signals = signal.SIGTERM
    ) -> None:
        """The signal ends it in good order and with no error in the log."""
        server.send_signal(number)
        self.assert_ended_cleanly(server, number)

    def assert_ended_cleanly(
        self, server: Program, number: signal.Signals = signal.SIGTERM
    ) -> None:
        """It ends in good order after ``number`` was sent to it.

        twistd, when all is done and logged, dies of the signal it was stopped
        with, so that its parent knows; to a service manager that is success.
        """
        self.assertIn(server.wait(), (0, -number), str(server))
        self.assertIn("Server Shut Down.", server.out)
        self.assert_no_traceback(server)


def eventually(condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Waits until ``condition`` holds, where nothing tells when it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)
