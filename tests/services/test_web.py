"""The services on HTTP without twistd: options in, services out."""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netlab.http import HttpLimits
from netlab.http.fetching import FetchLimits
from netlab.rfc.places import DEFAULT_UPSTREAM, default_folder
from netlab.services.cache import CacheOptions
from netlab.services.rfc import RfcOptions
from netlab.tap import Options, StartUpFailed, makeService
from netlab.transport import loopback
from tests.rfc.support import DATA, text
from tests.test_tap import LOOPBACK, patch_process
from tests.transport.support import in_thread

reactor: Any = _reactor
ORIGIN = "--origin=http://127.0.0.1:1"


class WebCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        patch_process(self)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.patch(os, "environ", {**os.environ, "XDG_CACHE_HOME": folder.name})
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "__stdout__", self.out)
        self.patch(sys, "__stderr__", self.err)
        self.patch(sys, "stderr", self.err)
        self.patch(sys, "stdout", self.out)

    def make(self, *words: str) -> Any:
        """The service that twistd would run; it is stopped at the end of the test."""
        options = Options()
        options.parseOptions(list(words))
        service: Any = makeService(options)
        self.addCleanup(service.stopService)
        return service

    def start(self, *words: str) -> Any:
        """The one service within it, started."""
        service = self.make(*words)
        service.privilegedStartService()
        service.startService()
        (only,) = service
        return only

    def refused(self, *words: str) -> str:
        """What is said when the program ends with these words, or cannot start."""
        self.err.seek(0)
        self.err.truncate()
        more = [] if any("--listen" in each for each in words) else [f"--listen={LOOPBACK}"]
        with self.assertRaises((SystemExit, StartUpFailed)) as ended:
            self.start(*words, *more)
        self.assertEqual(ended.exception.code, 1, words)
        said = self.err.getvalue()
        self.assertRegex(said, r"\Anetlab: [^\n]+\n\Z", words)
        return said


def ask(port: int, path: str) -> bytes:
    """What comes for a request."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.sendall(b"GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % path.encode())
        answer = b""
        while more := sock.recv(65536):
            answer += more
        return answer


class Parsing(WebCase):
    def test_defaults(self) -> None:
        """The limits of the server, the RFC Editor, loopback alone."""
        options = RfcOptions()
        options.parseOptions([])
        self.assertEqual(options.limits, HttpLimits())
        self.assertEqual(options.upstream, DEFAULT_UPSTREAM)
        self.assertEqual((options.folder, options.mirror, options.hosts), (None, None, []))
        self.assertIsNone(options.access_log)
        (rfc,) = self.make("rfc")
        self.assertEqual(rfc.endpoints, loopback(8080))

    def test_values(self) -> None:
        """Each option is heard."""
        options = RfcOptions()
        options.parseOptions(
            [
                *("--upstream=http://127.0.0.1:9/x", f"--mirror={DATA}", "--host=a", "--host=b.c"),
                *("--idle-timeout=7", "--frame-timeout=0", "--body-timeout=3", "--max-body=5"),
                *("--max-connections=8", "--max-per-address=9", "--upstream-timeout=4"),
                *("--write-timeout=6", "--cache=/x"),
            ]
        )
        self.assertEqual(options.upstream, "http://127.0.0.1:9/x/")
        self.assertEqual((options.hosts, options.folder), (["a", "b.c"], Path("/x")))
        expected = HttpLimits(
            idle_timeout=7.0,
            frame_timeout=None,
            body_timeout=3.0,
            write_timeout=6.0,
            max_body=5,
            max_connections=8,
            max_per_address=9,
        )
        self.assertEqual(options.limits, expected)
        self.assertEqual(options.fetch_limits.head_timeout, 4.0)

    def test_values_of_a_cache(self) -> None:
        options = CacheOptions()
        options.parseOptions([ORIGIN, "--max-upstream=7", "--upstream-timeout=4"])
        expected = FetchLimits(max_connections=7, head_timeout=4.0)
        self.assertEqual(options.fetch_limits, expected)
        self.assertIsNone(options.public)

    def test_help(self) -> None:
        """In 80 columns, with every option."""
        for name in ("rfc", "cache"):
            self.out.seek(0)
            self.out.truncate()
            with self.assertRaises(SystemExit) as ended:
                Options().parseOptions([name, "--help"])
            self.assertIn(ended.exception.code, (0, None))
            said = self.out.getvalue()
            self.assertIn("--access-log", said)
            self.assertTrue(all(len(line) <= 80 for line in said.splitlines()), said)

    def test_default_folder(self) -> None:
        """``netlab/rfc`` among this user's caches."""
        self.assertEqual(default_folder(), self.folder / "netlab" / "rfc")
        os.environ["XDG_CACHE_HOME"] = "relative"
        os.environ["HOME"] = str(self.folder)
        self.assertEqual(default_folder(), self.folder / ".cache" / "netlab" / "rfc")
        os.environ["HOME"] = "/nonexistent"
        self.assertIsNone(default_folder())


