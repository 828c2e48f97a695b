"""``netlab vectors``: test vectors of an api."""

from __future__ import annotations

import json

import click

from netlab.api import Description
from netlab.api.vectors import vectors as vectors_of
from netlab.cli.declared import described, write


@click.command()
@click.argument("api", metavar="MODULE:CLASS", callback=described)
def vectors(api: Description) -> None:
    """Print test vectors of an api: requests byte by byte, and their answers, as JSON.

    They are for those who write the other end in another language. What each member
    means is said in the document itself, under "about".

    \b
    Example:
      netlab vectors calculator:Calculator > calculator-vectors.json
    """
    made = vectors_of(api)
    write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    for each in made["untested"]:
        click.echo(f"netlab: no valid value is known for {each}", err=True)
