"""What ``twistd netlab`` prints when it is up: what listens where, and a line to try."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TextIO

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from netlab.escaping import escape
from netlab.transport import address_text

_EVERYWHERE = ("0.0.0.0", "::")
_WIDTH = 80
_PATHS = {"rfc": "/rfc/rfc2324.txt", "cache": "/"}
"""What to fetch from each service on HTTP."""


@dataclass(frozen=True, slots=True)
class Listening:
    """One listener: its service, the endpoint string it came from, where it is, its framing.

    ``codec`` is that of an api, which can be asked what it offers; empty of anything else.
    """

    service: str
    endpoint: str
    address: IAddress
    framing: str
    codec: str = ""

    @property
    def where(self) -> str:
        """The address, in words where numbers would mislead."""
        address = self.address
        if isinstance(address, (IPv4Address, IPv6Address)) and address.host in _EVERYWHERE:
            return f"port {address.port}, all addresses"
        return address_text(address)

    @property
    def try_it(self) -> str:
        """A command that talks to it."""
        address = self.address
        if isinstance(address, (IPv4Address, IPv6Address)) and address.type == "UDP":
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, escape(address.host))
            if address.port == 8007:
                return f"netlab ping {host}"
            return f"netlab ping {f'[{host}]' if ':' in host else host}:{address.port}"
        tls = self.endpoint.removeprefix("haproxy:").startswith(("ssl:", "tls:"))
        if self.service in _PATHS and not self.framing:  # not a program of one's own, called so
            return self._fetch_it(_PATHS[self.service], tls)
        words = ["netlab describe" if self.codec else "netlab send"]
        if self.framing not in ("", "length-prefix"):
            words.append(f"--framing {shlex.quote(self.framing)}")
        if self.codec not in ("", "json"):
            words.append(f"--codec {self.codec}")
        if isinstance(address, UNIXAddress):
            words.append(shlex.quote(address_text(address)))
        elif isinstance(address, (IPv4Address, IPv6Address)):
            local = address.host in (*_EVERYWHERE, "127.0.0.1")
            host = "localhost" if local else escape(address.host)
            host = f"[{host}]" if ":" in host else host
            if tls:
                words.append(f"--ca CA.pem tls:{host}:{address.port}")
            elif not local or address.port != 8032:
                words.append(f"tcp:{host}:{address.port}")
        if not self.codec:
            words.append("hello")
        return " ".join(words)

    def _fetch_it(self, path: str, tls: bool) -> str:
        """The same for HTTP."""
        address = self.address
        if isinstance(address, UNIXAddress):
            place = shlex.quote(address_text(address).removeprefix("unix:"))
            return f"curl --unix-socket {place} localhost{path}"
        if not isinstance(address, (IPv4Address, IPv6Address)):
            return ""
        local = address.host in (*_EVERYWHERE, "127.0.0.1")
        host = "localhost" if local else escape(address.host)
        where = f"{f'[{host}]' if ':' in host else host}:{address.port}"
        if tls:
            return f"curl --cacert CA.pem https://{where}{path}"
        quoted = f"'{where}{path}'" if "[" in where else f"{where}{path}"
        return f"curl {'-g ' if '[' in where else ''}{quoted}"

    @property
    def warning(self) -> str | None:
        """What an operator should know about this listener."""
        endpoint = self.endpoint.removeprefix("haproxy:")
        if endpoint.startswith("unix:") and ":mode=" not in endpoint:
            return f"any local user may connect to {address_text(self.address)}: add :mode=660"
        return None


def print_table(stream: TextIO, rows: list[Listening]) -> None:
    """Writes the table of ``rows`` to ``stream``."""
    lines = [("service", "listens on", "try")]
    lines += [(row.service, row.where, row.try_it) for row in rows]
    first, second = (max(len(line[column]) for line in lines) for column in (0, 1))
    narrow = first + second + max(len(line[2]) for line in lines) + 4 <= _WIDTH
    for service, where, command in lines:
        line = f"{service:<{first}}  {where:<{second}}  {command if narrow else ''}"
        print(line.rstrip(), file=stream)
    if not narrow:
        for number, (_, _, command) in enumerate(lines[1:]):
            print(f"{'' if number else 'try':<{first}}  {command}", file=stream)
    for warning in dict.fromkeys(row.warning for row in rows if row.warning):
        print(f"note: {warning}", file=stream)
    stream.flush()
