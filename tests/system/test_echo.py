# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``twistd netlab echo``: what it serves, refuses to start with, owes at its end, and records."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from netlab.transport import has_ipv6
from tests.system.echoes import HERE, EchoCase, EchoServer, ask, client, receive_all
from tests.system.peers import can_connect, frame, send_and_end
from tests.system.processes import TWISTD, Ended, Program, eventually

LONG = 60
"""A grace that no test waits for; what ends before ``SOON`` did not."""
SOON = 20.0
SIX = "udp6:0:interface=::1"
_APPS = """
from netlab import DatagramApp
from netlab.datagram import Echo
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

class Slow(DatagramApp):
    async def datagram_received(self, data, peer):
        print("handling", flush=True)
        await deferLater(reactor, 0.5, lambda: None)
        return data.upper()

class Never(DatagramApp):
    def datagram_received(self, data, peer):
        print("handling", flush=True)
        return Deferred()

class Bad(Echo):
    def stopped(self):
        raise ZeroDivisionError("at the end")
"""


def udp_port() -> int:
    """A port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Serving(EchoCase):
    def test_exact(self) -> None:
        """IPv4 and IPv6, several listeners: bytes as they were, empty and longest too."""
        listen = [HERE, HERE, *([SIX, r"--listen=udp6:0:interface=\:\:1"] if has_ipv6() else [])]
        words = [each if each.startswith("--") else f"--listen={each}" for each in listen]
        server = self.echo(*words)
        self.assertEqual(len(server.addresses), len(listen))
        data = [os.urandom(size) for size in (0, 1, 255, 1472, 1473, 8192, 65507, 0)]
        for address in server.addresses:
            self.assertEqual(ask(address, *data), data)
        self.assert_stops_cleanly(server)

    def test_everywhere(self) -> None:
        """All addresses of the machine: each answers for itself.

        Stock Twisted's answers come from the address that the system prefers, and a
        client that is connected to another never sees them.
        """
        server = self.echo("--listen=udp:0", *(["--listen=udp6:0"] if has_ipv6() else []))
        for host, port in server.addresses:
            for asked in ("::1",) if ":" in host else ("127.0.0.1", "127.0.0.2", "127.7.7.7"):
                self.assertEqual(ask((asked, port), b"hello"), [b"hello"])
        self.assertRegex(server.out, r"(?m)^echo +port \d+, all addresses +netlab ping 127.0.0.1:")
        self.assert_stops_cleanly(server)

    def test_many(self) -> None:
        """Hundreds at a time: each client has its own back, and the counters say so."""
        server = self.counting_echo("--source-rate=0", "--total-rate=0")
        with ThreadPoolExecutor(4) as pool:
            data = [[b"%d %d" % (who, number) for number in range(100)] for who in range(8)]
            answers = pool.map(lambda each: ask(server.address, *each), data)
            self.assertEqual(list(answers), data)
        counted = self.counted(server)
        self.assertEqual((counted["datagrams_in"], counted["datagrams_out"]), (800, 800))
        self.assertEqual((counted["dropped"], counted["errors"]), ({}, {}))

    def test_all_services(self) -> None:
        """``twistd netlab`` serves messages and datagrams, on loopback."""
        if any(can_connect(("127.0.0.1", port)) for port in (8032, 8080)):
            raise SkipTest("somebody listens on port 8032 or 8080 already")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", 8007))
        except OSError as error:
            raise SkipTest("somebody listens on port 8007 already") from error
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder)}
        line = [TWISTD, "-n", "--pidfile=", "netlab"]
        server = EchoServer(line, self.folder, env=environment)
        self.addCleanup(server.kill)
        server.wait_for(r"^echo .*\[::1\]:8007" if has_ipv6() else "^echo .*:8007")
        for host in ("127.0.0.1", *(["::1"] if has_ipv6() else [])):
            self.assertEqual(ask((host, 8007), b"hello"), [b"hello"])
            self.assertEqual(send_and_end((host, 8032), frame(b"hello")), frame(b"hello"))
        self.assertRegex(server.out, r"(?m)^echo +127.0.0.1:8007 +netlab ping 127.0.0.1$")
        self.assert_stops_cleanly(server)


class Impaired(EchoCase):
    words = "--impair=in loss 20% delay 3ms 2ms reorder 20% out duplicate 20% corrupt 10%"

    def run_once(self, number: int) -> list[tuple[Any, ...]]:
        """Sends 60 datagrams, one after another; what became of them, as it was recorded."""
        ledger = self.folder / f"fates{number}.jsonl"
        server = self.echo(self.words, "--seed=7", f"--ledger={ledger}")
        with client(server.address) as sock:
            for count in range(60):
                sock.send(b"%02d" % count)
            received = receive_all(sock)
        self.assert_stops_cleanly(server)
        lines = [json.loads(line) for line in ledger.read_text().splitlines()]
        self.assertEqual({line["host"] for line in lines}, {f"127.0.0.1:{server.address[1]}"})
        fates = sorted((line["direction"], line["index"], line["fate"]) for line in lines)
        self.assertEqual(sum(line["direction"] == "in" for line in lines), 60)
        copies = [
            1 + ("duplicated" in line["fate"]) for line in lines if line["direction"] == "out"
        ]
        self.assertEqual(len(received), sum(copies))
        return fates

    def test_again(self) -> None:
        """Two runs with one seed have the same fates, from whatever port a client sends."""
        first, second = self.run_once(1), self.run_once(2)
        self.assertEqual(first, second)
        said = " ".join(fate for _, _, fate in first)
        for word in ("dropped: loss", "delayed", "reordered", "duplicated", "corrupted: bit"):
            self.assertIn(word, said)

    def test_followed(self) -> None:
        """The ledger can be read while the server runs."""
        ledger = self.folder / "fates.jsonl"
        server = self.echo("--impair=loss 100%", f"--ledger={ledger}")
        with client(server.address) as sock:
            sock.send(b"hello")
            eventually(lambda: ledger.read_text().count("\n") == 2, "two lines are written")
        fates = [json.loads(line)["fate"] for line in ledger.read_text().splitlines()]
        self.assertEqual(fates, ["received", "dropped: loss"])
        self.assert_stops_cleanly(server)


class Stopping(EchoCase):
    def test_pending(self) -> None:
        """SIGTERM, or Ctrl-C: what was asked before is answered, then it ends."""
        self.write_app("apps", _APPS)
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.echo("--app=apps:Slow", f"--grace={LONG}")
            with client(server.address) as sock:
                for _ in range(3):
                    sock.send(b"hello")
                server.wait_for("(handling\n[^$]*){3}")
                server.send_signal(number)
                self.assertEqual([sock.recv(100) for _ in range(3)], [b"HELLO"] * 3)
            self.assert_ended_cleanly(server, number)

    def test_under_way(self) -> None:
        """What is delayed when the signal comes is sent at its time."""
        server = self.echo("--impair=in delay 300ms out delay 300ms", f"--ledger={self.folder}/l")
        with client(server.address) as sock:
            sock.send(b"hello")
            eventually(lambda: b"delayed" in Path(self.folder, "l").read_bytes(), "it is there")
            server.send_signal(signal.SIGTERM)
            self.assertEqual(sock.recv(100), b"hello")
        self.assert_ended_cleanly(server)
        lines = Path(self.folder, "l").read_text().splitlines()
        self.assertEqual([json.loads(each)["direction"] for each in lines], ["in", "out"])

    def test_grace(self) -> None:
        """What is not done within the grace is let go of."""
        self.write_app("apps", _APPS)
        server = self.echo("--app=apps:Never", "--grace=0.5")
        with client(server.address) as sock:
            sock.send(b"hello")
            server.wait_for("handling")
            before = time.monotonic()
            self.assert_stops_cleanly(server)
            self.assertGreater(time.monotonic() - before, 0.4)
            self.assertLess(time.monotonic() - before, SOON)

    def test_second_signal(self) -> None:
        """A second signal ends it at once."""
        self.write_app("apps", _APPS)
        server = self.echo("--app=apps:Never", f"--grace={LONG}")
        with client(server.address) as sock:
            sock.send(b"hello")
            server.wait_for("handling")
            server.send_signal(signal.SIGTERM)
            server.wait_for("Received SIGTERM")
            before = time.monotonic()

            def ended() -> bool:
                # The first one is not yet acted upon when it is logged.
                time.sleep(0.1)
                server.send_signal(signal.SIGTERM)
                return server.process.poll() is not None

            eventually(ended, "it has ended", SOON)
            self.assert_ended_cleanly(server)
            self.assertLess(time.monotonic() - before, SOON)

    def test_failing_end(self) -> None:
        """An application that fails at the end does not hold it up."""
        self.write_app("apps", _APPS)
        server = self.echo("--app=apps:Bad")
        self.assertEqual(ask(server.address, b"hello"), [b"hello"])
        before = time.monotonic()
        self.assertIn(server.stop(), (0, -signal.SIGTERM))
        self.assertLess(time.monotonic() - before, SOON)
        self.assertIn("Server Shut Down.", server.out)

    def test_killed(self) -> None:
        """After kill -9 the port can be listened on at once."""
        listen = f"--listen=udp:{udp_port()}:interface=127.0.0.1"
        self.echo(listen).stop(signal.SIGKILL)
        server = self.echo(listen)
        self.assertEqual(ask(server.address, b"hello"), [b"hello"])
        self.assert_stops_cleanly(server)


class Starting(EchoCase):
    """What ends the start ends it with one line, status 1 and nothing left behind."""

    def one_line(self, ended: Program | Ended) -> str:
        """The line with which it ended, with status 1."""
        self.assertEqual(ended.status, 1, str(ended))
        self.assertRegex(ended.err, r"\Anetlab: [^\n]*\n\Z")
        self.assertNotIn("Traceback", ended.out)
        return ended.err

    def test_busy_port(self) -> None:
        """A port that is taken: no other listener is left, nor a pidfile."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            busy = taken.getsockname()[1]
            other = udp_port()
            words = ["netlab", "echo", "--listen", f"udp:{other}:interface=127.0.0.1"]
            words += ["--listen", f"udp:{busy}:interface=127.0.0.1"]
            ended = self.run_program(TWISTD, "-n", "--pidfile=a.pid", *words)
            said = f"cannot listen on udp 127.0.0.1:{busy}: address already in use"
            self.assertEqual(self.one_line(ended), f"netlab: {said}\n")
            ended = self.run_program(TWISTD, "--pidfile=b.pid", "--logfile=b.log", *words)
            self.assertEqual(ended.process.returncode, 1, str(ended))
            self.assertIn(f"cannot listen on udp 127.0.0.1:{busy}", ended.err)
            self.assertNotIn("Traceback", ended.err + (self.folder / "b.log").read_text())
        eventually(lambda: not list(self.folder.glob("*.pid")), "no pidfile is left")

    def test_bad_options(self) -> None:
        """Each mistake is told in one line that says what would be right."""
        wrong = {
            "--impair=los 10%": "--impair: ",
            "--impair=delay": "--impair: ",
            "--seed=x": "--seed: 'x' is not a whole number from 0 up",
            "--seed=7": "without --impair",
            "--source-rate=-1": "--source-rate: '-1' is not a whole number from 0 up",
            "--total-rate=1e3": "--total-rate: '1e3' is not",
            "--max-pending=0": "--max-pending: '0' is not a whole number from 1 up",
            "--app=nothing:Here": "no module 'nothing'",
            "--app=echoes": "MODULE:CLASS",
            "--app=netlab:MessageProtocol": "not a subclass of netlab.DatagramApp",
            "--ledger=/nonexistent/x": "'/nonexistent/x': no such file or directory",
            "--pcap=/nonexistent/x": "'/nonexistent/x': no such file or directory",
            "--ledger=.": "is a directory",
            "--listen=8007": "say what kind of endpoint it is: udp:8007",
            "--listen=tcp:8007": "'tcp' is not udp or udp6",
            "--listen=udp:70000": "'70000' is not a port",
            "--listen=udp:0:interface=localhost": "'localhost' is not a numeric address",
            "--listen=udp:0:interface=192.0.2.123": "cannot assign requested address",
            "--listen=udp:0:interface=224.0.0.1": "not an address of one machine",
            "--grace=-1": "--grace: '-1' is not a number of seconds",
            "--no-such-option": "no-such-option",
        }

        commands = []
        for option in wrong:
            listen = [] if option.startswith("--listen") else ["--listen", HERE]
            commands.append(["-n", "--pidfile=", "netlab", "echo", *listen, option])
        failed = []
        for option, ended in zip(wrong, self.run_twistd(commands), strict=True):
            try:
                self.assertIn(wrong[option], self.one_line(ended))
            except self.failureException as error:
                failed.append(f"{option}: {error}")
        self.assertEqual(failed, [], "\n\n".join(failed))

    def test_taken_ledger(self) -> None:
        """Two servers do not write to one ledger."""
        server = self.echo("--ledger=fates.jsonl")
        second = self.start_echo("--ledger=fates.jsonl")
        second.wait()
        self.assertIn("it is being written already", self.one_line(second))
        self.assert_stops_cleanly(server)

    def test_daemon(self) -> None:
        """In the background it serves and records; its writer is begun behind the fork."""
        port = udp_port()
        pidfile, ledger = self.folder / "n.pid", self.folder / "fates.jsonl"
        started = self.run_program(
            *(TWISTD, f"--pidfile={pidfile}", f"--logfile={self.folder}/n.log", "netlab", "echo"),
            *(f"--listen=udp:{port}:interface=127.0.0.1", "--ledger=fates.jsonl"),
            *("--pcap=fates.pcapng", "--impair=in loss 50% delay 5ms", "--seed=1"),
        )
        self.assertEqual(started.process.returncode, 0, str(started))
        self.assertEqual(started.err, "")
        pid = int(pidfile.read_text())
        self.addCleanup(_kill, pid)
        # The parent has ended only after the child listens.
        with client(("127.0.0.1", port)) as sock:
            for number in range(20):
                sock.send(b"%d" % number)
            received = receive_all(sock)
        eventually(lambda: ledger.read_text().count('"sent"') == len(received), "all is recorded")
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not pidfile.exists(), "the daemon removes its pidfile")
        fates = [json.loads(line)["fate"] for line in ledger.read_text().splitlines()]
        self.assertEqual(fates.count("dropped: loss"), 20 - len(received))
        self.assertEqual(fates.count("delayed 5 ms"), len(received))
        capture = (self.folder / "fates.pcapng").read_bytes()
        self.assertEqual(capture.count(b"dropped: loss"), 20 - len(received))
        self.assertNotIn("Traceback", (self.folder / "n.log").read_text())


class Fuzzing(EchoCase):
    def test_random(self) -> None:
        """20,000 random datagrams: answered, or dropped for a reason; nothing else."""
        server = self.counting_echo("--source-rate=0", "--total-rate=0", "--impair=corrupt 10%")
        rng = random.Random(8007)
        count = answered = 0
        with client(server.address) as sock:
            while count < 20_000:
                for _ in range(50):  # the socket's buffer holds so many
                    sock.send(rng.randbytes(int(rng.paretovariate(0.6)) % 2000))
                    count += 1
                for _ in range(50):
                    sock.recv(65536)
                    answered += 1
        counted = self.counted(server)
        self.assertEqual((counted["datagrams_in"], counted["datagrams_out"]), (count, answered))
        self.assertEqual((counted["dropped"], counted["errors"]), ({}, {}))
        self.assertLess(len(server.out), 5000)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
