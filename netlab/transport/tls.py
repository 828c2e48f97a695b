"""TLS on the socket itself.

Twisted's own TLS copies each byte through two memory buffers and four calls;
OpenSSL can as well read and write the socket directly. The contexts are those
of Twisted's endpoints (certificates, SNI, reloading), so ``ssl:`` and ``tls:``
mean what they mean everywhere else.
"""

from __future__ import annotations

import errno
import socket
from time import monotonic
from typing import Any

from OpenSSL import SSL
from twisted.internet.protocol import Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from netlab.errors import HandshakeTimeout, TLSFailed
from netlab.framing.base import BytesLike

from .contexts import Wishes
from .hub import READ, WRITE
from .records import RECORD, Records, records_of
from .sockets import unsent
from .stream import CLOSING, Stream

_JOIN_MOST = 256 * 1024
_CORK: int = getattr(socket, "TCP_CORK", 0)
_PLAIN_CALLERS = ("http request", "https proxy request", "wrong version number", "record layer")


class TLSStream(Stream):
    """A stream that is encrypted; the receiver hears of it when the handshake is done."""

    __slots__ = ("_can_cork", "_handshaking", "_records", "_started", "_tls")

    wishes = Wishes()

    _tls: SSL.Connection
    _records: Records
    _can_cork: bool
    _handshaking: bool
    _started: float

    def start_tls(self, context: SSL.Context) -> None:
        """Begins the handshake as a server; ``connected`` follows when it is done."""
        self._handshaking = True
        self._started = self.hub.now
        self._tls = self.wishes.connection(context, self._sock)
        self._can_cork = bool(_CORK) and self._sock.family != socket.AF_UNIX
        self.hub.register(self._fd, self, READ)
        if self.limits.handshake_timeout is not None:
            self.next_check = self._started + self.limits.handshake_timeout
        self._handshake()

    def get_handle(self) -> Any:
        """The ``OpenSSL.SSL.Connection``."""
        return self._tls

    def check(self, now: float) -> None:
        """See ``Stream.check``; until the handshake is done only its own deadline counts."""
        if not self._handshaking:
            super().check(now)
            return
        timeout = self.limits.handshake_timeout
        if timeout is not None and now - self._started >= timeout:
            self.abort(HandshakeTimeout(f"no TLS handshake within {timeout:g} s"))

    def drain(self) -> None:
        """See ``Stream.drain``; who is still shaking hands has asked for nothing yet."""
        if self._handshaking:
            self._finish(None)
        else:
            super().drain()

    def readable(self) -> None:
        """Reads the records that are there, a few at most, and hands on what they hold."""
        if self._handshaking:
            self._handshake()
            return
        if self._hold and self._stop_reading():
            return
        try:
            data = self._records.read()
        except SSL.WantReadError:
            return
        except SSL.WantWriteError:  # a key update must be answered first
            self._set_mask(self._mask | WRITE)
            return
        except SSL.ZeroReturnError:
            self._end_of_input()
            return
        except SSL.Error as error:
            self._tls_broken(error)
            return
        self.last_activity = self.hub.now
        self.hub.mark = monotonic()
        self.stats.bytes_in += len(data)
        if not self._hold & CLOSING:
            self._hand_on(data)
        # What OpenSSL has decrypted already the kernel cannot announce again.
        if not self._ended and self._records.pending():
            self.hub.soon(self._read_rest)

    def _read_rest(self) -> None:
        if not self._ended and not self._hold:
            self.readable()

    def _read_again(self) -> None:
        super()._read_again()
        if not self._hold and not self._ended and not self._handshaking and self._records.pending():
            self.hub.soon(self._read_rest)

    def event(self, mask: int) -> None:
        """See ``Stream.event``."""
        if self._handshaking and mask & WRITE:
            self._handshake()
            return
        super().event(mask)

    def _handshake(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._set_mask(READ)
            return
        except SSL.WantWriteError:
            self._set_mask(READ | WRITE)
            return
        except SSL.Error as error:
            self._tls_broken(error)
            return
        self._handshaking = False
        self._records = records_of(self._tls)
        self._set_mask(READ)
        self.next_check = self.hub.now
        self._connected()
        if not self._ended and not self._hold:
            self.readable()

    def _transmit(self) -> int:
        out = self._out
        if len(out) > 1 and (self.buffered <= _JOIN_MOST or len(out[0]) < RECORD):
            # As few records as can be: each costs a header, a tag and a call.
            out[:] = [b"".join(out)]
        data: BytesLike = out[0]
        sent = 0
        # OpenSSL writes record by record; corked, the kernel sends them as one.
        cork = len(data) > RECORD and self._can_cork
        try:
            if cork:
                self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
            sent = self._records.write(data)
            while sent < len(data):
                sent += self._records.write(memoryview(data)[sent:])
        except (SSL.WantWriteError, SSL.WantReadError):
            if not sent:
                raise BlockingIOError from None
        except SSL.SysCallError as error:
            raise OSError(error.args[0], error.args[1]) from None
        except SSL.Error as error:
            raise OSError(errno.EPIPE, reason_of(error)) from None
        finally:
            if cork:
                self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, 0)
        return sent

    def _in_kernel(self) -> int:
        return unsent(self._sock)

    def _shutdown_write(self) -> None:
        try:
            self._tls.shutdown()  # sends close_notify
        except SSL.Error:
            pass  # the TCP end below says it all the same
        self._sock.shutdown(socket.SHUT_WR)

    def _tls_broken(self, error: SSL.Error) -> None:
        if isinstance(error, SSL.SysCallError):
            code = error.args[0]
            if code == -1 and not self._handshaking:
                # An end without close_notify: the framing tells whether anything is missing.
                self._end_of_input()
            elif code == -1:
                self._finish(TLSFailed("the peer hung up during the TLS handshake"))
            else:
                self._broken(OSError(code, error.args[1]))
            return
        reason = reason_of(error)
        if self._handshaking and any(each in reason for each in _PLAIN_CALLERS):
            reason = f"the peer does not speak TLS ({reason})"
        self._finish(TLSFailed(reason))


def tls_stream(wishes: Wishes) -> type[TLSStream]:
    """A ``TLSStream`` with these ``wishes``."""

    class WishfulStream(TLSStream):
        __slots__ = ()

    WishfulStream.wishes = wishes
    return WishfulStream


def reason_of(error: SSL.Error) -> str:
    """What OpenSSL says of ``error``, as one line of text."""
    if error.args and isinstance(error.args[0], list) and error.args[0]:
        return "; ".join(str(each[-1]) for each in error.args[0])
    return str(error) or type(error).__name__


def context_of(factory: TLSMemoryBIOFactory) -> SSL.Context:
    """The OpenSSL context that a Twisted TLS endpoint would use for its next connection.

    Asked anew for every connection, so that an endpoint may change its
    certificate while it runs.
    """
    stand_in: Any = TLSMemoryBIOProtocol(factory, Protocol(), False)
    context: SSL.Context = factory._creatorCallable(stand_in).get_context()
    return context
