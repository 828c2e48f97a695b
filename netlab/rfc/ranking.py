"""What full-text search does not know of documents, and a reader does."""

from __future__ import annotations

import re

from netlab.rfc.index import Entry
from netlab.rfc.snippets import count_found

_WORDS = re.compile(r"[^\W_]+")
_NAMED = re.compile(r"([^:]{1,60}):")  # what a title such as "QUIC: A UDP-Based ..." is of


def worth(entry: Entry, words: tuple[str, ...]) -> float:
    """By how much a document is to be preferred to others with the same words.

    What its title is about, is about it; a standard is read more than a draft of one, and
    what was replaced less.
    """
    lowered = entry.title.lower()
    title = [word for word in _WORDS.findall(lowered) if len(word) > 2]
    factor = 1.0 + count_found(" ".join(words), title) / max(len(title), 1)
    named = _NAMED.match(lowered)
    if named and set(_WORDS.findall(named[1])) == set(words):
        factor *= 1.3
    if entry.status == "INTERNET STANDARD":
        factor *= 1.3
    if entry.obsoleted_by or entry.status == "HISTORIC":
        factor *= 0.6
    return factor
