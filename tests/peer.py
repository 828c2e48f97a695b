"""A small server in a thread, to test clients with: plain sockets, no Twisted."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab.blocking import Client, connect
from netlab.errors import NetlabError
from netlab.framing import LengthPrefix

PATIENCE = 10.0  # seconds until a server of a test that hangs gives up
SHORT = 0.05  # seconds; a limit that is meant to pass

Script = Callable[[socket.socket], object]
encode = LengthPrefix().encode


def echo(peer: socket.socket) -> None:
    """What comes goes back, until the client has finished."""
    while data := peer.recv(65536):
        peer.sendall(data)


def break_off(peer: socket.socket) -> None:
    """Waits until the client sends something, and resets the connection."""
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def until_end(peer: socket.socket) -> bytes:
    """All that the client sends."""
    received = b""
    while data := peer.recv(65536):
        received += data
    return received


def listen(family: int = socket.AF_INET, address: Any = ("127.0.0.1", 0)) -> socket.socket:
    listener = socket.socket(family)
    try:
        listener.bind(address)
        listener.listen()
        listener.settimeout(PATIENCE)
    except BaseException:
        listener.close()
        raise
    return listener


class PeerCase(SynchronousTestCase):
    """Runs a small server in a thread; what it asserts fails the test too."""

    def setUp(self) -> None:
        self.servers: list[threading.Thread] = []

    def wait_for_servers(self) -> None:
        """Returns when each has served its connection."""
        for each in self.servers:
            each.join()

    def serve(
        self, script: Script, listener: socket.socket | None = None, context: Any = None
    ) -> str:
        """Has ``script`` serve one connection; returns the endpoint to connect to."""
        listening = listener or listen()
        name = listening.getsockname()
        problems: list[BaseException] = []

        def run() -> None:
            try:
                with listening:
                    peer = listening.accept()[0]
                with peer:
                    peer.settimeout(PATIENCE)
                    if context is None:
                        script(peer)
                    else:
                        with context.wrap_socket(peer, server_side=True) as encrypted:
                            script(encrypted)
            except BaseException as error:
                problems.append(error)

        thread = threading.Thread(target=run)

        def end() -> None:
            thread.join()
            if problems:
                raise problems[0]

        thread.start()
        self.servers.append(thread)
        self.addCleanup(end)
        if isinstance(name, str):
            return f"unix:{name}"
        kind = "tcp" if context is None else "tls"
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"{kind}:{host}:{name[1]}"

    def client(self, script: Script, **options: Any) -> Client:
        """A client of ``script``, cut off when the test is over."""
        client: Client = connect(self.serve(script), **options)
        self.addCleanup(client.abort)
        return client

    def fails(self, kind: type[NetlabError], call: Callable[..., object], *args: Any) -> str:
        """Calls, and returns the text of the error of exactly that kind."""
        error = self.assertRaises(kind, call, *args)
        self.assertIs(type(error), kind)
        self.assertNotIn("\n", str(error))
        return str(error)
