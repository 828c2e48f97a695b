"""What commands share that call methods: options, the connection, JSON on a terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from netlab.api import Api
from netlab.api.blocking import Caller, check
from netlab.api.jsonrpc import CODECS
from netlab.api.openrpc import DISCOVER
from netlab.blocking import connect
from netlab.cli import Failed
from netlab.errors import ConfigurationError, ConnectionClosed
from netlab.escaping import escape
from netlab.framing import parse_framing

F = TypeVar("F", bound=Callable[..., Any])


def connection_options(command: F) -> F:
    """Adds the options that say how to reach the server."""
    for option in (
        click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0),
            default=10.0,
            show_default=True,
            help="How long to wait for a connection, and for each answer; 0: for ever.",
        ),
        click.option(
            "--ca",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False),
            help="Trust the authorities in this PEM file instead of the system's (with tls:).",
        ),
        click.option(
            "--codec",
            type=click.Choice(list(CODECS)),
            default="json",
            show_default=True,
            help="How messages are written; the server's must be the same.",
        ),
        click.option(
            "--framing",
            metavar="NAME",
            default="length-prefix",
            show_default=True,
            help="How messages are cut from the stream; the server's must be the same.",
        ),
    ):
        command = option(command)
    return command


def open_caller(
    endpoint: str, framing: str, codec: str, ca: str | None, timeout: float | None
) -> Caller:
    """Connects. Raises ``click.UsageError`` for options that cannot work, ``ConnectFailed``."""
    try:
        cutting = parse_framing(framing)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint="'--framing'") from error
    try:
        chosen = check(Api, cutting, codec)
        client = connect(endpoint, framing=cutting, timeout=timeout, ca_file=ca)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    return Caller(client, cutting, chosen)


def discover(caller: Caller, framing: str, timeout: float | None) -> bytes:
    """The answer to ``rpc.discover``, encoded. It is the first call on the connection.

    Raises ``RpcError``, and ``Failed`` when the server does not answer at all.
    """
    try:
        return caller.request(DISCOVER, None, timeout)
    except ConnectionClosed as error:
        # Nothing at all came back: most often the two do not speak the same.
        raise Failed(f"{error}; is {framing} the server's framing?") from error


def as_json(caller: Caller, data: bytes) -> bytes:
    """An encoded value as JSON; if it is that already, every digit as it came.

    Raises ``Failed`` for what only MessagePack can write, ``BadAnswer``.
    """
    if caller.codec.name == "json":
        return data
    try:
        return msgspec.json.encode(caller.decode(data))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise Failed(f"JSON has no words for what came: {escape(str(error))}") from None


def print_json(data: bytes, *, pretty: bool) -> None:
    """Prints JSON on a line; on a terminal safe for a person, and if ``pretty``, indented."""
    if sys.stdout is None:  # the caller has closed it
        return
    terminal = sys.stdout.isatty()
    made = msgspec.json.format(data, indent=2 if pretty and terminal else -1)
    if terminal:
        text = "\n".join(map(_safe, made.decode().split("\n")))
        made = text.encode(sys.stdout.encoding, "backslashreplace")
    sys.stdout.buffer.write(made + b"\n")
    sys.stdout.buffer.flush()


def _safe(line: str) -> str:
    """A line in which no character moves the cursor or turns the text round: JSON as before."""
    return line if line.isascii() else "".join(map(_character, line))


def _character(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("C") or category in ("Zl", "Zp"):
        return json.dumps(character)[1:-1]
    return character
