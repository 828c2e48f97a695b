"""Programs as a user runs them: servers that are waited for, and clients that end."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
DEADLINE = 60.0
"""Seconds until something that a test waits for is given up."""
READY = "service  listens on"
"""How the table begins that a server prints when it takes connections."""

_HAND_DOWN = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="netlab")
os.execv(sys.argv[2], sys.argv[2:])
"""
# systemd gives descriptor 3, from there on, to the process that LISTEN_PID names.


def environment() -> dict[str, str]:
    """Where the programs of this interpreter are found first."""
    path = os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath)))
    return os.environ | {"PATH": path}


def free_port() -> int:
    """A port on which nothing listens, for a server that must be told one."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def free_udp_port() -> int:
    """The same for datagrams, on IPv4 and, where there is any, on IPv6."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if not has_ipv6():
            return port
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("::1", port))
            except OSError:
                continue
            return port


def has_ipv6() -> bool:
    """Whether ``::1`` can be listened on."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Background:
    """A program that runs until it is stopped; what it prints is in ``said``.

    command    a shell command; the program takes the shell's place
    folder     where it runs
    listening  a socket that it shall inherit as systemd hands one down
    """

    def __init__(self, command: str, folder: Path, listening: socket.socket | None = None) -> None:
        self.command = command
        words = ["/bin/sh", "-c", f"exec {command}"]
        if listening is not None:
            words = [sys.executable, "-c", _HAND_DOWN, str(listening.fileno()), *words]
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[] if listening is None else [listening.fileno()],
        )
        self.said = ""
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as pipe:
            for line in pipe:
                with self._changed:
                    self.said += line.decode(errors="backslashreplace")
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, seen: str | Callable[[str], bool]) -> None:
        """Waits until ``seen`` is in what it said, or is true of it."""

        def happened() -> bool:
            return seen in self.said if isinstance(seen, str) else seen(self.said)

        with self._changed:
            self._changed.wait_for(lambda: happened() or self._ended, DEADLINE)
        if not happened():
            raise AssertionError(f"{seen!r} did not come from {self.command!r}:\n{self.said}")

    def wait(self) -> int:
        """Its exit status, when it has ended and all it said is here."""
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return status

    def stop(self) -> None:
        """Stops it with SIGTERM, and by force if it does not end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise


def make_folder(case: TestCase) -> Path:
    """An empty folder for one test.

    Not below the project, whose settings a program could find, and with a short
    name, as a UNIX socket's path must be.
    """
    folder = Path(tempfile.mkdtemp(prefix="netlab-"))
    case.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run(command: str, folder: Path) -> tuple[int, str]:
    """Runs a shell command to its end; returns its status and all it printed."""
    ended = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
    )
    return ended.returncode, ended.stdout.decode(errors="backslashreplace")


def serve(app: str, port: int, folder: Path = EXAMPLES) -> Background:
    """``twistd -n netlab message --app app``, which takes connections on ``port``."""
    where = f"tcp:{port}:interface=127.0.0.1"
    return _serve(["message", "--app", app, "--listen", where], folder)


def serve_datagrams(port: int, *options: str, folder: Path = EXAMPLES) -> Background:
    """``twistd -n netlab echo`` with ``options``, which takes datagrams on ``port``."""
    return _serve(["echo", "--listen", f"udp:{port}:interface=127.0.0.1", *options], folder)


def _serve(words: list[str], folder: Path) -> Background:
    server = Background(shlex.join(["twistd", "-n", "--pidfile=", "netlab", *words]), folder)
    try:
        server.wait_for(READY)
    except AssertionError:
        server.stop()
        raise
    return server
