"""Hostile clients on loopback: slow, greedy, silent, deaf. Others are served meanwhile."""

from __future__ import annotations

import time

from netlab.http import (
    HttpLimits,
    Response,
)
from tests.transport.support import (
    TWISTED_USES_X509,
    dial,
    eventually,
    in_thread,
    read_all,
)

from .loopback import HttpCase, talk
from .support import GET, answers, get, request

pytestmark = TWISTED_USES_X509


class Hostile(HttpCase):
    """Clients that mean harm, or do it anyway."""

    async def test_slowloris(self) -> None:
        """Heads that never end are ended; others are served meanwhile."""
        limits = HttpLimits(frame_timeout=0.5)
        port = await self.start(limits=limits)

        def attack() -> list[bytes]:
            socks = [dial(port) for _ in range(20)]
            for sock in socks:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            self.assertEqual(answers(talk(port, GET))[0].status, 200)
            end = time.monotonic() + 15
            found = []
            while socks and time.monotonic() < end:
                for sock in list(socks):
                    try:
                        sock.sendall(b"A: b\r\n")
                    except OSError:
                        pass
                    sock.settimeout(0.01)
                    try:
                        found.append(read_all(sock))
                    except TimeoutError:
                        continue
                    except OSError:
                        found.append(b"")
                    sock.close()
                    socks.remove(sock)
            return found

        found = await in_thread(attack)
        self.assertEqual(len(found), 20)
        self.assertTrue(any(each.startswith(b"HTTP/1.1 408 ") for each in found))
        await eventually(lambda: self.http.stats.active == 0)
        self.assertEqual(self.http.stats.errors["frame_timeout"], 20)

    async def test_never_reads(self) -> None:
        limits = HttpLimits(write_timeout=0.5)
        port = await self.start(limits=limits)
        with dial(port, receive_buffer=4096) as sock:
            await in_thread(sock.sendall, get("/large") * 200)
            await eventually(lambda: bool(self.http.stats.errors))
        self.assertEqual(self.http.stats.errors, {"write_timeout": 1})
        self.assertLess(self.http.stats.messages_out, 20)

    async def test_pipelining_flood(self) -> None:
        """Ten thousand requests at once get ten thousand answers; others do not wait for them."""
        port = await self.start(lambda request: Response(200, [], request.target.encode()))

        def flood() -> bytes:
            with dial(port) as sock:
                sock.settimeout(20)
                received = bytearray()
                sent = 0
                data = b"".join(get(f"/{n}") for n in range(10_000))
                sock.setblocking(False)
                while not received.endswith(b"/9999"):
                    try:
                        sent += sock.send(data[sent : sent + 65536])
                    except BlockingIOError:
                        pass
                    try:
                        received += sock.recv(1 << 20)
                    except BlockingIOError:
                        time.sleep(0.001)
                return bytes(received)

        flooding = in_thread(flood)
        self.assertEqual(answers(await in_thread(talk, port, GET))[0].status, 200)
        found = answers(await flooding)
        self.assertEqual([each.body for each in found], [b"/%d" % n for n in range(10_000)])

    async def test_huge_heads(self) -> None:
        port = await self.start()

        def attack() -> list[bytes]:
            found = []
            for data in (
                b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000,
                b"GET / HTTP/1.1\r\nA: " + b"b" * 1_000_000,
                b"GET /" + b"b" * 1_000_000,
                b"G" * 1_000_000,
            ):
                with dial(port) as sock:
                    try:
                        sock.sendall(data)
                    except OSError:
                        pass
                    found.append(read_all(sock))
            return found

        found = await in_thread(attack)
        self.assertEqual([answers(each)[0].status for each in found], [431, 431, 414, 414])

    async def test_upload_refused(self) -> None:
        """Who sends a large body that nobody wants can read why (RFC 9112, 9.6)."""
        limits = HttpLimits(max_body=1000)
        port = await self.start(limits=limits)

        def upload() -> bytes:
            with dial(port) as sock:
                sock.sendall(request("POST", "/length", "Host: x", "Content-Length: 3000000"))
                try:
                    sock.sendall(b"x" * 3_000_000)
                except OSError:
                    pass
                return read_all(sock)

        self.assertEqual(answers(await in_thread(upload))[0].status, 413)
