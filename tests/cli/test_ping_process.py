# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``netlab ping`` as a process, and what it draws."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from netlab.cli.ping import ping

from ..datagram.peers import PATIENCE, echo, silence
from .test_ping import QUICK, Case

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "netlab", "ping"]


class Plot(Case):
    def file(self, name: str = "rtt.svg") -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name) / name

    def test_terminal(self) -> None:
        result = self.ping(*QUICK, "-c", "3", self.peer().address, "--plot")
        head, _, drawn = result.stdout.rpartition("\n\n")
        self.assertTrue(head.splitlines()[-1].startswith("rtt p50"))
        self.assertIn("• RTT in ms", drawn.splitlines()[0])
        self.assertEqual(result.exit_code, 0)

    def test_before_the_host(self) -> None:
        """``--plot HOST``: what stands behind it was not meant as a file."""
        result = self.ping(*QUICK, "-c", "1", "--plot", self.peer().address)
        self.assertIn("RTT in ms", result.stdout)

    def test_file(self) -> None:
        path = self.file()
        peer = self.peer()
        result = self.ping(*QUICK, "-c", "3", "--plot", str(path), peer.address)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertNotIn("RTT in ms", result.stdout)
        text = path.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        self.assertIn(f"Round-trip times to {peer.address}", text)
        self.assertIn("3 sent, 3 received", text)

    def test_file_and_json(self) -> None:
        path = self.file()
        events = self.events("-c", "1", "--plot", str(path), self.peer().address)
        self.assertEqual(events[-1]["event"], "summary")
        self.assertIn("<svg", path.read_text())

    def test_cannot_write(self) -> None:
        """It is said before the first packet, not after the last."""
        peer = self.peer()
        path = self.file() / "none" / "rtt.svg"
        said = self.says("-c", "1", "--plot", str(path), peer.address)
        self.assertEqual(said, f"netlab: --plot: cannot write '{path}': no such file or directory")
        self.assertEqual(peer.received, [])

    def test_kept_until_the_end(self) -> None:
        """What is in the file stays there when nothing takes its place."""
        path = self.file()
        path.write_text("old")
        self.says("--plot", str(path), "no.invalid")
        self.assertEqual(path.read_text(), "old")

    def test_not_svg(self) -> None:
        self.assertIn("'rtt.png' is none", self.says("--plot", "rtt.png", "localhost"))

    def test_not_with_json(self) -> None:
        self.assertIn("give --plot a file", self.says("--json", "localhost", "--plot"))


class Processes(Case):
    """What only a process of its own can show."""

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        environment = {**ENVIRONMENT, **options.pop("env", {})}
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()

        def end() -> None:
            process.kill()
            process.communicate()
            timer.cancel()
            timer.join()

        self.addCleanup(end)
        return process

    def read_until(self, process: subprocess.Popen[bytes], end: bytes) -> bytes:
        """What is printed until then: it must not wait in a buffer."""
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        received = b""
        while end not in received:
            self.assertTrue(select.select([descriptor], [], [], PATIENCE)[0], received)
            data = os.read(descriptor, 65536)
            self.assertTrue(data, received)
            received += data
        return received

    def test_signals(self) -> None:
        """Ctrl-C and SIGTERM: the summary, and the status that ``ping`` has."""
        for number in (signal.SIGINT, signal.SIGTERM):
            for script, status in ((echo, 0), (silence, 1)):
                peer = self.peer(script)
                process = self.start(peer.address)
                self.read_until(process, b"PING")
                peer.wait_for(1)
                if not status:
                    self.read_until(process, b"seq=0")
                process.send_signal(number)
                out, error = process.communicate()
                self.assertEqual((process.returncode, error), (status, b""))
                waiting = b", 1 still under way" if status else b""
                received = b"0" if status else b"1"
                self.assertRegex(
                    out,
                    rb"\n--- [\d.:]+ ping statistics ---\n"
                    rb"1 sent, " + received + rb" received, 0 late, 0 lost \(0%\)" + waiting,
                )

    def test_interrupted_flood(self) -> None:
        peer = self.peer()
        process = self.start("--flood", "100000000", "--json", peer.address)
        peer.wait_for(500)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
        self.assertEqual((process.returncode, error), (0, b""))
        summary = json.loads(out)
        fates = ("received", "late", "lost", "waiting")
        self.assertEqual(summary["sent"], sum(summary[each] for each in fates))

    def test_plot_in_ascii(self) -> None:
        """A terminal that is not known to take more gets none."""
        for environment, plain in (
            ({"LC_ALL": "C", "PYTHONUTF8": "0"}, True),
            ({"PYTHONIOENCODING": "latin-1", "LC_ALL": "C.UTF-8"}, True),
            ({"LC_ALL": "C.UTF-8"}, False),
        ):
            process = self.start("-c", "1", self.peer().address, "--plot", env=environment)
            out, error = process.communicate()
            self.assertEqual((process.returncode, error), (0, b""))
            self.assertEqual(out.isascii(), plain)
            self.assertIn(b"RTT in ms", out)

    def test_no_twisted(self) -> None:
        code = (
            "import sys\n"
            "from netlab.cli import main\n"
            f"main(['ping', '-c', '1', '{self.peer().address}'], standalone_mode=False)\n"
            "sys.exit('twisted' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, timeout=PATIENCE
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_reader_gone(self) -> None:
        """``netlab ping ... | head -1`` ends without a word."""
        process = self.start("-i", "0.001", self.peer().address)
        self.read_until(process, b"PING")
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(), 1)

    def test_closed_output(self) -> None:
        command = f'exec "$0" -m netlab ping -c 1 {self.peer().address} >&-'
        done = subprocess.run(
            ["/bin/sh", "-c", command, sys.executable],
            env=ENVIRONMENT,
            capture_output=True,
            timeout=PATIENCE,
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_help(self) -> None:
        out, _ = self.start("--help").communicate()
        for line in out.decode().splitlines():
            self.assertLessEqual(len(line), 80)
        for parameter in ping.params:
            for option in parameter.opts:
                if option.startswith("-"):
                    self.assertIn(option, out.decode())
