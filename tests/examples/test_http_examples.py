"""The examples on HTTP. What they print is shown in http.md, caching.md and README.md."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import shlex
import socket
import sys
import threading

from twisted.trial.unittest import TestCase

from .processes import EXAMPLES, Background, free_port

BY_HAND = "rfc_downloader_by_hand.py"


class DownloaderTests(TestCase):
    """rfc_downloader_by_hand.py against a server in the test's own hands, and the other one."""

    def run_against(self, response: bytes) -> tuple[int, str]:
        """Its status, and what it printed."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += peer.recv(1000)
                peer.sendall(response)

        thread = threading.Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join)
        port = listener.getsockname()[1]
        program = Background(shlex.join(["python", BY_HAND, "127.0.0.1", str(port), "1"]), EXAMPLES)
        self.addCleanup(program.stop)
        return program.wait(), program.said

    def test_length(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
        self.assertEqual(self.run_against(head + b"one\r\n\r\nt"), (0, "one\r\n\r\nt\n"))
        status, said = self.run_against(head + b"one")
        self.assertEqual((status, said), (1, "rfc_downloader_by_hand: 3 bytes came, of 8\n"))

    def test_chunks(self) -> None:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        whole = head + b"3\r\none\r\n7;x=y\r\n\r\n two\n\r\n0\r\n\r\n"
        self.assertEqual(self.run_against(whole), (0, "one\r\n two\n\n"))
        for cut in (head + b"3\r\non", head + b"3\r\none\r\n", head[:30]):
            status, said = self.run_against(cut)
            self.assertEqual((status, said.count("\n")), (1, 1), said)

    def test_error(self) -> None:
        said = self.run_against(b"HTTP/1.1 404 Not Found\r\n\r\nno such RFC\n")
        self.assertEqual(said, (1, "rfc_downloader_by_hand: no such RFC\n"))

    def test_proxy_is_gone(self) -> None:
        """Both end with one line."""
        port = free_port()
        for command in (
            f"env http_proxy=http://127.0.0.1:{port} python rfc_downloader.py 1",
            f"python {BY_HAND} 127.0.0.1 {port} 1",
        ):
            program = Background(command, EXAMPLES)
            self.addCleanup(program.stop)
            self.assertEqual(program.wait(), 1, program.said)
            self.assertEqual(program.said.count("\n"), 1, program.said)
            self.assertTrue(program.said.startswith("rfc_downloader"), program.said)

    def test_standard_library_only(self) -> None:
        for name in ("rfc_downloader.py", BY_HAND, "origin.py"):
            lines = (EXAMPLES / name).read_text().splitlines()
            words = [each.split()[1] for each in lines if each.startswith(("import ", "from "))]
            modules = {each.partition(".")[0] for each in words}
            self.assertLessEqual(modules, set(sys.stdlib_module_names), name)


class OriginTests(TestCase):
    """origin.py."""

    def test_wrong_port(self) -> None:
        for port in ("coffee", "70000"):
            program = Background(f"python origin.py {port}", EXAMPLES)
            self.addCleanup(program.stop)
            self.assertEqual(program.wait(), 1, program.said)
            self.assertTrue(program.said.startswith("origin: "), program.said)
            self.assertEqual(program.said.count("\n"), 1, program.said)
