"""Where datagram servers listen: ``udp:`` endpoint strings."""

from __future__ import annotations

import ipaddress
import re

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.transport import has_ipv6

DEFAULT_PORT = 8007
EXAMPLES = "udp:8007, udp:8007:interface=127.0.0.1, udp6:8007 or udp6:8007:interface=::1"

_KINDS = {"udp": "0.0.0.0", "udp6": "::"}


def parse_endpoint(text: str) -> tuple[str, int]:
    r"""The address and port that ``udp:PORT[:interface=ADDR]`` or ``udp6:…`` means.

    Without an interface it is every address of the machine, of that family.
    The colons of an IPv6 address may be escaped (``\:``), as Twisted's strings
    want them, or not. Raises ``ConfigurationError``.
    """
    kind, colon, rest = text.partition(":")
    if kind not in _KINDS:
        if kind.isdigit() and not colon:
            raise _wrong(text, f"say what kind of endpoint it is: udp:{kind}")
        raise _wrong(text, f"{escape(kind)!r} is not udp or udp6")
    number, _, options = rest.partition(":")
    port = int(number) if re.fullmatch("[0-9]{1,5}", number) else -1
    if not 0 <= port <= 65535:
        raise _wrong(text, f"{escape(number)!r} is not a port from 0 to 65535")
    if not options:
        return _KINDS[kind], port
    name, equals, value = options.partition("=")
    if name != "interface" or not equals:
        raise _wrong(text, f"{escape(options)!r} is not interface=ADDRESS")
    host = value.replace("\\:", ":").strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise _wrong(text, f"interface={escape(value)!r} is not a numeric address") from None
    if address.version == 4 and kind == "udp6":
        raise _wrong(text, f"{address} is an IPv4 address: write udp:{port}:interface={address}")
    if address.is_multicast or host == "255.255.255.255":
        raise _wrong(text, f"{address} is not an address of one machine")
    return host, port


def loopback(port: int) -> list[str]:
    """Endpoint strings for ``port`` on this machine's own addresses only."""
    both = [f"udp:{port}:interface=127.0.0.1"]
    if has_ipv6():
        both.append(f"udp6:{port}:interface=::1")
    return both


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"endpoint {escape(text)!r}: {why}; write for example {EXAMPLES}")
