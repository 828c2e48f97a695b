"""Request smuggling: one message that two programs might take for two (RFC 9112, 11.2).

Each case tries to hide a request for ``/hidden``. It must never be served, and
where the framing is in doubt nothing behind the doubt may be.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.http import Request, Response
from netlab.testing import Faults

from .support import MemoryHttp, answers

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN


def post(*lines: bytes, version: bytes = b"1.1") -> bytes:
    return b"\r\n".join([b"POST / HTTP/" + version, b"Host: x", *lines]) + b"\r\n\r\n"


CASES: dict[str, bytes] = {
    # Content-Length and Transfer-Encoding: who counts which?
    "CL.TE": post(b"Content-Length: 5", b"Transfer-Encoding: chunked") + CHUNKED,
    "TE.CL": post(b"Transfer-Encoding: chunked", b"Content-Length: 100") + CHUNKED,
    "CL 0 and TE": post(b"Content-Length: 0", b"Transfer-Encoding: chunked") + CHUNKED,
    "CL.TE in 1.0": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", version=b"1.0")
    + CHUNKED,
    "TE in 1.0": post(b"Transfer-Encoding: chunked", version=b"1.0") + CHUNKED,
    "TE in 1.0, kept": post(
        b"Transfer-Encoding: chunked", b"Connection: keep-alive", version=b"1.0"
    )
    + CHUNKED,
    # Transfer-Encoding that one of two programs may not know again.
    "TE, space before the colon": post(b"Content-Length: 5", b"Transfer-Encoding : chunked")
    + CHUNKED,
    "TE, tab before the colon": post(b"Content-Length: 5", b"Transfer-Encoding\t: chunked")
    + CHUNKED,
    "TE, folded": post(b"Content-Length: 5", b"Transfer-Encoding:\r\n chunked") + CHUNKED,
    "TE, folded name": post(b"Content-Length: 5", b"Foo: bar\r\n Transfer-Encoding: chunked")
    + CHUNKED,
    "TE, vertical tab": post(b"Content-Length: 5", b"Transfer-Encoding: \x0bchunked") + CHUNKED,
    "TE, form feed": post(b"Content-Length: 5", b"Transfer-Encoding: \x0cchunked") + CHUNKED,
    "TE, NUL": post(b"Content-Length: 5", b"Transfer-Encoding: chunked\0") + CHUNKED,
    "TE, no-break space": post(b"Transfer-Encoding: \xa0chunked") + CHUNKED,
    "TE, quoted": post(b'Transfer-Encoding: "chunked"') + CHUNKED,
    "TE, single quotes": post(b"Transfer-Encoding: 'chunked'") + CHUNKED,
    "TE, parameter": post(b"Transfer-Encoding: chunked;x=y") + CHUNKED,
    "TE identity": post(b"Content-Length: 5", b"Transfer-Encoding: identity") + CHUNKED,
    "TE identity alone": post(b"Transfer-Encoding: identity") + CHUNKED,
    "TE not last": post(b"Transfer-Encoding: chunked, identity") + CHUNKED,
    "TE twice in one": post(b"Transfer-Encoding: chunked, chunked") + CHUNKED,
    "TE twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + CHUNKED,
    "TE and cow": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: cow") + CHUNKED,
    "TE cow and chunked": post(b"Transfer-Encoding: cow", b"Transfer-Encoding: chunked") + CHUNKED,
    "TE empty": post(b"Transfer-Encoding:") + CHUNKED,
    "TE comma": post(b"Transfer-Encoding: ,chunked") + CHUNKED,
    "TE gzip": post(b"Transfer-Encoding: gzip, chunked") + CHUNKED,
    "TE with underscore": post(b"Transfer-Encoding: x", b"Transfer_Encoding: chunked") + CHUNKED,
    "TE behind a bare CR": post(b"Foo: bar\rTransfer-Encoding: chunked") + CHUNKED,
    "TE behind a bare LF": post(b"Foo: bar\nTransfer-Encoding: chunked") + CHUNKED,
    "TE behind CR CR LF": post(b"Foo: bar\r", b"Transfer-Encoding: chunked") + CHUNKED,
    # Content-Length that two programs read in two ways.
    "CL twice": post(b"Content-Length: 0", b"Content-Length: 33") + HIDDEN,
    "CL twice, turned round": post(b"Content-Length: 33", b"Content-Length: 0") + HIDDEN,
    "CL twice, the same": post(b"Content-Length: 0", b"Content-Length: 0") + HIDDEN,
    "CL as a list": post(b"Content-Length: 0, 36") + HIDDEN,
    "CL plus": post(b"Content-Length: +0") + HIDDEN,
    "CL minus": post(b"Content-Length: -0") + HIDDEN,
    "CL hexadecimal": post(b"Content-Length: 0x0") + HIDDEN,
    "CL octal": post(b"Content-Length: 0o0") + HIDDEN,
    "CL exponent": post(b"Content-Length: 0e1") + HIDDEN,
    "CL decimal point": post(b"Content-Length: 0.0") + HIDDEN,
    "CL underscore": post(b"Content-Length: 0_0") + HIDDEN,
    "CL space within": post(b"Content-Length: 0 0") + HIDDEN,
    "CL vertical tab": post(b"Content-Length: 0\x0b") + HIDDEN,
    "CL NUL": post(b"Content-Length: 0\0") + HIDDEN,
    "CL quoted": post(b'Content-Length: "0"') + HIDDEN,
    "CL empty": post(b"Content-Length:") + HIDDEN,
    "CL wraps around": post(b"Content-Length: 18446744073709551616") + HIDDEN,
    "CL wraps around, negative": post(b"Content-Length: 9223372036854775808") + HIDDEN,
    "CL long": post(b"Content-Length: " + b"0" * 400) + HIDDEN,
    "CL, space before the colon": post(b"Content-Length : 0") + HIDDEN,
    "CL folded": post(b"Content-Length:\r\n 0") + HIDDEN,
    "CL latin digit": post(b"Content-Length: \xb2") + HIDDEN,
    # Where does the head end, and the line?
    "bare LF": b"POST / HTTP/1.1\nHost: x\n\n" + HIDDEN,
    "bare LF at the end": b"POST / HTTP/1.1\r\nHost: x\r\n\n" + HIDDEN,
    "bare LF within": b"POST / HTTP/1.1\r\nHost: x\nFoo: bar\r\n\r\n" + HIDDEN,
    "bare CR at the end": b"POST / HTTP/1.1\r\nHost: x\r\n\r" + HIDDEN,
    "bare CR in the line": b"POST / HTTP/1.1\rHost: x\r\n\r\n" + HIDDEN,
    "CR CR LF": b"POST / HTTP/1.1\r\nHost: x\r\r\n\r\n" + HIDDEN,
    "line in a value": post(b"Foo: bar\r\n\tGET /hidden HTTP/1.1") + HIDDEN,
    "white space first": b"POST / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n" + HIDDEN,
    "no colon": b"POST / HTTP/1.1\r\nHost: x\r\nGET /hidden HTTP/1.1\r\n\r\n" + HIDDEN,
    "two targets": b"GET /a GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
    "HTTP/0.9": b"GET /a\r\n" + HIDDEN,
    "line separator": b"GET /\xe2\x80\xa8 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
    # Chunks that two programs cut in two ways.
    "chunk ends in LF": post(b"Transfer-Encoding: chunked") + b"0\n\r\n" + HIDDEN,
    "chunk data ends in LF": post(b"Transfer-Encoding: chunked") + b"1\r\nx\n0\r\n\r\n" + HIDDEN,
    "chunk ends in CR": post(b"Transfer-Encoding: chunked") + b"1\rx\r\n0\r\n\r\n" + HIDDEN,
    "chunk too short": post(b"Transfer-Encoding: chunked") + b"1\r\nxy\r\n0\r\n\r\n" + HIDDEN,
    "chunk without end": post(b"Transfer-Encoding: chunked") + b"1\r\nx0\r\n\r\n" + HIDDEN,
    "chunk minus": post(b"Transfer-Encoding: chunked") + b"-1\r\n\r\n" + HIDDEN,
    "chunk plus": post(b"Transfer-Encoding: chunked") + b"+0\r\n\r\n" + HIDDEN,
    "chunk 0x": post(b"Transfer-Encoding: chunked") + b"0x0\r\n\r\n" + HIDDEN,
    "chunk underscore": post(b"Transfer-Encoding: chunked") + b"0_0\r\n\r\n" + HIDDEN,
    "chunk space": post(b"Transfer-Encoding: chunked") + b"0 \r\n\r\n" + HIDDEN,
    "chunk empty": post(b"Transfer-Encoding: chunked") + b"\r\n\r\n" + HIDDEN,
    "chunk wraps around": post(b"Transfer-Encoding: chunked")
    + b"10000000000000000\r\n\r\n"
    + HIDDEN,
    "extension with LF": post(b"Transfer-Encoding: chunked") + b"0;\n\r\n\r\n" + HIDDEN,
    "extension with CR": post(b"Transfer-Encoding: chunked") + b"0;\rx\r\n\r\n" + HIDDEN,
    "extension quoted": post(b"Transfer-Encoding: chunked") + b'0;a="\n"\r\n\r\n' + HIDDEN,
    "trailer with LF": post(b"Transfer-Encoding: chunked") + b"0\r\nA: b\n\r\n" + HIDDEN,
    "trailer folded": post(b"Transfer-Encoding: chunked") + b"0\r\nA: b\r\n c\r\n\r\n" + HIDDEN,
    "trailer CL": post(b"Transfer-Encoding: chunked") + b"0\r\nContent-Length: 9\r\n\r\n" + HIDDEN,
    "trailer without colon": post(b"Transfer-Encoding: chunked") + b"0\r\nA\r\n\r\n" + HIDDEN,
    # Whose Host?
    "Host twice": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + HIDDEN,
    "Host twice, the same": b"GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n" + HIDDEN,
    "Host as a list": b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n" + HIDDEN,
    "Host missing": b"GET / HTTP/1.1\r\n\r\n" + HIDDEN,
    "Host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n" + HIDDEN,
    "Host with a user": b"GET / HTTP/1.1\r\nHost: x@y\r\n\r\n" + HIDDEN,
    "Host, space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n" + HIDDEN,
    "user in the target": b"GET http://x@y/ HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
    # Another protocol behind this one.
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" + HIDDEN,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
}

UPGRADE = (b"Connection: Upgrade", b"Upgrade: h2c")
WITHIN: dict[str, bytes] = {
    "body": post(b"Content-Length: 33") + HIDDEN,
    "upgrade with CL": post(*UPGRADE, b"Content-Length: 33") + HIDDEN,
    "upgrade with TE": post(*UPGRADE, b"Transfer-Encoding: chunked")
    + b"21\r\n"
    + HIDDEN
    + b"\r\n0\r\n\r\n",
    "chunk": post(b"Transfer-Encoding: chunked") + b"21\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    "a body of a GET": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n" + HIDDEN,
    "a body of a HEAD": b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n" + HIDDEN,
    "close": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + HIDDEN,
}
"""Messages that are right, but only if all of ``HIDDEN`` is seen for what it is."""


class Smuggling(SynchronousTestCase):
    def serve(self, data: bytes, chunk: int | None) -> tuple[list[int], list[str], bool]:
        """The statuses, the targets that were served, and whether the connection was closed."""
        served: list[str] = []

        async def handle(request: Request) -> Response:
            served.append(request.target)
            await request.body.read()
            return Response()

        link = MemoryHttp(handle, faults=Faults(capacity=1 << 20, chunk=chunk, seed=len(data)))
        peer = link.connect_raw()
        peer.socket.send(data)
        link.advance(2)
        statuses = [
            each.status
            for each in answers(bytes(peer.received), heads=(0,) if data[:4] == b"HEAD" else ())
        ]
        gone = peer.gone
        link.close()
        return statuses, served, gone

    def test_refused(self) -> None:
        """One answer, an error; the connection is closed."""
        for name, data in CASES.items():
            for chunk in (None, 1, 7):
                statuses, served, gone = self.serve(data, chunk)
                self.assertNotIn("/hidden", served, name)
                self.assertEqual(len(statuses), 1, name)
                self.assertIn(statuses[0], (400, 413, 501, 505), name)
                self.assertTrue(gone, name)

    def test_within(self) -> None:
        """One answer, the right one; what is within a body is no request."""
        self.assertEqual(len(HIDDEN), 0x21)
        for name, data in WITHIN.items():
            for chunk in (None, 1, 7):
                statuses, served, _ = self.serve(data, chunk)
                self.assertEqual((statuses, served), ([200], ["/"]), name)

    def test_good_neighbours(self) -> None:
        """What is right around it is served; so the server above is not merely deaf."""
        statuses, served, gone = self.serve(post(b"Content-Length: 0") + HIDDEN, None)
        self.assertEqual((statuses, served, gone), ([200, 200], ["/", "/hidden"], False))
