"""What becomes of a packet, as a value and in words."""

from __future__ import annotations

from typing import NamedTuple

LOSS = "loss"
"""``dropped``: the loss of the conditions hit the packet."""

LIMIT = "limit"
"""``dropped``: the link held as many copies as it may."""


class Fate(NamedTuple):
    """What a link did to a packet.

    A named tuple rather than a dataclass, because one is made for each packet.
    """

    index: int  # type: ignore[assignment]  # the field, not the method of tuples
    """The packet's number in its flow, from 0."""
    dropped: str | None
    """Why it never arrives: ``"loss"`` or ``"limit"``; ``None`` if it does."""
    delays: tuple[float, ...]
    """Seconds until each copy leaves the link: none when dropped, two when duplicated."""
    flipped: int | None
    """The bit that was flipped, in the first copy: bit ``n % 8`` (0 is the least
    significant) of byte ``n // 8``."""
    reordered: bool
    """Whether it was sent at once, before others that are under way."""

    def words(self) -> str:
        """The fate for a person: ``delayed 73 ms, duplicated, corrupted: bit 17``."""
        if self.dropped is not None:
            return f"dropped: {self.dropped}"
        words = [_delay(self.delays[0])]
        if len(self.delays) > 1:
            words.append("duplicated")
        if self.flipped is not None:
            words.append(f"corrupted: bit {self.flipped}")
        if self.reordered:
            words.append("reordered")
        return ", ".join(words)


def _delay(seconds: float) -> str:
    milliseconds = seconds * 1000
    if milliseconds < 0.0005:
        return "delivered"
    if milliseconds >= 100:
        return f"delayed {milliseconds:.0f} ms"
    if milliseconds >= 1:
        return f"delayed {milliseconds:.3g} ms"
    return f"delayed {f'{milliseconds:.3f}'.rstrip('0')} ms"
