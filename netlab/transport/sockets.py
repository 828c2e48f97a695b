"""Streams on plain sockets: the path that every message of a busy server takes."""

from __future__ import annotations

import socket
from array import array
from os import read, write
from time import monotonic
from typing import Any

from .hub import READ, WRITE, Hub
from .stats import Stats
from .stream import CLOSING, JOIN, Stream

_MAX_VECTOR = 64
"""Buffers given to one sendmsg(2)."""
_SECOND_READ = 4096
"""How much to ask for once a read came back full."""


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
        if self._hold and self._stop_reading():
            return
        try:
            data = self._sock.recv(self.read_size)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        self.hub.mark = monotonic()
        self._came(data)

    def _came(self, data: bytes) -> None:
        size = len(data)
        if not size:
            self._end_of_input()
            return
        if size == self.read_size < JOIN:  # it has more to say
            self.read_size = _SECOND_READ if size < _SECOND_READ else JOIN
        self.last_activity = self.hub.now
        self.stats.bytes_in += size
        if not self._hold & CLOSING:  # else the peer's last words are not wanted
            self._hand_on(data)

    @staticmethod
    def serve_batch(hub: Hub, streams: list[SocketStream]) -> None:
        """Does for all of ``streams`` what ``readable`` and ``flush`` do for one.

        Read all, then handle all, then send all: that keeps the processor's
        caches warm for each, and wakes a peer once. Every message of a busy
        server passes here: mind the cost of every line. What is not one answer
        to one read of a stream in its plain state is left to the code above and
        to ``Stream``.
        """
        came: list[tuple[SocketStream, bytes]] = []
        for stream in streams:
            try:
                # os.read() and os.write() parse their arguments faster than a socket does.
                if not stream._hold or not stream._stop_reading():
                    came.append((stream, read(stream._fd, stream.read_size)))
            except BlockingIOError:
                pass
            except OSError as error:
                stream._broken(error)
            except Exception:
                hub.blame(stream)
        hub.mark = monotonic()
        while came:  # once for each server that these streams belong to
            stats = came[0][0].stats
            mine, came = came, []
            for answered in SocketStream._handle_batch(hub, stats, mine, came):
                if not answered._dirty:
                    answered._dirty = True
                    hub.dirty.append(answered)

    @staticmethod
    def _handle_batch(
        hub: Hub,
        stats: Stats,
        came: list[tuple[SocketStream, bytes]],
        others: list[tuple[SocketStream, bytes]],
    ) -> list[SocketStream]:
        """Handles what ``came`` and answers; returns the streams that need a ``flush``.

        What is not counted in ``stats`` is put into ``others``.
        """
        now = hub.now
        received = 0
        answered: list[SocketStream] = []
        for stream, data in came:
            if stream.stats is not stats:
                others.append((stream, data))
                continue
            try:
                size = len(data)
                if not 0 < size < stream.read_size or stream._hold:
                    stream._came(data)
                    continue
                stream.last_activity = now
                received += size
                answer = stream.receiver.data_received(data)
                if answer is None:
                    continue
                if stream._out or stream._mask != READ:
                    stream._answer(answer)
                    continue
                stream._out.append(answer)
                stream.buffered = len(answer)
                answered.append(stream)
            except Exception:
                hub.blame(stream)
        stats.bytes_in += received
        stats.messages_in += len(answered)
        stats.messages_out += len(answered)
        ended = monotonic()
        stats.handler_seconds += ended - hub.mark
        hub.mark = ended

        given = 0
        left: list[SocketStream] = []
        for stream in answered:
            out = stream._out
            if len(out) != 1 or stream._hold or stream._mask != READ:
                left.append(stream)
                continue
            try:
                sent = write(stream._fd, out[0])
            except OSError:
                left.append(stream)  # tries again, and knows what to do about it
                continue
            if sent == stream.buffered:
                out.clear()
                stream.buffered = 0
                given += sent
            else:
                stream._sent(sent)
        stats.bytes_out += given
        return left

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
