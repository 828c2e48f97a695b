"""What a client endpoint string names, read without a reactor.

``tcp:HOST:PORT``, ``tls:HOST:PORT`` and ``unix:PATH``, the forms that the
blocking client and the command line understand. The client on Twisted takes
every endpoint string that Twisted takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlab.errors import ConfigurationError
from netlab.escaping import escape

DEFAULT = "tcp:localhost:8032"
"""The message server of this machine, as ``twistd netlab`` starts it."""
EXAMPLES = f"{DEFAULT}, tls:example.org:8443 or unix:/run/netlab.sock"
KINDS = ("tcp", "tls", "unix")

_SERVER_KINDS = ("ssl", "tcp6")
"""What a person may write who has just started a server."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: ``kind`` is tcp, tls or unix; ``path`` is unix's, the rest the others'.

    As a ``str`` it is an endpoint string again.
    """

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{_quoted(self.path)}"
        return f"{self.kind}:{_quoted(self.host)}:{self.port}"


def looks_like_endpoint(text: str) -> bool:
    """Whether ``text`` begins as an endpoint string does, rightly or not."""
    kind, colon, _ = text.partition(":")
    return bool(colon) and kind in (*KINDS, *_SERVER_KINDS)


def parse_target(text: str) -> Target:
    r"""What ``text`` names; a colon within a field is written ``\:``, or the host in brackets.

    Raises ``ConfigurationError`` that says what would be right.
    """
    kind, colon, rest = text.partition(":")
    if kind not in KINDS or not colon:
        raise _wrong(text, _kind_hint(kind))
    bracketed = re.fullmatch(r"\[([^\[\]]*)\]:(.*)", rest, re.DOTALL)
    fields = [bracketed[1], bracketed[2]] if bracketed and kind != "unix" else _fields(rest)
    if kind == "unix":
        if len(fields) != 1 or not fields[0]:
            raise _wrong(text, "give one path, as in unix:/run/netlab.sock")
        return Target(kind, path=fields[0])
    if len(fields) != 2 or not fields[0]:
        example = f"{kind}:localhost:8032 or {kind}:[::1]:8032"
        raise _wrong(text, f"give a host and a port, as in {example}")
    host, port = fields
    if not all(character.isprintable() and character not in " []" for character in host):
        raise _wrong(text, "the host must be a name or an address")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise _wrong(text, f"the port must be a number from 1 to 65535, not '{escape(port)}'")
    return Target(kind, host, int(port))


def _fields(text: str) -> list[str]:
    fields = [""]
    characters = iter(text)
    for character in characters:
        if character == ":":
            fields.append("")
        elif character == "\\":
            fields[-1] += next(characters, "\\")
        else:
            fields[-1] += character
    return fields


def _quoted(field: str) -> str:
    return re.sub(r"([\\:])", r"\\\1", field)


def _kind_hint(kind: str) -> str:
    if kind == "ssl":
        return "to connect to a TLS server, write tls:HOST:PORT"
    if kind == "tcp6":
        return "write tcp:HOST:PORT, for IPv6 as well"
    return f"write for example {EXAMPLES}"


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"endpoint '{escape(text)}': {why}")
