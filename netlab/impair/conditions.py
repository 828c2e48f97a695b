"""What an impairment says: values that ``parse`` and ``parse_stream`` make.

All of them are frozen; compare, hash and print them. ``str`` of each gives its
words as ``tc netem`` writes them, in one canonical form. Times are in seconds,
probabilities and correlations are numbers from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from netlab.impair.words import write_percentage, write_rate, write_time

DEFAULT_LIMIT = 1000
"""Copies of packets that a link holds unless told otherwise, as in netem."""

DEFAULT_STREAM_LIMIT = 64 * 1024
"""Bytes that a direction of a stream holds unless told otherwise."""

UNIFORM = "uniform"
DISTRIBUTIONS = (UNIFORM, "normal", "pareto", "paretonormal")
"""How jitter may be distributed; the first is the default."""


@dataclass(frozen=True, slots=True)
class Delay:
    """``delay TIME [JITTER [CORRELATION]] [distribution NAME]``."""

    time: float
    jitter: float = 0.0
    correlation: float = 0.0
    distribution: str = UNIFORM

    def __str__(self) -> str:
        words = f"delay {write_time(self.time)}"
        if self.jitter or self.correlation:
            words += f" {write_time(self.jitter)}"
        if self.correlation:
            words += f" {write_percentage(self.correlation)}"
        return (
            words if self.distribution == UNIFORM else f"{words} distribution {self.distribution}"
        )


@dataclass(frozen=True, slots=True)
class Chance:
    """``P [CORRELATION]``: how often something happens, and how alike its draws are.

    A correlation makes netem's numbers gather around the middle, so that with
    one the share of packets that are hit is no longer ``probability``.
    """

    probability: float
    correlation: float = 0.0

    def __str__(self) -> str:
        words = write_percentage(self.probability)
        return f"{words} {write_percentage(self.correlation)}" if self.correlation else words


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """``loss gemodel p [r [1-h [1-k]]]``: a good state and a bad one, each with its loss.

    ``p`` leads from good to bad and ``r`` back; ``bad_loss`` is 1-h and
    ``good_loss`` 1-k. A flow begins in the good state.
    """

    p: float
    r: float
    bad_loss: float = 1.0
    good_loss: float = 0.0

    def __str__(self) -> str:
        numbers = (self.p, self.r, self.bad_loss, self.good_loss)
        return f"gemodel {' '.join(map(write_percentage, numbers))}"


@dataclass(frozen=True, slots=True)
class FourState:
    """``loss state p13 [p31 [p32 [p23 [p14]]]]``: netem's Markov chain of four states.

    In states 1 (a gap between bursts) and 2 (within a burst) packets arrive; in
    3 (within a burst) and 4 (a single loss in a gap) they are lost. From 4 the
    chain always goes back to 1. A flow begins in state 1.
    """

    p13: float
    p31: float
    p32: float = 0.0
    p23: float = 1.0
    p14: float = 0.0

    def __str__(self) -> str:
        numbers = (self.p13, self.p31, self.p32, self.p23, self.p14)
        return f"state {' '.join(map(write_percentage, numbers))}"


Loss: TypeAlias = Chance | GilbertElliott | FourState


@dataclass(frozen=True, slots=True)
class Reorder:
    """``reorder P [CORRELATION] [gap N]``: packets that are sent at once, before earlier ones.

    After one that was, the next ``gap - 1`` packets never are.
    """

    chance: Chance
    gap: int = 1

    def __str__(self) -> str:
        return f"{self.chance} gap {self.gap}" if self.gap > 1 else str(self.chance)


@dataclass(frozen=True, slots=True)
class Rate:
    """``rate RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]]``: bits per second, bytes.

    ``cell_size`` 0 is a link without cells.
    """

    bits: int
    packet_overhead: int = 0
    cell_size: int = 0
    cell_overhead: int = 0

    def __str__(self) -> str:
        numbers = [self.packet_overhead, self.cell_size, self.cell_overhead]
        while numbers and not numbers[-1]:
            numbers.pop()
        return " ".join([write_rate(self.bits), *map(str, numbers)])

    def seconds(self, length: int) -> float:
        """How long a packet of ``length`` bytes occupies the link."""
        length = max(length + self.packet_overhead, 0)
        if self.cell_size:
            length = -(-length // self.cell_size) * (self.cell_size + self.cell_overhead)
        return length * 8 / self.bits


@dataclass(frozen=True, slots=True)
class Between:
    """``MIN [MAX]``: a time that is anything from ``minimum`` to ``maximum``."""

    minimum: float
    maximum: float

    def __str__(self) -> str:
        words = write_time(self.minimum)
        return words if self.maximum == self.minimum else f"{words} {write_time(self.maximum)}"


@dataclass(frozen=True, slots=True)
class Slot:
    """``slot ... [packets N] [bytes N]``: packets wait and leave together, so many at a time.

    ``wait`` is the time to the next slot; ``packets`` and ``size`` (bytes) are what
    one slot carries, ``None`` for no limit.
    """

    wait: Between | Delay
    packets: int | None = None
    size: int | None = None

    def __str__(self) -> str:
        wait = self.wait
        if isinstance(wait, Delay):
            times = f"{write_time(wait.time)} {write_time(wait.jitter)}"
            words = f"distribution {wait.distribution} {times}"
        else:
            words = str(wait)
        if self.packets is not None:
            words += f" packets {self.packets}"
        return words if self.size is None else f"{words} bytes {self.size}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one direction does to datagrams; ``None`` leaves them as they are."""

    delay: Delay | None = None
    loss: Loss | None = None
    duplicate: Chance | None = None
    corrupt: Chance | None = None
    reorder: Reorder | None = None
    rate: Rate | None = None
    slot: Slot | None = None
    limit: int = DEFAULT_LIMIT

    def __str__(self) -> str:
        words = [] if self.loss is None else [f"loss {self.loss}"]
        words += [] if self.delay is None else [str(self.delay)]
        for name in ("duplicate", "corrupt", "reorder", "rate", "slot"):
            value = getattr(self, name)
            words += [] if value is None else [f"{name} {value}"]
        if self.limit != DEFAULT_LIMIT or not words:
            words.append(f"limit {self.limit}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Segment:
    """``segment BYTES [MAX]``: how long pieces are, anything from the one to the other."""

    shortest: int
    longest: int

    def __str__(self) -> str:
        words = str(self.shortest)
        return words if self.longest == self.shortest else f"{words} {self.longest}"


@dataclass(frozen=True, slots=True)
class Stall:
    """``stall P TIME``: how often nothing moves, and for how many seconds."""

    probability: float
    time: float

    def __str__(self) -> str:
        return f"{write_percentage(self.probability)} {write_time(self.time)}"


@dataclass(frozen=True, slots=True)
class StreamConditions:
    """What one direction does to a stream; ``None`` (and a ``reset`` of 0) leave it as it is."""

    delay: Delay | None = None
    rate: Rate | None = None
    segment: Segment | None = None
    stall: Stall | None = None
    reset: float | None = None
    limit: int = DEFAULT_STREAM_LIMIT

    def __str__(self) -> str:
        words = [] if self.delay is None else [str(self.delay)]
        for name in ("rate", "segment", "stall"):
            value = getattr(self, name)
            words += [] if value is None else [f"{name} {value}"]
        words += [] if self.reset is None else [f"reset {write_percentage(self.reset)}"]
        if self.limit != DEFAULT_STREAM_LIMIT or not words:
            words.append(f"limit {self.limit}")
        return " ".join(words)


@dataclass(frozen=True, slots=True, repr=False)
class Impairment:
    """The conditions of a datagram service, made by ``parse``.

    ``inward`` holds for requests and ``outward`` for replies; ``None`` is a
    direction that is left alone. ``str`` gives words that ``parse`` turns into
    an equal value.
    """

    inward: Conditions | None
    outward: Conditions | None
    seed: int | None = None

    def __str__(self) -> str:
        return _words(self.inward, self.outward, self.seed)

    def __repr__(self) -> str:
        return f"parse({str(self)!r})"


@dataclass(frozen=True, slots=True, repr=False)
class StreamImpairment:
    """The conditions of a stream service, made by ``parse_stream``; see ``Impairment``."""

    inward: StreamConditions | None
    outward: StreamConditions | None
    seed: int | None = None

    def __str__(self) -> str:
        return _words(self.inward, self.outward, self.seed)

    def __repr__(self) -> str:
        return f"parse_stream({str(self)!r})"


def _words(inward: object | None, outward: object | None, seed: int | None) -> str:
    words = [] if inward is None else [f"in {inward}"]
    if outward is not None:
        words.append(f"out {outward}" if words else str(outward))
    return " ".join(words if seed is None else [*words, f"seed {seed}"])