class Refused(WebCase):
    """One line each, that says what would be right; and nothing is left behind."""

    def test_rfc(self) -> None:
        (self.folder / "file").write_text("not a certificate")
        file = self.folder / "file"
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        for option, said in (
            ("--upstream=rfc-editor.org", "write for example https://www.rfc-editor.org/rfc/"),
            ("--upstream=http://me@x/", "without a user"),
            (f"--mirror={file}", "name a folder with files such as rfc2324.txt"),
            ("--mirror=/no/such/folder", "no such file or directory"),
            ("--mirror=", "--mirror: '' is no folder"),
            ("--cache=", "--cache: '' is no folder"),
            (f"--cache={file}", "cache folder"),
            ("--max-cache=0", "--max-cache: '0' is not a whole number from 1 up"),
            ("--max-memory=x", "--max-memory"),
            (f"--ca={file}", "no certificate in it: give a PEM file"),
            ("--ca=/no/such.pem", "CA file '/no/such.pem'"),
            ("--host=http://x/", "write it without a scheme"),
            ("--host=x:80", "write it without a scheme"),
            ("--host=", "write it without a scheme"),
            ("--access-log=/no/such/folder/log", "name a file that can be written"),
            ("--access-log-format=xml", "use combined or json"),
            ("--idle-timeout=soon", "a number of seconds"),
            ("--upstream-timeout=-1", "a number of seconds"),
            ("--max-body=0", "whole number from 1 up"),
            ("--max-connections=900000000", "max_connections"),
            ("--listen=8080", "tcp:8080"),
            (f"--listen=tcp:{taken.getsockname()[1]}:interface=127.0.0.1", "already in use"),
            ("2324", ""),
        ):
            self.assertIn(said, self.refused("rfc", "--offline", option), option)

    def test_cache(self) -> None:
        (self.folder / "diary.txt").write_text("mine")
        for words, said in (
            ((), "--origin is missing: give http://HOST"),
            (("--origin=http://127.0.0.1:1/path",), "without a path"),
            (("--origin=127.0.0.1",), "is no origin"),
            ((ORIGIN, "--public="), "--public: '' is no origin"),
            ((ORIGIN, "--public=www.example.org"), "--public: 'www.example.org' is no origin"),
            ((ORIGIN, "--max-upstream=0"), "--max-upstream: '0' is not a whole number from 1 up"),
            ((ORIGIN, "--stale-if-error=-1"), "--stale-if-error: '-1' is not a whole number"),
            ((ORIGIN, f"--cache={self.folder}"), "'diary.txt' in it"),
        ):
            self.assertIn(said, self.refused("cache", *words), words)

    def test_damaged_search(self) -> None:
        """A folder that was named is not passed over; its lock is let go."""
        where = self.folder / "cache"
        where.mkdir()
        (where / "search.sqlite").write_bytes(b"no database" * 1000)
        said = self.refused("rfc", "--offline", f"--cache={where}")
        self.assertIn("file is not a database", said)
        (where / "search.sqlite").unlink()
        self.start("rfc", "--offline", f"--cache={where}", f"--listen={LOOPBACK}")


