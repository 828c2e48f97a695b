# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any

import trustme

from netlab.blocking import Client, connect
from netlab.errors import (
    ConfigurationError,
    ConnectFailed,
    DeadlineExceeded,
    LocalProtocolError,
    TLSFailed,
)
from tests.peer import PATIENCE, SHORT, PeerCase, Script, break_off, echo, encode, until_end


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


class Encrypted(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.ca_file = f"{folder.name}/ca.pem"
        authority().cert_pem.write_to_path(self.ca_file)

    def context(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        """A server's, with a certificate for ``name``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority().issue_cert(name).configure_cert(context)
        return context

    def tls_client(self, script: Script, **options: Any) -> Client:
        endpoint = self.serve(script, context=self.context())
        client: Client = connect(endpoint, ca_file=self.ca_file, **options)
        self.addCleanup(client.abort)
        return client

    def refusing(self) -> Script:
        """A server that expects the client to call the handshake off."""

        def script(peer: socket.socket) -> None:
            with self.assertRaises(ssl.SSLError) as caught:
                self.context_in_use.wrap_socket(peer, server_side=True)
            self.assertIn("ALERT", caught.exception.reason or "")

        return script

    def test_request(self) -> None:
        with self.tls_client(echo) as client:
            self.assertEqual(client.request(b"hello"), b"hello")
            self.assertEqual(client.request(bytes(1 << 20)), bytes(1 << 20))

    def test_tls_1_2(self) -> None:
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with connect(self.serve(echo, context=context), ca_file=self.ca_file) as client:
            self.assertEqual(client.request(b"hello"), b"hello")

    def test_wrong_host_name(self) -> None:
        for name in ("example.org", "127.0.0.2"):
            self.context_in_use = self.context(name)
            endpoint = self.serve(self.refusing()).replace("tcp:", "tls:")
            self.assertEqual(
                str(self.assertRaises(ConnectFailed, connect, endpoint, ca_file=self.ca_file)),
                f"cannot connect to {endpoint}: its certificate is not for that host name",
            )

    def test_unknown_authority(self) -> None:
        self.context_in_use = self.context()
        endpoint = self.serve(self.refusing()).replace("tcp:", "tls:")
        text = self.fails(ConnectFailed, connect, endpoint)
        self.assertIn(f"cannot connect to {endpoint}: its certificate is not trusted (", text)
        self.assertNotIn("_ssl.c", text)

    def test_only_the_ca_file_is_trusted(self) -> None:
        trustme.CA().cert_pem.write_to_path(self.ca_file)
        self.context_in_use = self.context()
        endpoint = self.serve(self.refusing()).replace("tcp:", "tls:")
        error = self.assertRaises(ConnectFailed, connect, endpoint, ca_file=self.ca_file)
        self.assertIn("its certificate is not trusted (", str(error))

    def test_wrong_ca_files(self) -> None:
        Path(self.ca_file).write_text("no certificate")
        for endpoint, ca_file, said in (
            ("tls:localhost:1", self.ca_file, "it holds no certificate"),
            ("tls:localhost:1", "/nowhere/ca.pem", "no such file or directory"),
            ("tcp:localhost:1", self.ca_file, "a CA file goes with tls:HOST:PORT"),
        ):
            error = self.assertRaises(ConfigurationError, connect, endpoint, ca_file=ca_file)
            self.assertIn(said, str(error))

    def test_a_server_without_tls(self) -> None:
        def hangs_up(peer: socket.socket) -> None:
            peer.recv(65536)

        def answers(peer: socket.socket) -> None:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            until_end(peer)

        for script, said in (
            (hangs_up, "the server hung up during the TLS handshake: does it speak TLS?"),
            (break_off, "the server hung up during the TLS handshake: does it speak TLS?"),
            (answers, "the server does not speak TLS ("),
        ):
            endpoint = self.serve(script).replace("tcp:", "tls:")
            self.assertIn(said, self.fails(ConnectFailed, connect, endpoint))

    def test_a_silent_server(self) -> None:
        endpoint = self.serve(until_end).replace("tcp:", "tls:")
        error = self.assertRaises(ConnectFailed, connect, endpoint, timeout=SHORT)
        self.assertIn("no answer within 0.05 s", str(error))

    def test_an_end_without_goodbye(self) -> None:
        def script(peer: socket.socket) -> None:
            peer.sendall(encode(b"hello"))
            socket.socket.shutdown(peer, socket.SHUT_WR)
            with contextlib.suppress(OSError):
                peer.recv(1)

        client = self.tls_client(script)
        self.assertEqual(client.receive(), b"hello")
        for _ in range(2):
            self.assertIn("without TLS's goodbye", self.fails(TLSFailed, client.receive))

    def test_finish(self) -> None:
        sent = threading.Event()

        def script(peer: ssl.SSLSocket) -> None:
            peer.sendall(encode(b"first"))
            peer.sendall(encode(b"early"))
            sent.set()
            peer.sendall(until_end(peer))
            peer.unwrap()

        client = self.tls_client(script)  # type: ignore[arg-type]
        client.send(b"hello")
        sent.wait(PATIENCE)
        self.assertEqual(client.receive(), b"first")  # what came with it is not decrypted yet
        client.finish()
        self.assertIn("after finish()", self.fails(LocalProtocolError, client.send, b"more"))
        self.assertEqual(list(client), [b"early", b"hello"])
        client.close()

    def test_close_says_goodbye(self) -> None:
        ends: list[bytes] = []
        client = self.tls_client(lambda peer: ends.append(until_end(peer)))
        client.send(b"hello")
        client.close()
        self.wait_for_servers()  # an end without goodbye would have been an error in the server
        self.assertEqual(ends, [encode(b"hello")])

    def test_time_limits(self) -> None:
        client = self.tls_client(echo)
        self.fails(DeadlineExceeded, client.receive, SHORT)
        self.fails(DeadlineExceeded, client.receive, 0)
        self.assertEqual(client.request(b"still there"), b"still there")
