"""What full-text search does not know of documents, and a reader does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from netlab.rfc.entries import Entry
from netlab.rfc.snippets import SHORT, stem

_WORDS = re.compile(r"[^\W_]+")
_REST = re.compile(r"\([^)]*\)|(?::| --? ).*")  # of "QUIC: A UDP-Based ...", of "Tea (T) Maker"
_SAYS_LITTLE = frozenset({"a", "an", "the", "protocol", "specification", "version"})


class _Title(NamedTuple):
    """What is compared of a title: its words, with blanks around them; of the longer ones how
    their forms begin, and those that have no forms but the plural, each after a blank; the
    words that say what it is about."""

    plain: str
    beginnings: tuple[str, ...]
    short: tuple[str, ...]
    subject: tuple[str, ...]


def worth(entry: Entry, words: tuple[str, ...]) -> float:
    """By how much a document is to be preferred to others with the same words.

    What its title is about, is about it; a standard is read more than a draft of one, and
    what was replaced less.
    """
    title = _title(entry.title)
    asked = f" {' '.join(words)} "
    found = sum([beginning in asked for beginning in title.beginnings])
    found += sum([f"{word} " in asked or f"{word}s " in asked for word in title.short])
    factor = 1.0 + found / max(len(title.beginnings) + len(title.short), 1)
    if len(words) > 1 and asked in title.plain:
        factor *= 1.5
    if title.subject and title.subject == _telling(words):
        factor *= 1.5
    if entry.status == "INTERNET STANDARD":
        factor *= 1.3
    if entry.obsoleted_by or entry.status == "HISTORIC":
        factor *= 0.6
    return factor


@lru_cache(maxsize=2000)
def _title(text: str) -> _Title:
    lowered = text.lower()
    words = _WORDS.findall(lowered)
    subject = _telling(_WORDS.findall(_REST.sub("", lowered)))
    beginnings = tuple(f" {stem(word)}" for word in words if len(word) > SHORT)
    short = tuple(f" {word}" for word in words if len(word) == SHORT)
    return _Title(f" {' '.join(words)} ", beginnings, short, subject)


def _telling(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _SAYS_LITTLE and not word.isdigit())
