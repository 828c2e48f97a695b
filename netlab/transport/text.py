"""Addresses as text for people."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from netlab.escaping import escape


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
