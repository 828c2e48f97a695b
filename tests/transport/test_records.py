"""TLS records, both ways of reading and writing them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport import records
from netlab.transport.records import RECORD, DirectRecords, PublicRecords, Records, records_of

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
CERTIFICATE = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost")
MIB = 1 << 20


class Link:
    """Two ends of a TLS connection over a socket pair, the handshake done."""

    def __init__(self, version: int = SSL.TLS1_3_VERSION) -> None:
        contexts = [SSL.Context(each) for each in (SSL.TLS_SERVER_METHOD, SSL.TLS_CLIENT_METHOD)]
        CERTIFICATE.configure_cert(contexts[0])
        for context in contexts:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        self.socks = socket.socketpair()
        self.ends = [SSL.Connection(*each) for each in zip(contexts, self.socks, strict=True)]
        self.ends[0].set_accept_state()
        self.ends[1].set_connect_state()
        for sock in self.socks:
            sock.setblocking(False)
        for _ in range(10):
            for end in self.ends:
                self.attempt(end.do_handshake)
        self.attempt(self.ends[1].recv, 1)  # TLS 1.3's tickets
        self.here, self.there = self.ends

    @staticmethod
    def attempt(call: Any, *arguments: Any) -> Any:
        """What ``call`` returns, or ``None`` if it would block."""
        try:
            return call(*arguments)
        except (SSL.WantReadError, SSL.WantWriteError):
            return None

    def close(self) -> None:
        """Closes both sockets."""
        for sock in self.socks:
            sock.close()


class Public(SynchronousTestCase):
    """By pyOpenSSL's public methods; ``Direct`` does the same by OpenSSL's own functions."""

    kind: type[PublicRecords] | type[DirectRecords] = PublicRecords
    version = SSL.TLS1_3_VERSION

    def link(self) -> tuple[Link, Records]:
        """A connection, and the records of one end."""
        link = Link(self.version)
        self.addCleanup(link.close)
        made: Records = self.kind(link.here)
        return link, made

    def read_all(self, ours: Records) -> list[bytes]:
        """All that is there, read by read."""
        pieces: list[bytes] = []
        while True:
            data = Link.attempt(ours.read)
            if data is None:
                return pieces
            self.assertGreater(len(data), 0)
            self.assertLessEqual(len(data), 8 * RECORD)
            pieces.append(data)

    def test_nothing(self) -> None:
        """With nothing there it would block; part of a record is nothing."""
        link, ours = self.link()
        self.assertRaises(SSL.WantReadError, ours.read)
        link.socks[1].send(b"\x17\x03\x03")
        self.assertRaises(SSL.WantReadError, ours.read)
        self.assertEqual(ours.pending(), 0)

    def test_sizes(self) -> None:
        """Around the size of a record, whole and in order."""
        for size in (1, 2, RECORD - 1, RECORD, RECORD + 1, 3 * RECORD, 5 * RECORD + 7):
            link, ours = self.link()
            data = os.urandom(size)
            for at in range(0, size, RECORD):
                link.there.sendall(data[at : at + RECORD])
            self.assertEqual(b"".join(self.read_all(ours)), data)

    def test_small_ones(self) -> None:
        """Each small record is there to be had."""
        link, ours = self.link()
        for number in range(20):
            link.there.send(b"n%d" % number)
        expected = b"".join(b"n%d" % number for number in range(20))
        self.assertEqual(b"".join(self.read_all(ours)), expected)

    def test_pending(self) -> None:
        """What OpenSSL has decrypted and not handed on."""
        link, ours = self.link()
        link.there.send(b"a" * 100)
        self.assertEqual(ours.pending(), 0)
        self.assertEqual(link.here.recv(30), b"a" * 30)
        self.assertEqual(ours.pending(), 70)
        self.assertEqual(ours.read(), b"a" * 70)
        self.assertEqual(ours.pending(), 0)

    def test_write(self) -> None:
        """Bytes, bytearrays and memoryviews arrive as they are."""
        link, ours = self.link()
        for data in (b"abc", bytearray(b"def"), memoryview(b"xghix")[1:-1]):
            self.assertEqual(ours.write(data), 3)
        self.assertEqual(link.there.recv(100) + link.there.recv(100), b"abcdef")
        self.assertEqual(link.there.recv(100), b"ghi")

    def test_blocked_and_tried_again(self) -> None:
        """A full socket says so; tried again with what begins the same, nothing is lost.

        The retry is longer, in another place of memory, and of another type: that
        is what a stream does which joined what was written in between.
        """
        link, ours = self.link()
        data = os.urandom(4 * MIB)
        received = bytearray()
        at, blocked, most = 0, 0, 200_000
        while len(received) < len(data):
            piece: Any = data[at : at + most]
            if blocked % 2:
                piece = memoryview(bytearray(piece))
            if at < len(data):
                try:
                    sent = ours.write(piece)
                    self.assertGreater(sent, 0)
                    at += sent
                    continue
                except SSL.WantWriteError:
                    blocked += 1
                    most += 1000
            while (more := Link.attempt(link.there.recv, 65536)) is not None:
                received += more
        self.assertGreater(blocked, 3)
        self.assertTrue(received == data)

    def test_both_ways(self) -> None:
        """A blocked write does not keep from reading."""
        link, ours = self.link()
        while Link.attempt(ours.write, b"x" * RECORD):
            pass
        link.there.send(b"hello")
        self.assertEqual(ours.read(), b"hello")

    def test_goodbye(self) -> None:
        """An end with close_notify, after what was sent before it."""
        link, ours = self.link()
        link.there.send(b"last")
        link.there.shutdown()
        self.assertEqual(ours.read(), b"last")
        self.assertRaises(SSL.ZeroReturnError, ours.read)

    def test_no_goodbye(self) -> None:
        """An end without it, also behind a full record."""
        for size in (0, 10, RECORD):
            link, ours = self.link()
            if size:
                link.there.send(b"a" * size)
            link.socks[1].close()
            if size:
                self.assertEqual(ours.read(), b"a" * size)
            error = self.assertRaises(SSL.SysCallError, ours.read)
            self.assertEqual(error.args[0], -1)

    def test_garbage(self) -> None:
        """What is no record is an error; what came before it is not lost."""
        for size in (0, 10, RECORD):
            link, ours = self.link()
            if size:
                link.there.send(b"a" * size)
            link.socks[1].send(b"\x17\x03\x03\x00\x20" + b"z" * 32)
            if size:
                self.assertEqual(ours.read(), b"a" * size)
            self.assertRaises(SSL.Error, ours.read)

    def test_garbage_of_another(self) -> None:
        """One connection's error is not left behind for the next.

        OpenSSL keeps errors in a queue for each thread; before its version 4
        the outcome of a call on any connection was read off that queue, so an
        error left there by one peer would have broken the connection of another.
        """
        for size in (0, RECORD):
            link, ours = self.link()
            other, others = self.link()
            if size:
                link.there.send(b"a" * size)
            link.socks[1].send(b"\x17\x03\x03\x00\x20" + b"z" * 32)
            try:
                ours.read()
            except SSL.Error:
                pass
            library: Any = SSL._lib  # type: ignore[attr-defined]
            self.assertEqual(library.ERR_peek_error(), 0)
            self.assertRaises(SSL.WantReadError, others.read)
            other.there.send(b"fine")
            self.assertEqual(others.read(), b"fine")

    def test_write_to_nobody(self) -> None:
        """Writing to who is gone is an error."""
        link, ours = self.link()
        link.socks[1].close()
        with self.assertRaises(SSL.Error):
            for _ in range(100):
                ours.write(b"x" * RECORD)


class Public12(Public):
    version = SSL.TLS1_2_VERSION


class Direct(Public):
    """By OpenSSL's own functions."""

    kind = DirectRecords

    def setUp(self) -> None:
        if not records._direct:
            self.skipTest("this pyOpenSSL has other bindings")

    def test_many_at_once(self) -> None:
        """Full records are read several at a time, up to 128 KiB."""
        link, ours = self.link()
        data = os.urandom(6 * RECORD)
        link.there.sendall(data[:RECORD])
        for at in range(RECORD, len(data), RECORD):
            link.there.sendall(data[at : at + RECORD])
        self.assertEqual(ours.read(), data)

    def test_the_buffer_is_reused(self) -> None:
        """What was read stays what it is when more is read, on any connection."""
        one, ours = self.link()
        other, others = self.link()
        one.there.send(b"one")
        other.there.send(b"two")
        first, second = ours.read(), others.read()
        self.assertEqual((first, second), (b"one", b"two"))


