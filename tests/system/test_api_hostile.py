# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Hostile callers of an api, in real processes: they cost nobody else anything."""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.system.peers import connect, ends, frame, receive_frame
from tests.system.processes import Server, SystemCase, eventually

MEMORY = 50 * 1024
"""KiB by which a server may grow."""

_POLICIES = '''
from collections.abc import AsyncIterator

from twisted.internet import reactor, task

from netlab.api import Api, method, subscription


class Source(Api):
    """Has a thousand items of a thousand bytes in each hundredth of a second."""

    def __init__(self) -> None:
        self.made = {"block": 0, "drop": 0, "close": 0}

    async def _items(self, name: str) -> AsyncIterator[str]:
        while True:
            for _ in range(1000):
                self.made[name] += 1
                yield "x" * 1000
            await task.deferLater(reactor, 0.01)

    @subscription
    def block(self) -> AsyncIterator[str]:
        return self._items("block")

    @subscription(when_slow="drop")
    def drop(self) -> AsyncIterator[str]:
        return self._items("drop")

    @subscription(when_slow="close")
    def close(self) -> AsyncIterator[str]:
        return self._items("close")

    @method
    def count(self, name: str) -> int:
        return self.made[name]
'''


def request(id: Any, method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def told(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def encoded(*messages: Any) -> bytes:
    """Each as a frame: what is bytes already, as it is."""
    texts = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages)
    return b"".join(map(frame, texts))


def call(sock: socket.socket, method: str, *params: Any) -> Any:
    """The result; of a connection on which nothing else comes."""
    sock.sendall(encoded(request(1, method, *params)))
    return json.loads(receive_frame(sock))["result"]


def nonsense(rng: random.Random) -> Iterator[bytes]:
    """Messages that once were good, for whoever is in the room ``lab``."""
    good = [
        *(request(1, "messages", "lab"), request(2, "publish", "lab", "x"), [request(3, "join")]),
        *(told("$/credit", items=1), told("$/credit", subscription=1, items=1)),
        *(told("$/unsubscribe", subscription=1), told("$/cancelRequest", id=1)),
        *(told("$/item", subscription=1, value=1), told("$/end", subscription=1)),
        *(told("$/progress", token=1, value=1), {"jsonrpc": "2.0", "id": 1, "result": 1}),
    ]
    bad = (b"[" * 2000, b'{"a":', b"9" * 5000, b"1e999", b"\xff", b'"\\ud800"', b"null", b"-1", b"")
    while True:
        text = bytearray(json.dumps(rng.choice(good)).encode())
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(text))
            text[at : at + rng.randrange(4)] = rng.choice(bad)
        yield bytes(text)


class HostileCallers(SystemCase):
    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SkipTest("looks at processes through /proc")
        super().setUp()

    def connection(self, server: Server, receive_buffer: int | None = None) -> socket.socket:
        """A connection that is closed at the end of the test."""
        sock = connect(server.address, receive_buffer)
        self.addCleanup(sock.close)
        return sock

    def flood(self, server: Server, *messages: Any) -> None:
        """Sends them on one connection, in a room, whose answers are read; then ends it."""
        with connect(server.address) as sock:
            reading = threading.Thread(target=ends, args=(sock,))
            reading.start()
            sock.sendall(encoded(request("joined", "join", "lab", "Mallory"), *messages))
            sock.shutdown(socket.SHUT_WR)
            reading.join()

    def test_rooms(self) -> None:
        server = self.serve("--app=rooms")
        honest = self.connection(server)
        self.assertEqual(call(honest, "join", "home", "Ada"), 0)
        before = server.resident_kib()
        rng = random.Random(7)
        wild = nonsense(rng)
        subscribe = request(1, "messages", "lab")
        no = {"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "no\n\x1b[2J"}}
        for messages in (
            [next(wild) for _ in range(5000)],
            [rng.randbytes(rng.randrange(100)) for _ in range(5000)],
            [request(each, "messages", "lab") for each in range(5000)],
            [[subscribe] * 100] * 50,
            [subscribe, told("$/unsubscribe", subscription=1)] * 2000,
            [told("$/cancelRequest", id=each) for each in range(10_000)],
            [told("$/credit", items=each) for each in (-1, 1 << 31, 1 << 64, 10**400, 0.5, "x")],
            [{"jsonrpc": "2.0", "id": each, "result": 1} for each in range(5000)],
            [no] * 5000,
            [told("publish", room="lab", text="x" * 1000)] * 5000,
            [[request(each, "history", "lab") for each in range(100)]] * 20,
        ):
            self.flood(server, *messages)
            self.assertEqual(call(honest, "members", "home"), ["Ada"])
        for number in range(200):  # gone in the middle of a batch, with a reset
            sock = connect(server.address)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            joining = [request(each, "join", f"room {number}", "Eve") for each in range(100)]
            sock.sendall(encoded(subscribe, joining)[:-5])
            sock.close()
        self.assertEqual(call(honest, "publish", "home", "still here"), 1)
        self.assertLess(server.resident_kib() - before, MEMORY)
        honest.close()
        self.assert_stops_cleanly(server)
        self.assertLess(len(server.out), 5000)

    def test_slow_subscribers(self) -> None:
        """Whatever the policy, what they do not read is not kept."""
        self.write_app("source", _POLICIES)
        server = self.serve("--app=source:Source")
        asking = self.connection(server)
        before = server.resident_kib()
        slow = {name: self.connection(server, 4096) for name in ("block", "drop", "close")}
        for name, sock in slow.items():
            sock.sendall(encoded(request(1, name)))
        last = -1

        def stands() -> bool:
            nonlocal last
            previous, last = last, int(call(asking, "count", "block"))
            return 0 < last == previous and int(call(asking, "count", "drop")) > 3 * last

        eventually(stands, "one has stopped, the other goes on")
        self.assertLess(server.resident_kib() - before, MEMORY)
        missed = 0
        while not missed:
            missed = json.loads(receive_frame(slow["drop"])).get("params", {}).get("dropped", 0)
        while b"$/end" not in (end := receive_frame(slow["close"])):
            pass
        self.assertEqual(json.loads(end)["params"]["error"]["code"], -32012)
        for _ in range(2 * last):
            receive_frame(slow["block"])
        self.assertGreater(call(asking, "count", "block"), last)
        for sock in (asking, *slow.values()):
            sock.close()
        self.assert_stops_cleanly(server)
