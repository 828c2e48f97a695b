"""An ``Api`` and the clients that others wrote: those of editors, and those that write lines.

In ``clients/`` is one program for each library. It calls the api below in all the ways
that the library knows, and prints what came of it; the same is expected of all.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system.processes import DEADLINE, SystemCase

APP = '''
from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred

from netlab.api import Api, Context, RpcError, method, subscription


class Lab(Api):
    """What clients try."""

    def __init__(self) -> None:
        self.calls: dict[str, Deferred[str]] = {}
        self.heard: list[str] = []

    @method
    def add(self, a: int, b: int) -> int:
        return a + b

    @method
    def echo(self, text: str) -> str:
        return text

    @method
    def refuse(self) -> None:
        raise RpcError(7, "no", {"why": ["a", 1]})

    @method
    async def wait(self, name: str) -> str:
        self.calls[name] = Deferred()
        try:
            return await self.calls[name]
        finally:
            del self.calls[name]

    @method
    def release(self, name: str) -> None:
        self.calls[name].callback(name)

    @method
    def waiting(self) -> list[str]:
        return list(self.calls)

    @method
    def index(self, count: int, ctx: Context) -> int:
        for number in range(count):
            ctx.progress(number)
        return count

    @method
    async def ask(self, number: int, ctx: Context) -> int:
        return await ctx.remote.call("double", number)

    @method
    def tell(self, text: str) -> None:
        self.heard.append(text)

    @method
    def told(self) -> list[str]:
        return self.heard

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        for number in range(start, 0, -1):
            yield number
'''

LANGUAGE_SERVER = '''
from typing import Any

from msgspec import Struct

from netlab.api import Api, Context, method


class Document(Struct):
    uri: str
    text: str = ""


class Position(Struct):
    line: int
    character: int


class Lab(Api):
    """A language server: hovering over a line tells how long it is."""

    @method
    def initialize(
        self,
        capabilities: dict[str, Any],
        processId: int | None = None,
        clientInfo: Any = None,
        rootUri: str | None = None,
        rootPath: str | None = None,
        locale: str | None = None,
        initializationOptions: Any = None,
        trace: str | None = None,
        workspaceFolders: list[Any] | None = None,
    ) -> dict[str, Any]:
        return {"capabilities": {"hoverProvider": True, "textDocumentSync": 1}}

    @method
    def initialized(self) -> None:
        pass

    @method(name="textDocument/didOpen")
    def opened(self, textDocument: Document, ctx: Context) -> None:
        ctx.state[textDocument.uri] = textDocument.text.splitlines()

    @method(name="textDocument/hover")
    def hover(self, textDocument: Document, position: Position, ctx: Context) -> dict[str, Any]:
        line = ctx.state[textDocument.uri][position.line]
        return {"contents": {"kind": "plaintext", "value": f"{len(line)} characters"}}

    @method
    def shutdown(self) -> None:
        pass

    @method
    def exit(self) -> None:
        pass
'''

EXPECTED = {
    "by position": 3,
    "by name": 3,
    "number as id": 3,
    "text": "Grüße 😀",
    "refused": [7, "no", {"why": ["a", 1]}],
    "unknown": -32601,
    "invalid": [-32602, "b"],
    "batch": [3, -32601],
    "overtaken": ["add", "one"],
    "cancelled": -32800,
    "still waiting": [],
    "progress": [["t", 0], ["t", 1]],
    "items": [3, 2, 1],
    "asked": 42,
    "told": ["hello"],
}
CLIENTS = Path(__file__).with_name("clients")
ABSENT = "Node does not find {}: npm install it, and set NODE_PATH"


def node_has(package: str) -> bool:
    """Whether there is Node, and it finds ``package``."""
    node = shutil.which("node")
    if node is None:
        return False
    seeking = [node, "-e", f"require.resolve({package!r})"]
    ended = subprocess.run(seeking, cwd=CLIENTS, capture_output=True, timeout=DEADLINE, check=False)
    return ended.returncode == 0


class InteropTests(SystemCase):
    def converse(self, framing: str, *command: str, app: str = APP) -> dict[str, Any]:
        """What a client says came of its calls."""
        self.write_app("lab", app)
        server = self.serve("--app=lab:Lab", f"--framing={framing}")
        program, name = command
        client = self.run_program(program, str(CLIENTS / name), str(server.port))
        self.assertEqual((client.status, client.err), (0, ""), str(client))
        self.assert_stops_cleanly(server)
        seen: dict[str, Any] = json.loads(client.out)
        return seen

    def assert_as_expected(self, seen: dict[str, Any], *but: str, **others: Any) -> None:
        """All of it, ``but`` what this client cannot do; ``others`` it does in its own way."""
        expected = {key: value for key, value in EXPECTED.items() if key not in but}
        self.assertEqual(seen, expected | others)

    def test_pygls(self) -> None:
        """The client of Python's most used library of language servers."""
        seen = self.converse("content-length", sys.executable, "pygls_client.py")
        self.assert_as_expected(seen, "batch")

    def test_editor(self) -> None:
        """An editor and its language server, from ``initialize`` to ``exit``."""
        command = (sys.executable, "editor.py")
        seen = self.converse("content-length", *command, app=LANGUAGE_SERVER)
        wanted = {"hovers": True, "hover": "10 characters", "definition": -32601}
        self.assertEqual(seen, wanted)

    def test_vscode(self) -> None:
        """The client of VS Code."""
        if not node_has("vscode-jsonrpc/node"):
            self.skipTest(ABSENT.format("vscode-jsonrpc"))
        seen = self.converse("content-length", "node", "vscode_client.js")
        self.assert_as_expected(seen, "batch", "number as id")

    def test_aiorpcx(self) -> None:
        """Lines: the library of Electrum and its servers."""
        seen = self.converse("line", sys.executable, "aiorpcx_client.py")
        unknown = ("cancelled", "still waiting", "progress", "invalid", "number as id")
        self.assert_as_expected(seen, *unknown, refused=[7, "no"])  # it knows no data

    def test_jayson(self) -> None:
        """Lines, and a connection for each call."""
        if not node_has("jayson/promise"):
            self.skipTest(ABSENT.format("jayson"))
        seen = self.converse("line", "node", "jayson_client.js")
        kept = ("by position", "by name", "text", "refused", "unknown", "batch", "told")
        self.assert_as_expected(seen, *(EXPECTED.keys() - set(kept)))
