"""The words of an impairment, read one by one, and the units that ``tc`` writes.

``Words`` knows where it is in the text, so that an error points at the word.
``write_time`` and its like write what ``Words`` reads, exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from netlab.errors import ConfigurationError
from netlab.escaping import escape

LONGEST = 3600.0
"""The longest time that is taken, in seconds: an hour."""

MOST = (1 << 32) - 1
"""The largest number of packets or bytes, as in netem."""

_FASTEST = 10**15  # bit/s: 1000 Tbit/s
_LAST_SEED = (1 << 64) - 1

_NUMBER = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})([a-z%]*)")
_INTEGER = re.compile(r"-?[0-9]+")
_DIGITS = 20  # a longer number is out of every range
_NUMERIC = re.compile(r"[-+.]?[0-9.]|[-+]?(?:nan|inf|infinity)(?![a-z])")

_TIMES = {  # nanoseconds
    **dict.fromkeys(("s", "sec", "secs"), 10**9),
    **dict.fromkeys(("ms", "msec", "msecs"), 10**6),
    **dict.fromkeys(("us", "usec", "usecs", ""), 10**3),
    **dict.fromkeys(("ns", "nsec", "nsecs"), 1),
}
_PREFIXES = {"": 1, **{p: 1000**n for n, p in enumerate("kmgt", 1)}}
_BINARY_PREFIXES = {f"{p}i": 1024**n for n, p in enumerate("kmgt", 1)}
_RATES = {  # bits per second
    "": 1,
    **{f"{prefix}bit": n for prefix, n in (_PREFIXES | _BINARY_PREFIXES).items()},
    **{f"{prefix}bps": 8 * n for prefix, n in (_PREFIXES | _BINARY_PREFIXES).items()},
}
_SIZES = {  # bytes; tc counts these in powers of two
    "": 1,
    "b": 1,
    **{f"{p}{b}": 1024**n for n, p in enumerate("kmg", 1) for b in ("", "b")},
}


class Words:
    """A text's words, to be taken one after another; case does not matter.

    The methods that take an argument (``time``, ``percentage``, ...) raise
    ``ConfigurationError`` when the next word is not one. ``after`` is the word
    that needs the argument, and ``example`` how it may be written.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = text.split()
        self.at = -1
        """The place of the word that was taken last, from 0."""

    def next(self) -> str | None:
        """Takes the next word, in lower case; ``None`` after the last."""
        if self.at + 1 >= len(self._words):
            return None
        self.at += 1
        return self._words[self.at].lower()

    def take(self, *words: str) -> str | None:
        """Takes the next word if it is one of ``words``; ``None`` if it is not."""
        return self.next() if self._peek() in words else None

    def number_follows(self) -> bool:
        """Whether the next word is an argument: it begins as a number does."""
        return _NUMERIC.match(self._peek()) is not None

    def wrong(self, why: str, at: int | None = None) -> ConfigurationError:
        """The error that says ``why`` the word at ``at`` (the last one taken) cannot stand."""
        at = self.at if at is None else at
        return self.broken(f"word {at + 1}, '{escape(self._words[at], 40)}', {why}")

    def broken(self, why: str) -> ConfigurationError:
        """The error that says what is wrong with the text as a whole."""
        return ConfigurationError(f"impairment '{escape(self._text)}': {why}")

    # -- arguments

    def time(self, example: str, *, positive: bool = False) -> float:
        """A time, in seconds, of whole nanoseconds; with ``positive``, more than 0."""
        write = "write for example 50ms, 1.5s or 200us"
        value = self._scaled("a time", write, example, _TIMES)
        if value > LONGEST * 10**9:
            raise self.wrong(f"is longer than an hour; {write}")
        if positive and not round(value):
            raise self.wrong(f"must be more than 0; {write}")
        return round(value) / 10**9

    def percentage(self, example: str) -> float:
        """A percentage, as a number from 0 to 1 of at most 11 places."""
        write = "write for example 10% or 0.5%"
        value = self._scaled("a percentage", write, example, {"": 1, "%": 1})
        if value > 100:
            raise self.wrong("is over 100%")
        return probability(value / 100)

    def rate(self, example: str) -> int:
        """A rate, in bits per second."""
        write = "write for example 1mbit, 64kbit or 125kbps (bytes per second)"
        value = self._scaled("a rate", write, example, _RATES)
        if value > _FASTEST:
            raise self.wrong(f"is more than 1000tbit; {write}")
        bits = round(value)
        if not bits:
            raise self.wrong(f"is a rate at which nothing ever arrives; {write}")
        return bits

    def size(self, example: str) -> int:
        """A number of bytes, 1 or more."""
        write = "write for example 1500 or 64k"
        return self._positive(round(self._scaled("a number of bytes", write, example, _SIZES)))

    def count(self, example: str) -> int:
        """A whole number, 1 or more."""
        return self._positive(self.integer(example))

    def integer(self, example: str, *, signed: bool = False) -> int:
        """A whole number; without ``signed``, 0 or more."""
        word = self._argument("a number", example)
        if not _INTEGER.fullmatch(word):
            raise self.wrong(f"is not a whole number; write for example {example}")
        if word.startswith("-") and not signed:
            raise self.wrong("must not be negative")
        if len(word) > _DIGITS or abs(int(word)) > MOST:
            raise self.wrong(f"is out of range: {MOST} is the most")
        return int(word)

    def seed(self) -> int:
        """A seed: a whole number of 64 bits."""
        word = self._argument("a number", "seed 7")
        good = _INTEGER.fullmatch(word) and len(word) <= _DIGITS
        if not good or not 0 <= int(word) <= _LAST_SEED:
            raise self.wrong(f"is not a seed: a whole number from 0 to {_LAST_SEED}")
        return int(word)

    def one_of(self, known: Iterable[str], what: str, example: str) -> str:
        """One of the words in ``known``."""
        word = self._argument(what, example)
        if word not in known:
            raise self.wrong(f"is not {what}{suggest(word, known)}")
        return word

    # -- what these are made of

    def _peek(self) -> str:
        return self._words[self.at + 1].lower() if self.at + 1 < len(self._words) else ""

    def _argument(self, what: str, example: str) -> str:
        word = self.next()
        if word is None:
            if self.at < 0:
                raise self.broken(f"{what} is missing; write for example {example}")
            raise self.wrong(f"needs {what} after it; write for example {example}")
        return word

    def _scaled(self, what: str, write: str, example: str, units: Mapping[str, int]) -> float:
        """A number with a unit, in the unit of which ``units`` counts."""
        word = self._argument(what, example)
        matched = _NUMBER.fullmatch(word.removeprefix("+"))
        if matched and matched[2] in units:
            return float(matched[1]) * units[matched[2]]
        if word.startswith("-") and _NUMBER.fullmatch(word[1:]):
            raise self.wrong("must not be negative")
        raise self.wrong(f"is not {what}; {write}")

    def _positive(self, number: int) -> int:
        if not 1 <= number <= MOST:
            raise self.wrong(f"must be from 1 to {MOST}")
        return number


