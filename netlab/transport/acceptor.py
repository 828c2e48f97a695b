"""Accepting: as many as there is room for, and with patience when the system has none."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from .hub import READ, Hub
from .log import Log

_BATCH = 8
"""Connections accepted in one turn: each costs as much as some tens of messages, and
those who are connected wait meanwhile."""
_BACKLOG = 4096
"""Connections that the kernel holds for us; Twisted's 50 overflow in a burst, which costs
each client a second. Also how many are taken on when the listener is about to close."""
_BACK_OFF = 1.0
"""Seconds without accepting after the operating system refused a descriptor."""
_TRANSIENT = (errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR)


class Acceptor:
    """Accepts on a listening, non-blocking socket.

    ``accepted(sock, address)`` is called for each connection; ``refused()``
    when the operating system will not give one. ``backlog`` is what the endpoint asked for;
    less than ``_BACKLOG`` is raised to it. After such an error (too many
    open files, no memory) it leaves the listener alone for a second: the
    reactor's own port would come back to it at once, and log each time.
    """

    log = Log()

    def __init__(
        self,
        hub: Hub,
        listener: socket.socket,
        accepted: Callable[[socket.socket, Any], None],
        refused: Callable[[], None],
        backlog: int = 0,
    ) -> None:
        self.hub = hub
        self.listener = listener
        self.accepted = accepted
        self.refused = refused
        self._fd = listener.fileno()
        self._closed = False
        self._resume_at: float | None = None
        listener.listen(max(backlog, _BACKLOG))
        if listener.family != getattr(socket, "AF_UNIX", None):
            # Accepted sockets inherit these, which saves two calls for each.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hub.register(self._fd, self, READ)

    def readable(self) -> None:
        """Accepts after the turn's other work: no descriptor changes hands within it."""
        self.hub.soon(self._accept_some)

    def event(self, mask: int) -> None:
        """Errors of a listener show themselves in ``accept``."""
        self.hub.soon(self._accept_some)

    def flush(self) -> None:
        """Nothing is ever written to a listener."""

    def failed(self) -> None:
        """Another try comes with the next connection."""

    def close(self) -> None:
        """Takes on what the system has accepted already, then listens no more.

        The listening socket itself belongs to its port, which closes it.
        """
        if not self._closed:
            self._accept(_BACKLOG)
            self._closed = True
            self.hub.unregister(self._fd)
            self.hub.stop_ticking(self._tick)

    def _accept_some(self) -> None:
        if not self._closed and self._resume_at is None:
            self._accept(_BATCH)

    def _accept(self, most: int) -> None:
        accept = self.listener.accept
        for _ in range(most):
            try:
                sock, address = accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _TRANSIENT:
                    continue
                self.refused()
                self._back_off(error)
                return
            sock.setblocking(False)
            self.accepted(sock, address)

    def _back_off(self, error: OSError) -> None:
        if self._resume_at is not None:  # closing; it was said already
            return
        self.log.warn(
            "cannot accept connections: {reason}; trying again in {seconds:g} s",
            reason=error.strerror,
            seconds=_BACK_OFF,
        )
        self._resume_at = self.hub.now + _BACK_OFF
        self.hub.modify(self._fd, 0)
        self.hub.start_ticking(self._tick)

    def _tick(self, now: float) -> None:
        if self._resume_at is not None and now >= self._resume_at:
            self._resume_at = None
            self.hub.stop_ticking(self._tick)
            self.hub.modify(self._fd, READ)
