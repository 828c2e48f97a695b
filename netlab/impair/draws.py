"""Random numbers that can be drawn again: any program can say what happens to packet 17.

There is no generator whose state moves on. The numbers of packet ``i`` are
computed from ``i`` and a key, so they depend on nothing else:

- *Key*: BLAKE2b (RFC 7693) with 32 bytes of output, unkeyed, of the UTF-8 text
  ``netlab impair KIND SEED DIRECTION HOST``, with one space between the words.
  KIND is ``datagram`` or ``stream``, SEED is in decimal, DIRECTION is ``in`` or
  ``out``, and HOST is the client's address, as in ``192.0.2.7``; with its port behind it,
  as in ``192.0.2.7 40000``, where the user named no seed and ports are to differ.
- *Block* ``i``: BLAKE2b with 64 bytes of output, keyed with that key, of ``i`` as
  8 bytes, little-endian. It is cut into eight unsigned numbers of 64 bits,
  little-endian: the *lanes*, 0 to 7. Block ``i`` is that of packet ``i`` of a flow, or
  of piece ``i`` of a stream, from 0. Block ``2^63 + n`` is that of a flow's slot ``n``.
- Each use has a lane of its own, whether the others are used or not:

  ====== =============================================== =====================
  lane   packet                                          piece of a stream
  ====== =============================================== =====================
  0      random loss; the transition of a loss model     its size
  1      gemodel: the loss in the state
  2      delay                                           delay
  3      duplicate                                       stall
  4      delay of the second copy                        reset
  5      corrupt
  6      which bit is flipped
  7      reorder
  ====== =============================================== =====================

  The time to a slot is lane 0 of the slot's block.
- *Value* of a lane: its upper 53 bits, divided by 2^53: ``0 <= u < 1``.
- *Correlation* ``rho``, as netem's ``get_crandom``: instead of the values ``u[i]`` of
  a lane, ``c[i] = u[i] * (1 - rho) + c[i - 1] * rho`` are used. ``c[-1]`` is the
  value of the same lane in block 2^64 - 1. Every packet of a flow moves them on,
  a lost one as well. Numbers that are drawn so gather around 1/2, in netem too:
  a loss of 10 % with a correlation is less than 10 %. The second copy's delay uses
  ``u * (1 - rho) + c[i] * rho`` with the ``u`` of lane 4 and the ``c[i]`` of lane 2.
- *A chance* ``P`` hits when the number is less than ``P``; with 100 %, always.
- *One of n* (bits, sizes) is ``floor(lane * n / 2^64)``.
- *A time from MIN to MAX* is ``MIN + (MAX - MIN) * u``.
- *Jitter*: ``TIME + JITTER * x``, and 0 when that is negative. Without a distribution,
  ``x = 2 * u - 1``. With one, ``x = table[floor(4096 * u)] / 8192``; the entry ``k`` of
  the table is ``f((k + 1/2) / 4096) * 8192``, rounded to the nearest whole number
  and kept within -32768 and 32767 (so ``x`` is in [-4, 4)), where ``f(q)`` is

  - ``normal``: the quantile function of the standard normal distribution,
  - ``pareto``: ``((1 - q) ** (-1/3) - 3/2) * 4/3``,
  - ``paretonormal``: a quarter of the normal entry and three quarters of the pareto
    entry, rounded again (half to even).

netem takes the table's index modulo its size, which undoes most of a
correlation; here correlated delays are alike. Sources of the formulas: the
kernel's net/sched/sch_netem.c, iproute2's netem/normal.c, pareto.c and
paretonormal.c.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache
from hashlib import blake2b
from math import ceil
from struct import Struct
from typing import TypeAlias

from netlab.impair.conditions import UNIFORM, Between, Chance, Delay

Lanes: TypeAlias = tuple[int, int, int, int, int, int, int, int]
Block: TypeAlias = Callable[[int], Lanes]


class Lane:
    """Which number of a block is for what."""

    LOSS = 0
    LOSS_IN_STATE = 1
    DELAY = 2
    DUPLICATE = 3
    COPY_DELAY = 4
    CORRUPT = 5
    BIT = 6
    REORDER = 7

    PIECE_SIZE = 0
    PIECE_STALL = 3
    PIECE_RESET = 4

    SLOT = 0


BEFORE_FIRST = (1 << 64) - 1
"""The block of the numbers ``c[-1]``."""

FIRST_SLOT = 1 << 63
"""The block of a flow's first slot; the next slots have the next blocks."""

_TABLE_BITS = 12
_TABLE_SIZE = 1 << _TABLE_BITS
_SCALE = 8192  # NETEM_DIST_SCALE
_LANE_TO_INDEX = 64 - _TABLE_BITS
_UNIT = 2.0**-53

_index = Struct("<Q").pack
_ALL = frozenset(range(8))


def blocks(kind: str, seed: int, direction: str, host: str, used: AbstractSet[int] = _ALL) -> Block:
    """The function from a number to its block.

    Only the lanes ``used`` are numbers; in the place of another stands something
    that costs nothing to make.
    """
    text = f"netlab impair {kind} {seed} {direction} {host}"
    key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    keyed = blake2b(key=key, digest_size=64).copy  # copying saves hashing the key each time
    lanes = Struct("<" + "".join("Q" if lane in used else "c7x" for lane in range(8))).unpack

    def block(number: int) -> Lanes:
        state = keyed()
        state.update(_index(number))
        return lanes(state.digest())

    return block


