"""Pictures of round-trip times over time: for a terminal, and as SVG.

Both show the same: a mark for each packet that came back in time, at the time
it was sent and the time it took, and below, in lanes of their own, the packets
that came late or not at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from .pings import Fate, Packet

WIDTH = 80
"""Columns of the picture in a terminal."""
_ROWS = 12
_TICKS = 5
_FINEST = 1e-6


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values and the round numbers on it where there are marks."""

    low: float
    high: float
    step: float

    @property
    def ticks(self) -> list[float]:
        """Where the marks are."""
        count = math.floor((self.high - self.low) / self.step + 1e-6)
        return [self.low + number * self.step for number in range(count + 1)]

    def place(self, value: float) -> float:
        """Where ``value`` is, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def label(self, value: float) -> str:
        """``value`` with as many digits as the steps have."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{value:.{digits}f}"


def value_axis(values: Sequence[float]) -> Axis:
    """An axis that holds ``values``; from 0 if they are not all close to one another."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low < high / 2 or low == high:
        low = 0.0
    step = _step((high - low) or 1.0)
    low = math.floor(low / step + 1e-9) * step
    return Axis(low, max(math.ceil(high / step - 1e-9) * step, low + step), step)


def time_axis(duration: float) -> Axis:
    """An axis from 0 to ``duration`` seconds."""
    duration = duration or 1.0
    return Axis(0.0, duration, _step(duration))


def _step(span: float) -> float:
    """A round number that goes into ``span`` about ``_TICKS`` times."""
    rough = max(span / _TICKS, _FINEST)
    size = 10.0 ** math.floor(math.log10(rough))
    return size * min(each for each in (1, 2, 5, 10) if each * size >= rough * 0.999)


@dataclass(frozen=True, slots=True)
class _Picture:
    """What there is to draw: times from the first packet on, in seconds, and RTTs in ms."""

    points: list[tuple[float, float, Packet]]
    lanes: list[tuple[str, list[tuple[float, Packet]]]]
    time: Axis
    rtt: Axis


def _picture(packets: Iterable[Packet]) -> _Picture:
    packets = list(packets)
    start = packets[0].sent_at if packets else 0.0
    points, late, lost = [], [], []
    for packet in packets:
        at = packet.sent_at - start
        if packet.fate is Fate.RECEIVED and packet.rtt is not None:
            points.append((at, packet.rtt * 1000, packet))
        elif packet.fate is Fate.LATE:
            late.append((at, packet))
        elif packet.fate is Fate.LOST:
            lost.append((at, packet))
    duration = packets[-1].sent_at - start if packets else 0.0
    return _Picture(
        points,
        [("late", late), ("lost", lost)],
        time_axis(duration),
        value_axis([rtt for _, rtt, _ in points]),
    )


# -- in a terminal


@dataclass(frozen=True, slots=True)
class _Marks:
    dot: str
    corrupted: str
    late: str
    lost: str
    vertical: str
    tick: str
    horizontal: str
    corner: str
    foot: str


_ASCII = _Marks("*", "#", "L", "x", "|", "+", "-", "+", "+")
_UNICODE = _Marks("•", "◆", "▲", "×", "│", "┤", "─", "└", "┴")  # noqa: RUF001
UNICODE_CHARACTERS = "".join(getattr(_UNICODE, each) for each in _UNICODE.__slots__)
"""What an output must be able to show, to be drawn on without ``plain``."""


def draw_text(packets: Iterable[Packet], *, width: int = WIDTH, plain: bool = False) -> str:
    """The picture in ``width`` columns; ``plain``: of ASCII alone.

    A lane shows how many packets are in a column: a mark for one, the number of
    more, and ``+`` for ten or more.
    """
    picture = _picture(packets)
    marks = _ASCII if plain else _UNICODE
    rtt = picture.rtt
    labels = {round((_ROWS - 1) * (1 - rtt.place(tick))): rtt.label(tick) for tick in rtt.ticks}
    lanes = [each for each in picture.lanes if each[1]]
    left = max([len(each) for each in labels.values()] + [len(name) for name, _ in lanes])
    columns = width - left - 2

    def column(at: float) -> int:
        return round((columns - 1) * picture.time.place(at))

    grid = [[" "] * columns for _ in range(_ROWS)]
    # The corrupted ones are drawn last: they are few, and must be seen.
    for at, value, packet in sorted(picture.points, key=lambda each: each[2].corrupted):
        row = round((_ROWS - 1) * (1 - rtt.place(value)))
        grid[row][column(at)] = marks.corrupted if packet.corrupted else marks.dot
    legend = [f"{marks.dot} RTT in ms, over seconds"]
    if any(packet.corrupted for _, _, packet in picture.points):
        legend.append(f"{marks.corrupted} corrupted")
    lines = ["   ".join([" " * left, *legend]).rstrip()]
    for row, cells in enumerate(grid):
        edge = marks.tick if row in labels else marks.vertical
        lines.append(f"{labels.get(row, ''):>{left}} {edge}{''.join(cells)}")
    lines += _time_line(picture.time, left, columns, marks)
    for name, marked in lanes:
        counts = Counter(column(at) for at, _ in marked)
        mark = getattr(marks, name)
        cells = [_many(counts[place], mark) for place in range(columns)]
        lines.append(f"{name:>{left}}  {''.join(cells)}")
    return "\n".join(line.rstrip() for line in lines)


def _many(count: int, mark: str) -> str:
    if count < 2:
        return mark if count else " "
    return str(count) if count < 10 else "+"


def _time_line(time: Axis, left: int, columns: int, marks: _Marks) -> list[str]:
    axis = [marks.horizontal] * columns
    below = [" "] * columns
    for tick in time.ticks:
        place = round((columns - 1) * time.place(tick))
        text = time.label(tick)
        axis[place] = marks.foot
        begin = min(max(0, place - len(text) // 2), columns - len(text))
        below[begin : begin + len(text)] = text
    return [
        f"{'':{left}} {marks.corner}{''.join(axis)}",
        f"{'':{left}}  {''.join(below)}",
    ]


# -- as SVG

_W, _H = 800, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 64, 120
_LANE = 22
_GRAIN = 2  # places of a pixel: marks that would be in the same one are drawn once

_STYLE = """
svg { background: #ffffff; font: 13px system-ui, sans-serif; }
.paper { fill: #ffffff; }
text { fill: #1d2430; }
.title { font-size: 16px; font-weight: 600; }
.quiet { fill: #56606e; }
.grid { stroke: #d9dee5; }
.axis { stroke: #56606e; }
.dot { fill: #1f66c1; }
.corrupted { fill: #ffffff; stroke: #8a2db8; stroke-width: 2; }
.late { stroke: #b35c00; stroke-width: 2; }
.lost { stroke: #c8102e; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  svg { background: #14181f; }
  .paper { fill: #14181f; }
  text { fill: #e8ecf2; }
  .quiet { fill: #a3adba; }
  .grid { stroke: #2e3641; }
  .axis { stroke: #a3adba; }
  .dot { fill: #6cb0ff; }
  .corrupted { fill: #14181f; stroke: #d28bf5; }
  .late { stroke: #ffab4a; }
  .lost { stroke: #ff6b7d; }
}
"""


def draw_svg(packets: Iterable[Packet], *, title: str, subtitle: str = "") -> str:
    """The picture as an SVG document that needs no other file, for light and dark pages.

    ``title`` and ``subtitle`` are plain text.
    """
    picture = _picture(packets)
    width, height = _W - _LEFT - _RIGHT, _H - _TOP - _BOTTOM

    def x(at: float) -> float:
        return _LEFT + width * picture.time.place(at)

    def y(value: float) -> float:
        return _TOP + height * (1 - picture.rtt.place(value))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_W} {_H}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(subtitle)}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_W}" height="{_H}"/>',
        f'<text class="title" x="{_LEFT}" y="26">{escape(title)}</text>',
        f'<text class="quiet" x="{_LEFT}" y="46">{escape(subtitle)}</text>',
    ]
    foot = _TOP + height
    for tick in picture.rtt.ticks:
        parts.append(_line("grid", _LEFT, y(tick), _LEFT + width, y(tick)))
        label = picture.rtt.label(tick)
        parts.append(_text(_LEFT - 8, y(tick) + 4, label, "end"))
    for tick in picture.time.ticks:
        parts.append(_line("axis", x(tick), foot, x(tick), foot + 5))
        parts.append(_text(x(tick), foot + 19, picture.time.label(tick), "middle"))
    parts.append(_line("axis", _LEFT, foot, _LEFT + width, foot))
    middle = _TOP + height / 2
    parts.append(
        f'<text class="quiet" text-anchor="middle" x="18" y="{middle:g}" '
        f'transform="rotate(-90 18 {middle:g})">RTT, ms</text>'
    )
    parts.append(_text(_LEFT + width / 2, foot + 38, "sent, s after the first packet", "middle"))
    drawn: set[tuple[float, float, bool]] = set()
    for at, value, packet in sorted(picture.points, key=lambda each: each[2].corrupted):
        place = (_grain(x(at)), _grain(y(value)), packet.corrupted)
        if place not in drawn:
            drawn.add(place)
            parts.append(_point(*place, f"seq={packet.sequence}: {value:.3f} ms"))
    for number, (name, marked) in enumerate(picture.lanes):
        level = foot + 62 + _LANE * number
        parts.append(_text(_LEFT - 8, level + 4, name, "end"))
        parts.append(_line("grid", _LEFT, level, _LEFT + width, level))
        marks = {_grain(x(at)): packet for at, packet in marked}
        parts += [_in_lane(name, at, level, packet) for at, packet in marks.items()]
    if any(packet.corrupted for _, _, packet in picture.points):
        parts.append(_point(_W - _RIGHT - 70, 42, True, "corrupted"))
        parts.append(_text(_W - _RIGHT - 60, 46, "corrupted", "start"))
    return "\n".join([*parts, "</svg>", ""])


def _point(x: float, y: float, corrupted: bool, words: str) -> str:
    title = f"<title>{words}</title>"
    if corrupted:
        return f'<path class="corrupted" d="M{x:g} {y - 5:g}l5 5l-5 5l-5-5z">{title}</path>'
    return f'<circle class="dot" cx="{x:g}" cy="{y:g}" r="2.5">{title}</circle>'


def _in_lane(name: str, x: float, y: float, packet: Packet) -> str:
    words = f"seq={packet.sequence}: {name}"
    if packet.rtt is not None:
        words += f", {packet.rtt * 1000:.3f} ms"
    return f'<path class="{name}" d="M{x:g} {y - 7:g}v14"><title>{words}</title></path>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="quiet" text-anchor="{anchor}" x="{x:g}" y="{y:g}">{text}</text>'


def _grain(value: float) -> float:
    return round(value * _GRAIN) / _GRAIN
