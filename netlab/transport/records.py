"""Reading and writing TLS records, with as little as possible between Python and OpenSSL.

pyOpenSSL spends more on each ``recv`` and ``send`` than OpenSSL does on a small
record: a new buffer, a call to look for errors, a look at callbacks that only a
handshake uses. ``DirectRecords`` calls ``SSL_read`` and ``SSL_write`` as pyOpenSSL
does, through the same bindings, and leaves everything unusual to pyOpenSSL's own
methods. Those bindings are not a promise of pyOpenSSL's; where they look
different one day, ``PublicRecords`` does the same by its public methods.
"""

from __future__ import annotations

from typing import Any, Protocol

from OpenSSL import SSL

from netlab.framing.base import BytesLike

RECORD = 16 * 1024
"""The most plain text that one TLS record holds (RFC 8446, section 5.1)."""
_RECORDS = 8
_WRITE = 128 * 1024
"""The most given to one SSL_write, which says only at its end that it made progress."""


class Records(Protocol):
    """One connection's records; the handshake is done."""

    def read(self) -> bytes:
        """The plain text of the records that are there, 128 KiB at most, never empty.

        Raises ``SSL.WantReadError`` when there are none, and pyOpenSSL's other errors.
        """

    def pending(self) -> int:
        """How many bytes of plain text wait in OpenSSL, which the kernel knows nothing of."""

    def write(self, data: BytesLike) -> int:
        """Encrypts and sends from the start of ``data``; returns how many bytes.

        Raises ``SSL.WantWriteError`` when the socket is full: then call again with
        bytes that begin the same. And pyOpenSSL's other errors.
        """


class PublicRecords:
    """Records by pyOpenSSL's public methods."""

    __slots__ = ("_tls",)

    def __init__(self, tls: SSL.Connection) -> None:
        self._tls = tls

    def read(self) -> bytes:
        """See ``Records.read``."""
        return self._tls.recv(RECORD)

    def pending(self) -> int:
        """See ``Records.pending``."""
        return self._tls.pending()

    def write(self, data: BytesLike) -> int:
        """See ``Records.write``."""
        return self._tls.send(data)


class DirectRecords:
    """Records by OpenSSL's own functions."""

    __slots__ = ("_error", "_ssl", "_tls")

    def __init__(self, tls: SSL.Connection) -> None:
        self._tls = tls
        self._ssl = tls._ssl
        self._error: SSL.Error | None = None
        # One call then writes many records. Progress shows only at its end,
        # which is why write() gives it a bounded piece.
        _clear_mode(self._ssl, _PARTIAL_WRITE)

    def read(self) -> bytes:
        """See ``Records.read``."""
        if self._error is not None:
            raise self._error
        ssl = self._ssl
        got = _read(ssl, _buffer, RECORD)
        if got < RECORD:
            if got > 0:
                return _plain_text(got)
            return self._tls.recv(RECORD)  # nothing, or trouble: pyOpenSSL knows which
        total = got
        while got == RECORD and total < _BUFFER:
            # A full record is, as a rule, part of something longer.
            got = _read(ssl, _buffer + total, RECORD)
            if got > 0:
                total += got
            elif _get_error(ssl, got) != _WANT_READ:
                data = _plain_text(total)
                return data + self._last_words()
        return _plain_text(total)

    def _last_words(self) -> bytes:
        """What pyOpenSSL makes of the trouble; an error is kept for the next ``read``.

        It also empties OpenSSL's queue of errors, which all connections share.
        """
        try:
            return self._tls.recv(RECORD)
        except SSL.Error as error:
            self._error = error
            return b""

    def pending(self) -> int:
        """See ``Records.pending``."""
        count: int = _pending(self._ssl)
        return count

    def write(self, data: BytesLike) -> int:
        """See ``Records.write``."""
        sent: int = _write(self._ssl, _from_buffer(data), min(len(data), _WRITE))
        if sent > 0:
            return sent
        return self._tls.send(data[:_WRITE])


_BUFFER = _RECORDS * RECORD
_direct = False
try:
    _lib: Any = SSL._lib  # type: ignore[attr-defined]
    _ffi: Any = SSL._ffi  # type: ignore[attr-defined]
    _read, _write, _clear_mode = _lib.SSL_read, _lib.SSL_write, _lib.SSL_clear_mode
    _pending = _lib.SSL_pending
    _get_error, _WANT_READ = _lib.SSL_get_error, _lib.SSL_ERROR_WANT_READ
    _PARTIAL_WRITE = _lib.SSL_MODE_ENABLE_PARTIAL_WRITE
    _unpack, _from_buffer = _ffi.unpack, _ffi.from_buffer
    _buffer = _ffi.new("char[]", _BUFFER)
    _direct = True
except AttributeError:
    pass  # another pyOpenSSL than the ones known: its public methods will do


def _plain_text(size: int) -> bytes:
    data: bytes = _unpack(_buffer, size)
    return data


def records_of(tls: SSL.Connection) -> Records:
    """The best way to read and write the records of ``tls``, whose handshake is done."""
    if _direct and hasattr(tls, "_ssl"):
        return DirectRecords(tls)
    return PublicRecords(tls)
