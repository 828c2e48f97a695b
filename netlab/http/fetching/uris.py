"""Where a request goes: what an http or https URI says (RFC 9110, 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin

from twisted.internet.abstract import isIPv6Address

from netlab.errors import LocalProtocolError
from netlab.escaping import escape

from ..target import AUTHORITY

_URI = re.compile(r"(https?)://([^/?#]*)([!-~]*)", re.IGNORECASE)
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_LONGEST_NAME = 254  # with the dot at its end (RFC 1035, 2.3.4)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Where:
    """A URI in its parts.

    host    in lower case, an IPv6 address without its brackets
    target  path and query exactly as they were given; '' if there is neither
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_field(self) -> str:
        """The value of ``Host``: without the port that the scheme has anyway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a URI."""
        return f"{self.scheme}://{self.host_field}"

    def __str__(self) -> str:
        return self.origin + self.target


def parse_uri(uri: str) -> Where:
    """The parts of ``uri``; its fragment, if any, is left out.

    Raises ``LocalProtocolError`` for what is no http or https URI; user names and
    passwords in it are not allowed (RFC 9110, 4.2.4).
    """
    match = _URI.fullmatch(uri)
    if match is None or not AUTHORITY.fullmatch(match[2]):
        raise LocalProtocolError(
            f"'{escape(uri)}' cannot be fetched: give http://HOST:PORT/PATH or https://..., "
            "percent-encoded"
        )
    scheme = match[1].lower()
    host, port = match[2].lower(), ""
    if not host.endswith("]"):
        name, colon, digits = host.rpartition(":")
        if colon:
            host, port = name, digits
    target = match[3].partition("#")[0]
    return Where(
        scheme,
        host.strip("[]"),
        int(port or _PORTS[scheme]),
        "/" + target if target.startswith("?") else target,
    )


def check_host(host: str) -> None:
    """Raises ``ValueError`` for what is neither an address nor can be a name in the DNS.

    Twisted's resolver never answers for a label that is too long.
    """
    if not isIPv6Address(host) and (len(host) > _LONGEST_NAME or not _NAME.fullmatch(host)):
        raise ValueError(f"'{escape(host)}' is no host name")


def redirected(where: Where, location: str) -> Where | None:
    """Where ``location`` in an answer of ``where`` leads (RFC 9110, 10.2.2); ``None``: nowhere."""
    try:
        return parse_uri(urljoin(str(where), location))
    except (LocalProtocolError, ValueError):
        return None
