"""``netlab send``: messages out, replies in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

import click

from netlab.blocking import connect
from netlab.cli import Failed
from netlab.errors import ConfigurationError, ConnectionClosed
from netlab.escaping import escape
from netlab.framing import FRAMINGS, parse_framing
from netlab.target import DEFAULT, looks_like_endpoint

STDIN = "-"


@click.command(epilog=f"Framings: {', '.join(FRAMINGS)}.")
@click.argument("words", nargs=-1, required=True, metavar="[ENDPOINT] MESSAGE...")
@click.option(
    "--framing",
    metavar="NAME",
    default="length-prefix",
    show_default=True,
    help="How messages are cut from the stream; the server's must be the same.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Trust the authorities in this PEM file instead of the system's (with tls:).",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How long to wait for a connection, and for each reply; 0: for ever.",
)
def send(words: tuple[str, ...], framing: str, ca: str | None, timeout: float) -> None:
    """Send each MESSAGE to the server, and print each reply on a line.

    "-" as MESSAGE reads messages from standard input, one per line, and sends
    each as soon as it is there.

    \b
    ENDPOINT is tcp:HOST:PORT, tls:HOST:PORT or unix:PATH;
    without it, tcp:localhost:8032.

    \b
    Examples:
      netlab send hello
      netlab send tcp:[::1]:8032 "how are you?"
      seq 3 | netlab send -
    """
    endpoint = DEFAULT
    if looks_like_endpoint(words[0]):
        endpoint, *rest = words
        if not rest:
            raise click.UsageError(f"No message: what shall be sent to {escape(endpoint)}?")
        words = tuple(rest)
    try:
        cutting = parse_framing(framing)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint="'--framing'") from error
    try:
        client = connect(endpoint, framing=cutting, timeout=timeout or None, ca_file=ca)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    answered = False
    with client:
        for message in _messages(words):
            try:
                client.send(message)
                reply = client.receive()
            except ConnectionClosed as error:
                if answered:
                    raise
                # Nothing at all came back: most often the two do not speak the same.
                raise Failed(f"{error}; is {framing} the server's framing?") from error
            answered = True
            _print(reply)


def _messages(words: Iterable[str]) -> Iterator[bytes]:
    """The messages that the words of the command line stand for, when they are there."""
    for word in words:
        if word != STDIN:
            yield os.fsencode(word)  # the very bytes that were typed
        elif sys.stdin is not None:  # it is None when the caller has closed it
            for line in sys.stdin.buffer:
                yield line.removesuffix(b"\n")


def _print(reply: bytes) -> None:
    """Prints ``reply``: raw for a program to read, safe for a person at a terminal."""
    if sys.stdout is None:
        return
    if sys.stdout.isatty():
        text = escape(reply.decode(errors="backslashreplace"), limit=None)
        reply = text.encode(sys.stdout.encoding, "backslashreplace")
    sys.stdout.buffer.write(reply + b"\n")
    sys.stdout.buffer.flush()
