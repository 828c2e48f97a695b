"""Where an RFC's text speaks of other RFCs, and of sections, its own and others'.

``RFC 2119``, ``[RFC2119]``, ``BCP 14``, ``RFCs 7230, 7231 and 7232``, ``Section 4.2``,
``Sections 2.1 and 2.2 of [HTTP]``, ``[RFC9110], Section 5.6``, ``Appendix B.2``: also
over the end of a line. A label such as ``[HTTP]`` is looked up in the document's own
references.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netlab.rfc.names import HIGHEST, Name, Series
from netlab.rfc.sections import Section

_LABEL = r"\[[A-Za-z0-9][\w.+:/-]{0,39}\]"
_PART = r"(?:[0-9]{1,3}|[A-Z])(?:\.[0-9]{1,3}){0,8}(?![\w-])"
_AND = r"\s{0,9},?\s{1,40}(?:and|or|through|to)\s{1,40}|\s{0,9},\s{1,40}"
_DOCUMENT = re.compile(
    r"\[?\b(?P<series>RFC|rfc|BCP|STD|FYI)(?:[-#]|\s{1,40})?0{0,4}(?P<number>[1-9][0-9]{0,4})\b\]?"
    rf"|(?P<label>{_LABEL})"
    rf"|\bRFCs\s{{1,40}}(?P<several>[0-9]{{1,5}}(?:(?:{_AND})[0-9]{{1,5}}){{1,30}})\b"
    r"|(?:\b(?:[Ss]ections?|[Aa]ppendix|[Aa]ppendices|SECTION|APPENDIX|Sec\.)|§{1,2})\s{0,40}"
    rf"(?P<parts>{_PART}(?:(?:{_AND}){_PART}){{0,20}})"
)
_OF = re.compile(r"\s{1,40}(?:of|in|from)\s{1,40}(?:the\s{1,40})?")
_THIS = re.compile(r"(?:this|the\s{1,40}present)\s{1,40}(?:document|memo|specification|RFC)\b")
_BEFORE = re.compile(r"(?:\s|[,(:]|\bsee\b|\bin\b){1,40}")
_JOINED = re.compile(_AND)
_NUMBER = re.compile("[0-9]{1,5}")
_PARTS = re.compile(_PART)
_ENTRY = re.compile(rf"\s*(?P<label>{_LABEL})(?:\s|$)")
_HEADER = re.compile(r"(?:obsoletes|updates|replaces)[^:]{0,30}:", re.IGNORECASE)
_COLUMN = re.compile(r"\s*[0-9]{1,5}(?:(?:,\s?|,?\sand\s|\s)[0-9]{1,5}){0,20}\b")
_FIRST_LINES = 30  # in which the document's header is


@dataclass(frozen=True, slots=True)
class Link:
    """Characters ``start`` to before ``end`` of a line, and what they speak of.

    ``name`` is another document, or ``None`` for this one; ``anchor`` is a section's, as
    ``Section.anchor`` has it, or empty.
    """

    line: int
    start: int
    end: int
    name: Name | None
    anchor: str = ""


@dataclass(slots=True)
class _Token:
    """What was found: a document, or the number of a section with the word before it."""

    start: int
    end: int
    name: Name | None = None
    known: bool = True
    """Whether it is known what the text speaks of; not with a label of something else."""
    part: str = ""
    of: bool = False
    """Whether the document of a section is said behind it."""


def find_links(
    lines: Sequence[str], sections: Sequence[Section], number: int = 0
) -> tuple[Link, ...]:
    """The links of a document that is RFC ``number`` (0: not known), in its order.

    A section of this document is linked where there is one with such a number.
    """
    text = "\n".join(lines)
    labels = _labels(lines, sections)
    tokens = list(_tokens(text, labels))
    _find_documents(text, tokens)
    own = {section.number: section.anchor for section in sections if section.number}
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    links: list[Link] = []
    for token in tokens:
        name = None if token.name == Name(Series.RFC, number or HIGHEST) else token.name
        anchor = own.get(token.part, "") if name is None else _anchor(token.part)
        if token.known and (name or anchor):
            links += _spans(text, starts, token, name, anchor)
    links += _header_links(lines)
    return tuple(sorted(links, key=lambda link: (link.line, link.start)))


def _anchor(part: str) -> str:
    if not part:
        return ""
    return f"section-{part}" if part[0].isdigit() else f"appendix-{part}"


def _labels(lines: Sequence[str], sections: Sequence[Section]) -> dict[str, Name]:
    """What the labels of the document's references name, where that is an RFC or a series."""
    labels: dict[str, Name] = {}
    for section in sections:
        if "reference" not in section.title.lower() and "bibliog" not in section.title.lower():
            continue
        label = ""
        for line in lines[section.body : section.end]:
            entry = _ENTRY.match(line)
            label = entry["label"] if entry else label if line else ""
            rest = line[entry.end() :] if entry else line
            for named in _named(rest) if label else ():
                # "STD 97, RFC 9110": sections are an RFC's
                if label not in labels or labels[label].series is not Series.RFC:
                    labels[label] = named
    return labels


