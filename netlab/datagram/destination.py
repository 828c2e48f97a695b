"""Where datagrams are to go: what a person or a program writes, read without a socket."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from netlab.errors import ConfigurationError
from netlab.escaping import escape

DEFAULT_PORT = 8007
"""The UDP echo of ``twistd netlab``."""

_OTHER_KINDS = {
    "udp6": "write udp:HOST:PORT, for IPv6 as well",
    "tcp": "tcp: is for messages; datagrams go to udp:HOST:PORT",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """A host, by name or address, and a port; as a ``str``, ``HOST:PORT``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_destination(text: str, default_port: int | None = None) -> Destination:
    r"""What ``HOST:PORT`` means; ``udp:HOST:PORT`` is the same.

    An IPv6 address goes in brackets, ``[::1]:8007``, or has its colons escaped as in
    Twisted's endpoint strings, ``udp:\:\:1:8007``. With a ``default_port`` the port may be
    missing, and an IPv6 address then stands alone: ``::1``.

    Raises ``ConfigurationError`` that says what would be right.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind in _OTHER_KINDS:
        raise _wrong(text, _OTHER_KINDS[kind])
    if colon and kind == "udp":
        if re.fullmatch(r"\d*(:interface=.*)?", rest):
            raise _wrong(text, f"a host and a port are needed, as in udp:localhost:{DEFAULT_PORT}")
    else:
        rest = text
    host, port = _split(text, rest, default_port is not None)
    if not host or not all(each.isprintable() and each not in " []/@" for each in host):
        raise _wrong(text, "the host must be a name or an address")
    if port is None:
        if default_port is None:
            example = Destination(host, DEFAULT_PORT)
            raise _wrong(text, f"the port is missing; write for example {example}")
        return Destination(host, default_port)
    if not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise _wrong(text, f"the port must be a number from 1 to 65535, not '{escape(port)}'")
    return Destination(host, int(port))


def _split(text: str, rest: str, bare: bool) -> tuple[str, str | None]:
    """The host and the port in ``rest``; ``bare``: an IPv6 address may stand without a port."""
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", rest, re.DOTALL)
    if bracketed:
        if not _is_ipv6(bracketed[1]):
            raise _wrong(text, f"'{escape(bracketed[1])}' in brackets is not an IPv6 address")
        return bracketed[1], bracketed[2]
    if bare and _is_ipv6(rest):
        return rest, None
    host, colon, port = rest.rpartition(":")
    if not colon:
        return rest, None
    plain = host.replace("\\:", ":")
    if ":" in host.replace("\\:", "") or (":" in plain and not _is_ipv6(plain)):
        if _is_ipv6(plain):
            raise _wrong(text, f"write the address in brackets: [{plain}]:{escape(port)}")
        if _is_ipv6(rest):
            raise _wrong(text, f"write the address in brackets: [{rest}]:{DEFAULT_PORT}")
        raise _wrong(text, f"write HOST:PORT, for example localhost:{DEFAULT_PORT}")
    return plain, port


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"'{escape(text)}': {why}")
