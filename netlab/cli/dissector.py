"""``netlab dissector``: a Wireshark dissector of an api."""

from __future__ import annotations

import click

from netlab.api import Description
from netlab.api.dissector import DEFAULT_PORT
from netlab.api.dissector import dissector as dissector_of
from netlab.cli.declared import described, write
from netlab.errors import ConfigurationError
from netlab.framing import FRAMINGS, parse_framing


@click.command(epilog=f"Framings: {', '.join(FRAMINGS)}.")
@click.argument("api", metavar="MODULE:CLASS", callback=described)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The TCP port where the api is served.",
)
@click.option(
    "--framing",
    metavar="NAME",
    default="length-prefix",
    show_default=True,
    help="How messages are cut from the stream; the server's must be the same.",
)
def dissector(api: Description, port: int, framing: str) -> None:
    """Print a dissector in Lua, with which Wireshark and tshark show the calls of an api.

    Methods and arguments have their names, answers their calls, and each argument is a
    field to filter by, such as netlab.calculator.add.a.

    Of a server with TLS, capture with its --pcap, or give Wireshark its --key-log.

    \b
    Examples:
      netlab dissector calculator:Calculator > calculator.lua
      tshark -i lo -X lua_script:calculator.lua -Y netlab.calculator
    """
    try:
        cutting = parse_framing(framing)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint="'--framing'") from error
    write(dissector_of(api, cutting, port))
