# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import trustme
from OpenSSL import SSL

from netlab.errors import ConfigurationError
from netlab.ledger import KeyLog, open_key_log
from tests.ledger.support import FileCase, run_python

LINE = b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96


class KeyLogs(FileCase):
    def open(self, name: str = "keys", max_bytes: int = 1 << 20) -> KeyLog:
        log = open_key_log(self.path(name), max_bytes=max_bytes, on_error=self.errors.append)
        self.addCleanup(log.close)
        return log

    def test_written(self) -> None:
        """At once, one line each, in a file for its owner only."""
        before = os.umask(0)
        try:
            log = self.open()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("keys")).st_mode), 0o600)
        log.write(None, LINE)
        self.assertEqual(self.read("keys"), LINE + b"\n")
        log.write(None, b"# more")
        log.close()
        log.close()
        log.write(None, b"late")
        self.assertEqual(self.read("keys"), LINE + b"\n# more\n")
        self.assertEqual((log.lost, self.errors), (1, []))

    def test_continued(self) -> None:
        """Other programs' lines stay; half a line does not."""
        path = Path(self.path("keys"))
        path.write_bytes(b"# NSS\n" + LINE + b"\n" + LINE[:20])
        path.chmod(0o600)
        self.open().write(None, LINE)
        self.assertEqual(self.read("keys"), b"# NSS\n" + (LINE + b"\n") * 2)

    def test_refused(self) -> None:
        path = Path(self.path("keys"))
        path.write_bytes(b"")
        os.mkfifo(self.path("fifo"), 0o600)
        for name, mode, said in (
            ("keys", 0o640, "others may read it (mode 0640); chmod 600 it first"),
            ("keys", 0o602, "others may read it (mode 0602)"),
            ("fifo", 0o600, "it must be a file"),
            ("missing/keys", None, "no such file or directory"),
        ):
            if mode is not None:
                os.chmod(self.path(name), mode)
            with self.assertRaises(ConfigurationError) as caught:
                open_key_log(self.path(name))
            self.assertIn(f"key log '{self.path(name)}'"[-20:], str(caught.exception))
            self.assertIn(said, str(caught.exception))

    def test_bounded(self) -> None:
        log = self.open(max_bytes=400)
        for _ in range(5):
            log.write(None, LINE)
        self.assertEqual(self.read("keys.1"), (LINE + b"\n") * 2)
        self.assertEqual(self.read("keys"), LINE + b"\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("keys")).st_mode), 0o600)

    def test_full_disk(self) -> None:
        """Counted, told once, and never raised into OpenSSL."""
        code = """
import resource, sys
from netlab.ledger import open_key_log
errors = []
log = open_key_log(sys.argv[1], on_error=errors.append)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for _ in range(3):
    log.write(None, b"x" * 69)
log.close()
print(log.lost, len(errors))
"""
        # The second is begun, but cannot be finished before the end.
        self.assertEqual(run_python(code, self.path("keys")), "2 1\n")
        self.assertEqual(self.read("keys"), b"x" * 69 + b"\n")

    def test_threads(self) -> None:
        log = self.open()

        def write() -> None:
            for _ in range(200):
                log.write(None, LINE)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.read("keys"), (LINE + b"\n") * 800)

    def test_openssl(self) -> None:
        """What pyOpenSSL calls is the method, and a handshake's secrets are in the file."""
        authority = trustme.CA()
        certificate = authority.issue_cert("netlab.test")
        server = SSL.Context(SSL.TLS_SERVER_METHOD)
        Path(self.path("cert")).write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
        server.use_certificate_file(self.path("cert"))
        server.use_privatekey_file(self.path("cert"))
        log = self.open()
        server.set_keylog_callback(log.write)
        client = SSL.Context(SSL.TLS_CLIENT_METHOD)
        pair = socket.socketpair()
        for each in pair:
            self.addCleanup(each.close)
            each.settimeout(10)
        ends = [SSL.Connection(server, pair[0]), SSL.Connection(client, pair[1])]
        ends[0].set_accept_state()
        ends[1].set_connect_state()
        other = threading.Thread(target=ends[1].do_handshake)
        for each in pair:
            each.setblocking(True)
        other.start()
        ends[0].do_handshake()
        other.join()
        labels = {line.split()[0] for line in self.read("keys").splitlines()}
        self.assertLessEqual({b"CLIENT_TRAFFIC_SECRET_0", b"SERVER_TRAFFIC_SECRET_0"}, labels)
        self.assertEqual(log.lost, 0)
