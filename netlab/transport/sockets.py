"""Streams on plain sockets: the path that every message of a busy server takes."""

from __future__ import annotations

import socket
from array import array
from typing import Any

from .hub import READ, WRITE
from .stream import JOIN, Stream

_MAX_VECTOR = 64
"""Buffers given to one sendmsg(2)."""


try:
    from fcntl import ioctl
    from termios import TIOCOUTQ
except ImportError:  # not a POSIX system

    def unsent(sock: Any) -> int:
        """Not known here."""
        return 0

else:

    def unsent(sock: Any) -> int:
        """Bytes in the kernel that the peer's has not taken (SIOCOUTQ, tcp(7), unix(7))."""
        if not isinstance(sock, socket.socket):  # a bridge, or memory
            return 0
        count = array("i", [0])
        try:
            ioctl(sock, TIOCOUTQ, count)
        except OSError:
            return 0
        return count[0]


class SocketStream(Stream):
    """A stream on a connected, non-blocking stream socket: TCP, TCP on IPv6, UNIX."""

    __slots__ = ()

    def readable(self) -> None:
        """Reads once and hands on what came."""
        data = self.fetch()
        if data is not None:
            self.fetched(data)

    def fetch(self) -> bytes | None:
        """See ``FetchingDescriptor``; empty at the end of the stream."""
        if self._hold and self._stop_reading():
            return None
        try:
            return self._sock.recv(self.read_size)
        except BlockingIOError:
            return None
        except OSError as error:
            self._broken(error)
            return None

    def fetched(self, data: bytes) -> None:
        """See ``FetchingDescriptor``."""
        size = len(data)
        if not size:
            self._end_of_input()
            return
        if size == self.read_size < JOIN:
            self.read_size = JOIN  # it has more to say
        self.last_activity = self.hub.now
        self.stats.bytes_in += size
        if self._hold:  # closed: the peer's last words are not wanted
            return
        answer = self.receiver.data_received(data)
        if answer is None:
            return
        if self._mask != READ:
            self.write(answer)
        else:  # write() in short: nothing waits for the kernel
            self._out.append(answer)
            self.buffered += len(answer)
            if not self._dirty:
                self._dirty = True
                self.hub.dirty.append(self)

    def flush(self) -> None:
        """See ``Stream.flush``."""
        self._dirty = False
        out = self._out
        if len(out) == 1 and self._mask == READ and not self._hold:
            # Nearly always: one answer, and the kernel takes it. _send() in short.
            try:
                sent = self._sock.send(out[0])
            except OSError:
                self._send()  # tries again, and knows what to do about it
                return
            if sent == self.buffered:
                self.last_activity = self.hub.now
                out.clear()
                self.buffered = 0
                self.stats.bytes_out += sent
            else:
                self._sent(sent)
        elif not self._ended and not self._mask & WRITE:
            self._send()

    def _in_kernel(self) -> int:
        return unsent(self._sock)

    def _transmit(self) -> int:
        out = self._out
        if len(out) == 1:
            return self._sock.send(out[0])
        if self.buffered <= JOIN:
            return self._sock.send(b"".join(out))
        return self._sock.sendmsg(out[:_MAX_VECTOR])