class Running(WebCase):
    async def test_mirror(self) -> None:
        """It serves, and ends with nothing left; what it kept is there for the next one."""
        log = self.folder / "access.log"
        for _ in range(2):
            rfc = self.start(
                *("rfc", "--offline", f"--mirror={DATA}", f"--cache={self.folder / 'cache'}"),
                *(f"--listen={LOOPBACK}", f"--access-log={log}"),
            )
            (port,) = rfc.ports
            answer = await in_thread(ask, port, "/rfc/rfc2324.txt")
            self.assertEqual(answer.partition(b"\r\n\r\n")[2], text(2324))
            self.assertIn(b"RFC 2324", await in_thread(ask, port, "/search?q=coffee"))
            await rfc.stopService()
        self.assertEqual(len(log.read_text().splitlines()), 4)
        self.assertEqual(self.err.getvalue(), "")

    async def test_stopped_at_once(self) -> None:
        """One that is stopped while it begins to read leaves no error."""
        rfc = self.start("rfc", "--offline", f"--mirror={DATA}", f"--listen={LOOPBACK}")
        await rfc.parent.stopService()
        self.assertEqual(self.flushLoggedErrors(), [])

    def origin(self) -> tuple[str, Any]:
        """An origin's option, and what answers the one request that comes to it: its bytes."""
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(20)
        self.addCleanup(listening.close)

        def answer(*lines: str) -> bytes:
            connection, _ = listening.accept()
            with listening, connection:
                request = connection.recv(65536)
                head = ["HTTP/1.1 200 OK", *lines, "Content-Length: 1", "\r\n"]
                connection.sendall("\r\n".join(head).encode() + b"1")
            return request

        return f"--origin=http://127.0.0.1:{listening.getsockname()[1]}", answer

    async def test_what_the_origin_is_told(self) -> None:
        """Who asks, and as what; and no more than that is stored for all."""
        origin, answer = self.origin()
        words = ("--public=https://www.example.org", f"--listen={LOOPBACK}")
        cache = self.start("cache", origin, *words)
        asking = deferToThread(ask, cache.ports[0], "/x")
        request = await in_thread(answer, "Cache-Control: max-age=60", "Vary: X-Forwarded-For")
        self.assertIn(b"detail=vary", await asking)
        for line in (
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Forwarded-Host: www.example.org",
            b"X-Forwarded-Proto: https",
        ):
            self.assertIn(line + b"\r\n", request)

    async def test_stale_if_error(self) -> None:
        """For so long, where the origin says nothing."""
        origin, answer = self.origin()
        cache = self.start("cache", origin, "--stale-if-error=60", f"--listen={LOOPBACK}")
        asking = deferToThread(ask, cache.ports[0], "/x")
        await in_thread(answer, "Cache-Control: max-age=0", 'ETag: "1"')
        await asking
        found = await in_thread(ask, cache.ports[0], "/x")
        self.assertTrue(found.startswith(b"HTTP/1.1 200 "), found)
        self.assertIn(b"Proxy-Status: netlab;error=connection_refused", found)

    async def test_cache(self) -> None:
        """An origin that does not answer is a 502."""
        cache = self.start("cache", ORIGIN, f"--listen={LOOPBACK}")
        answer = await in_thread(ask, cache.ports[0], "/x")
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)


class OnTheWay(WebCase):
    async def test_pcap(self) -> None:
        """A bad network, and a capture of what was said on it, for HTTP as well."""
        capture = self.folder / "said.pcapng"
        service = self.start(
            *("rfc", f"--mirror={DATA}", "--offline", f"--cache={self.folder / 'cache'}"),
            *(f"--listen={LOOPBACK}", "--impair=delay 1ms segment 100 200", "--seed=7"),
            f"--pcap={capture}",
        )
        port = service.server.addresses[0].port
        answer = await in_thread(ask, port, "/rfc/rfc2324.txt")
        self.assertIn(text(2324), answer)
        await service.stopService()
        self.assertIn(b"GET /rfc/rfc2324.txt", capture.read_bytes())

    def test_wrong(self) -> None:
        self.assertIn("--impair", self.refused("cache", ORIGIN, "--impair=loss 10%"))
        self.assertIn("--seed", self.refused("cache", ORIGIN, "--seed=7"))
        self.assertIn("no such file", self.refused("cache", ORIGIN, "--pcap=/nonexistent/x"))
