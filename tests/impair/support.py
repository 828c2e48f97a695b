"""Texts for Hypothesis, links from texts, and bounds for statistics."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import Any

from hypothesis import strategies as st

from netlab.impair import Fate, Link, StreamLink, parse, parse_stream

FLOW = ("192.0.2.7", 40000)
OTHER = ("198.51.100.1", 5)
SIGMAS = 4.5
"""How far a statistic may be from theory. The seeds are fixed, so none fails by chance."""


def link(text: str, seed: int = 7, **options: Any) -> Link:
    """A link with the conditions of ``text`` outward."""
    conditions = parse(text).outward
    assert conditions is not None
    return Link(conditions, seed=seed, direction="out", **options)


def left(under_test: Link, now: float) -> list[bytes]:
    """What leaves the link until ``now``, without its cargo."""
    return [data for data, _ in under_test.take(now)]


def stream(text: str, seed: int = 7, host: str = FLOW[0]) -> StreamLink:
    """A stream's link with the conditions of ``text`` outward."""
    conditions = parse_stream(text).outward
    assert conditions is not None
    return StreamLink(conditions, seed=seed, direction="out", host=host)


def fates(text: str, n: int, seed: int = 7, data: bytes = b"hello") -> list[Fate]:
    """The fates of the first ``n`` packets of a flow."""
    under_test = link(text, seed)
    found = []
    for at in range(n):
        found.append(under_test.offer(float(at), FLOW, data))
        under_test.take(inf)
    return found


def mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return sum(found) / len(found)


def share_bound(p: float, n: int) -> float:
    """How far the share of hits in ``n`` independent trials may be from ``p``."""
    return SIGMAS * sqrt(p * (1 - p) / n)


def bursts(lost: list[bool]) -> list[int]:
    """The lengths of the runs of losses."""
    lengths: list[int] = []
    before = False
    for each in lost:
        if each and before:
            lengths[-1] += 1
        elif each:
            lengths.append(1)
        before = each
    return lengths


# -- texts that are right

_P = st.one_of(
    st.integers(0, 100).map(str),
    st.floats(0, 100).map("{:.6f}%".format),
    st.sampled_from(["0.000000001%", "33.333333333%", "100%", "1.1%", "7%"]),
)
_TIME = st.one_of(
    st.integers(1, 999).map("{}ms".format),
    st.floats(0.001, 3599).map("{:.9f}s".format),
    st.integers(1, 3_600_000_000).map(str),
    st.integers(1, 10**12).map("{}ns".format),
    st.sampled_from(["1.5S", "200usecs", "0.1msec", "1SEC", "3600s"]),
)
_RATE = st.one_of(
    st.integers(1, 10**12).map(str),
    st.tuples(st.integers(1, 900), st.sampled_from(["", "k", "M", "g", "ki", "Mi", "Gi"])).flatmap(
        lambda pair: st.sampled_from([f"{pair[0]}{pair[1]}{u}" for u in ("bit", "bps")])
    ),
)
_COUNT = st.integers(1, (1 << 32) - 1).map(str)
_SIZE = st.one_of(_COUNT, st.sampled_from(["64k", "1M", "1.5kb", "1b"]))
_NAME = st.sampled_from(["uniform", "normal", "pareto", "paretonormal"])


def _joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(" ".join)


def _perhaps(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), _joined(*parts))


_CHANCE = _joined(_P, _perhaps(_P))
_LOW = st.integers(0, 50).map("{}%".format)
_DELAY = _joined(
    "delay", _TIME, st.one_of(_perhaps(_TIME, _perhaps(_P)), _joined(_TIME, "distribution", _NAME))
)
_LOSS = st.one_of(
    _joined("loss", _perhaps("random"), _CHANCE),
    _joined("loss gemodel", _P, _perhaps(_P, _perhaps(_P, _perhaps(_P)))),
    _joined("loss state", _LOW, _perhaps(_LOW, _perhaps(_LOW, _perhaps(_P, _perhaps(_LOW))))),
)
_OVERHEAD = st.integers(-9, 99).map(str)
_SLOT_LIMITS = _joined(_perhaps("packets", _COUNT), _perhaps("bytes", _SIZE))
_SLOT = st.one_of(
    _joined("slot", _TIME, _SLOT_LIMITS),
    _joined("slot 1ns", _TIME, _SLOT_LIMITS),
    _joined("slot distribution", _NAME, _TIME, _TIME, _SLOT_LIMITS),
)
_WORDS = {
    "loss": _LOSS,
    "duplicate": _joined("duplicate", _CHANCE),
    "corrupt": _joined("corrupt", _CHANCE),
    "rate": _joined(
        "rate", _RATE, _perhaps(_OVERHEAD, _perhaps(st.integers(10, 99).map(str), _OVERHEAD))
    ),
    "slot": _SLOT,
    "limit": _joined("limit", _COUNT),
    "delay": _joined(_DELAY, _perhaps("reorder", _CHANCE, _perhaps("gap", _COUNT))),
}
_STREAM_WORDS = {
    "delay": _DELAY,
    "rate": _joined("rate", _RATE),
    "segment": st.one_of(_joined("segment", _SIZE), _joined("segment 1", _SIZE)),
    "stall": _joined("stall", _P, _TIME),
    "reset": _joined("reset", _P),
    "limit": _joined("limit", _SIZE),
}


def _conditions(words: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    names = st.lists(st.sampled_from(sorted(words)), min_size=1, unique=True)
    return names.flatmap(lambda chosen: st.tuples(*(words[name] for name in chosen))).map(" ".join)


def _texts(words: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    some = _conditions(words)
    seed = _perhaps("seed", st.integers(0, (1 << 64) - 1).map(str))
    sections = st.one_of(
        some,
        _joined("in", some),
        _joined("OUT", some),
        _joined("in", some, "out", some),
        _joined("out", some, "In", some),
    )
    return st.one_of(_joined(seed, sections), _joined(sections, seed))


TEXTS = _texts(_WORDS)
"""What ``parse`` takes."""

STREAM_TEXTS = _texts(_STREAM_WORDS)
"""What ``parse_stream`` takes."""

NONSENSE = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(_WORDS | _STREAM_WORDS),
                *("in", "out", "seed", "random", "gemodel", "state", "distribution", "normal"),
                *("gap", "packets", "bytes", "reorder", "ecn", "nan", "inf", "-1", "0", "1e5"),
                *(
                    "5ms",
                    "10%",
                    "-5%",
                    "101%",
                    "1mbit",
                    "9" * 5000,
                    "²",
                    "\u0661",
                    "1_0",
                    "+5",
                    ".",
                ),
            ]
        ),
        st.text(max_size=8),
    ),
    max_size=12,
).map(" ".join)
"""Texts that are seldom right."""