def _named(text: str) -> Iterator[Name]:
    for found in _DOCUMENT.finditer(text):
        if found["number"]:
            yield Name(Series(found["series"].lower()), int(found["number"]))


def _tokens(text: str, labels: Mapping[str, Name]) -> Iterator[_Token]:
    for found in _DOCUMENT.finditer(text):
        start, end = found.span()
        if start and text[start - 1] == "/":
            continue  # in a URL
        if found["number"]:
            name = Name(Series(found["series"].lower()), int(found["number"]))
            yield _Token(start, end, name)
        elif found["label"]:
            code = start > 0 and (text[start - 1].isalnum() or text[start - 1] in "_])")
            if not code:
                named = labels.get(found["label"])
                yield _Token(start, end, named, known=named is not None)
        elif found["several"]:
            for each in _NUMBER.finditer(text, *found.span("several")):
                if int(each[0]):
                    yield _Token(*each.span(), Name(Series.RFC, int(each[0])))
        else:
            first = found.start("parts")
            for each in _PARTS.finditer(text, *found.span("parts")):
                begin = start if each.start() == first else each.start()
                yield _Token(begin, each.end(), part=each[0])


def _find_documents(text: str, tokens: list[_Token]) -> None:
    """Tells each section's token which document the section is in."""
    for at in range(len(tokens) - 1, -1, -1):
        token = tokens[at]
        if not token.part:
            continue
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        between = text[token.end : after.start] if after else ""
        if after and after.part and after.of and _JOINED.fullmatch(between):
            token.name, token.known, token.of = after.name, after.known, True
            continue
        of = _OF.match(text, token.end)
        if of is None:
            continue
        token.of = True
        if after and not after.part and of.end() == after.start:
            token.name, token.known = after.name, after.known
        elif not _THIS.match(text, of.end()):
            token.known = False  # "Section 4 of the Trust's Provisions"
    for before, token in pairwise(tokens):
        if not token.part or token.of:
            continue
        between = text[before.end : token.start]
        joined = before.part and _JOINED.fullmatch(between)
        if joined or (not before.part and _BEFORE.fullmatch(between)):
            token.name, token.known = before.name, before.known


def _spans(
    text: str, starts: Sequence[int], token: _Token, name: Name | None, anchor: str
) -> Iterator[Link]:
    """The links for a token: one for each line that it is on, without the blanks."""
    for part in re.finditer(r"\S[^\n]*", text[token.start : token.end]):
        at = token.start + part.start()
        line = bisect_right(starts, at) - 1
        start = at - starts[line]
        yield Link(line, start, start + len(part[0].rstrip()), name, anchor)


def _header_links(lines: Sequence[str]) -> Iterator[Link]:
    """The bare numbers of ``Obsoletes: 7230, 7231`` at the beginning of a document."""
    inside = False
    for at, line in enumerate(lines[:_FIRST_LINES]):
        header = _HEADER.match(line)
        start = header.end() if header else 0
        inside = header is not None or (inside and line[:5].isspace())
        if not inside:
            continue
        column = _COLUMN.match(line, start)
        for each in _NUMBER.finditer(line, start, column.end() if column else start):
            if int(each[0]):
                yield Link(at, *each.span(), Name(Series.RFC, int(each[0])))
