"""``netlab new``: a project of one's own, to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from netlab.cli import Failed
from netlab.escaping import escape
from netlab.scaffold import Project, write_project

_NEXT = """
To install it in this environment, test it and serve it:

  {enter}pip install -e '.[test]'
  python -m pytest
  twistd -n {name}

And in another terminal: netlab describe. README.md says more.\
"""


@click.command()
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def new(name: str, folder: Path | None) -> None:
    """Make a project of your own: an api, its twistd plugin, tests, README.

    It can be installed, served and tested as it is; then change it. NAME is in
    lower-case letters, digits and hyphens. FOLDER is where it is written, and is
    new or empty; without it, a folder NAME in this one.

    \b
    Examples:
      netlab new greeter
      netlab new greeter ~/lab/greeter
    """
    project = Project(name)
    folder = folder or Path(name)
    shown = escape(str(folder))
    try:
        written = write_project(project, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failed(f"cannot write {shown}: {reason[:1].lower()}{reason[1:]}") from error
    click.echo(f"In {shown}:")
    for path in written:
        click.echo(f"  {path}")
    enter = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(shown)}\n  "
    click.echo(_NEXT.format(enter=enter, name=name))
