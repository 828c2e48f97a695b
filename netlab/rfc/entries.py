"""What is known about the documents: of each one, and of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netlab.rfc.names import Name, Series

MONTHS = (
    *("", "January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
"""The names of the months, at their numbers."""


@dataclass(frozen=True, slots=True, order=True)
class Date:
    """When a document was published; ``month`` and ``day`` are 0 where they are not known.

    ``str()`` of it is for people: ``1 April 1998``, ``June 1999``.
    """

    year: int
    month: int = 0
    day: int = 0

    def __str__(self) -> str:
        parts = (str(self.day or ""), MONTHS[self.month], str(self.year or ""))
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about one RFC.

    Relations to other RFCs are numbers in rising order. ``status`` is the present one, and
    ``published_as`` the first, both as they are written ("PROPOSED STANDARD"). In
    ``abstract`` an empty line is between paragraphs. ``is_also`` are the sub-series that
    the RFC is in. What is not known is empty, ``pages`` then 0.
    """

    number: int
    title: str
    authors: tuple[str, ...] = ()
    date: Date = Date(0)
    status: str = ""
    published_as: str = ""
    stream: str = ""
    area: str = ""
    group: str = ""
    pages: int = 0
    keywords: tuple[str, ...] = ()
    abstract: str = ""
    obsoletes: tuple[int, ...] = ()
    obsoleted_by: tuple[int, ...] = ()
    updates: tuple[int, ...] = ()
    updated_by: tuple[int, ...] = ()
    see_also: tuple[Name, ...] = ()
    is_also: tuple[Name, ...] = ()
    formats: tuple[str, ...] = ()
    draft: str = ""
    doi: str = ""
    errata_url: str = ""

    @property
    def name(self) -> Name:
        """The name of the document."""
        return Name(Series.RFC, self.number)


@dataclass(frozen=True, slots=True)
class Index:
    """All documents: the entries by number, the numbers never issued, and the sub-series."""

    entries: Mapping[int, Entry]
    not_issued: frozenset[int]
    members: Mapping[Name, tuple[int, ...]]

    @property
    def latest(self) -> int:
        """The highest number that was issued."""
        return max(self.entries)

    def documents(self, name: Name) -> tuple[int, ...]:
        """The numbers of the RFCs that ``name`` is: one, those of a sub-series, or none."""
        if name.series is Series.RFC:
            return (name.number,) if name.number in self.entries else ()
        return self.members.get(Name(name.series, name.number), ())

    def successors(self, number: int) -> tuple[int, ...]:
        """The RFCs that now stand for ``number``: what obsoletes it, and what obsoletes that."""
        found: set[int] = set()
        seen = {number}
        ahead = [number]
        while ahead:
            entry = self.entries.get(ahead.pop())
            later = entry.obsoleted_by if entry else ()
            if entry and not later:
                found.add(entry.number)
            ahead += [each for each in later if each not in seen]
            seen.update(later)
        return tuple(sorted(found - {number}))
