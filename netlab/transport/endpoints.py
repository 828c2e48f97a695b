"""Endpoint strings: Twisted's, with errors that say what would be right."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.endpoints import clientFromString, quoteStringArgument, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure

from netlab.errors import ConfigurationError, ListenFailed
from netlab.escaping import escape

SERVER_EXAMPLES = (
    "tcp:8032, tcp:8032:interface=127.0.0.1, tcp6:8032, unix:/run/netlab.sock:mode=660 "
    "or ssl:8443:privateKey=key.pem:certKey=cert.pem"
)
_LONGEST_PATH = 107  # unix(7): 108 bytes with the zero at the end
CLIENT_EXAMPLES = "tcp:localhost:8032, tls:example.org:8443 or unix:/run/netlab.sock"


def has_ipv6() -> bool:
    """Whether the IPv6 loopback address can be listened on."""
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def loopback(port: int) -> list[str]:
    """Endpoint strings for ``port`` on this machine's own addresses only."""
    both = [f"tcp:{port}:interface=127.0.0.1"]
    if has_ipv6():
        both.append(f"tcp6:{port}:interface={quoteStringArgument('::1')}")
    return both


def parse_server_endpoint(reactor: Any, text: str) -> IStreamServerEndpoint:
    """The endpoint that ``text`` describes (``twisted.internet.endpoints``).

    Raises ``ConfigurationError``.
    """
    try:
        server: IStreamServerEndpoint = serverFromString(reactor, text)
        return server
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ConfigurationError(_meaning(text, error, SERVER_EXAMPLES)) from error
    except (OSError, Exception) as error:
        raise ConfigurationError(f"endpoint {escape(text)!r}: {reason_text(error)}") from error


def parse_client_endpoint(reactor: Any, text: str) -> IStreamClientEndpoint:
    """The endpoint that ``text`` describes, to connect to.

    Raises ``ConfigurationError``.
    """
    try:
        client: IStreamClientEndpoint = clientFromString(reactor, text)
        return client
    except Exception as error:
        raise ConfigurationError(_meaning(text, error, CLIENT_EXAMPLES)) from error


def server_endpoint(
    reactor: Any, endpoint: str | IStreamServerEndpoint, factory: IProtocolFactory
) -> Deferred[IListeningPort]:
    """Listens on ``endpoint``; fails with ``ListenFailed`` or ``ConfigurationError``."""
    name = endpoint if isinstance(endpoint, str) else repr(endpoint)
    if isinstance(endpoint, str):
        try:
            endpoint = parse_server_endpoint(reactor, endpoint)
        except ConfigurationError as error:
            return fail(error)

    def explain(failure: Failure) -> IListeningPort:
        error: Any = failure.value
        if isinstance(error, CannotListenError):
            error = error.socketError
        if error == "Cannot acquire lock":
            error = _unix_trouble(name)
        raise ListenFailed(
            f"cannot listen on {escape(name)}: {reason_text(error)}"
        ) from failure.value

    return maybeDeferred(endpoint.listen, factory).addErrback(explain)


def _unix_trouble(name: str) -> str:
    """Why Twisted could not lock a UNIX socket's path, of which it says nothing."""
    path = name.split(":")[1] if ":" in name else name
    if len(path) > _LONGEST_PATH:
        return f"the path is too long: {len(path)} characters, {_LONGEST_PATH} is the most"
    return "another server listens there, or its folder cannot be written to"


def _meaning(text: str, error: Exception, examples: str) -> str:
    kind, _, rest = text.partition(":")
    detail = reason_text(error)
    if not rest and kind.isdigit():
        tcp = "tcp:localhost:" if examples is CLIENT_EXAMPLES else "tcp:"
        detail = f"say what kind of endpoint it is: {tcp}{kind}"
    elif kind == "systemd":
        detail = "systemd has passed no such socket: does the unit's .socket file name it?"
    elif isinstance(error, KeyError) or "Unknown endpoint type" in detail:
        unknown = detail.rpartition(":")[2].strip(" '\"") or kind
        detail = f"there is no endpoint type {unknown!r}"
    elif "invalid literal for int" in detail:
        detail = f"the port must be a number, {detail.rpartition(':')[2].strip()} is none"
    elif isinstance(error, TypeError):
        detail = "an argument is missing, unknown or given twice"
        if kind == "tls" and examples is SERVER_EXAMPLES:
            detail += ": to listen it takes a folder of PEM files, as in tls:/etc/netlab:8443"
    return f"endpoint {escape(text)!r}: {detail}; write for example {examples}"


def reason_text(error: BaseException | str | None) -> str:
    """What ``error`` says, as part of a sentence."""
    if isinstance(error, str):
        return escape(error)
    if isinstance(error, OSError) and error.strerror:
        where = f" ({escape(str(error.filename))})" if error.filename else ""
        return error.strerror[0].lower() + error.strerror[1:] + where
    if error is None:
        return "unknown"
    if error.args and isinstance(error.args[0], list):  # OpenSSL's queue of errors
        return "; ".join(str(each[-1]) for each in error.args[0]) or type(error).__name__
    return escape(str(error)) or type(error).__name__
