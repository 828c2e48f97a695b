"""The examples on UDP, as real programs against a real ``twistd``, and in parts."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import random
import runpy
import shlex
import socket
import sys
import threading
from typing import Any

from twisted.trial.unittest import TestCase

from netlab.blocking import DatagramClient
from netlab.impair import Link, parse

from .processes import (
    EXAMPLES,
    Background,
    free_udp_port,
    make_folder,
    run,
    serve_datagrams,
)


def load(name: str) -> dict[str, Any]:
    """What an example defines."""
    return runpy.run_path(str(EXAMPLES / name))


class DatagramExampleCase(TestCase):
    """A test that starts examples."""

    def serve(self, *options: str) -> None:
        self.port = free_udp_port()
        server = serve_datagrams(self.port, *options)
        self.addCleanup(server.stop)

    def start(self, name: str, *arguments: str) -> Background:
        started = Background(shlex.join(["python", name, *arguments]), EXAMPLES)
        self.addCleanup(started.stop)
        return started

    def lines(self, name: str, *arguments: str, status: int = 0) -> list[str]:
        """What it prints until it ends, with this status."""
        started = self.start(name, *arguments)
        self.assertEqual(started.wait(), status, started.said)
        return started.said.splitlines()

    def peer(self) -> socket.socket:
        """A server in the test's own hands."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(30)
        sock.bind(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        return sock

    def assert_one_line(self, name: str, *arguments: str) -> str:
        """It ends with status 1, and with one line that begins with its name; returns that."""
        (line,) = self.lines(name, *arguments, status=1)
        self.assertTrue(line.startswith(name.removesuffix(".py") + ": "), line)
        return line


class LossyCountTests(DatagramExampleCase):
    """lossy_count.py. What it prints of losses is shown in datagrams.md."""

    def test_nothing_happens(self) -> None:
        self.serve()
        self.assertEqual(
            self.lines("lossy_count.py", "127.0.0.1", str(self.port)),
            ["100 sent, 100 came back, 0 lost"],
        )

    def test_odd_server(self) -> None:
        """Twice, in another order, and what was never sent."""
        sock = self.peer()
        started = self.start("lossy_count.py", "127.0.0.1", str(self.port))
        received = [sock.recvfrom(100) for _ in range(100)]
        client = received[0][1]
        for reply in (b"5", b"3", b"5", b"100", b"-1", b"\xb2", b"", b"x" * 1000):
            sock.sendto(reply, client)
        self.assertEqual(started.wait(), 0, started.said)
        first, lost, *rest = started.said.splitlines()
        self.assertEqual(first, "100 sent, 2 came back, 98 lost")
        self.assertTrue(lost.startswith("lost: 0 1 2 4 6 7 "), lost)
        self.assertEqual(
            rest, ["more than once: 5", "the order is not that in which they were sent"]
        )

    def test_wrong(self) -> None:
        port = str(free_udp_port())
        self.assertIn("refused", self.assert_one_line("lossy_count.py", "127.0.0.1", port))
        self.assert_one_line("lossy_count.py", "127.0.0.1", "echo?")


class StopAndWaitTests(DatagramExampleCase):
    """stop_and_wait.py."""

    terrible = "loss 20% delay 5ms 5ms corrupt 15% duplicate 20% reorder 20%"

    def test_files(self) -> None:
        """Files of any length arrive as they are, over a network that does everything."""
        self.serve("--impair", f"in {self.terrible} out {self.terrible}", "--seed", "3")
        folder = make_folder(self)
        script = shlex.quote(str(EXAMPLES / "stop_and_wait.py"))
        for length in (0, 1, 1000, 5001):
            content = random.Random(length).randbytes(length)
            (folder / "file").write_bytes(content)
            status, said = run(f"python {script} 127.0.0.1 {self.port} file arrived", folder)
            self.assertEqual(status, 0, said)
            self.assertEqual((folder / "arrived").read_bytes(), content)
            packets = len(range(0, length, 1000)) + 1
            self.assertIn(f"{length} bytes have arrived, in {packets} packets\n", said)

    def test_any_seed(self) -> None:
        """The two ends alone, with hundreds of networks between them."""
        names = load("stop_and_wait.py")
        content = random.Random(1).randbytes(2500)
        impairment = parse("loss 30% corrupt 20% duplicate 30% delay 10ms 10ms reorder 20%")
        assert impairment.outward is not None
        for seed in range(200):
            link = Link(impairment.outward, seed=seed, direction="out")
            sender, receiver = names["Sender"](content), names["Receiver"]()
            now = 0.0
            while not sender.is_done:
                link.offer(now, ("192.0.2.1", 1), sender.packet())
                now += 0.005
                for datagram, _ in link.take(now):
                    packet = names["unpack"](datagram)
                    if packet is None:
                        continue
                    kind, number, piece = packet
                    if kind == names["ACK"]:
                        sender.acknowledged(number)
                    else:
                        answer = receiver.received(number, piece)
                        if answer is not None:
                            link.offer(now, ("192.0.2.1", 1), answer)
            self.assertTrue(receiver.is_done)
            self.assertEqual(receiver.content, content)

    def test_not_ours(self) -> None:
        """Whatever comes, it is a packet or ``None``."""
        unpack = load("stop_and_wait.py")["unpack"]
        chance = random.Random(2)
        for length in (*range(30), 65507):
            self.assertIsNone(unpack(chance.randbytes(length)))

    def test_ahead(self) -> None:
        """The receiver acknowledges no packet while the one before it is missing."""
        receiver = load("stop_and_wait.py")["Receiver"]()
        self.assertIsNone(receiver.received(1, b"two"))
        self.assertEqual(receiver.content, b"")

    def test_in_vain(self) -> None:
        """It gives up on a network that carries nothing."""
        names = load("stop_and_wait.py")
        deliver = names["deliver"]
        deliver.__globals__.update(TIMEOUT=0.001, MOST_TRIES=3)
        self.peer()  # it reads nothing
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.port))
            error = self.assertRaises(
                TimeoutError, deliver, sock, names["Sender"](b"hello"), names["Receiver"]()
            )
        self.assertEqual(str(error), "packet 0 was sent 3 times in vain")

    def test_wrong(self) -> None:
        file = str(EXAMPLES / "shout.py")
        nowhere = str(make_folder(self) / "arrived")
        port = str(free_udp_port())
        for arguments in (
            ("127.0.0.1", port, file, nowhere),
            ("127.0.0.1", "echo?", file, nowhere),
            ("127.0.0.1", port, nowhere, nowhere),
        ):
            self.assert_one_line("stop_and_wait.py", *arguments)


