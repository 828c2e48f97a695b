"""The table of contents that an RFC's text has of its own, and the form of a heading.

It tells which lines of the text are headings, for ``netlab.rfc.sections``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netlab.rfc.pagination import indent_of

_LONGEST_CONTENTS = 2000  # lines
_TRIES = 8  # lines that say "Contents", of which one begins a table of contents

_NUMBER = r"(?:[0-9]{1,3}|[A-Z])(?:\.[0-9]{1,3}){0,8}"
HEADING = re.compile(
    rf"(?P<indent>\s*)(?P<word>(?:appendix|annex|section|chapter)\s+)?(?P<number>{_NUMBER})"
    r"(?P<after>[.:)]?)(?P<gap>\s+(?:--?\s+|:\s+)?|\s*$)(?P<title>.*)",
    re.IGNORECASE,
)
_CONTENTS = re.compile(r"\s*(?:table\s+of\s+)?contents\s*[:.]?", re.IGNORECASE)
_LEADER = re.compile(r"(?:\s*\.(?:\s?\.)+\s*|\s{2,}|\s*\.{2,}\s*)(?:[0-9]{1,4}|[ivxl]{1,7})$", re.I)
_KNOWN = re.compile(
    r"abstract|preface|foreword|overview|introduction|contents|table of contents|summary"
    r"|status of th(?:is|e) (?:memo|document|rfc)s?|copyright(?: notice)?(?: and license notice)?"
    r"|(?:full )?copyright statement|intellectual property(?: rights)?(?: statement)?"
    r"|ie[ts]g note|editorial note|rfc editor note|note to readers|disclaimer"
    r"|(?:security|iana|privacy|operational|internationalization) considerations?"
    r"|(?:normative |informative |non-normative )?references(?: and bibliography)?|bibliography"
    r"|acknowledge?ments?(?: and disclaimer)?|contributors?(?:'s? address(?:es)?)?"
    r"|(?:authors?|editors?|chairs?)(?:'s?|s')?(?: and editors?'?)? address(?:es)?"
    r"|(?:authors?|editors?)(?:'s?)? information|contact(?: information| address(?:es)?)?"
    r"|glossary|index|appendix|appendices|change ?log|history|requirements language|conclusions?"
    r"|full copyright|expiration date|terminology|conventions",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Contents:
    """A document's own table of contents: its lines from ``start`` to before ``end``.

    ``titles`` are those of the sections with a number, by number; ``others`` the rest,
    in small letters.
    """

    start: int = 0
    end: int = 0
    titles: Mapping[str, str] | None = None
    others: frozenset[str] = frozenset()


def find_contents(lines: Sequence[str], margin: int) -> Contents:
    """The first table of contents that tells anything; ``margin`` is the text's."""
    starts = [at for at, line in enumerate(lines) if _CONTENTS.fullmatch(line)]
    for start in starts[:_TRIES]:
        contents = _read_contents(lines, start, margin)
        if contents.titles or len(contents.others) > 2:
            return contents
    return Contents()


def is_known(title: str) -> bool:
    """Whether this is a title that a section often has which has no number."""
    return _KNOWN.fullmatch(title) is not None


def _read_contents(lines: Sequence[str], start: int, margin: int) -> Contents:
    titles: dict[str, str] = {}
    others: set[str] = set()
    end = start + 1
    pending, column = "", 0  # an entry that may go on in the next line, and where it begins
    for at in range(start + 1, min(len(lines), start + _LONGEST_CONTENTS)):
        line = lines[at]
        if not line:
            pending = ""
            continue
        paged = _LEADER.search(line) is not None
        if not paged and indent_of(line) <= margin and not lines[at - 1]:
            entry = HEADING.fullmatch(line)
            if titles or others or entry is None:
                break
        if at - end > 12:
            break  # what comes so far behind the last entry is none
        if indent_of(line) <= column:
            pending = ""
        text = _LEADER.sub("", line)
        entry = HEADING.fullmatch(text)
        if entry and _is_article(entry):
            entry = None
        if entry and (entry["title"] or paged) and not (pending and not entry["after"]):
            number = entry["number"].upper()
            if number in titles and not paged:
                break  # the first section after contents without page numbers
            titles.setdefault(number, entry["title"].strip(" ."))
            pending, column = "" if paged else number, indent_of(line)
        elif pending:  # a title of two lines
            titles[pending] = f"{titles[pending]} {text.strip(' .')}"
            pending = "" if paged else pending
        elif paged or is_known(text.strip()):
            others.add(" ".join(text.lower().split()).strip(" ."))
        else:
            continue
        end = at + 1
    return Contents(start, end, titles, frozenset(others))


def _is_article(entry: re.Match[str]) -> bool:
    """Whether the number of an entry is the first word of its title: "A Name for ..."."""
    return entry["number"] == "A" and not (entry["word"] or entry["after"]) and entry["gap"] == " "
