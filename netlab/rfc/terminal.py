"""RFCs on a terminal: documents, what is known about them, and what was found, as text.

Lines have at most ``WIDTH`` columns, but for those of a document, which stay as they are.
The text is plain, or with ``styled`` has headings, names and found words in bold and
links underlined, as ``click.style`` writes it. Nothing of a document, of the index or of
the errata reaches the terminal as a control character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from textwrap import wrap

import click

from netlab.escaping import escape
from netlab.rfc.entries import Entry
from netlab.rfc.errata import Erratum
from netlab.rfc.names import Name
from netlab.rfc.pages import byline, counted, facts
from netlab.rfc.results import Hit, Results
from netlab.rfc.text import Document

WIDTH = 80
"""The columns of a terminal."""

_WORD = re.compile(r"[^\W_]+")  # as those of a snippet that were found
_NO_BREAK = "\xa0"  # a blank at which no line ends
_INDENT = 8  # of what is said of a document that was found: "12345" and blanks are before it


def document_text(document: Document, section: str = "", *, styled: bool = False) -> str:
    """The text of a document without page breaks, or of the section that is called ``section``.

    Raises ``ConfigurationError``, which lists the sections, if there is no such one; see
    ``Document.section``.
    """
    start, end = 0, len(document.lines)
    if section:
        wanted = document.section(section)
        start, end = wanted.line, wanted.end
        while end > start and not document.lines[end - 1]:
            end -= 1
    lines = [_safe(line) for line in document.lines[start:end]]
    if styled:
        _style(document, start, lines)
    return "".join(f"{line}\n" for line in lines)


def notices(entry: Entry, errata: int = 0, *, styled: bool = False) -> str:
    """What a reader of a document must know first: what is newer, and how many errata it has.

    Empty if there is nothing of that. ``errata`` is the number of its errata.
    """
    said = []
    if entry.obsoleted_by:
        said.append(f"{entry.name} is obsoleted by {_numbers(entry.obsoleted_by)}.")
    if entry.updated_by:
        said.append(f"{entry.name} is updated by {_numbers(entry.updated_by)}.")
    if errata:
        wrong = "One erratum was" if errata == 1 else f"{errata} errata were"
        said.append(f"{wrong} reported.")
    lines = [line for each in said for line in _wrapped(each, 0)]
    return "".join(f"{_bold(line, styled)}\n" for line in lines)


def results_text(results: Results, offset: int = 0, *, styled: bool = False) -> str:
    """What was found; ``results`` is the part from ``offset`` on."""
    if not results.hits:
        return "Nothing was found.\n" if not results.total else f"All {results.total} were shown.\n"
    lines = [] if results.every else ["No document has all of these words; these have some."]
    if results.total > 1:
        lines.append(f"{offset + 1} to {offset + len(results.hits)} of {results.total:,}")
    for hit in results.hits:
        lines += ["", *_hit(hit, styled)] if lines else _hit(hit, styled)
    return "".join(f"{line}\n" for line in lines)


def entries_text(entries: Iterable[Entry], *, styled: bool = False) -> str:
    """A list of documents, such as the members of a sub-series."""
    lines: list[str] = []
    for entry in entries:
        lines += ["", *_headed(entry, styled)] if lines else _headed(entry, styled)
    return "".join(f"{line}\n" for line in lines)


def info_text(
    entry: Entry,
    errata: Sequence[Erratum] = (),
    title: Callable[[int], str] = lambda number: "",
    *,
    styled: bool = False,
) -> str:
    """All that is known about a document, and its errata.

    ``title`` returns the title of another RFC, or an empty text, for those it speaks of.
    """
    lines = [_bold(line, styled) for line in _wrapped(f"{entry.name}: {entry.title}", 0)]
    warned = notices(entry, len(counted(errata)), styled=styled)
    lines += ["", *warned.splitlines()] if warned else []
    for paragraph in filter(None, entry.abstract.split("\n\n")):
        lines += ["", *_wrapped(paragraph, 0)]
    known = [(what, _plain(fact)) for what, fact in facts(entry)]
    column = max((len(what) for what, _ in known), default=0) + 2
    for at, (what, fact) in enumerate(known):
        lines += ["", *_term(what, fact, column)] if at == 0 else _term(what, fact, column)
    for what, numbers in (
        ("Obsoletes", entry.obsoletes),
        ("Updates", entry.updates),
        ("Obsoleted by", entry.obsoleted_by),
        ("Updated by", entry.updated_by),
    ):
        if numbers:
            lines += ["", _bold(what, styled)]
        for number in numbers:
            lines += _term(f"{number:>5}", title(number), _INDENT)
    if errata:
        lines += ["", _bold("Errata", styled)]
    for erratum in errata:
        lines += ["", *_erratum(erratum)]
    return "".join(f"{line}\n" for line in lines)


def _style(document: Document, start: int, lines: list[str]) -> None:
    """Makes the headings in ``lines``, which begin at ``start``, bold, and underlines the links."""
    end = start + len(lines)
    headings: set[int] = set()
    for section in document.sections:
        headings.update(range(section.line, section.body))
    links = [link for link in document.links() if start <= link.line < end]
    for link in reversed(links):  # what is before a link stays where it is
        line = lines[link.line - start]
        plain = document.lines[link.line]
        if link.line not in headings and line.startswith(plain[: link.end]):
            marked = click.style(line[link.start : link.end], underline=True)
            lines[link.line - start] = line[: link.start] + marked + line[link.end :]
    for at in headings:
        if start <= at < end:
            lines[at - start] = _bold(lines[at - start], True)


def _hit(hit: Hit, styled: bool) -> Iterator[str]:
    yield from _headed(hit.entry, styled, hit.at_hand)
    lines = _indented("".join(part.text for part in hit.snippet))
    found = {part.text for part in hit.snippet if part.found}
    for line in lines:
        yield _marked(line, found) if styled else line


def _marked(line: str, found: set[str]) -> str:
    """``line`` with the words that were found in bold, wherever they are."""
    return _WORD.sub(
        lambda word: click.style(word[0], bold=True) if word[0] in found else word[0], line
    )


def _headed(entry: Entry, styled: bool, at_hand: bool = False) -> Iterator[str]:
    """A document's number and title, and who wrote it when, with what became of it."""
    for line in _term(f"{entry.number:>5}", entry.title, _INDENT):
        yield _bold(line, styled)
    said = [byline(entry, "; "), "at hand" if at_hand else ""]
    yield from _indented("; ".join(filter(None, said)))
    if entry.obsoleted_by:
        yield from _indented(f"Obsoleted by {_numbers(entry.obsoleted_by)}")


