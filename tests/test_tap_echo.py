# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``twistd netlab echo`` without twistd: options in, a service out."""

from __future__ import annotations

import io
import json
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netlab import DatagramApp, DatagramLimits
from netlab.datagram import Echo, Peer, loopback
from netlab.impair import parse
from netlab.services.echo import EchoOptions
from netlab.tap import Options, StartUpFailed, makeService
from netlab.transport import DEFAULT_GRACE
from tests.test_tap import patch_process
from tests.transport.support import DEADLINE, in_thread

reactor: Any = _reactor
LOOPBACK = "udp:0:interface=127.0.0.1"
NAMES = (
    *("app", "impair", "seed", "source-rate", "total-rate", "max-pending", "refuse-low-ports"),
    *("ledger", "pcap", "listen", "grace"),
)


class Shout(DatagramApp):
    def datagram_received(self, data: bytes, peer: Peer) -> bytes:
        return data.upper()


class Parsing(SynchronousTestCase):
    def setUp(self) -> None:
        patch_process(self)
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def parse(self, *words: str) -> Any:
        """The options of the echo service."""
        options = Options()
        options.parseOptions(["echo", *words])
        return options.subOptions

    def refused(self, *words: str) -> str:
        """The one line that is said of words that mean nothing."""
        self.err.seek(0)
        self.err.truncate()
        with self.assertRaises(SystemExit) as ended:
            self.parse(*words)
        self.assertEqual(ended.exception.code, 1)
        line = self.err.getvalue()
        self.assertRegex(line, r"\Anetlab: [^\n]+ \(see --help\)\n\Z")
        self.assertTrue(line[:-1].isprintable(), line)
        return line

    def test_defaults(self) -> None:
        """Without options: an echo, under the documented limits, and nothing done to it."""
        options = self.parse()
        self.assertIsInstance(options, EchoOptions)
        self.assertEqual(options.limits, DatagramLimits())
        self.assertIs(options.app, Echo)
        self.assertEqual((options.impair, options.recorder, options.listen), (None, None, []))
        self.assertEqual(options["grace"], DEFAULT_GRACE)

    def test_limits(self) -> None:
        """Each limit has an option, and each option is heard."""
        words = ["--source-rate=0", "--total-rate=7", "--refuse-low-ports", "--max-pending=9"]
        limits = DatagramLimits(source_rate=0, total_rate=7, refuse_low_ports=True, max_pending=9)
        self.assertEqual(self.parse(*words).limits, limits)
        self.assertEqual(len(words), len(DatagramLimits.__dataclass_fields__))

    def test_others(self) -> None:
        """The application, the impairments with their seed, the listeners; short names."""
        words = ["-a", f"{__name__}:Shout", "-i", "loss 10%", "--seed=7", "-l", "udp:1"]
        options = self.parse(*words, "--listen=udp6:2")
        self.assertIs(options.app, Shout)
        self.assertEqual(options.impair, parse("loss 10%", seed=7))
        self.assertEqual(options.listen, ["udp:1", "udp6:2"])

    def test_bad(self) -> None:
        """What is wrong is said with the option's name, and what would be right."""
        for word, said in (
            ("--impair=los 10%", "--impair: "),
            ("--impair=loss 110%", "--impair: "),
            ("--seed=x", "--seed: 'x' is not a whole number from 0 up"),
            ("--seed=7", "--seed: there is nothing to seed without --impair"),
            ("--source-rate=-1", "--source-rate: '-1' is not a whole number from 0 up"),
            ("--total-rate=many", "--total-rate: 'many' is not a whole number from 0 up"),
            ("--total-rate=9999999999", "total_rate must be a whole number from 0 to 1000000000"),
            ("--max-pending=0", "--max-pending: '0' is not a whole number from 1 up"),
            ("--app=nothing_:Here", "--app: application 'nothing_:Here': there is no module"),
            ("--app=echoes", "--app: application 'echoes': write MODULE:CLASS"),
            ("--app=netlab:MessageProtocol", "is not a subclass of netlab.DatagramApp"),
            ("--ledger=/nonexistent/x", "'/nonexistent/x': no such file or directory"),
            ("--pcap=/nonexistent/x", "'/nonexistent/x': no such file or directory"),
            ("--refuse-low-ports=yes", "refuse-low-ports"),
            ("--framing=line", "framing"),
            ("--los=10", "los"),
            ("hello", ""),
        ):
            self.assertIn(said, self.refused(word))

    def test_help(self) -> None:
        """Each option is explained, with its default, in 80 columns."""
        with self.assertRaises(SystemExit) as ended:
            self.parse("--help")
        self.assertIn(ended.exception.code, (0, None))
        said = self.out.getvalue()
        for name in NAMES:
            self.assertIn(f"--{name}", said)
        for default in ("1000]", "100000]"):
            self.assertIn(f"[default: {default}", " ".join(said.split()))
        options = said[said.index("Options:") :]
        self.assertTrue(all(len(line) <= 80 for line in options.splitlines()), said)


