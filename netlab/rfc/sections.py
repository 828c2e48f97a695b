"""Where the sections of an RFC's text begin and end, and its table of contents.

Headings are found by their form (a number, at the margin, apart from the text), by the
order of their numbers, and by the table of contents where there is one. That is a guess
in documents that were typed by hand; a line that may as well be an item of a list is
taken for that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from netlab.rfc.pagination import indent_of
from netlab.rfc.toc import HEADING, Contents, find_contents, is_known

_LONGEST_TITLE = 160
_ENOUGH = 3  # sections in the contents, for these to be trusted
_CENTRED = 12  # a heading that begins so far to the right is in the middle of the line

_STROKE = re.compile(r"-{3,}|={3,}|_{3,}|~{3,}")
_LONG_WORD = re.compile(r"\b[A-Za-z][\w'-]{3,}")
_ROMAN = re.compile(r"(?P<indent>\s*)(?P<number>[IVX]{1,5})\.(?P<gap>\s+)(?P<title>\S.*)")
_ROMANS = (
    *("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV"),
    *("XV", "XVI", "XVII", "XVIII", "XIX", "XX"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its heading is at ``line``, its text from ``body`` to before ``end``.

    Lines are counted from 0. ``end`` is after the subsections; ``level`` is 1 at the
    top. ``number`` is ``2.1``, ``A``, or empty; ``anchor`` names it in a URL:
    ``section-2.1``, ``appendix-A``, ``name-abstract``.
    """

    number: str
    title: str
    anchor: str
    level: int
    line: int
    body: int
    end: int

    @property
    def label(self) -> str:
        """What a person calls it: ``Section 2.1``, ``Appendix A``, or its title."""
        if not self.number:
            return self.title
        return f"{'Section' if self.number[0].isdigit() else 'Appendix'} {self.number}"


@dataclass(frozen=True, slots=True)
class _Found:
    """A heading, before it is known where its section ends."""

    number: str
    title: str
    line: int
    body: int


_Order = tuple[tuple[int, int], ...]


def find_sections(lines: Sequence[str]) -> tuple[tuple[Section, ...], Contents]:
    """The sections of a document without page breaks, in its order, and where its contents are."""
    margin = _margin(lines)
    contents = find_contents(lines, margin)
    numbered = _numbered(lines, margin, contents)
    if len(numbered) < 2:
        numbered = _romans(lines, margin, contents) or numbered
    at = {found.line: found for found in numbered}
    generic = len(numbered) < 2
    for line in range(len(lines)):
        if line not in at and not contents.start < line < contents.end:
            found = _unnumbered(lines, line, margin, contents, generic)
            if found is not None:
                at[line] = found
    return _sections([at[line] for line in sorted(at)], len(lines)), contents


def _sections(found: Sequence[_Found], end: int) -> tuple[Section, ...]:
    sections: list[Section] = []
    ends = [end] * len(found)
    open_: list[tuple[int, int]] = []  # level, place in found
    seen: Counter[str] = Counter()
    for at, heading in enumerate(found):
        level = heading.number.count(".") + 1
        while open_ and open_[-1][0] >= level:
            ends[open_.pop()[1]] = heading.line
        open_.append((level, at))
    for heading, last in zip(found, ends, strict=True):
        anchor = _anchor(heading)
        seen[anchor] += 1
        if seen[anchor] > 1:
            anchor = f"{anchor}-{seen[anchor]}"
        level = heading.number.count(".") + 1
        sections.append(
            Section(heading.number, heading.title, anchor, level, heading.line, heading.body, last)
        )
    return tuple(sections)


def _anchor(heading: _Found) -> str:
    if heading.number:
        kind = "section" if heading.number[0].isdigit() else "appendix"
        return f"{kind}-{heading.number}"
    slug = re.sub("[^a-z0-9]+", "-", heading.title.lower()).strip("-")
    return f"name-{slug[:60] or 'section'}"


