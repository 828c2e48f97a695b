"""From a host's name to addresses that datagrams can be sent to, and errors in plain words."""

from __future__ import annotations

import errno
import socket
from typing import Any

from netlab.errors import Unreachable
from netlab.escaping import escape

from .destination import Destination

Address = tuple[int, tuple[Any, ...]]
"""A family, as ``socket.AF_INET``, and an address of it, as ``sendto`` takes it."""


def look_up(destination: Destination, flags: int = 0) -> list[Address]:
    """The addresses of ``destination``, in the order of the system's resolver, which may block.

    Raises ``Unreachable``.
    """
    try:
        found = socket.getaddrinfo(
            destination.host, destination.port, type=socket.SOCK_DGRAM, flags=flags
        )
    except (OSError, UnicodeError) as error:
        raise unreachable(destination, error) from error
    return [(family, address) for family, _, _, _, address in found]


def numeric(destination: Destination) -> list[Address] | None:
    """The address of ``destination`` when it needs no look-up: this never blocks."""
    try:
        return look_up(destination, socket.AI_NUMERICHOST)
    except Unreachable:
        return None


def unreachable(destination: Destination, error: Exception) -> Unreachable:
    """What ``error`` means to somebody who wants to get to ``destination``."""
    return Unreachable(f"cannot reach {escape(str(destination))}: {reason(error)}")


def reason(error: Exception) -> str:
    """Why something did not get there, to be read after a colon."""
    if isinstance(error, socket.gaierror):
        unknown = error.errno == socket.EAI_NONAME
        return "the host name is not known" if unknown else _lower(error)
    if isinstance(error, UnicodeError):
        return "the host name is not one"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens on that port; is the server running?"
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return "the system does not permit it (is it a broadcast address?)"
    return _lower(error)


def _lower(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return escape(text[:1].lower() + text[1:])
