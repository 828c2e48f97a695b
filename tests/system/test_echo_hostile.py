# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Forged and hostile datagrams: none is answered to the wrong, and none costs much.

What stock Twisted does with the same is said in each test.
"""

from __future__ import annotations

import random
import socket
import sys
import time
from functools import partial

from twisted.trial.unittest import SkipTest

from netlab.transport import has_ipv6
from tests.system.echoes import Address, EchoCase, EchoServer, ask, client, receive_all
from tests.system.forging import Forger, strangers
from tests.system.peers import connect, request
from tests.system.processes import LOOPBACK, eventually

BOTH = ("--listen=udp:0:interface=127.0.0.1", "--listen=udp6:0:interface=::1")
LOCAL = BOTH if has_ipv6() else BOTH[:1]


class Hostile(EchoCase):
    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SkipTest("forges datagrams as Linux lets it")
        super().setUp()
        self.forger = Forger()
        self.addCleanup(self.forger.close)

    def assert_quiet_log(self, server: EchoServer) -> None:
        """Nothing was logged of all that, but for a line a second that tells of rates."""
        said = server.out[server.out.index("netlab ping") :].splitlines()
        said = said[len(server.addresses) :]
        rates = [line for line in said if "more comes than source_rate" in line]
        self.assertEqual(len({line[:19] for line in rates}), len(rates))
        others = [line for line in said if line not in rates]
        self.assertIn("Received SIGTERM", others[0])

    def assert_serves(self, server: EchoServer) -> None:
        """An honest client is none the worse."""
        for address in server.addresses:
            self.assertEqual(ask(address, b"honest"), [b"honest"])


class Forged(Hostile):
    def test_own_address(self) -> None:
        """A datagram that seems to come from the server itself goes round no time at all.

        Stock Twisted: 340,000 times in 2 s, until it is stopped.
        """
        server = self.counting_echo(*LOCAL)
        self.assert_serves(server)
        for address in server.addresses:
            for _ in range(10):
                self.forger.send(b"round and round", address, address)
        if len(LOCAL) == 2:  # one listener, seemingly, to the other: no family is forgotten
            port, other = (each[1] for each in server.addresses)
            self.forger.send(b"to the other", ("127.0.0.1", other), ("127.0.0.1", port))
        self.assert_serves(server)
        counted = self.counted(server)
        forged = 10 * len(LOCAL) + len(LOCAL) - 1
        honest = 2 * len(LOCAL)
        self.assertEqual(counted["dropped"], {"source_port": forged})
        self.assertEqual(counted["datagrams_in"], forged + honest)
        self.assertEqual(counted["datagrams_out"], honest)

    def test_source_ports(self) -> None:
        """Port 0 cannot be answered, and services that answer must not be.

        Stock Twisted logs a traceback for each datagram from port 0, as fast as they come.
        """
        server = self.counting_echo(*LOCAL)
        ports = (0, 7, 19, 53, 123, 8007)
        for host, port in server.addresses:
            for source in ports:
                for _ in range(50):
                    self.forger.send(b"x", (host, source), (host, port))
        self.assert_serves(server)
        counted = self.counted(server)
        self.assertEqual(counted["dropped"], {"source_port": 50 * len(ports) * len(LOCAL)})
        self.assertEqual(counted["datagrams_out"], len(LOCAL))
        self.assertEqual(counted["errors"], {})
        self.assert_quiet_log(server)

    def test_low_ports(self) -> None:
        """By option no port below 1024 is answered."""
        server = self.counting_echo("--refuse-low-ports")
        for source in (1, 111, 1023):
            self.forger.send(b"x", ("127.0.0.1", source), server.address)
        self.assert_serves(server)
        self.assertEqual(self.counted(server)["dropped"], {"low_port": 3})

    def test_unreachable(self) -> None:
        """A source that cannot be sent to costs its own answer, which is counted."""
        server = self.counting_echo("--listen=udp:0")
        port = server.address[1]
        for source in ("255.255.255.255", "0.0.0.0", "240.0.0.1", "127.255.255.255"):
            for _ in range(5):
                self.forger.send(b"x", (source, 40000), ("127.0.0.1", port))
        self.assertEqual(ask(("127.0.0.1", port), b"honest"), [b"honest"])
        counted = self.counted(server)
        errors = sum(counted["errors"].values())
        self.assertEqual(counted["datagrams_in"], counted["datagrams_out"] + errors)
        self.assertGreater(errors, 0)
        self.assert_quiet_log(server)

    def test_spoofed_crowd(self) -> None:
        """Tens of thousands of forged sources: bounded memory, and honest clients are served."""
        server = self.counting_echo("--total-rate=0")
        self.assert_serves(server)
        with client(server.address) as honest:
            before = server.resident_kib()
            crowd = strangers()
            for at in range(0, len(crowd), 50):
                for source in crowd[at : at + 50]:
                    self.forger.send(b"", source, server.address)
                honest.send(b"honest")  # and wait: the system's buffer is finite
                self.assertEqual(honest.recv(100), b"honest")
            self.assertLess(server.resident_kib() - before, 16 * 1024)
        counted = self.counted(server)
        self.assertGreater(counted["datagrams_in"], 60_000)
        self.assertEqual(counted["dropped"].get("source_rate", 0), 0)
        self.assert_quiet_log(server)

    def test_reflection(self) -> None:
        """A victim whose address is forged gets no more than its rate, and never more bytes."""
        server = self.counting_echo("--source-rate=20")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
            victim.bind(("127.0.0.9", 0))
            for number in range(500):
                source = victim.getsockname() if number % 2 else ("127.0.0.9", 40000 + number)
                self.forger.send(b"small", source, server.address)
            self.assert_serves(server)
            got = receive_all(victim)
        self.assertEqual(set(got), {b"small"})
        counted = self.counted(server)
        self.assertLess(counted["datagrams_out"], 60)
        self.assertEqual(counted["dropped"]["source_rate"], 501 - counted["datagrams_out"])


class Loops(Hostile):
    def pair(self, port: int, *options: str) -> tuple[EchoServer, EchoServer]:
        """Two servers on addresses of their own."""
        hosts = ("127.1.2.3", "127.1.2.4")
        for host in hosts:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise SkipTest(f"somebody listens on port {port} already") from error
        one, two = (
            self.echo(f"--listen=udp:{port}:interface={each}", f"--ledger={each}", *options)
            for each in hosts
        )
        return one, two

    def received(self, server: EchoServer) -> int:
        """How many datagrams a server has on record, when no more have come for a while."""
        ledger = self.folder / server.address[0]
        last = [-1, ledger.stat().st_size]

        def silent() -> bool:
            time.sleep(0.4)
            last[:] = [last[1], ledger.stat().st_size]
            return last[0] == last[1]

        eventually(silent, "it is silent")
        return ledger.read_text().count('"in"')

    def test_default_ports(self) -> None:
        """Two servers on the port that such servers have: not even one answer is given.

        Stock Twisted: they talk to each other as fast as they can, for as long as both live.
        """
        one, two = self.pair(8007)
        for _ in range(100):
            self.forger.send(b"loop", two.address, one.address)
        self.assertEqual((self.received(one), self.received(two)), (100, 0))
        self.assertEqual(ask(one.address, b"honest"), [b"honest"])
        for each in (one, two):
            self.assert_stops_cleanly(each)

    def test_other_ports(self) -> None:
        """On other ports each is a source to the other, with its rate: the loop breaks there."""
        one, two = self.pair(0, "--source-rate=50")
        for number in range(20):
            self.forger.send(b"%d" % number, two.address, one.address)
        self.assertLess(self.received(one) + self.received(two), 1000)
        self.assertEqual(ask(one.address, b"honest"), [b"honest"])
        for each in (one, two):
            self.assert_stops_cleanly(each)


class ToAll(Hostile):
    def test_broadcast(self) -> None:
        """What was sent to everybody is answered by nobody; it is how a crowd is made to answer.

        Stock Twisted answers.
        """
        server = self.counting_echo("--listen=udp:0")
        port = server.address[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for _ in range(5):
                sock.sendto(b"all", ("127.255.255.255", port))
            sock.sendto(b"you", ("127.0.0.1", port))
            self.assertEqual(receive_all(sock), [b"you"])
        self.assertEqual(self.counted(server)["dropped"], {"broadcast": 5})


class Floods(Hostile):
    def test_noise(self) -> None:
        """Random datagrams from random sources, 20,000 of them: each is counted, none is logged."""
        server = self.counting_echo(*LOCAL, "--source-rate=100")
        rng = random.Random(8007)
        sent = 0
        with client(server.address) as pace:
            while sent < 20_000:
                for _ in range(40):
                    target: Address = rng.choice(server.addresses)
                    host = f"127.0.{rng.randrange(4)}.{rng.randrange(256)}"
                    source = ("::1" if ":" in target[0] else host, rng.randrange(65536))
                    data = rng.randbytes(int(rng.paretovariate(0.7)) % 1000)
                    self.forger.send(data, source, target)
                    sent += 1
                pace.send(b"pace")
                pace.settimeout(0.01)  # beyond its rate it gets no answer either
                try:
                    pace.recv(100)
                except TimeoutError:
                    pass
        for address in server.addresses:
            eventually(partial(self.answers, address), "honest ones are served again")
        counted = self.counted(server)
        out = counted["datagrams_out"] + sum(counted["dropped"].values())
        self.assertEqual(counted["datagrams_in"], out + sum(counted["errors"].values()))
        self.assertGreater(counted["datagrams_in"], 15_000)
        self.assertEqual(set(counted["dropped"]), {"source_port", "source_rate"})
        self.assert_quiet_log(server)

    def answers(self, address: Address) -> bool:
        """Whether there is an answer now."""
        with client(address) as sock:
            sock.send(b"honest")
            return receive_all(sock, 0.1) == [b"honest"]

    def test_empty(self) -> None:
        """Empty datagrams without end: messages in the same process are answered, and it stops.

        Row 10: stock Twisted's port counts bytes, and never leaves its loop.
        """
        words = ["--source-rate=0", "--total-rate=0", "--listen=udp:0:interface=127.0.0.1"]
        self.write_app("both", _BOTH)
        server = EchoServer([sys.executable, "both.py", LOOPBACK, words[2][9:]], self.folder)
        self.addCleanup(server.kill)
        found = server.wait_for("^listens on ([0-9]+) and ([0-9]+)$")
        message, echo = ("127.0.0.1", int(found[1])), ("127.0.0.1", int(found[2]))
        flood = self.program(sys.executable, "-c", _FLOOD, str(echo[1]))
        flood.wait_for("flooding")
        with connect(message) as sock:
            for number in range(200):
                self.assertEqual(request(sock, b"%d" % number), b"%d" % number)
        self.assertIsNone(flood.process.poll())
        server.stop()
        said = server.wait_for("^stopped after ([0-9]+) datagrams$")
        self.assertGreater(int(said[1]), 1000)
        self.assertNotIn("Traceback", server.out + server.err)


_BOTH = """
import sys
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, ensureDeferred
from netlab import DatagramLimits, MessageProtocol
from netlab.datagram import Echo, serve as serve_datagrams
from netlab.message import serve

class Back(MessageProtocol):
    def message_received(self, message):
        return message

async def main(reactor, tcp, udp):
    limits = DatagramLimits(source_rate=0, total_rate=0)
    messages = await serve(Back, tcp)
    echo = await serve_datagrams(Echo, udp, limits=limits)
    ports = [each.addresses[0].port for each in (messages, echo)]
    print("listens on", ports[0], "and", ports[1], flush=True)
    done = Deferred()

    async def stop():
        await messages.stop()
        await echo.stop()
        print("stopped after", echo.stats.datagrams_in, "datagrams", flush=True)

    reactor.addSystemEventTrigger("before", "shutdown", lambda: ensureDeferred(stop()))
    await done

task.react(main, sys.argv[1:])
"""
_FLOOD = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("127.0.0.1", int(sys.argv[1])))
    for number in range(1000):
        sock.send(b"")
    print("flooding", flush=True)
    while True:
        try:
            sock.send(b"")
        except ConnectionRefusedError:  # the server has stopped
            break
"""