def check_seed(seed: object) -> int:
    """Returns ``seed``, or raises ``ConfigurationError`` when it cannot be one."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LAST_SEED:
        raise ConfigurationError(
            f"seed must be a whole number from 0 to {_LAST_SEED}, not {seed!r}"
        )
    return seed


def suggest(word: str, known: Iterable[str]) -> str:
    """Which of ``known`` may have been meant, and all of them, to be put after an error."""
    known = list(known)
    close = get_close_matches(word, known, n=1)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{meant}: the known ones are {', '.join(known)}"


def probability(value: float) -> float:
    """``value`` to 11 places: what a percentage of 9 places says, and the same again when read."""
    return round(value, 11)


def write_percentage(value: float) -> str:
    """A probability as a percentage."""
    return f"{value * 100:.9f}".rstrip("0").rstrip(".") + "%"


def write_time(seconds: float) -> str:
    """A time in the unit in which it is shortest."""
    nanoseconds = round(seconds * 10**9)
    unit, scale = next(
        (unit, scale)
        for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))
        if nanoseconds >= scale or scale == 1
    )
    whole, rest = divmod(nanoseconds, scale)
    digits = f"{rest:0{len(str(scale)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}{unit}" if digits else f"{whole}{unit}"


def write_rate(bits: int) -> str:
    """A rate in the largest unit of which it is a whole number."""
    prefix, scale = next(
        (prefix, scale) for prefix, scale in reversed(_PREFIXES.items()) if bits % scale == 0
    )
    return f"{bits // scale}{prefix}bit"