def _margin(lines: Sequence[str]) -> int:
    """The column at which the text's outermost lines begin."""
    indents = Counter(
        indent_of(line) for at, line in enumerate(lines) if line and not (at and lines[at - 1])
    )
    needed, seen = max(3, indents.total() // 100), 0
    for indent in sorted(indents):
        seen += indents[indent]
        if seen >= needed:
            return indent
    return 0


# -- sections with numbers


def _order(number: str) -> _Order:
    """A number as what compares as the numbers of sections do: letters come last."""
    return tuple(
        (0, int(part)) if part.isdigit() else (1, ord(part) - ord("A") + 1)
        for part in number.split(".")
    )


def _numbered(lines: Sequence[str], margin: int, contents: Contents) -> list[_Found]:
    found: list[_Found] = []
    lasts: dict[int, _Order] = {0: (), 1: ()}  # of numbers and of letters
    last: _Order = ()
    listed = 0  # the number of the last item of a list since the last heading
    for at, line in enumerate(lines):
        if not line or contents.start <= at < contents.end:
            continue
        below = bool(found) and found[-1].body == at  # its parent's heading
        if at and lines[at - 1] and not below:
            continue
        matched = HEADING.fullmatch(line) if len(line) <= _LONGEST_TITLE else None
        heading = _heading(lines, at, matched, margin, contents) if matched else None
        if heading is None:
            continue
        order = _order(heading.number)
        if below and order[:-1] != last:
            continue
        kind = order[0][0]
        next_ = _is_next(last, order) or bool(lasts[kind] and _is_next(lasts[kind], order))
        if order > lasts[kind] and _is_good(lines, heading, contents, next_, last, listed):
            found.append(heading)
            last = lasts[kind] = order
            listed = 0
        elif len(order) == 1:
            listed = order[0][1]
    return found


def _is_good(
    lines: Sequence[str],
    heading: _Found,
    contents: Contents,
    is_next: bool,
    last: _Order,
    listed: int,
) -> bool:
    """Whether a heading in order is one, by what else is known.

    ``is_next`` says that its number may follow, ``last`` is the number before it, and
    ``listed`` that of the last item of a list since then.
    """
    titles = contents.titles or {}
    told = titles.get(heading.number)
    if len(titles) >= _ENOUGH and told is not None and _alike(told, heading.title):
        return True
    if not _is_title(heading.title) and (heading.title or heading.number[0].isdigit()):
        return False
    apart = _is_apart(lines, heading)
    if len(titles) >= _ENOUGH and told is not None:  # contents and text may differ
        return is_next and apart and ("." in heading.number or is_known(heading.title))
    if len(titles) >= _ENOUGH:
        deepest = max(number.count(".") for number in titles)
        return is_next and (heading.number.count(".") > deepest or apart)
    order = _order(heading.number)
    if listed and order == ((0, listed + 1),):
        return False
    return apart and (is_next or _is_near(last, order))


def _heading(
    lines: Sequence[str], at: int, matched: re.Match[str], margin: int, contents: Contents
) -> _Found | None:
    """The heading at a line that has the form of one; ``None`` if it reads like an item."""
    number, title = matched["number"].upper(), matched["title"].strip()
    depth = number.count(".")
    indent = indent_of(lines[at])
    if indent > margin + (9 if depth else 0) and indent < _CENTRED:
        return None
    if matched["number"][0].islower() or (indent >= _CENTRED and _after(lines, at)):
        return None
    if number[0].isalpha() and not (depth or matched["word"] or matched["after"] == "."):
        told = (contents.titles or {}).get(number)
        if told is None or not _alike(told, title):
            return None  # "A name is ..."
    if title[:1].islower() and not matched["after"] and matched["word"]:
        return None  # "Section 2 lays out ..."
    body = at + 1
    column = matched.start("title")
    while title and body < len(lines) and lines[body] and body < at + 3:
        if indent_of(lines[body]) != column or column == 0:
            break
        title = f"{title} {lines[body].strip()}"
        body += 1
    if not title and not matched["word"]:
        return None
    return _Found(number, title.rstrip(":"), at, body)


def _after(lines: Sequence[str], at: int) -> str:
    return lines[at + 1] if at + 1 < len(lines) else ""


def _is_title(title: str) -> bool:
    """Whether this may be the title of a section, not a sentence or a line of a table."""
    words = title.split()
    if not words or len(title) > _LONGEST_TITLE or re.search(r"\S {3,}\S|[,;]$|^[=|+]", title):
        return False
    if title.endswith(".") and (len(words) > 6 or ". " in title):
        return False
    return any(character.isalpha() for character in title)


def _is_apart(lines: Sequence[str], heading: _Found) -> bool:
    """Whether an empty line is after the heading, or text that is further to the right."""
    if heading.body >= len(lines) or not lines[heading.body]:
        return True
    indent = indent_of(lines[heading.line])
    return indent_of(lines[heading.body]) > indent and len(heading.title) < 60


def _is_next(last: _Order, order: _Order) -> bool:
    """Whether a number is one that may follow: a child, or the next at any level above."""
    if not last:
        return order in (((0, 0),), ((0, 1),), ((1, 1),))
    if order[:-1] == last and order[-1] in ((0, 0), (0, 1)):
        return True
    if order == ((1, 1),) and last[0][0] == 0:
        return True
    depth = len(order) - 1
    return (
        depth < len(last)
        and order[:depth] == last[:depth]
        and order[depth] == (last[depth][0], last[depth][1] + 1)
    )


def _is_near(last: _Order, order: _Order) -> bool:
    """Whether a number with a point in it comes soon after, a few having been missed."""
    if not 1 < len(order) <= len(last) + 1 or order <= last:
        return False
    return order[0] == last[0] or order[0] == (last[0][0], last[0][1] + 1)


def _alike(one: str, other: str) -> bool:
    a, b = (re.sub("[^a-z0-9]+", "", title.lower())[:40] for title in (one, other))
    if not a or not b or a.startswith(b) or b.startswith(a):
        return True
    return SequenceMatcher(None, a, b).ratio() > 0.6


def _romans(lines: Sequence[str], margin: int, contents: Contents) -> list[_Found]:
    """Sections with Roman numbers, as in the first RFCs."""
    found: list[_Found] = []
    for at, line in enumerate(lines):
        matched = _ROMAN.fullmatch(line) if not contents.start <= at < contents.end else None
        if matched is None or indent_of(line) != margin or (at and lines[at - 1]):
            continue
        expected = _ROMANS[len(found) : len(found) + 1]
        if matched["number"] in expected and _is_title(matched["title"]):
            found.append(_Found(str(len(found) + 1), matched["title"].strip(), at, at + 1))
    return found if len(found) > 1 else []


# -- sections without


def _unnumbered(
    lines: Sequence[str], at: int, margin: int, contents: Contents, generic: bool
) -> _Found | None:
    line = lines[at]
    if not line or indent_of(line) > margin or len(line) > 70 or (at and lines[at - 1]):
        return None
    after = _after(lines, at)
    underlined = _is_underline(after, line)
    if after and not underlined and indent_of(after) <= indent_of(line):
        return None
    title = line.strip().rstrip(":.")
    told = " ".join(title.lower().split()) in contents.others
    named = generic and at > 3 and (underlined or not after) and _is_name(title)
    named = named and (underlined or _is_capitalised(line))
    if not (is_known(title) or told or named):
        return None
    return _Found("", title, at, at + (2 if underlined else 1))


def _is_underline(line: str, above: str) -> bool:
    """Whether a line draws a stroke below the one above it, of about its length."""
    stroke = line.strip()
    return (
        _STROKE.fullmatch(stroke) is not None
        and indent_of(line) == indent_of(above)
        and abs(len(stroke) - len(above.strip())) < 5
    )


def _is_capitalised(line: str) -> bool:
    """Whether a line's words begin as those of a title do, or are so few that they need not."""
    words = _LONG_WORD.findall(line)
    few = len(line.split()) < 4 and not line.endswith(":")
    return few or 2 * sum(word[0].isupper() for word in words) >= len(words)


def _is_name(title: str) -> bool:
    """Whether this is in the form of a title, in a document that numbers nothing."""
    return (
        title[:1].isupper()
        and _is_title(title)
        and re.search(r"\s{2}|[.,;:=|<>()@]|^RFC|^NIC|[0-9]{4}$", title) is None
    )
