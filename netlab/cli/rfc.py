"""``netlab rfc``: RFCs to read and to search, and all of them into a folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from netlab.cli import Failed
from netlab.cli.mirrored import failures_text, progress_bar, report_text
from netlab.cli.unnamed import Unnamed, WithUnnamed
from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.rfc.direct import About, Direct
from netlab.rfc.mirroring import Mirroring
from netlab.rfc.names import FORMATS, Form, Name, NotAName, Series, parse_base, parse_name
from netlab.rfc.pagination import decode
from netlab.rfc.places import DEFAULT_UPSTREAM, default_folder
from netlab.rfc.proxied import DEFAULT_SERVER, Proxied, find
from netlab.rfc.terminal import document_text, entries_text, info_text, notices, results_text
from netlab.rfc.text import read as read_text

F = TypeVar("F", bound=Callable[..., Any])

_SHOWN = 20  # documents that a search shows, unless told otherwise
_MOST = 100


def _upstream(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else parse_base(value)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from error


def _server(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else parse_base(value if "://" in value else f"http://{value}")
    except ConfigurationError as error:
        raise click.BadParameter(
            f"'{escape(value or '')}' is not the URL of a server; write for example "
            f"{DEFAULT_SERVER}"
        ) from error


def _where_from(command: F) -> F:
    """Adds the options that say where documents come from."""
    for option in (
        click.option("--offline", is_flag=True, help="Show only what is at hand: ask no upstream."),
        click.option(
            "--upstream",
            metavar="URL",
            callback=_upstream,
            help="Ask this folder of RFCs, and no server on this machine."
            f"  [default: {DEFAULT_UPSTREAM}]",
        ),
        click.option(
            "--server",
            metavar="URL",
            callback=_server,
            help=f'Ask this server ("twistd netlab rfc").  [default: {DEFAULT_SERVER}, if it runs]',
        ),
    ):
        command = option(command)
    return command


@contextmanager
def _library(server: str | None, upstream: str | None, offline: bool) -> Iterator[Direct | Proxied]:
    """Where documents come from: the server that runs, or else the cache and the upstream."""
    if server is not None and upstream is not None:
        raise click.UsageError("--server has an upstream of its own: leave --upstream out.")
    found = None if upstream is not None else find(server or DEFAULT_SERVER, offline=offline)
    if found is not None:
        with found:
            yield found
        return
    if server is not None:
        raise Failed(
            f"no server of RFCs answers at {server.removesuffix('/')}; "
            'start one with "twistd -n netlab rfc"'
        )
    with Direct(
        upstream or DEFAULT_UPSTREAM, default_folder(), offline=offline, told=_note
    ) as direct:
        yield direct


@click.group(cls=WithUnnamed, no_args_is_help=True)
def rfc() -> None:
    """Read an RFC, search them all, or copy them all into a folder.

    \b
    NAME is what people call a document: 2324, rfc2324, "RFC 793", bcp14,
    rfc2324.html, or a URL of the RFC Editor or the IETF.

    \b
    Examples:
      netlab rfc 2324
      netlab rfc 9110 --section 15.5.1
      netlab rfc 9110 --format pdf > rfc9110.pdf
      netlab rfc search coffee pot
      netlab rfc mirror ~/rfc

    It comes from the server that "twistd netlab rfc" has started on this machine, if it
    runs, else from your cache and the RFC Editor.
    """


@rfc.command("read", cls=Unnamed, hidden=True)
@click.argument("name", nargs=-1, required=True)
@click.option(
    "-s", "--section", metavar="NUMBER", help="Show only this section: 2.3, A.1, or its title."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice([each.value for each in FORMATS]),
    help="Write the file as it is published to standard output.",
)
@_where_from
def _read(
    name: tuple[str, ...],
    section: str | None,
    form: str | None,
    server: str | None,
    upstream: str | None,
    offline: bool,
) -> None:
    """Show a document."""
    named = _named(" ".join(name))
    if form is not None:
        named = named.to(Form(form))
    if section is not None and named.form is not Form.ANY:
        raise click.UsageError("--section is of a document to read: leave its format out.")
    if named.form in FORMATS:
        with _library(server, upstream, offline) as library:
            content = library.file(named)
        _write(named, content)
        return
    with _library(server, upstream, offline) as library:
        if named.form is Form.ANY:
            page = _document(library, named, section or "")
        else:
            page = _about(library, named)
    page.show()  # the cache is free again: a person may read for hours


def _named(text: str) -> Name:
    """The document that ``text`` names; without any number it may have been meant for a search."""
    try:
        return parse_name(text)
    except NotAName as error:
        if re.search("[0-9]", text):
            raise
        raise Failed(f"{error}; to look for it: netlab rfc search {escape(text, 60)}") from error


@rfc.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "-n",
    "--count",
    metavar="N",
    type=click.IntRange(1, _MOST),
    default=_SHOWN,
    show_default=True,
    help="How many to show, the best first.",
)
@_where_from
def search(
    words: tuple[str, ...], count: int, server: str | None, upstream: str | None, offline: bool
) -> None:
    """Find the RFCs that have all WORDS.

    They are looked for in numbers, titles, authors, keywords and abstracts, and in the texts
    that are at hand.
    """
    with _library(server, upstream, offline) as library:
        results = library.search(" ".join(words), count)
    _Page(results_text(results, styled=_is_terminal()), "found").show()
    if not results.hits:
        sys.exit(1)


@rfc.command()
@click.argument("name", nargs=-1, required=True)
@_where_from
def info(name: tuple[str, ...], server: str | None, upstream: str | None, offline: bool) -> None:
    """Show what is known of an RFC, and its errata."""
    named = parse_name(" ".join(name))
    with _library(server, upstream, offline) as library:
        page = _about(library, named)
    page.show()


@rfc.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--upstream",
    metavar="URL",
    callback=_upstream,
    default=DEFAULT_UPSTREAM,
    show_default=True,
    help="The folder of RFCs to copy.",
)
@click.option(
    "-f",
    "--format",
    "forms",
    type=click.Choice([each.value for each in FORMATS]),
    multiple=True,
    default=[Form.TXT.value],
    show_default=True,
    help="Of each RFC; may be given several times.",
)
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 32),
    default=4,
    show_default=True,
    help="How many connections to ask on at a time.",
)
@click.pass_context
def mirror(
    ctx: click.Context, folder: Path, upstream: str, forms: tuple[str, ...], jobs: int
) -> None:
    """Copy all RFCs into DIR, with the index and the errata, and make them searchable.

    What is there already is not fetched again, so the same command goes on where it was
    interrupted, and brings the folder up to date later. Serve it with
    "twistd -n netlab rfc --mirror DIR", with --offline in a room without internet.

    Exit status: 1 if something could not be had; what that is, is listed at the end.
    """
    mirroring = Mirroring(upstream, folder, map(Form, forms), jobs=jobs, told=_note)
    with closing(mirroring):
        try:
            with progress_bar() as progress:
                report = mirroring.run(progress)
        except KeyboardInterrupt:
            report = mirroring.report
            there = report.done - len(report.failed)
            known = f"{there:,} of {report.total:,} files are there, and " if report.total else ""
            _note(f"interrupted; {known}the same command goes on")
            raise
    for line in failures_text(report):
        click.echo(line, err=True)
    click.echo(report_text(report, os.fspath(folder)))
    ctx.exit(1 if report.failed or report.why or report.unsearched else 0)


def _document(library: Direct | Proxied, name: Name, section: str) -> _Page:
    """A document, or the list of those that a sub-series has."""
    if name.series is not Series.RFC:
        members = library.members(name)
        if len(members) > 1:
            if section:
                raise Failed(f"{name} is {len(members)} RFCs: name the one with the section")
            return _Page(entries_text(members, styled=_is_terminal()), str(name))
        name = members[0].name
    document = read_text(library.file(name), name.number)
    text = document_text(document, section, styled=_is_terminal())
    about = library.about(name.number)
    return _Page(text, str(name), "" if about is None else _notices(about, _is_terminal()))


def _notices(about: About, styled: bool) -> str:
    said = notices(about.entry, about.errata or 0, styled=styled)
    if about.errata is None and about.entry.errata_url:
        line = f"Errata were reported: netlab rfc info {about.entry.number}"
        said += f"{click.style(line, bold=True) if styled else line}\n"
    return said


def _about(library: Direct | Proxied, name: Name) -> _Page:
    """What is known of a document, or the list of those that a sub-series has."""
    if name.series is not Series.RFC:
        members = library.members(name)
        if len(members) > 1:
            return _Page(entries_text(members, styled=_is_terminal()), str(name))
        name = members[0].name
    entry = library.entry(name.number)
    text = info_text(entry, library.errata(name.number), library.title, styled=_is_terminal())
    return _Page(text, str(name))


# -- output


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


class _Page(NamedTuple):
    """What is to be shown; ``title`` is what the pager calls it, ``notices`` come first."""

    text: str
    title: str
    notices: str = ""

    def show(self) -> None:
        """Shows it: to a person a page at a time, to a program as it is."""
        if not _is_terminal():
            click.echo(self.notices, err=True, nl=False)
            if sys.stdout is not None:
                sys.stdout.write(_encodable(self.text))
                sys.stdout.flush()
            return
        # Unless it is set up already: quit if one screen is enough, show what is bold, say where.
        title = re.sub("([^A-Za-z0-9 ])", r"\\\1", self.title)
        os.environ.setdefault("LESS", f"-FRX -Ps{title}?e (end). - h\\: help, q\\: quit$")
        gap = "\n" if self.notices else ""
        click.echo_via_pager(_encodable(f"{self.notices}{gap}{self.text}"))


def _encodable(text: str) -> str:
    """``text`` with escapes for what standard output cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _write(name: Name, content: bytes) -> None:
    """Writes a file out: the bytes, or at a terminal what can be shown of them."""
    if sys.stdout is None:
        return
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    if name.form is Form.PDF:
        raise Failed(f"a terminal cannot show PDF: write it into a file with > {name.file_name}")
    lines = (escape(line, None) for line in decode(content).expandtabs().split("\n"))
    _Page("\n".join(lines), name.file_name).show()


def _note(text: str) -> None:
    click.echo(f"netlab: {text}", err=True)