class Direct12(Direct):
    version = SSL.TLS1_2_VERSION


class Echo(SynchronousTestCase):
    @settings(max_examples=20)
    @given(
        st.lists(st.binary(min_size=1, max_size=40000), max_size=6),
        st.sampled_from([PublicRecords, DirectRecords]),
    )
    def test_anything(self, pieces: list[bytes], kind: Any) -> None:
        """Any pieces, echoed: the same bytes."""
        link = Link()
        try:
            ours: Records = kind(link.here)
            data, received, back, at = b"".join(pieces), bytearray(), bytearray(), 0
            for piece in pieces:
                link.there.sendall(piece)
                while (more := Link.attempt(ours.read)) is not None:
                    received += more
            while len(back) < len(data):
                if at < len(received):
                    at += Link.attempt(ours.write, memoryview(received)[at:]) or 0
                back += Link.attempt(link.there.recv, 65536) or b""
            self.assertEqual((bytes(received), bytes(back)), (data, data))
        finally:
            link.close()


class Choice(SynchronousTestCase):
    def test_best(self) -> None:
        """Direct where the bindings are as known, else public."""
        link = Link()
        self.addCleanup(link.close)
        self.assertIsInstance(records_of(link.here), DirectRecords)
        self.patch(records, "_direct", False)
        self.assertIsInstance(records_of(link.here), PublicRecords)

    def test_another_connection(self) -> None:
        """A connection without the handle that is known."""
        other: Any = object()
        self.assertIsInstance(records_of(other), PublicRecords)

    def test_without_bindings(self) -> None:
        """A pyOpenSSL that looks different is no reason not to start."""
        source = Path(records.__file__).read_text()
        names: dict[str, Any] = {"__name__": records.__name__, "__package__": "netlab.transport"}
        self.patch(SSL, "_lib", object())
        exec(compile(source, records.__file__, "exec"), names)
        self.assertFalse(names["_direct"])
        link = Link.__new__(Link)
        self.assertEqual(type(names["records_of"](link)).__name__, "PublicRecords")
