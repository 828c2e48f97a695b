"""What a client endpoint string names, read without a reactor.

``tcp:HOST:PORT``, ``tls:HOST:PORT`` and ``unix:PATH``, the forms that the
blocking client and the command line understand. The client on Twisted takes
every endpoint string that Twisted takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlab.errors import ConfigurationError

from .escaping import escape

EXAMPLES = "tcp:localhost:8032, tls:example.org:8443 or unix:/run/netlab.sock"
KINDS = ("tcp", "tls", "unix")

_FIELD = re.compile(r"((?:\\.|[^:\\])*)(?::|$)")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: ``kind`` is tcp, tls or unix; ``path`` is for unix, the rest for the others."""

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}"
        host = self.host.replace(":", "\\:")
        return f"{self.kind}:{host}:{self.port}"


def looks_like_endpoint(text: str) -> bool:
    """Whether ``text`` begins as an endpoint string does."""
    return text.partition(":")[0] in (*KINDS, "ssl", "tcp6") and ":" in text


def parse_target(text: str) -> Target:
    """What ``text`` names; a colon within a field is written ``\\:``, or the host in brackets.

    Raises ``ConfigurationError`` that says what would be right.
    """
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        hint = "a TLS server is connected to with tls:" if kind == "ssl" else f"write {EXAMPLES}"
        raise _wrong(text, f"{kind!r} is no kind of endpoint to connect to; {hint}")
    bracketed = re.fullmatch(r"\[([^\]]*)\]:(.*)", rest)
    if bracketed:
        fields = [bracketed[1], bracketed[2]]
    else:
        fields = [re.sub(r"\\(.)", r"\1", each) for each in _split(rest)]
    if kind == "unix":
        if len(fields) != 1 or not fields[0]:
            raise _wrong(text, "give one path, as in unix:/run/netlab.sock")
        return Target(kind, path=fields[0])
    if len(fields) != 2 or not fields[0]:
        raise _wrong(text, f"give a host and a port, as in {kind}:localhost:8032")
    host, port = fields
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise _wrong(text, f"the port must be a number from 1 to 65535, not {escape(port)!r}")
    return Target(kind, host, int(port))


def _split(rest: str) -> list[str]:
    fields = []
    position = 0
    while True:
        match = _FIELD.match(rest, position)
        assert match is not None
        fields.append(match[1])
        if match.end() == len(rest) and not match[0].endswith(":"):
            return fields
        if match.end() == position:  # a lone backslash at the very end
            return [*fields[:-1], rest[position:]]
        position = match.end()


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"endpoint {escape(text)!r}: {why}")
