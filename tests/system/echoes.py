"""``twistd -n netlab echo`` for tests, and clients of it on blocking sockets."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.processes import DEADLINE, TWISTD, Program, SystemCase

Address = tuple[str, int]
HERE = "udp:0:interface=127.0.0.1"
_LOGGED = re.compile(r"echo listens on \[?([0-9a-f:.]+?)\]?:([0-9]+)$", re.MULTILINE)
_COUNTED = """
import json
from netlab.datagram import Echo

class Counted(Echo):
    def stopped(self):
        with open("counted", "w") as file:
            json.dump(self.stats.as_dict(), file)
"""


class EchoServer(Program):
    """A running ``twistd -n netlab echo``."""

    def wait_until_up(self) -> None:
        """Waits for the whole table of listeners, which comes when signals are heard."""
        self.wait_for("^service +listens on")
        count = len(_LOGGED.findall(self.out))
        self.wait_for(rf"^service .*\n(echo .*\n){{{count}}}")

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, in order."""
        return [(host, int(port)) for host, port in _LOGGED.findall(self.out)]

    @property
    def address(self) -> Address:
        """Where its first listener is."""
        return self.addresses[0]


class EchoCase(SystemCase):
    """A case with echo servers."""

    def start_echo(self, *options: str) -> EchoServer:
        """Starts one on a free port, or where ``options`` say. It is not up yet."""
        words = [TWISTD, "-n", "--pidfile=", "netlab", "echo"]
        if not any(each.startswith("--listen") for each in options):
            words += ["--listen", HERE]
        started = EchoServer([*words, *options], self.folder)
        self.addCleanup(started.kill)
        return started

    def echo(self, *options: str) -> EchoServer:
        """One that is up."""
        server = self.start_echo(*options)
        server.wait_until_up()
        return server

    def counting_echo(self, *options: str) -> EchoServer:
        """One that writes what it has counted when it stops: see ``counted``."""
        self.write_app("counted", _COUNTED)
        return self.echo("--app=counted:Counted", *options)

    def counted(self, server: EchoServer) -> dict[str, Any]:
        """Stops ``server``, cleanly; what it has counted."""
        self.assert_stops_cleanly(server)
        counters: dict[str, Any] = json.loads(Path(self.folder, "counted").read_text())
        return counters


@contextmanager
def client(address: Address, port: int = 0) -> Iterator[socket.socket]:
    """A socket that is connected to ``address``; it waits for ``DEADLINE`` at most."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        if port:
            sock.bind(("", port))
        sock.connect(address)
        yield sock


def ask(address: Address, *data: bytes) -> list[bytes]:
    """Sends each and waits for the answer."""
    with client(address) as sock:
        answers = []
        for each in data:
            sock.send(each)
            answers.append(sock.recv(65536))
        return answers


def receive_all(sock: socket.socket, seconds: float = 0.3) -> list[bytes]:
    """All datagrams, until nothing has come for so long."""
    sock.settimeout(seconds)
    received = []
    try:
        while True:
            received.append(sock.recv(65536))
    except TimeoutError:
        return received
