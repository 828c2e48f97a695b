"""``netlab describe``: what a server offers."""

from __future__ import annotations

import sys

import click

from netlab.api import Code, RpcError
from netlab.cli import Failed
from netlab.cli.calling import as_json, connection_options, discover, open_caller, print_json
from netlab.cli.offers import offered_text, read
from netlab.escaping import escape
from netlab.target import DEFAULT


@click.command()
@click.argument("endpoint", default=DEFAULT)
@click.option("--json", "as_document", is_flag=True, help="Print the OpenRPC document itself.")
@connection_options
def describe(
    endpoint: str, as_document: bool, framing: str, codec: str, ca: str | None, timeout: float
) -> None:
    """Show what a server offers: its methods, subscriptions and types.

    \b
    ENDPOINT is tcp:HOST:PORT, tls:HOST:PORT or unix:PATH;
    without it, tcp:localhost:8032.

    \b
    Examples:
      netlab describe
      netlab describe tcp:localhost:8032 --json > calculator.json
    """
    limit = timeout or None
    with open_caller(endpoint, framing, codec, ca, limit) as caller:
        try:
            data = discover(caller, framing, limit)
        except RpcError as error:
            if error.code == Code.METHOD_NOT_FOUND:
                raise Failed(
                    "the server does not describe itself: it has no rpc.discover"
                ) from None
            raise
        if as_document:
            print_json(as_json(caller, data), pretty=True)
            return
        text = offered_text(read(caller.decode(data)), escape(endpoint))
    if sys.stdout is not None:
        click.echo(text, nl=False)
