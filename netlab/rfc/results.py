"""What a search returns: documents, and the parts of their texts that were found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from netlab.rfc.entries import Entry


class Fragment(NamedTuple):
    """A part of a snippet; ``found`` says that it is a word that was looked for."""

    text: str
    found: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found; ``at_hand`` says that its text is.

    ``snippet`` is of its text or abstract, or empty. Of a document that no index tells
    of, ``entry`` has the number alone.
    """

    entry: Entry
    snippet: tuple[Fragment, ...] = ()
    at_hand: bool = False


@dataclass(frozen=True, slots=True)
class Results:
    """A part of what was found, best first, and how much that is in all.

    ``every`` is false if no document has all of the words, so that these have some.
    """

    hits: tuple[Hit, ...]
    total: int
    every: bool = True
