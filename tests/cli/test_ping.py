# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import re
import sys
from typing import Any

from click.testing import CliRunner, Result

from netlab.cli import main
from netlab.datagram.pings import LARGEST

from ..datagram.peers import Answers, PeerCase, closed_port, flip, silence

QUICK = ["-i", "0.005"]
TIME = re.compile(r"(?<=time[= ])\d+\.\d+|\d+\.\d+(?= ms|/)")


def masked(text: str) -> str:
    """``text`` with each time as T."""
    return TIME.sub("T", text)


class Case(PeerCase):
    def ping(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["ping", *arguments])

    def output(self, *arguments: str, status: int = 0) -> list[str]:
        """The lines that are printed, with each time as T."""
        result = self.ping(*QUICK, *arguments)
        self.assertEqual((result.exit_code, result.stderr), (status, ""))
        for line in result.stdout.splitlines():
            self.assertLessEqual(len(line), 80, line)
        return masked(result.stdout).splitlines()

    def events(self, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
        """What is printed with ``--json``."""
        result = self.ping("--json", *arguments)
        self.assertEqual((result.exit_code, result.stderr), (status, ""))
        return [json.loads(line) for line in result.stdout.splitlines()]

    def says(self, *arguments: str) -> str:
        """What is wrong with the arguments: said in one line, on standard error, with status 2."""
        result = self.ping(*arguments)
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        self.assertNotIn("Traceback", result.stderr)
        return result.stderr.splitlines()[-1]


class Text(Case):
    def test_echo(self) -> None:
        address = self.peer().address
        self.assertEqual(
            self.output("-c", "2", address),
            [
                f"PING {address}: 64 bytes each",
                f"64 bytes from {address}: seq=0 time=T ms",
                f"64 bytes from {address}: seq=1 time=T ms",
                "",
                f"--- {address} ping statistics ---",
                "2 sent, 2 received, 0 late, 0 lost (0%), time T s",
                "0 duplicates, 0 out of order, 0 corrupted",
                "rtt min/avg/max/mdev = T/T/T/T ms",
                "rtt p50/p90/p99 = T/T/T ms, jitter T ms",
            ],
        )

    def test_name(self) -> None:
        peer = self.peer()
        lines = self.output("-c", "1", f"localhost:{peer.port}")
        self.assertRegex(lines[0], r"\APING localhost:\d+ \((127\.0\.0\.1|\[::1\]):\d+\): 64 ")

    def test_everything_that_goes_wrong(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            answers: list[Answers] = [
                [data, data],  # 0
                [flip(data, 131)],  # 1
                [],  # 2
                [(0.1, data)],  # 3
                [data, b"nonsense"],  # 4
            ]
            return answers[number]

        address = self.peer(script).address
        lines = self.output("-c", "5", "-W", "0.3", address)[1:]
        self.assertEqual(
            lines[:-5],
            [
                f"64 bytes from {address}: seq=0 time=T ms",
                f"64 bytes from {address}: seq=0 time=T ms (DUP!)",
                f"64 bytes from {address}: seq=1 time=T ms (corrupted: bit 131 flipped)",
                f"64 bytes from {address}: seq=4 time=T ms",
                f"stray: 8 bytes from {address}: no reply to this ping",
                f"64 bytes from {address}: seq=3 time=T ms (out of order)",
                "no reply to seq=2 within 0.3 s",
                "",
            ],
        )
        self.assertEqual(
            lines[-4:-2],
            [
                "5 sent, 4 received, 0 late, 1 lost (20%), time T s",
                "1 duplicate, 1 out of order, 1 corrupted, 1 stray",
            ],
        )

    def test_late(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            return [(0.4, data)] if number == 0 else [(0.2, data)]

        address = self.peer(script).address
        lines = self.output("-c", "2", "-i", "0.25", "-W", "0.3", address)
        self.assertEqual(
            lines[1:5],
            [
                "no reply to seq=0 within 0.3 s",
                f"64 bytes from {address}: seq=0 time=T ms (late)",
                f"64 bytes from {address}: seq=1 time=T ms",
                "",
            ],
        )
        self.assertEqual(lines[6], "2 sent, 1 received, 1 late, 0 lost (0%), time T s")

    def test_no_reply(self) -> None:
        address = self.peer(silence).address
        lines = self.output("-c", "2", "-W", "0.05", address, status=1)
        self.assertEqual(
            lines[1:],
            [
                "no reply to seq=0 within 0.05 s",
                "no reply to seq=1 within 0.05 s",
                "",
                f"--- {address} ping statistics ---",
                "2 sent, 0 received, 0 late, 2 lost (100%), time T s",
                "0 duplicates, 0 out of order, 0 corrupted",
            ],
        )

    def test_refused(self) -> None:
        address = f"127.0.0.1:{closed_port()}"
        lines = self.output("-c", "2", address, status=1)
        for number in (0, 1):
            self.assertEqual(
                lines[1 + number],
                f"port unreachable: is anything listening on {address}? (seq={number})",
            )
        self.assertEqual(lines[-1], "0 duplicates, 0 out of order, 0 corrupted, 2 errors")

    def test_no_echo(self) -> None:
        """Something answers, though not with what was sent: it is said what may be wrong."""

        def shout(number: int, data: bytes) -> Answers:
            return [b"What?"] * 4

        address = self.peer(shout).address
        lines = self.output("-c", "3", "-W", "0.1", address, status=1)
        strays = [line for line in lines if line.startswith("stray")]
        self.assertEqual(strays, [f"stray: 5 bytes from {address}: no reply to this ping"] * 5)
        self.assertEqual(
            lines[-1], f"What came were not these packets: is {address} a UDP echo (RFC 862)?"
        )

    def test_wrong_socket(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("a connected socket does not hear of it")

        def script(number: int, data: bytes) -> Answers:
            peer.other.sendto(data, peer.sources[-1])
            return []

        peer = self.peer(script)
        other = f"127.0.0.1:{peer.other.getsockname()[1]}"
        result = self.ping("-c", "1", "-W", "0.1", peer.address)
        self.assertEqual(
            result.stdout.splitlines()[1],
            f"stray: 64 bytes from {other}: the reply to seq=0, but not from {peer.address}",
        )

    def test_sizes(self) -> None:
        peer = self.peer()
        for size in (20, LARGEST):
            lines = self.output("-c", "1", "-s", str(size), peer.address)
            self.assertIn(f"{size} bytes from {peer.address}: seq=0 time=T ms", lines)
        self.assertEqual([len(each) for each in peer.received], [20, LARGEST])

    def test_quiet(self) -> None:
        lines = self.output("-q", "-c", "3", self.peer().address)
        self.assertEqual(len(lines), 7)
        self.assertEqual(lines[1], "")

    def test_quiet_about_everything(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            return [b"nonsense"]

        lines = self.output("-q", "-c", "1", "-W", "0.05", self.peer(script).address, status=1)
        self.assertEqual(len(lines), 6)
        lines = self.output("-q", "-c", "1", f"127.0.0.1:{closed_port()}", status=1)
        self.assertEqual(len(lines), 5)

    def test_flood(self) -> None:
        peer = self.peer()
        result = self.ping("--flood", "500", peer.address)
        lines = result.stdout.splitlines()
        self.assertEqual((result.exit_code, len(lines), len(peer.received)), (0, 7, 500))
        self.assertIn("500 sent, 500 received, 0 late, 0 lost (0%), time", lines[3])

    def test_flood_of_large_packets(self) -> None:
        """Fewer are under way: the sockets' buffers hold so much only."""
        result = self.ping("--flood", "100", "-s", "65507", self.peer().address)
        self.assertIn("100 sent, 100 received,", result.stdout)

    def test_same_fates(self) -> None:
        """Two runs send the same packets in the same order: what is done by number repeats."""

        def script(number: int, data: bytes) -> Answers:
            number %= 10
            return [flip(data, 400)] if number in (2, 7) else [data] * (number % 3)

        peer = self.peer(script)
        runs = [self.events("-c", "10", *QUICK, "-W", "0.1", peer.address) for _ in range(2)]
        first, second = (
            [{k: v for k, v in each.items() if not k.endswith("_ms")} for each in run]
            for run in runs
        )
        self.assertEqual(first, second)
        self.assertEqual(len({*peer.sources}), 2)


class Json(Case):
    def test_events(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            return [[data, data], [], [flip(data, 200), b"nonsense"]][number]

        peer = self.peer(script)
        events = self.events(*QUICK, "-c", "3", "-W", "0.1", peer.address)
        summary = events.pop()
        for each in events:
            if each["event"] == "reply":
                self.assertGreater(each.pop("rtt_ms"), 0)
        plain = {"event": "reply", "bytes": 64, "late": False, "out_of_order": False}
        self.assertEqual(
            events,
            [
                {**plain, "seq": 0, "duplicate": False, "corrupted": None},
                {**plain, "seq": 0, "duplicate": True, "corrupted": None},
                {**plain, "seq": 2, "duplicate": False, "corrupted": "bit 200 flipped"},
                {"event": "stray", "seq": None, "bytes": 8, "source": peer.address},
                {"event": "lost", "seq": 1},
            ],
        )
        self.assertEqual(
            {name: value for name, value in summary.items() if not name.endswith("_ms")},
            {
                "event": "summary",
                "host": "127.0.0.1",
                "address": peer.address,
                "size": 64,
                "sent": 3,
                "waiting": 0,
                "received": 2,
                "late": 0,
                "lost": 1,
                "loss_percent": 33.333,
                "duplicates": 1,
                "out_of_order": 0,
                "corrupted": 1,
                "errors": 0,
                "strays": 1,
            },
        )
        times = {name for name in summary if name.endswith("_ms")}
        expected = {f"rtt_{each}_ms" for each in ("min", "avg", "max", "mdev", "p50", "p90", "p99")}
        self.assertEqual(times, expected | {"jitter_ms", "time_ms", "wait_ms"})
        self.assertEqual(summary["wait_ms"], 100)

    def test_errors(self) -> None:
        events = self.events(*QUICK, "-c", "1", f"127.0.0.1:{closed_port()}", status=1)
        self.assertEqual(events[0], {"event": "error", "seq": 0, "error": "port unreachable"})
        self.assertEqual((events[1]["errors"], events[1]["rtt_avg_ms"]), (1, None))

    def test_quiet(self) -> None:
        for options in (["-q", "-c", "3", *QUICK], ["--flood", "3"]):
            events = self.events(*options, self.peer().address)
            self.assertEqual([each["event"] for each in events], ["summary"])


class Wrong(Case):
    def test_host(self) -> None:
        self.assertIn("Try: main ping localhost", self.says())
        self.assertIn("the port must be a number", self.says("localhost:x"))
        self.assertIn("in brackets", self.says("[localhost]:1"))

    def test_unknown(self) -> None:
        said = self.says("no.invalid")
        self.assertEqual(said, "netlab: cannot reach no.invalid:8007: the host name is not known")

    def test_broadcast(self) -> None:
        self.assertIn("is it a broadcast address?", self.says("255.255.255.255"))

    def test_size(self) -> None:
        for size in ("19", "65508", "-1"):
            said = " ".join(self.ping("-s", size, "localhost").stderr.split())
            self.assertIn(f"{size} is not from 20, which the header takes, to 65507", said)

    def test_seconds(self) -> None:
        for option in ("-i", "-W"):
            for value in ("0", "-1", "0.0009", "86401", "nan", "inf"):
                said = self.says(option, value, "localhost")
                self.assertIn("is not seconds from 0.001 to 86400", said)
            self.assertIn("'x' is not a valid float", self.says(option, "x", "localhost"))

    def test_counts(self) -> None:
        for option in ("-c", "--flood"):
            self.assertIn("x>=1", self.says(option, "0", "localhost"))

    def test_together(self) -> None:
        for option in ("-c", "-i"):
            said = self.says("--flood", "5", option, "1", "localhost")
            self.assertIn("--flood has a count and a pace of its own", said)
