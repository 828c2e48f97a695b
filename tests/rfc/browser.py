"""A headless Chromium, if there is one, that is shown pages from memory.

Spoken to over two pipes (``--remote-debugging-pipe``): messages in JSON, each with a NUL
at its end. Each request of a page is answered here, so that none leaves the machine.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

NAMES = ("chromium", "chromium-browser", "chrome-headless-shell", "google-chrome", "chrome")
HOST = "http://rfcs.test"

Answer = tuple[int, dict[str, str], bytes]
"""A response: its status, fields and content."""

_PATIENCE = 30.0  # seconds, for any answer


def find_browser() -> str | None:
    """The path of a Chromium, ``None`` if none is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running browser with one empty page; ``answer`` is asked for each path.

    ``requested`` are the URLs that were asked for, ``complaints`` what the browser says
    that is wrong: a policy that is not kept, a file that is not there.
    """

    def __init__(self, program: str, answer: Callable[[str], Answer]) -> None:
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self._answer = answer
        self._events: deque[dict[str, Any]] = deque()
        self._received = b""
        self._count = 0
        self._session: str | None = None
        self._folder = tempfile.mkdtemp()
        self._start(program)
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for each in ("Page", "Log", "Fetch"):
                self.call(f"{each}.enable")
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        except BaseException:
            self.close()
            raise

    def _start(self, program: str) -> None:
        theirs_in, self._in = os.pipe()
        self._out, theirs_out = os.pipe()
        # Out of the way of 3 and 4, which they become.
        high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (theirs_in, theirs_out)]
        for each in (theirs_in, theirs_out):
            os.close(each)
        arguments = (
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={self._folder}"),
        )
        self._pid = os.posix_spawn(
            program,
            [program, *arguments],
            os.environ,
            file_actions=[
                *[(os.POSIX_SPAWN_OPEN, each, os.devnull, os.O_RDWR, 0) for each in range(3)],
                *[(os.POSIX_SPAWN_DUP2, each, at) for at, each in enumerate(high, 3)],
            ],
            setpgroup=0,
        )
        for each in high:
            os.close(each)

    def close(self) -> None:
        """Ends the browser, with all of its processes."""
        os.close(self._in)
        os.close(self._out)
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def show(self, path: str, width: int, height: int = 800) -> None:
        """Shows the page at ``path``, in a window, or on a phone, of so many pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._events.clear()
        self.call("Page.navigate", url=HOST + path)
        while (event := self._event())["method"] != "Page.loadEventFired":
            self._handle(event)

    def measure(self, expression: str) -> Any:
        """The value of an expression, in the page that is shown."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def screenshot(self) -> bytes:
        """What is seen, as a PNG file."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Calls a method of the protocol, and returns its result."""
        number = self._send(method, parameters)
        while True:
            message = self._read()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            if "method" in message:
                self._take(message)

    def _send(self, method: str, parameters: object) -> int:
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._in, data) :]
        return self._count

    def _take(self, event: dict[str, Any]) -> None:
        """Answers a request at once, as the browser may wait for it; keeps other events."""
        if event["method"] == "Fetch.requestPaused":
            self._handle(event)
        else:
            self._events.append(event)

    def _event(self) -> dict[str, Any]:
        while not self._events:
            message = self._read()
            if "method" in message:
                self._take(message)
        return self._events.popleft()

    def _handle(self, event: dict[str, Any]) -> None:
        parameters = event["params"]
        if event["method"] == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif event["method"] == "Fetch.requestPaused":
            url = parameters["request"]["url"]
            self.requested.append(url)
            answer: Answer = (HTTPStatus.NOT_FOUND, {}, b"")
            if url.startswith(f"{HOST}/"):
                answer = self._answer(url.removeprefix(HOST))
            status, fields, content = answer
            self._send(
                "Fetch.fulfillRequest",
                {
                    "requestId": parameters["requestId"],
                    "responseCode": status,
                    "responseHeaders": [{"name": k, "value": v} for k, v in fields.items()],
                    "body": base64.b64encode(content).decode(),
                },
            )

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            if not select.select([self._out], [], [], _PATIENCE)[0]:
                raise TimeoutError("the browser is silent")
            data = os.read(self._out, 1 << 20)
            if not data:
                raise EOFError("the browser ended")
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found