def _erratum(erratum: Erratum) -> Iterator[str]:
    where = f"Section {erratum.section}" if erratum.section[:1].isdigit() else erratum.section
    said = (where, erratum.kind, erratum.status, erratum.submitted)
    yield from _term(f"{erratum.id:>5}", "; ".join(filter(None, said)), _INDENT)
    for what, text in (
        ("It says:", erratum.original),
        ("It should say:", erratum.corrected),
        ("Notes:", erratum.notes),
    ):
        if text:
            yield from ("", " " * _INDENT + what, "")
            for line in text.expandtabs().split("\n"):
                yield f"{' ' * _INDENT}{_safe(line)}".rstrip()


def _term(what: str, text: str, column: int) -> list[str]:
    """``what``, and ``text`` beside it, which begins at ``column``."""
    lines = _wrapped(text, column) or [""]
    return [(what.ljust(column) + lines[0][column:]).rstrip(), *lines[1:]]


def _indented(text: str) -> list[str]:
    return _wrapped(text, _INDENT)


def _wrapped(text: str, column: int) -> list[str]:
    margin = " " * column
    lines = wrap(
        _safe(text), WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _plain(fact: str | tuple[Name, ...]) -> str:
    if isinstance(fact, str):
        return fact
    return ", ".join(str(name).replace(" ", _NO_BREAK) for name in fact)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(f"RFC{_NO_BREAK}{number}" for number in numbers)


def _bold(line: str, styled: bool) -> str:
    text = line.lstrip()
    return line[: len(line) - len(text)] + click.style(text, bold=True) if styled else line


def _safe(line: str) -> str:
    """A line that does nothing to a terminal but be shown."""
    return line if line.isprintable() else escape(line, None)
