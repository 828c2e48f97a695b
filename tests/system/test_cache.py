"""``twistd netlab cache``: a cache in front of a server that knows nothing of it."""

from __future__ import annotations

import http.server
import threading
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from tests.system.processes import DEADLINE, LOOPBACK, TWISTD, Program, SystemCase


class Cache(SystemCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[tuple[str, str, bytes]] = []
        case = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                case.asked.append((self.command, self.path, self.rfile.read(size)))
                content = f"{self.command} {self.path} {len(case.asked)}".encode()
                self.send_response(299 if self.path == "/odd" else 200)
                if self.path.startswith("/kept"):
                    self.send_header("Cache-Control", "max-age=600")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PUT = do_BREW = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin.daemon_threads = True
        threading.Thread(target=self.origin.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)

    def up(self, *options: str) -> Program:
        server = self.program(
            *(TWISTD, "-n", "--pidfile=", "netlab", "cache", f"--listen={LOOPBACK}", *options),
            f"--origin=http://127.0.0.1:{self.origin.server_port}",
        )
        self.base = "http://127.0.0.1:" + server.wait_for(r"^cache +127\.0\.0\.1:([0-9]+)")[1]
        return server

    def ask(self, path: str, method: str = "GET", data: bytes | None = None) -> tuple[int, str]:
        request = Request(self.base + path, data, method=method)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def test_all_methods(self) -> None:
        """Every method, path and status passes; only what may be kept is."""
        server = self.up()
        self.assertEqual(self.ask("/kept?a=b"), (200, "GET /kept?a=b 1"))
        self.assertEqual(self.ask("/kept?a=b"), (200, "GET /kept?a=b 1"))
        self.assertEqual(self.ask("/other"), (200, "GET /other 2"))
        self.assertEqual(self.ask("/other"), (200, "GET /other 3"))
        self.assertEqual(self.ask("/odd"), (299, "GET /odd 4"))
        self.assertEqual(self.ask("/pot", "BREW", b"coffee"), (200, "BREW /pot 5"))
        self.assertEqual(self.asked[-1], ("BREW", "/pot", b"coffee"))
        self.assertEqual(self.ask("/kept?a=b", "POST", b"x"), (200, "POST /kept?a=b 6"))
        self.assertEqual(self.ask("/kept?a=b"), (200, "GET /kept?a=b 7"))
        self.assertEqual(self.ask("/kept?a=b", "PURGE"), (200, "one response was removed\n"))
        self.assertEqual(self.ask("/kept?a=b"), (200, "GET /kept?a=b 8"))
        self.assert_stops_cleanly(server)

    def test_folder(self) -> None:
        """What is kept in a folder is there after a restart, also without the origin."""
        folder = f"--cache={self.folder / 'cache'}"
        server = self.up(folder)
        self.assertEqual(self.ask("/kept"), (200, "GET /kept 1"))
        self.assert_stops_cleanly(server)
        self.origin.shutdown()
        self.origin.server_close()
        server = self.up(folder)
        self.assertEqual(self.ask("/kept"), (200, "GET /kept 1"))
        self.assertEqual(self.ask("/other")[0], 502)
        self.assert_stops_cleanly(server)
