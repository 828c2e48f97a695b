"""The few words of a text that show why it was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

from netlab.rfc.results import Fragment

WIDTH = 240
"""About how many characters a snippet has."""

_SQUEEZED = 4  # times as many characters of a text become a snippet, less its blanks
_MOST = 200  # places of one word that are looked at
_SHORT = 3  # letters of a word of which only the plural is another form; a stem has more
_SUFFIXES = (
    *("izations", "ization", "ations", "ation", "ities", "ators", "ator", "ances", "ance"),
    *("ings", "ing", "ions", "ion", "ies", "ied", "ers", "ity", "ed", "er", "es", "ly", "y"),
    *("s", "e"),
)
_PAGES = re.compile(
    r"^[^\n]{0,200}\[page [0-9ivx]{1,6}\][^\n]{0,80}(?:[\s\f]{0,40}RFC [0-9]{1,5}[^\n]{0,200}\n)?",
    re.IGNORECASE | re.MULTILINE,
)
_TOKEN = re.compile(r"[^\W_]+")


def count_found(text: str, words: Sequence[str]) -> int:
    """How many of the words, in small letters, ``text`` has, in any of their forms."""
    lowered = text.lower()
    return sum(_pattern(word).search(lowered) is not None for word in words)


def snippet(text: str, words: Sequence[str], width: int = WIDTH) -> tuple[Fragment, ...]:
    """The part of ``text`` where the most of ``words`` are near each other, in fragments.

    Words are in small letters; other forms of them (``cache``, ``caching``) count, too.
    Blanks are made single, and page breaks left out. Without any of the words it is the
    beginning of the text.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a capital whose small form is two characters
        lowered = text
    places = sorted((at, word) for word in words for at in islice(_places(lowered, word), _MOST))
    start = _best(places, width) if places and len(text) > width else 0
    start = max(start - width // 4, 0) and _boundary(text, start - width // 4)
    end = start + _SQUEEZED * width
    shown = " ".join(_PAGES.sub(" ", text[start:end]).split())
    more = bool(text[end : end + width].strip())
    if len(shown) > width:
        shown, more = shown[: max(shown.rfind(" ", 0, width + 1), 0) or width], True
    before = "... " if start and shown else ""
    after = " ..." if more and shown else ""
    return tuple(_marked(before + shown + after, words))


@lru_cache(maxsize=1000)
def stem(word: str) -> str:
    """What the forms of a word have in common, more or less."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) > _SHORT:
            return word[: -len(suffix)]
    return word


def _forms(words: Sequence[str]) -> Callable[[str], bool]:
    """Whether a token, in small letters, is a form of one of ``words``."""
    short = {form for word in words if len(word) <= _SHORT for form in (word, f"{word}s")}
    stems = tuple(stem(word) for word in words if len(word) > _SHORT)
    return lambda token: token in short or token.startswith(stems)


@lru_cache(maxsize=1000)
def _pattern(word: str) -> re.Pattern[str]:
    """What finds a word in small letters, in any of its forms."""
    is_short = len(word) <= _SHORT
    begin = re.escape(word if is_short else stem(word))
    # That it begins here is looked at last: a search for plain letters is quick.
    return re.compile(rf"{begin}(?<![^\W_]{begin})" + (r"s?(?![^\W_])" if is_short else ""))


def _places(lowered: str, word: str) -> Iterator[int]:
    """Where a word is in a text, in any of its forms."""
    return (found.start() for found in _pattern(word).finditer(lowered))


def _best(places: Sequence[tuple[int, str]], width: int) -> int:
    """The place from which on the most different words are near, the first of such."""
    best = most = 0
    for first, (at, _) in enumerate(places):
        near: set[str] = set()
        for other, word in places[first : first + 2 * len(str(width)) + 8]:
            if other - at > width // 2:
                break
            near.add(word)
        if len(near) > most:
            best, most = at, len(near)
    return best


def _boundary(text: str, at: int) -> int:
    """The next place at or after ``at``, but not far from it, where a word begins."""
    found = re.compile(r"\s\b").search(text, max(at, 0), max(at, 0) + 40)
    return found.end() if found else max(at, 0)


def _marked(shown: str, words: Sequence[str]) -> Iterator[Fragment]:
    """``shown`` in fragments, the words in them marked."""
    at = 0
    is_form = _forms(words)
    for token in _TOKEN.finditer(shown):
        if is_form(token[0].lower()):
            if token.start() > at:
                yield Fragment(shown[at : token.start()])
            yield Fragment(token[0], True)
            at = token.end()
    if shown[at:]:
        yield Fragment(shown[at:])
