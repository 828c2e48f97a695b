"""The few words of a text that show why it was found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from netlab.rfc.results import Fragment

WIDTH = 240
"""About how many characters a snippet has."""

SHORT = 3
"""Letters of a word of which only the plural is another form; a stem has more."""
_SQUEEZED = 4  # times as many characters of a text become a snippet, less its blanks
_SLICE = 16000  # characters of a text that are looked at in one go
_LONGEST = 100  # characters of a word
_MOST = 200  # places of one word in them that are looked at
_SUFFIXES = (
    *("izations", "ization", "ations", "ation", "ities", "ators", "ator", "ances", "ance"),
    *("ings", "ing", "ions", "ion", "ies", "ied", "ers", "ity", "ed", "er", "es", "ly", "y"),
    *("s", "e"),
)
_PAGES = re.compile(
    r"^[^\n]{0,200}\[page [0-9ivx]{1,6}\][^\n]{0,80}(?:[\s\f]{0,40}RFC [0-9]{1,5}[^\n]{0,200}\n)?",
    re.IGNORECASE | re.MULTILINE,
)
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)])
_LETTER = r"[^\W_]"  # or digit: what words are made of


def count_found(text: str, words: Sequence[str]) -> int:
    """How many of the words, in small letters, ``text`` has, in any of their forms."""
    lowered = text.lower()
    return sum(_pattern(word).search(lowered) is not None for word in words)


def snippet(text: str, words: Sequence[str], width: int = WIDTH) -> tuple[Fragment, ...]:
    """The part of ``text`` where the most of ``words`` are near each other, in fragments.

    Words are in small letters; other forms of them (``cache``, ``caching``) count, too.
    Blanks are made single; page breaks and control characters are left out. Without any of
    the words it is the beginning of the text.
    """
    words = tuple(dict.fromkeys(words))
    start = _best(text, words, width) if words and len(text) > width else 0
    start = max(start - width // 4, 0) and _boundary(text, start - width // 4)
    end = start + _SQUEEZED * width
    shown = " ".join(_PAGES.sub(" ", text[start:end]).split()).translate(_CONTROLS)
    more = bool(text[end : end + width].strip())
    if len(shown) > width:
        shown, more = shown[: max(shown.rfind(" ", 0, width + 1), 0) or width], True
    before = "... " if start and shown else ""
    after = " ..." if more and shown else ""
    return tuple(_marked(before + shown + after, words))


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """What the forms of a word have in common, more or less."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) > SHORT:
            return word[: -len(suffix)]
    return word


@lru_cache(maxsize=1000)
def _pattern(word: str) -> re.Pattern[str]:
    """What finds a word in small letters, in any of its forms."""
    is_short = len(word) <= SHORT
    begin = re.escape(word if is_short else stem(word))
    # That it begins here is looked at last: a search for plain letters is quick.
    return re.compile(rf"{begin}(?<![^\W_]{begin})" + (r"s?(?![^\W_])" if is_short else ""))


def _places(lowered: str, words: Sequence[str]) -> list[tuple[int, str]]:
    """Where the words are in a text, in any of their forms; of each one not all of too many."""
    return sorted(
        (found.start(), word)
        for word in words
        for found in islice(_pattern(word).finditer(lowered), _MOST)
    )


def _best(text: str, words: Sequence[str], width: int) -> int:
    """The place from which on the most different words are near, the first of such.

    The text is looked through in slices, no further than where all of the words are.
    """
    best = most = 0
    reach = width // 2
    for at in range(0, len(text), _SLICE):
        begin = max(at - 1, 0)  # what is before it tells whether a word begins here
        part = text[begin : at + _SLICE + reach + _LONGEST]
        lowered = part.lower()
        if len(lowered) != len(part):  # a capital whose small form is two characters
            lowered = part
        places = _places(lowered, words)
        for first, (place, _) in enumerate(places):
            near: set[str] = set()
            for other, word in places[first : first + 2 * len(str(width)) + 8]:
                if other - place > reach:
                    break
                near.add(word)
            if len(near) > most and begin + place >= at:
                best, most = begin + place, len(near)
                if most == len(words):
                    return best
    return best


def _boundary(text: str, at: int) -> int:
    """The next place at or after ``at``, but not far from it, where a word begins."""
    found = re.compile(r"\s\b").search(text, max(at, 0), max(at, 0) + 40)
    return found.end() if found else max(at, 0)


def _marked(shown: str, words: tuple[str, ...]) -> Iterator[Fragment]:
    """``shown`` in fragments, the words in them marked."""
    at = 0
    for token in _forms(words).finditer(shown) if words else ():
        if token.start() > at:
            yield Fragment(shown[at : token.start()])
        yield Fragment(token[0], True)
        at = token.end()
    if shown[at:]:
        yield Fragment(shown[at:])


@lru_cache(maxsize=200)
def _forms(words: tuple[str, ...]) -> re.Pattern[str]:
    """What finds whole words that are forms of some, in letters of any size."""
    forms = [
        f"{re.escape(word)}s?" if len(word) <= SHORT else f"{re.escape(stem(word))}{_LETTER}*"
        for word in words
    ]
    return re.compile(f"(?<!{_LETTER})(?:{'|'.join(forms)})(?!{_LETTER})", re.IGNORECASE)
