"""Each example runs as a real program, against a real ``twistd``."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import runpy
import shlex
import shutil
import socket
import struct
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import TestCase

from netlab.blocking import Client, connect

from .processes import DEADLINE, EXAMPLES, Background, free_port, make_folder, run, serve

READING = struct.Struct("!HIh")
BY_HAND = ("client_socket.py", "client.js", "calculator_client.js")
"""Clients that do the framing themselves, and are told a host and a port."""


class ExampleCase(TestCase):
    """A test that starts examples."""

    def serve(self, app: str) -> Background:
        self.port = free_port()
        server = serve(app, self.port)
        self.addCleanup(server.stop)
        return server

    def connect(self) -> Client:
        client = connect(f"tcp:127.0.0.1:{self.port}", timeout=DEADLINE)
        self.addCleanup(client.close)
        return client

    def start(self, name: str, *arguments: str, folder: Path = EXAMPLES) -> Background:
        program = "node" if name.endswith(".js") else "python"
        started = Background(shlex.join([program, name, *arguments]), folder)
        self.addCleanup(started.stop)
        return started

    def clients(self) -> list[str]:
        """Those of the clients that can run here."""
        found = sorted(each.name for each in EXAMPLES.glob("client*"))
        self.assertEqual(len(found), 5)
        return [each for each in found if each.endswith(".py") or shutil.which("node")]

    def start_client(self, name: str, port: int, *messages: str) -> Background:
        address = ["127.0.0.1", str(port)] if name in BY_HAND else [f"tcp:127.0.0.1:{port}"]
        return self.start(name, *address, *messages)

    def assert_one_line(self, name: str, started: Background) -> None:
        """It has ended with status 1, and with one line that begins with its name."""
        self.assertEqual(started.wait(), 1, started.said)
        self.assertEqual(started.said.count("\n"), 1, started.said)
        self.assertTrue(started.said.startswith(name.removesuffix(".py") + ": "), started.said)

    def assert_rejected(self, names: list[str], answer: bytes) -> None:
        """Each says what is wrong with ``answer``, after which the server closes."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            running = {name: self.start_client(name, port, "hello") for name in names}
            for _ in running:
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(answer)
                    peer.recv(9, socket.MSG_WAITALL)
            for name, started in running.items():
                self.assert_one_line(name, started)


class ClientTests(ExampleCase):
    """shout.py and the clients."""

    def test_talk(self) -> None:
        """The answers are printed, long ones too, and nothing ends badly."""
        server = self.serve("shout:Shout")
        long = "x" * 100_000
        names = self.clients()
        running = [self.start_client(each, self.port, "hi", "wörld", long, "bye") for each in names]
        for each in running:
            status = each.wait()
            self.assertEqual(each.said.split("\n"), ["HI", "WöRLD", long.upper(), "BYE", ""])
            self.assertEqual(status, 0)
        self.assertNotIn("connection from", server.said)

    def test_node(self) -> None:
        """Says so when the clients are tested without JavaScript."""
        if "client.js" not in self.clients():
            raise SkipTest("node is not here")

    def test_no_server(self) -> None:
        port = free_port()
        running = {name: self.start_client(name, port, "hello") for name in self.clients()}
        for name, started in running.items():
            self.assert_one_line(name, started)

    def test_server_closes(self) -> None:
        """The connection ends in the middle of the answer."""
        self.assert_rejected(self.clients(), b"\0\0\0\5hel")

    def test_wrong_framing(self) -> None:
        """The server sends text; nobody waits for what its first bytes announce."""
        self.assert_rejected(
            [each for each in self.clients() if each in BY_HAND], b"220 example.org ready\r\n"
        )


class ThermometerTests(ExampleCase):
    """thermometer.py."""

    def test_readings(self) -> None:
        """The bytes are those of the docstring; a wrong reading harms nobody."""
        self.serve("thermometer:Station")
        client = self.connect()
        self.assertEqual(
            client.request(bytes.fromhex("0008 65920080 0866")),
            bytes.fromhex("00 00000001 0866"),
        )
        for wrong in (b"", b"\0" * 7, b"\0" * 9, READING.pack(8, 1704067200, -27316)):
            self.assertEqual(client.request(wrong)[0], 1)
        self.assertIn(b"clock", client.request(READING.pack(8, 1, 2000)))
        # Another connection and the same sensor: the state is shared.
        self.assertEqual(
            self.connect().request(READING.pack(8, 1704067200, 2000)),
            struct.pack("!BIh", 0, 2, 2075),
        )
        self.assertEqual(
            client.request(READING.pack(9, 1, -27315)), struct.pack("!BIh", 0, 1, -27315)
        )
        where = f"tcp:127.0.0.1:{self.port}"
        # What it prints is shown in README.md, which is tested with the documents.
        self.assert_one_line("thermometer.py", self.start("thermometer.py", where, "7", "warm"))