class Services(TestCase):
    """What ``makeService`` makes of them, on the real reactor."""

    timeout = 30

    def setUp(self) -> None:
        patch_process(self)
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "__stdout__", self.out)
        self.patch(sys, "__stderr__", self.err)
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def make(self, *words: str) -> Any:
        """The service that twistd would run; it is stopped at the end of the test."""
        options = Options()
        options.parseOptions(list(words))
        service: Any = makeService(options)
        self.addCleanup(service.stopService)
        return service

    def start(self, service: Any) -> None:
        """As twistd starts it."""
        service.privilegedStartService()
        service.startService()

    def ask(self, address: Any, data: bytes) -> bytes:
        """The answer to ``data``."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE)
            sock.connect((address.host, address.port))
            sock.send(data)
            return sock.recv(65536)

    def test_chosen(self) -> None:
        """The one that was named, with its options."""
        (echo,) = self.make("echo", "--listen", LOOPBACK, "--grace=3")
        self.assertEqual((echo.name, echo.endpoints, echo.grace), ("echo", [LOOPBACK], 3))

    def test_all(self) -> None:
        """Without a name it is among all, on its default port, loopback only."""
        echo = self.make().getServiceNamed("echo")
        self.assertEqual((echo.endpoints, echo.grace), (loopback(8007), DEFAULT_GRACE))

    async def test_runs(self) -> None:
        """It listens, says where with a line to try, answers, and stops."""
        service = self.make("echo", "-l", LOOPBACK, "-l", LOOPBACK, "-a", f"{__name__}:Shout")
        self.start(service)
        (echo,) = service
        addresses = echo.server.addresses
        await deferLater(reactor, 0)  # it speaks when the reactor runs
        table = self.out.getvalue().splitlines()
        self.assertEqual(len(table), 3)
        for address, line in zip(addresses, table[1:], strict=True):
            where = f"127.0.0.1:{address.port}"
            self.assertEqual(line.split(), ["echo", where, "netlab", "ping", where])
            self.assertEqual(await in_thread(self.ask, address, b"hello"), b"HELLO")
        await service.stopService()
        self.assertEqual(self.err.getvalue(), "")

    async def test_ledger(self) -> None:
        """The files are whole when the service has stopped."""
        ledger, pcap = self.folder / "fates.jsonl", self.folder / "fates.pcapng"
        service = self.make("echo", "-l", LOOPBACK, "--ledger", str(ledger), "--pcap", str(pcap))
        self.start(service)
        (echo,) = service
        await in_thread(self.ask, echo.server.addresses[0], b"hello")
        await service.stopService()
        lines = [json.loads(line) for line in ledger.read_text().splitlines()]
        fates = [(line["direction"], line["fate"], line["size"]) for line in lines]
        self.assertEqual(fates, [("in", "received", 5), ("out", "sent", 5)])
        self.assertEqual(pcap.read_bytes().count(b"hello"), 2)

    async def test_busy(self) -> None:
        """A busy port: one line, status 1, and nothing that listens."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            service = self.make("echo", "-l", LOOPBACK, "-l", f"udp:{port}:interface=127.0.0.1")
            error = self.assertRaises(StartUpFailed, service.privilegedStartService)
        self.assertEqual(error.code, 1)
        said = f"cannot listen on udp 127.0.0.1:{port}: address already in use"
        self.assertEqual(self.err.getvalue(), f"netlab: {said}\n")

    async def test_bad_endpoint(self) -> None:
        """So is an endpoint that means nothing."""
        for endpoint in ("8007", "tcp:8007", "udp:8007:interface=localhost"):
            self.err.seek(0)
            self.err.truncate()
            service = self.make("echo", "--listen", endpoint)
            error = self.assertRaises(StartUpFailed, service.privilegedStartService)
            self.assertEqual(error.code, 1)
            self.assertIn("write for example udp:8007", self.err.getvalue())
