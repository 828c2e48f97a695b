"""What commands share that are given ``MODULE:CLASS``: from that name to a description."""

from __future__ import annotations

import sys
from typing import Any

import click

from netlab.api import Api, Description
from netlab.api import describe as description_of
from netlab.application import load
from netlab.errors import ConfigurationError
from netlab.escaping import escape

BUILT_IN = {"rooms": "netlab.api.rooms:Rooms"}
"""The apis that come with netlab, by the names that ``twistd netlab message --app`` has."""

EXAMPLE = "calculator:Calculator"


def described(ctx: click.Context, param: click.Parameter, value: str) -> Description:
    """For an argument ``MODULE:CLASS``: imports the module, and reads the class."""
    name = BUILT_IN.get(value, value)
    if not all(name.partition(":")):
        known = " or ".join(BUILT_IN)
        raise click.BadParameter(
            f"'{escape(value)}' names no api: write MODULE:CLASS, as in {EXAMPLE}, or {known}"
        )
    try:
        found = load(name, {}, _is_api, bases="netlab.api.Api", example=EXAMPLE)
    except ConfigurationError as error:
        raise click.BadParameter(str(error).removeprefix("application ")) from error
    return description_of(_api_of(found))


def _is_api(value: Any) -> bool:
    return _api_of(value) is not None


def _api_of(value: Any) -> Any:
    """An ``Api`` class or an object of one; also of an ``ApiFactory``, which ``--app`` takes."""
    if isinstance(value, type):
        return value if issubclass(value, Api) and value is not Api else None
    serving = sys.modules.get("netlab.api.server")  # whoever has an ApiFactory has imported it
    if serving is not None and isinstance(value, serving.ApiFactory):
        return value.api
    return value if isinstance(value, Api) else None


def write(text: str) -> None:
    """Prints a document, in UTF-8 whatever the terminal: most often it goes into a file."""
    if sys.stdout is not None:
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
