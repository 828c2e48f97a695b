"""Text to conditions: ``parse`` for datagrams, ``parse_stream`` for streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from netlab.impair.conditions import (
    DISTRIBUTIONS,
    Between,
    Chance,
    Conditions,
    Delay,
    FourState,
    GilbertElliott,
    Impairment,
    Loss,
    Rate,
    Reorder,
    Segment,
    Slot,
    Stall,
    StreamConditions,
    StreamImpairment,
)
from netlab.impair.words import Words, check_seed, probability, suggest

_Grammar: TypeAlias = Mapping[str, tuple[str, Callable[[Words], object]]]
"""What a condition's word takes, in words, and what reads it."""

_IN, _OUT, _SEED = "in", "out", "seed"
_TWICE = "is given twice: give it once"


def parse(text: str, *, seed: int | None = None) -> Impairment:
    """Returns what ``text`` says of datagrams, in the words of ``tc netem``.

    ============ =====================================================================
    limit        ``N`` (copies of packets on the link; 1000)
    delay        ``TIME [JITTER [CORRELATION]]``
                 ``[distribution uniform|normal|pareto|paretonormal]``
    loss         ``[random] P [CORRELATION]``, or
                 ``gemodel p [r [1-h [1-k]]]``, or
                 ``state p13 [p31 [p32 [p23 [p14]]]]``
    duplicate    ``P [CORRELATION]``
    corrupt      ``P [CORRELATION]`` (one bit is flipped)
    reorder      ``P [CORRELATION] [gap N]`` (needs a delay)
    rate         ``RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]]``
    slot         ``MIN [MAX] [packets N] [bytes N]``, or
                 ``distribution NAME DELAY JITTER [packets N] [bytes N]``
    seed         ``N``, for the whole text, wherever it stands; without one,
                 whoever makes the links draws it
    in, out      begin the conditions of requests and those of replies; without
                 either, the conditions hold for what goes out, as netem's do
    ============ =====================================================================

    Units are tc's, in any case: ``s ms us ns`` (a bare number is microseconds),
    ``bit kbit mbit gbit tbit`` and ``bps kbps ...`` (bytes per second), with
    ``ki mi gi ti`` for powers of 1024 (a bare number is bits per second), and
    percentages with or without ``%``. Times are at most an hour, and are kept to
    the nanosecond; percentages to 9 places.

    ``seed`` wins over the text's. Raises ``ConfigurationError`` that points at
    the word which is wrong.

    Source: tc-netem(8) and tc(8), PARAMETERS.
    """
    inward, outward, number = _read(text, seed, _DATAGRAMS, _NOT_FOR_DATAGRAMS)
    return Impairment(
        None if inward is None else Conditions(**inward),
        None if outward is None else Conditions(**outward),
        number,
    )


def parse_stream(text: str, *, seed: int | None = None) -> StreamImpairment:
    """Returns what ``text`` says of streams: what is true of TCP, where no byte is ever lost.

    ============ =====================================================================
    limit        ``BYTES`` (under way in a direction; 64k)
    delay        as for datagrams; nothing overtakes
    rate         ``RATE``
    segment      ``BYTES [MAX]``: what arrives comes in pieces of at most so many bytes,
                 or of anything from ``BYTES`` to ``MAX``
    stall        ``P TIME``: before a piece nothing moves for so long
    reset        ``P``: at a piece the connection is reset
    seed, in,    as for datagrams
    out
    ============ =====================================================================

    For the rest see ``parse``. Sizes are tc's: ``64k`` and ``1m`` are powers of 1024.
    """
    inward, outward, number = _read(text, seed, _STREAMS, _NOT_FOR_STREAMS)
    return StreamImpairment(
        None if inward is None else StreamConditions(**inward),
        None if outward is None else StreamConditions(**outward),
        number,
    )