def value(lane: int) -> float:
    """The number from 0 to 1 that a lane stands for."""
    return (lane >> 11) * _UNIT


class Memory:
    """What the draws of one flow depend on besides the packet's number."""

    __slots__ = ("last", "state")

    def __init__(self, before_first: Lanes | None) -> None:
        self.last = [] if before_first is None else list(map(value, before_first))
        """The correlated number of each lane that was used last."""
        self.state = 1
        """The state of the loss model."""


Hits: TypeAlias = Callable[[Lanes, Memory], bool]
Delays: TypeAlias = Callable[[Lanes, Memory], float]


def threshold(probability: float) -> int:
    """``lane < threshold(p)`` is ``value(lane) < p``, without making a float of the lane."""
    return ceil(probability * 2**53) << 11


def chance(chance: Chance, lane: int) -> Hits:
    """Whether the chance hits a packet."""
    if not chance.correlation:
        limit = threshold(chance.probability)
        return lambda lanes, memory: lanes[lane] < limit
    draw = _correlated(chance.correlation, lane)
    probability = chance.probability
    return lambda lanes, memory: draw(lanes, memory) < probability


def delays(delay: Delay) -> tuple[Delays, Delays]:
    """The delay of a packet, and that of its second copy, in seconds.

    The copy's number is the one that would follow the packet's own, but it is
    not the one that the next packet's follows.
    """
    if not delay.jitter:
        time = delay.time
        return lambda lanes, memory: time, lambda lanes, memory: time
    if not delay.correlation:
        return _jitter(delay, Lane.DELAY), _jitter(delay, Lane.COPY_DELAY)
    draw = _correlated(delay.correlation, Lane.DELAY)
    rho = delay.correlation
    jittered = _jittered(delay)

    def copy(lanes: Lanes, memory: Memory) -> float:
        number = value(lanes[Lane.COPY_DELAY]) * (1 - rho) + memory.last[Lane.DELAY] * rho
        return jittered(number)

    return lambda lanes, memory: jittered(draw(lanes, memory)), copy


def waits(wait: Between | Delay) -> Callable[[int], float]:
    """The time to the next slot, in seconds, from a lane."""
    if isinstance(wait, Delay):
        jittered = _jittered(wait)
        return lambda lane: jittered(value(lane))
    minimum = wait.minimum
    range_ = wait.maximum - minimum
    return lambda lane: minimum + range_ * value(lane)


def below(lane: int, n: int) -> int:
    """One of the whole numbers from 0 to ``n - 1``: the upper half of ``lane * n``."""
    return (lane * n) >> 64


@cache
def table(distribution: str) -> tuple[int, ...]:
    """The quantiles of a distribution, scaled by 8192, as iproute2 makes them."""
    if distribution == "paretonormal":
        pairs = zip(table("normal"), table("pareto"), strict=True)
        return tuple(round((normal + 3 * pareto) / 4) for normal, pareto in pairs)
    quantile = _pareto if distribution == "pareto" else _normal()
    return tuple(
        max(-32768, min(32767, round(_SCALE * quantile((k + 0.5) / _TABLE_SIZE))))
        for k in range(_TABLE_SIZE)
    )


def _normal() -> Callable[[float], float]:
    from statistics import NormalDist  # slow to import, and seldom used

    return NormalDist().inv_cdf


def _pareto(q: float) -> float:
    return float((1 - q) ** (-1 / 3) - 3 / 2) * 4 / 3


def _correlated(rho: float, lane: int) -> Delays:
    rest = 1 - rho

    def draw(lanes: Lanes, memory: Memory) -> float:
        last = memory.last
        number = last[lane] = (lanes[lane] >> 11) * _UNIT * rest + last[lane] * rho
        return number

    return draw


def _jitter(delay: Delay, lane: int) -> Delays:
    """Without correlation, straight from the lane: every packet of most impairments is here."""
    if delay.distribution == UNIFORM:
        least = delay.time - delay.jitter
        width = 2 * delay.jitter * _UNIT
        if least >= 0:
            return lambda lanes, memory: least + width * (lanes[lane] >> 11)
        return lambda lanes, memory: max(0.0, least + width * (lanes[lane] >> 11))
    times = _times(delay)
    return lambda lanes, memory: times[lanes[lane] >> _LANE_TO_INDEX]


def _jittered(delay: Delay) -> Callable[[float], float]:
    """The same for any number from 0 to 1."""
    if delay.distribution == UNIFORM:
        time, jitter = delay.time, delay.jitter
        return lambda number: max(0.0, time + jitter * (2 * number - 1))
    times = _times(delay)
    return lambda number: times[int(number * _TABLE_SIZE)]


@lru_cache(maxsize=16)
def _times(delay: Delay) -> tuple[float, ...]:
    """The delay for each entry of the table."""
    time, step = delay.time, delay.jitter / _SCALE
    return tuple(max(0.0, time + step * entry) for entry in table(delay.distribution))
