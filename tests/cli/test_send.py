# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

import netlab.cli.send as module
from netlab.cli import main
from netlab.framing import LengthPrefix

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PATIENCE = 10.0  # seconds until a test that hangs gives up
LISTEN = ["--listen", "tcp:0:interface=127.0.0.1", "--listen", "unix:socket"]
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


def read_until(stream: IO[bytes] | int, end: bytes) -> bytes:
    """What comes from a pipe or terminal, until ``end`` has come."""
    descriptor = stream if isinstance(stream, int) else stream.fileno()
    deadline = time.monotonic() + PATIENCE
    received = b""
    while end not in received:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            raise AssertionError(f"no {end!r} came, only {received!r}")
        data = os.read(descriptor, 65536)
        if not data:
            raise AssertionError(f"no {end!r} came, only {received!r}")
        received += data
    return received


class SendCase(SynchronousTestCase):
    """Has a real server: ``endpoint`` echoes."""

    endpoint: str
    folder: str

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        server = subprocess.Popen(
            [*TWISTD, *["-n", "--pidfile=", "-l", "log", "netlab", "message"], *LISTEN],
            cwd=cls.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
        )
        cls.addClassCleanup(cls.stop, server)
        assert server.stdout is not None
        table = read_until(server.stdout, b"unix:").decode()
        row = next(line for line in table.splitlines() if "127.0.0.1:" in line)
        cls.endpoint = f"tcp:{row.split()[1]}"

    @staticmethod
    def stop(server: subprocess.Popen[bytes]) -> None:
        server.terminate()
        server.communicate(timeout=PATIENCE)

    @contextlib.contextmanager
    def started(self, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """``netlab send`` with the arguments, in a process of its own with three pipes."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-m", "netlab", "send", *arguments]
        with subprocess.Popen(command, env=ENVIRONMENT, **{**pipes, **options}) as process:
            timer = threading.Timer(PATIENCE, process.kill)
            timer.start()
            try:
                yield process
            finally:
                process.kill()
                timer.cancel()
                timer.join()

    def run_it(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "netlab", *arguments]
        options = {"capture_output": True, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(command, env=ENVIRONMENT, timeout=PATIENCE, check=False, **options)


class InProcess(SendCase):
    def send(self, *arguments: str, given: bytes | None = None) -> Result:
        return CliRunner().invoke(main, ["send", *arguments], input=given)

    def sends(self, *arguments: str, given: bytes | None = None) -> bytes:
        result = self.send(*arguments, given=given)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        return result.stdout_bytes

    def test_messages(self) -> None:
        self.assertEqual(self.sends(self.endpoint, "hello"), b"hello\n")
        self.assertEqual(self.sends(self.endpoint, "a", "", "b c"), b"a\n\nb c\n")
        self.assertEqual(self.sends(self.endpoint, "Grüße"), "Grüße\n".encode())
        self.assertEqual(self.sends(self.endpoint, "tcp:x:y"), b"tcp:x:y\n")
        self.assertEqual(self.sends(self.endpoint, "--", "--help"), b"--help\n")

    def test_unix(self) -> None:
        self.assertEqual(self.sends(f"unix:{self.folder}/socket", "hello"), b"hello\n")

    def test_lines(self) -> None:
        for given in (b"one\ntwo\n", b"one\ntwo"):
            self.assertEqual(self.sends(self.endpoint, "-", given=given), b"one\ntwo\n")
        self.assertEqual(self.sends(self.endpoint, "-", given=b""), b"")
        self.assertEqual(self.sends(self.endpoint, "-", given=b"\n\xff\r\n"), b"\n\xff\r\n")
        self.assertEqual(self.sends(self.endpoint, "a", "-", "b", given=b"1\n"), b"a\n1\nb\n")

    def test_the_default_endpoint(self) -> None:
        seen: list[object] = []

        def connect(endpoint: str, **options: object) -> object:
            seen.extend([endpoint, options])
            raise KeyboardInterrupt

        self.patch(module, "connect", connect)
        self.assertEqual(self.send("hello").exit_code, 130)
        framing = LengthPrefix()
        options = {"framing": framing, "timeout": 10.0, "ca_file": None}
        self.assertEqual(seen, ["tcp:localhost:8032", options])
        self.send("--timeout", "0", "hello")
        self.assertEqual(seen[-1], {**options, "timeout": None})

    def test_usage(self) -> None:
        for arguments, said in (
            ((), "Missing argument '[ENDPOINT] MESSAGE...'"),
            (("tcp:localhost:1",), "No message: what shall be sent to tcp:localhost:1?"),
            (("tcp:8032", "x"), "endpoint 'tcp:8032': give a host and a port, as in tcp:local"),
            (("ssl:localhost:1", "x"), "to connect to a TLS server, write tls:HOST:PORT"),
            (("--framing", "netstrings", "x"), "did you mean 'netstring'?"),
            (("--ca", "/nowhere", "tls:localhost:1", "x"), "'/nowhere' does not exist"),
            (("--ca", __file__, "tls:localhost:1", "x"), "it holds no certificate"),
            (("--ca", __file__, "tcp:localhost:1", "x"), "a CA file goes with tls:HOST:PORT"),
            (("--timeout", "-1", "x"), "-1.0 is not in the range x>=0"),
            (("--timeout", "nan", "x"), "timeout must be seconds from 0 to"),
            (("--timeout", "soon", "x"), "'soon' is not a valid float"),
            (("--tiemout", "1", "x"), "No such option"),
        ):
            result = self.send(*arguments)
            self.assertEqual((result.exit_code, result.stdout), (2, ""), arguments)
            self.assertIn(said, result.stderr)
            self.assertIn("Try 'main send --help' for help.", result.stderr)

    def test_no_server(self) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            endpoint = f"tcp:127.0.0.1:{nobody.getsockname()[1]}"
            result = self.send(endpoint, "hello")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr,
            f"netlab: cannot connect to {endpoint}: connection refused; "
            "is the server running? Start one: twistd -n netlab\n",
        )

    def test_no_answer(self) -> None:
        result = self.send("--framing", "line", "--timeout", "0.05", self.endpoint, "hi")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr,
            "netlab: no message came within 0.05 s; is line the server's framing?\n",
        )

    def test_another_framing(self) -> None:
        result = self.send("--framing", "netstring", self.endpoint, "hi")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertIn("is netstring the server's framing?", result.stderr)

    def test_too_long(self) -> None:
        framing = "length-prefix:max_message=4"
        result = self.send("--framing", framing, self.endpoint, "four", "hello")
        self.assertEqual((result.exit_code, result.stdout), (1, "four\n"))
        self.assertIn("netlab: length 5 exceeds 4;", result.stderr)

    def test_help(self) -> None:
        for arguments, said in (
            (["--help"], "Send messages to a server"),
            (["-h"], "twistd -n netlab"),
            (["send", "--help"], "seq 3 | netlab send -"),
            (["--version"], "main 0."),
        ):
            result = CliRunner().invoke(main, arguments)
            self.assertEqual((result.exit_code, result.stderr), (0, ""))
            self.assertIn(said, result.stdout)
            self.assertLess(max(map(len, result.stdout.splitlines())), 80)

    def test_unknown_command(self) -> None:
        result = CliRunner().invoke(main, ["sned"])
        self.assertEqual(result.exit_code, 2)
        self.assertIn("No such command 'sned'", result.stderr)


class Processes(SendCase):
    def test_interactive(self) -> None:
        with self.started(self.endpoint, "-") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            for line in (b"one\n", b"\x1b\xff\n"):
                process.stdin.write(line)
                process.stdin.flush()
                self.assertEqual(read_until(process.stdout, b"\n"), line)
            process.stdin.close()
            self.assertEqual(process.wait(PATIENCE), 0)
            self.assertEqual(process.stderr.read(), b"")

    def test_interrupted(self) -> None:
        with self.started(self.endpoint, "first", "-") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            read_until(process.stdout, b"first\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE), 130)
            self.assertEqual(process.stderr.read(), b"")

    def test_the_reader_of_the_output_has_gone(self) -> None:
        with self.started(self.endpoint, "first", "-") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            read_until(process.stdout, b"first\n")
            process.stdout.close()
            process.stdin.write(b"second\n")
            process.stdin.close()
            self.assertEqual(process.wait(PATIENCE), 1)
            self.assertEqual(process.stderr.read(), b"")

    def test_no_room_for_the_output(self) -> None:
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full here")
        with open("/dev/full", "wb") as full:
            done = self.run_it(
                "send",
                self.endpoint,
                "x",
                stdout=full,
                stderr=subprocess.PIPE,
                capture_output=False,
            )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"netlab: input or output failed: no space left on device\n")

    def test_a_terminal_is_safe(self) -> None:
        message = "\x1b[2J\u202eGrüße\r\n".encode() + b"\xff"
        master, slave = pty.openpty()
        try:
            with self.started(self.endpoint, os.fsdecode(message), stdout=slave) as process:
                shown = read_until(master, b"\n")
                self.assertEqual(process.wait(PATIENCE), 0)
        finally:
            os.close(master)
            os.close(slave)
        self.assertEqual(shown.decode(), "\\x1b[2J\\u202eGrüße\\r\\n\\xff\r\n")

    def test_a_pipe_has_the_very_bytes(self) -> None:
        message = b"\x1b[2J\r\t\xff\xfe"
        done = self.run_it("send", self.endpoint, os.fsdecode(message))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, message + b"\n", b""))

    def test_closed_standard_streams(self) -> None:
        command = f'exec "$0" -m netlab send {self.endpoint} x - <&- >&-'
        done = subprocess.run(
            ["/bin/sh", "-c", command, sys.executable],
            env=ENVIRONMENT,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_version(self) -> None:
        self.assertTrue(self.run_it("--version").stdout.startswith(b"netlab 0."))

    def test_no_twisted(self) -> None:
        for arguments in (["send", self.endpoint, "hello"], ["--help"], ["send", "--help"]):
            code = (
                "import sys\n"
                "from netlab.cli import main\n"
                f"main({arguments!r}, standalone_mode=False)\n"
                "sys.exit('twisted' in sys.modules)"
            )
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=ENVIRONMENT,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
            self.assertEqual((done.returncode, done.stderr), (0, b""))
