"""What stands in for a socket, and for the hub that watches it.

A ``SocketStream`` works on anything that behaves like a non-blocking socket.
Where bytes come another way, a ``Plug`` plays the part of the socket *and* of
its hub, so that the very same stream runs on it, deadlines and water marks
included.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from .alarm import Alarm
from .hub import READ, WRITE, Descriptor, Hub

_ERROR = 8  # EPOLLERR, which nobody asks for and everybody hears
_FD = 0  # a plug watches one "descriptor"; its number means nothing


class Plug:
    """The part that every kind has in common: bytes that came, and who waits for them.

    A subclass puts what came into ``_inbox``, sets ``_blocked``, ``_ended`` and
    ``_error``, and calls ``_announce`` after each change; it adds ``sendmsg``,
    ``shutdown`` and ``close``.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._stream: Descriptor | None = None
        self._mask = 0
        self._inbox: list[bytes] = []
        self._waiting = 0
        self._blocked = False
        self._ended = False
        self._error: OSError | None = None
        self._abort_on_close = False
        self._announced = False

    def _taken(self) -> None:
        """The stream has read some of ``_inbox``; ``_waiting`` bytes are left."""

    # -- as the stream's hub

    @property
    def log(self) -> Any:
        """See ``Hub``."""
        return self._hub.log

    @property
    def now(self) -> float:
        """See ``Hub``."""
        return self._hub.time()

    @property
    def mark(self) -> float:
        """See ``Hub``."""
        return self._hub.mark

    @mark.setter
    def mark(self, time: float) -> None:
        self._hub.mark = time

    @property
    def turning(self) -> bool:
        """See ``Hub``."""
        return self._hub.turning

    @property
    def dirty(self) -> list[Descriptor]:
        """See ``Hub``."""
        return self._hub.dirty

    def time(self) -> float:
        """See ``Hub``."""
        return self._hub.time()

    def call_at(self, when: float, function: Callable[[], None]) -> Alarm:
        """See ``Hub``."""
        return self._hub.call_at(when, function)

    def soon(self, function: Callable[[], None]) -> None:
        """See ``Hub``."""
        self._hub.soon(function)

    def mark_dirty(self, descriptor: Descriptor) -> None:
        """See ``Hub``."""
        self._hub.mark_dirty(descriptor)

    def register(self, fd: int, descriptor: Descriptor, mask: int) -> None:
        """See ``Hub``."""
        self._stream = descriptor
        self._mask = mask
        self._announce()

    def modify(self, fd: int, mask: int) -> None:
        """See ``Hub``."""
        self._mask = mask
        self._announce()

    def unregister(self, fd: int) -> None:
        """See ``Hub``."""
        self._stream = None

    def _ready(self) -> int:
        mask = 0
        if self._inbox or self._ended:
            mask |= READ
        if not self._blocked:
            mask |= WRITE
        mask &= self._mask
        if self._error is not None and not self._first_read(mask):
            mask |= _ERROR
        return mask

    def _first_read(self, mask: int) -> bool:
        """Whether what came goes before the error; on plain TCP a reset takes it away."""
        return bool(self._inbox and mask & READ)

    def _announce(self) -> None:
        """Tells the stream in the hub's next turn that it can go on."""
        if not self._announced and self._stream is not None and self._ready():
            self._announced = True
            self._hub.soon(self._serve)

    def _serve(self) -> None:
        self._announced = False
        self._hub.mark = monotonic()
        ready = self._ready()
        if self._stream is None or not ready:
            return
        try:
            if ready == READ:
                self._stream.readable()
            else:
                self._stream.event(ready)
        except Exception:
            self._hub.log.failure("internal error in {stream}", stream=self._stream)
            if self._stream is not None:
                self._stream.failed()
        self._announce()

    # -- as the stream's socket

    def fileno(self) -> int:
        """A stand-in; the plug is the only one who hears it."""
        return _FD

    def recv(self, size: int) -> bytes:
        """See ``socket.recv``."""
        if not self._inbox:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            raise BlockingIOError
        data = b"".join(self._inbox) if len(self._inbox) > 1 else self._inbox[0]
        self._inbox = [data[size:]] if len(data) > size else []
        data = data[:size]
        self._waiting -= len(data)
        self._taken()
        return data

    def send(self, data: bytes) -> int:
        """See ``socket.send``."""
        return self.sendmsg([data])

    def sendmsg(self, buffers: list[bytes]) -> int:
        """See ``socket.sendmsg``."""
        raise NotImplementedError

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """The one option that a stream sets: to reset when it closes."""
        if option == socket.SO_LINGER:
            self._abort_on_close = True

    def getsockopt(self, level: int, option: int) -> int:
        """The one option that a stream asks for: the pending error."""
        return 0 if self._error is None else self._error.errno or 0
