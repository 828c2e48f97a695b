"""``twistd netlab rfc``: the book's program, mirrors, folders, failures at the start, the end."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from tests.rfc.support import DATA, index_data, text
from tests.system.peers import can_connect, free_port
from tests.system.processes import (
    DEADLINE,
    LOOPBACK,
    TWISTD,
    Program,
    SystemCase,
    eventually,
)

DOWNLOADER = """
import sys, urllib.request
url = "http://www.ietf.org/rfc/rfc{}.txt".format(int(sys.argv[1]))
rfc = urllib.request.urlopen(url).read()
sys.stdout.buffer.write(rfc)
"""
BY_HAND = """
import socket, sys
request = b"GET /rfc/rfc%d.txt HTTP/1.1\\r\\nHost: www.ietf.org\\r\\nConnection: close\\r\\n\\r\\n"
sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
sock.sendall(request % int(sys.argv[1]))
answer = b""
while more := sock.recv(65536):
    answer += more
sys.stdout.buffer.write(answer.partition(b"\\r\\n\\r\\n")[2])
"""


class Quiet(http.server.ThreadingHTTPServer):
    """Has nothing to say about clients that go away."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


class Origin:
    """The RFC Editor, on loopback; ``slow`` paths are never answered to their end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.slow: set[str] = set()
        self.begun = threading.Event()
        self._end = threading.Event()
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                origin.asked.append(self.path)
                name = self.path.rpartition("/")[2]
                found = (DATA / name).read_bytes() if (DATA / name).is_file() else b""
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                if self.path in origin.slow:
                    self.wfile.write(found[:1000])
                    self.wfile.flush()
                    origin.begun.set()
                    origin._end.wait(DEADLINE)
                    self.close_connection = True
                    return
                self.wfile.write(found)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}/rfc/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()


class RfcCase(SystemCase):
    """Servers of RFCs; their own folder for caches is in the test's."""

    def setUp(self) -> None:
        super().setUp()
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "caches")}
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "no_proxy"):
            self.environment.pop(name, None)

    def rfc(self, *options: str, words: tuple[str, ...] = ("-n", "--pidfile=")) -> Program:
        """Starts ``twistd netlab rfc``: offline, unless it has an upstream."""
        if not any(each.startswith("--upstream") for each in options):
            options = (*options, "--offline")
        if not any(each.startswith("--listen") for each in options):
            options = (*options, f"--listen={LOOPBACK}")
        line = [TWISTD, *words, "netlab", "rfc", *options]
        return self.program(*line, env=self.environment)

    def up(self, *options: str) -> Program:
        """One that is up."""
        server = self.rfc(*options)
        server.wait_for(r"^service +listens on.*\n(rfc .*\n)*rfc +127.*\n")
        return server

    def port(self, server: Program) -> int:
        return int(server.wait_for(r"^rfc +127\.0\.0\.1:([0-9]+)")[1])

    def get(self, server: Program, path: str, *fields: tuple[str, str]) -> tuple[Any, bytes]:
        """The head and the content of an answer with status 200."""
        request = Request(f"http://127.0.0.1:{self.port(server)}{path}", headers=dict(fields))
        with build_opener(ProxyHandler({})).open(request, timeout=DEADLINE) as answer:
            return answer.headers, answer.read()

    def download(self, server: Program, code: str, number: int) -> bytes:
        """What a student's program writes, whose proxy the server is."""
        port = self.port(server)
        ended = subprocess.run(
            [sys.executable, "-c", code, str(number), str(port)],
            env={**self.environment, "http_proxy": f"http://localhost:{port}"},
            capture_output=True,
            timeout=DEADLINE,
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        return ended.stdout

    def assert_clean(self, server: Program, number: signal.Signals = signal.SIGTERM) -> None:
        """It ends in good order, with nothing to complain of."""
        self.assert_stops_cleanly(server, number)
        self.assertNotRegex(server.out, "#(warn|error|critical)")


class Serving(RfcCase):
    def test_downloader(self) -> None:
        """The book's program and its twin by hand: from upstream, from the cache."""
        origin = Origin()
        self.addCleanup(origin.close)
        options = (f"--upstream={origin.base}", f"--cache={self.folder / 'cache'}")
        server = self.up(*options)
        self.assertEqual(origin.asked, [])  # nobody wanted anything yet
        for code in (DOWNLOADER, BY_HAND):
            self.assertEqual(self.download(server, code, 2324), text(2324))
        self.assertEqual(origin.asked, ["/rfc/rfc2324.txt"])
        head, _ = self.get(server, "/rfc/rfc2324.txt")
        self.assertIn("hit", head["Cache-Status"])
        _, found = self.get(server, "/search?q=coffee")
        self.assertIn(b"RFC 2324", found)
        self.assertEqual(origin.asked[1:3], ["/rfc/rfc-index.xml", "/rfc/errata.json"])
        self.assert_clean(server)
        origin.asked.clear()
        again = self.up(*options, "--offline")
        self.assertEqual(self.get(again, "/rfc/rfc2324.txt")[1], text(2324))
        self.assertIn(b"RFC 2324", self.get(again, "/search?q=hyper+coffee")[1])
        self.assertEqual(origin.asked, [])
        self.assert_clean(again)

    def test_mirror(self) -> None:
        """A room without internet: the same bytes, the index and the search."""
        server = self.up(f"--mirror={DATA}", f"--access-log={self.folder / 'access.log'}")
        for number in (237, 768, 2324, 9515):
            self.assertEqual(self.get(server, f"/rfc/rfc{number}.txt")[1], text(number))
        self.assertEqual(self.download(server, DOWNLOADER, 768), text(768))
        self.assertEqual(self.get(server, "/rfc-index.xml")[1], index_data())
        server.wait_for("4 texts of the mirror can be searched")
        self.assertIn(b"stout", self.get(server, "/search?q=teapot+short+stout")[1])
        self.assert_clean(server)
        log = (self.folder / "access.log").read_text()
        self.assertIn('"GET http://www.ietf.org/rfc/rfc768.txt HTTP/1.1" 200 ', log)

    def test_table(self) -> None:
        """What is printed fits into 80 columns; ``--access-log -`` prints lines as they are."""
        server = self.up(
            *("--listen=unix:s:mode=660", f"--listen={LOOPBACK}"),
            *("--access-log=-", "--access-log-format=json"),
        )
        table = server.out[server.out.index("service ") :].splitlines()[:3]
        self.assertRegex(table[1], r"^rfc +unix:\S+ +curl --unix-socket s localhost/rfc/")
        self.assertRegex(table[2], r"^rfc +127\.0\.0\.1:\d+ +curl localhost:\d+/rfc/rfc2324\.txt$")
        self.assertTrue(all(len(line) <= 80 for line in table), table)
        self.get(server, "/robots.txt")
        server.wait_for(r'^\{"time": .*"target": "/robots.txt"')
        self.assert_clean(server)

    def test_daemon(self) -> None:
        """In the background: threads and locks of the process that serves."""
        port, log = free_port(), self.folder / "n.log"
        started = self.rfc(
            *(f"--mirror={DATA}", f"--listen=tcp:{port}:interface=127.0.0.1"),
            words=(f"--pidfile={self.folder / 'n.pid'}", f"--logfile={log}"),
        )
        self.assertEqual(started.wait(), 0, str(started))
        pid = int((self.folder / "n.pid").read_text())
        self.addCleanup(_kill, pid)
        opener = build_opener(ProxyHandler({}))
        for path, found in (("/rfc/rfc2324.txt", b"Coffee"), ("/search?q=coffee", b"RFC 2324")):
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE) as answer:
                self.assertIn(found, answer.read())
        lock = self.folder / "caches" / "netlab" / "rfc" / "http" / "lock"
        self.assertEqual(int(lock.read_text()), pid)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not (self.folder / "n.pid").exists(), "the daemon ends")
        self.assertNotRegex(log.read_text(), "Traceback|Unhandled|#(warn|error|critical)")
        self.assertFalse(can_connect(("127.0.0.1", port)))


