"""``twistd netlab message --app MODULE:CLASS`` with an ``Api``: other programs call it."""

from __future__ import annotations

import json
import signal
import socket
import textwrap
from pathlib import Path

from tests.system.peers import connect, frame, receive_frame
from tests.system.processes import Server, SystemCase

APP = '''
from collections.abc import AsyncIterator

from twisted.internet import defer

from netlab.api import Api, method, subscription


class Calculator(Api):
    """Arithmetic."""

    @method
    def add(self, a: int, b: int) -> int:
        return a + b

    @method
    def divide(self, a: int, b: int) -> float:
        return a / b

    @method
    async def wait(self) -> int:
        await defer.Deferred()
        return 1

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for each in range(start, 0, -1):
            yield each
'''


class Served(SystemCase):
    def serve_api(self, *options: str) -> Server:
        self.write_app("calculator", textwrap.dedent(APP))
        return self.serve("--app=calculator:Calculator", *options)

    def say(self, server: Server, data: bytes) -> bytes:
        """Sends ``data`` and the end; returns all that comes back."""
        with socket.create_connection(server.address, timeout=30) as peer:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            while more := peer.recv(65536):
                answer += more
        return answer

    def test_line(self) -> None:
        """Lines of JSON, typed by hand."""
        server = self.serve_api("--framing=line")
        calls = (
            b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}\n'
            b'{"jsonrpc":"2.0","id":2,"method":"countdown","params":{"start":2}}\n'
        )
        lines = [json.loads(each) for each in self.say(server, calls).splitlines()]
        self.assertEqual(lines[0], {"jsonrpc": "2.0", "id": 1, "result": 3})
        self.assertEqual([each.get("method") for each in lines[1:]], [
            None, "$/item", "$/item", "$/end"
        ])  # fmt: skip
        self.assert_stops_cleanly(server)

    def test_content_length(self) -> None:
        """The framing of the Language Server Protocol."""
        server = self.serve_api("--framing=content-length")
        call = b'{"jsonrpc":"2.0","id":"a","method":"add","params":{"a":1,"b":2}}'
        answer = self.say(server, b"Content-Length: %d\r\n\r\n%b" % (len(call), call))
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertEqual(head, b"Content-Length: %d" % len(body))
        self.assertEqual(json.loads(body)["result"], 3)
        self.assert_stops_cleanly(server)

    def test_incident(self) -> None:
        """What the peer is told of an error names the entry in the log, and nothing more."""
        server = self.serve_api()
        call = b'{"jsonrpc":"2.0","id":1,"method":"divide","params":[1,0]}'
        error = json.loads(self.say(server, frame(call))[4:])["error"]
        self.assertEqual(error["code"], -32603)
        self.assertNotIn("ZeroDivision", json.dumps(error))
        server.wait_for(f"incident {error['data']['incident']}: Calculator.divide")
        server.wait_for("ZeroDivisionError")
        server.stop()

    def test_stops_while_a_method_waits(self) -> None:
        """The grace runs out, and the method with it."""
        server = self.serve_api("--grace=1")
        with connect(server.address) as peer:
            peer.sendall(frame(b'{"jsonrpc":"2.0","id":1,"method":"wait"}'))
            peer.sendall(frame(b'{"jsonrpc":"2.0","id":2,"method":"add","params":[1,2]}'))
            self.assertIn(b'"result":3', receive_frame(peer))
            self.assert_stops_cleanly(server, signal.SIGTERM)

    def test_wrong(self) -> None:
        """A class that cannot work is refused at the start, in one line."""
        lines = ("from netlab.api import Api, method", "class Bad(Api):", "  @method")
        self.write_app("bad", "\n".join([*lines, "  def add(self, a) -> int: ..."]))
        (ended,) = self.run_twistd([["-n", "netlab", "message", "--app=bad:Bad"]])
        self.assertEqual(ended.status, 1)
        self.assertIn("argument 'a' has no annotation", ended.err + ended.out)
        self.assertFalse((Path(self.folder) / "twistd.pid").exists())