class CalculatorClientTests(ExampleCase):
    """calculator_client.js; README.md, which is tested with the documents, shows the rest."""

    name = "calculator_client.js"

    def setUp(self) -> None:
        if not shutil.which("node"):
            raise SkipTest("node is not here")

    def test_talk(self) -> None:
        self.serve("calculator:Calculator")
        started = self.start_client(self.name, self.port)
        self.assertEqual(started.wait(), 0, started.said)
        said = ["3", "[0,2,4,6,8]", "there is no quotient by zero (1)", "3", "2", "1"]
        self.assertEqual(started.said.splitlines(), said)

    def test_wrong(self) -> None:
        """One line says what is wrong, whatever it is."""
        self.assert_one_line(self.name, self.start(self.name))
        self.assert_one_line(self.name, self.start_client(self.name, free_port()))
        no_call = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}'
        for answer in (
            b"\0\0\0\5{",
            b"220 example.org ready\r\n",
            b"\0\0\0\2{]",
            struct.pack("!I", len(no_call)) + no_call,
        ):
            self.assert_rejected([self.name], answer)


class ChatTests(ExampleCase):
    """chat.py and chat_client.py."""

    def join(self, name: str) -> Client:
        client = self.connect()
        self.assertEqual(client.receive(), b"* your name?")
        client.send(name.encode())
        while client.receive() != f"* {name} is here".encode():
            pass
        return client

    def test_talk(self) -> None:
        self.serve("chat:Room")
        ada = self.join("Ada")
        bob = self.join("Bob")
        self.assertEqual(ada.receive(), b"* Bob is here")
        bob.send("grüße\x1b[2J".encode())
        for each in (ada, bob):
            self.assertEqual(each.receive(), "Bob: grüße[2J".encode())
        bob.close()
        self.assertEqual(ada.receive(), b"* Bob has left")
        self.assertEqual(ada.request(b"x" * 5000), b"* too long, nobody heard it")
        eve = self.connect()
        eve.receive()
        for name in (b"", b"Ada", b"x" * 33, b"\x1b\n"):
            self.assertTrue(eve.request(name).startswith(b"* that name is taken"))
        self.assertEqual(eve.request(b"Eve"), b"* Eve is here")

    def test_slow_member(self) -> None:
        """Who never reads delays nobody, and is cut off."""
        self.serve("chat:Room")
        slow = socket.socket()
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", self.port))
        slow.sendall(b"\0\0\0\3Zoe")
        ada = self.join("Ada")
        text = b"x" * 4000
        # The kernel takes a few megabytes for the slow one, netlab a few more kilobytes.
        for _ in range(4000):
            ada.send(text)
            while (heard := ada.receive()) != b"Ada: " + text:
                if heard == b"* Zoe has left":
                    return
        self.fail("16 MB wait for a member who reads nothing")

    def test_client(self) -> None:
        """chat_client.py sends what is typed and prints what is said."""
        self.serve("chat:Room")
        ada = self.join("Ada")
        folder = make_folder(self)
        run("mkfifo keyboard", folder)
        script = shlex.quote(str(EXAMPLES / "chat_client.py"))
        where = f"tcp:127.0.0.1:{self.port}"
        bob = Background(f"sh -c 'python {script} {where} Bob < keyboard'", folder)
        self.addCleanup(bob.stop)
        with (folder / "keyboard").open("w") as keyboard:
            self.assertEqual(ada.receive(), b"* Bob is here")
            ada.send(b"hello Bob")
            self.assertEqual(ada.receive(), b"Ada: hello Bob")
            bob.wait_for("Ada: hello Bob\n")
            print("hi Ada", file=keyboard, flush=True)
            self.assertEqual(ada.receive(), b"Bob: hi Ada")
            bob.wait_for("Bob: hi Ada\n")
        self.assertEqual(ada.receive(), b"* Bob has left")
        self.assertEqual(bob.wait(), 0, bob.said)
        self.assertEqual(
            bob.said.splitlines(),
            ["* your name?", "* Bob is here", "Ada: hello Bob", "Bob: hi Ada"],
        )


class AllTests(TestCase):
    """What holds for all of them."""

    def test_in_the_list(self) -> None:
        """README.md tells of each."""
        text = (EXAMPLES / "README.md").read_text()
        for each in EXAMPLES.iterdir():
            if each.suffix in (".py", ".js"):
                self.assertIn(f"({each.name})", text)

    def test_import(self) -> None:
        """Importing one starts nothing."""
        self.patch(sys, "path", [str(EXAMPLES), *sys.path])  # they may import each other
        for each in sorted(EXAMPLES.glob("*.py")):
            self.assertTrue(runpy.run_path(str(each))["__doc__"])

    def test_usage(self) -> None:
        """A program that is started without arguments says which ones it takes."""
        self.patch(sys, "path", [str(EXAMPLES), *sys.path])
        for each in sorted(EXAMPLES.glob("*.py")):
            if "__main__" in each.read_text():
                self.patch(sys, "argv", [each.name])
                error = self.assertRaises(
                    SystemExit, runpy.run_path, str(each), run_name="__main__"
                )
                self.assertIn(f"usage: python {each.name} ", str(error))