class Starting(RfcCase):
    def test_refused(self) -> None:
        """What cannot be is one line that says what would be right, and status 1."""
        (self.folder / "bad" / "http").mkdir(parents=True)
        (self.folder / "bad" / "search.sqlite").write_bytes(b"no database" * 1000)
        ended = self.rfc("--cache=bad")
        self.assertEqual(ended.wait(), 1, str(ended))
        said = "search index .*: file is not a database; .*delete it"
        self.assertRegex(ended.err, rf"\Anetlab: [^\n]*{said}[^\n]*\n\Z")
        self.assertNotIn("Traceback", ended.out)


class Ending(RfcCase):
    def test_while_downloading(self) -> None:
        """What is under way is waited for, for the grace; then it ends, and says nothing bad."""
        origin = Origin()
        self.addCleanup(origin.close)
        origin.slow = {"/rfc/rfc2324.txt", "/rfc/rfc-index.xml"}
        server = self.up(f"--upstream={origin.base}", "--grace=0.5")
        with socket.create_connection(("127.0.0.1", self.port(server)), DEADLINE) as sock:
            sock.sendall(b"GET /search?q=x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sock.sendall(b"GET /rfc/rfc2324.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(origin.begun.wait(DEADLINE))
            self.assert_stops_cleanly(server)

    def test_second_signal(self) -> None:
        """A second signal ends it at once, whatever is under way."""
        origin = Origin()
        self.addCleanup(origin.close)
        origin.slow = {"/rfc/rfc2324.txt"}
        server = self.up(f"--upstream={origin.base}", f"--grace={DEADLINE * 9}")
        with socket.create_connection(("127.0.0.1", self.port(server)), DEADLINE) as sock:
            sock.sendall(b"GET /rfc/rfc2324.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(origin.begun.wait(DEADLINE))
            server.send_signal(signal.SIGTERM)
            server.wait_for("Received SIGTERM")
            eventually(lambda: not can_connect(("127.0.0.1", self.port(server))), "it is deaf")
            server.send_signal(signal.SIGTERM)
            self.assert_ended_cleanly(server)

    def test_while_indexing(self) -> None:
        """Texts that are being taken into the search are left for the next time."""
        mirror = self.folder / "mirror"
        mirror.mkdir()
        for number in range(1, 1500):
            (mirror / f"rfc{number}.txt").write_bytes(text(768))
        server = self.up(f"--mirror={mirror}")
        self.assert_clean(server)


class All(RfcCase):
    def test_laptop(self) -> None:
        """All services at once; nobody is asked, and nothing is complained of."""
        if any(can_connect(("127.0.0.1", port)) for port in (8032, 8080)):
            self.skipTest("somebody listens on these ports already")
        server = self.program(
            *(TWISTD, "-n", "--pidfile=", "netlab", "--grace=1"), env=self.environment
        )
        server.wait_for(r"^rfc +127\.0\.0\.1:8080 ")
        table = server.out[server.out.index("service ") :].splitlines()
        self.assertTrue(all(len(line) <= 80 for line in table if "#" not in line), table)
        self.assertEqual(self.get(server, "/robots.txt")[0]["Content-Type"][:10], "text/plain")
        self.assert_clean(server)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