class _Section:
    """The conditions of one direction, by name, and where their words stand."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at  # where the direction's own word stands
        self.conditions: dict[str, Any] = {}
        self.places: dict[str, int] = {}

    def read(self, word: str, words: Words, grammar: _Grammar) -> None:
        """Reads the condition that ``word`` begins."""
        if word in self.conditions:
            raise words.wrong(_TWICE)
        usage, reader = grammar[word]
        self.places[word] = words.at
        self.conditions[word] = reader(words)
        if words.number_follows():
            words.next()
            raise words.wrong(f"is one number too many: write {word} {usage}")

    def finish(self, words: Words, example: str) -> dict[str, Any]:
        """The conditions, when they can hold together."""
        if not self.conditions:
            raise words.wrong(f"has no conditions after it; write for example {example}", self.at)
        delay: Delay | None = self.conditions.get("delay")
        if "reorder" in self.conditions and not (delay and delay.time):
            raise words.wrong(
                "needs a delay, since what is sent at once must overtake something;"
                " write for example delay 50ms reorder 25%",
                self.places["reorder"],
            )
        return self.conditions


_Read: TypeAlias = tuple[dict[str, Any] | None, dict[str, Any] | None, int | None]


_HINTS = {
    "jitter": "is not said: jitter is the second time after delay, as in delay 50ms 10ms",
    **dict.fromkeys(
        ("s", "ms", "us", "ns", "%", "bit", "kbit", "mbit"),
        "belongs to the number before it, without a space, as in 50ms, 10% or 1mbit",
    ),
}


def _unknown(word: str, grammar: _Grammar) -> str:
    return f"is not known{suggest(word, [*grammar, _SEED, _IN, _OUT])}"


def _read(text: str, seed: int | None, grammar: _Grammar, refused: Mapping[str, str]) -> _Read:
    """The conditions inward, those outward, and the seed."""
    words = Words(text)
    example = " ".join(["loss 10%"] * ("loss" in grammar) + ["delay 50ms"])
    sections: dict[str, _Section] = {}
    current = _Section()  # what is said before any direction
    said: int | None = None
    while (word := words.next()) is not None:
        if word == _SEED:
            if said is not None:
                raise words.wrong(_TWICE)
            said = words.seed()
        elif word in (_IN, _OUT):
            if word in sections:
                raise words.wrong(_TWICE)
            if current.conditions and not sections:
                raise words.wrong(
                    f"comes too late: begin with '{_IN}' or '{_OUT}' when the text has either"
                )
            current = sections[word] = _Section(words.at)
        elif word in grammar:
            current.read(word, words, grammar)
        elif word in refused:
            raise words.wrong(refused[word])
        else:
            raise words.wrong(_HINTS.get(word) or _unknown(word, grammar))
    if not sections:
        if not current.conditions:
            raise words.broken(f"no conditions; write for example {example}")
        sections[_OUT] = current  # as netem, which shapes what leaves an interface
    read = {name: section.finish(words, example) for name, section in sections.items()}
    return read.get(_IN), read.get(_OUT), said if seed is None else check_seed(seed)


# -- what follows each word


def _delay(words: Words) -> Delay:
    example = "delay 50ms 10ms 25% distribution normal"
    time = words.time(example)
    jitter = words.time(example) if words.number_follows() else 0.0
    correlation = words.percentage(example) if words.number_follows() else 0.0
    if not words.take("distribution"):
        return Delay(time, jitter, correlation)
    if not jitter:
        raise words.wrong(f"needs a jitter before it; write for example {example}")
    return Delay(time, jitter, correlation, _distribution(words, example))


def _distribution(words: Words, example: str) -> str:
    return words.one_of(DISTRIBUTIONS, "a distribution", example)


def _chance(example: str) -> Callable[[Words], Chance]:
    def read(words: Words) -> Chance:
        p = words.percentage(example)
        return Chance(p, words.percentage(example) if words.number_follows() else 0.0)

    return read


def _numbers(words: Words, example: str, most: int) -> list[float]:
    """One percentage at least, ``most`` at most."""
    numbers = [words.percentage(example)]
    while len(numbers) < most and words.number_follows():
        numbers.append(words.percentage(example))
    return numbers


def _loss(words: Words) -> Loss:
    if words.take("gemodel"):
        p, *rest = _numbers(words, "loss gemodel 1% 10%", 4)
        return GilbertElliott(p, *(rest or [probability(1 - p)]))
    if words.take("state"):
        return _four_state(words)
    words.take("random")
    return _chance("loss 10%")(words)


def _four_state(words: Words) -> FourState:
    first = words.at + 1
    p13, *rest = _numbers(words, "loss state 1% 10%", 5)
    state = FourState(p13, *(rest or [probability(1 - p13)]))
    for a, b, sum_, at in (
        ("p13", "p14", state.p13 + state.p14, 4),
        ("p31", "p32", state.p31 + state.p32, 2),
    ):
        if sum_ > 1:
            raise words.wrong(
                f"is too much: {a} and {b} lead out of the same state,"
                " and must not be over 100% together",
                first + at,
            )
    return state


def _reorder(words: Words) -> Reorder:
    example = "reorder 25% gap 5"
    chance = _chance(example)(words)
    return Reorder(chance, words.count(example) if words.take("gap") else 1)


def _rate(words: Words) -> Rate:
    example = "rate 1mbit 28"
    bits = words.rate(example)
    overhead = words.integer(example, signed=True) if words.number_follows() else 0
    if not words.number_follows():
        return Rate(bits, overhead)
    cell = words.count(example)
    cell_overhead = words.integer(example, signed=True) if words.number_follows() else 0
    if cell + cell_overhead < 1:
        raise words.wrong(f"leaves nothing of a cell of {cell} bytes")
    return Rate(bits, overhead, cell, cell_overhead)


def _stream_rate(words: Words) -> Rate:
    return Rate(words.rate("rate 1mbit"))


def _slot(words: Words) -> Slot:
    wait: Between | Delay
    if words.take("distribution"):
        example = "slot distribution normal 20ms 5ms"
        shape = _distribution(words, example)
        wait = Delay(words.time(example), words.time(example, positive=True), 0.0, shape)
    else:
        example = "slot 20ms 30ms"
        shortest = words.time(example)
        longest = words.time(example) if words.number_follows() else shortest
        if longest < shortest:
            raise words.wrong("is less than the time before it: write the shorter one first")
        if not longest:
            raise words.wrong(f"must be more than 0; write for example {example}")
        wait = Between(shortest, longest)
    most: dict[str, int] = {}
    while name := words.take("packets", "bytes"):
        if name in most:
            raise words.wrong(_TWICE)
        example = "slot 20ms packets 10 bytes 64k"
        most[name] = words.count(example) if name == "packets" else words.size(example)
    return Slot(wait, most.get("packets"), most.get("bytes"))


def _limit(words: Words) -> int:
    return words.count("limit 1000")


def _stream_limit(words: Words) -> int:
    return words.size("limit 64k")


def _segment(words: Words) -> Segment:
    example = "segment 1 100"
    shortest = words.size(example)
    longest = words.size(example) if words.number_follows() else shortest
    if longest < shortest:
        raise words.wrong("is less than the size before it: write the smaller one first")
    return Segment(shortest, longest)


def _stall(words: Words) -> Stall:
    example = "stall 1% 500ms"
    return Stall(words.percentage(example), words.time(example, positive=True))


def _reset(words: Words) -> float:
    return words.percentage("reset 1%")


_DELAY = f"TIME [JITTER [CORRELATION]] [distribution {'|'.join(DISTRIBUTIONS)}]"
_CHANCE = "P [CORRELATION]"

_DATAGRAMS: _Grammar = {
    "limit": ("N", _limit),
    "delay": (_DELAY, _delay),
    "loss": (
        f"[random] {_CHANCE}, gemodel p [r [1-h [1-k]]] or state p13 [p31 [p32 [p23 [p14]]]]",
        _loss,
    ),
    "duplicate": (_CHANCE, _chance("duplicate 1%")),
    "corrupt": (_CHANCE, _chance("corrupt 1%")),
    "reorder": (f"{_CHANCE} [gap N]", _reorder),
    "rate": ("RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]]", _rate),
    "slot": (
        "MIN [MAX] [packets N] [bytes N] or distribution NAME DELAY JITTER [packets N] [bytes N]",
        _slot,
    ),
}

_STREAMS: _Grammar = {
    "limit": ("BYTES", _stream_limit),
    "delay": (_DELAY, _delay),
    "rate": ("RATE", _stream_rate),
    "segment": ("BYTES [MAX]", _segment),
    "stall": ("P TIME", _stall),
    "reset": ("P", _reset),
}

_ECN = "marks packets for routers and TCP to act upon, which netlab does not see: leave it out"
_PARTS = {
    "distribution": "belongs to a delay: write delay TIME JITTER distribution NAME",
    "latency": "is written delay here",
    "ecn": _ECN,
}
_FOR_STREAMS = "is for streams, where nothing is lost; for datagrams write loss, delay or rate"
_REPAIRED = (
    "does not happen to a stream: TCP repairs it, and all that shows is the time that takes."
    " Write delay, stall or reset, or impair a datagram service"
)

_NOT_FOR_DATAGRAMS: Mapping[str, str] = {
    **_PARTS,
    "drop": "is written loss here",
    **dict.fromkeys(("random", "gemodel", "state"), "belongs to a loss: write loss before it"),
    "gap": "belongs to a reorder: write reorder P gap N",
    **dict.fromkeys(("packets", "bytes"), "belongs to a slot: write slot MIN [MAX] before it"),
    **dict.fromkeys(("segment", "stall", "reset"), _FOR_STREAMS),
}
_NOT_FOR_STREAMS: Mapping[str, str] = {
    **_PARTS,
    **dict.fromkeys(("loss", "drop", "duplicate", "corrupt", "reorder"), _REPAIRED),
    "slot": "is for datagrams; for streams write rate, segment or stall",
}