class NamesTests(DatagramExampleCase):
    """names.py and names_async.py. What they print is shown in datagram_apps.md."""

    def test_questions(self) -> None:
        names = load("names.py")
        answer = names["Names"]().datagram_received
        peer = ("192.0.2.99", 40000)
        for name, words in (("ada", "192.0.2.1"), ("nobody", "unknown"), ("", "unknown")):
            asked = names["question"](name)
            reply = answer(asked, peer)
            self.assertTrue(names["is_answer"](asked, reply))
            self.assertEqual(names["address"](reply), words)
            self.assertFalse(names["is_answer"](names["question"](name), reply))
        self.assertEqual(answer(b"1234ada", peer), b"1234S")
        self.assertIsNone(answer(b"1234", peer))
        self.assertIsNone(answer(b"", peer))
        self.assertEqual(answer(b"1234".ljust(64, b"\xff"), peer), b"1234U")

    def test_longer_question(self) -> None:
        """More zeros than needed do no harm."""
        answer = load("names.py")["Names"]().datagram_received
        self.assertEqual(answer(b"1234ada".ljust(1200, b"\0"), ("192.0.2.9", 9)), b"1234A192.0.2.1")

    def test_served(self) -> None:
        """By a real server, to a client that knows nothing of names.py."""
        self.serve("--app", "names:Names")
        with DatagramClient(f"127.0.0.1:{self.port}") as client:
            self.assertEqual(client.request(b"1234grace".ljust(64, b"\0")), b"1234A192.0.2.7")
            self.assertEqual(client.request(b"1234grace"), b"1234S")

    def test_false_answers(self) -> None:
        """Answers to other questions are ignored; one that says nothing known is told so."""
        sock = self.peer()

        def answer() -> None:
            data, client = sock.recvfrom(100)
            for reply in (b"", b"1234A192.0.2.66", data[:4], data[:4] + b"\xff\x1b[2J"):
                sock.sendto(reply, client)

        thread = threading.Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join)
        self.assertEqual(
            self.lines("names.py", f"127.0.0.1:{self.port}", "ada"),
            ["ada: the server does not understand the question"],
        )

    def test_wrong(self) -> None:
        where = f"127.0.0.1:{free_udp_port()}"
        self.assertIn("nothing listens", self.assert_one_line("names.py", where, "ada"))
        self.assertIn("60 bytes", self.assert_one_line("names.py", where, "x" * 61))
        self.assert_one_line("names.py", "127.0.0.1", "ada")
        self.assert_one_line("names_async.py", "127.0.0.1", "ada")
        (line, other) = self.lines("names_async.py", where, "ada", "x" * 61)
        self.assertTrue(line.startswith("ada: cannot reach "), line)
        self.assertIn("60 bytes", other)


class ImportTests(TestCase):
    """What the two that are for teaching sockets are made of."""

    def test_standard_library_only(self) -> None:
        for name in ("lossy_count.py", "stop_and_wait.py"):
            code = (EXAMPLES / name).read_text()
            modules = {
                line.split()[1]
                for line in code.splitlines()
                if line.startswith(("import ", "from "))
            }
            self.assertLessEqual(modules, set(sys.stdlib_module_names), name)
