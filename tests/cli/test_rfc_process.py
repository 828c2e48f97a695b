# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.test_send import ENVIRONMENT, PATIENCE, TWISTD, read_until
from tests.rfc.support import DATA, text
from tests.rfc.upstream import Answer, Upstream, editor

NETLAB = [sys.executable, "-m", "netlab", "rfc"]


class ProcessCase(SynchronousTestCase):
    """Runs the command as people do, with a folder of its own for all that it keeps."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.environment = {**ENVIRONMENT, "XDG_CACHE_HOME": folder.name, "TERM": "xterm"}
        for name in ("LESS", "PAGER"):
            self.environment.pop(name, None)

    def run_it(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        options = {"capture_output": True, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(
            [*NETLAB, *arguments], env=self.environment, timeout=PATIENCE, check=False, **options
        )

    def served(self) -> Upstream:
        upstream = Upstream(editor())
        self.addCleanup(upstream.stop)
        return upstream


class Server(ProcessCase):
    """Through a real server, which has a mirror and no upstream."""

    def test_all(self) -> None:
        arguments = [*["-n", "--pidfile=", "-l", "log", "netlab", "rfc", "--offline"]]
        arguments += ["--mirror", str(DATA), "--cache", "cache"]
        server = subprocess.Popen(
            [*TWISTD, *arguments, "--listen", "tcp:0:interface=127.0.0.1"],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(server.communicate, timeout=PATIENCE)
        self.addCleanup(server.terminate)
        assert server.stdout is not None
        table = read_until(server.stdout, b"rfc2324.txt").decode()
        row = next(line for line in table.splitlines() if "127.0.0.1:" in line)
        where = ("--server", row.split()[1])
        ended = self.run_it("2324", *where, "--format", "txt")
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        self.assertEqual(ended.stdout, text(2324))
        ended = self.run_it("2324", *where)
        self.assertIn(b"Hyper Text Coffee Pot", ended.stdout)
        self.assertNotIn(b"[Page", ended.stdout)
        ended = self.run_it("1", *where)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"RFC 1 is not here", ended.stderr)
        self.assertEqual(os.listdir(self.folder).count("netlab"), 0)  # no cache of its own


class Alone(ProcessCase):
    def test_a_pager(self) -> None:
        """At a terminal the pager that the user names shows it, with all the marks."""
        upstream = self.served()
        leading, following = pty.openpty()
        self.environment["PAGER"] = f"{sys.executable} -c 'print(input())'"
        process = subprocess.Popen(
            [*NETLAB, "2324", "--upstream", upstream.base],
            env=self.environment,
            stdin=following,
            stdout=following,
            stderr=following,
        )
        os.close(following)
        self.addCleanup(os.close, leading)
        self.addCleanup(process.wait, PATIENCE)
        shown = read_until(leading, b"\n")
        self.assertIn(b"RFC 2324 is updated by RFC 7168.", shown)

    def test_no_twisted(self) -> None:
        code = "import sys, netlab.cli.rfc; print([m for m in sys.modules if 'twisted' in m])"
        ended = subprocess.run(
            [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=True
        )
        self.assertEqual(ended.stdout, b"[]\n")

    def test_a_pipe_that_closes(self) -> None:
        upstream = self.served()
        reading, writing = os.pipe()
        os.close(reading)
        ended = self.run_it(
            "9515", "--upstream", upstream.base, stdout=writing, capture_output=False,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(writing)
        self.assertEqual((ended.returncode, ended.stderr), (1, b""))

    def test_ctrl_c(self) -> None:
        """A mirror that is interrupted goes on the next time."""
        upstream = self.served()
        came, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def wait(_asked: object) -> Answer:
            came.set()
            go.wait(PATIENCE)
            return Answer(b"tea")

        whole, upstream.pages["/rfc/rfc9515.txt"] = upstream.pages["/rfc/rfc9515.txt"], wait
        arguments = ("mirror", str(self.folder / "rfc"), "--upstream", upstream.base)
        with subprocess.Popen(
            [*NETLAB, *arguments], env=self.environment, stderr=subprocess.PIPE
        ) as process:
            self.assertTrue(came.wait(PATIENCE))
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"of 16 files are there, and the same command goes on\n", said)
        upstream.pages["/rfc/rfc9515.txt"] = whole
        ended = self.run_it(*arguments)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        self.assertEqual((self.folder / "rfc" / "rfc9515.txt").read_bytes(), text(9515))
