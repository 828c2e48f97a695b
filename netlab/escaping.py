"""Bytes and names that came from a peer, made safe to show.

A log line is read on a terminal. What a peer sent may hold control characters
(which move the cursor, or forge a line) and bidirectional overrides (which
reorder what is read), so nothing from a peer is shown unescaped.
"""

from __future__ import annotations

import unicodedata

_ELLIPSIS = "..."
_BACKSLASH = ord("\\")


def escape(value: str | bytes, limit: int | None = 200) -> str:
    """``value`` as printable text.

    Bytes are shown as ASCII with ``\\xNN`` for the rest. In a ``str`` control,
    format (bidirectional overrides among them), surrogate, private, unassigned
    and line-separating characters become escapes; other text stays as it is.

    Of a longer value only the first ``limit`` bytes or characters are shown,
    and three dots after them; ``None`` shows it all.
    """
    shown = value[:limit]
    text = "".join(map(_byte, shown) if isinstance(shown, bytes) else map(_character, shown))
    return text + _ELLIPSIS if len(shown) < len(value) else text


def _byte(value: int) -> str:
    if value == _BACKSLASH:
        return "\\\\"
    return chr(value) if 32 <= value < 127 else f"\\x{value:02x}"


def _character(value: str) -> str:
    category = unicodedata.category(value)
    if category.startswith("C") or category in ("Zl", "Zp"):
        return value.encode("unicode_escape").decode("ascii")
    return value
