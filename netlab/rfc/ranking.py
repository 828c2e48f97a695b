"""What full-text search does not know of documents, and a reader does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netlab.rfc.entries import Entry
from netlab.rfc.snippets import count_found

_WORDS = re.compile(r"[^\W_]+")
_REST = re.compile(r"\([^)]*\)|(?::| --? ).*")  # of "QUIC: A UDP-Based ...", of "Tea (T) Maker"
_SAYS_LITTLE = frozenset({"a", "an", "the", "protocol", "specification", "version"})


def worth(entry: Entry, words: tuple[str, ...]) -> float:
    """By how much a document is to be preferred to others with the same words.

    What its title is about, is about it; a standard is read more than a draft of one, and
    what was replaced less.
    """
    lowered = entry.title.lower()
    title = [word for word in _WORDS.findall(lowered) if len(word) > 2]
    factor = 1.0 + count_found(" ".join(words), title) / max(len(title), 1)
    if len(words) > 1 and f" {' '.join(words)} " in f" {' '.join(_WORDS.findall(lowered))} ":
        factor *= 1.5
    subject = _telling(_WORDS.findall(_REST.sub("", lowered)))
    if subject and subject == _telling(words):
        factor *= 1.5
    if entry.status == "INTERNET STANDARD":
        factor *= 1.3
    if entry.obsoleted_by or entry.status == "HISTORIC":
        factor *= 0.6
    return factor


def _telling(words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in _SAYS_LITTLE and not word.isdigit()]
