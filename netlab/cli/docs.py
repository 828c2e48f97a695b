"""``netlab docs``: the reference of an api."""

from __future__ import annotations

import click

from netlab.api import Description
from netlab.api.reference import reference
from netlab.cli.declared import described, write


@click.command()
@click.argument("api", metavar="MODULE:CLASS", callback=described)
def docs(api: Description) -> None:
    """Print the reference of an api, in Markdown.

    The module is looked for in this folder too; nothing of it is called.

    \b
    Examples:
      netlab docs calculator:Calculator > calculator.md
      netlab docs rooms
    """
    write(reference(api))
