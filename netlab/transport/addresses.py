"""Addresses: as Twisted knows them, made of what sockets say, and as text for people."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from netlab.escaping import escape

RawAddress = IAddress | tuple[Any, ...] | str | bytes | None


def address_of(raw: RawAddress) -> IAddress:
    """A Twisted address made of what a socket calls one; an address stays as it is."""
    if isinstance(raw, tuple):
        if len(raw) == 2:
            return IPv4Address("TCP", raw[0], raw[1])
        return IPv6Address("TCP", *raw)
    if raw is None or isinstance(raw, (str, bytes)):
        return UNIXAddress(raw or None)
    return raw


def address_text(address: IAddress | None) -> str:
    """``127.0.0.1:8032``, ``[::1]:8032``, ``unix:/run/x.sock``, or ``a UNIX socket``."""
    if isinstance(address, IPv4Address):
        return f"{escape(address.host)}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{escape(address.host)}]:{address.port}"
    if isinstance(address, UNIXAddress):
        name = address.name
        return f"unix:{escape(name)}" if name else "a UNIX socket"
    return escape(str(address))


def ip_of(address: IAddress | None) -> tuple[str, int]:
    """Host and port of ``address``; a UNIX socket is given the unspecified ones."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return str(address.host), int(address.port)
    return "0.0.0.0", 0
