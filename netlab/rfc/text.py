r"""An RFC's text for reading: its lines without page breaks, its sections, its links, its blocks.

>>> from netlab.rfc.text import read
>>> document = read(b"1. Tea\n\n   See Section 2.\n\n2. Coffee\n\n   Not here; see RFC 7168.\n")
>>> print(document.text(document.section("2")))
2. Coffee
<BLANKLINE>
   Not here; see RFC 7168.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.rfc.pagination import WIDTH, decode, indent_of, unpaged
from netlab.rfc.references import Link, find_links
from netlab.rfc.sections import Section, find_sections
from netlab.rfc.toc import Contents

_WORD = re.compile(r"(?:sections?|sec\.|appendix|appendices|chapter|§)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"(?:[0-9]{1,3}|[A-Za-z])(?:\.[0-9]{1,3})*\.?")
_SHOWN = 12  # sections that an error lists, at most

_ITEM = re.compile(
    r"\s*(?:[-*o+\u2022]|\(?(?:[0-9]{1,3}|[a-zA-Z]|[ivx]{1,5})[.)]|\[[^\]\s]{1,20}\])\s+"
)
_DRAWN = re.compile(
    r"[-+=_.~*]{4}|(?:\. ){3}|\||\S {4,}\S|\s{2}[+\\/]|[\u2500-\u257f]|<-|->|::=|[{}]"
)
_SENTENCE = re.compile(r"\s*[\"'(]?[A-Za-z][^=<>{}#@\\^_~]*[.:?!][\"')\]]{0,2}")
_LONGEST_TERM = 60
_LEAST = 30  # columns that a line of prose has, but for the last


@dataclass(frozen=True, slots=True)
class Block:
    """Lines ``start`` to before ``end`` that belong together: a paragraph, a drawing, a list.

    ``prose`` says that the lines may be broken elsewhere; of anything else every column
    matters. ``indent`` is the column of the text, ``item`` whether a bullet or number
    hangs before it.
    """

    start: int
    end: int
    prose: bool
    indent: int
    item: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What ``read`` returns; ``number`` is the RFC's, 0 if it is not known."""

    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    contents: Contents
    number: int = 0

    def section(self, wanted: str) -> Section:
        """The section that is called ``2.3``, ``Section 2.3``, ``A.1``, or by its title.

        Raises ``ConfigurationError``, which lists what there is, if there is none.
        """
        text = " ".join(wanted.split())
        if not text:
            raise ConfigurationError(f"no section is named; {self._known()}")
        number = _WORD.sub("", text, count=1)
        if _NUMBER.fullmatch(number):
            number = number.rstrip(".").upper()
            for section in self.sections:
                if section.number == number:
                    return section
        for matches in (_is_called, _begins):
            for section in self.sections:
                if matches(section, text):
                    return section
        raise ConfigurationError(f"there is no section '{escape(text, 60)}'; {self._known()}")

    def text(self, section: Section | None = None) -> str:
        """The text of a section with its subsections, or of the whole document."""
        start, end = (section.line, section.end) if section else (0, len(self.lines))
        lines = list(self.lines[start:end])
        while lines and not lines[-1]:
            lines.pop()
        return "\n".join(lines)

    def links(self) -> tuple[Link, ...]:
        """Where the text speaks of other RFCs, and of sections."""
        return find_links(self.lines, self.sections, self.number)

    def blocks(self, start: int, end: int) -> list[Block]:
        """The blocks within some lines."""
        return find_blocks(self.lines, start, end)

    def _known(self) -> str:
        names = [
            section.number or f"'{section.title}'"
            for section in self.sections
            if section.level == 1
        ]
        if not names:
            return "none was found in this document"
        more = ", ..." if len(names) > _SHOWN else ""
        return f"there are {', '.join(names[:_SHOWN])}{more}"


def read(data: bytes, number: int = 0) -> Document:
    """The document whose text is ``data``, in any encoding; see ``decode`` and ``unpaged``."""
    lines = unpaged(decode(data))
    sections, contents = find_sections(lines)
    return Document(tuple(lines), sections, contents, number)


def _is_called(section: Section, wanted: str) -> bool:
    wanted = wanted.casefold()
    return wanted in (section.anchor.casefold(), section.title.casefold())


def _begins(section: Section, wanted: str) -> bool:
    return section.title.casefold().startswith(wanted.casefold())


def find_blocks(lines: Sequence[str], start: int, end: int) -> list[Block]:
    """The blocks within lines ``start`` to before ``end``: what is between empty lines.

    A paragraph is told by this: its lines begin at one column, and each is as full as
    it can be, so that the next one's first word would not have gone on it.
    """
    blocks: list[Block] = []
    at = start
    while at < end:
        if not lines[at]:
            at += 1
            continue
        first = at
        while at < end and lines[at]:
            if at > first and _ITEM.match(lines[at]) and _starts_item(lines, first, at):
                break
            at += 1
        block = _block(lines, first, at)
        if not block.prose and _is_term(lines, first, at):
            explained = _block(lines, first + 1, at)
            if explained.prose:
                blocks.append(Block(first, first + 1, True, indent_of(lines[first])))
                block = explained
        blocks.append(block)
    return blocks


def _starts_item(lines: Sequence[str], first: int, at: int) -> bool:
    """Whether an item begins at ``at``, in a list whose items no empty line parts."""
    before = _ITEM.match(lines[first])
    here = indent_of(lines[at])
    return before is not None and here == indent_of(lines[first]) and before.end() > here + 1


def _is_term(lines: Sequence[str], first: int, end: int) -> bool:
    """Whether the first line may be a term, and the others, further right, what it means."""
    line = lines[first]
    return (
        end - first > 1
        and indent_of(lines[first + 1]) > indent_of(line)
        and len(line.strip()) < _LONGEST_TERM
        and not _DRAWN.search(line.lstrip())
    )


def _block(lines: Sequence[str], start: int, end: int) -> Block:
    first = lines[start]
    marked = _ITEM.match(first)
    hanging = marked.end() if marked else indent_of(first)
    indent = indent_of(lines[start + 1]) if end - start > 1 else hanging
    # A bullet or number; or a term with its explanation beginning on the same line.
    item = marked is not None and indent == hanging
    item = item or (indent_of(first) < indent < len(first) and first[indent - 2 : indent] == "  ")
    item = item and first[indent : indent + 1] not in ("", " ")
    prose = _is_prose(lines[start:end], indent, item)
    return Block(start, end, prose, indent if prose else _outermost(lines[start:end]), item)


def _is_prose(lines: Sequence[str], indent: int, item: bool) -> bool:
    if any(_DRAWN.search(line[indent:] if item else line.lstrip()) for line in lines):
        return False
    if len(lines) == 1:
        return (item and len(lines[0].split()) > 3) or _SENTENCE.fullmatch(lines[0]) is not None
    if any(indent_of(line) != indent for line in lines[1:]):
        return False
    if not item and indent_of(lines[0]) not in (indent, indent + 2, indent + 3, indent + 5):
        return False
    longest = max(map(len, lines))
    if longest - indent < _LEAST:
        return False
    if item and lines[0].lstrip().startswith("["):
        return True  # an entry of the references: "RFC 9110," and its DOI are not broken
    width = max(min(longest, WIDTH), WIDTH - 8)
    return all(
        len(line) + 1 + len(after.split(maxsplit=1)[0]) > width - 6
        for line, after in pairwise(lines)
    )


def _outermost(lines: Sequence[str]) -> int:
    return min(map(indent_of, lines))
